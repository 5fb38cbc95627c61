package intake

import (
	"context"
	"errors"
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
	words := known(stored)
	for _, e := range s.Effects {
		if e.Kind == chat.EffectSend {
			if m, err := words(ctx, e.Message); err == nil && m.Inline {
				continue
			}
		}
		i.carry(ctx, conv, e, words)
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
