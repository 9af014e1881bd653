package leak

import (
	"bytes"
	"errors"
	"io"
	"sync"
)

// Writer passes on what is written to it, and looks at each line.
type Writer struct {
	secrets *Secrets
	out     io.Writer

	mu    sync.Mutex
	line  []byte
	found []error
}

// NewWriter looks for what is among secrets, or has the form of a secret.
func NewWriter(secrets *Secrets, out io.Writer) *Writer { return &Writer{secrets: secrets, out: out} }

func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.line = append(w.line, p...)
	for {
		i := bytes.IndexByte(w.line, '\n')
		if i < 0 {
			if len(w.line) < longest {
				break
			}
			i = len(w.line) - 1
		}
		w.check(w.line[:i+1])
		w.line = w.line[i+1:]
	}
	return w.out.Write(p)
}

func (w *Writer) check(line []byte) {
	if err := w.secrets.Check(string(line)); err != nil && len(w.found) < enough {
		w.found = append(w.found, err)
	}
}

// Err is what leaked so far.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.check(w.line)
	w.line = nil
	return errors.Join(w.found...)
}
