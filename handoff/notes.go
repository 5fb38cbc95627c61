package handoff

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
)

// What a Note's T may be.
const (
	NoteQueue    = "queue"    // a queue changed
	NoteAssigned = "assigned" // an agent has a new lease
	NotePresence = "presence" // an agent's presence changed
	NoteLost     = "lost"     // an agent lost a lease
)

func encode(n Note) string {
	raw, err := json.Marshal(n)
	if err != nil { // four strings always encode
		return "{}"
	}
	return string(raw)
}

func isRace(err error) bool {
	return errors.Is(err, chat.ErrTaken) || errors.Is(err, chat.ErrNotFound)
}

// Subscribe calls fn for every note that arrives while Run runs, until cancel
// is called. fn is called from Run's goroutine and must not block. Notes can be
// lost with a connection: after a reconnect everybody gets a bare queue and a
// bare presence note, which say "read again".
func (d *Desk) Subscribe(fn func(Note)) (cancel func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	id := d.next
	d.next++
	d.subs[id] = fn
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.subs, id)
	}
}

// Run receives notes until ctx ends, reconnecting as needed, and returns nil.
func (d *Desk) Run(ctx context.Context) error {
	ps := d.pubsub.Subscribe(ctx, notesChannel)
	messages := ps.ChannelWithSubscriptions()
	for {
		select {
		case <-ctx.Done():
			if err := ps.Close(); err != nil {
				return fmt.Errorf("handoff: close the subscription: %w", err)
			}
			for range messages { // its goroutine ends when this is drained
			}
			return nil
		case m, ok := <-messages:
			if !ok {
				return nil
			}
			d.dispatch(ctx, m)
		}
	}
}

func (d *Desk) dispatch(ctx context.Context, m any) {
	switch m := m.(type) {
	case *redis.Subscription:
		d.tell(Note{T: NoteQueue})
		d.tell(Note{T: NotePresence})
	case *redis.Message:
		var n Note
		if err := json.Unmarshal([]byte(m.Payload), &n); err != nil {
			d.log.WarnContext(ctx, "a desk note cannot be read", slog.Any("error", err))
			return
		}
		d.tell(n)
	}
}

func (d *Desk) tell(n Note) {
	d.mu.Lock()
	fns := make([]func(Note), 0, len(d.subs))
	for _, fn := range d.subs {
		fns = append(fns, fn)
	}
	d.mu.Unlock()
	for _, fn := range fns {
		fn(n)
	}
}
