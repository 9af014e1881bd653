package stream

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/httpapi"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/limit"
	"github.com/segue-audio/segue/shared/playback"
)

// listener is a caller whom no other test knows.
func listener(product string) httpapi.Caller {
	return httpapi.Caller{Subject: id.Random(), ClientID: "c", Session: id.Random(), Epoch: 5, Product: product, Market: "SE"}
}

// What changes after a token was signed holds for the next press of play.
func TestWhatChangesAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	caller := listener(playback.Free)
	r := Request{ID: s.track, Quality: "320"}
	expect := func(what string, code errs.Code, reason string) {
		t.Helper()
		got, err := w.play(t.Context(), caller, r)
		if errs.CodeOf(err) != code || (err != nil && (errs.From(err).Reason != reason || got != (Response{}))) {
			t.Errorf("%s: %v, reason %q", what, err, errs.From(err).Reason)
		}
	}
	set := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx, a := t.Context(), w.deps.Access
	expect("the claims", errs.Forbidden, "premium_required")
	set(a.SetEntitlement(ctx, caller.Subject, playback.Entitlement{Product: playback.Premium, Epoch: 1}))
	expect("paid", "", "")
	set(a.SetEntitlement(ctx, caller.Subject, playback.Entitlement{Product: playback.Free, Epoch: 2}))
	expect("cancelled", errs.Forbidden, "premium_required")
	r.Quality = ""
	expect("the free quality", "", "")

	phone, err := Start(httpapi.WithCaller(ctx, caller), StartRequest{DeviceID: "phone"}, w.deps)
	set(err)
	expect("the sign-in, displaced", errs.Conflict, "displaced")
	r.Session = phone.Session
	expect("the phone", "", "")
	_, err = Start(httpapi.WithCaller(ctx, caller), StartRequest{DeviceID: "desk"}, w.deps)
	set(err)
	expect("the phone, displaced", errs.Conflict, "displaced")
	r.Session = "x.1"
	expect("no session", errs.Invalid, "")
	r.Session = ""

	caller = listener(playback.Premium)
	set(a.EndSignIn(ctx, caller.Session, 6))
	expect("signed out", errs.Unauthenticated, "signed_out")
	caller.Epoch = 6
	expect("signed in again", "", "")
	set(playback.TakeDown(ctx, w.writer(t), s.track, true))
	set(a.Refresh(ctx, w.client, s.track))
	expect("taken down", errs.NotFound, "taken_down")
}

// What is not answered with audio does not take the account from the device that
// plays, least of all for a token that is no good any more.
func TestRefusedPressDisplacesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, abroad := w.add(t, 1, nil), w.add(t, 2, func(l *playback.Live) { l.Markets = []string{"NO"} })
	owner := listener(playback.Free)
	phone, err := Start(httpapi.WithCaller(t.Context(), owner), StartRequest{DeviceID: "phone"}, w.deps)
	if err != nil {
		t.Fatal(err)
	}
	ended := listener(playback.Free)
	if err := w.deps.Access.EndSignIn(t.Context(), ended.Session, ended.Epoch+1); err != nil {
		t.Fatal(err)
	}
	newer := func() string {
		return playback.Session{ID: id.Random(), Epoch: time.Now().Add(30 * time.Second).UnixMilli()}.String()
	}
	for _, c := range []struct {
		name   string
		caller httpapi.Caller
		r      Request
		code   errs.Code
	}{
		{"signed out", ended, Request{ID: s.track}, errs.Unauthenticated},
		{"signed out, with a session", ended, Request{ID: s.track, Session: newer()}, errs.Unauthenticated},
		{"not entitled", listener(playback.Free), Request{ID: s.track, Quality: "320"}, errs.Forbidden},
		{"unknown", listener(playback.Free), Request{ID: id.Random()}, errs.NotFound},
		{"another market's", listener(playback.Free), Request{ID: abroad.track, Session: newer()}, errs.NotFound},
	} {
		c.caller.Subject = owner.Subject
		if _, err := w.play(t.Context(), c.caller, c.r); errs.CodeOf(err) != c.code {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := w.play(t.Context(), owner, Request{ID: s.track, Session: phone.Session}); err != nil {
			t.Errorf("%s: the phone: %v", c.name, err)
		}
	}
}

// With Redis away, what the token claims and what the row says decide.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	redis, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: "redis://127.0.0.1:1/0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Close() })
	w.limiter = limit.New(redis, limit.Limits{limit.Stream: {Rate: 100, Burst: 100, Period: time.Second}})
	w.deps.Access.Redis = redis
	w.deps.Renditions = playback.NewCachedStore(&playback.Store{Spanner: w.client}, redis)
	for product, code := range map[string]errs.Code{playback.Premium: "", playback.Free: errs.Forbidden} {
		if _, err := w.play(t.Context(), listener(product), Request{ID: s.track, Quality: "320"}); errs.CodeOf(err) != code {
			t.Errorf("%s: %v", product, err)
		}
	}
	session, err := Start(httpapi.WithCaller(t.Context(), listener(playback.Free)), StartRequest{DeviceID: "d"}, w.deps)
	if err != nil {
		t.Error(err)
	}
	if _, err := w.play(t.Context(), listener(playback.Free), Request{ID: s.track, Session: session.Session}); err != nil {
		t.Error(err)
	}
}

// With Spanner away, what is warm plays on, and nothing waits to learn what is next.
func TestWithoutSpanner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s, cold := w.add(t, 1, nil), w.add(t, 2, nil)
	if _, err := w.play(t.Context(), premium, Request{ID: s.track}); err != nil {
		t.Fatal(err)
	}
	gone := w.counted(t)
	gone.refuse.Store(true)
	got, err := w.play(t.Context(), premium, Request{ID: s.track, Context: id.URI("album", s.album)})
	if err != nil || got.Next != nil {
		t.Errorf("warm: next %v, %v", got.Next, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // as the adapter's
	defer cancel()
	if _, err := w.play(ctx, premium, Request{ID: cold.track}); err == nil {
		t.Error("a cold one plays")
	}
	gone.refuse.Store(false)
	if _, err := w.play(t.Context(), premium, Request{ID: cold.track}); err != nil {
		t.Errorf("cold, when Spanner is back: %v", err)
	}
}

func TestRateLimit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.add(t, 1, nil)
	w.limiter = limit.New(w.redis, limit.Limits{limit.Stream: {Rate: 1, Burst: 3, Period: time.Hour}})
	caller := listener(playback.Premium)
	for i := range 5 {
		_, err := w.play(t.Context(), caller, Request{ID: s.track})
		if (i < 3) != (err == nil) || (i >= 3 && (errs.CodeOf(err) != errs.TooManyRequests || errs.From(err).RetryAfter <= 0)) {
			t.Errorf("%d: %v", i, err)
		}
	}
}

func TestDevicesThatAreRefused(t *testing.T) {
	t.Parallel()
	for device, want := range map[string]string{
		"": "name the device", strings.Repeat("x", 129): "longer than 128 bytes", "a\nb": "not printed", "\x00": "not printed", "\xff": "not printed",
		"phone": "", "Büro 🎧": "",
	} {
		err := (&StartRequest{DeviceID: device}).Validate()
		if (want == "") != (err == nil) || (err != nil && (errs.CodeOf(err) != errs.Invalid || !strings.Contains(err.Error(), "device_id: ") || !strings.Contains(err.Error(), want))) {
			t.Errorf("%q: %v", device, err)
		}
	}
}
