package handoff

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
	"wensheng/internal/redisx"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// scripts are the desk's writing verbs. Each touches the keys of one hash tag
// and is idempotent by the ids it is given, so sending one again after a lost
// reply is harmless.
type scripts struct {
	enqueue, claim, renew, requeue, finish, withdraw *redisx.Script
	presence, away, unlock                           *redisx.Script
}

func loadScripts() (*scripts, error) {
	s := &scripts{}
	for name, to := range map[string]**redisx.Script{
		"enqueue": &s.enqueue, "claim": &s.claim, "renew": &s.renew,
		"requeue": &s.requeue, "finish": &s.finish, "withdraw": &s.withdraw,
		"presence": &s.presence, "away": &s.away, "unlock": &s.unlock,
	} {
		src, err := luaFiles.ReadFile("lua/" + name + ".lua")
		if err != nil {
			return nil, fmt.Errorf("handoff: read script %s: %w", name, err)
		}
		*to = redisx.NewScript(name, string(src))
	}
	return s, nil
}

// attempts is how often a script is sent when its reply is lost.
const attempts = 3

// run sends a script, again if the connection broke before its reply came.
func (d *Desk) run(ctx context.Context, s *redisx.Script, keys []string, args ...any) (any, error) {
	var err error
	for range attempts {
		var res any
		res, err = s.Run(ctx, d.redis, keys, args...)
		if err == nil || errors.Is(err, redis.Nil) {
			return res, nil
		}
		if !redisx.Lost(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, failed(s.Name(), err)
}

// runInt is run for a script that returns a number.
func (d *Desk) runInt(ctx context.Context, s *redisx.Script, keys []string, args ...any) (int64, error) {
	res, err := d.run(ctx, s, keys, args...)
	if err != nil {
		return 0, err
	}
	n, ok := res.(int64)
	if !ok {
		return 0, fmt.Errorf("handoff: script returned %T, want a number", res)
	}
	return n, nil
}

// read runs a pipeline of reads.
func (d *Desk) read(ctx context.Context, fill func(redis.Pipeliner)) error {
	_, err := d.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		fill(p)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return failed("read", err)
	}
	return nil
}

// failed wraps what Redis answered to one verb.
func failed(verb string, err error) error {
	if redisx.Unavailable(err) {
		return fmt.Errorf("handoff: %s: %w: %w", verb, chat.ErrUnavailable, err)
	}
	return fmt.Errorf("handoff: %s: %w", verb, err)
}
