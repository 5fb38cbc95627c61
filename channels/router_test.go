package channels_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wensheng/channels"
	"wensheng/internal/chat"
)

type scripted struct {
	limits channels.Limits
	errs   []error
	sent   []channels.Outbound
}

func (s *scripted) Kind() string                          { return "sms" }
func (s *scripted) Handler() http.Handler                 { return http.NotFoundHandler() }
func (s *scripted) Limits(chat.AccountID) channels.Limits { return s.limits }
func (s *scripted) Send(_ context.Context, out channels.Outbound) error {
	s.sent = append(s.sent, out)
	if len(s.errs) == 0 {
		return nil
	}
	err := s.errs[0]
	s.errs = s.errs[1:]
	return err
}

func newRouter(t *testing.T, c channels.Channel) *channels.Router {
	t.Helper()
	r, err := channels.NewRouter(channels.RouterOptions{
		Channels: []channels.Channel{c},
		Accounts: map[chat.AccountID]string{"sms": "sms"},
		Backoff:  time.Microsecond,
		Logger:   slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRouter_RetriesOnlyWhatCertainlyFailed(t *testing.T) {
	t.Parallel()
	retry := &chat.SendError{Certain: true, Retry: true, Code: "vendor_error"}
	final := &chat.SendError{Certain: true, Code: "blocked"}
	lost := &chat.SendError{Retry: true, Code: "timeout"}
	for _, tt := range []struct {
		name  string
		errs  []error
		tries int
		want  chat.Delivery
	}{
		{"sent at once", nil, 1, chat.DeliverySent},
		{"sent at the third try", []error{retry, retry}, 3, chat.DeliverySent},
		{"gives up after three", []error{retry, retry, retry}, 3, chat.DeliveryFailed},
		{"a final refusal is not repeated", []error{final}, 1, chat.DeliveryFailed},
		{"a lost answer is not repeated", []error{lost}, 1, chat.DeliveryUnknown},
		{"a plain error counts as unknown", []error{errors.New("?")}, 1, chat.DeliveryUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := &scripted{errs: tt.errs}
			err := newRouter(t, c).Send(t.Context(), conversation(), chat.Message{ID: "m1", Text: "hi"})
			if got := chat.Outcome(err); got != tt.want {
				t.Errorf("outcome %s, want %s (%v)", got, tt.want, err)
			}
			if len(c.sent) != tt.tries {
				t.Errorf("%d tries, want %d", len(c.sent), tt.tries)
			}
		})
	}
}

func conversation() chat.Conversation {
	return chat.Conversation{ID: "c1", Contact: chat.Address{Account: "sms", ID: "x"}}
}

func TestRouter_FailureOfALaterPartIsNeverCertain(t *testing.T) {
	t.Parallel()
	c := &scripted{
		limits: channels.Limits{TextRunes: 2},
		errs:   []error{nil, &chat.SendError{Certain: true, Code: "blocked"}},
	}
	err := newRouter(t, c).Send(t.Context(), conversation(), chat.Message{ID: "m1", Text: "abcdef"})
	if got := chat.Outcome(err); got != chat.DeliveryUnknown {
		t.Errorf("outcome %s, want unknown", got)
	}
	if len(c.sent) != 2 {
		t.Errorf("%d parts tried, want 2: nothing follows a lost part", len(c.sent))
	}
}

func TestRouter_WritesOptionsAsALineWhereThereAreNoButtons(t *testing.T) {
	t.Parallel()
	c := &scripted{}
	m := chat.Message{ID: "m1", Text: "which?", Options: []chat.Option{{ID: "a", Label: "A"}, {ID: "b", Label: "B"}}}
	if err := newRouter(t, c).Send(t.Context(), conversation(), m); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("which?\n1. A\n2. B", c.sent[0].Text); diff != "" {
		t.Error(diff)
	}
}

func TestSplit_KeepsToLimitsAndLosesNothing(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("提前还款不收手续费。", 300) + "😀末"
	for _, l := range []channels.Limits{{TextBytes: 2048}, {TextRunes: 70}, {TextBytes: 7}, {TextBytes: 1}} {
		parts := channels.Split(long, l)
		if got := strings.Join(parts, ""); got != long {
			t.Errorf("%+v: text changed", l)
		}
		for _, p := range parts {
			if !utf8.ValidString(p) {
				t.Errorf("%+v: part is not valid UTF-8", l)
			}
			if l.TextBytes > 4 && len(p) > l.TextBytes || l.TextRunes > 0 && utf8.RuneCountInString(p) > l.TextRunes {
				t.Errorf("%+v: part too long: %d bytes", l, len(p))
			}
		}
	}
}

func TestSplit_EndsWithEllipsisBeyondMaxParts(t *testing.T) {
	t.Parallel()
	got := channels.Split("aaaa. bbbb. cccc", channels.Limits{TextBytes: 6, MaxParts: 2})
	if diff := cmp.Diff([]string{"aaaa. ", "bbb…"}, got); diff != "" {
		t.Error(diff)
	}
}
