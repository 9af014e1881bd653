package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// operator runs scripts/rotate beside a harness, as its env file says.
type operator struct {
	t       *testing.T
	program string
	env     []string
	later   string // a time at which all has settled
}

func (o *operator) rotate(args ...string) []byte {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), o.program, append(args, "--json")...)
	cmd.Env = append(os.Environ(), o.env...)
	var out, messages bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &messages
	if err := cmd.Run(); err != nil {
		o.t.Fatalf("rotate %v: %v: %s", args, err, messages.String())
	}
	return out.Bytes()
}

// listeners press play all the time, and hear the same or count a failure.
type listeners struct {
	served, failed atomic.Int64
	wg             sync.WaitGroup
	cancel         context.CancelFunc
}

func listen(t *testing.T, c *client.Client, track string, want map[string][]byte) *listeners {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &listeners{cancel: cancel}
	t.Cleanup(l.stop)
	for query, plain := range want {
		l.wg.Go(func() {
			// Together a little less than one user may ask for.
			pace := time.NewTicker(100 * time.Millisecond)
			defer pace.Stop()
			for ctx.Err() == nil {
				<-pace.C
				if err := hear(c, track, query, plain); err != nil {
					l.failed.Add(1)
					t.Errorf("%s: %v", query, err)
				}
				l.served.Add(1)
			}
		})
	}
	return l
}

func (l *listeners) stop() {
	l.cancel()
	l.wg.Wait()
}

// more waits until every request that is under way now has ended.
func (l *listeners) more(t *testing.T) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for n := l.served.Load() + 8; l.served.Load() < n; wait(t) {
		if time.Now().After(deadline) {
			t.Fatal("the listeners are stuck")
		}
	}
}

// hear asks for a rendition, fetches it and decrypts it. It is not cut short: a
// request that was begun is answered.
func hear(c *client.Client, track, query string, want []byte) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var s stream
	if err := c.Call(ctx, http.MethodGet, "/v1/tracks/"+track+"/stream"+query, nil, &s); err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	sealed, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the CDN answers %s: %w", resp.Status, err)
	}
	key, err := base64.RawURLEncoding.DecodeString(s.Key.Value)
	if err != nil {
		return err
	}
	plain := make([]byte, len(sealed))
	if err := playback.Decrypt(key, 0, plain, sealed); err != nil {
		return err
	}
	if want != nil && !bytes.Equal(plain, want) {
		return fmt.Errorf("%d other bytes, want %d", len(plain), len(want))
	}
	return nil
}

// Both kinds of keys are rotated while listeners press play: none of them fails,
// and what they hear stays the same.
func TestKeysAreRotatedWithoutAPause(t *testing.T) {
	t.Parallel()
	o := &operator{t: t, program: filepath.Join(t.TempDir(), "rotate"), later: time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}
	if err := build(o.program, "scripts/rotate"); err != nil {
		t.Fatal(err)
	}
	h := startIn(t, filepath.Join(t.TempDir(), "data"))
	ctx := within(t, 3*time.Minute)
	label := h.as(t, "LABEL")
	add := func(title string) string {
		target, err := label.Upload(ctx, fixture(t, "2", "title="+title), client.Announcement{Filename: "a.flac", ContentType: "audio/flac", AllowDuplicate: true})
		if err != nil {
			t.Fatal(err)
		}
		s := follow(ctx, t, label, target.ID)
		if s.Status != ingest.Playable {
			t.Fatalf("upload = %+v\n%s", s, h.log())
		}
		return s.TrackID
	}
	track := add("Before")
	for k, v := range h.env(t) {
		o.env = append(o.env, k+"="+v)
	}
	want := map[string][]byte{}
	for _, query := range []string{"?format=ogg&quality=160", "?format=aac&quality=96"} {
		var s stream
		if err := h.as(t, "PREMIUM").Call(ctx, http.MethodGet, "/v1/tracks/"+track+"/stream"+query, nil, &s); err != nil {
			t.Fatal(err)
		}
		_, want[query] = s.open(t)
	}
	l := listen(t, h.as(t, "PREMIUM"), track, want)
	step := func(args ...string) []byte {
		out := o.rotate(args...)
		l.more(t)
		return out
	}

	step("deploy")
	var old, added struct {
		ID, Key              uint32
		Attempts, Renditions int
	}
	decodeJSON(t, step("keyset", "status"), &old)
	if old.Renditions != 6 || old.Attempts < 6 {
		t.Errorf("the first key is %+v", old)
	}
	decodeJSON(t, step("keyset", "add"), &added)
	step("deploy")
	step("keyset", "promote")
	step("deploy")
	during := add("During") // wrapped with the new key
	step("keyset", "rewrap")
	awaitForgotten(t, h.env(t)["SEGUE_REDIS_URL"], old.ID)
	step("keyset", "retire", fmt.Sprint(old.ID), "--now", o.later)
	step("deploy")
	step("keyset", "retire", fmt.Sprint(old.ID), "--destroy", "--now", o.later)
	step("deploy")
	decodeJSON(t, step("keyset", "status"), &added)
	if added.ID != added.Key || added.Renditions != 12 {
		t.Errorf("the new key is %+v", added)
	}

	step("cdn", "new")
	step("cdn", "use", "segue-2")
	step("deploy")
	step("cdn", "retire", "segue-1", "--now", o.later)
	l.stop()
	if n := l.served.Load(); n < 50 || l.failed.Load() > 0 {
		t.Errorf("%d of %d requests failed", l.failed.Load(), n)
	}
	t.Logf("%d requests", l.served.Load())
	if err := hear(h.as(t, "PREMIUM"), during, "?quality=96", nil); err != nil {
		t.Errorf("what was uploaded meanwhile: %v", err)
	}
	var s stream
	if err := h.as(t, "PREMIUM").Call(ctx, http.MethodGet, "/v1/tracks/"+track+"/stream", nil, &s); err != nil || !strings.Contains(s.URL, "KeyName=segue-2&") {
		t.Errorf("signed: %s, %v", s.URL, err)
	}
	// The keys are what a later start finds.
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	again := startIn(t, h.data)
	for query, plain := range want {
		if err := hear(again.as(t, "PREMIUM"), track, query, plain); err != nil {
			t.Errorf("after a restart, %s: %v", query, err)
		}
	}
}

func decodeJSON(t *testing.T, lines []byte, v any) {
	t.Helper()
	for line := range bytes.Lines(lines) {
		if err := json.Unmarshal(line, v); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
	}
}

// awaitForgotten waits until the cache holds nothing that a key wrapped: what the
// half hour before retire is for.
func awaitForgotten(t *testing.T, url string, id uint32) {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c := redis.NewClient(options)
	defer func() { _ = c.Close() }()
	prefix := string(binary.BigEndian.AppendUint32([]byte{1}, id))
	for deadline := time.Now().Add(30 * time.Second); ; wait(t) {
		held := 0
		keys := c.Scan(t.Context(), 0, "*", 0).Iterator()
		for keys.Next(t.Context()) {
			if v, err := c.Get(t.Context(), keys.Val()).Result(); err == nil && strings.Contains(v, prefix) {
				held++
			}
		}
		if err := keys.Err(); err != nil {
			t.Fatal(err)
		}
		if held == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the cache still holds %d renditions under key %d", held, id)
		}
	}
}
