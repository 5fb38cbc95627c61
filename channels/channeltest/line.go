package channeltest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync/atomic"
)

// Line is the wire to a vendor, which can be cut.
type Line struct {
	cut atomic.Int64
	t   *http.Transport
}

// NewLine returns a line of fresh connections, one per request.
func NewLine() *Line {
	l := &Line{}
	l.t = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if l.cut.Load() > 0 && l.cut.Add(-1) >= 0 {
				return nil, &net.OpError{Op: "dial", Net: network, Err: errors.New("connection refused")}
			}
			return (&net.Dialer{}).DialContext(ctx, network, addr)
		},
	}
	return l
}

// Cut makes the next n connections fail before they are made.
func (l *Line) Cut(n int) { l.cut.Store(int64(n)) }

// Transport is what the channel under test calls its vendor with.
func (l *Line) Transport() http.RoundTripper { return l.t }
