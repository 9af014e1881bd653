package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"cloud.google.com/go/pubsub/v2"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/segue-audio/segue/emulators/identity"
	"github.com/segue-audio/segue/shared/event"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/ingest"
	"github.com/segue-audio/segue/shared/playback"
)

// user is one of a test's own.
type user struct {
	name, signIn string
	token        string
}

// newUser signs in at the harness's issuer, whose keys lie in its folder.
func (r *running) newUser(t *testing.T, product string) user {
	t.Helper()
	env := r.env(t)
	issuer, err := identity.New(identity.Options{
		Dir: filepath.Join(r.data, "keys"), Issuer: env["SEGUE_TOKEN_ISSUER"], Audience: env["SEGUE_TOKEN_AUDIENCE"], Now: time.Now,
	})
	if err != nil {
		t.Fatal(err)
	}
	l := user{name: id.Random(), signIn: id.Random()}
	l.token, err = issuer.AccessToken(identity.Claims{Subject: l.name, ClientID: "e2e", Session: l.signIn, Scopes: []string{"streaming"}, Product: product, Market: "SE"})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// ask calls the API and reads what errors and sessions have.
func (l user) ask(t *testing.T, method, url, body string) (status int, reason, session string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+l.token)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Session string
		Error   struct{ Reason string }
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		t.Fatalf("%s %s: %d %s", method, url, resp.StatusCode, b)
	}
	return resp.StatusCode, answer.Error.Reason, answer.Session
}

// effective is how soon a change must be.
const effective = 5 * time.Second

// A displaced session, a changed entitlement, a sign-out and a takedown hold
// within five seconds, for a player that has just been allowed to play.
func TestWhatHoldsWithinSeconds(t *testing.T) {
	t.Parallel()
	track := playable(t, fixture(t, "1"), "access.flac", "audio/flac", ingest.Metadata{Title: "Access " + id.Random()})
	redis, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: segue.env(t)["SEGUE_REDIS_URL"]})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Close() })
	a := &playback.Access{Redis: redis, Now: time.Now}
	url := fmt.Sprintf("%s/v1/tracks/%s/stream?quality=320", segue.url, track)
	l := segue.newUser(t, playback.Free)
	within := func(what, query string, status int, reason string) {
		t.Helper()
		deadline, tick := time.After(effective), time.NewTicker(50*time.Millisecond)
		defer tick.Stop()
		for {
			got, because, _ := l.ask(t, http.MethodGet, url+query, "")
			if got == status && because == reason {
				return
			}
			select {
			case <-tick.C:
			case <-deadline:
				t.Fatalf("%s: after %s still %d %s", what, effective, got, because)
			}
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	press := func(device string) string {
		t.Helper()
		status, _, session := l.ask(t, http.MethodPost, segue.url+"/v1/me/playback/sessions", `{"device_id": "`+device+`"}`)
		if status != http.StatusCreated || session == "" {
			t.Fatalf("play on %s: %d %q", device, status, session)
		}
		return "&session=" + session
	}
	within("free", "", http.StatusForbidden, "premium_required")
	must(a.SetEntitlement(t.Context(), l.name, playback.Entitlement{Product: playback.Premium, Epoch: 1}))
	within("paid", "", http.StatusOK, "")
	phone := press("phone")
	within("the sign-in, displaced", "", http.StatusConflict, "displaced")
	within("the phone", phone, http.StatusOK, "")
	desk := press("desk")
	within("the phone, displaced", phone, http.StatusConflict, "displaced")
	within("the desk", desk, http.StatusOK, "")
	must(a.SetEntitlement(t.Context(), l.name, playback.Entitlement{Product: playback.Free, Epoch: 2}))
	within("cancelled", desk, http.StatusForbidden, "premium_required")
	must(a.SetEntitlement(t.Context(), l.name, playback.Entitlement{Product: playback.Premium, Epoch: 3}))
	within("paid again", desk, http.StatusOK, "")
	w := segue.writer(t)
	for _, down := range []bool{true, false, true} {
		must(playback.TakeDown(t.Context(), w, track, down))
		if down {
			within("taken down", desk, http.StatusNotFound, "taken_down")
		} else {
			within("put back", desk, http.StatusOK, "")
		}
	}
	must(a.EndSignIn(t.Context(), l.signIn, 1))
	within("signed out", desk, http.StatusUnauthorized, "signed_out")
}

// writer changes rows as a function does: the harness's functions see the events.
func (r *running) writer(t *testing.T) *event.Writer {
	t.Helper()
	return &event.Writer{Spanner: r.database(t), Publisher: event.NewPublisher(r.topics(t)), Now: time.Now}
}

// topics publishes as a function does.
func (r *running) topics(t *testing.T) *pubsub.Client {
	t.Helper()
	env := r.env(t)
	topics, err := pubsub.NewClient(context.WithoutCancel(t.Context()), env["SEGUE_PROJECT"], option.WithEndpoint(env["PUBSUB_EMULATOR_HOST"]), option.WithoutAuthentication(),
		option.WithTelemetryDisabled(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = topics.Close() })
	return topics
}
