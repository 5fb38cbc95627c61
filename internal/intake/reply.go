package intake

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"wensheng/internal/chat"
)

// A reply is a callback response waiting for its words. It starts open. The
// turn claims it just before its commit, so that the commit can record that the
// words leave inline; or the waiter gives up first, and the words leave by the
// channel's API. Exactly one of the two happens.
type reply struct {
	in    *Intake
	conv  chat.ConvID
	id    chat.MessageID
	seq   int64
	until time.Time

	state atomic.Int32
	once  sync.Once
	done  chan struct{}
	msgs  []chat.Message
}

const (
	replyOpen int32 = iota
	replyClaimed
	replyHanded
	replyGone
)

var _ chat.Reply = (*reply)(nil)

// expect registers the callback of an accepted message.
func (i *Intake) expect(acc chat.Accepted, until time.Time) *reply {
	r := &reply{
		in: i, conv: acc.Conv, id: acc.Message.ID, seq: acc.Message.Seq,
		until: until, done: make(chan struct{}),
	}
	if !acc.Duplicate {
		i.replies.Store(r.id, r)
	}
	return r
}

// claimReply takes the callback waiting for a message, if one still is.
func (i *Intake) claimReply(id chat.MessageID) *reply {
	v, ok := i.replies.LoadAndDelete(id)
	if !ok {
		return nil
	}
	r := v.(*reply) //nolint:errcheck,forcetypeassert // only expect stores
	if !r.state.CompareAndSwap(replyOpen, replyClaimed) {
		return nil
	}
	return r
}

// finish hands the words over. From then until Written they count as work under
// way, so that a shutdown waits to hear whether they arrived: else the next
// start would send them again. The caller itself is counted.
func (r *reply) finish(msgs []chat.Message) {
	if r == nil {
		return
	}
	r.once.Do(func() {
		if len(msgs) > 0 && r.state.CompareAndSwap(replyClaimed, replyHanded) {
			r.in.work.Add(1)
			r.msgs = msgs
		}
		close(r.done)
	})
}

// Wait implements chat.Reply.
func (r *reply) Wait(ctx context.Context) []chat.Message {
	t := time.NewTimer(r.until.Sub(r.in.o.Clock()))
	defer t.Stop()
	select {
	case <-r.done:
		return r.msgs
	case <-t.C:
	case <-ctx.Done():
	}
	r.in.replies.Delete(r.id)
	if r.state.CompareAndSwap(replyOpen, replyGone) {
		return nil
	}
	// A commit is under way and has promised these words to this response.
	select {
	case <-r.done:
	case <-ctx.Done():
		if r.state.CompareAndSwap(replyClaimed, replyGone) {
			return nil // the sweeper sends them
		}
		<-r.done
	}
	return r.msgs
}

// Written implements chat.Reply.
func (r *reply) Written(err error) {
	msgs := r.msgs
	if len(msgs) == 0 {
		return
	}
	defer r.in.work.Done() // counted since finish
	if err != nil {
		r.in.spawn(context.Background(), func(ctx context.Context) { r.in.unsettle(ctx, r.conv, msgs) })
		return
	}
	r.in.settled.add(r.in, r.conv, msgs)
}

// unsettle gives words whose response could not be written a second chance: the
// vendor delivers the message again, and the words leave in that response. Only
// when it does not are they sent another way.
func (i *Intake) unsettle(ctx context.Context, conv chat.ConvID, msgs []chat.Message) {
	for _, m := range msgs {
		if err := i.o.Store.Retry(ctx, conv, effectSend(m.ID), i.o.Clock().Add(redelivery), true); err != nil {
			i.o.Logger.WarnContext(ctx, "inline reply not put off", "conv", conv, "err", err)
		}
	}
}

// redelivery is longer than any vendor takes to deliver an unanswered message
// again (WeChat: three times within 15 s).
const redelivery = 16 * time.Second

// follow resolves a callback whose turn runs elsewhere or has run before: it
// looks into the transcript, which is the truth, at every wake-up and tick.
func (i *Intake) follow(ctx context.Context, r *reply) {
	ctx, cancel := context.WithDeadline(ctx, r.until)
	defer cancel()
	woken := make(chan struct{}, 1)
	stop := i.o.Store.Subscribe(func(w chat.Wake) {
		if w.Conv == r.conv {
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		msgs, settled := i.answered(ctx, r)
		if settled {
			i.replies.Delete(r.id)
			if r.state.CompareAndSwap(replyOpen, replyClaimed) {
				r.finish(msgs)
			}
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-r.done:
			return
		case <-woken:
		case <-tick.C:
		}
	}
}

// answered returns the words that left, or are leaving, inline for a message;
// settled is false while its turn is still to come.
func (i *Intake) answered(ctx context.Context, r *reply) (msgs []chat.Message, settled bool) {
	conv, err := i.o.Store.Load(ctx, r.conv)
	if err != nil || conv.Cursor < r.seq {
		return nil, false
	}
	later, err := i.o.Store.Transcript(ctx, r.conv, r.seq, 0)
	if err != nil {
		return nil, false
	}
	for _, m := range later {
		if m.InReplyTo == r.id && !m.Hidden {
			if !m.Inline {
				return nil, true // it leaves by the channel's API
			}
			msgs = append(msgs, m)
		}
	}
	return msgs, true
}
