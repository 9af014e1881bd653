package playback

import (
	"context"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/emulators/emutest"
	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/gcp"
	"github.com/segue-audio/segue/shared/id"
	"github.com/segue-audio/segue/shared/limit"
)

// noRedis is a client of a Redis that refuses connections.
func noRedis(t *testing.T) *redis.Client {
	t.Helper()
	client, err := gcp.NewRedis(gcp.RedisConfig{RedisURL: "redis://127.0.0.1:1/0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// ask puts a question as a stream does, in a round trip.
func ask(t *testing.T, a *Access, q Question) State {
	t.Helper()
	pipe := a.Redis.Pipeline()
	answers := a.Ask(t.Context(), pipe, q)
	_, _ = pipe.Exec(t.Context())
	s := answers.State(t.Context(), Free)
	if s.Begins {
		s.Begins, s.Displaced = false, !a.Begin(t.Context(), q)
	}
	return s
}

func TestEntitlements(t *testing.T) {
	t.Parallel()
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	account := id.Random()
	q := Question{Account: account, Track: id.Random()}
	if s := ask(t, a, q); s.Product != Free {
		t.Errorf("without a change, the claims decide: %+v", s)
	}
	for i, c := range []struct {
		set  Entitlement
		want string
	}{{Entitlement{Premium, 2}, Premium}, {Entitlement{Free, 1}, Premium}, {Entitlement{Free, 3}, Free}, {Entitlement{Premium, 3}, Premium}} {
		if err := a.SetEntitlement(t.Context(), account, c.set); err != nil {
			t.Fatal(err)
		}
		if s := ask(t, a, q); s.Product != c.want {
			t.Errorf("%d: after %+v: %+v", i, c.set, s)
		}
	}
	if err := a.SetEntitlement(t.Context(), account, Entitlement{"gold", 9}); errs.CodeOf(err) != errs.Invalid {
		t.Errorf("gold: %v", err)
	}
	for _, text := range []string{"", "premium", `{"product":"gold"}`} {
		if err := a.Redis.Set(t.Context(), entitlementKey(account), text, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
		if s := ask(t, a, q); s.Product != Free {
			t.Errorf("%q: %+v", text, s)
		}
		// What is not read does not keep the next change out.
		if err := a.SetEntitlement(t.Context(), account, Entitlement{Premium, 1}); err != nil {
			t.Errorf("after %q: %v", text, err)
		} else if s := ask(t, a, q); s.Product != Premium {
			t.Errorf("after %q: %+v", text, s)
		}
	}
	lost := &Access{Redis: noRedis(t), Now: time.Now}
	if s := ask(t, lost, q); s != (State{Product: Free}) {
		t.Errorf("without Redis: %+v", s)
	}
	if err := lost.SetEntitlement(t.Context(), account, Entitlement{Free, 9}); err == nil {
		t.Error("what was not set is no success")
	}
}

func TestEndSignIn(t *testing.T) {
	t.Parallel()
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	session := id.Random()
	limits, err := limit.Config{}.Parse()
	if err != nil {
		t.Fatal(err)
	}
	l := limit.New(a.Redis, limits)
	good := func(epoch int64) bool {
		return l.Check(limit.Read, limit.Caller{User: session, SignIn: session, Epoch: epoch}).Do(t.Context(), nil) == nil
	}
	for _, first := range []int64{5, 3} { // the later one comes too late
		if err := a.EndSignIn(t.Context(), session, first); err != nil {
			t.Fatal(err)
		}
		if good(4) || !good(5) {
			t.Errorf("after %d: tokens of epoch 4 are good: %t, of 5: %t", first, good(4), good(5))
		}
	}
}

// TestSessions tells of two devices, of two sign-ins, of one account.
func TestSessions(t *testing.T) {
	t.Parallel()
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	account := id.Random()
	plays := func(what string, want bool, q Question) {
		t.Helper()
		q.Account = account
		if got := !ask(t, a, q).Displaced; got != want {
			t.Errorf("%s: plays: %t", what, got)
		}
	}
	start := func() *Session {
		t.Helper()
		s, err := a.Start(t.Context(), account, "phone")
		if err != nil {
			t.Fatal(err)
		}
		return &s
	}
	phone, desk := Question{SignIn: "phone"}, Question{SignIn: "desk"}
	plays("a prefetch, before anything", true, Question{SignIn: "phone", Prefetch: true})
	plays("the desk's first", true, desk)
	plays("a prefetch of the phone", true, Question{SignIn: "phone", Prefetch: true})
	plays("the desk, which no prefetch displaces", true, desk)
	plays("the phone's first", true, phone)
	plays("the desk, displaced", false, desk)
	plays("its prefetch", false, Question{SignIn: "desk", Prefetch: true})
	plays("the desk, again", false, desk)
	plays("the phone, still", true, phone)
	first := start()
	plays("the phone's sign-in, when a session began", false, phone)
	plays("the session", true, Question{SignIn: "desk", Session: first})
	second := start()
	if second.Epoch <= first.Epoch {
		t.Errorf("epochs %d, then %d", first.Epoch, second.Epoch)
	}
	plays("the session before", false, Question{Session: first})
	plays("the session before, prefetching", false, Question{Session: first, Prefetch: true})
	plays("the newest", true, Question{Session: second})
	plays("a token of no sign-in", true, Question{})
	if err := a.Redis.Del(t.Context(), sessionKey(account)).Err(); err != nil {
		t.Fatal(err)
	}
	plays("a prefetch, when Redis lost all", true, Question{Session: first, Prefetch: true})
	plays("the newest, when Redis lost all", true, Question{Session: second})
	plays("the one before", false, Question{Session: first})
}

// Of many that press play at once, one plays, and it is that of the last epoch.
func TestSessionsAtOnce(t *testing.T) {
	t.Parallel()
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	account := id.Random()
	sessions := make([]Session, 20)
	var all sync.WaitGroup
	for i := range sessions {
		all.Go(func() { sessions[i], _ = a.Start(context.WithoutCancel(t.Context()), account, "d") })
	}
	all.Wait()
	playing, last := 0, int64(0)
	seen := map[int64]bool{}
	for _, s := range sessions {
		last, seen[s.Epoch] = max(last, s.Epoch), true
	}
	for _, s := range sessions {
		if !ask(t, a, Question{Account: account, Session: &s}).Displaced {
			playing++
			if s.Epoch != last {
				t.Errorf("%+v plays, the last epoch is %d", s, last)
			}
		}
	}
	if playing != 1 || len(seen) != len(sessions) {
		t.Errorf("%d play; %d epochs of %d sessions", playing, len(seen), len(sessions))
	}
}

// What an account's hash remembers is bounded.
func TestManySignIns(t *testing.T) {
	t.Parallel()
	now := time.Now()
	a := &Access{Redis: emutest.Redis(t), Now: func() time.Time { now = now.Add(time.Second); return now }}
	account := id.Random()
	for i := range maxSignIns + 20 {
		ask(t, a, Question{Account: account, SignIn: strings.Repeat("x", i+1)})
	}
	n, err := a.Redis.HLen(t.Context(), sessionKey(account)).Result()
	if err != nil || n > maxSignIns {
		t.Errorf("%d fields, %v", n, err)
	}
	if ask(t, a, Question{Account: account, SignIn: strings.Repeat("x", maxSignIns+20)}).Displaced {
		t.Error("the last one is displaced")
	}
	if !ask(t, a, Question{Account: account, SignIn: strings.Repeat("x", maxSignIns+10)}).Displaced {
		t.Error("one before it plays")
	}
}

// A session that begins while Redis is away plays, then and when it is back.
func TestSessionWithoutRedis(t *testing.T) {
	t.Parallel()
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	account := id.Random()
	before, err := a.Start(t.Context(), account, "desk")
	if err != nil {
		t.Fatal(err)
	}
	later := func() time.Time { return time.Now().Add(time.Second) }
	s, err := (&Access{Redis: noRedis(t), Now: later}).Start(t.Context(), account, "phone")
	if err != nil {
		t.Fatal(err)
	}
	if ask(t, a, Question{Account: account, Session: &s}).Displaced || !ask(t, a, Question{Account: account, Session: &before}).Displaced {
		t.Error("the newer session does not play")
	}
}

// A Redis that answers, and takes nothing, as one that is full or a replica, does
// not keep a session from beginning either.
func TestSessionWhereRedisTakesNothing(t *testing.T) {
	t.Parallel()
	a := &Access{Redis: emutest.Redis(t), Now: time.Now}
	account := id.Random()
	if err := a.Redis.Set(t.Context(), sessionKey(account), "no hash", time.Minute).Err(); err != nil {
		t.Fatal(err)
	}
	s, err := a.Start(t.Context(), account, "phone")
	if err != nil || ask(t, a, Question{Account: account, Session: &s}).Displaced {
		t.Errorf("%+v, %v", s, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Start(ctx, account, "phone"); err == nil {
		t.Error("who left has a session")
	}
}

func TestParseSession(t *testing.T) {
	t.Parallel()
	now := time.UnixMilli(1_800_000_000_000)
	good := Session{id.Random(), now.UnixMilli()}
	if got, err := ParseSession(good.String(), now); err != nil || got != good {
		t.Errorf("%+v, %v", got, err)
	}
	for _, s := range []string{
		"", ".", good.ID, good.ID + ".", "." + "17", good.ID + ".x", good.ID + ".-1", good.ID + ".0", good.ID + ".+17", good.ID + ".017", "x.17",
		Session{good.ID, now.Add(2 * time.Minute).UnixMilli()}.String(), Session{good.ID, math.MaxInt64}.String(), good.String() + ".1",
	} {
		if _, err := ParseSession(s, now); errs.CodeOf(err) != errs.Invalid || !strings.Contains(err.Error(), "query parameter session") {
			t.Errorf("%q: %v", s, err)
		}
	}
}
