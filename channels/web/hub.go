package web

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"wensheng/internal/chat"
)

// hub knows every socket of the process. Lock order: hub.mu, then conn.mu.
type hub struct {
	ch *Channel

	mu     sync.RWMutex
	conns  map[*conn]struct{}
	byConv map[chat.ConvID]*conn // head of a list through conn.sibling
	byIP   map[string]int
	total  int           // reserved sockets, the sum of byIP
	closed bool          // no new sockets
	empty  chan struct{} // closed when closed and the last socket is gone

	// wg counts readers and workers; Run waits for it.
	wg sync.WaitGroup

	limitMu sync.Mutex
	limits  map[string]*rate.Limiter // by account and visitor
}

func newHub(c *Channel) *hub {
	return &hub{
		ch:     c,
		conns:  make(map[*conn]struct{}),
		byConv: make(map[chat.ConvID]*conn),
		byIP:   make(map[string]int),
		empty:  make(chan struct{}),
		limits: make(map[string]*rate.Limiter),
	}
}

type reserveResult int

const (
	reserveOK   reserveResult = iota
	reserveFull               // too many from this network
	reserveBusy               // too many in all
	reserveClosed
)

// reserve counts a socket of the network before the upgrade; release undoes it.
func (h *hub) reserve(ip string) reserveResult {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return reserveClosed
	}
	if h.byIP[ip] >= h.ch.o.Limits.SocketsPerIP {
		return reserveFull
	}
	if h.total >= h.ch.o.Limits.Sockets {
		return reserveBusy
	}
	h.byIP[ip]++
	h.total++
	return reserveOK
}

func (h *hub) release(ip string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.releaseLocked(ip)
}

func (h *hub) releaseLocked(ip string) {
	h.total--
	if h.byIP[ip]--; h.byIP[ip] <= 0 {
		delete(h.byIP, ip)
	}
}

// open starts the reader of a socket that was reserved.
func (h *hub) open(k *conn) {
	h.mu.Lock()
	if h.closed { // the shutdown came during the handshake
		h.releaseLocked(k.ip)
		h.mu.Unlock()
		k.refuse(CloseShutdown)
		return
	}
	h.conns[k] = struct{}{}
	h.wg.Go(k.read)
	h.mu.Unlock()
	h.ch.o.Metrics.SocketOpened(k.account.id)
}

// drop forgets a socket; its reader calls it last.
func (h *hub) drop(k *conn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.unlinkLocked(k)
	delete(h.conns, k)
	h.releaseLocked(k.ip)
	if h.closed && len(h.conns) == 0 {
		h.closeEmptyLocked()
	}
}

func (h *hub) closeEmptyLocked() {
	select {
	case <-h.empty:
	default:
		close(h.empty)
	}
}

// follow makes k hear the wake-ups of conv, and no longer those of the
// conversation before. Sockets left behind on that one are told to look where
// their visitor is now.
func (h *hub) follow(k *conn, conv chat.ConvID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, here := h.conns[k]; !here {
		return // the socket is gone; its last frames are still being taken
	}
	if k.linked == conv {
		return
	}
	old := k.linked
	h.unlinkLocked(k)
	k.linked, k.sibling = conv, h.byConv[conv]
	h.byConv[conv] = k
	for other := h.byConv[old]; old != "" && other != nil; other = other.sibling {
		other.kick(doRecheck)
	}
}

func (h *hub) unlinkLocked(k *conn) {
	if k.linked == "" {
		return
	}
	if head := h.byConv[k.linked]; head == k {
		if k.sibling == nil {
			delete(h.byConv, k.linked)
		} else {
			h.byConv[k.linked] = k.sibling
		}
	} else {
		for ; head != nil; head = head.sibling {
			if head.sibling == k {
				head.sibling = k.sibling
				break
			}
		}
	}
	k.linked, k.sibling = "", nil
}

// wake passes a wake-up to the sockets on its conversation, and lets every
// socket look when some may have been lost. It does not block.
func (h *hub) wake(w chat.Wake) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if w.Conv == "" {
		for k := range h.conns {
			k.kick(doPoll)
		}
		return
	}
	for k := h.byConv[w.Conv]; k != nil; k = k.sibling {
		k.woken(w)
	}
}

// allow takes one message from the visitor's bucket.
func (h *hub) allow(a chat.Address) bool {
	key := string(a.Account) + "\x00" + a.ID
	h.limitMu.Lock()
	defer h.limitMu.Unlock()
	l := h.limits[key]
	if l == nil {
		l = rate.NewLimiter(rate.Limit(h.ch.o.Limits.VisitorPerS), h.ch.o.Limits.VisitorBurst)
		h.limits[key] = l
	}
	return l.AllowN(h.ch.now(), 1)
}

// sweep forgets buckets that are full again: they say nothing any more.
func (h *hub) sweep() {
	now := h.ch.now()
	h.limitMu.Lock()
	defer h.limitMu.Unlock()
	for key, l := range h.limits {
		if l.TokensAt(now) >= float64(h.ch.o.Limits.VisitorBurst) {
			delete(h.limits, key)
		}
	}
}

// tick lets every socket do what is due.
func (h *hub) tick(now time.Time) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for k := range h.conns {
		k.tick(now)
	}
}

// closeAll begins to close every socket and lets no new one in.
func (h *hub) closeAll(code int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if len(h.conns) == 0 {
		h.closeEmptyLocked()
	}
	for k := range h.conns {
		k.close(code)
	}
}

// cut ends every connection at once.
func (h *hub) cut() {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for k := range h.conns {
		k.cut()
	}
}

// Drain lets no new socket in and closes all with CloseShutdown, after the
// frame each is busy with. It returns when the last is gone; when ctx ends
// before, the rest is cut off and ctx's error returned.
func (c *Channel) Drain(ctx context.Context) error {
	c.hub.closeAll(CloseShutdown)
	select {
	case <-c.hub.empty:
		return nil
	case <-ctx.Done():
		c.hub.cut()
		return ctx.Err()
	}
}

// Run wakes the sockets, pings them and looks after lost wake-ups, until ctx
// ends. Then it cuts what Drain has not closed and waits for every goroutine
// of the channel. It is called once.
func (c *Channel) Run(ctx context.Context) error {
	every := min(time.Second, c.o.Timing.Ping/4, c.o.Timing.Poll/4, c.o.Timing.Slow/4)
	ticker := time.NewTicker(max(every, time.Millisecond))
	defer ticker.Stop()
	lastSweep := c.wall()
	for {
		select {
		case <-ctx.Done():
			c.deafen()
			c.hub.closeAll(CloseShutdown)
			c.cancel()
			c.hub.cut()
			c.hub.wg.Wait()
			return nil
		case <-ticker.C:
			now := c.wall()
			c.hub.tick(now)
			if now.Sub(lastSweep) > time.Minute {
				lastSweep = now
				c.hub.sweep()
			}
		}
	}
}

// jittered is between d and four thirds of it, so that sockets opened together
// do not stay together.
func jittered(d time.Duration) time.Duration {
	return d + rand.N(d/3+1)
}
