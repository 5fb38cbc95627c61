package web

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"wensheng/internal/chat"
)

const (
	// page is how many messages are read from the transcript at a time.
	page = 100
	// typingEvery is how often a visitor's typing is passed on.
	typingEvery = 2 * time.Second
	// readAgain is when a failed reading is tried again.
	readAgain = 2 * time.Second
	// closedPolls is how much rarer a closed conversation is looked at.
	closedPolls = 4
	// presentEvery is how often it is told that an invited visitor is there.
	presentEvery = time.Minute
)

// visit is what a socket knows of its visitor. Only the worker touches it.
type visit struct {
	greeted  bool
	opened   bool // conv exists in the store
	addr     chat.Address
	identity *chat.Identity
	guest    *guest // nil for a visitor of the account itself
	conv     chat.ConvID
	offered  int64 // when conv was proposed, Unix seconds; 0 once opened
	astray   bool  // conv is not the visitor's newest one any more

	// seq and vseq are the last message read from the transcript, whether sent
	// or left out.
	seq, vseq int64
	// own are this socket's messages with Seq > seq: they were acknowledged
	// and must not come again.
	own map[chat.MessageID]struct{}

	state     chat.State
	stateSeq  int64 // the Seq at which state was true
	shown     stateFrame
	shownETA  [2]int64
	readVSeq  int64
	typedAt   time.Time
	bad       int // bad frames in a row
	skipPolls int
	frames    int // in the window
	window    time.Time
}

// guest is a visitor who continues another channel's conversation.
type guest struct {
	until  int64 // Unix seconds: the end of his invitation
	toldAt time.Time
}

func (k *conn) storeContext() (context.Context, context.CancelFunc) {
	return context.WithTimeout(k.ch.base, k.ch.o.Timing.Store) //nolint:gosec // the caller cancels
}

// takeFrame answers one frame of the visitor.
func (k *conn) takeFrame(in inFrame) {
	v := &k.visit
	now := k.ch.wall()
	if now.Sub(v.window) > floodWindow {
		v.window, v.frames = now, 0
	}
	if v.frames++; v.frames > floodFrames {
		k.close(CloseFlood)
		return
	}
	f, err := Parse(in.data)
	if in.binary {
		err = &FrameError{Code: ErrorBadFrame, Reason: "frames are text"}
	}
	if !v.greeted {
		switch {
		case f.T != "hello" || in.binary:
			k.ch.o.Metrics.FrameIn(k.account.id, ErrorBadFrame)
			k.close(CloseHelloFirst)
		case err != nil:
			k.ch.o.Metrics.FrameIn(k.account.id, ErrorBadFrame)
			k.close(CloseBadHello)
		default:
			k.ch.o.Metrics.FrameIn(k.account.id, f.T)
			k.hello(f)
		}
		return
	}
	if err == nil && f.T == "hello" {
		err = &FrameError{Code: ErrorBadFrame, Reason: "hello was already said"}
	}
	var bad *FrameError
	if errors.As(err, &bad) {
		k.ch.o.Metrics.FrameIn(k.account.id, bad.Code)
		k.send(errorFrame{T: "error", Code: bad.Code, CID: bad.CID, Message: bad.Reason})
		if v.bad++; v.bad >= badFrames {
			k.close(CloseFlood)
		}
		return
	}
	v.bad = 0
	k.ch.o.Metrics.FrameIn(k.account.id, f.T)
	switch f.T {
	case "msg":
		k.accept(f, chat.Inbound{Kind: chat.KindText, Text: f.Text})
	case "pick":
		k.accept(f, chat.Inbound{Kind: chat.KindPick, Pick: f.ID})
	case "rate":
		k.accept(f, chat.Inbound{Kind: chat.KindRating, Score: f.Score, Text: f.Comment})
	case "end":
		k.accept(f, chat.Inbound{Kind: chat.KindEvent, Event: "end"})
	case "typing":
		k.typing(now)
	case "read":
		k.markRead(f.Seq)
	case "ping":
		k.send(bareFrame{T: "pong"})
	}
}

// takeTodo does what others than the visitor caused.
func (k *conn) takeTodo(j job) {
	v := &k.visit
	if !v.greeted {
		return
	}
	ctx, cancel := k.storeContext()
	defer cancel()
	if j.todo&doRecheck != 0 {
		k.recheck(ctx)
	}
	if j.todo&doSync != 0 {
		k.opened()
		if j.seq == 0 || j.seq > v.seq {
			k.sync(ctx)
		}
		if j.state != "" && j.stateSeq >= v.stateSeq {
			v.stateSeq = j.stateSeq
			k.setState(ctx, j.state)
		}
	}
	if j.todo&doPoll != 0 {
		k.poll(ctx)
	}
	if j.todo&doTyping != 0 && j.typing != "" {
		k.send(typingFrame{T: "typing", Role: j.typing})
	}
	if j.todo&doPing != 0 {
		k.ping()
	}
}

// hello decides who the visitor is and where he left off.
func (k *conn) hello(f Frame) {
	ctx, cancel := k.storeContext()
	defer cancel()
	v, now := &k.visit, k.ch.now()
	sess, returning := k.ch.sessions.open(f.Session, k.account.id, now)

	badIdentity := false
	if returning && sess.invited() {
		// The invitation says who he is; a page's statement does not add to it.
		v.guest = &guest{until: sess.Until}
	} else if f.Identity != "" {
		id, err := verify(f.Identity, k.account.key, k.account.id, now)
		badIdentity = err != nil
		v.identity = id
	}
	if !returning {
		sess = session{Account: k.account.id, Visitor: visitorAnonymous + chat.NewToken()}
	}

	var conv chat.Conversation
	var found bool
	look := func(addr chat.Address) bool {
		var err error
		v.addr = addr
		conv, err = k.ch.o.Reader.Current(ctx, v.addr)
		if found = err == nil; !found {
			conv = chat.Conversation{}
		}
		if err != nil && !errors.Is(err, chat.ErrNotFound) {
			k.ch.log.WarnContext(ctx, "web chat cannot read the store", slog.Any("error", err))
			k.send(errorFrame{T: "error", Code: ErrorUnavailable, Message: "The chat cannot be reached for the moment."})
			k.close(CloseUnavailable)
			return false
		}
		return true
	}
	switch {
	case v.identity == nil && returning:
		if !look(sess.addr()) {
			return
		}
		if subject, known := strings.CutPrefix(sess.Visitor, visitorKnown); known && v.guest == nil {
			// The token was given to somebody the page vouched for.
			v.identity = &chat.Identity{Subject: subject}
		}
	case v.identity == nil:
		v.addr = sess.addr()
	default:
		known := visitorKnown + v.identity.Subject
		if returning && sess.anonymous() {
			// He began before he logged in: do not take the chat he is in away.
			if !look(sess.addr()) {
				return
			}
			found = found && conv.State != chat.StateClosed
		}
		if !found {
			if known != sess.Visitor {
				sess = session{Account: k.account.id, Visitor: known}
			}
			if !look(sess.addr()) {
				return
			}
		}
	}

	if v.guest == nil {
		sess.Until = now.Add(sessionLife).Unix()
	}
	resync := false
	if found {
		sess.Conv, sess.Offered = "", 0
		v.opened, v.conv, v.state, v.stateSeq = true, conv.ID, conv.State, conv.Seq
		known := f.Epoch != "" && (f.Epoch == string(conv.ID) || f.Epoch == conv.Epoch)
		if known && f.Seq <= conv.VSeq {
			v.vseq = f.Seq
		} else {
			resync = f.Epoch != "" || f.Seq > 0 || conv.VSeq > 0
		}
		if !known {
			f.Epoch = epoch(conv)
		}
	} else {
		v.state = chat.StateBot
		if sess.Conv == "" || f.Seq > 0 || (f.Epoch != "" && f.Epoch != string(sess.Conv)) {
			// What he has seen is gone, or he is new. An id that may have been
			// used is never offered again.
			resync = f.Seq > 0 || f.Epoch != ""
			sess.Conv, sess.Offered = k.ch.o.Propose(v.addr), now.Unix()
		}
		v.conv, v.offered = sess.Conv, sess.Offered
		f.Epoch = string(v.conv)
	}
	token, err := k.ch.sessions.seal(sess)
	if err != nil {
		k.ch.log.ErrorContext(ctx, "web session cannot be made", slog.Any("error", err))
		k.close(CloseUnavailable)
		return
	}
	v.greeted = true
	v.shown = state(v.state, 0, 0, 0)
	v.seq = v.vseq // Seq is never smaller than VSeq, so nothing visible is skipped
	k.ch.hub.follow(k, v.conv)
	k.schedule(true)

	k.send(welcomeFrame{T: "welcome", Session: token, Conv: v.conv, Epoch: f.Epoch, Seq: conv.VSeq, State: v.state})
	if badIdentity {
		k.send(errorFrame{T: "error", Code: ErrorBadIdentity, Message: "The statement of identity is not valid; the chat goes on without it."})
	}
	if resync {
		k.send(bareFrame{T: "resync"})
	}
	k.present(ctx)
	if !found {
		return
	}
	k.sync(ctx)
	if v.state == chat.StateWaiting {
		k.setState(ctx, v.state)
	}
}

// epoch is what a page compares to know that seq has not started again. It is
// the conversation's id, which the page was told before the store opened the
// conversation, unless the store says that it counts anew.
func epoch(conv chat.Conversation) string {
	if conv.Epoch != "" {
		return conv.Epoch
	}
	return string(conv.ID)
}

// schedule sets the socket's next ping and poll.
func (k *conn) schedule(first bool) {
	now, t := k.ch.wall(), &k.ch.o.Timing
	k.mu.Lock()
	defer k.mu.Unlock()
	if first {
		k.nextPing = now.Add(t.Ping - t.Ping/3 + jittered(t.Ping/4)) // spread: all may have come at once
	}
	if k.visit.opened && k.nextPoll.IsZero() {
		k.nextPoll = now.Add(jittered(t.Poll))
	}
}

// opened notes that the store has the conversation.
func (k *conn) opened() {
	if v := &k.visit; !v.opened {
		v.opened, v.offered = true, 0
		k.schedule(false)
	}
}

// accept hands a message to the house and acknowledges it when it is durable.
func (k *conn) accept(f Frame, in chat.Inbound) {
	v := &k.visit
	if !k.ch.hub.allow(v.addr) {
		k.ch.o.Metrics.FrameIn(k.account.id, ErrorRateLimited)
		k.send(errorFrame{T: "error", Code: ErrorRateLimited, CID: f.CID, Message: "Too many messages; wait a moment."})
		return
	}
	now := k.ch.now()
	in.From, in.ProviderID, in.At, in.Identity = v.addr, cidPrefix+f.CID, now, v.identity
	if !v.opened && now.Sub(time.Unix(v.offered, 0)) <= proposalLife {
		in.Propose = v.conv
	}
	ctx, cancel := k.storeContext()
	defer cancel()
	r, err := k.ch.o.Sink.Accept(ctx, in)
	if err != nil {
		code, text := ErrorUnavailable, "The message could not be stored; send it again."
		if errors.Is(err, chat.ErrTooLong) {
			code, text = ErrorTooLong, "The message is too long."
		}
		k.ch.log.WarnContext(ctx, "web message not accepted", slog.String("account", string(k.account.id)), slog.Any("error", err))
		k.send(errorFrame{T: "error", Code: code, CID: f.CID, Message: text})
		return
	}
	k.present(ctx)
	moved := r.Conv != v.conv && !r.Duplicate && k.move(ctx, r.Conv)
	k.send(ackFrame{T: "ack", CID: f.CID, ID: r.ID, Seq: r.VSeq})
	if r.Conv == v.conv {
		k.opened()
		switch {
		case r.Seq == v.seq+1:
			v.seq, v.vseq = r.Seq, max(v.vseq, r.VSeq)
		case r.Seq > v.seq:
			if v.own == nil {
				v.own = make(map[chat.MessageID]struct{})
			}
			v.own[r.ID] = struct{}{}
		}
		if r.State != "" && r.Seq >= v.stateSeq && !r.Duplicate {
			v.stateSeq = r.Seq
			k.setState(ctx, r.State)
		}
	}
	if moved {
		k.sync(ctx)
	}
}

// move goes over to another conversation of the visitor: the old one was
// closed for good, and this is the next. The page starts again from seq 1.
func (k *conn) move(ctx context.Context, id chat.ConvID) bool {
	v, now := &k.visit, k.ch.now()
	conv, err := k.ch.o.Reader.Load(ctx, id)
	if err != nil {
		// The next poll looks again.
		k.ch.log.WarnContext(ctx, "web chat cannot read its new conversation", slog.Any("error", err))
		v.astray = true
		k.retry()
		return false
	}
	sess := session{Account: k.account.id, Visitor: v.addr.ID, Until: now.Add(sessionLife).Unix()}
	if v.guest != nil {
		sess.As, sess.Until = v.addr.Account, v.guest.until
	}
	token, err := k.ch.sessions.seal(sess)
	if err != nil {
		return false
	}
	v.conv, v.opened, v.offered, v.astray = id, true, 0, false
	v.seq, v.vseq, v.own, v.readVSeq = 0, 0, nil, 0
	v.state, v.stateSeq = conv.State, conv.Seq
	v.shown, v.shownETA = state(conv.State, 0, 0, 0), [2]int64{}
	k.mu.Lock()
	k.wakeSeq, k.wakeStateSeq, k.wakeState = 0, 0, ""
	k.mu.Unlock()
	k.ch.hub.follow(k, id)
	k.schedule(false)
	k.send(bareFrame{T: "resync"})
	return k.send(welcomeFrame{T: "welcome", Session: token, Conv: id, Epoch: epoch(conv), Seq: conv.VSeq, State: conv.State})
}

// recheck asks where the visitor's conversation is now.
func (k *conn) recheck(ctx context.Context) {
	v := &k.visit
	conv, err := k.ch.o.Reader.Current(ctx, v.addr)
	if err != nil {
		if !errors.Is(err, chat.ErrNotFound) {
			k.retry()
		}
		return
	}
	if conv.ID == v.conv {
		k.opened()
		return
	}
	if k.move(ctx, conv.ID) {
		k.sync(ctx)
	}
}

// sync sends what the transcript holds after what this socket has read.
func (k *conn) sync(ctx context.Context) {
	v := &k.visit
	for {
		msgs, err := k.ch.o.Reader.Transcript(ctx, v.conv, v.seq, page)
		if err != nil {
			if !errors.Is(err, chat.ErrNotFound) {
				k.ch.log.WarnContext(ctx, "web chat cannot read the transcript", slog.Any("error", err))
				k.retry()
			}
			return
		}
		for i := range msgs {
			m := &msgs[i]
			if m.Seq <= v.seq {
				continue
			}
			v.seq = m.Seq
			_, own := v.own[m.ID]
			if own {
				if delete(v.own, m.ID); len(v.own) == 0 {
					v.own = nil
				}
			}
			if m.Hidden || m.VSeq <= v.vseq {
				continue
			}
			v.vseq = m.VSeq
			if !own && !k.send(message(m)) {
				return
			}
		}
		if len(msgs) < page {
			return
		}
	}
}

// retry looks again soon, after a failed reading.
func (k *conn) retry() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nextPoll = k.ch.wall().Add(min(jittered(readAgain), k.ch.o.Timing.Poll))
}

// poll finds what a lost wake-up should have told, and the place in the queue.
func (k *conn) poll(ctx context.Context) {
	v := &k.visit
	if v.state == chat.StateClosed && !v.astray {
		if v.skipPolls++; v.skipPolls < closedPolls {
			return
		}
		v.skipPolls = 0
	}
	if v.state == chat.StateClosed || v.astray {
		k.recheck(ctx)
	}
	conv, err := k.ch.o.Reader.Load(ctx, v.conv)
	if err != nil {
		if !errors.Is(err, chat.ErrNotFound) {
			k.retry()
		}
		return
	}
	if conv.Seq > v.seq {
		k.sync(ctx)
	}
	if conv.Seq >= v.stateSeq {
		v.stateSeq = conv.Seq
		k.setState(ctx, conv.State)
	}
}

// setState tells the page when the state, or its place in the queue, is news.
func (k *conn) setState(ctx context.Context, s chat.State) {
	v := &k.visit
	var pos int
	var low, high time.Duration
	if s == chat.StateWaiting && k.ch.o.Position != nil {
		var err error
		if pos, low, high, err = k.ch.o.Position(ctx, v.conv); err != nil {
			pos, low, high = v.shown.Position, 0, 0 // better an old place than none
		}
	}
	f := state(s, pos, low, high)
	var eta [2]int64
	copy(eta[:], f.ETA)
	v.state = s
	if v.shown.State == f.State && v.shown.Position == f.Position && v.shownETA == eta {
		return
	}
	v.shown, v.shownETA = f, eta
	k.send(f)
}

func (k *conn) typing(now time.Time) {
	v := &k.visit
	if k.ch.o.Typing == nil || !v.opened || now.Sub(v.typedAt) < typingEvery {
		return
	}
	v.typedAt = now
	ctx, cancel := k.storeContext()
	defer cancel()
	if err := k.ch.o.Typing(ctx, v.conv); err != nil {
		k.ch.log.DebugContext(ctx, "web typing not passed on", slog.Any("error", err))
	}
}

func (k *conn) markRead(seq int64) {
	v := &k.visit
	seq = min(seq, v.vseq) // nobody has seen what was not sent
	if k.ch.o.Reads == nil || !v.opened || seq <= v.readVSeq {
		return
	}
	ctx, cancel := k.storeContext()
	defer cancel()
	k.present(ctx)
	if err := k.ch.o.Reads(ctx, v.conv, seq); err != nil {
		k.ch.log.DebugContext(ctx, "web reading not recorded", slog.Any("error", err))
		return
	}
	v.readVSeq = seq
}

// present tells the house that an invited visitor reads or writes here.
func (k *conn) present(ctx context.Context) {
	g := k.visit.guest
	if g == nil || k.ch.o.Invited == nil {
		return
	}
	now := k.ch.now()
	if !g.toldAt.IsZero() && now.Sub(g.toldAt) < presentEvery {
		return
	}
	if err := k.ch.o.Invited(ctx, k.visit.addr); err != nil {
		k.ch.log.DebugContext(ctx, "web presence of an invited visitor not told", slog.Any("error", err))
		return
	}
	g.toldAt = now
}
