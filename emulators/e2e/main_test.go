// Package e2e drives a whole Segue, started as make run starts it, over HTTP
// only. Its harness aborts some of Spanner's commits; one of its own, in
// thrice_test.go, delivers each event three times, two of them at once.
package e2e

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/client"
)

// segue is the harness that the tests share.
var segue *running

func TestMain(m *testing.M) {
	flag.Parse()
	// These tests wait more than they compute.
	if err := flag.Set("test.parallel", "6"); err != nil {
		panic(err)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	dir, err := os.MkdirTemp("", "segue-e2e-*")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	logDir = dir
	http.DefaultClient = &http.Client{Transport: listener{http.DefaultTransport}}
	if err := buildHarness(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	segue, err = start(filepath.Join(dir, "data"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if err := segue.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "the harness did not stop cleanly:", err)
		code = 1
	}
	if err := noLeaks(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code != 0 {
		fmt.Fprintf(os.Stderr, "--- the harness's log:\n%s\n", segue.log())
	}
	return code
}

// program is the harness, built once: by make test, or here.
var program string

func buildHarness(dir string) error {
	if program = os.Getenv("SEGUE_EMULATORS_BIN"); program != "" {
		return nil
	}
	program = filepath.Join(dir, "emulators")
	return build(program, "emulators")
}

func build(program, of string) error {
	args := append([]string{"build", "-o", program}, buildFlags...)
	//nolint:noctx // the build is bounded by the test run
	out, err := exec.Command("go", append(args, "github.com/segue-audio/segue/"+of)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("build %s: %w: %s", of, err, out)
	}
	return nil
}

// running is a harness of our own, in a process of its own.
type running struct {
	cmd     *exec.Cmd
	data    string
	logFile string
	url     string
	ended   chan struct{}
	err     error // of the process, once ended
}

// logDir has the logs of all harnesses, until the end.
var logDir string

// start returns when the harness says ready. It logs all there is to log: what
// must not be in a log is looked for at the end.
func start(data string, flags ...string) (*running, error) {
	out, err := os.CreateTemp(logDir, "harness-*.log")
	if err != nil {
		return nil, err
	}
	r := &running{data: data, logFile: out.Name(), ended: make(chan struct{})}
	//nolint:noctx // stop ends it
	r.cmd = exec.Command(program, append([]string{"--ephemeral-ports", "--demo", "none", "--data", data}, flags...)...)
	r.cmd.Stdout, r.cmd.Stderr = out, out
	for _, v := range os.Environ() {
		// The stores of make test are not for this harness: it starts its own.
		if !strings.Contains(v, "EMULATOR_HOST=") && !strings.HasPrefix(v, "SEGUE_") {
			r.cmd.Env = append(r.cmd.Env, v)
		}
	}
	r.cmd.Env = append(r.cmd.Env, "SEGUE_LOG_LEVEL=debug")
	if err := r.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		r.err = r.cmd.Wait()
		close(r.ended)
	}()
	if err := r.awaitReady(); err != nil {
		_ = r.cmd.Process.Kill()
		return nil, fmt.Errorf("%w\n%s", err, r.log())
	}
	return r, r.know()
}

func (r *running) awaitReady() error {
	deadline := time.After(2 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		for line := range strings.Lines(r.log()) {
			if url, ok := strings.CutPrefix(line, "ready "); ok && strings.HasSuffix(url, "\n") {
				r.url = strings.TrimSpace(url)
				return nil
			}
		}
		select {
		case <-r.ended:
			return fmt.Errorf("the harness ended before it was ready: %w", r.err)
		case <-deadline:
			return errors.New("the harness is not ready in two minutes")
		case <-tick.C:
		}
	}
}

func (r *running) log() string {
	b, err := os.ReadFile(r.logFile)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// stop is Ctrl-C.
func (r *running) stop() error {
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return r.await()
}

func (r *running) await() error {
	select {
	case <-r.ended:
		return r.err
	case <-time.After(40 * time.Second):
		_ = r.cmd.Process.Signal(syscall.SIGKILL)
		return errors.New("it was still there after 40 s")
	}
}

// env reads DIR/env as a shell would.
func (r *running) env(t *testing.T) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(r.data, "env"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	env := map[string]string{}
	for s := bufio.NewScanner(f); s.Scan(); {
		k, v, ok := strings.Cut(strings.TrimPrefix(s.Text(), "export "), "=")
		if !ok {
			t.Fatalf("line %q of env is no export", s.Text())
		}
		env[k] = strings.Trim(v, "'")
	}
	return env
}

// as is a client for a demo user: FREE, PREMIUM or LABEL.
func (r *running) as(t *testing.T, user string) *client.Client {
	t.Helper()
	token := r.env(t)["SEGUE_TOKEN_"+user]
	if token == "" {
		t.Fatalf("env has no token for %s", user)
	}
	return &client.Client{BaseURL: r.url, HTTP: http.DefaultClient, Token: func() (string, error) { return token, nil }}
}

// answer is a response without its body, which fetch has read and closed.
type answer struct {
	status int
	header http.Header
}

// fetch asks for a URL with headers, and reads all of the answer.
func fetch(t *testing.T, method, url string, header http.Header) (answer, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if header != nil {
		req.Header = header
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header}, body
}

// within bounds what a test waits for.
func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
