package intake

import (
	"context"
	"time"

	"wensheng/internal/chat"
)

// eventPart marks a text that looks like a piece of a longer one, cut by the
// phone network; its continuation usually follows within seconds. Every piece
// is stored and acknowledged by itself: only the turn waits.
const eventPart = "part"

// gather waits, under the turn lease, for the continuation of a message that was
// cut: until one comes that looks like an end, at most PartWait after the last.
func (i *Intake) gather(ctx context.Context, t *chat.Turn) *chat.Turn {
	if !endsInPart(t.Unread) {
		return t
	}
	woken := make(chan struct{}, 1)
	id := t.Conversation.ID
	stop := i.o.Store.Subscribe(func(w chat.Wake) {
		if w.Conv == id {
			select {
			case woken <- struct{}{}:
			default:
			}
		}
	})
	defer stop()
	// The lease must outlive the wait and the turn after it.
	for endsInPart(t.Unread) && i.inTime(t.Until.Add(-2*i.o.PartWait)) {
		timer := time.NewTimer(i.o.PartWait)
		select {
		case <-woken:
			timer.Stop()
		case <-timer.C:
			if again, err := i.o.Store.Reload(ctx, t); err == nil {
				return again
			}
			return t
		case <-ctx.Done():
			timer.Stop()
			return t
		}
		again, err := i.o.Store.Reload(ctx, t)
		if err != nil {
			return t
		}
		t = again
	}
	return t
}

func endsInPart(unread []chat.Message) bool {
	return len(unread) > 0 && unread[len(unread)-1].Event == eventPart
}

// joinParts reads pieces that follow one another as the one message they were;
// it carries the last piece's id and Seq.
func joinParts(unread []chat.Message) []chat.Message {
	out := make([]chat.Message, 0, len(unread))
	for _, m := range unread {
		if last := len(out) - 1; last >= 0 && out[last].Event == eventPart && m.Kind == chat.KindText {
			m.Text = out[last].Text + m.Text
			out[last] = m
			continue
		}
		out = append(out, m)
	}
	return out
}
