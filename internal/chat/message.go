package chat

import (
	"encoding/json"
	"time"
)

// Role says who spoke.
type Role string

// The four speakers.
const (
	RoleContact Role = "contact"
	RoleBot     Role = "bot"
	RoleAgent   Role = "agent"
	RoleSystem  Role = "system"
)

// Kind says what a Message carries.
type Kind string

// The kinds. A channel that cannot carry a kind sends its Text instead.
const (
	KindText     Kind = "text"
	KindPick     Kind = "pick"     // the contact chose an Option; Pick holds its id, Text its label
	KindImage    Kind = "image"    //
	KindVoice    Kind = "voice"    // Text holds the recognised words where the vendor gives them
	KindVideo    Kind = "video"    //
	KindLocation Kind = "location" // Text holds the label
	KindLink     Kind = "link"     // Text holds title and address
	KindEvent    Kind = "event"    // Event and EventKey say what happened: subscribe, menu click, transition …
	KindRating   Kind = "rating"   // Score 1–5, Text the comment
	KindNote     Kind = "note"     // an agent's internal note, never visible to the contact
)

// Option is a choice offered under a message as a button.
type Option struct {
	ID    string `json:"id"`
	Label string `json:"label"`
}

// Media is a file that came with a message, already fetched from the vendor.
type Media struct {
	// Type is the MIME type, as sniffed, never as claimed.
	Type string `json:"type"`
	// Size in bytes.
	Size int64 `json:"size"`
	// VendorID is the vendor's media id, which expires.
	VendorID string `json:"vendor_id,omitempty"`
	// Ref is where the fetched bytes are kept; empty when they could not be fetched.
	Ref string `json:"ref,omitempty"`
	// Lat and Lng are set for a location.
	Lat float64 `json:"lat,omitempty"`
	Lng float64 `json:"lng,omitempty"`
}

// Delivery is how a message to the contact stands (DESIGN §3.6).
type Delivery string

// The deliveries. A message the contact wrote has none.
const (
	DeliveryPending Delivery = "pending"
	DeliverySent    Delivery = "sent"
	DeliveryFailed  Delivery = "failed"  // certain; retried by policy, then shown
	DeliveryUnknown Delivery = "unknown" // the request left, no answer came; never repeated blindly
)

// Message is one utterance in a Conversation.
type Message struct {
	ID MessageID `json:"id"`
	// Seq counts 1, 2, 3 … over everything in the transcript.
	Seq int64 `json:"seq"`
	// VSeq counts 1, 2, 3 … over what the contact may see; 0 for a hidden one.
	VSeq int64     `json:"vseq,omitempty"`
	Role Role      `json:"role"`
	Kind Kind      `json:"kind"`
	At   time.Time `json:"at"`
	// Name is what the contact is shown as the speaker; Agent the agent's user id.
	Name  string `json:"name,omitempty"`
	Agent string `json:"agent,omitempty"`

	Text     string   `json:"text,omitempty"`
	Options  []Option `json:"options,omitempty"`
	Media    *Media   `json:"media,omitempty"`
	Pick     string   `json:"pick,omitempty"`
	Event    string   `json:"event,omitempty"`
	EventKey string   `json:"event_key,omitempty"`
	Score    int      `json:"score,omitempty"`

	// ClientID is the sender's own id: a widget's cid, an agent's cid, a
	// vendor's ProviderID.
	ClientID string `json:"client_id,omitempty"`
	// InReplyTo is the contact message a bot reply answers.
	InReplyTo MessageID `json:"in_reply_to,omitempty"`
	// Inline says that the reply left in the vendor's own callback response; a
	// redelivery of InReplyTo is answered with it again, byte for byte.
	Inline bool `json:"inline,omitempty"`
	// Hidden says that the contact must not see it: a note, a transition.
	Hidden bool `json:"hidden,omitempty"`
	// Evidence is the bot's explanation of a Decision, for the console.
	Evidence json.RawMessage `json:"evidence,omitempty"`

	// Delivery is kept beside the transcript, because it changes; the store
	// fills it in on reading.
	Delivery Delivery `json:"delivery,omitempty"`
	// DeliveryNote says in a few words why a delivery failed or is unknown.
	DeliveryNote string `json:"delivery_note,omitempty"`
}

// Identity is who a contact is, by a signed statement of the host page. It is
// the only fact two Addresses are merged on.
type Identity struct {
	Subject string `json:"subject"`
	Name    string `json:"name,omitempty"`
}

// Inbound is a message as a channel's codec decoded it. Nothing else about the
// vendor leaves the channel's package.
type Inbound struct {
	From Address
	// ProviderID is unique per message on its account; a repeated one is the
	// same message delivered again. Never empty.
	ProviderID string
	Kind       Kind
	Text       string
	Media      *Media
	Pick       string
	Event      string
	EventKey   string
	Score      int
	At         time.Time
	Identity   *Identity
	// Silent is archived without a turn: an opt-out, a sampled location.
	Silent bool
	// Propose is the id to open the conversation with if none is open; empty
	// lets the store choose.
	Propose ConvID
	// InlineUntil is the moment until which the vendor's own callback response
	// can carry the reply; zero where it cannot.
	InlineUntil time.Time
}

// Conversation is one Address's exchange from first word to close, without its
// transcript.
type Conversation struct {
	ID      ConvID
	Contact Address
	// Channel is the kind of the account: wechat, web, sms.
	Channel string
	// Epoch changes when Seq starts again; a reader with another epoch reads
	// from the beginning.
	Epoch string
	State State
	// Version grows with every write; a Commit is fenced by it.
	Version int64
	// Seq and VSeq are the last ones given; Cursor is the Seq of the last
	// contact message the bot has taken.
	Seq, VSeq, Cursor int64
	// ReadVSeq is the last message the contact has seen, by his own report.
	ReadVSeq int64
	// Group, Priority, Agent and Lease describe the handoff while State is
	// waiting, serving or on_hold; LastGroup and LastAgent outlive it.
	Group, Priority, Agent, Lease string
	LastGroup, LastAgent          string
	// Generation counts handoffs and claims; a holder with a smaller one is stale.
	Generation int64
	// Memory is the bot's own state between turns, opaque to all others.
	Memory json.RawMessage
	// Handoff is the package made for the agent, opaque to the store.
	Handoff  json.RawMessage
	Identity *Identity
	OpenedAt time.Time
	// ChangedAt is the last transition; ActiveAt the contact's last word.
	ChangedAt, ActiveAt time.Time
	// Score is the contact's rating, 1–5; 0 when not given.
	Score int
}

// Turn is a held right to run the bot on a conversation: what was read under
// the turn lease. It is a value; the store never keeps it.
type Turn struct {
	Conversation Conversation
	// Token fences the Commit; Until is when the lease expires.
	Token string
	Until time.Time
	// Unread are the contact messages after Cursor, oldest first.
	Unread []Message
}

// Accepted is what the store decided about an Inbound.
type Accepted struct {
	Conv      ConvID
	Message   Message
	State     State
	Duplicate bool
	// Turn is not nil when the caller holds the turn lease and must run it.
	Turn *Turn
}

// EffectKind says what has to happen after a commit.
type EffectKind string

// The effects.
const (
	// EffectSend delivers one message through its channel.
	EffectSend EffectKind = "send"
	// EffectEnqueue puts the conversation into its group's queue.
	EffectEnqueue EffectKind = "enqueue"
	// EffectDequeue takes it out again: the contact left, or it was closed.
	EffectDequeue EffectKind = "dequeue"
	// EffectArchive writes the closed conversation to SQL.
	EffectArchive EffectKind = "archive"
)

// Effect is a consequence of a commit, recorded with it, carried out after it
// and repeated by the sweeper until it is recorded done. Its ID makes it
// idempotent.
type Effect struct {
	ID      string     `json:"id"`
	Kind    EffectKind `json:"kind"`
	Message MessageID  `json:"message,omitempty"`
	// Generation and Group are the conversation's, for enqueue and dequeue.
	Generation int64  `json:"generation,omitempty"`
	Group      string `json:"group,omitempty"`
	// Due is when the sweeper may carry it out; whoever commits it carries it
	// out at once. Attempts counts the attempts begun; see Store.Begin.
	Due      time.Time `json:"due"`
	Attempts int       `json:"attempts"`
}

// Sent is one message that was delivered, for Store.SetSent.
type Sent struct {
	Conv    ConvID
	Message MessageID
	Effect  string
}

// Commit is everything one step changes, applied whole or not at all.
type Commit struct {
	// Cursor is the new read cursor; 0 leaves it.
	Cursor int64
	// Event moves the state by the table; empty leaves it. The store appends
	// Append as given: the caller includes the transition's system message.
	Event Event
	// Append are the new messages, in order, without Seq. A message's ID makes
	// the append idempotent with the fence.
	Append []Message
	// Deliver gives the starting delivery of messages in Append, by id; a
	// message missing from it has none.
	Deliver map[MessageID]Delivery
	Effects []Effect
	// Memory and Handoff replace the stored ones when not nil.
	Memory  json.RawMessage
	Handoff json.RawMessage
	// Group, Priority, Agent and Lease are written when Event is set: a
	// handoff sets Group and Priority; a claim Agent and Lease; the rest clear them.
	Group, Priority, Agent, Lease string
	// Generation, when not 0, is the claim's; it must be greater than the stored one.
	Generation int64
	// Score records the contact's rating when not 0.
	Score int
}

// Fence says by what right a commit outside a turn is made.
type Fence struct {
	// Lease is the agent's lease token; it must be the conversation's.
	Lease string
	// Generation, for a claim or a lost lease: see Commit.Generation.
	Generation int64
	// Any lets the system itself write: sweeper, reconciler, supervisor's close.
	Any bool
	// States, when not empty, are the only states the commit applies in.
	States []State
}

// Wake says that a conversation changed: the transcript is the truth, a wake-up
// that is lost costs a poll. A Wake without Conv says that some may have been
// lost, at start or with a connection: whoever follows a conversation reads it.
type Wake struct {
	Conv  ConvID
	Seq   int64
	State State
	// Typing is set for a passing signal that is not in the transcript.
	Typing Role
}
