package stream

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"cloud.google.com/go/storage"
	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/catalog"
	"github.com/segue-audio/segue/shared/config"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/limit"
	"github.com/segue-audio/segue/shared/playback"
)

func TestMain(m *testing.M) { emutest.Main(m) }

// world is a catalogue with its keys and its audio.
type world struct {
	deps    Deps
	client  *spanner.Client
	redis   *redis.Client
	limiter *limit.Limiter
	keys    playback.KeyConfig
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{client: emutest.Database(t)}
	keyset, kek, err := playback.CreateLocalKeyset(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	w.keys = playback.KeyConfig{Keyset: keyset, KEK: kek, Cipher: playback.AES128CTR}
	w.redis = emutest.Redis(t)
	limits, err := (limit.Config{Limits: "stream=1000:100000"}).Parse()
	if err != nil {
		t.Fatal(err)
	}
	w.limiter = limit.New(w.redis, limits)
	w.deps = Deps{
		Access: &playback.Access{Redis: w.redis, Now: time.Now}, Renditions: playback.NewCachedStore(&playback.Store{Spanner: w.client}, w.redis),
		Catalog: &catalog.Store{Spanner: w.client}, Now: time.Now,
	}
	if w.deps.Keys, err = w.keys.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.deps.Signer, err = playback.NewCloudCDN("https://cdn.test", "key-1", "MDEyMzQ1Njc4OWFiY2RlZg==")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// song is a playable track: its ids, and the content key of each rendition.
type song struct {
	track, album string
	keys         map[playback.Rendition][]byte
	live         map[playback.Rendition]playback.Live
}

// add makes a track playable, as the pipeline does.
func (w *world) add(t testing.TB, number int64, change func(*playback.Live)) song {
	t.Helper()
	s := song{keys: map[playback.Rendition][]byte{}, live: map[playback.Rendition]playback.Live{}}
	_, err := w.client.ReadWriteTransaction(t.Context(), func(ctx context.Context, tx *spanner.ReadWriteTransaction) (err error) {
		s.track, err = catalog.Draft{
			LabelID: "label", UploadID: id.Random(), Title: "T", Album: "A", Artists: []string{"B"}, TrackNumber: number, ReleaseDate: "2016",
			SourceSha256: make([]byte, 32),
		}.Add(ctx, tx, id.Random)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	row, err := w.client.Single().ReadRow(t.Context(), "Tracks", spanner.Key{s.track}, []string{"AlbumId"})
	if err != nil {
		t.Fatal(err)
	}
	if err := row.Column(0, &s.album); err != nil {
		t.Fatal(err)
	}
	rows := []*spanner.Mutation{spanner.InsertMap("AlbumTracks", map[string]any{
		"AlbumId": s.album, "DiscNumber": 1, "TrackNumber": number, "TrackId": s.track,
	})}
	for i, r := range playback.Renditions() {
		l := playback.Live{
			TrackID: s.track, Rendition: r, AttemptID: id.Random(), Folder: "audio/" + id.Random() + "/", Cipher: playback.AES128CTR,
			Size: int64(1000 + i), HeadSize: 100, EncoderDelay: 1024, TotalSamples: 44_100, SampleRate: 44_100, DurationMs: 1000, Markets: []string{},
		}
		if change != nil {
			change(&l)
		}
		if s.keys[r], l.WrappedKey, err = w.deps.Keys.NewContentKey(rand.Reader, l.Cipher, l.Binding()); err != nil {
			t.Fatal(err)
		}
		s.live[r] = l
		rows = append(rows, spanner.InsertMap("Renditions", map[string]any{
			"TrackId": s.track, "Format": string(r.Format), "Bitrate": int64(r.Bitrate), "AttemptId": l.AttemptID, "Folder": l.Folder,
			"Cipher": string(l.Cipher), "WrappedKey": l.WrappedKey, "Size": l.Size, "Sha256": []byte{1}, "HeadSize": l.HeadSize,
			"EncoderDelay": l.EncoderDelay, "TotalSamples": l.TotalSamples, "SampleRate": l.SampleRate, "DurationMs": l.DurationMs,
			"Markets": l.Markets, "GainDb": l.GainDb, "Peak": l.Peak, "SeekSize": l.SeekSize, "PublishedAt": spanner.CommitTimestamp,
		}))
	}
	if _, err := w.client.Apply(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	return s
}

// upload writes the objects of a rendition and returns what is in data.
func upload(t *testing.T, bucket *storage.BucketHandle, folder string) []byte {
	t.Helper()
	data := bytes.Repeat([]byte(folder), 10)
	for object, content := range map[string][]byte{playback.DataObject: data, playback.HashesObject: data[:32]} {
		o := bucket.Object(folder + object).NewWriter(t.Context())
		if _, err := o.Write(content); err != nil {
			t.Fatal(err)
		}
		if err := o.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return data
}

func signerConfig(t *testing.T) gcp.SignerConfig {
	t.Helper()
	c, err := config.Load[gcp.SignerConfig](t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var (
	free    = httpapi.Caller{Subject: "f", Product: "free", Market: "SE"}
	premium = httpapi.Caller{Subject: "p", Product: "premium", Market: "SE"}
)

// play is a request as the adapter makes it.
func (w *world) play(ctx context.Context, caller httpapi.Caller, r Request) (Response, error) {
	if err := r.Validate(); err != nil {
		return Response{}, err
	}
	check := w.limiter.Check(limit.Stream, limit.Caller{Client: caller.ClientID, User: caller.Subject, SignIn: caller.Session, Epoch: caller.Epoch})
	return Stream(limit.With(httpapi.WithCaller(ctx, caller), check), r, w.deps)
}

// writer writes what a label or an operator changes.
func (w *world) writer(t *testing.T) *event.Writer {
	t.Helper()
	return &event.Writer{Spanner: w.client, Publisher: event.NewPublisher(emutest.Topics(t)), Now: time.Now}
}
