package web

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"wensheng/internal/chat"
)

// todo is work for a socket's worker other than its visitor's frames.
type todo uint8

const (
	doSync    todo = 1 << iota // a wake-up: read the transcript
	doPoll                     // look whether a wake-up was lost
	doPing                     //
	doTyping                   // pass on that somebody types
	doRecheck                  // the visitor may have another conversation
)

const (
	// inboxSize is how many frames wait for the worker before the reader stops
	// reading: the visitor's own network then holds him back.
	inboxSize = 4
	// floodFrames in floodWindow are more than any page sends.
	floodFrames = 2000
	floodWindow = 10 * time.Second
	// badFrames in a row mean that the peer does not speak our protocol.
	badFrames = 100
)

// conn is one socket. It has one reader goroutine with a small stack, and a
// worker goroutine only while there is something to do; the worker takes one
// thing after the other, is the only one that writes messages, and alone
// touches visit. So an idle socket costs one parked goroutine.
type conn struct {
	ch      *Channel
	ws      *websocket.Conn
	account *account
	ip      string

	// Guarded by hub.mu.
	linked  chat.ConvID
	sibling *conn

	mu      sync.Mutex
	room    sync.Cond // signalled when the inbox has room again
	inbox   []inFrame
	todo    todo
	working bool // a worker runs
	gone    bool // the reader has ended
	closing int  // close code to send, or sent
	told    bool // the close frame is on its way
	// What woke us; read and cleared by the worker.
	wakeSeq      int64
	wakeState    chat.State
	wakeStateSeq int64
	wakeTyping   chat.Role
	// Set by the worker, read by tick.
	writing  time.Time // since when a write is under way
	nextPing time.Time // zero before hello
	nextPoll time.Time // zero when there is nothing to poll

	visit visit
}

type inFrame struct {
	data   []byte
	binary bool
}

func newConn(c *Channel, ws *websocket.Conn, a *account, ip string) *conn {
	k := &conn{ch: c, ws: ws, account: a, ip: ip}
	k.room.L = &k.mu
	return k
}

// refuse closes a socket that was never opened.
func (k *conn) refuse(code int) {
	_ = k.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), k.ch.wall().Add(time.Second))
	_ = k.ws.Close() // nothing is lost with it
}

// read takes frames off the wire until the connection ends, and ends it.
func (k *conn) read() {
	defer k.finish()
	t := &k.ch.o.Timing
	spoken := false
	alive := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if spoken && k.closing == 0 {
			_ = k.ws.SetReadDeadline(k.ch.wall().Add(t.Ping * 5 / 2)) // fails only on a closed connection
		}
	}
	k.ws.SetPongHandler(func(string) error {
		alive()
		return nil
	})
	_ = k.ws.SetReadDeadline(k.ch.wall().Add(t.Hello))
	for {
		kind, r, err := k.ws.NextReader()
		if err != nil {
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				if spoken {
					k.lastWord(CloseSilent)
				} else {
					k.lastWord(CloseHelloLate)
				}
			}
			return
		}
		// Not gorilla's own limit: it closes with 1009, which tells the peer
		// to come back with the same frame.
		data, err := io.ReadAll(io.LimitReader(r, MaxFrame+1))
		if err != nil {
			return
		}
		spoken = true
		alive()
		if len(data) > MaxFrame {
			k.close(CloseTooLarge)
			continue // until the peer has seen our close
		}
		k.put(inFrame{data: data, binary: kind != websocket.TextMessage})
	}
}

// put gives a frame to the worker, waiting for room.
func (k *conn) put(f inFrame) {
	k.mu.Lock()
	for len(k.inbox) >= inboxSize && k.closing == 0 {
		k.room.Wait()
	}
	if k.closing == 0 {
		k.inbox = append(k.inbox, f)
		k.startLocked()
	}
	k.mu.Unlock()
}

// finish is the reader's end.
func (k *conn) finish() {
	_ = k.ws.Close() // the connection is over either way
	k.mu.Lock()
	k.gone = true
	k.todo = 0
	code := k.closing
	k.mu.Unlock()
	k.ch.hub.drop(k)
	k.ch.o.Metrics.SocketClosed(k.account.id, code)
}

// lastWord sends a close frame from the reader, when nothing can be read any more.
func (k *conn) lastWord(code int) {
	k.mu.Lock()
	told := k.told
	k.told = true
	if k.closing == 0 {
		k.closing = code
	}
	k.room.Broadcast()
	k.mu.Unlock()
	if !told {
		_ = k.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), k.ch.wall().Add(time.Second))
	}
}

// close lets the worker finish what it is at and then say goodbye with the
// code; the first code stays. Safe from anywhere.
func (k *conn) close(code int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing != 0 {
		return
	}
	k.closing = code
	k.room.Broadcast()
	if !k.gone {
		k.startLocked()
	}
}

// cut ends the connection without a word.
func (k *conn) cut() { _ = k.ws.Close() }

// kick gives the worker something to do.
func (k *conn) kick(t todo) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.kickLocked(t)
}

func (k *conn) kickLocked(t todo) {
	if k.gone || k.closing != 0 {
		return
	}
	k.todo |= t
	k.startLocked()
}

// startLocked starts the worker unless one runs. The reader still runs, or is
// the caller, or the caller holds hub.mu with the socket in it: so the group's
// count is above zero.
func (k *conn) startLocked() {
	if !k.working {
		k.working = true
		k.ch.hub.wg.Go(k.work)
	}
}

// woken takes a wake-up; hub calls it.
func (k *conn) woken(w chat.Wake) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if w.Typing != "" {
		if w.Typing != chat.RoleContact {
			k.wakeTyping = w.Typing
			k.kickLocked(doTyping)
		}
		return
	}
	if w.Seq == 0 || w.Seq > k.wakeSeq {
		k.wakeSeq = w.Seq
	}
	if w.State != "" && w.Seq >= k.wakeStateSeq {
		k.wakeState, k.wakeStateSeq = w.State, w.Seq
	}
	k.kickLocked(doSync)
}

// tick lets the worker do what is due; hub calls it about once a second.
func (k *conn) tick(now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.writing.IsZero() && now.Sub(k.writing) > k.ch.o.Timing.Slow && k.closing == 0 {
		k.closing = CloseSlow // the worker is in the write and will see it
		k.room.Broadcast()
		return
	}
	if k.nextPing.IsZero() {
		return
	}
	if now.After(k.nextPing) {
		k.nextPing = now.Add(k.ch.o.Timing.Ping)
		k.kickLocked(doPing)
	}
	if !k.nextPoll.IsZero() && now.After(k.nextPoll) {
		k.nextPoll = now.Add(jittered(k.ch.o.Timing.Poll))
		k.kickLocked(doPoll)
	}
}

// job is the next thing for the worker.
type job struct {
	frame    *inFrame
	todo     todo
	seq      int64
	state    chat.State
	stateSeq int64
	typing   chat.Role
	code     int
}

// next returns the next job, or false when the worker shall end.
func (k *conn) next() (job, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closing != 0 {
		k.inbox = nil // not acknowledged: the page sends them again
		if k.told || k.gone {
			k.working = false
			return job{}, false
		}
		k.told = true
		return job{code: k.closing}, true
	}
	if k.todo != 0 {
		j := job{todo: k.todo, seq: k.wakeSeq, state: k.wakeState, stateSeq: k.wakeStateSeq, typing: k.wakeTyping}
		k.todo, k.wakeState, k.wakeTyping = 0, "", ""
		return j, true
	}
	if len(k.inbox) > 0 {
		f := k.inbox[0]
		if k.inbox = k.inbox[1:]; len(k.inbox) == 0 {
			k.inbox = nil // an idle socket keeps no buffer
		}
		k.room.Signal()
		return job{frame: &f}, true
	}
	k.working = false
	return job{}, false
}

func (k *conn) work() {
	defer func() {
		if p := recover(); p != nil {
			// One visitor's bad luck must not end the others' chats.
			k.ch.log.LogAttrs(k.ch.base, slog.LevelError, "web socket worker panicked",
				slog.String("account", string(k.account.id)), slog.String("stack", string(debug.Stack())))
			k.cut()
		}
	}()
	for {
		j, ok := k.next()
		if !ok {
			return
		}
		switch {
		case j.code != 0:
			k.goodbye(j.code)
		case j.frame != nil:
			k.takeFrame(*j.frame)
		default:
			k.takeTodo(j)
		}
	}
}

// goodbye sends the close frame and gives the peer a moment to answer; the
// reader ends the connection.
func (k *conn) goodbye(code int) {
	now := k.ch.wall()
	err := k.ws.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(code, ""), now.Add(time.Second))
	if err != nil {
		k.cut()
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.ws.SetReadDeadline(now.Add(k.ch.o.Timing.Grace)) // fails only on a closed connection
}

// send writes one frame. A failure ends the connection: a WebSocket whose
// write timed out cannot be used any more.
func (k *conn) send(frame any) bool {
	b, err := encode(frame)
	if err != nil {
		k.ch.log.ErrorContext(k.ch.base, "web frame cannot be encoded", slog.Any("error", err))
		return false
	}
	now := k.ch.wall()
	k.mu.Lock()
	k.writing = now
	k.mu.Unlock()
	_ = k.ws.SetWriteDeadline(now.Add(k.ch.o.Timing.Write)) // never fails, it is only kept
	err = k.ws.WriteMessage(websocket.TextMessage, b)
	k.mu.Lock()
	k.writing = time.Time{}
	ok := err == nil && k.closing == 0
	k.mu.Unlock()
	if err != nil {
		k.cut()
	}
	return ok
}

// ping asks whether the peer is there; its pong moves the read deadline.
func (k *conn) ping() {
	if err := k.ws.WriteControl(websocket.PingMessage, nil, k.ch.wall().Add(k.ch.o.Timing.Slow)); err != nil {
		k.cut()
	}
}
