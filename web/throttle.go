package web

import (
	"context"
	"sync"
	"time"
)

// The login limits. A login name is locked after ten wrong passwords, whoever
// typed them; an address has its own bucket so that one machine cannot try
// many names.
const (
	maxWrong   = 10
	lockFor    = 5 * time.Minute
	forgetFor  = 15 * time.Minute
	maxTracked = 50_000
)

// throttle counts login attempts in this process. With several gateways each
// counts its own.
type throttle struct {
	clock func() time.Time
	perIP int

	mu     sync.Mutex
	logins map[string]*attempts
	ips    map[string]*window
}

// attempts are one login name's. The holder of turn may look at a password:
// one at a time, so that parallel guesses cannot slip under the limit.
type attempts struct {
	turn   chan struct{}
	wrong  int
	last   time.Time
	locked time.Time // zero, or until when
}

type window struct {
	since time.Time
	n     int
}

func newThrottle(clock func() time.Time, perIP int) *throttle {
	return &throttle{clock: clock, perIP: perIP, logins: map[string]*attempts{}, ips: map[string]*window{}}
}

// fromIP counts an attempt of the address and returns how long it must wait,
// 0 when it may go on.
func (t *throttle) fromIP(ip string) time.Duration {
	now := t.clock()
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.ips[ip]
	if w == nil || now.Sub(w.since) >= time.Minute {
		t.prune(now)
		w = &window{since: now}
		t.ips[ip] = w
	}
	if w.n >= t.perIP {
		return max(w.since.Add(time.Minute).Sub(now), time.Second)
	}
	w.n++
	return 0
}

// begin waits for the login's turn. With wait 0 and no error the caller has it
// and must call end.
func (t *throttle) begin(ctx context.Context, login string) (a *attempts, wait time.Duration, err error) {
	t.mu.Lock()
	a = t.logins[login]
	if a == nil {
		t.prune(t.clock())
		a = &attempts{turn: make(chan struct{}, 1)}
		t.logins[login] = a
	}
	t.mu.Unlock()

	select {
	case a.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, 0, ctx.Err()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	if now.Before(a.locked) {
		<-a.turn
		return nil, max(a.locked.Sub(now), time.Second), nil
	}
	if !a.locked.IsZero() || now.Sub(a.last) >= forgetFor {
		a.wrong, a.locked = 0, time.Time{}
	}
	a.last = now
	return a, 0, nil
}

// end gives the turn back. A wrong password counts, a right one clears the
// count; an attempt that the store could not decide is neither.
func (t *throttle) end(a *attempts, decided, right bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case decided && right:
		a.wrong = 0
	case decided:
		a.wrong++
		if a.wrong >= maxWrong {
			a.locked = t.clock().Add(lockFor)
		}
	}
	<-a.turn
}

// prune bounds the memory that names and addresses from outside can take. It
// forgets what is old first, then names that were never locked.
func (t *throttle) prune(now time.Time) {
	if len(t.logins) >= maxTracked {
		for k, a := range t.logins {
			if len(a.turn) == 0 && (now.Sub(a.last) >= forgetFor || !now.Before(a.locked)) {
				delete(t.logins, k)
			}
		}
	}
	if len(t.ips) >= maxTracked {
		for k, w := range t.ips {
			if now.Sub(w.since) >= time.Minute {
				delete(t.ips, k)
			}
		}
	}
}
