package upload

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/ingest"
)

const (
	// beginTTL is the life of the signature that begins a session, which is used
	// at once.
	beginTTL = 5 * time.Minute
	// beginTimeout ends a call to a Cloud Storage that does not answer, in time
	// to tell the client so.
	beginTimeout = 10 * time.Second
	maxExcerpt   = 1 << 10
)

// beginSession begins a resumable session and returns its address. Type, length
// and that the object is new are bound by the signature of its beginning. A
// client can begin it nowhere else: the signature never leaves this function.
func beginSession(ctx context.Context, d Deps, u ingest.Upload) (string, error) {
	signed, headers, err := sign(d, u, http.MethodPost, d.Now().Add(beginTTL), "x-goog-resumable:start")
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, beginTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, signed, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("begin a session: %w", withoutURL(err))
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	resp, err := d.HTTP.Do(req)
	if err != nil {
		return "", away(fmt.Errorf("begin a session: %w", withoutURL(err)))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		excerpt, _ := io.ReadAll(io.LimitReader(resp.Body, maxExcerpt))
		err := fmt.Errorf("begin a session: Cloud Storage answers %s: %s", resp.Status, excerpt)
		if resp.StatusCode >= http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusRequestTimeout {
			return "", away(err)
		}
		return "", err
	}
	at, err := resp.Location()
	if err != nil {
		return "", fmt.Errorf("begin a session: %w", err)
	}
	return at.String(), nil
}

func away(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "the storage for uploads is not available; try again")
}

// withoutURL leaves the signed URL out of what is logged.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
