package sms

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// outgoing is what a vendor sends: free text, or the link a template carries.
type outgoing struct {
	phone string
	text  string
	link  string
	key   string
}

// Send implements channels.Channel. A contact who opted out is code "blocked",
// an account without credentials "not_configured"; both are certain.
func (c *Channel) Send(ctx context.Context, out channels.Outbound) error {
	a := c.accounts[out.To.Account]
	if a == nil {
		return &chat.SendError{Certain: true, Code: "no_account"}
	}
	if a.Sending == nil {
		return &chat.SendError{Certain: true, Code: "not_configured"}
	}
	blocked, err := c.o.Suppression.Suppressed(ctx, out.To)
	if err != nil {
		return &chat.SendError{Certain: true, Retry: true, Code: "unavailable", Err: errors.New("the opt-out list cannot be read")}
	}
	if blocked {
		return &chat.SendError{Certain: true, Code: "blocked", Err: errors.New("the contact has opted out")}
	}
	msg := outgoing{phone: out.To.ID, text: out.Text, key: out.Key}
	if !a.vendor.freeText() {
		link, err := c.o.Link(ctx, out.Conv, out.To)
		if err != nil {
			return &chat.SendError{Certain: true, Retry: true, Code: "unavailable", Err: errors.New("the link cannot be made")}
		}
		if link == "" { // he has one, and what was said is behind it
			return nil
		}
		msg.link = strings.TrimPrefix(link, a.Sending.LinkPrefix)
	}
	if err := a.vendor.send(ctx, wire{c.o.Transport, c.o.Clock}, msg); err != nil {
		return err
	}
	if msg.link != "" && c.o.Linked != nil {
		if err := c.o.Linked(ctx, out.To); err != nil { // the next reply costs one more link
			c.o.Logger.WarnContext(ctx, "a link that was sent is not remembered", "account", string(out.To.Account), "err", err)
		}
	}
	return nil
}

// wire makes attempts at a vendor's API.
type wire struct {
	transport http.RoundTripper
	clock     func() time.Time
}

// attempt is one request and what is known of it. Vendors' kits swallow that,
// so it is watched below them.
type attempt struct {
	// left is set when the request was on its way: from then on nobody knows
	// whether the vendor acted on it, unless it answers.
	left   atomic.Bool
	err    error
	status int
}

// maxAnswer bounds what is read of a vendor's answer.
const maxAnswer = 1 << 20

// round is an http.RoundTripper made of a function.
type round func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (f round) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// Call implements the HttpClient of Aliyun's kit, whose own transport it ignores.
func (f round) Call(r *http.Request, _ *http.Transport) (*http.Response, error) { return f(r) }

// begin returns a carrier for exactly one request within ctx, and the record of it.
func (w wire) begin(ctx context.Context) (round, *attempt) {
	a := &attempt{}
	return func(r *http.Request) (*http.Response, error) {
		if a.left.Load() || a.status != 0 {
			return nil, errors.New("a second request was not asked for")
		}
		trace := &httptrace.ClientTrace{WroteHeaders: func() { a.left.Store(true) }}
		res, err := w.transport.RoundTrip(r.WithContext(httptrace.WithClientTrace(ctx, trace)))
		if err != nil {
			a.err = err
			return nil, err
		}
		a.status = res.StatusCode
		res.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(res.Body, maxAnswer), res.Body}
		return res, nil
	}, a
}

// failure is what the wire alone says about the attempt; nil when the vendor's
// answer has to be read.
func (a *attempt) failure(vendor string) *chat.SendError {
	switch {
	case a.err != nil && !a.left.Load():
		return &chat.SendError{Certain: true, Retry: true, Code: "vendor_error", Err: fmt.Errorf("%s: no connection: %w", vendor, scrub(a.err))}
	case a.err != nil:
		return &chat.SendError{Code: "timeout", Err: fmt.Errorf("%s: no answer: %w", vendor, scrub(a.err))}
	case a.status == http.StatusTooManyRequests:
		return &chat.SendError{Certain: true, Retry: true, Code: "rate_limited", Err: a.said(vendor)}
	case a.status == http.StatusServiceUnavailable:
		return &chat.SendError{Certain: true, Retry: true, Code: "vendor_error", Err: a.said(vendor)}
	case a.status == http.StatusUnauthorized:
		return &chat.SendError{Certain: true, Code: "unauthorized", Err: a.said(vendor)}
	case a.status >= 500:
		return &chat.SendError{Code: "vendor_error", Err: a.said(vendor)}
	}
	return nil
}

func (a *attempt) said(vendor string) error { return fmt.Errorf("%s: status %d", vendor, a.status) }

// unread is an answer that could not be understood: who knows.
func (a *attempt) unread(vendor string) *chat.SendError {
	return &chat.SendError{Code: "vendor_error", Err: fmt.Errorf("%s: status %d and an unreadable answer", vendor, a.status)}
}

// scrub keeps the cause and drops the address that was called: it can hold a number.
func scrub(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// refused is a vendor's own no, certain by nature.
func refused(vendor, vendorCode, code string, retry bool) *chat.SendError {
	return &chat.SendError{Certain: true, Retry: retry, Code: code, Err: errors.New(vendor + ": " + codeOnly(vendorCode))}
}

// codeOnly keeps a vendor's code from carrying anything else into a log.
func codeOnly(s string) string {
	if len(s) > 64 {
		s = s[:64]
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune("._-", r):
			return r
		}
		return -1
	}, s)
}

// table maps the beginnings of a vendor's codes to ours; the first that fits
// wins, none is a final "vendor_error".
type table []struct {
	prefix, code string
	retry        bool
}

func (t table) refuse(vendor, vendorCode string) *chat.SendError {
	for _, e := range t {
		if strings.HasPrefix(vendorCode, e.prefix) {
			return refused(vendor, vendorCode, e.code, e.retry)
		}
	}
	return refused(vendor, vendorCode, "vendor_error", false)
}

// endpoint splits an API base into scheme and host; otherwise is the host when
// base is empty.
func endpoint(base, otherwise string) (scheme, host string, err error) {
	if base == "" {
		return "https", otherwise, nil
	}
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", "", errors.New("api_base is not an http address")
	}
	return u.Scheme, u.Host, nil
}
