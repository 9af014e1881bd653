package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/spanner"
	toxiproxy "github.com/Shopify/toxiproxy/v2/client"
	"golang.org/x/sync/errgroup"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// The stores come back, and work goes on, within this.
const backWithin = 10 * time.Second

// A request is answered within this, whatever is away.
const answeredWithin = 2 * time.Second

// faulty is a harness whose functions reach the stores through proxies.
type faulty struct {
	*running
	toxi *toxiproxy.Client
	db   *spanner.Client
	warm []string // tracks that were streamed
}

// faults are what can be wrong with a store.
var faults = map[string]func(*toxiproxy.Proxy) error{
	"slow": func(p *toxiproxy.Proxy) error {
		_, err := p.AddToxic("", "latency", "downstream", 1, toxiproxy.Attributes{"latency": 100})
		return err
	},
	"cut": (*toxiproxy.Proxy).Disable,
	"black hole": func(p *toxiproxy.Proxy) error {
		_, err := p.AddToxic("", "timeout", "upstream", 1, toxiproxy.Attributes{"timeout": 0})
		return err
	},
}

// One harness for all: each store away in each way, during an ingest and while
// listeners stream.
func TestStoresAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r, err := start(filepath.Join(dir, "data"), "--faults")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.stop(); err != nil {
			t.Errorf("the harness did not stop cleanly: %v", err)
		}
		if t.Failed() {
			t.Logf("the harness's log:\n%s", r.log())
		}
	})
	f := &faulty{running: r, toxi: toxiproxy.NewClient(r.env(t)["SEGUE_FAULTS_URL"]), db: r.database(t)}
	for _, store := range []string{"pubsub", "spanner", "storage", "redis"} {
		for _, fault := range []string{"slow", "cut", "black hole"} {
			t.Run(store+"/"+fault, func(t *testing.T) { f.ingest(t, store, fault) })
		}
	}
	r.noOrphans(t)
}

// begin puts a fault on a store and returns what ends it.
func (f *faulty) begin(t *testing.T, store, fault string) (end func()) {
	t.Helper()
	p, err := f.toxi.Proxy(store)
	if err == nil {
		err = faults[fault](p)
	}
	if err != nil {
		t.Fatal(err)
	}
	end = func() {
		t.Helper()
		if err := f.toxi.ResetState(); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(end)
	return end
}

// ingest sends a clip, has a store go away when its first rendition is complete
// (a slow one is slow from the begin) and come back, and follows it to its end.
// Redis stays away until the track is played: it is played without it.
func (f *faulty) ingest(t *testing.T, store, fault string) {
	t.Helper()
	end := func() {}
	if fault == "slow" {
		end = f.begin(t, store, fault)
	}
	label, ctx := f.as(t, "LABEL"), within(t, time.Minute)
	clip := lavfi(t, "clip.flac", fmt.Sprintf("sine=%d:r=44100:d=1", 400+20*len(f.warm)))
	target, err := label.Upload(ctx, clip, client.Announcement{Filename: "clip.flac", ContentType: "audio/flac", Metadata: ingest.Metadata{Title: store + " " + fault}})
	if err != nil {
		t.Fatal(err)
	}
	var before []string
	f.until(t, time.Minute, "the first rendition is complete", func() bool {
		before = f.complete(t, target.ID)
		return len(before) > 0
	})
	if fault != "slow" {
		end = f.begin(t, store, fault)
		f.whileAway(t, store, target.ID)
		if store != "redis" {
			f.comesBack(t, target.ID, end)
		}
	}
	s, err := label.Follow(ctx, target.ID, 200*time.Millisecond, func(client.Status) {})
	if err != nil || s.Status != ingest.Playable || s.TrackID == "" {
		t.Fatalf("the upload ends as %+v: %v", s, err)
	}
	f.whole(t, s.TrackID, before)
	f.until(t, backWithin, "all events are published", func() bool { return count(t, f.db, "SELECT COUNT(*) FROM Outbox") == 0 })
	f.warm = append(f.warm, s.TrackID)
	end()
}

// comesBack ends the fault, and waits for the work to go on.
func (f *faulty) comesBack(t *testing.T, upload string, end func()) {
	t.Helper()
	at := f.standing(t, upload)
	end()
	f.until(t, backWithin, "work goes on after "+at, func() bool {
		now := f.standing(t, upload)
		return now != at || strings.HasPrefix(now, string(ingest.Playable))
	})
	f.until(t, backWithin, "the status of the upload is told", func() bool {
		a, _ := f.ask(t, "LABEL", "/v1/uploads/"+upload)
		return a.status == http.StatusOK
	})
}

// whileAway asks, for a while, for what needs the store and what does not. Who
// listens to what was played before notices nothing, whatever is away.
func (f *faulty) whileAway(t *testing.T, store, upload string) {
	t.Helper()
	status, cold, warm := "/v1/uploads/"+upload, play(id.Random()), play(f.warm[0])
	for stop := time.Now().Add(1500 * time.Millisecond); time.Now().Before(stop); wait(t) {
		want := map[string]int{status: http.StatusOK, cold: http.StatusNotFound, warm: http.StatusOK}
		if store == "spanner" {
			want[status], want[cold] = http.StatusServiceUnavailable, http.StatusServiceUnavailable
		}
		var all errgroup.Group
		for path, code := range want {
			all.Go(func() error { f.answers(t, path, code); return nil })
		}
		_ = all.Wait()
	}
}

func play(track string) string { return "/v1/tracks/" + track + "/stream?format=ogg&quality=160" }

// answers asks once, without a client that tries again.
func (f *faulty) answers(t *testing.T, path string, code int) {
	t.Helper()
	begun := time.Now()
	a, body := f.ask(t, "LABEL", path)
	if took := time.Since(begun); a.status != code || took > answeredWithin {
		t.Errorf("%s answers %d after %s, want %d: %s", path, a.status, took, code, body)
	}
	if code == http.StatusServiceUnavailable && a.header.Get("Retry-After") == "" {
		t.Errorf("%s does not say when to come back", path)
	}
}

func (f *faulty) ask(t *testing.T, user, path string) (answer, []byte) {
	t.Helper()
	return fetch(t, http.MethodGet, f.url+path, http.Header{"Authorization": {"Bearer " + f.env(t)["SEGUE_TOKEN_"+user]}})
}

// standing is how far an upload is, seen past the functions.
func (f *faulty) standing(t *testing.T, upload string) string {
	t.Helper()
	u, err := ingest.Read(t.Context(), f.db.Single(), upload)
	if err != nil {
		t.Fatal(err)
	}
	complete := f.complete(t, upload)
	var leased int64
	if u.TrackID != "" {
		stmt := spanner.NewStatement("SELECT COUNT(*) FROM RenditionAttempts WHERE TrackId = @track")
		stmt.Params["track"] = u.TrackID
		if err := f.db.Single().Query(t.Context(), stmt).Do(func(r *spanner.Row) error { return r.Columns(&leased) }); err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("%s, %d attempts, %d complete, %d events in the outbox", u.Status, leased, len(complete), count(t, f.db, "SELECT COUNT(*) FROM Outbox"))
}

// complete are the ids of an upload's complete attempts.
func (f *faulty) complete(t *testing.T, upload string) (ids []string) {
	t.Helper()
	u, err := ingest.Read(t.Context(), f.db.Single(), upload)
	if err != nil {
		t.Fatal(err)
	}
	if u.TrackID == "" {
		return nil
	}
	attempts, err := ingest.Attempts(t.Context(), f.db.Single(), u.TrackID)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range attempts {
		if a.State == ingest.Complete {
			ids = append(ids, a.ID)
		}
	}
	return ids
}

// whole looks for six renditions that can be streamed and decrypted, among them
// those that were complete before the fault.
func (f *faulty) whole(t *testing.T, track string, before []string) {
	t.Helper()
	var live []string
	for _, r := range playback.Renditions() {
		var s stream
		path := fmt.Sprintf("/v1/tracks/%s/stream?format=%s&quality=%d", track, r.Format, r.Bitrate)
		if err := f.as(t, "PREMIUM").Call(t.Context(), http.MethodGet, path, nil, &s); err != nil {
			t.Fatal(err)
		}
		s.open(t)
		live = append(live, s.Key.ID)
	}
	for _, id := range before {
		if !slices.Contains(live, id) {
			t.Errorf("attempt %s was complete before the fault and is not what is played (%v)", id, live)
		}
	}
}

func (f *faulty) until(t *testing.T, d time.Duration, what string, is func() bool) {
	t.Helper()
	for begun := time.Now(); !is(); wait(t) {
		if time.Since(begun) > d {
			t.Fatalf("%s: not within %s", what, d)
		}
	}
}
