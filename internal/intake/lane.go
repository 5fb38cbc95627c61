package intake

import (
	"slices"
	"sync"

	"wensheng/internal/chat"
)

// lanes let the deliveries of one conversation leave one after another, in the
// order their commits came back, so that the contact reads what the transcript
// says (G3). They bind this process only: an agent, like a turn, speaks through
// one gateway at a time.
type lanes struct {
	mu   sync.Mutex
	last map[chat.ConvID]chan struct{}
}

// place is one's turn in a lane; nil is nobody's, always at the front. leave must
// be called once.
type place struct {
	l     *lanes
	conv  chat.ConvID
	ahead <-chan struct{} // closed when everybody before has left; nil at the front
	mine  chan struct{}
}

// inLine reports whether an effect keeps the order of the conversation.
func inLine(e chat.Effect) bool { return e.Kind == chat.EffectSend || e.Kind == chat.EffectArchive }

// enter takes the next place of a conversation, if effects need one.
func (l *lanes) enter(id chat.ConvID, effects []chat.Effect) *place {
	if !slices.ContainsFunc(effects, inLine) {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[chat.ConvID]chan struct{}{}
	}
	p := &place{l: l, conv: id, mine: make(chan struct{})}
	if before, ok := l.last[id]; ok {
		p.ahead = before
	}
	l.last[id] = p.mine
	return p
}

// wait returns when it is one's turn. Every delivery is bounded in time, and so
// is the wait.
func (p *place) wait() {
	if p != nil && p.ahead != nil {
		<-p.ahead
	}
}

// leave lets the next one go, but not before those ahead.
func (p *place) leave() {
	if p == nil {
		return
	}
	p.wait()
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	close(p.mine)
	if p.l.last[p.conv] == p.mine {
		delete(p.l.last, p.conv)
	}
}
