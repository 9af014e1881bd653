package rotation

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segue-audio/segue/shared/playback"
)

// A backend of Cloud CDN takes up to three signing keys; Segue uses two slots, so
// that there is always room for one in an emergency.
const slotCount = 2

// Slots are Cloud CDN's signing keys in a folder: a file cdn-NAME for each, which
// is what gcloud's --key-file takes, and cdn.json, which says which one signs.
type Slots struct {
	Dir  string
	Keys map[string][]byte
	State
}

// State is which key signs.
type State struct {
	Signs string `json:"signs"`
	// Deployed is since when all instances sign with it and nothing else; nil:
	// not yet. URLs that others signed are good for playback.StreamTTL more.
	Deployed *time.Time `json:"deployed"`
	// Last is the number of the key that was drawn last.
	Last int `json:"last"`
}

const (
	slotPrefix = "cdn-"
	stateFile  = "cdn.json"
	baseName   = "segue-"
)

// OpenSlots reads a folder. An empty one has no keys, which is for the caller to
// refuse.
func OpenSlots(dir string) (*Slots, error) {
	s := &Slots{Dir: dir, Keys: map[string][]byte{}}
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("CDN keys: %w", err)
	}
	for _, f := range files {
		name, ok := strings.CutPrefix(f.Name(), slotPrefix)
		if !ok {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, fmt.Errorf("CDN keys: %w", err)
		}
		if s.Keys[name], err = playback.ParseCDNKey(name, string(text)); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, f.Name()), err)
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		// Before there was a choice, the first one signed.
		s.Signs = baseName + "1"
	case err != nil:
		return nil, fmt.Errorf("CDN keys: %w", err)
	default:
		if err := json.Unmarshal(text, &s.State); err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, stateFile), err)
		}
	}
	if len(s.Keys) > 0 && s.Keys[s.Signs] == nil {
		return nil, fmt.Errorf("CDN key %q is to sign, but there is no file %s", s.Signs, s.File(s.Signs))
	}
	return s, nil
}

// File is where a key is.
func (s *Slots) File(name string) string { return filepath.Join(s.Dir, slotPrefix+name) }

// Names are the keys', in order.
func (s *Slots) Names() []string {
	var all []string
	for name := range s.Keys {
		all = append(all, name)
	}
	slices.Sort(all)
	return all
}

var numbered = regexp.MustCompile(`^` + baseName + `([0-9]{1,9})$`)

// New draws a key into the free slot. A name is never used again, so that no URL
// is ever judged by another key than the one that signed it: die between the two
// writes, and a number is left out.
func (s *Slots) New() (name string, err error) {
	if len(s.Keys) >= slotCount {
		return "", fmt.Errorf("both slots are taken, by %s: retire the one that does not sign (%s does)", strings.Join(s.Names(), " and "), s.Signs)
	}
	last := s.Last
	for n := range s.Keys {
		if m := numbered.FindStringSubmatch(n); m != nil {
			i, err := strconv.Atoi(m[1])
			if err != nil {
				return "", err
			}
			last = max(last, i)
		}
	}
	next := s.State
	next.Last = last + 1
	if err := s.save(next); err != nil {
		return "", err
	}
	name = baseName + strconv.Itoa(next.Last)
	key := make([]byte, 16)
	if _, err := rand.Read(key); err != nil {
		return "", fmt.Errorf("draw a CDN key: %w", err)
	}
	err = playback.CreateFile(s.File(name), []byte(base64.URLEncoding.EncodeToString(key)+"\n"))
	if errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("CDN key %q was drawn meanwhile: look at it and begin this step again", name)
	}
	if err != nil {
		return "", err
	}
	s.Keys[name] = key
	return name, nil
}

// Use makes a key the one that the next deployment signs with.
func (s *Slots) Use(name string) error {
	if s.Keys[name] == nil {
		return fmt.Errorf("there is no CDN key %q: there are %s", name, strings.Join(s.Names(), " and "))
	}
	if s.Signs == name {
		return nil
	}
	return s.save(State{Signs: name, Last: s.Last})
}

// Serving notes that all instances sign with a key.
func (s *Slots) Serving(name string, now time.Time) error {
	if s.Signs != name {
		return fmt.Errorf("instances sign with CDN key %q, but %q is to sign: deploy", name, s.Signs)
	}
	if s.Deployed != nil {
		return nil
	}
	return s.save(State{Signs: name, Deployed: &now, Last: s.Last})
}

// MayRetire says why a key has to stay, if it has. With force, URLs that it
// signed may break, for their clients to ask again; not those that are signed
// from now on.
func (s *Slots) MayRetire(name string, now time.Time, force bool) error {
	switch {
	case s.Keys[name] == nil:
		return fmt.Errorf("there is no CDN key %q: there are %s", name, strings.Join(s.Names(), " and "))
	case s.Signs == name:
		return fmt.Errorf("CDN key %q signs: use another first", name)
	case s.Deployed == nil:
		return fmt.Errorf("not all instances are known to sign with %q: deploy first", s.Signs)
	case force:
		return nil
	}
	if ago := now.Sub(*s.Deployed); ago < playback.StreamTTL {
		return fmt.Errorf("URLs that %q signed are still good: wait %s", name, (playback.StreamTTL - ago).Round(time.Second))
	}
	return nil
}

// Remove forgets a key that the CDN does not know any more.
func (s *Slots) Remove(name string) error {
	if s.Signs == name {
		return fmt.Errorf("CDN key %q signs: use another first", name)
	}
	if err := os.Remove(s.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	delete(s.Keys, name)
	return nil
}

func (s *Slots) save(state State) error {
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	if err := playback.ReplaceFile(filepath.Join(s.Dir, stateFile), append(text, '\n')); err != nil {
		return err
	}
	s.State = state
	return nil
}
