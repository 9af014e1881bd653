package harness

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/segue-audio/segue/emulators/part"
)

// watch starts a part, remembers it for the stop and listens for its death.
func (h *Harness) watch(ctx context.Context, p part.Part) error {
	if err := p.Start(ctx); err != nil {
		return fmt.Errorf("%s does not start: %w", p.Name(), err)
	}
	h.adopt(p)
	return nil
}

func (h *Harness) adopt(p part.Part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.parts = append(h.parts, p)
	if failed := p.Failed(); failed != nil {
		go func() {
			if err, ok := <-failed; ok {
				h.failed <- fmt.Errorf("%s died: %w", p.Name(), err)
			}
		}()
	}
}

// stop ends the parts, the last one first.
func (h *Harness) stop() {
	h.mu.Lock()
	parts := h.parts
	h.parts = nil
	h.mu.Unlock()
	out := h.log.part("harness")
	fmt.Fprintln(out, "stopping")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for i := len(parts) - 1; i >= 0; i-- {
		if err := parts[i].Stop(ctx); err != nil {
			fmt.Fprintf(out, "%s does not stop: %v\n", parts[i].Name(), err)
		}
	}
	fmt.Fprintln(out, "stopped")
}

// Health asks every part.
func (h *Harness) Health(ctx context.Context) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.parts {
		if err := p.Health(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.Name(), err)
		}
	}
	return nil
}

func (h *Harness) health(w http.ResponseWriter, r *http.Request) {
	if err := h.Health(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}
