package playback

import (
	"context"
	"sync"

	"github.com/redis/go-redis/v9"
)

// pause holds the first command, between what was read before and what it sets.
type pause struct {
	once             sync.Once
	reached, release chan struct{}
}

func (p *pause) wait() {
	p.once.Do(func() {
		close(p.reached)
		<-p.release
	})
}

func (p *pause) DialHook(next redis.DialHook) redis.DialHook { return next }

func (p *pause) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() == "evalsha" {
			p.wait()
		}
		return next(ctx, cmd)
	}
}

func (p *pause) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}
