package part

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segue-audio/segue/emulators/emutest/leak"
)

const (
	patience = 20 * time.Second
	// modeVariable makes the test binary a program of a part.
	modeVariable = "SEGUE_TEST_PART"
)

func TestMain(m *testing.M) {
	if mode := os.Getenv(modeVariable); mode != "" {
		if err := program(mode); err != nil {
			fmt.Println(err)
			os.Exit(7)
		}
		os.Exit(0)
	}
	os.Exit(leak.Main(m.Run))
}

// program has a child, which echoes lines, and says its process id.
func program(mode string) error {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM)
	child := exec.CommandContext(context.Background(), "cat")
	stdin, in, err := os.Pipe()
	if err != nil {
		return err
	}
	// It holds both ends, so that it does not end with us by itself.
	child.Stdin, child.ExtraFiles = stdin, []*os.File{in}
	out, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	// As with a part's own output: the child keeps it open.
	child.Stderr = os.Stdout
	if err := child.Start(); err != nil {
		return err
	}
	fmt.Println("child", child.Process.Pid)
	switch mode {
	case "fails":
		return errors.New("no more of this")
	case "ends":
		return nil
	case "stubborn":
		for range asked {
			fmt.Println("asked")
		}
	}
	<-asked
	if _, err := io.WriteString(in, "still there\n"); err != nil {
		return err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	fmt.Print("child says ", line)
	return err
}

// output collects what a program prints.
type output struct {
	mu      sync.Mutex
	b       bytes.Buffer
	changed chan struct{}
}

func newOutput() *output { return &output{changed: make(chan struct{}, 1)} }

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.changed <- struct{}{}:
	default:
	}
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// until waits for a line with a prefix and gives its rest.
func (o *output) until(t *testing.T, prefix string) string {
	t.Helper()
	deadline := time.After(patience)
	for {
		for line := range strings.Lines(o.String()) {
			if rest, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(rest, "\n") {
				return strings.TrimSpace(rest)
			}
		}
		select {
		case <-o.changed:
		case <-deadline:
			t.Fatalf("no line begins with %q:\n%s", prefix, o)
		}
	}
}

// run starts the test binary as a program.
func run(t *testing.T, mode string) (p *Process, child int, out *output) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), self)
	cmd.Env = append(os.Environ(), modeVariable+"="+mode)
	out = newOutput()
	if p, err = StartProcess("program", out, cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	child, err = strconv.Atoi(out.until(t, "child "))
	if err != nil {
		t.Fatal(err)
	}
	return p, child, out
}

func wait[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(patience):
		t.Fatal("nothing came")
	}
	return v
}

// gone waits until a process is no more, or is only left to be reaped.
func gone(t *testing.T, pid int) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for alive(pid) {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func alive(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return false
	}
	// An orphan that died is a zombie until init reaps it.
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}
