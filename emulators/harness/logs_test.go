package harness

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
)

func TestLogLines(t *testing.T) {
	t.Parallel()
	const prefix = "pubsub        "
	for _, test := range []struct {
		name   string
		writes []string
		want   string
	}{
		{"a line", []string{"up\n"}, prefix + "up\n"},
		{"a line in pieces", []string{"u", "", "p", "\n"}, prefix + "up\n"},
		{"several lines at once", []string{"one\ntwo\nthr", "ee\n"}, prefix + "one\n" + prefix + "two\n" + prefix + "three\n"},
		{"a line that has not ended", []string{"one\ntwo"}, prefix + "one\n"},
		{"blank lines", []string{"\n", " \t\n", "one\n\r\n"}, prefix + "one\n"},
		{"noise", []string{
			"Serving function: \"\"\n", "INFO: Detected HTTP/2 connection.\n", "SLF4J: no providers\n",
			"Jan 01, 2026 io.gapi.emulators.netty.NotFoundHandler handle\n",
		}, ""},
		{"what only resembles noise", []string{"Serving function: \"catalog-browse\"\n", "an INFO: Detected HTTP\n"}, prefix + "Serving function: \"catalog-browse\"\n" + prefix + "an INFO: Detected HTTP\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			w := (&logs{out: &out}).part("pubsub")
			for _, s := range test.writes {
				if n, err := io.WriteString(w, s); n != len(s) || err != nil {
					t.Errorf("write %q: %d, %v", s, n, err)
				}
			}
			if out.String() != test.want {
				t.Errorf("log:\n%swant:\n%s", out.String(), test.want)
			}
		})
	}
}

func TestReadyLineHasNoPrefix(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	fmt.Fprintf((&logs{out: &out}).bare(), "ready %s\n", "http://127.0.0.1:8080")
	if out.String() != "ready http://127.0.0.1:8080\n" {
		t.Errorf("log = %q", out.String())
	}
}

// serial fails the test when it is written to twice at once, or not by lines.
type serial struct {
	t    *testing.T
	busy sync.Mutex
	b    strings.Builder
}

func (s *serial) Write(p []byte) (int, error) {
	if !s.busy.TryLock() {
		s.t.Error("two writes at once")
		return len(p), nil
	}
	defer s.busy.Unlock()
	if strings.Count(string(p), "\n") != 1 || p[len(p)-1] != '\n' {
		s.t.Errorf("%q is not one line", p)
	}
	return s.b.Write(p)
}

func TestPartsDoNotMixTheirLines(t *testing.T) {
	t.Parallel()
	const parts, each = 8, 200
	out := &serial{t: t}
	l := &logs{out: out}
	var wg sync.WaitGroup
	for n := range parts {
		w := l.part(fmt.Sprintf("part-%d", n))
		for half := range 2 { // a program's two outputs share its log
			wg.Go(func() {
				for i := range each {
					fmt.Fprintf(w, "line %d of %d in part-%d\n", i, half, n)
				}
			})
		}
		alone := l.part(fmt.Sprintf("slow-%d", n))
		wg.Go(func() {
			for i := range each {
				for _, piece := range []string{"li", "ne ", fmt.Sprint(i), "\n"} {
					_, _ = io.WriteString(alone, piece)
				}
			}
		})
	}
	wg.Wait()
	next := map[string]int{} // lines of one writer keep their order
	for line := range strings.Lines(out.b.String()) {
		fields := strings.Fields(line)
		name, who := fields[0], fields[0]
		if strings.HasPrefix(name, "part-") {
			who += "/" + fields[4]
			if len(fields) != 7 || fields[6] != name {
				t.Errorf("mixed: %q", line)
			}
		}
		if want := fmt.Sprint(next[who]); fields[1] != "line" || fields[2] != want {
			t.Errorf("%s: %q, want line %s", who, line, want)
		}
		next[who]++
	}
	if len(next) != 3*parts {
		t.Errorf("lines of %d writers, want %d", len(next), 3*parts)
	}
	for who, n := range next {
		if n != each {
			t.Errorf("%s: %d lines, want %d", who, n, each)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("the pipe is gone") }

func TestLogThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if _, err := io.WriteString((&logs{out: broken{}}).part("cdn"), "up\n"); err == nil {
		t.Error("nobody is told")
	}
}
