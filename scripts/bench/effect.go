package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/playback"
)

// effectLimit is what the design gives a change until it holds.
const effectLimit = 5 * time.Second

// effectRows say how long what changed is not heeded yet, by an instance that
// plays the track all the time.
func effectRows(w *world) []row {
	figure := func(name, how string, measure func(context.Context, *listening) (time.Duration, error)) row {
		return row{
			name: "playback." + name, unit: "s", budget: atMost(effectLimit.Seconds()), how: how + ", to the first GET /stream that is refused for it",
			measure: func(ctx context.Context, _ int) (sample, error) {
				l, err := w.listen(ctx)
				if err != nil {
					return sample{}, err
				}
				took, err := measure(ctx, l)
				return sample{value: took.Seconds()}, errors.Join(err, l.end(ctx))
			},
		}
	}
	return []row{
		figure("takedown", "from the commit of a takedown, by way of its event and catalog-invalidate", w.takedown),
		figure("displaced", "from the answer to another device's POST /v1/me/playback/sessions", w.displaced),
		figure("entitlement", "from the end of a premium subscription", w.entitlement),
	}
}

// listening is a premium account that plays a track on one instance.
type listening struct {
	*deployed
	*client
	account, token, track string
	session               string // of the first device
}

func (w *world) listen(ctx context.Context) (l *listening, err error) {
	tracks, err := w.songs(ctx, 1)
	if err != nil {
		return nil, err
	}
	l = &listening{account: id.Random(), track: tracks[0]}
	l.token, err = w.issuer.AccessToken(identity.Claims{
		Subject: l.account, Session: id.Random(), Epoch: 1, ClientID: "bench", Scopes: []string{"streaming"}, Product: playback.Premium, Market: "SE",
	})
	if err != nil {
		return nil, err
	}
	program, err := w.alone(ctx)
	if err != nil {
		return nil, err
	}
	if l.deployed, err = w.deploy(ctx, program, unlimited, press(l.track, "?quality=320", l.token)); err != nil {
		return nil, err
	}
	if l.client, err = dial(ctx, l.addr); err != nil {
		return nil, errors.Join(err, l.deployed.end(ctx))
	}
	if l.session, err = l.begin(ctx, "phone"); err != nil {
		return nil, errors.Join(err, l.end(ctx))
	}
	return l, nil
}

func (l *listening) end(ctx context.Context) error {
	l.close()
	return l.deployed.end(ctx)
}

// begin starts a session on a device.
func (l *listening) begin(ctx context.Context, device string) (string, error) {
	u := "http://" + l.addr + "/v1/me/playback/sessions"
	b, err := request(ctx, http.MethodPost, u, map[string]string{"Authorization": "Bearer " + l.token, "Content-Type": "application/json"},
		strings.NewReader(fmt.Sprintf(`{"device_id": %q}`, device)))
	if err != nil {
		return "", err
	}
	var answer struct {
		Session string `json:"session"`
	}
	if err := json.Unmarshal(b, &answer); err != nil || answer.Session == "" {
		return "", fmt.Errorf("answer to POST %s: %q is no session: %w", u, b, err)
	}
	return answer.Session, nil
}

// refused asks until the answer has the status and the reason, and says how long
// ago since was. Until then it must play.
func (l *listening) refused(ctx context.Context, since time.Time, status int, reason string) (time.Duration, error) {
	request := press(l.track, "?quality=320&session="+l.session, l.token)
	ctx, cancel := context.WithTimeout(ctx, 4*effectLimit)
	defer cancel()
	tick := time.NewTicker(startPoll)
	defer tick.Stop()
	for {
		got, body, err := l.ask(request)
		if err != nil {
			return 0, err
		}
		if got != http.StatusOK {
			var problem struct {
				Error struct {
					Reason string `json:"reason"`
				} `json:"error"`
			}
			if err := json.Unmarshal(body, &problem); err != nil || got != status || problem.Error.Reason != reason {
				return 0, fmt.Errorf("refused with %d %s, not with %d %s", got, body, status, reason)
			}
			return time.Since(since), nil
		}
		select {
		case <-ctx.Done():
			return 0, fmt.Errorf("plays on: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (w *world) takedown(ctx context.Context, l *listening) (time.Duration, error) {
	if _, err := w.pull(ctx); err != nil { // of others
		return 0, err
	}
	writer := &event.Writer{Spanner: w.spanner, Publisher: event.NewPublisher(w.topics), Now: time.Now}
	if err := playback.TakeDown(ctx, writer, l.track, true); err != nil {
		return 0, err
	}
	since := time.Now()
	delivered := make(chan error, 1)
	go func() {
		events, err := w.pull(ctx)
		for _, d := range events {
			err = errors.Join(err, w.here(ctx, d))
		}
		delivered <- err
	}()
	took, err := l.refused(ctx, since, http.StatusNotFound, "taken_down")
	return took, errors.Join(err, <-delivered)
}

func (w *world) displaced(ctx context.Context, l *listening) (time.Duration, error) {
	if err := played(l.ask(press(l.track, "?session="+l.session, l.token))); err != nil {
		return 0, err
	}
	if _, err := l.begin(ctx, "desk"); err != nil {
		return 0, err
	}
	return l.refused(ctx, time.Now(), http.StatusConflict, "displaced")
}

func (w *world) entitlement(ctx context.Context, l *listening) (time.Duration, error) {
	a := &playback.Access{Redis: w.redis, Now: time.Now}
	if err := a.SetEntitlement(ctx, l.account, playback.Entitlement{Product: playback.Free, Epoch: 1}); err != nil {
		return 0, err
	}
	return l.refused(ctx, time.Now(), http.StatusForbidden, "premium_required")
}
