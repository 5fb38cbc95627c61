// Package channeltest is what tests of channels share: a conformance suite every
// channel runs, a Sink that does as it is told, and fake vendors on real
// loopback sockets. Only tests import it.
package channeltest

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"

	"wensheng/internal/chat"
)

// Sink is a chat.Sink that remembers what it got and answers as it is told. It
// stores once per account and ProviderID, like the real one. It is safe for
// concurrent use.
type Sink struct {
	mu      sync.Mutex
	calls   []chat.Inbound
	stored  map[string]*exchange
	order   []*exchange
	fail    []error
	answer  func(chat.Inbound) []chat.Message
	written []error
	delay   func(ctx context.Context)
	gate    chan struct{}
	entered chan struct{}
}

// exchange is one stored message and what the bot said to it.
type exchange struct {
	in      chat.Inbound
	receipt chat.Receipt
	replies []chat.Message
}

// NewSink returns a Sink that stores everything and answers nothing.
func NewSink() *Sink {
	return &Sink{stored: map[string]*exchange{}, entered: make(chan struct{}, 1024)}
}

// Answer sets what the bot says in time for the callback's own response; nil
// messages mean that nothing is ready. Called once per stored message.
func (s *Sink) Answer(fn func(chat.Inbound) []chat.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = fn
}

// Delay makes every wait for an answer in time call fn first.
func (s *Sink) Delay(fn func(ctx context.Context)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = fn
}

// Fail makes the next calls return these errors, one each, and store nothing.
func (s *Sink) Fail(errs ...error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = append(s.fail, errs...)
}

// Hold makes every call wait until release is called.
func (s *Sink) Hold() (release func()) {
	gate := make(chan struct{})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate = gate
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.gate = nil
		close(gate)
	})
}

// Entered receives one value for every call that has begun.
func (s *Sink) Entered() <-chan struct{} { return s.entered }

// Calls returns every message the channel handed in, repeated ones included.
func (s *Sink) Calls() []chat.Inbound {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]chat.Inbound(nil), s.calls...)
}

// Stored returns the messages stored, each once, in order.
func (s *Sink) Stored() []chat.Inbound {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in []chat.Inbound
	for _, e := range s.order {
		in = append(in, e.in)
	}
	return in
}

// Written returns what the channel reported about its inline responses.
func (s *Sink) Written() []error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]error(nil), s.written...)
}

// Accept implements chat.Sink.
func (s *Sink) Accept(ctx context.Context, in chat.Inbound) (chat.Receipt, error) {
	s.mu.Lock()
	gate := s.gate
	s.mu.Unlock()
	select {
	case s.entered <- struct{}{}:
	default:
	}
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return chat.Receipt{}, fmt.Errorf("%w: %w", chat.ErrUnavailable, ctx.Err())
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, in)
	if len(s.fail) > 0 {
		err := s.fail[0]
		s.fail = s.fail[1:]
		return chat.Receipt{}, err
	}
	key := string(in.From.Account) + "\x00" + in.ProviderID
	e, duplicate := s.stored[key]
	if !duplicate {
		n := int64(len(s.order) + 1)
		e = &exchange{in: in, receipt: chat.Receipt{
			Conv: chat.NewConvID(0), ID: chat.NewMessageID(), Seq: n, VSeq: n, State: chat.StateBot,
		}}
		if s.answer != nil && !in.Silent {
			e.replies = s.answer(in)
		}
		s.stored[key] = e
		s.order = append(s.order, e)
	}
	receipt := e.receipt
	receipt.Duplicate = duplicate
	if !in.InlineUntil.IsZero() {
		receipt.Reply = &reply{s: s, messages: e.replies}
	}
	return receipt, nil
}

// reply is a chat.Reply that is ready at once, or after the sink's Delay.
type reply struct {
	s        *Sink
	messages []chat.Message
}

func (r *reply) Wait(ctx context.Context) []chat.Message {
	r.s.mu.Lock()
	delay := r.s.delay
	r.s.mu.Unlock()
	if delay != nil {
		delay(ctx)
	}
	return r.messages
}

func (r *reply) Written(err error) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	r.s.written = append(r.s.written, err)
}

// Log keeps what is logged, so that a test can look for what must not be there.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// NewLog returns a logger of every level and what it writes to.
func NewLog() (*slog.Logger, *Log) {
	l := &Log{}
	return slog.New(slog.NewJSONHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug})), l
}

// Write implements io.Writer.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns all that was logged.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
