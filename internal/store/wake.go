package store

import (
	"context"
	"strings"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
)

// wakeBuffer is how many wake-ups may wait for slow subscribers before they are
// dropped; a dropped one costs a poll.
const wakeBuffer = 4096

// Subscribe implements chat.Wakes. fn runs on the goroutine of Run.
func (s *Store) Subscribe(fn func(chat.Wake)) (cancel func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID
	s.nextID++
	s.subscribers[id] = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, id)
	}
}

// Run receives wake-ups of all replicas on one connection and hands them to the
// subscribers until ctx ends, then returns nil. A lost connection is made again.
func (s *Store) Run(ctx context.Context) error {
	sub := s.pubsub.Subscribe(ctx, wakeChannel)
	defer func() { _ = sub.Close() }()
	messages := sub.ChannelWithSubscriptions(redis.WithChannelSize(wakeBuffer))
	for {
		select {
		case <-ctx.Done():
			return nil
		case m, ok := <-messages:
			if !ok {
				return nil
			}
			switch m := m.(type) {
			case *redis.Subscription: // the first, or again after a lost connection
				s.tell(chat.Wake{})
			case *redis.Message:
				if w, ok := parseWake(m.Payload); ok {
					s.tell(w)
				}
			}
		}
	}
}

func (s *Store) tell(w chat.Wake) {
	s.mu.RLock()
	fns := make([]func(chat.Wake), 0, len(s.subscribers))
	for _, fn := range s.subscribers {
		fns = append(fns, fn)
	}
	s.mu.RUnlock()
	for _, fn := range fns {
		fn(w)
	}
}

// Typing implements chat.Store.
func (s *Store) Typing(ctx context.Context, conv chat.ConvID, who chat.Role) error {
	if _, err := shardIn(conv); err != nil {
		return err
	}
	if err := s.redis.Publish(ctx, wakeChannel, string(conv)+"|0||"+string(who)).Err(); err != nil {
		return wrap("typing", err)
	}
	return nil
}

// parseWake reads "conv|seq|state|typing".
func parseWake(payload string) (chat.Wake, bool) {
	part := strings.Split(payload, "|")
	if len(part) != 4 {
		return chat.Wake{}, false
	}
	w := chat.Wake{Conv: chat.ConvID(part[0]), Seq: integer(part[1]), State: chat.State(part[2]), Typing: chat.Role(part[3])}
	_, ok := w.Conv.Shard()
	return w, ok
}
