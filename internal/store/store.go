// Package store keeps live conversations and their transcripts in Redis. It
// implements chat.Store: every verb that writes is one Lua script on one shard
// (lua/*.lua), idempotent by the ids it is given, so that a crash or a lost
// reply at any instruction loses and doubles nothing. Bodies, addresses and the
// bot's memory are sealed before they reach Redis; keys hold only an HMAC.
//
// Two rules are fixed here. Conversation.Version, which fences a Commit, grows
// with Commit, Write and transitions, but not when a contact message is merely
// appended: otherwise every quick typist would force a conflict. And a message
// that arrives during a turn is returned by the Commit as the next turn, so it
// is never answered before the one it follows.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"wensheng/internal/chat"
	"wensheng/internal/redisx"
)

// Sealer encrypts what must not be readable at rest; *pii.Sealer is one.
type Sealer interface {
	Seal(plain []byte) []byte
	Open(sealed []byte) ([]byte, error)
	HMAC(domain, value string) string
}

// Options configure a Store. Redis and Sealer are required.
type Options struct {
	// Redis runs the scripts. It must not retry by itself (MaxRetries -1).
	Redis redis.UniversalClient
	// PubSub listens for wake-ups; Redis when nil.
	PubSub redis.UniversalClient
	Sealer Sealer
	// Channel gives the kind of an account: wechat, web, sms.
	Channel func(chat.AccountID) string
	// Pulls says that the account's readers fetch the transcript themselves:
	// what is committed is thereby sent, and send effects are not recorded. It
	// is asked when a conversation is opened.
	Pulls  func(chat.AccountID) bool
	Clock  func() time.Time
	Logger *slog.Logger
	// TurnLease is how long a turn may take before the sweeper takes it over;
	// 10 s by default.
	TurnLease time.Duration
	// EffectLease is how long a claimed effect, or one just committed with a
	// zero Due, is left to its claimant; 15 s by default.
	EffectLease time.Duration
	// DedupeTTL is how long a ProviderID is remembered; 48 h by default.
	DedupeTTL time.Duration
	// ReopenWindow is how long after the close a contact's word reopens the
	// conversation instead of opening a new one; 72 h by default.
	ReopenWindow time.Duration
}

// Store is the live state. It is safe for concurrent use.
type Store struct {
	redis, pubsub redis.UniversalClient
	sealer        Sealer
	channel       func(chat.AccountID) string
	pulls         func(chat.AccountID) bool
	clock         func() time.Time
	logger        *slog.Logger
	turnLease     time.Duration
	effectLease   time.Duration
	dedupeTTL     time.Duration
	reopenWindow  time.Duration
	scripts       *scripts
	transitions   map[chat.Event]string

	mu          sync.RWMutex
	subscribers map[int]func(chat.Wake)
	nextID      int
}

var _ chat.Store = (*Store)(nil)

// New makes a Store. It does no I/O.
func New(o Options) (*Store, error) {
	if o.Redis == nil || o.Sealer == nil {
		return nil, errors.New("store: Redis and Sealer are required")
	}
	sc, err := loadScripts()
	if err != nil {
		return nil, err
	}
	s := &Store{
		redis: o.Redis, pubsub: o.PubSub, sealer: o.Sealer, channel: o.Channel, pulls: o.Pulls,
		clock: o.Clock, logger: o.Logger,
		turnLease:    or(o.TurnLease, 10*time.Second),
		effectLease:  or(o.EffectLease, 15*time.Second),
		dedupeTTL:    or(o.DedupeTTL, 48*time.Hour),
		reopenWindow: or(o.ReopenWindow, 72*time.Hour),
		scripts:      sc,
		transitions:  transitions(),
		subscribers:  make(map[int]func(chat.Wake)),
	}
	if s.pubsub == nil {
		s.pubsub = o.Redis
	}
	if s.channel == nil {
		s.channel = func(chat.AccountID) string { return "" }
	}
	if s.pulls == nil {
		s.pulls = func(chat.AccountID) bool { return false }
	}
	if s.clock == nil {
		s.clock = time.Now //nolint:forbidigo // the one default
	}
	if s.logger == nil {
		s.logger = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

func or(d, otherwise time.Duration) time.Duration {
	if d > 0 {
		return d
	}
	return otherwise
}

// transitions writes the table of package chat as the scripts read it: for each
// event ",from>to,from>to". A claim may also replace an older holder, told by
// the generation: the one whose desk lease survived a crash that the
// conversation did not see.
func transitions() map[chat.Event]string {
	out := make(map[chat.Event]string)
	for _, e := range chat.Events() {
		for _, from := range chat.States() {
			to, err := from.Next(e)
			if err != nil && e == chat.EventClaim && from.Held() {
				to, err = chat.StateServing, nil
			}
			if err == nil {
				out[e] += "," + string(from) + ">" + string(to)
			}
		}
	}
	return out
}

// Shard is where the address lives.
func (s *Store) Shard(a chat.Address) int { return shardOf(s.addressHash(a)) }

// Propose makes an id a conversation of the address could be opened with.
func (s *Store) Propose(a chat.Address) chat.ConvID { return chat.NewConvID(s.Shard(a)) }

// Accept implements chat.Store. An Inbound.Propose of the wrong shard, or one
// that is in use, is replaced by a fresh id.
func (s *Store) Accept(ctx context.Context, in chat.Inbound) (chat.Accepted, error) {
	if in.ProviderID == "" || in.From.Zero() {
		return chat.Accepted{}, errors.New("store: accept: an inbound message needs an address and a provider id")
	}
	address := s.addressHash(in.From)
	shard := shardOf(address)
	now := s.clock()

	m := chat.Message{
		ID: chat.NewMessageID(), Role: chat.RoleContact, Kind: in.Kind, At: moment(in.At, now),
		Text: in.Text, Media: in.Media, Pick: in.Pick, Event: in.Event, EventKey: in.EventKey, Score: in.Score,
		ClientID: in.ProviderID, Hidden: in.Silent,
	}
	body, err := s.sealMessage(m)
	if err != nil {
		return chat.Accepted{}, err
	}
	from, err := s.sealJSON(in.From)
	if err != nil {
		return chat.Accepted{}, err
	}
	var identity []byte
	if in.Identity != nil {
		if identity, err = s.sealJSON(in.Identity); err != nil {
			return chat.Accepted{}, err
		}
	}
	var propose chat.ConvID
	if n, ok := in.Propose.Shard(); ok && n == shard {
		propose = in.Propose
	}
	token, until := chat.NewToken(), now.Add(s.turnLease)
	keys := []string{
		key(shard, kindDedupe, s.dedupeHash(in.From, in.ProviderID)),
		key(shard, kindAddress, address),
	}
	r, err := s.run(ctx, s.scripts.accept, shard, keys,
		address, s.dedupeTTL.Milliseconds(), s.reopenWindow.Milliseconds(),
		string(propose), string(chat.NewConvID(shard)),
		string(m.ID), flag(in.Silent), body, token, until.UnixMilli(), string(chat.NewMessageID()),
		epoch(), string(in.From.Account), s.channel(in.From.Account), flag(s.pulls(in.From.Account)), from, identity,
		flag(in.Silent || in.Kind == chat.KindRating))
	if err != nil {
		return chat.Accepted{}, err
	}
	if err := failure("accept", r); err != nil {
		return chat.Accepted{}, err
	}
	out := chat.Accepted{Conv: chat.ConvID(r.str(1)), State: chat.State(r.str(5)), Duplicate: r.str(0) == "DUP"}
	if entry := r.str(6); entry != "" {
		if m, err = s.openEntry(entry); err != nil {
			return chat.Accepted{}, err
		}
	}
	m.ID, m.Seq, m.VSeq = chat.MessageID(r.str(4)), integer(r.str(2)), integer(r.str(3))
	out.Message = m
	if r.str(7) == "1" {
		if out.Turn, err = s.turn(out.Conv, token, until, r.list(8), r.list(9)); err != nil {
			return chat.Accepted{}, err
		}
	}
	return out, nil
}

// epoch names one counting of Seq; 40 bits are enough to tell two of one
// address apart.
func epoch() string { return chat.NewToken()[:8] }

func moment(at, now time.Time) time.Time {
	if at.IsZero() {
		at = now
	}
	return at.UTC().Truncate(time.Millisecond)
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func integer(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// shardIn checks an id from outside.
func shardIn(conv chat.ConvID) (int, error) {
	n, ok := conv.Shard()
	if !ok {
		return 0, fmt.Errorf("store: %w", chat.ErrNotFound)
	}
	return n, nil
}

// Load implements chat.Reader.
func (s *Store) Load(ctx context.Context, conv chat.ConvID) (chat.Conversation, error) {
	shard, err := shardIn(conv)
	if err != nil {
		return chat.Conversation{}, err
	}
	hash, err := s.redis.HGetAll(ctx, key(shard, kindConversation, string(conv))).Result()
	if err != nil {
		return chat.Conversation{}, wrap("load", err)
	}
	if len(hash) == 0 {
		return chat.Conversation{}, fmt.Errorf("store: load: %w", chat.ErrNotFound)
	}
	return s.conversation(conv, hash)
}

// Current implements chat.Reader.
func (s *Store) Current(ctx context.Context, addr chat.Address) (chat.Conversation, error) {
	address := s.addressHash(addr)
	shard := shardOf(address)
	r, err := s.run(ctx, s.scripts.current, shard, []string{key(shard, kindAddress, address)})
	if err != nil {
		return chat.Conversation{}, err
	}
	if err := failure("current", r); err != nil {
		return chat.Conversation{}, err
	}
	return s.conversation(chat.ConvID(r.str(1)), pairs(r.list(2)))
}

// Transcript implements chat.Reader.
func (s *Store) Transcript(ctx context.Context, conv chat.ConvID, after int64, limit int) ([]chat.Message, error) {
	r, err := s.on(ctx, s.scripts.transcript, conv, max(after, 0), max(limit, 0))
	if err != nil {
		return nil, err
	}
	list := r.list(1)
	out := make([]chat.Message, 0, len(list)/2)
	for i := 0; i+1 < len(list); i += 2 {
		m, err := s.openEntry(list[i])
		if err != nil {
			return nil, err
		}
		if err := s.openDelivery(&m, list[i+1]); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

// on runs a verb whose only declared key is the conversation's.
func (s *Store) on(ctx context.Context, sc *redisx.Script, conv chat.ConvID, args ...any) (reply, error) {
	shard, err := shardIn(conv)
	if err != nil {
		return nil, err
	}
	all := append([]any{string(conv)}, args...)
	r, err := s.run(ctx, sc, shard, []string{key(shard, kindConversation, string(conv))}, all...)
	if err != nil {
		return nil, err
	}
	return r, failure(sc.Name(), r)
}

// Read implements chat.Store.
func (s *Store) Read(ctx context.Context, conv chat.ConvID, vseq int64) error {
	_, err := s.on(ctx, s.scripts.read, conv, vseq)
	return err
}

// sealJSON seals a value's JSON.
func (s *Store) sealJSON(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("store: encode: %w", err)
	}
	return s.sealer.Seal(b), nil
}
