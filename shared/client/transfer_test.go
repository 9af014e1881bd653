package client_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client"
	"github.com/segue-audio/segue/shared/client/clienttest"
	"github.com/segue-audio/segue/shared/ingest"
)

const kib = 1 << 10

// impatient is a client of the server that waits for nothing.
func impatient(s *clienttest.Server) *client.Client {
	return &client.Client{
		BaseURL: s.URL, HTTP: s.Client(), Token: func() (string, error) { return "t", nil },
		Sleep: func(ctx context.Context, _ time.Duration) error { return context.Cause(ctx) },
	}
}

// noise is a file that nothing can be mixed up in.
func noise(t *testing.T, size int) (path string, content []byte) {
	t.Helper()
	content = make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{byte(size)}).Read(content)
	path = filepath.Join(t.TempDir(), "a.flac")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, content
}

func transfer(t *testing.T, s *clienttest.Server, path string) *client.Transfer {
	t.Helper()
	return &client.Transfer{
		Client: impatient(s), File: path, Chunk: 512 * kib, Sessions: &client.Sessions{Dir: filepath.Join(t.TempDir(), "sessions")},
		Announcement: client.Announcement{Filename: "a.flac", ContentType: "audio/flac"},
	}
}

func remembered(t *testing.T, x *client.Transfer) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(x.Sessions.Dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

func arrived(t *testing.T, s *clienttest.Server, n int, content []byte) {
	t.Helper()
	all := s.Uploads()
	if len(all) != n {
		t.Fatalf("%d uploads were announced, not %d", len(all), n)
	}
	if u := all[n-1]; !u.Complete || !bytes.Equal(u.Held, content) {
		t.Errorf("of %d bytes storage has %d, complete %v, equal %v", len(content), len(u.Held), u.Complete, bytes.Equal(u.Held, content))
	}
}

// The connection breaks at ten random offsets, at a chunk's first byte and after
// the file's last; what arrives is the file.
func TestBrokenConnections(t *testing.T) {
	t.Parallel()
	for range 5 {
		seed := rand.Uint64()
		s, r := clienttest.New(t), rand.New(rand.NewPCG(seed, 0))
		path, content := noise(t, 5<<20+r.IntN(99999))
		size := int64(len(content))
		for i := range int64(10) {
			s.Cuts = append(s.Cuts, i*size/10+r.Int64N(size/10))
		}
		s.Cuts = append([]int64{0}, append(s.Cuts, size-1)...)
		x := transfer(t, s, path)
		var last int64
		x.Progress = func(n int64) { last = n }
		target, err := x.Run(t.Context())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		arrived(t, s, 1, content)
		if len(s.Cuts) > 0 || last != size || target.ID != s.Uploads()[0].ID {
			t.Errorf("seed %d: %d cuts are left, progress ends at %d of %d", seed, len(s.Cuts), last, size)
		}
		if remembered(t, x) != 1 {
			t.Error("an upload that is not settled is not remembered")
		}
		if err := x.Forget(); err != nil || remembered(t, x) != 0 {
			t.Errorf("forget: %v", err)
		}
	}
}

// A process dies after some requests; the next one, which knows nothing but
// the folder, goes on, whatever the number was.
func TestRestartAnywhere(t *testing.T) {
	t.Parallel()
	died := errors.New("died")
	const chunks = 4
	path, content := noise(t, (chunks-1)*512*kib+1)
	for dies := 1; dies <= chunks+1; dies++ {
		s := clienttest.New(t)
		ctx, cancel := context.WithCancelCause(t.Context())
		var seen atomic.Int64
		s.Before = func(http.ResponseWriter, *http.Request) bool {
			if seen.Add(1) == int64(dies+1) {
				cancel(died)
				panic(http.ErrAbortHandler)
			}
			return false
		}
		first := transfer(t, s, path)
		_, err := first.Run(ctx)
		if whole := dies == chunks+1; whole != (err == nil) || (err != nil && !errors.Is(err, died)) {
			t.Fatalf("%d: %v", dies, err)
		}
		cancel(nil)
		s.Do(func() { s.Before = nil })
		before := s.Count("PUT /session/")
		second := transfer(t, s, path)
		second.Sessions = first.Sessions
		if _, err := second.Run(t.Context()); err != nil {
			t.Fatalf("%d: %v", dies, err)
		}
		arrived(t, s, 1, content)
		// A question, and the chunks that were not held.
		if got, want := s.Count("PUT /session/")-before, 1+chunks-(dies-1); dies <= chunks && got != want {
			t.Errorf("%d: %d requests to go on, want %d", dies, got, want)
		}
	}
}

// What is remembered of another file, another service or other words is not
// gone on with; nor is what the service or storage forgot.
func TestStartsAnew(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(t *testing.T, s *clienttest.Server, x *client.Transfer){
		"the file is longer": func(t *testing.T, _ *clienttest.Server, x *client.Transfer) {
			write(t, x.File, []byte("longer"))
		},
		"the file is newer": func(t *testing.T, _ *clienttest.Server, x *client.Transfer) {
			if err := os.Chtimes(x.File, time.Time{}, time.Unix(1, 0)); err != nil {
				t.Error(err)
			}
		},
		"other words": func(_ *testing.T, _ *clienttest.Server, x *client.Transfer) {
			x.Announcement.Metadata = ingest.Metadata{Title: "T"}
		},
		"another file":    func(t *testing.T, _ *clienttest.Server, x *client.Transfer) { x.File, _ = noise(t, 600*kib) },
		"another service": func(_ *testing.T, _ *clienttest.Server, x *client.Transfer) { x.Client.BaseURL += "/" },
		"the session ended": func(_ *testing.T, s *clienttest.Server, _ *client.Transfer) {
			upload := s.Uploads()[0].ID
			s.Do(func() { s.Upload(upload).Gone = true })
		},
		"a broken memory": func(t *testing.T, _ *clienttest.Server, x *client.Transfer) {
			files, _ := filepath.Glob(x.Sessions.Dir + "/*")
			write(t, files[0], []byte("{"))
		},
		"another user": func(_ *testing.T, s *clienttest.Server, _ *client.Transfer) {
			s.Do(func() {
				s.Before = func(w http.ResponseWriter, r *http.Request) bool {
					if r.Method == http.MethodGet {
						clienttest.Refuse(w, http.StatusNotFound, "there is no upload", "")
					}
					return r.Method == http.MethodGet
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clienttest.New(t)
			path, _ := noise(t, 700*kib)
			ctx, cancel := context.WithCancel(t.Context())
			x := transfer(t, s, path)
			x.Progress = func(int64) { cancel() }
			if _, err := x.Run(ctx); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			x.Progress = nil
			change(t, s, x)
			if _, err := x.Run(t.Context()); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(x.File)
			if err != nil {
				t.Fatal(err)
			}
			arrived(t, s, 2, content)
		})
	}
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Error(err)
	}
}

func TestFileThatChangesIsNotSent(t *testing.T) {
	t.Parallel()
	for _, sessions := range []bool{true, false} {
		s := clienttest.New(t)
		s.NoSessions = !sessions
		path, _ := noise(t, 1100*kib)
		x := transfer(t, s, path)
		x.Progress = func(int64) {
			x.Progress = nil
			if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
				t.Error(err)
			}
		}
		if _, err := x.Run(t.Context()); !errors.Is(err, client.ErrChanged) || remembered(t, x) != 0 {
			t.Errorf("sessions %v: %v, %d remembered", sessions, err, remembered(t, x))
		}
	}
}

// Where there are no sessions, the whole goes again, and a try that arrived
// without its answer counts.
func TestPlain(t *testing.T) {
	t.Parallel()
	s := clienttest.New(t)
	s.NoSessions = true
	var puts atomic.Int64
	s.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPut {
			return false
		}
		switch puts.Add(1) {
		case 1:
		case 2: // arrives, and is not answered
			r.URL.Path = strings.Replace(r.URL.Path, "/object/", "/v1/uploads/", 1)
			u := s.Upload(strings.TrimPrefix(r.URL.Path, "/v1/uploads/"))
			var b bytes.Buffer
			_, _ = b.ReadFrom(r.Body)
			s.Do(func() { u.Held, u.Complete = b.Bytes(), true })
		default:
			return false
		}
		panic(http.ErrAbortHandler)
	}
	path, content := noise(t, 300*kib)
	x := transfer(t, s, path)
	if _, err := x.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	arrived(t, s, 1, content)
	if n := s.Count("PUT /object/"); n != 3 || s.Count("POST") != 2 {
		t.Errorf("sent %d times", n)
	}
	// The same again, in another process, asks only.
	if _, err := x.Run(t.Context()); err != nil || s.Count("PUT") != 3 || s.Count("POST") != 2 {
		t.Errorf("again: %v", err)
	}
}

func TestSessionsGiveUp(t *testing.T) {
	t.Parallel()
	answer := func(status int, header, value string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPut {
				return false
			}
			if header != "" {
				w.Header().Set(header, value)
			}
			w.WriteHeader(status)
			return true
		}
	}
	for name, c := range map[string]struct {
		before func(http.ResponseWriter, *http.Request) bool
		want   string
		puts   int
	}{
		"always broken":     {func(_ http.ResponseWriter, r *http.Request) bool { abortPut(r); return false }, "given up after 8 tries", 8},
		"always busy":       {answer(503, "", ""), "storage answers 503", 8},
		"never holds":       {answer(308, "", ""), "storage holds no more than before", 15},
		"forbidden":         {answer(403, "", ""), "storage answers 403", 1},
		"the object exists": {answer(412, "", ""), "storage answers 412", 1},
		"holds too much":    {answer(308, "Range", "bytes=0-99999999"), `storage says that it holds "bytes=0-99999999"`, 1},
		"holds nonsense":    {answer(308, "Range", "bytes=5-9"), `storage says that it holds "bytes=5-9"`, 1},
		"holds the unsent":  {answer(308, "Range", "bytes=0-524288"), "storage says that it holds 524289 bytes, of 524288 sent", 1},
		"forgets":           {answer(410, "", ""), "storage no longer knows the upload's session, 3 times", 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := clienttest.New(t)
			s.Before = c.before
			path, _ := noise(t, 700*kib)
			_, err := transfer(t, s, path).Run(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "a.flac: ") || strings.Contains(err.Error(), "/session/") {
				t.Errorf("%v", err)
			}
			if n := s.Count("PUT"); n != c.puts {
				t.Errorf("%d requests, want %d", n, c.puts)
			}
		})
	}
}

func abortPut(r *http.Request) {
	if r.Method == http.MethodPut {
		panic(http.ErrAbortHandler)
	}
}
