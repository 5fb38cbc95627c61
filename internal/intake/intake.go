// Package intake is the pipeline, and the only package that knows the order of
// its steps (DESIGN §3): accept durably, run the turn under its lease, commit,
// then carry out what the commit decided. What a crash leaves between two steps
// the sweeper takes over; what the queues and the conversations disagree about
// the reconciler heals. Agents' words take the same path; see Desk methods.
package intake

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"wensheng/bot"
	"wensheng/handoff"
	"wensheng/internal/chat"
)

// Sender delivers messages to contacts; channels.Router is one.
type Sender interface {
	// Send delivers one message; the error is a *chat.SendError.
	Send(ctx context.Context, conv chat.Conversation, m chat.Message) error
	// Kind is the account's kind of channel.
	Kind(account chat.AccountID) string
	// Pulls reports whether what is committed for the account is thereby sent.
	Pulls(account chat.AccountID) bool
	// Typing shows the contact that somebody is typing, where the channel can.
	Typing(ctx context.Context, to chat.Address) error
}

// Archive keeps closed conversations.
type Archive interface {
	// SaveConversation is an idempotent upsert.
	SaveConversation(ctx context.Context, conv chat.Conversation, transcript []chat.Message) error
	// Conversation returns an archived conversation, or chat.ErrNotFound.
	Conversation(ctx context.Context, id chat.ConvID) (chat.Conversation, []chat.Message, error)
}

// Meter counts what happens. No argument ever carries personal data.
type Meter interface {
	Accepted(channel string, duplicate bool)
	Turn(d time.Duration)
	Decision(action string)
	Handoff(group, priority, reason string)
	TakenOver()
	EffectRetried(kind string)
	Waiting(group string, n int)
}

// Options are what New needs. Every field without a default is required.
type Options struct {
	Store chat.Store
	// Bot lends the engine in force until it is released; the next call may lend
	// another one.
	Bot     func() (e *bot.Engine, release func())
	Desk    *handoff.Desk
	Groups  []handoff.Group
	Sender  Sender
	Archive Archive
	Meter   Meter
	// Redact takes out what must not even be stored (passwords, one-time
	// codes); Mask hides personal data for previews and summaries.
	Redact, Mask func(string) string
	Clock        func() time.Time
	Logger       *slog.Logger

	// AcceptTimeout bounds the durable write; 0 means 3 s.
	AcceptTimeout time.Duration
	// SendTimeout bounds one delivery, retries included; 0 means 15 s.
	SendTimeout time.Duration
	// SweepEvery is how often overdue work is looked for; 0 means 1 s.
	SweepEvery time.Duration
	// ReconcileEvery is how often queues and conversations are compared; 0 means 20 s.
	ReconcileEvery time.Duration
	// SettleTime is how old a change must be before the reconciler looks at it,
	// so that it never fights with what is still under way; 0 means 45 s.
	SettleTime time.Duration
	// PartWait is how long a message that looks cut off waits for its
	// continuation (long SMS); 0 means 2.5 s.
	PartWait time.Duration
	// IdleClose ends a conversation the contact has left with the bot; 0 means 24 h.
	IdleClose time.Duration
	// KeepClosed is how long a closed conversation stays live after it was
	// archived, so that it can be reopened; 0 means 72 h.
	KeepClosed time.Duration
}

// Intake is the pipeline. It is safe for concurrent use.
type Intake struct {
	o       Options
	replies sync.Map // chat.MessageID → *reply, the callbacks waiting for an answer
	settled settler
	lanes   lanes

	mu       sync.Mutex
	draining bool
	work     sync.WaitGroup
}

var _ chat.Sink = (*Intake)(nil)

// maxText bounds a stored message in runes; every channel's own bound is lower.
const maxText = 4000

// effectLease is how long whoever commits has to carry an effect out before the
// sweeper does.
const effectLease = 20 * time.Second

// New returns the pipeline. Run must be called for crashes to be healed.
func New(o Options) (*Intake, error) {
	if o.Store == nil || o.Bot == nil || o.Desk == nil || o.Sender == nil || o.Archive == nil ||
		o.Redact == nil || o.Mask == nil || o.Logger == nil || o.Meter == nil || o.Clock == nil {
		return nil, errors.New("intake: an option is missing")
	}
	for d, v := range map[*time.Duration]time.Duration{
		&o.AcceptTimeout:  3 * time.Second,
		&o.SendTimeout:    15 * time.Second,
		&o.SweepEvery:     time.Second,
		&o.ReconcileEvery: 20 * time.Second,
		&o.SettleTime:     45 * time.Second,
		&o.PartWait:       2500 * time.Millisecond,
		&o.IdleClose:      24 * time.Hour,
		&o.KeepClosed:     72 * time.Hour,
	} {
		if *d == 0 {
			*d = v
		}
	}
	return &Intake{o: o}, nil
}

// Accept implements chat.Sink.
func (i *Intake) Accept(ctx context.Context, in chat.Inbound) (chat.Receipt, error) {
	if !i.begin() {
		return chat.Receipt{}, chat.ErrUnavailable
	}
	defer i.work.Done()

	in = i.sanitise(in)
	actx, cancel := context.WithTimeout(ctx, i.o.AcceptTimeout)
	acc, err := i.o.Store.Accept(actx, in)
	cancel()
	if err != nil {
		return chat.Receipt{}, err
	}
	i.o.Meter.Accepted(i.o.Sender.Kind(in.From.Account), acc.Duplicate)

	r := chat.Receipt{
		Conv: acc.Conv, ID: acc.Message.ID, Seq: acc.Message.Seq, VSeq: acc.Message.VSeq,
		State: acc.State, Duplicate: acc.Duplicate,
	}
	if in.Silent {
		return r, nil
	}
	if !in.InlineUntil.IsZero() {
		rep := i.expect(acc, in.InlineUntil)
		r.Reply = rep
		if acc.Turn == nil || acc.Duplicate {
			i.spawn(ctx, func(ctx context.Context) { i.follow(ctx, rep) })
		}
	}
	if acc.Turn != nil {
		i.spawn(ctx, func(ctx context.Context) { i.run(ctx, acc.Turn) })
	}
	return r, nil
}

// sanitise bounds and redacts what came in before anything is stored.
func (i *Intake) sanitise(in chat.Inbound) chat.Inbound {
	in.Text = strings.ToValidUTF8(strings.ReplaceAll(in.Text, "\x00", ""), "")
	if utf8.RuneCountInString(in.Text) > maxText {
		in.Text = string([]rune(in.Text)[:maxText])
	}
	in.Text = i.o.Redact(in.Text)
	if score, ok := ratingPick(in); ok {
		in.Kind, in.Score, in.Pick = chat.KindRating, score, ""
	}
	if in.At.IsZero() {
		in.At = i.o.Clock()
	}
	return in
}

// begin counts a piece of work, unless the intake is draining.
func (i *Intake) begin() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.draining {
		return false
	}
	i.work.Add(1)
	return true
}

// spawn runs f in a goroutine that Drain waits for. It outlives the request
// whose ctx it is given, and keeps its values. It is only called while the
// caller itself is counted.
func (i *Intake) spawn(ctx context.Context, f func(context.Context)) {
	i.work.Go(func() {
		defer func() {
			if p := recover(); p != nil {
				// The turn lease expires and the sweeper takes over, so a
				// panic delays one conversation and never the process.
				i.o.Logger.ErrorContext(ctx, "turn panicked", "panic", p)
			}
		}()
		f(context.WithoutCancel(ctx))
	})
}

// Drain refuses new work and waits until what was begun is done, or ctx ends.
// What is left then is taken over by another replica's sweeper.
func (i *Intake) Drain(ctx context.Context) error {
	i.mu.Lock()
	i.draining = true
	i.mu.Unlock()
	done := make(chan struct{})
	go func() {
		i.work.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// phrase is a fixed sentence of the knowledge in force.
func (i *Intake) phrase(id, lang string, vars map[string]string) string {
	e, release := i.o.Bot()
	defer release()
	return e.Say(id, lang, vars)
}
