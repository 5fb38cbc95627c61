package store

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
)

// Reload implements chat.Store. It also prolongs the lease.
func (s *Store) Reload(ctx context.Context, t *chat.Turn) (*chat.Turn, error) {
	until := s.clock().Add(s.turnLease)
	r, err := s.on(ctx, s.scripts.reload, t.Conversation.ID, t.Token, until.UnixMilli())
	if err != nil {
		return nil, err
	}
	return s.turn(t.Conversation.ID, t.Token, until, r.list(1), r.list(2))
}

// Abandon implements chat.Store. A lease that is lost already is not an error.
func (s *Store) Abandon(ctx context.Context, t *chat.Turn) error {
	_, err := s.on(ctx, s.scripts.abandon, t.Conversation.ID, t.Token)
	return err
}

// SetDelivery implements chat.Store.
func (s *Store) SetDelivery(ctx context.Context, conv chat.ConvID, msg chat.MessageID, d chat.Delivery, note, effect string) error {
	_, err := s.on(ctx, s.scripts.delivery, conv, string(msg), string(d), s.sealRaw([]byte(note)), effect)
	return err
}

// SetSent implements chat.Store. What the pipeline could not settle, for a lost
// connection or a script the server does not know yet, is settled one by one.
func (s *Store) SetSent(ctx context.Context, list []chat.Sent) error {
	type call struct {
		sent chat.Sent
		cmd  *redis.Cmd
	}
	calls := make([]call, 0, len(list))
	_, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, m := range list {
			shard, err := shardIn(m.Conv)
			if err != nil {
				return err
			}
			cmd := s.scripts.delivery.Queue(ctx, p, []string{key(shard, kindConversation, string(m.Conv))},
				s.clock().UnixMilli(), tag(shard), wakeChannel,
				string(m.Conv), string(m.Message), string(chat.DeliverySent), s.sealRaw(nil), m.Effect)
			calls = append(calls, call{m, cmd})
		}
		return nil
	})
	if len(calls) < len(list) {
		return err // a conversation id that is none
	}
	var errs []error
	for _, c := range calls {
		if c.cmd.Err() == nil {
			continue
		}
		if err := s.SetDelivery(ctx, c.sent.Conv, c.sent.Message, chat.DeliverySent, "", c.sent.Effect); err != nil && !errors.Is(err, chat.ErrNotFound) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Done implements chat.Store.
func (s *Store) Done(ctx context.Context, conv chat.ConvID, effects ...string) error {
	args := make([]any, len(effects))
	for i, e := range effects {
		args[i] = e
	}
	_, err := s.on(ctx, s.scripts.done, conv, args...)
	return err
}

// Begin implements chat.Store. The effect is left to the caller for the effect
// lease at least.
func (s *Store) Begin(ctx context.Context, conv chat.ConvID, effect string) (int, error) {
	again := s.clock().Add(s.effectLease)
	r, err := s.on(ctx, s.scripts.begin, conv, effect, chat.NewToken(), again.UnixMilli())
	if err != nil {
		return 0, err
	}
	return int(integer(r.str(1))), nil
}

// Retry implements chat.Store. An effect that is done already stays done.
func (s *Store) Retry(ctx context.Context, conv chat.ConvID, effect string, due time.Time, clean bool) error {
	_, err := s.on(ctx, s.scripts.retry, conv, effect, due.UnixMilli(), flag(clean))
	return err
}

// Due implements chat.Store.
func (s *Store) Due(ctx context.Context, from, to, limit int) ([]chat.ConvID, error) {
	return s.scan(ctx, from, to, s.clock(), limit, readyKey)
}

// InState implements chat.Store.
func (s *Store) InState(ctx context.Context, from, to int, st chat.State, before time.Time, limit int) ([]chat.ConvID, error) {
	return s.scan(ctx, from, to, before.Add(-time.Millisecond), limit, func(shard int) string {
		return key(shard, kindState, string(st))
	})
}

// scan reads a sorted set of each shard in one pipeline: what scored up to last.
func (s *Store) scan(ctx context.Context, from, to int, last time.Time, limit int, name func(shard int) string) ([]chat.ConvID, error) {
	from, to = max(from, 0), min(to, chat.Shards)
	if from >= to {
		return nil, nil
	}
	by := &redis.ZRangeBy{Min: "-inf", Max: strconv.FormatInt(last.UnixMilli(), 10), Count: int64(max(limit, 1))}
	cmds, err := s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for n := from; n < to; n++ {
			p.ZRangeByScore(ctx, name(n), by)
		}
		return nil
	})
	if err != nil {
		return nil, wrap("scan", err)
	}
	var out []chat.ConvID
	for _, cmd := range cmds {
		if list, ok := cmd.(*redis.StringSliceCmd); ok {
			for _, id := range list.Val() {
				out = append(out, chat.ConvID(id))
			}
		}
	}
	return out, nil
}

// TakeOver implements chat.Store. A conversation that is gone is ErrNotFound and
// leaves the ready index.
func (s *Store) TakeOver(ctx context.Context, conv chat.ConvID) (*chat.Turn, []chat.Effect, error) {
	now := s.clock()
	token, until := chat.NewToken(), now.Add(s.turnLease)
	again := now.Add(s.effectLease)
	r, err := s.on(ctx, s.scripts.takeover, conv, token, until.UnixMilli(), again.UnixMilli())
	if err != nil {
		return nil, nil, err
	}
	claimed := r.list(4)
	var effects []chat.Effect
	for i := 0; i+1 < len(claimed); i += 2 {
		e, err := openEffect(claimed[i], claimed[i+1])
		if err != nil {
			return nil, nil, err
		}
		effects = append(effects, e)
	}
	if r.str(1) != "1" {
		return nil, effects, nil
	}
	t, err := s.turn(conv, token, until, r.list(2), r.list(3))
	return t, effects, err
}

// openEffect reads "due|attempts|token|kind|message|generation|group".
func openEffect(id, value string) (chat.Effect, error) {
	part := strings.SplitN(value, "|", 7)
	if len(part) != 7 {
		return chat.Effect{}, errors.New("store: malformed effect")
	}
	return chat.Effect{
		ID: id, Due: instant(part[0]), Attempts: int(integer(part[1])), Kind: chat.EffectKind(part[3]),
		Message: chat.MessageID(part[4]), Generation: integer(part[5]), Group: part[6],
	}, nil
}

// Expire implements chat.Store. A conversation that is not closed (any more) is
// ErrConflict; one that is gone is no error.
func (s *Store) Expire(ctx context.Context, conv chat.ConvID, ttl time.Duration) error {
	_, err := s.on(ctx, s.scripts.expire, conv, max(ttl.Milliseconds(), 0))
	return err
}
