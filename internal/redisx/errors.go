package redisx

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"
)

// unavailable are the answers of a server that cannot serve now but may later,
// or that was set up wrongly: nothing was written, the caller may try again.
var unavailable = [...]string{
	"READONLY", "OOM", "MISCONF", "LOADING", "MASTERDOWN", "CLUSTERDOWN",
	"TRYAGAIN", "NOREPLICAS", "BUSY", "NOAUTH", "NOPERM", "WRONGPASS",
	"UNKILLABLE", "MOVED", "ASK", "ERR max number of clients",
}

// Unavailable reports whether err means that Redis cannot answer or write now:
// down, unreachable, too slow, loading, read-only, out of memory, disk full. It
// does not say that nothing was written: after a lost reply that is unknown, so
// what is sent again must be idempotent.
func Unavailable(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) {
		return false
	}
	if Lost(err) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		errors.Is(err, redis.ErrClosed) || errors.Is(err, redis.ErrPoolTimeout) || errors.Is(err, redis.ErrPoolExhausted) {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	text := err.Error()
	for _, prefix := range unavailable {
		// A script's error carries the command's own, with a dash on some versions.
		if strings.HasPrefix(text, prefix) || strings.HasPrefix(text, "-"+prefix) ||
			strings.Contains(text, ": -"+prefix) || strings.Contains(text, ": "+prefix+" ") {
			return true
		}
	}
	// Sentinel and cluster clients say this in plain text.
	return strings.Contains(text, "all sentinels specified in configuration are unreachable") ||
		strings.Contains(text, "cluster has no nodes")
}

// Lost reports whether the connection broke before the reply was read: the
// command may or may not have been carried out.
func Lost(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}
