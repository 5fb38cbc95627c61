package intake

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"wensheng/internal/chat"
)

// after carries out what a turn's commit decided, except for the words that a
// callback's response carries: Reply.Written settles those.
func (i *Intake) after(ctx context.Context, t *chat.Turn, s *step, stored []chat.Message) {
	if len(s.Effects) == 0 {
		return
	}
	conv := t.Conversation
	if s.Event != "" {
		conv.Group, conv.Handoff = s.Group, s.Handoff
	}
	find := known(stored)
	due := slices.DeleteFunc(slices.Clone(s.Effects), func(e chat.Effect) bool {
		m, err := find(ctx, e.Message)
		return e.Kind == chat.EffectSend && err == nil && m.Inline
	})
	i.carryAll(ctx, conv, due, find, i.lanes.enter(conv.ID, due))
}

// carryAll carries effects out as they serve people best: the queue first, then
// the words, in the conversation's line, then the record, which shall hold how
// the words fared.
func (i *Intake) carryAll(ctx context.Context, conv chat.Conversation, effects []chat.Effect, find words, p *place) {
	defer p.leave()
	seq := map[chat.MessageID]int64{}
	for _, e := range effects {
		if !inLine(e) {
			i.carry(ctx, conv, e, find)
		} else if m, err := find(ctx, e.Message); e.Kind == chat.EffectSend && err == nil {
			seq[e.Message] = m.Seq
		}
	}
	line := slices.DeleteFunc(slices.Clone(effects), func(e chat.Effect) bool { return !inLine(e) })
	slices.SortStableFunc(line, func(a, b chat.Effect) int {
		if a.Kind != b.Kind {
			return cmp.Compare(b.Kind, a.Kind) // "send" before "archive"
		}
		return cmp.Compare(seq[a.Message], seq[b.Message])
	})
	p.wait()
	for _, e := range line {
		i.carry(ctx, conv, e, find)
	}
}

// words finds a message to send by its id.
type words func(ctx context.Context, id chat.MessageID) (chat.Message, error)

// known finds among messages at hand.
func known(stored []chat.Message) words {
	return func(_ context.Context, id chat.MessageID) (chat.Message, error) {
		for _, m := range stored {
			if m.ID == id {
				return m, nil
			}
		}
		return chat.Message{}, chat.ErrNotFound
	}
}

// transcript finds in the whole transcript, which is read once, when first
// asked: after an outage one conversation may have many messages to send.
func (i *Intake) transcript(id chat.ConvID) words {
	var find words
	return func(ctx context.Context, msg chat.MessageID) (chat.Message, error) {
		if find == nil {
			all, err := i.o.Store.Transcript(ctx, id, 0, 0)
			if err != nil {
				return chat.Message{}, err
			}
			find = known(all)
		}
		return find(ctx, msg)
	}
}

// carry carries one effect out. It may be called any number of times: every
// effect is idempotent, or refuses to be repeated when it may have happened.
func (i *Intake) carry(ctx context.Context, conv chat.Conversation, e chat.Effect, find words) {
	var err error
	switch e.Kind {
	case chat.EffectSend:
		i.deliver(ctx, conv, e, find)
		return
	case chat.EffectEnqueue:
		err = i.enqueue(ctx, conv.ID, e)
	case chat.EffectDequeue:
		err = i.dequeue(ctx, conv.ID, e)
	case chat.EffectArchive:
		err = i.archive(ctx, conv.ID)
	}
	if err == nil {
		err = i.o.Store.Done(ctx, conv.ID, e.ID)
	}
	if err != nil {
		// It stays recorded; the sweeper repeats it when it is due.
		i.o.Logger.WarnContext(ctx, "effect not done yet", "conv", conv.ID, "kind", e.Kind, "err", err)
	}
}

// maxSends is how often a delivery that certainly failed is tried again, the
// Router's own quick retries not counted, before it is shown as failed.
const maxSends = 4

// deliver sends one message and records how it went. An attempt that was begun
// and never recorded may have arrived, so it ends as unknown and is never
// repeated blindly (DESIGN §3.6).
func (i *Intake) deliver(ctx context.Context, conv chat.Conversation, e chat.Effect, find words) {
	log := i.o.Logger.With("conv", conv.ID, "message_id", e.Message)
	m, err := find(ctx, e.Message)
	if err != nil {
		log.WarnContext(ctx, "message to send not read", "err", err)
		return
	}
	before, err := i.o.Store.Begin(ctx, conv.ID, e.ID)
	if errors.Is(err, chat.ErrNotFound) {
		return // somebody else recorded it done
	}
	if err != nil {
		log.WarnContext(ctx, "delivery not begun", "err", err)
		return
	}
	if before > 0 {
		i.outcome(ctx, conv, e, chat.DeliveryUnknown, "interrupted")
		return
	}
	sctx, cancel := context.WithTimeout(ctx, i.o.SendTimeout)
	err = i.o.Sender.Send(sctx, conv, m)
	cancel()
	var se *chat.SendError
	if errors.As(err, &se) && se.Certain && se.Retry && i.inTime(m.At.Add(sendWithin)) {
		i.o.Meter.EffectRetried(string(e.Kind))
		if err := i.o.Store.Retry(ctx, conv.ID, e.ID, i.o.Clock().Add(sendAgain), true); err != nil {
			log.WarnContext(ctx, "delivery not put off", "err", err)
		}
		return
	}
	note := ""
	if se != nil {
		note = se.Code
	}
	i.outcome(ctx, conv, e, chat.Outcome(err), note)
}

// A delivery that certainly failed is tried again every sendAgain until
// sendWithin after it was written.
const (
	sendAgain  = 15 * time.Second
	sendWithin = maxSends * sendAgain
)

func (i *Intake) outcome(ctx context.Context, conv chat.Conversation, e chat.Effect, d chat.Delivery, note string) {
	if err := i.o.Store.SetDelivery(ctx, conv.ID, e.Message, d, note, e.ID); err != nil {
		i.o.Logger.WarnContext(ctx, "delivery not recorded", "conv", conv.ID, "message", e.Message, "err", err)
	}
}

// enqueue puts a waiting conversation into its group's queue; with a higher
// priority than before it moves up.
func (i *Intake) enqueue(ctx context.Context, id chat.ConvID, e chat.Effect) error {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	if conv.State != chat.StateWaiting || conv.Generation != e.Generation {
		return nil // it moved on: claimed, closed, or handed off anew
	}
	pkg := packageOf(conv)
	pkg.Generation = conv.Generation
	_, err = i.o.Desk.Enqueue(ctx, pkg)
	return err
}

// dequeue takes a conversation that needs nobody any more off the desk.
func (i *Intake) dequeue(ctx context.Context, id chat.ConvID, e chat.Effect) error {
	if e.Group == "" {
		return nil
	}
	return i.o.Desk.Withdraw(ctx, e.Group, id, e.Generation)
}

// archive writes a closed conversation to SQL and lets its live keys expire.
func (i *Intake) archive(ctx context.Context, id chat.ConvID) error {
	conv, err := i.o.Store.Load(ctx, id)
	if err != nil {
		return err
	}
	transcript, err := i.o.Store.Transcript(ctx, id, 0, 0)
	if err != nil {
		return err
	}
	if err := i.o.Archive.SaveConversation(ctx, conv, transcript); err != nil {
		return err
	}
	if conv.State != chat.StateClosed {
		return nil // reopened meanwhile: archived again at its next close
	}
	return i.o.Store.Expire(ctx, id, i.o.KeepClosed)
}
