package cache

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// The forms of an entry.
type form byte

const (
	present   form = 'v'
	absent    form = 'a'
	tombstone form = 't'
)

// entry is a value in Redis: microseconds since 1970, the form, the payload.
type entry struct {
	at      time.Time
	form    form
	payload string
}

func (e entry) String() string {
	return strconv.FormatInt(e.at.UnixMicro(), 10) + string(e.form) + e.payload
}

func parse(text string) (entry, error) {
	i := strings.IndexFunc(text, func(c rune) bool { return c < '0' || c > '9' })
	if i <= 0 {
		return entry{}, fmt.Errorf("entry begins with %.20q instead of a time and a form", text)
	}
	micros, err := strconv.ParseInt(text[:i], 10, 64)
	if err != nil {
		return entry{}, fmt.Errorf("time of an entry: %w", err)
	}
	e := entry{at: time.UnixMicro(micros), form: form(text[i]), payload: text[i+1:]}
	switch e.form {
	case present, absent, tombstone:
		return e, nil
	}
	return entry{}, fmt.Errorf("entry has the form %q", text[i:i+1])
}

// putNewer sets an entry unless what is there is of a later time. Lua's numbers
// hold whole microseconds until the year 2255.
var putNewer = redis.NewScript(`
local there = redis.call('GET', KEYS[1])
local time = there and string.match(there, '^%d+')
if time and tonumber(time) > tonumber(string.match(ARGV[1], '^%d+')) then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`)

// skew is more than clocks differ by, where the time of a tombstone is not that
// of a strong read after the change: it must be later than the change, which
// Spanner's clock has dated.
const skew = time.Second

// Forget leaves a tombstone for each key: rows that were read before now are
// not put any more. It is called after the change.
func Forget(ctx context.Context, client *redis.Client, kind string, now time.Time, keys ...string) error {
	e := entry{at: now.Add(skew), form: tombstone}.String()
	pipe := client.Pipeline()
	for _, k := range keys {
		putNewer.Eval(ctx, pipe, []string{kind + ":" + k}, e, tombstoneTTL.Milliseconds())
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("forget %s: %w", kind, err)
	}
	return nil
}

// Put sets a value that was true at a time, unless a later one is there.
func Put(ctx context.Context, client *redis.Client, key string, at time.Time, value string, ttl time.Duration) error {
	e := entry{at: at, form: present, payload: value}
	return putNewer.Run(ctx, client, []string{key}, e.String(), ttl.Milliseconds()).Err()
}

// Value reads what Put set.
func Value(text string) (string, error) {
	e, err := parse(text)
	return e.payload, err
}
