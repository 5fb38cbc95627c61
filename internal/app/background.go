package app

import (
	"context"
	"time"

	"wensheng/internal/knowledge"
)

const (
	// probeEvery is how often Redis is asked how it is while nobody asks /readyz.
	probeEvery = 5 * time.Second
	// expireEvery is how often logins and tickets that are over are deleted.
	expireEvery = time.Hour
)

// watchRedis keeps the metric of Redis true until ctx ends.
func (a *App) watchRedis(ctx context.Context) error {
	return every(ctx, probeEvery, func(ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		a.meter.RedisUp(a.writable(ctx) == nil)
	})
}

// expire deletes logins that are over and what was learned long ago, until ctx
// ends.
func (a *App) expire(ctx context.Context) error {
	return every(ctx, expireEvery, func(ctx context.Context) {
		if _, err := a.archive.DeleteExpired(ctx); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "expired logins not deleted", "err", err)
		}
		if _, err := a.archive.DeleteLearned(ctx, a.clock().Add(-knowledge.KeepLearned)); err != nil && ctx.Err() == nil {
			a.log.WarnContext(ctx, "what was learned long ago not deleted", "err", err)
		}
	})
}

// every runs f at once and then at every interval, until ctx ends.
func every(ctx context.Context, interval time.Duration, f func(context.Context)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		f(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
