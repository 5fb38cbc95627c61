package wechat

import (
	"context"
	"sync"
	"time"

	"wensheng/internal/chat"
)

// Window is what opened a time of free customer-service messages.
type Window string

// The windows and the vendor's present allowances, which Quotas may change.
const (
	WindowMessage   Window = "message"   // 5 messages in 48 hours
	WindowClick     Window = "click"     // 3 in a minute: the menu, and a menu message
	WindowSubscribe Window = "subscribe" // 3 in a minute
	WindowScan      Window = "scan"      // 3 in a minute
)

// Windows returns every window.
func Windows() []Window {
	return []Window{WindowMessage, WindowClick, WindowSubscribe, WindowScan}
}

// Quota is how many messages a window allows and for how long.
type Quota struct {
	Messages int
	For      time.Duration
}

// Quotas are the allowances of each Window; a missing one is the vendor's.
type Quotas map[Window]Quota

// Of returns the allowance of a window.
func (q Quotas) Of(w Window) Quota {
	if v, ok := q[w]; ok {
		return v
	}
	if w == WindowMessage {
		return Quota{5, 48 * time.Hour}
	}
	return Quota{3, time.Minute}
}

// Ledger counts what may still be sent to a contact outside passive replies.
// It informs agents; the vendor alone decides, so nothing is refused on its
// word. Implementations are safe for concurrent use.
type Ledger interface {
	// Opened records that the contact opened a window at that time. An open
	// window of the same kind starts again with its whole allowance.
	Opened(ctx context.Context, to chat.Address, w Window, at time.Time) error
	// Spend takes n messages from what is open at that time, from the window
	// that closes first, never below 0, and returns how many are left and until
	// when. n of 0 only looks; SpendAll takes all.
	Spend(ctx context.Context, to chat.Address, n int, at time.Time) (left int, until time.Time, err error)
}

// SpendAll as Spend's n leaves nothing: the vendor has said that it is so.
const SpendAll = int(^uint(0) >> 1)

const maxLedger = 100_000 // addresses the memory ledger remembers

// memoryLedger is a Ledger of one process.
type memoryLedger struct {
	quotas Quotas

	mu   sync.Mutex
	open map[chat.Address]map[Window]allowance
}

type allowance struct {
	left  int
	until time.Time
}

// NewMemoryLedger returns a Ledger that forgets with the process.
func NewMemoryLedger(q Quotas) Ledger {
	return &memoryLedger{quotas: q, open: map[chat.Address]map[Window]allowance{}}
}

func (l *memoryLedger) Opened(_ context.Context, to chat.Address, w Window, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[to] == nil {
		if len(l.open) >= maxLedger {
			l.prune(at)
		}
		l.open[to] = map[Window]allowance{}
	}
	q := l.quotas.Of(w)
	l.open[to][w] = allowance{left: q.Messages, until: at.Add(q.For)}
	return nil
}

func (l *memoryLedger) Spend(_ context.Context, to chat.Address, n int, at time.Time) (left int, until time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	windows := l.open[to]
	for n > 0 {
		var first Window
		for w, a := range windows {
			if a.until.After(at) && a.left > 0 && (first == "" || a.until.Before(windows[first].until)) {
				first = w
			}
		}
		if first == "" {
			break
		}
		a := windows[first]
		taken := min(n, a.left)
		a.left -= taken
		n -= taken
		windows[first] = a
	}
	for w, a := range windows {
		if !a.until.After(at) {
			delete(windows, w)
			continue
		}
		left += a.left
		if a.until.After(until) {
			until = a.until
		}
	}
	if len(windows) == 0 {
		delete(l.open, to)
	}
	return left, until, nil
}

// prune forgets what is closed, and everything when that is not enough: what is
// lost is a figure on a screen.
func (l *memoryLedger) prune(at time.Time) {
	for to, windows := range l.open {
		live := false
		for _, a := range windows {
			live = live || a.until.After(at)
		}
		if !live {
			delete(l.open, to)
		}
	}
	if len(l.open) >= maxLedger {
		clear(l.open)
	}
}

// Left returns how many customer-service messages the contact may still be sent
// and until when; a zero until means that no window is known to be open.
func (c *Channel) Left(ctx context.Context, to chat.Address) (left int, until time.Time, err error) {
	return c.o.Ledger.Spend(ctx, to, 0, c.o.Clock())
}

// sampler lets one reported position per address and stretch of time through.
type sampler struct {
	mu   sync.Mutex
	last map[chat.Address]time.Time
}

const maxSampled = 20_000 // addresses remembered; when full, all are forgotten

func newSampler() *sampler { return &sampler{last: map[chat.Address]time.Time{}} }

func (s *sampler) due(from chat.Address, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if at, ok := s.last[from]; ok && now.Sub(at) < locationEvery {
		return false
	}
	if len(s.last) >= maxSampled {
		clear(s.last)
	}
	s.last[from] = now
	return true
}

func (s *sampler) forget(from chat.Address) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.last, from)
}
