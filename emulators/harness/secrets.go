package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/playback/rotation"
)

// secrets are what production keeps in Secret Manager and Cloud KMS.
type secrets struct {
	keyset, kek string
	slots       *rotation.Slots // of the CDN
}

// makeSecrets reads the folder of keys; what it lacks is made.
func makeSecrets(dir string) (s secrets, err error) {
	if s.keyset, s.kek, err = playback.CreateLocalKeyset(dir); err != nil {
		return s, err
	}
	if s.slots, err = rotation.OpenSlots(dir); err != nil || len(s.slots.Keys) > 0 {
		return s, err
	}
	_, err = s.slots.New()
	return s, err
}

func (h *Harness) keysDir() string { return filepath.Join(h.options.Data, "keys") }

// deployed are the secrets that the functions have.
func (h *Harness) deployed() secrets {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.secrets
}

// deployment is what the functions run with: no secret.
type deployment struct {
	Primary uint32   `json:"primary"` // wraps content keys
	Keys    []uint32 `json:"keys"`    // those that are enabled
	CDNKey  string   `json:"cdn_key"` // signs
}

func (s secrets) deployment(ctx context.Context) (d deployment, err error) {
	d.CDNKey = s.slots.Signs
	keyset, err := playback.ReadKeyset(ctx, s.keyset, s.kek)
	if err != nil {
		return d, err
	}
	keys, err := keyset.Keys()
	for _, k := range keys {
		if k.Enabled {
			d.Keys = append(d.Keys, k.ID)
		}
		if k.Primary {
			d.Primary = k.ID
		}
	}
	return d, err
}

// deployWithin is how long the functions may take to come up.
const deployWithin = 2 * time.Minute

// deploy answers POST /_emulators/functions/deploy: the functions' process is
// replaced, as by a new revision, by one with the secrets that are in the folder
// of keys now. 200 with what they run with says that no process with others is
// left; 422, that the secrets are no good, and 503, that the new process did not
// come up: then all is as it was, but for functions that run alone
// (cloudrun.Host.Replace). GET says what they run with.
func (h *Harness) deploy(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		tell(w, r, h.deployed())
		return
	}
	h.deploying.Lock()
	defer h.deploying.Unlock()
	s, err := makeSecrets(h.keysDir())
	if err == nil {
		_, err = s.deployment(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), deployWithin)
	defer cancel()
	if err := h.host.Replace(ctx, h.envWith(s)); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	h.mu.Lock()
	h.secrets = s
	h.mu.Unlock()
	if err := h.writeEnv(); err != nil {
		fmt.Fprintf(h.log.part("harness"), "the file env is as before: %v\n", err)
	}
	tell(w, r, s)
}

func tell(w http.ResponseWriter, r *http.Request, s secrets) {
	d, err := s.deployment(r.Context())
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(d) // a failure is the caller hanging up
}
