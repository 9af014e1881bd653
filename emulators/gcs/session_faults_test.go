package gcs_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/storage"

	"github.com/segue-audio/segue/emulators/gcs"
)

func TestWhatArrivedBeforeACutIsHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, func(o *gcs.Options) { o.Dir = dir })
	content := noise(t, 4*quantum+1234)
	for round := range 5 {
		name := fmt.Sprintf("take/%d", round)
		session := begin(t, e, name, len(content))
		held := 0
		for cuts := 0; cuts < 6 && held < len(content)-1; cuts++ {
			n := 1 + rand.IntN(len(content)-held-1)
			hangUp(t, session, fmt.Sprintf("bytes %d-%d/%d", held, len(content)-1, len(content)), len(content)-held, content[held:held+n])
			held += n
			ask(t, session, len(content)).holds(t, held)
			if cuts == 2 {
				// A run ends, and the next one has what it held.
				stop(t, e)
				e = start(t, func(o *gcs.Options) { o.Dir = dir })
				u, err := url.Parse(session)
				if err != nil {
					t.Fatal(err)
				}
				u.Host = e.Host()
				session = u.String()
				ask(t, session, "*").holds(t, held)
			}
		}
		send(t, session, content, held, len(content), len(content)).want(t, 200, "")
		stored(t, e, name, content)
		ask(t, session, "*").want(t, 200, "")
	}
	if left, err := filepath.Glob(filepath.Join(dir, "sessions", "*.data")); err != nil || len(left) != 0 {
		t.Errorf("bytes of finished sessions are left: %v, %v", left, err)
	}
}

func TestParallelPutsOnOneSessionStoreOneObject(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	e, _ := notified(t, in, &storage.Notification{})
	const n = 6
	size := 2*quantum + 5
	for round := range 4 {
		name := fmt.Sprintf("take/%d", round)
		session := begin(t, e, name, size)
		answers := make([]answer, n)
		var begun, wg sync.WaitGroup
		begun.Add(n)
		for i := range n {
			wg.Go(func() {
				// Each sends other content: what is stored must be of one of them.
				half := bytes.Repeat([]byte{byte(i)}, size/2)
				begun.Done()
				begun.Wait()
				body := io.MultiReader(bytes.NewReader(half), bytes.NewReader(half), bytes.NewReader(half[:size-2*(size/2)]))
				answers[i] = do(t, "PUT", session, sized{body, int64(size)})
			})
		}
		wg.Wait()
		for _, a := range answers {
			a.want(t, 200, "")
			if got, want := a.Header.Get("X-Goog-Generation"), answers[0].Header.Get("X-Goog-Generation"); got != want {
				t.Fatalf("generations %s and %s", got, want)
			}
		}
		got := read(t, client(t, e).Bucket(bucket).Object(name))
		if !bytes.Equal(got, bytes.Repeat(got[:1], size)) {
			t.Fatal("the object is of several uploads")
		}
	}
	stop(t, e)
	if got := in.wait(t, 4); len(got) != 4 {
		t.Errorf("announced %d times", len(got))
	}
}

func TestAStalledPutGivesWay(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	gcs.SetPatience(e, 20*time.Millisecond)
	content := noise(t, quantum+100)
	session := begin(t, e, "a", len(content))
	u, err := url.Parse(session)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", u.RequestURI(), u.Host, len(content), content[:100])
	// A question is answered meanwhile.
	eventually(t, "the first bytes arrive", func() bool { return ask(t, session, "*").Header.Get("Range") == "bytes=0-99" })
	send(t, session, content, 100, len(content), len(content)).want(t, 200, "")
	stored(t, e, "a", content)
	if reply, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(reply), "HTTP/1.1 503 ") {
		t.Errorf("the stalled request is told %q, %v", reply, err)
	}
}

func TestACancelledSessionIsGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e := start(t, func(o *gcs.Options) { o.Dir = dir })
	content := noise(t, 2*quantum)
	session := begin(t, e, "a", len(content))
	send(t, session, content, 0, quantum, "*").holds(t, quantum)
	for _, method := range []string{"DELETE", "DELETE", "PUT"} {
		if a := do(t, method, session, nil); a.StatusCode != 499 {
			t.Fatalf("%s: %s %s", method, a.Status, a.body)
		}
	}
	if a := send(t, session, content, quantum, len(content), len(content)); a.StatusCode != 499 {
		t.Fatalf("%s", a.Status)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "sessions", "*.data")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	nothingStored(t, e)
	done := begin(t, e, "b", 5)
	do(t, "PUT", done, strings.NewReader("sound")).want(t, 200, "")
	do(t, "DELETE", done, nil).want(t, 400, "InvalidArgument")
	stored(t, e, "b", []byte("sound"))
}

func TestSessionsLastAWeek(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	dir := t.TempDir()
	e := start(t, func(o *gcs.Options) {
		o.Dir, o.Now = dir, func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	})
	content := noise(t, 2*quantum)
	session, finished := begin(t, e, "a", len(content)), begin(t, e, "b", 5)
	do(t, "PUT", finished, strings.NewReader("sound")).want(t, 200, "")
	send(t, session, content, 0, quantum, "*").holds(t, quantum)
	ahead.Store(int64(7*24*time.Hour - time.Minute))
	ask(t, session, "*").holds(t, quantum)
	ahead.Store(int64(7*24*time.Hour + time.Minute))
	send(t, session, content, quantum, len(content), len(content)).want(t, 410, "UploadExpired")
	files := func() int {
		all, err := os.ReadDir(filepath.Join(dir, "sessions"))
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	// The next beginning drops the bytes and, a week later, all of it.
	beginJSON(t, e, "&name=c", "").Body.Close()
	if n := files(); n != 3 {
		t.Errorf("%d files, want three documents", n)
	}
	ahead.Store(int64(14*24*time.Hour + time.Minute))
	beginJSON(t, e, "&name=c", "").Body.Close()
	if n := files(); n != 2 {
		t.Errorf("%d files, want two documents", n)
	}
	ask(t, session, "*").want(t, 404, "NoSuchUpload")
	if got := list(t, client(t, e).Bucket(bucket), nil); len(got) != 1 {
		t.Errorf("stored %q", got)
	}
}

func TestConditionsAreAskedAgainAtTheCommit(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	first, second := begin(t, e, "a", 5), begin(t, e, "a", 5)
	do(t, "PUT", first, strings.NewReader("sound")).want(t, 200, "")
	do(t, "PUT", second, strings.NewReader("noise")).want(t, 412, "PreconditionFailed")
	ask(t, second, 5).want(t, 412, "PreconditionFailed")
	stored(t, e, "a", []byte("sound"))
}

func TestSessionsHoldTheirDigests(t *testing.T) {
	t.Parallel()
	e := start(t, nil)
	sum := crc32.Checksum([]byte("sound"), crc32.MakeTable(crc32.Castagnoli))
	good := base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	bad := begin(t, e, "bad", 5)
	do(t, "PUT", bad, strings.NewReader("sound"), "X-Goog-Hash:crc32c=AAAAAA==").want(t, 400, "BadDigest")
	// The wrong bytes are held: the session can only be begun anew.
	ask(t, bad, 5).want(t, 410, "UploadFailed")
	do(t, "PUT", bad, strings.NewReader("sound")).want(t, 410, "UploadFailed")
	said := beginJSON(t, e, "", `{"name": "said", "crc32c": "AAAAAA=="}`).Header.Get("Location")
	if a := do(t, "PUT", said, strings.NewReader("sound")); a.StatusCode != 400 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	nothingStored(t, e)
	do(t, "PUT", begin(t, e, "good", 5), strings.NewReader("sound"), "X-Goog-Hash:crc32c="+good).want(t, 200, "")
	stored(t, e, "good", []byte("sound"))
}

// A run that is killed while it commits leaves the object stored or not; the
// next one finds out, and the client's repetition gets the same answer.
func TestAKilledCommitIsSettled(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ replaces, stored bool }{{false, false}, {false, true}, {true, false}, {true, true}} {
		dir, in := t.TempDir(), &inbox{}
		options := func(o *gcs.Options) { o.Dir, o.Publish = dir, in.publish }
		e := start(t, options)
		b := client(t, e).Bucket(bucket)
		if _, err := b.AddNotification(t.Context(), &storage.Notification{TopicProjectID: "p", TopicID: "t", PayloadFormat: storage.JSONPayload}); err != nil {
			t.Fatal(err)
		}
		var generation, replaced int64
		announced := 0
		store := func(content string) int64 {
			attrs, err := write(t.Context(), b.Object("a"), []byte(content), nil)
			if err != nil {
				t.Fatal(err)
			}
			announced++
			in.wait(t, announced)
			return attrs.Generation
		}
		u := sign(t, e, "POST", "a", func(o *storage.SignedURLOptions) { o.Headers = []string{"x-goog-resumable:start"} })
		session := do(t, "POST", u, nil, "X-Goog-Resumable:start").Header.Get("Location")
		if tt.replaces {
			replaced = store("old")
		}
		hangUp(t, session, "bytes 0-4/5", 5, []byte("soun"))
		if tt.stored {
			if generation = store("sound"); tt.replaces {
				announced++ // the deletion of the old one
			}
		}
		stop(t, e)
		// What the disk looks like when the process dies right there.
		documents, err := filepath.Glob(filepath.Join(dir, "sessions", "*.json"))
		if err != nil || len(documents) != 1 {
			t.Fatalf("%v, %v", documents, err)
		}
		data, err := os.ReadFile(documents[0])
		if err != nil {
			t.Fatal(err)
		}
		committing := bytes.Replace(data, []byte(`"state":"open"`), fmt.Appendf(nil, `"state":"committing","replaces":%d`, replaced), 1)
		stray := filepath.Join(dir, "sessions", "STRAY.data")
		for path, content := range map[string][]byte{
			documents[0]: committing, strings.TrimSuffix(documents[0], ".json") + ".data": []byte("sound"),
			stray: []byte("x"), strings.TrimSuffix(documents[0], ".json") + ".new": data[:9],
		} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		e = start(t, options)
		at, err := url.Parse(session)
		if err != nil {
			t.Fatal(err)
		}
		at.Host = e.Host()
		again := ask(t, at.String(), 5)
		again.want(t, 200, "")
		attrs, err := client(t, e).Bucket(bucket).Object("a").Attrs(t.Context())
		if err != nil || tt.stored && attrs.Generation != generation || attrs.Generation == replaced || again.Header.Get("X-Goog-Generation") != strconv.FormatInt(attrs.Generation, 10) {
			t.Fatalf("%+v: %+v, %v, want generation %d", tt, attrs, err, generation)
		}
		// Where it was stored, once more than needed, rather than never.
		if announced++; tt.replaces && !tt.stored {
			announced++
		}
		if got := in.wait(t, announced); len(got) != announced {
			t.Errorf("%+v: announced %d times, want %d", tt, len(got), announced)
		}
		stop(t, e)
		if left, err := os.ReadDir(filepath.Join(dir, "sessions")); err != nil || len(left) != 1 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}
}

func TestGoogleClientWritesInChunks(t *testing.T) {
	t.Parallel()
	in := &inbox{}
	e, b := notified(t, in, &storage.Notification{})
	for i, size := range []int{0, 1, quantum, 3 << 20, 3<<20 + 321} {
		content := noise(t, size)
		o := b.Object(fmt.Sprintf("take/%d", i))
		written, err := write(t.Context(), o.If(storage.Conditions{DoesNotExist: true}), content, func(w *storage.Writer) {
			w.ChunkSize, w.ContentType, w.Metadata = quantum, flac, map[string]string{"track": "42"}
		})
		if err != nil {
			t.Fatalf("%d bytes: %v", size, err)
		}
		attrs := stored(t, e, o.ObjectName(), content)
		if attrs.ContentType != flac || attrs.Metadata["track"] != "42" || attrs.Generation != written.Generation {
			t.Errorf("%d bytes: %+v", size, attrs)
		}
		_, err = write(t.Context(), o.If(storage.Conditions{DoesNotExist: true}), content, func(w *storage.Writer) { w.ChunkSize = quantum })
		if status(err) != 412 {
			t.Errorf("%d bytes again: %v", size, err)
		}
	}
	stop(t, e)
	if got := in.wait(t, 5); len(got) != 5 {
		t.Errorf("announced %d times", len(got))
	}
}
