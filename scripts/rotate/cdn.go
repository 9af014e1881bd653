package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/playback/rotation"
)

func (a *app) cdnCommand() *cobra.Command {
	status := command("status", "The signing keys, and which one signs", cobra.NoArgs, a.cdnStatus)
	fresh := command("new", "Draw a key for the free slot and make it known to the CDN", cobra.NoArgs, a.cdnNew)
	use := command("use NAME", "Sign with this key from the next deployment on", cobra.ExactArgs(1), a.cdnUse)
	retire := command("retire NAME", "Take a key that signs no more from the CDN", cobra.ExactArgs(1), a.cdnRetire)
	secret := command("secret", "Print all keys as SEGUE_CDN_KEY takes them", cobra.NoArgs, a.cdnSecret)
	for _, c := range []*cobra.Command{fresh, retire} {
		c.Flags().BoolVar(&a.gcloud, "print-gcloud", false, "do not call the harness's CDN, but print what does it in production")
		c.Flags().StringVar(&a.backend, "backend-bucket", "segue-audio", "the load balancer's backend `bucket`, for --print-gcloud")
	}
	g := group("cdn", "The keys that sign URLs for Cloud CDN", status, fresh, use, retire, secret)
	g.PersistentFlags().StringVar(&a.dir, "dir", "", "`folder` of the keys (default $SEGUE_KEYS)")
	return g
}

func (a *app) slots() (*rotation.Slots, error) {
	dir, err := a.or(a.dir, "SEGUE_KEYS", "--dir")
	if err != nil {
		return nil, err
	}
	return rotation.OpenSlots(dir)
}

// slotStatus is one key.
type slotStatus struct {
	Name  string `json:"name"`
	File  string `json:"file"`
	Signs bool   `json:"signs"`
	// Accepted says whether the CDN takes what it signed.
	Accepted bool `json:"accepted"`
}

func (a *app) cdnStatus(ctx context.Context, _ []string) error {
	s, err := a.slots()
	if err != nil {
		return err
	}
	for _, name := range s.Names() {
		one := slotStatus{Name: name, File: s.File(name), Signs: s.Signs == name}
		if one.Accepted, err = a.accepted(ctx, s, name); err != nil {
			return err
		}
		words := name
		if one.Signs {
			words += "  signs"
			if s.Deployed != nil {
				words += " since " + s.Deployed.UTC().Format("2006-01-02T15:04:05Z")
			} else {
				words += " from the next deployment on"
			}
		}
		if !one.Accepted {
			words += "  unknown to the CDN"
		}
		if err := a.result(one, words); err != nil {
			return err
		}
	}
	return nil
}

// cdnNew first keeps the key, then tells the CDN. Die in between, and it is found
// to be unknown to the CDN when this is run again.
func (a *app) cdnNew(ctx context.Context, _ []string) error {
	s, err := a.slots()
	if err != nil {
		return err
	}
	name, err := a.unsent(ctx, s)
	if err != nil {
		return err
	}
	if name == "" {
		if name, err = s.New(); err != nil {
			return err
		}
	}
	if a.gcloud {
		_, err := fmt.Fprintf(a.out, "gcloud compute backend-buckets add-signed-url-key %s --key-name=%s --key-file=%s\n", a.backend, name, s.File(name))
		return err
	}
	if _, err := a.call(ctx, http.MethodPut, cdnPath+"/"+name, base64.URLEncoding.EncodeToString(s.Keys[name])); err != nil {
		return err
	}
	if err := a.result(map[string]string{"name": name, "file": s.File(name)}, "CDN key "+name+" is in "+s.File(name)); err != nil {
		return err
	}
	a.next("rotate cdn use " + name + ", then rotate deploy")
	return nil
}

const cdnPath = "/_emulators/cdn/keys"

// unsent is a key of ours that the CDN does not know: of a step that died.
func (a *app) unsent(ctx context.Context, s *rotation.Slots) (string, error) {
	var known struct{ Keys []string }
	if a.gcloud {
		for _, name := range s.Names() {
			accepted, err := a.accepted(ctx, s, name)
			if err != nil || !accepted {
				return name, err
			}
		}
		return "", nil
	}
	body, err := a.call(ctx, http.MethodGet, cdnPath, "")
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(body, &known); err != nil {
		return "", fmt.Errorf("the CDN's keys: %w", err)
	}
	for _, name := range s.Names() {
		if !slices.Contains(known.Keys, name) {
			return name, nil
		}
	}
	return "", nil
}

// cdnUse sees first that the CDN accepts what the key signs: it takes some minutes
// to be known everywhere.
func (a *app) cdnUse(ctx context.Context, given []string) error {
	s, err := a.slots()
	if err != nil {
		return err
	}
	name := given[0]
	if s.Keys[name] != nil {
		accepted, err := a.accepted(ctx, s, name)
		if err != nil {
			return err
		}
		if !accepted {
			return fmt.Errorf("the CDN refuses what %q signs: add the key, and wait until it is known everywhere", name)
		}
	}
	if err := s.Use(name); err != nil {
		return err
	}
	if err := a.result(map[string]string{"signs": name}, "CDN key "+name+" signs from the next deployment on"); err != nil {
		return err
	}
	a.next("rotate deploy")
	return nil
}

// cdnRetire takes the key from the CDN, then from the folder. Die in between, and
// it is run again.
func (a *app) cdnRetire(ctx context.Context, given []string) error {
	s, err := a.slots()
	if err != nil {
		return err
	}
	now, err := a.now()
	if err != nil {
		return err
	}
	name := given[0]
	if err := s.MayRetire(name, now(), a.force); err != nil {
		return err
	}
	if a.gcloud {
		accepted, err := a.accepted(ctx, s, name)
		if err != nil {
			return err
		}
		if accepted {
			a.next("run this, then the same command again")
			_, err := fmt.Fprintf(a.out, "gcloud compute backend-buckets delete-signed-url-key %s --key-name=%s\n", a.backend, name)
			return err
		}
	} else if _, err := a.call(ctx, http.MethodDelete, cdnPath+"/"+name, ""); err != nil && !isStatus(err, http.StatusNotFound) {
		return err
	}
	if err := s.Remove(name); err != nil {
		return err
	}
	return a.result(map[string]string{"retired": name}, "CDN key "+name+" is gone")
}

func (a *app) cdnSecret(context.Context, []string) error {
	s, err := a.slots()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.out, playback.FormatCDNKeys(s.Keys))
	return err
}

// probeFolder is a folder in which there is nothing.
const probeFolder = "audio/rotate-asks-for-nothing/"

// accepted asks the CDN for what is not there, with a URL that the key signed: a
// good signature is told so.
func (a *app) accepted(ctx context.Context, s *rotation.Slots, name string) (bool, error) {
	base, err := a.or("", "SEGUE_CDN_URL", "the address of the CDN in it")
	if err != nil {
		return false, err
	}
	signer, err := playback.NewCloudCDN(base, name, playback.FormatCDNKeys(s.Keys))
	if err != nil {
		return false, err
	}
	urls, err := signer.Sign(ctx, probeFolder, a.clock().Add(playback.StreamTTL))
	if err != nil {
		return false, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, urls.Data, nil)
	if err != nil {
		return false, err
	}
	resp, err := a.http.Do(r)
	if err != nil {
		// Its text has the signed URL.
		return false, fmt.Errorf("the CDN at %s does not answer", base)
	}
	if err := resp.Body.Close(); err != nil {
		return false, err
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return true, nil
	case http.StatusForbidden:
		return false, nil
	default:
		return false, fmt.Errorf("the CDN answers %s to what is not there: %q", resp.Status, strings.TrimSuffix(probeFolder, "/"))
	}
}
