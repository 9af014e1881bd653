package playback

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/segue-audio/segue/shared/errs"
	"github.com/segue-audio/segue/shared/id"
)

// One account plays on one device. Redis has, per account, the session that
// plays and its epoch, and when each sign-in last began to. A session's name
// carries its epoch: if Redis has lost all, the newest that asks plays on.
const (
	sessionTTL = 30 * 24 * time.Hour
	// maxSignIns is how many an account's hash remembers; the one that began
	// longest ago makes room.
	maxSignIns = 50
	// future is how far a session may be ahead of our clock.
	future = time.Minute
)

func sessionKey(account string) string { return "playing:" + account }

// Session is a playback session.
type Session struct {
	ID    string
	Epoch int64 // milliseconds since 1970, or more where two began in one
}

func (s Session) String() string { return s.ID + "." + strconv.FormatInt(s.Epoch, 10) }

// ParseSession reads what Session's String made.
func ParseSession(text string, now time.Time) (Session, error) {
	random, epoch, _ := strings.Cut(text, ".")
	n, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || !id.Valid(random) || n <= 0 || n > now.Add(future).UnixMilli() || strconv.FormatInt(n, 10) != epoch {
		return Session{}, errs.New(errs.Invalid, "query parameter session: %q is no session of POST /v1/me/playback/sessions", text)
	}
	return Session{random, n}, nil
}

// Start is a press of play: the newest session of an account is the one that
// plays. Where Redis takes nothing it begins all the same, when it first asks for audio.
func (a *Access) Start(ctx context.Context, account, device string) (Session, error) {
	s := Session{ID: id.Random(), Epoch: a.Now().UnixMilli()}
	epoch, err := begin.Run(ctx, a.Redis, []string{sessionKey(account)}, s.ID, s.Epoch, device, sessionTTL.Milliseconds()).Int64()
	switch {
	case err == nil:
		s.Epoch = epoch
	case ctx.Err() != nil:
		return Session{}, fmt.Errorf("start playback session: %w", err)
	case !lost(err):
		slog.ErrorContext(ctx, "playback session", "error", err)
	}
	return s, nil
}

var begin = redis.NewScript(`
local epoch = math.max(tonumber(ARGV[2]), tonumber(redis.call('HGET', KEYS[1], 'epoch') or 0) + 1)
redis.call('HSET', KEYS[1], 'current', ARGV[1], 'epoch', epoch, 'device', ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return epoch`)

// What the scripts say of a session.
const (
	displaced int64 = iota
	playing
	waiting // it plays from its beginning on
)

// When the scripts let a session begin.
const (
	never  = iota // a prefetch
	alone         // where no other plays
	always        // in the place of another
)

// Begin has the question's session play in the place of another. It is a round
// trip of its own, after Ask's, so that a request which is refused, as that of a
// token that is no good any more, displaces nobody.
func (a *Access) Begin(ctx context.Context, q Question) (plays bool) {
	return said(ctx, a.touch(ctx, a.Redis, q, always)) != displaced
}

// touch asks whether the question's session plays, which for a sign-in begins
// with its first request that is no prefetch. The scripts go with it, since in a
// pipe it is too late to learn that Redis forgot them.
func (a *Access) touch(ctx context.Context, to redis.Scripter, q Question, begin int) *redis.Cmd {
	if q.Prefetch {
		begin = never
	}
	keys := []string{sessionKey(q.Account)}
	switch {
	case q.Session != nil:
		return session.Eval(ctx, to, keys, q.Session.ID, q.Session.Epoch, begin, sessionTTL.Milliseconds())
	case q.SignIn == "":
		return nil
	}
	return signIn.Eval(ctx, to, keys, "signin:"+q.SignIn, a.Now().UnixMilli(), begin, sessionTTL.Milliseconds(), maxSignIns)
}

// said is a script's answer. Where there is none, the session plays.
func said(ctx context.Context, cmd *redis.Cmd) int64 {
	if cmd == nil {
		return playing
	}
	n, err := cmd.Int64()
	if err == nil {
		return n
	}
	if !lost(err) {
		slog.ErrorContext(ctx, "playback session", "error", err)
	}
	return playing
}

// A session that is newer than what Redis has began while Redis was away.
var session = redis.NewScript(`
local there = redis.call('HMGET', KEYS[1], 'current', 'epoch')
local epoch = tonumber(there[2] or 0)
if epoch == tonumber(ARGV[2]) and there[1] == ARGV[1] then return 1 end
if epoch >= tonumber(ARGV[2]) then return 0 end
if ARGV[3] == '0' or (ARGV[3] == '1' and there[1]) then return 2 end
redis.call('HSET', KEYS[1], 'current', ARGV[1], 'epoch', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return 1`)

var signIn = redis.NewScript(`
local there = redis.call('HMGET', KEYS[1], 'current', 'epoch', ARGV[1])
if there[1] == ARGV[1] then return 1 end
if there[3] then return 0 end
if ARGV[3] == '0' or (ARGV[3] == '1' and there[1]) then return 2 end
local epoch = math.max(tonumber(ARGV[2]), tonumber(there[2] or 0) + 1)
redis.call('HSET', KEYS[1], 'current', ARGV[1], 'epoch', epoch, ARGV[1], epoch)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then
  local all, oldest = redis.call('HGETALL', KEYS[1]), nil
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 7) == 'signin:' and (not oldest or tonumber(all[i + 1]) < tonumber(all[oldest + 1])) then oldest = i end
  end
  redis.call('HDEL', KEYS[1], all[oldest])
end
return 1`)
