// Package channels is what every kind of endpoint has in common: the Channel a
// driver implements, its optional abilities, and the Router that owns policy
// (split to limits, retry, meter) so that a driver makes one honest attempt.
package channels

import (
	"context"
	"net/http"

	"wensheng/internal/chat"
)

// Limits are what one outbound message of a channel may hold.
type Limits struct {
	// TextBytes and TextRunes bound one message's text; 0 is unbounded. The
	// Router splits on rune borders, at sentence ends where it can.
	TextBytes, TextRunes int
	// MaxParts bounds how many messages one reply may become; what is beyond is
	// replaced by an ellipsis.
	MaxParts int
	// Options is how many options a message can show as buttons; 0 means they
	// are written into the text as a numbered list.
	Options int
}

// Outbound is one message to one address, already within the channel's limits.
type Outbound struct {
	Conv    chat.ConvID
	To      chat.Address
	Message chat.Message
	// Text is the part of the message's text to send; Options only come with
	// the last part.
	Text    string
	Options []chat.Option
	// Key is unique per part and stays the same on a retry: an idempotency key
	// for vendors that take one.
	Key string
}

// Channel is one kind of endpoint with all its accounts. Implementations are
// safe for concurrent use.
type Channel interface {
	// Kind is wechat, web or sms.
	Kind() string
	// Handler serves what vendors and visitors call. It is mounted so that it
	// sees the whole path, /channels/<kind>/…
	Handler() http.Handler
	// Limits of one outbound message on the account.
	Limits(account chat.AccountID) Limits
	// Send makes one attempt, within ctx. The error is a *chat.SendError.
	Send(ctx context.Context, out Outbound) error
}

// Puller is a channel whose readers fetch the transcript themselves when woken
// (web chat). What is committed for it is thereby sent; Send is never called.
type Puller interface{ Pulls() bool }

// Typer is a channel that can show that somebody is typing. Best effort.
type Typer interface {
	Typing(ctx context.Context, to chat.Address) error
}

// Runner is a channel with work of its own. Run returns when ctx ends and all
// its goroutines have.
type Runner interface {
	Run(ctx context.Context) error
}

// Drainer is a channel with open connections. Drain tells each peer to come
// back elsewhere and returns when all are closed or ctx ends.
type Drainer interface {
	Drain(ctx context.Context) error
}
