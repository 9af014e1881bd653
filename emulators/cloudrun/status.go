package cloudrun

import (
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/segue-audio/segue/shared/crash"
)

// Status is what becomes of a function's process.
type Status struct {
	Name     string `json:"name"`
	Separate bool   `json:"separate"` // it is alone in its process
	PID      int    `json:"pid"`      // 0: none runs
	Starts   int    `json:"starts"`
	// LastExit is what the process before ended with, as a shell gives it.
	LastExit *int `json:"last_exit"`
	// Armed are the crash points at which a process ends next.
	Armed []string `json:"armed"`
}

// Functions is the state of every function's process, in the manifest's order.
func (h *Host) Functions() ([]Status, error) {
	var all []Status
	for _, f := range h.options.Manifest.Functions {
		s := Status{Name: f.Name, Armed: []string{}}
		if i := h.alone[f.Name]; i != nil {
			var err error
			if s, err = i.status(); err != nil {
				return nil, err
			}
		} else if p, _ := h.common(); p != nil {
			s.PID, s.Starts = p.PID(), 1
		}
		all = append(all, s)
	}
	return all, nil
}

func (i *instance) status() (Status, error) {
	armed, err := crash.Armed(i.dir)
	i.mu.Lock()
	defer i.mu.Unlock()
	s := Status{Name: i.f.Name, Separate: true, Starts: i.starts, LastExit: i.last, Armed: armed}
	if i.running() {
		s.PID = i.process.PID()
	}
	return s, err
}

// Handler answers GET /_emulators/functions with all of them, and arms a crash
// point of one that runs alone: POST /_emulators/functions/{name}/crash?at=POINT
// ends its process at the next pass of that point, once.
func (h *Host) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_emulators/functions", func(w http.ResponseWriter, _ *http.Request) {
		all, err := h.Functions()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(all) // a failure is the caller hanging up
	})
	mux.HandleFunc("POST /_emulators/functions/{name}/crash", func(w http.ResponseWriter, r *http.Request) {
		if status, err := h.arm(r.PathValue("name"), r.URL.Query().Get("at")); err != nil {
			http.Error(w, err.Error(), status)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	return mux
}

func (h *Host) arm(name, point string) (int, error) {
	if _, ok := h.options.Manifest.Function(name); !ok {
		return http.StatusNotFound, fmt.Errorf("the manifest has no function %q", name)
	}
	i := h.alone[name]
	if i == nil {
		return http.StatusConflict, fmt.Errorf("%s shares its process with others: start with --separate %s", name, name)
	}
	if err := crash.Arm(i.dir, point); err != nil {
		return http.StatusBadRequest, fmt.Errorf("at: %w", err)
	}
	return 0, nil
}
