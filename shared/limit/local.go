package limit

import (
	"sync"
	"time"

	"github.com/go-redis/redis_rate/v10"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxLocal bounds the callers that an instance remembers while Redis is away;
// whoever is forgotten begins with a full bucket.
const maxLocal = 10_000

// local limits what comes to this instance.
type local struct {
	mu      sync.Mutex
	buckets *lru.Cache[string, *rate.Limiter]
}

func newLocal() *local {
	buckets, _ := lru.New[string, *rate.Limiter](maxLocal) // its error is for a size below one
	return &local{buckets: buckets}
}

// allow takes a token, or says when there will be one.
func (l *local) allow(key string, limit redis_rate.Limit) (bool, time.Duration) {
	l.mu.Lock()
	bucket, ok := l.buckets.Get(key)
	if !ok {
		bucket = rate.NewLimiter(rate.Limit(float64(limit.Rate)/limit.Period.Seconds()), limit.Burst)
		l.buckets.Add(key, bucket)
	}
	l.mu.Unlock()
	r := bucket.Reserve()
	if after := r.Delay(); after > 0 {
		r.Cancel()
		return false, after
	}
	return true, 0
}
