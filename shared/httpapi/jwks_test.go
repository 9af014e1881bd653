package httpapi

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/segue-audio/segue/shared/errs"
)

// signedWith asks with a token that key signs.
func (w *world) signedWith(t *testing.T, key jose.JSONWebKey) reply {
	t.Helper()
	token := sign(t, key, jose.ES256, typ("at+jwt"), w.clock.Now(), nil)
	return send(t, "GET", w.url+"/v1/things/a", "", header("Authorization", "Bearer "+token))
}

func (w *world) wantFetches(t *testing.T, want int) {
	t.Helper()
	if got := w.fetched(); got != want {
		t.Errorf("the issuer was asked %d times, want %d", got, want)
	}
}

// verifier is one without a function around it, and a header that it accepts.
func (w *world) verifier(t *testing.T) (*Verifier, http.Header) {
	t.Helper()
	v := NewVerifier(AuthConfig{Issuer: tokenIssuer, Audience: tokenAudience, JWKSURL: w.issuer.url}, http.DefaultClient, w.clock.Now)
	return v, http.Header{"Authorization": {"Bearer " + w.token(t, w.clock.Now(), nil)}}
}

func TestKeysAreFetchedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, h := w.verifier(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), h); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.wantFetches(t, 1)
}

func TestRotationIsPickedUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	old, next := w.key, newKey(t, "key-2")
	w.signedWith(t, old).seen(t)
	// A key of a type that this build does not know comes with it.
	w.publish(map[string]string{"kty": "AKP", "kid": "key-3", "alg": "ML-DSA-44"}, old.Public(), next.Public())
	w.clock.pass(keysPause)
	w.signedWith(t, next).seen(t)
	w.signedWith(t, old).seen(t)
	w.wantFetches(t, 2)

	w.publish(next.Public()) // the old key is taken back
	w.clock.pass(keysFresh)
	w.signedWith(t, next).seen(t)
	w.signedWith(t, old).is(t, http.StatusUnauthorized, "unknown key")
	w.wantFetches(t, 3)
}

func TestOnlySigningPublicKeysCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	encryption := newKey(t, "key-2")
	encryption.Use = "enc"
	w.publish(w.key.Public(), encryption.Public())
	w.signedWith(t, w.key).seen(t)
	w.signedWith(t, encryption).is(t, http.StatusUnauthorized, "unknown key")
}

func TestUnknownKeysDoNotHammerTheIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signedWith(t, w.key).seen(t)
	invented := func() {
		for i := range 10 {
			w.signedWith(t, newKey(t, "invented-"+strconv.Itoa(i))).is(t, http.StatusUnauthorized, "unknown key")
		}
	}
	w.clock.pass(keysPause - time.Second)
	invented()
	w.wantFetches(t, 1)
	w.clock.pass(time.Second)
	invented()
	w.wantFetches(t, 2)
	w.signedWith(t, w.key).seen(t)
}

func TestIssuerThatWasNeverReached(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, fail := range map[string]func(){
		"answers with an error": func() { w.setDown(true) },
		"has no keys":           func() { w.setDown(false); w.publish() },
		"has no usable key":     func() { w.publish(map[string]string{"kty": "AKP", "kid": "key-1"}) },
	} {
		fail()
		got := w.signedWith(t, w.key)
		got.is(t, http.StatusServiceUnavailable, "keys that verify access tokens cannot be fetched")
		if got.header.Get("Retry-After") != "5" || strings.Contains(got.body, w.issuer.url) {
			t.Errorf("%s: Retry-After = %q, body %s", name, got.header.Get("Retry-After"), got.body)
		}
	}
	w.setDown(false)
	w.publish(w.key.Public())
	w.signedWith(t, w.key).seen(t)
}

func TestKnownKeysStayGoodWithoutTheIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.signedWith(t, w.key).seen(t)
	for _, fail := range []func(){func() { w.setDown(true) }, func() { w.setDown(false); w.publish() }} {
		fail()
		before := w.fetched()
		w.clock.pass(keysFresh)
		for range 5 {
			w.signedWith(t, w.key).seen(t)
			w.signedWith(t, newKey(t, "invented")).is(t, http.StatusUnauthorized, "unknown key")
		}
		w.wantFetches(t, before+1)
	}
	next := newKey(t, "key-2")
	w.setDown(false)
	w.publish(next.Public())
	w.clock.pass(keysPause)
	w.signedWith(t, next).seen(t)
}

// An issuer that hangs is asked once for all that wait, and holds none of those
// who give up.
func TestHangingIssuer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.hang, w.asked = make(chan struct{}), make(chan struct{}, 20)
	v, h := w.verifier(t)
	gone, leave := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := v.Verify(gone, h)
		gaveUp <- err
	}()
	<-w.asked
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			if _, err := v.Verify(t.Context(), h); err != nil {
				t.Error(err)
			}
		})
	}
	leave()
	if err := <-gaveUp; errs.CodeOf(err) != errs.Unavailable {
		t.Errorf("who gave up: %v", err)
	}
	close(w.hang)
	wg.Wait()
	w.wantFetches(t, 1)
}
