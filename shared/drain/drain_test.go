package drain

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/emutest/leak"
)

const (
	patience = 20 * time.Second
	// serverVariable makes the test binary an instance of the platform.
	serverVariable = "SEGUE_TEST_DRAIN"
)

func TestMain(m *testing.M) {
	if os.Getenv(serverVariable) != "" {
		fmt.Fprintln(os.Stderr, serve())
		os.Exit(3)
	}
	os.Exit(leak.Main(m.Run))
}

// large takes a server a while to send, after its handler left.
var large = strings.Repeat("complete", 1<<20)

// serve prints its address, then answers each request: /slow when the process
// was told to end.
func serve() error {
	var lc net.ListenConfig
	l, err := lc.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !handle(r) {
			http.Error(w, "too late", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, large)
	}))
}

func handle(r *http.Request) bool {
	leave, ok := Enter()
	defer leave()
	if !ok || r.URL.Path != "/slow" {
		return ok
	}
	fmt.Println("entered")
	<-work.ending()
	fmt.Println("draining")
	_, _ = io.Copy(io.Discard, r.Body) // ends when the test lets it
	return true
}

// instance is a running serve.
type instance struct {
	t    *testing.T
	cmd  *exec.Cmd
	out  *bufio.Scanner
	addr string
}

func start(t *testing.T, env ...string) *instance {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(append(os.Environ(), serverVariable+"=1"), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	i := &instance{t: t, cmd: cmd, out: bufio.NewScanner(out)}
	i.addr = i.line()
	return i
}

func (i *instance) line() string {
	i.t.Helper()
	if !i.out.Scan() {
		i.t.Fatalf("the process says nothing more: %v", i.out.Err())
	}
	return i.out.Text()
}

func (i *instance) expect(word string) {
	i.t.Helper()
	if got := i.line(); got != word {
		i.t.Fatalf("the process says %q, want %q", got, word)
	}
}

func (i *instance) terminate() {
	i.t.Helper()
	if err := i.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		i.t.Fatal(err)
	}
}

type result struct {
	body string
	err  error
}

func (i *instance) get(path string, body io.Reader) <-chan result {
	done := make(chan result, 1)
	go func() {
		req, err := http.NewRequestWithContext(i.t.Context(), http.MethodPost, "http://"+i.addr+path, body)
		if err != nil {
			done <- result{err: err}
			return
		}
		resp, err := new(http.Client).Do(req)
		if err != nil {
			done <- result{err: err}
			return
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		done <- result{string(b), err}
	}()
	return done
}

func TestRequestInFlightCompletes(t *testing.T) {
	t.Parallel()
	i := start(t, "K_SERVICE=segue")
	body, finish := io.Pipe()
	slow := i.get("/slow", body)
	i.expect("entered")
	i.terminate()
	i.expect("draining")
	// What comes too late is told so at once, while the other is in flight.
	if r := <-i.get("/", nil); r.err != nil || r.body != "too late\n" {
		t.Errorf("a request at the end: %q, %v", r.body, r.err)
	}
	select {
	case r := <-slow:
		t.Fatalf("it ended before its time: %v", r.err)
	default:
	}
	if err := finish.Close(); err != nil {
		t.Fatal(err)
	}
	if r := <-slow; r.err != nil || r.body != large {
		t.Errorf("the request in flight: %d bytes, %v", len(r.body), r.err)
	}
	if err := i.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
}

func TestIdleProcessEnds(t *testing.T) {
	t.Parallel()
	i := start(t, "K_SERVICE=segue")
	if r := <-i.get("/", nil); r.err != nil || r.body != large {
		t.Fatalf("request: %d bytes, %v", len(r.body), r.err)
	}
	i.terminate()
	if err := i.cmd.Wait(); err != nil {
		t.Errorf("the process ended with %v", err)
	}
}

// Off the platform, signals belong to whoever runs the process.
func TestSignalsAreLeftAloneElsewhere(t *testing.T) {
	t.Parallel()
	i := start(t, "K_SERVICE=")
	if r := <-i.get("/", nil); r.err != nil {
		t.Fatal(r.err)
	}
	i.terminate()
	err := i.cmd.Wait()
	if err == nil || !strings.Contains(err.Error(), "terminated") {
		t.Errorf("the process ended with %v", err)
	}
}

func TestGateWaitsForAllAndNoLonger(t *testing.T) {
	t.Parallel()
	var g gate
	leave, ok := g.enter()
	if !ok || g.close(time.Millisecond) {
		t.Error("it closed on a request in flight")
	}
	leave()
	leave() // twice is once
	if !g.close(patience) {
		t.Error("it did not close when the last had left")
	}
	if _, ok := g.enter(); ok {
		t.Error("it lets somebody in at the end")
	}
	var two gate
	one, _ := two.enter()
	other, _ := two.enter()
	closed := make(chan bool)
	go func() { closed <- two.close(patience) }()
	one()
	select {
	case <-closed:
		t.Error("it closed when the first of two left")
	default:
	}
	other()
	if !<-closed {
		t.Error("it did not close when all had left")
	}
	var idle gate
	if !idle.close(patience) {
		t.Error("it did not close with nobody inside")
	}
}
