package harness

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"sync"
)

// logs are one stream of whole lines, each with the name of its part.
type logs struct {
	out io.Writer
	mu  sync.Mutex
}

func (l *logs) part(name string) io.Writer {
	return &lineWriter{logs: l, prefix: fmt.Sprintf("%-13s ", name)}
}

func (l *logs) bare() io.Writer { return &lineWriter{logs: l} }

// noise is what some programs print however quiet they are told to be.
var noise = regexp.MustCompile(`^(Serving function: ""|.*io\.gapi\.emulators\.netty|INFO: (Detected HTTP|IAM integration)|SLF4J:|Implementation may be incomplete)`)

type lineWriter struct {
	logs   *logs
	prefix string

	mu      sync.Mutex
	pending []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, p...)
	for {
		i := bytes.IndexByte(w.pending, '\n')
		if i < 0 {
			return len(p), nil
		}
		line := w.pending[:i+1]
		w.pending = w.pending[i+1:]
		if len(bytes.TrimSpace(line)) == 0 || noise.Match(line) {
			continue
		}
		w.logs.mu.Lock()
		_, err := io.WriteString(w.logs.out, w.prefix+string(line))
		w.logs.mu.Unlock()
		if err != nil {
			return len(p), err
		}
	}
}
