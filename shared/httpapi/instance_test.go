package httpapi

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/GoogleCloudPlatform/functions-framework-go/funcframework"

	"github.com/segue-audio/segue/shared/registry"
)

// instanceVariable makes the test's program an instance of the platform, which
// the Functions Framework serves: its value is the time that a request has.
const instanceVariable = "SEGUE_TEST_INSTANCE"

const patience = 20 * time.Second

// large does not fit into what a kernel buffers for a connection.
var large = bytes.Repeat([]byte("complete"), 4<<20)

func serveInstance() error {
	limit, err := time.ParseDuration(os.Getenv(instanceVariable))
	if err != nil {
		return err
	}
	registry.Add(registry.Function{
		Name: "test-instance", Ready: func() error { return nil },
		HTTP: within(func() time.Duration { return limit }, "test-instance", http.HandlerFunc(serveTest)).ServeHTTP,
	})
	return funcframework.StartHostPort("127.0.0.1", os.Getenv("PORT"))
}

func serveTest(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/panic":
		panic("an internal matter")
	case "/large":
		_, _ = w.Write(large)
	case "/work": // beyond what its body had
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
			WriteError(w, r, context.Cause(r.Context()))
			return
		case <-time.After(700 * time.Millisecond):
		}
	case "/body":
		fmt.Println("entered")
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			WriteError(w, r, bodyError(err))
			break
		}
		_, _ = w.Write(large[:1<<20])
	}
	fmt.Println("left")
}

// instance is a running serveInstance.
type instance struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Scanner
	addr string
}

func startInstance(t *testing.T, limit string) *instance {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, os.Args[0])
	_, port, _ := net.SplitHostPort(addr)
	cmd.Env = append(os.Environ(), instanceVariable+"="+limit, "PORT="+port, "FUNCTION_TARGET=test-instance", "K_SERVICE=test-instance", "GORACE=atexit_sleep_ms=0")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i := &instance{t: t, cmd: cmd, out: bufio.NewScanner(out), addr: addr}
	for deadline := time.Now().Add(patience); ; <-time.After(10 * time.Millisecond) {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = c.Close()
			return i
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// expect reads what the instance says until it has said a word n times.
func (i *instance) expect(word string, n int) {
	i.t.Helper()
	for n > 0 && i.out.Scan() {
		if i.out.Text() == word {
			n--
		}
	}
	if n > 0 {
		i.t.Fatalf("the instance says %q %d times too rarely", word, n)
	}
}

type result struct {
	status int
	body   string
	err    error
}

// post sends a body on a connection of its own.
func (i *instance) post(path string, body io.Reader) result {
	req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, "http://"+i.addr+path, body)
	if err != nil {
		return result{err: err}
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}).Do(req)
	if err != nil {
		return result{err: err}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return result{resp.StatusCode, string(b), err}
}

// inFlight are requests that have begun; finish lets them end.
func (i *instance) inFlight(n int) (results <-chan result, finish func()) {
	i.t.Helper()
	all, open := make(chan result, n), make([]*io.PipeWriter, n)
	for k := range n {
		body, in := io.Pipe()
		open[k] = in
		go func() { all <- i.post("/body", body) }()
	}
	i.expect("entered", n)
	return all, sync.OnceFunc(func() {
		for _, in := range open {
			_ = in.Close()
		}
	})
}

func whole(t *testing.T, results <-chan result, n int) {
	t.Helper()
	for range n {
		if r := <-results; r.err != nil || r.status != http.StatusOK || r.body != string(large[:1<<20]) {
			t.Errorf("a request in flight: %d, %d bytes, %v", r.status, len(r.body), r.err)
		}
	}
}

// SIGTERM amid fifty requests: all are answered, later ones are turned away at
// once, and the process ends in time.
func TestFiftyRequestsAtTheEnd(t *testing.T) {
	t.Parallel()
	i := startInstance(t, "1m")
	results, finish := i.inFlight(50)
	defer finish()
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	told := time.Now()
	for { // the signal is on its way
		r := i.post("/nothing", nil)
		if r.status == http.StatusServiceUnavailable && strings.Contains(r.body, "this instance is ending") {
			break
		}
		if r.status != http.StatusOK || time.Since(told) > patience {
			t.Fatalf("a request after SIGTERM: %+v", r)
		}
	}
	finish()
	whole(t, results, 50)
	for i.out.Scan() { // to the end
	}
	if err := i.cmd.Wait(); err != nil || time.Since(told) > 10*time.Second {
		t.Errorf("the process ended after %s with %v", time.Since(told), err)
	}
}

// One request's panic is that request's: those beside it are answered, and it
// says no more than where to look.
func TestAPanicHarmsNoOther(t *testing.T) {
	t.Parallel()
	i := startInstance(t, "1m")
	results, finish := i.inFlight(20)
	defer finish()
	for range 3 {
		r := i.post("/panic", nil)
		if r.err != nil || r.status != http.StatusInternalServerError || !regexp.MustCompile(`^{"error":{"status":500,"message":"something went wrong on our side \(trace [0-9a-f]{32}\)"}}$`).MatchString(r.body) {
			t.Errorf("the panic's request: %+v", r)
		}
	}
	finish()
	whole(t, results, 20)
	if r := i.post("/work", nil); r.err != nil || r.status != http.StatusOK {
		t.Errorf("a request afterwards: %+v", r)
	}
}

// A client that is slow holds a worker no longer than its function's time.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	t.Run("a body that trickles", func(t *testing.T) {
		t.Parallel()
		i := startInstance(t, "1s")
		c := i.dial(t, "POST /body HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n")
		done := make(chan struct{})
		go func() { // a byte now and then
			defer close(done)
			for range time.Tick(50 * time.Millisecond) {
				if _, err := c.Write([]byte("x")); err != nil {
					return
				}
			}
		}()
		answer, err := io.ReadAll(c) // until the instance hangs up
		if err != nil && !errors.Is(err, syscall.ECONNRESET) || !bytes.HasPrefix(answer, []byte("HTTP/1.1 408 ")) || !bytes.Contains(answer, []byte("the body did not arrive in time")) {
			t.Errorf("answer %q, %v", answer, err)
		}
		i.expect("left", 1)
		<-done
	})
	t.Run("an answer that nobody reads", func(t *testing.T) {
		t.Parallel()
		i := startInstance(t, "1s")
		i.dial(t, "GET /large HTTP/1.1\r\nHost: test\r\n\r\n")
		i.expect("left", 1)
		if r := i.post("/body", strings.NewReader("a body")); r.status != http.StatusOK || r.err != nil {
			t.Errorf("another client: %d, %v", r.status, r.err)
		}
	})
	t.Run("work that is longer than a body may take", func(t *testing.T) {
		t.Parallel()
		i := startInstance(t, "1s")
		for _, body := range []io.Reader{nil, strings.NewReader("a body")} {
			if r := i.post("/work", body); r.status != http.StatusOK || r.err != nil {
				t.Errorf("%+v", r)
			}
		}
	})
}

// dial sends the begin of a request on a connection of its own.
func (i *instance) dial(t *testing.T, request string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", i.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	return c
}

// Each function of the manifest has its own time.
func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]time.Duration{"playback-stream": 10 * time.Second, "catalog-browse": 30 * time.Second, "no-function": time.Minute} {
		if got := timeout(name); got != want {
			t.Errorf("%s has %s, want %s", name, got, want)
		}
	}
}
