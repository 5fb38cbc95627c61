package intake

import (
	"context"
	"sync"

	"wensheng/internal/chat"
)

// A settler records that words have left inline. It is off the way of a message
// and shares one round trip among all that were written while the last one was
// under way, so that a turn goes on costing two.
type settler struct {
	mu      sync.Mutex
	waiting []chat.Sent
	busy    bool
}

// settleBatch bounds one round trip.
const settleBatch = 256

// add records the messages soon. The caller is counted as work, and so is the
// recording until it is done.
func (s *settler) add(i *Intake, conv chat.ConvID, msgs []chat.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range msgs {
		s.waiting = append(s.waiting, chat.Sent{Conv: conv, Message: m.ID, Effect: effectSend(m.ID)})
	}
	if !s.busy {
		s.busy = true
		i.spawn(context.Background(), func(ctx context.Context) { s.flush(ctx, i) })
	}
}

// flush records what waits until nothing does.
func (s *settler) flush(ctx context.Context, i *Intake) {
	for {
		s.mu.Lock()
		batch := s.waiting
		if len(batch) > settleBatch {
			batch = batch[:settleBatch]
		}
		s.waiting = s.waiting[len(batch):]
		if len(batch) == 0 {
			s.waiting, s.busy = nil, false
			s.mu.Unlock()
			return
		}
		s.mu.Unlock()
		if err := i.o.Store.SetSent(ctx, batch); err != nil {
			// The effects stay recorded and the sweeper sends the words by the
			// channel's API: rather twice than not at all.
			i.o.Logger.WarnContext(ctx, "inline replies not settled", "count", len(batch), "err", err)
		}
	}
}
