package playback

import (
	"errors"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/id"
)

// playableTrack writes the rows that make a track playable.
func playableTrack(t *testing.T, client *spanner.Client) string {
	t.Helper()
	track, err := track(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	var rows []*spanner.Mutation
	for _, r := range Renditions() {
		rows = append(rows, spanner.InsertMap("Renditions", map[string]any{
			"TrackId": track, "Format": string(r.Format), "Bitrate": int64(r.Bitrate), "AttemptId": id.Random(), "Folder": "audio/" + id.Random() + "/",
			"Cipher": string(AES128CTR), "WrappedKey": []byte{1}, "Size": 1, "Sha256": []byte{1}, "HeadSize": 1, "EncoderDelay": 0, "TotalSamples": 1,
			"SampleRate": 44_100, "DurationMs": 1, "Markets": []string{}, "PublishedAt": spanner.CommitTimestamp,
		}))
	}
	if _, err := client.Apply(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	return track
}

// A takedown holds in every path to a rendition, at once in a new instance and
// within seconds in one that has the rendition in memory; so does its end.
func TestTakeDown(t *testing.T) {
	t.Parallel()
	w, _ := emutest.Writer(t)
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	track := playableTrack(t, w.Spanner)
	which := Rendition{Ogg, Low}
	old := NewCachedStore(&Store{w.Spanner}, a.Redis)
	look := func(c *CachedStore, a *Access) (State, error) {
		pipe := a.Redis.Pipeline()
		answers := a.Ask(t.Context(), pipe, Question{Account: track, Track: track})
		wanted := c.Look(t.Context(), pipe, track, which)
		_, _ = pipe.Exec(t.Context())
		_, err := wanted.Result(t.Context())
		return answers.State(t.Context(), Free), err
	}
	if s, err := look(old, a); s.TakenDown || err != nil {
		t.Fatal(s, err)
	}
	for _, down := range []bool{true, true, false, true} {
		if err := TakeDown(t.Context(), w, track, down); err != nil {
			t.Fatal(err)
		}
		_, direct := (&Store{w.Spanner}).Rendition(t.Context(), track, which)
		if err := a.Refresh(t.Context(), w.Spanner, track); err != nil {
			t.Fatal(err)
		}
		s, _ := look(old, a)
		_, err := look(NewCachedStore(&Store{w.Spanner}, a.Redis), a)
		lost := &Access{Redis: noRedis(t), Now: time.Now}
		_, without := look(NewCachedStore(&Store{w.Spanner}, lost.Redis), lost)
		if s.TakenDown != down {
			t.Errorf("down is %t: %+v", down, s)
		}
		for name, err := range map[string]error{"read": direct, "cached": err, "without Redis": without} {
			if down != (err != nil) || (down && (errs.CodeOf(err) != errs.NotFound || errs.From(err).Reason != "taken_down")) {
				t.Errorf("%s, down is %t: %v", name, down, err)
			}
		}
	}
	if err := TakeDown(t.Context(), w, id.Random(), true); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("no track: %v", err)
	}
	if err := TakeDown(t.Context(), w, "\xff", true); errs.CodeOf(err) != errs.NotFound {
		t.Errorf("no id: %v", err)
	}
}

// One event tells of each change, and none of what was so already.
func TestTakeDownIsTold(t *testing.T) {
	t.Parallel()
	w, topics := emutest.Writer(t)
	track := playableTrack(t, w.Spanner)
	for _, down := range []bool{true, true, false} {
		if err := TakeDown(t.Context(), w, track, down); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(emutest.Received(t, topics, "catalog-changed")); n != 4 {
		t.Errorf("%d events of two changes of a track and its album", n)
	}
}

// A refresh that read before another, and wrote after it, changes nothing.
func TestLateRefresh(t *testing.T) {
	t.Parallel()
	w, _ := emutest.Writer(t)
	client := emutest.Redis(t)
	track := playableTrack(t, w.Spanner)
	if err := TakeDown(t.Context(), w, track, true); err != nil {
		t.Fatal(err)
	}
	a := &Access{Redis: client, Now: time.Now}
	late := emutest.Redis(t)
	paused := &pause{reached: make(chan struct{}), release: make(chan struct{})}
	late.AddHook(paused)
	done := make(chan error)
	go func() { done <- (&Access{Redis: late, Now: time.Now}).Refresh(t.Context(), w.Spanner, track) }()
	<-paused.reached
	if err := TakeDown(t.Context(), w, track, false); err != nil {
		t.Fatal(err)
	}
	if err := a.Refresh(t.Context(), w.Spanner, track); err != nil {
		t.Fatal(err)
	}
	close(paused.release)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := ask(t, a, Question{Account: track, Track: track}); s.TakenDown {
		t.Error("the takedown came back")
	}
}

// What cannot reach Redis fails, so that Pub/Sub brings it again.
func TestRefreshWithoutRedis(t *testing.T) {
	t.Parallel()
	w := &event.Writer{Spanner: emutest.Database(t)}
	track := playableTrack(t, w.Spanner)
	if err := (&Access{Redis: noRedis(t), Now: time.Now}).Refresh(t.Context(), w.Spanner, track); err == nil {
		t.Error("a change was lost")
	}
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	if err := a.Refresh(t.Context(), w.Spanner, id.Random()); err != nil {
		t.Errorf("a track that is gone: %v", err)
	}
	if err := a.Redis.Get(t.Context(), takedownKey(track)).Err(); !errors.Is(err, redis.Nil) {
		t.Error(err)
	}
}

// A change is told by Spanner's time, not by the clock of the instance that
// tells it: one that is behind leaves no old row in the cache.
func TestRefreshByAClockThatIsBehind(t *testing.T) {
	t.Parallel()
	w, _ := emutest.Writer(t)
	behind := &Access{Redis: emutest.Redis(t), Now: func() time.Time { return time.Now().Add(-time.Minute) }}
	track := playableTrack(t, w.Spanner)
	look := func() error {
		pipe := behind.Redis.Pipeline()
		wanted := NewCachedStore(&Store{w.Spanner}, behind.Redis).Look(t.Context(), pipe, track, Rendition{Ogg, Low})
		_, _ = pipe.Exec(t.Context())
		_, err := wanted.Result(t.Context())
		return err
	}
	if err := look(); err != nil {
		t.Fatal(err)
	}
	if err := TakeDown(t.Context(), w, track, true); err != nil {
		t.Fatal(err)
	}
	if err := behind.Refresh(t.Context(), w.Spanner, track); err != nil {
		t.Fatal(err)
	}
	if err := look(); errs.From(err).Reason != "taken_down" {
		t.Errorf("the old row is still there: %v", err)
	}
}
