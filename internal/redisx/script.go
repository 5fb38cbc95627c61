package redisx

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Script is one Lua verb, sent by its hash and, when the server does not know
// it yet (after a restart, a failover, on another cluster node), by its source.
// It is immutable and safe for concurrent use.
type Script struct {
	name   string
	script *redis.Script
}

// NewScript names the source of a verb; nothing is sent yet.
func NewScript(name, src string) *Script {
	return &Script{name: name, script: redis.NewScript(src)}
}

// Queue puts the script's call into a pipeline. A server that does not know the
// script yet answers NOSCRIPT: call Run then.
func (s *Script) Queue(ctx context.Context, p redis.Pipeliner, keys []string, args ...any) *redis.Cmd {
	return p.EvalSha(ctx, s.script.Hash(), keys, args...)
}

// Name is the verb, for metrics and errors.
func (s *Script) Name() string { return s.name }

// Run executes the script: one round trip, two the first time a server sees it.
// All keys must carry one hash tag. In a cluster the first key chooses the node.
func (s *Script) Run(ctx context.Context, c redis.Scripter, keys []string, args ...any) (any, error) {
	return s.script.Run(ctx, c, keys, args...).Result()
}
