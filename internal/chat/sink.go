package chat

import (
	"context"
	"time"
)

// Sink takes what channels decode. It is the only way into the house.
//
// Accept returns after one script has made the message durable (DESIGN §3.2);
// only then may the channel acknowledge to its vendor. ErrUnavailable means
// nothing was stored and the vendor must be told to retry. The turn runs in a
// goroutine the sink owns, unless another replica holds the turn lease.
// Accept is safe for concurrent use.
type Sink interface {
	Accept(ctx context.Context, in Inbound) (Receipt, error)
}

// Receipt is what a channel needs to acknowledge.
type Receipt struct {
	Conv      ConvID
	ID        MessageID
	Seq, VSeq int64
	State     State
	Duplicate bool
	// Reply is set when Inbound.InlineUntil was: the answer that may leave in
	// the callback's own response.
	Reply Reply
}

// Reply is an answer on its way to a callback's response.
type Reply interface {
	// Wait returns the bot's messages for this inbound one, or nil when none
	// may leave in this response: not ready by InlineUntil, sent another way,
	// or none was due. It returns by InlineUntil, or shortly after if a
	// commit is under way, at the latest by ctx. After a non-empty answer the
	// caller must call Written exactly once.
	Wait(ctx context.Context) []Message
	// Written reports how writing the response went.
	Written(err error)
}

// Wakes tells about changed conversations; see Wake.
type Wakes interface {
	// Subscribe calls fn for every wake-up until cancel is called. fn must not
	// block. Whenever the connection begins to hear, fn gets a Wake without Conv.
	Subscribe(fn func(Wake)) (cancel func())
}

// Reader reads conversations. All methods are safe for concurrent use.
type Reader interface {
	// Load returns a live conversation, or ErrNotFound.
	Load(ctx context.Context, conv ConvID) (Conversation, error)
	// Current returns the address's newest live conversation, open or closed, or ErrNotFound.
	Current(ctx context.Context, addr Address) (Conversation, error)
	// Transcript returns messages with Seq > after, oldest first, hidden ones
	// included, at most limit when limit > 0.
	Transcript(ctx context.Context, conv ConvID, after int64, limit int) ([]Message, error)
}

// Store is the live state: conversations and transcripts in Redis. Every
// method that writes is one script on one shard and is idempotent by the ids it
// is given. Errors are those of errors.go.
type Store interface {
	Reader
	Wakes

	// Accept stores an inbound message once and takes the turn lease if it is
	// free and the message (or an older one) is unread. A closed conversation
	// within the reopen window is reopened, and one on hold resumed, except by
	// a Silent message or a rating (KindRating), which are appended as they are.
	Accept(ctx context.Context, in Inbound) (Accepted, error)
	// Commit applies c under the turn lease of t: token and version must match
	// (ErrLeaseLost, ErrConflict). It returns the messages as stored. When
	// contact messages arrived meanwhile the lease is kept and next is the turn
	// over them; otherwise the lease is released and next is nil.
	Commit(ctx context.Context, t *Turn, c Commit) (stored []Message, next *Turn, err error)
	// Reload reads the conversation again under a turn lease still held.
	Reload(ctx context.Context, t *Turn) (*Turn, error)
	// Abandon releases a turn lease without a commit; the sweeper takes over at once.
	Abandon(ctx context.Context, t *Turn) error
	// Write applies c outside a turn, by the right of fence: an agent's words, a
	// transition, the reconciler. It retries version conflicts itself. Messages
	// are idempotent by ClientID within the conversation: a repeated one
	// returns the stored message.
	Write(ctx context.Context, conv ConvID, fence Fence, c Commit) (Conversation, []Message, error)
	// Read records what the contact has seen; it never goes back.
	Read(ctx context.Context, conv ConvID, vseq int64) error
	// Typing publishes a passing Wake; nothing is stored.
	Typing(ctx context.Context, conv ConvID, who Role) error

	// SetDelivery records how the delivery of a message stands and, if effect
	// is not empty, marks that effect done.
	SetDelivery(ctx context.Context, conv ConvID, msg MessageID, d Delivery, note string, effect string) error
	// SetSent records that messages were sent and marks their effects done, all
	// in one round trip (one a node in a cluster).
	SetSent(ctx context.Context, list []Sent) error
	// Done marks effects done.
	Done(ctx context.Context, conv ConvID, effects ...string) error
	// Begin records that an attempt at an effect starts and returns how many
	// were begun before this one; ErrNotFound when the effect is done. A
	// sweeper that finds an effect begun but not done cannot know whether it
	// was carried out.
	Begin(ctx context.Context, conv ConvID, effect string) (before int, err error)
	// Retry makes an effect due again at the given time and, when clean, forgets
	// the attempts begun: they certainly failed.
	Retry(ctx context.Context, conv ConvID, effect string, due time.Time, clean bool) error

	// Due returns conversations in shards from ≤ shard < to that have something
	// overdue: an unread message without a live turn lease, an effect past its
	// Due; at most limit a shard. It is one pipeline, not a round trip a shard.
	Due(ctx context.Context, from, to, limit int) ([]ConvID, error)
	// TakeOver claims what is overdue: a turn if there is one, and its due
	// effects, whose Due moves on by the effect lease so that no two sweepers
	// carry them out at once. It leaves Attempts alone; see Begin.
	TakeOver(ctx context.Context, conv ConvID) (*Turn, []Effect, error)
	// InState returns live conversations in shards from ≤ shard < to in that
	// state whose last change (for bot: the contact's last word) is before the
	// given time, oldest first, at most limit a shard; one pipeline. It serves
	// the reconciler and the closing of idle conversations.
	InState(ctx context.Context, from, to int, s State, before time.Time, limit int) ([]ConvID, error)
	// Expire sets the keys of a closed, archived conversation to expire after ttl.
	Expire(ctx context.Context, conv ConvID, ttl time.Duration) error
}
