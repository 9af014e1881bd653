package limit

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/go-redis/redis_rate/v10"
)

// Limits are the buckets' sizes.
type Limits map[Class]redis_rate.Limit

// defaults let a person's app do all that it might, many times over; a page of
// 50 tracks is one request.
var defaults = Limits{
	Read:   {Rate: 50, Burst: 500, Period: time.Second},
	Write:  {Rate: 20, Burst: 200, Period: time.Second},
	Stream: {Rate: 25, Burst: 100, Period: time.Second},
}

// Config changes limits.
type Config struct {
	// Limits is read=50:500,stream=25:100 : requests a second, and at once. What
	// it does not name keeps its default.
	Limits string `env:"SEGUE_RATE_LIMITS"`
}

// Parse reads the configured limits.
func (c Config) Parse() (Limits, error) {
	limits := maps.Clone(defaults)
	if strings.TrimSpace(c.Limits) == "" {
		return limits, nil
	}
	for part := range strings.SplitSeq(c.Limits, ",") {
		name, size, _ := strings.Cut(strings.TrimSpace(part), "=")
		if _, known := defaults[Class(name)]; !known {
			return nil, fmt.Errorf("SEGUE_RATE_LIMITS: %q is none of read, write, stream", name)
		}
		rate, burst, _ := strings.Cut(size, ":")
		r, err := strconv.Atoi(rate)
		b, err2 := strconv.Atoi(burst)
		if err != nil || err2 != nil || r < 1 || b < 1 {
			return nil, fmt.Errorf("SEGUE_RATE_LIMITS: %q is not of the form %s=requests a second:at once", part, name)
		}
		limits[Class(name)] = redis_rate.Limit{Rate: r, Burst: b, Period: time.Second}
	}
	return limits, nil
}
