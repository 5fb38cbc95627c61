package redisx

import (
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// trialTick is how often time passes for keys with a time to live. miniredis
// has no clock of its own.
const trialTick = 50 * time.Millisecond

// trial is the in-memory store for where there is no redis-server. It is not
// durable and slow for large sorted sets: for a first look only.
type trial struct {
	server         *miniredis.Miniredis
	addr, password string
	quit           chan struct{}
	wg             sync.WaitGroup
}

func startTrial() (*trial, error) {
	t := &trial{server: miniredis.NewMiniRedis(), password: rand.Text(), quit: make(chan struct{})}
	// It listens on loopback, which other users of the machine can reach.
	t.server.RequireAuth(t.password)
	if err := t.server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("redis: start the trial store: %w", err)
	}
	t.addr = t.server.Addr()
	t.wg.Go(func() {
		tick := time.NewTicker(trialTick)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				t.server.FastForward(trialTick)
			case <-t.quit:
				return
			}
		}
	})
	return t, nil
}

func (t *trial) stop() {
	close(t.quit)
	t.wg.Wait()
	t.server.Close()
}
