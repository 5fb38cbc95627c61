package channels

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"wensheng/internal/chat"
)

// Meter counts what became of sends. Outcome is sent, failed or unknown.
type Meter interface {
	Sent(channel, outcome string)
}

// RouterOptions are what NewRouter needs.
type RouterOptions struct {
	Channels []Channel
	// Accounts maps every configured account to its channel's kind.
	Accounts map[chat.AccountID]string
	// Attempts bounds the tries of one Send, the first included; 0 means 3.
	Attempts int
	// Backoff is the pause before the second try, doubled for each further
	// one; 0 means 200 ms.
	Backoff time.Duration
	// Meter may be nil.
	Meter  Meter
	Logger *slog.Logger
}

// Router finds the channel of an account and owns what every channel has in
// common: splitting to limits, options a channel cannot show as buttons,
// retries of what certainly failed, metering. It is safe for concurrent use.
type Router struct {
	o        RouterOptions
	channels map[string]Channel
}

// NewRouter returns a Router over the channels. Every account's kind must have one.
func NewRouter(o RouterOptions) (*Router, error) {
	if o.Attempts == 0 {
		o.Attempts = 3
	}
	if o.Backoff == 0 {
		o.Backoff = 200 * time.Millisecond
	}
	r := &Router{o: o, channels: map[string]Channel{}}
	for _, c := range o.Channels {
		r.channels[c.Kind()] = c
	}
	for account, kind := range o.Accounts {
		if r.channels[kind] == nil {
			return nil, fmt.Errorf("account %q: no channel of kind %q", account, kind)
		}
	}
	return r, nil
}

// Kind returns the channel of an account, or "".
func (r *Router) Kind(account chat.AccountID) string { return r.o.Accounts[account] }

// Pulls reports whether the account's readers fetch the transcript themselves,
// so that what is committed is thereby delivered.
func (r *Router) Pulls(account chat.AccountID) bool {
	p, ok := r.channels[r.o.Accounts[account]].(Puller)
	return ok && p.Pulls()
}

// Typing shows the contact that somebody is typing, where the channel can.
func (r *Router) Typing(ctx context.Context, to chat.Address) error {
	t, ok := r.channels[r.o.Accounts[to.Account]].(Typer)
	if !ok {
		return nil
	}
	return t.Typing(ctx, to)
}

// Send delivers one message, split to the channel's limits. What certainly
// failed and may succeed is tried again within ctx; what may have arrived never
// is. The error is a *chat.SendError; when a later part of a split message
// fails it is not Certain, because the contact has part of it.
func (r *Router) Send(ctx context.Context, conv chat.Conversation, m chat.Message) error {
	kind := r.o.Accounts[conv.Contact.Account]
	c := r.channels[kind]
	if c == nil {
		return &chat.SendError{Certain: true, Code: "no_account"}
	}
	err := r.send(ctx, c, conv, m)
	if r.o.Meter != nil {
		r.o.Meter.Sent(kind, string(chat.Outcome(err)))
	}
	return err
}

func (r *Router) send(ctx context.Context, c Channel, conv chat.Conversation, m chat.Message) error {
	limits := c.Limits(conv.Contact.Account)
	text, options := m.Text, m.Options
	if len(options) > limits.Options {
		text, options = Numbered(text, options), nil
	}
	parts := Split(text, limits)
	for i, part := range parts {
		out := Outbound{
			Conv: conv.ID, To: conv.Contact, Message: m, Text: part,
			Key: string(m.ID) + "-" + strconv.Itoa(i),
		}
		if i == len(parts)-1 {
			out.Options = options
		}
		if err := r.attempt(ctx, c, out); err != nil {
			var se *chat.SendError
			if !errors.As(err, &se) {
				se = &chat.SendError{Code: "vendor_error", Err: err}
			}
			if i > 0 {
				se = &chat.SendError{Code: se.Code, Err: fmt.Errorf("part %d of %d: %w", i+1, len(parts), err)}
			}
			return se
		}
	}
	return nil
}

func (r *Router) attempt(ctx context.Context, c Channel, out Outbound) error {
	pause := r.o.Backoff
	for try := 1; ; try++ {
		err := c.Send(ctx, out)
		var se *chat.SendError
		if err == nil || !errors.As(err, &se) || !se.Certain || !se.Retry || try == r.o.Attempts {
			return err
		}
		r.o.Logger.InfoContext(ctx, "send failed, trying again",
			"channel", c.Kind(), "conv", out.Conv, "code", se.Code, "try", try)
		t := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			t.Stop()
			return err
		case <-t.C:
		}
		pause *= 2
	}
}

// Numbered writes options into the text, one a line, for channels without
// buttons. The bot reads the number back as a pick.
func Numbered(text string, options []chat.Option) string {
	var b strings.Builder
	b.WriteString(text)
	for i, o := range options {
		fmt.Fprintf(&b, "\n%d. %s", i+1, o.Label)
	}
	return b.String()
}
