package rotation

import (
	"context"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/spanner"

	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/playback"
)

// world is an operator's: rows, a keyset and the folder that it is kept in.
type world struct {
	Deps
	dir, kek, text string
	mu             sync.Mutex
	at             time.Time
	first          uint32                      // the key that the keyset began with
	keys           map[playback.Binding][]byte // the content keys that were made
}

func newWorld(t *testing.T, writer *event.Writer) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), keys: map[playback.Binding][]byte{}}
	var err error
	if w.text, w.kek, err = playback.CreateLocalKeyset(w.dir); err != nil {
		t.Fatal(err)
	}
	w.Writer, w.Now = writer, func() time.Time {
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.at
	}
	w.reopen(t)
	return w
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

// keep is what a command does after its step; reopen, before.
func (w *world) keep(t *testing.T) {
	t.Helper()
	text, err := w.Keyset.Encrypt(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.text = text
}

func (w *world) reopen(t *testing.T) {
	t.Helper()
	var err error
	if w.Keyset, err = playback.ReadKeyset(t.Context(), w.text, w.kek); err != nil {
		t.Fatal(err)
	}
}

// instance is a function that starts now.
func (w *world) instance(t *testing.T) *playback.Wrapper {
	t.Helper()
	i, err := playback.OpenKeyset(t.Context(), w.text, w.kek)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (w *world) deploy(t *testing.T) {
	t.Helper()
	keys, err := w.Keyset.Keys()
	if err != nil {
		t.Fatal(err)
	}
	if err := Deployed(t.Context(), w.Writer.Spanner, keys, w.Now()); err != nil {
		t.Fatal(err)
	}
}

func (w *world) primary(t *testing.T) uint32 {
	t.Helper()
	id, err := w.Keyset.Primary()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// attempt adds a track with one attempt, whose key the instance wraps.
func (w *world) attempt(t *testing.T, by *playback.Wrapper, track string) playback.Binding {
	t.Helper()
	b := playback.Binding{TrackID: track, Format: playback.Ogg, Bitrate: playback.Low, AttemptID: "attempt-" + track}
	key, wrapped, err := by.NewContentKey(nil, playback.AES128CTR, b)
	if err != nil {
		t.Fatal(err)
	}
	w.keys[b] = key
	w.apply(t, spanner.InsertOrUpdateMap("Tracks", map[string]any{
		"TrackId": track, "LabelId": "l", "AlbumId": "a", "UploadId": "u", "State": "processing", "Title": "t", "DiscNumber": 1, "TrackNumber": 1,
		"DurationMs": 1, "Explicit": false, "Isrc": "", "Markets": []string{}, "SourceSha256": make([]byte, 32), "SourceSamples": 1,
		"SourceSampleRate": 1, "CreatedAt": spanner.CommitTimestamp, "UpdatedAt": spanner.CommitTimestamp,
	}), spanner.InsertMap("RenditionAttempts", map[string]any{
		"TrackId": track, "Format": string(b.Format), "Bitrate": int64(b.Bitrate), "AttemptId": b.AttemptID, "State": "complete",
		"LeaseUntil": time.Now(), "Folder": "audio/" + track + "/", "Cipher": "aes-128-ctr", "WrappedKey": wrapped, "CreatedAt": spanner.CommitTimestamp,
	}))
	return b
}

// publish copies an attempt's key to a rendition, as ingest-publish does.
func (w *world) publish(t *testing.T, b playback.Binding) {
	t.Helper()
	_, err := w.Writer.Spanner.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) error {
		rows, err := read(ctx, tx, tables[0], spanner.Key{b.TrackID}.AsPrefix(), 0)
		if err != nil {
			return err
		}
		return tx.BufferWrite([]*spanner.Mutation{spanner.InsertMap("Renditions", map[string]any{
			"TrackId": b.TrackID, "Format": string(b.Format), "Bitrate": int64(b.Bitrate), "AttemptId": b.AttemptID, "Folder": "audio/" + b.TrackID + "/",
			"Cipher": "aes-128-ctr", "WrappedKey": rows[0].wrapped, "Size": 1, "Sha256": make([]byte, 32), "HeadSize": 1, "EncoderDelay": 0,
			"TotalSamples": 1, "SampleRate": 1, "DurationMs": 1, "Markets": []string{}, "PublishedAt": spanner.CommitTimestamp,
		})})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (w *world) apply(t *testing.T, rows ...*spanner.Mutation) {
	t.Helper()
	if _, err := w.Writer.Spanner.Apply(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

// rows are all wrapped keys that there are.
func (w *world) rows(t *testing.T) (all []row) {
	t.Helper()
	for _, table := range tables {
		err := scan(t.Context(), w.Writer.Spanner, table, func(rows []row) error {
			all = append(all, rows...)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// opens asks that an instance opens every row, to the key that was wrapped.
func (w *world) opens(t *testing.T, step, who string, i *playback.Wrapper) {
	t.Helper()
	for _, r := range w.rows(t) {
		if key, err := i.Unwrap(r.wrapped, r.binding); err != nil || string(key) != string(w.keys[r.binding]) {
			t.Errorf("%s: an instance with the %s keyset does not open %s: %v", step, who, r, err)
		}
	}
}

func (w *world) rewrap(t *testing.T) Progress {
	t.Helper()
	p, err := Rewrap(t.Context(), w.Deps, false, func(Progress) {})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
