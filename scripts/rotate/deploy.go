package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"github.com/segue-audio/segue/shared/playback"
	"github.com/segue-audio/segue/shared/playback/rotation"
)

func (a *app) deployCommand() *cobra.Command {
	c := command("deploy", "Have all instances run with the keys as they are now, and note it", cobra.NoArgs, a.deploy)
	c.Flags().BoolVar(&a.done, "done", false, "they do already, and no others are left: only note it (production, after the revisions)")
	c.Flags().BoolVar(&a.gcloud, "print-gcloud", false, "only print what deploys in production")
	c.Flags().StringVar(&a.dir, "dir", "", "`folder` of the CDN's signing keys (default $SEGUE_KEYS)")
	a.keysetFlags(c)
	return c
}

// deployment is what the instances run with.
type deployment struct {
	Primary uint32   `json:"primary"`
	Keys    []uint32 `json:"keys"`
	CDNKey  string   `json:"cdn_key"`
}

func (d deployment) infos() []playback.KeyInfo {
	all := make([]playback.KeyInfo, len(d.Keys))
	for i, id := range d.Keys {
		all[i] = playback.KeyInfo{ID: id, Enabled: true, Primary: id == d.Primary}
	}
	return all
}

// deploy replaces the instances, then notes what they run with: die in between,
// and the next deploy notes it.
func (a *app) deploy(ctx context.Context, _ []string) error {
	if a.gcloud {
		_, err := fmt.Fprint(a.out, deployWithGcloud)
		return err
	}
	s, err := a.begin(ctx)
	if err != nil {
		return err
	}
	slots, err := a.slots()
	if err != nil {
		return err
	}
	var d deployment
	if a.done {
		d, err = files(s, slots)
	} else {
		d, err = a.replace(ctx)
	}
	if err != nil {
		return err
	}
	if err := rotation.Deployed(ctx, s.Writer.Spanner, d.infos(), s.Now()); err != nil {
		return err
	}
	// As they are by now: it took a while.
	if slots, err = a.slots(); err != nil {
		return err
	}
	if err := slots.Serving(d.CDNKey, s.Now()); err != nil {
		return err
	}
	return a.result(d, fmt.Sprintf("all instances know keys %s, wrap with %d and sign with %s",
		strings.Trim(fmt.Sprint(d.Keys), "[]"), d.Primary, d.CDNKey))
}

// files is what the folder says.
func files(s *step, slots *rotation.Slots) (deployment, error) {
	d := deployment{CDNKey: slots.Signs}
	keys, err := s.Keyset.Keys()
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

// replace has the harness bring up a new revision.
func (a *app) replace(ctx context.Context) (d deployment, err error) {
	body, err := a.call(ctx, http.MethodPost, "/_emulators/functions/deploy", "")
	if err != nil {
		return d, err
	}
	return d, json.Unmarshal(body, &d)
}

// statusError is an answer that is no success.
type statusError struct {
	status int
	what   string
}

func (e *statusError) Error() string { return e.what }

// call asks the harness.
func (a *app) call(ctx context.Context, method, path, body string) ([]byte, error) {
	base, err := a.or("", "SEGUE_URL", "--print-gcloud, where this is not `make run`")
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(base, "/")+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := a.http.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, path, err)
	}
	if resp.StatusCode/100 != 2 {
		return nil, &statusError{resp.StatusCode, fmt.Sprintf("%s %s: %s: %s", method, path, resp.Status, strings.TrimSpace(string(text)))}
	}
	return text, nil
}

func isStatus(err error, status int) bool {
	var s *statusError
	return errors.As(err, &s) && s.status == status
}

const deployWithGcloud = `# a new version of each secret that changed: the keyset that the last step wrote
gcloud secrets versions add segue-keyset --data-file="$SEGUE_KEYS/keyset.json"
rotate cdn secret | gcloud secrets versions add segue-cdn-key --data-file=-
# a new revision of the functions that read them
for function in playback-stream ingest-transcode; do
  gcloud run services update "$function" --region="$REGION" \
    --update-secrets=SEGUE_KEYSET=segue-keyset:latest
done
gcloud run services update playback-stream --region="$REGION" \
  --update-secrets=SEGUE_CDN_KEY=segue-cdn-key:latest --update-env-vars=SEGUE_CDN_KEY_NAME="$NAME"
# all traffic is on it, and ten minutes later (ingest-transcode's longest run) no
# instance of another is left: then
rotate deploy --done
`
