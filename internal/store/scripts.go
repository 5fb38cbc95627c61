package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"wensheng/internal/chat"
	"wensheng/internal/redisx"
)

//go:embed lua/*.lua
var luaFiles embed.FS

// scripts are the verbs, each with lib.lua before it.
type scripts struct {
	accept, commit, write, reload, abandon, read, delivery, done, begin, retry,
	takeover, expire, current, transcript *redisx.Script
}

func loadScripts() (*scripts, error) {
	lib, err := luaFiles.ReadFile("lua/lib.lua")
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	s := &scripts{}
	for name, to := range map[string]**redisx.Script{
		"accept": &s.accept, "commit": &s.commit, "write": &s.write, "reload": &s.reload, "abandon": &s.abandon,
		"read": &s.read, "delivery": &s.delivery, "done": &s.done, "begin": &s.begin, "retry": &s.retry,
		"takeover": &s.takeover, "expire": &s.expire, "current": &s.current, "transcript": &s.transcript,
	} {
		src, err := luaFiles.ReadFile("lua/" + name + ".lua")
		if err != nil {
			return nil, fmt.Errorf("store: %w", err)
		}
		*to = redisx.NewScript(name, string(lib)+string(src))
	}
	return s, nil
}

// attempts bounds how often a script is sent when its reply is lost.
const attempts = 3

// run executes a verb on a shard. When the connection breaks before the reply
// the very same arguments are sent again: every verb recognises its own ids and
// tokens, so nothing is doubled. Other failures are not repeated.
func (s *Store) run(ctx context.Context, sc *redisx.Script, shard int, keys []string, args ...any) (reply, error) {
	all := make([]any, 0, len(args)+3)
	all = append(all, s.clock().UnixMilli(), tag(shard), wakeChannel)
	all = append(all, args...)
	for i := 1; ; i++ {
		raw, err := sc.Run(ctx, s.redis, keys, all...)
		if err == nil {
			list, ok := raw.([]any)
			if !ok || len(list) == 0 {
				return nil, fmt.Errorf("store: %s: unexpected reply %T", sc.Name(), raw)
			}
			return list, nil
		}
		if i == attempts || !redisx.Lost(err) || !pause(ctx, time.Duration(i)*10*time.Millisecond) {
			return nil, wrap(sc.Name(), err)
		}
	}
}

// pause waits, and reports whether ctx still lives.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// wrap marks what means that Redis cannot serve now as chat.ErrUnavailable.
func wrap(verb string, err error) error {
	if redisx.Unavailable(err) {
		return fmt.Errorf("store: %s: %w: %w", verb, chat.ErrUnavailable, err)
	}
	return fmt.Errorf("store: %s: %w", verb, err)
}

// reply is a verb's answer: a code, then strings and lists.
type reply []any

func (r reply) str(i int) string {
	if i >= len(r) {
		return ""
	}
	v, _ := r[i].(string)
	return v
}

func (r reply) list(i int) []string {
	if i >= len(r) {
		return nil
	}
	in, _ := r[i].([]any)
	out := make([]string, len(in))
	for j, v := range in {
		out[j], _ = v.(string)
	}
	return out
}

// failure turns a code into an error of package chat; nil for success.
func failure(verb string, r reply) error {
	var err error
	switch code := r.str(0); code {
	case "OK", "DUP", "REPLAY":
		return nil
	case "NOTFOUND":
		err = chat.ErrNotFound
	case "LEASE":
		err = chat.ErrLeaseLost
	case "CONFLICT":
		err = chat.ErrConflict
	case "TAKEN":
		err = chat.ErrTaken
	case "STATE":
		err = &chat.TransitionError{From: chat.State(r.str(1))}
	default:
		err = errors.New("unexpected reply " + code)
	}
	return fmt.Errorf("store: %s: %w", verb, err)
}
