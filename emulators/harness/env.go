package harness

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/playback"
)

const (
	issuer         = "https://accounts.segue.local"
	audience       = "https://api.segue.local"
	pushEmail      = "push@" + project + ".iam.gserviceaccount.com"
	schedulerEmail = "scheduler@" + project + ".iam.gserviceaccount.com"
)

// functionEnv is the environment of the functions, all of them in one.
func (h *Harness) functionEnv() map[string]string { return h.envWith(h.deployed()) }

func (h *Harness) envWith(s secrets) map[string]string {
	env := map[string]string{
		"SEGUE_PROJECT":          project,
		"SEGUE_SPANNER_DATABASE": database,
		"SEGUE_UPLOADS_BUCKET":   uploadsBucket,
		"SEGUE_AUDIO_BUCKET":     audioBucket,
		"SEGUE_IMAGES_BUCKET":    imagesBucket,
		"SEGUE_IMAGES_URL":       h.cdn.URL(),
		"SEGUE_TOKEN_ISSUER":     issuer,
		"SEGUE_TOKEN_AUDIENCE":   audience,
		"SEGUE_JWKS_URL":         h.issuer.URL() + "/.well-known/jwks.json",
		"SEGUE_TRUST_FORWARDED":  "true",
		"SEGUE_KEYSET":           s.keyset,
		"SEGUE_KEYSET_KEK":       s.kek,
		"SEGUE_CDN_URL":          h.cdn.URL(),
		"SEGUE_CDN_KEY_NAME":     s.slots.Signs,
		"SEGUE_CDN_KEY":          playback.FormatCDNKeys(s.slots.Keys),
	}
	maps.Copy(env, h.stores.Env())
	h.throughFaults(env)
	return env
}

// The users that can be at once: what their tokens say.
var users = map[string]identity.Claims{
	"FREE":    {Subject: "demo-free", ClientID: "segue-demo", Session: "demo-free", Scopes: []string{"streaming"}, Product: "free", Market: "SE"},
	"PREMIUM": {Subject: "demo-premium", ClientID: "segue-demo", Session: "demo-premium", Scopes: []string{"streaming"}, Product: "premium", Market: "SE"},
	"LABEL":   {Subject: "demo-label", ClientID: "segue-demo", Session: "demo-label", Scopes: []string{"streaming", "catalog-write"}, Product: "premium", Market: "SE"},
}

// Token signs an access token for a demo user: FREE, PREMIUM or LABEL.
func (h *Harness) Token(user string) (string, error) { return h.issuer.AccessToken(users[user]) }

func (h *Harness) envFile() string { return filepath.Join(h.options.Data, "env") }

// AddDemoTrack lists a track in the file env.
func (h *Harness) AddDemoTrack(id string) error {
	h.mu.Lock()
	h.tracks = append(h.tracks, id)
	h.mu.Unlock()
	return h.writeEnv()
}

func (h *Harness) demoTracks() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.tracks)
}

// writeEnv writes shell exports of all that a script or a person needs.
func (h *Harness) writeEnv() error {
	h.envMu.Lock()
	defer h.envMu.Unlock()
	env := map[string]string{
		"SEGUE_URL":  h.URL(),
		"SEGUE_KEYS": h.keysDir(),
	}
	if tracks := h.demoTracks(); len(tracks) > 0 {
		env["SEGUE_DEMO_TRACKS"] = strings.Join(tracks, " ")
	}
	all := h.functionEnv()
	maps.Copy(all, h.stores.Env()) // themselves, not their proxies
	if h.faults != nil {
		env["SEGUE_FAULTS_URL"] = h.faults.URL()
	}
	for k, v := range all {
		// Of use to the functions only.
		if k != "SEGUE_SIGNER_KEY" && k != "SEGUE_KEYSET" && k != "SEGUE_CDN_KEY" {
			env[k] = v
		}
	}
	for user := range users {
		token, err := h.Token(user)
		if err != nil {
			return err
		}
		env["SEGUE_TOKEN_"+user] = token
	}
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(env)) {
		fmt.Fprintf(&b, "export %s='%s'\n", k, env[k])
	}
	// A reader sees the old file or the new one, never half of one.
	temp := h.envFile() + ".new"
	if err := os.WriteFile(temp, []byte(b.String()), 0o600); err != nil {
		return err
	}
	return os.Rename(temp, h.envFile())
}

// envKeeper rewrites the file before its tokens expire, and removes it at the
// end, so that nobody calls what is not there.
type envKeeper struct {
	write  func() error
	remove func() error
	failed chan error
	done   chan struct{}
	wg     sync.WaitGroup
}

const envEvery = 30 * time.Minute // tokens last an hour

func (h *Harness) keepEnv() *envKeeper {
	k := &envKeeper{
		write: h.writeEnv, remove: func() error { return os.Remove(h.envFile()) },
		failed: make(chan error, 1), done: make(chan struct{}),
	}
	k.wg.Go(func() {
		tick := time.NewTicker(envEvery)
		defer tick.Stop()
		for {
			select {
			case <-k.done:
				return
			case <-tick.C:
				if err := k.write(); err != nil {
					k.failed <- err
					return
				}
			}
		}
	})
	return k
}

func (k *envKeeper) Name() string                 { return "env" }
func (k *envKeeper) Start(context.Context) error  { return nil }
func (k *envKeeper) Health(context.Context) error { return nil }
func (k *envKeeper) Failed() <-chan error         { return k.failed }

func (k *envKeeper) Stop(context.Context) error {
	close(k.done)
	k.wg.Wait()
	return k.remove()
}
