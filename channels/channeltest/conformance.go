package channeltest

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// Delivery is one text message as a vendor delivers it.
type Delivery struct {
	// Account is who it is delivered to; empty is the Harness's.
	Account chat.AccountID
	// ID is the vendor's own id of the message, digits only.
	ID string
	// From is empty for some valid contact.
	From string
	Text string
}

// Answer is what a vendor got for its call.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Trouble is what a fake vendor does to the next send.
type Trouble int

// The troubles.
const (
	// Refuse: a final no; nothing was sent.
	Refuse Trouble = iota
	// Busy: nothing was sent, but the same request may succeed later.
	Busy
	// Lose: the vendor takes the request and the answer never comes.
	Lose
	// Down: no connection can be made.
	Down
)

// Vendor is the sending half of a fake vendor.
type Vendor interface {
	// Texts returns the texts the vendor has taken, in order.
	Texts() []string
	// Trouble makes the next send fail so.
	Trouble(Trouble)
}

// Harness is one channel with one account of its own, under test.
type Harness struct {
	Channel channels.Channel
	Sink    *Sink
	Log     *Log
	Account chat.AccountID
	// Deliver makes the vendor deliver a text, once, well authenticated.
	Deliver func(ctx context.Context, d Delivery) (Answer, error)
	// Raw posts a body as it is, authenticated as far as that is possible
	// without understanding it.
	Raw func(ctx context.Context, body []byte) (Answer, error)
	// Acked reports whether the answer tells the vendor not to deliver again.
	Acked func(Answer) bool
	// MaxBody is the largest body in bytes that is taken; 0 is 64 KB.
	MaxBody int
	// Malformed are bodies the vendor never sends; nil is a list fit for XML and JSON.
	Malformed []string
	// NoNUL is set for vendors whose format cannot carry NUL or broken UTF-8.
	NoNUL bool
	// To can be reached, over Vendor. A nil Vendor leaves sending untested.
	To     chat.Address
	Vendor Vendor
}

// Canary is the text that must not be found in logs and errors.
const Canary = "canary-6217-text"

// Run proves that a channel keeps the promises of chat.Sink and
// channels.Channel. fresh is called once per subtest.
func Run(t *testing.T, fresh func(t *testing.T) Harness) {
	t.Helper()
	for _, c := range []struct {
		name  string
		sends bool
		test  func(t *testing.T, h Harness)
	}{
		{"stores once what is delivered four times", false, repeated},
		{"acknowledges only after it is stored", false, ackAfterStore},
		{"asks for a retry when it is not stored", false, retryUnstored},
		{"keeps two messages apart", false, twoMessages},
		{"drops NUL and broken UTF-8, keeps the rest", false, hostileText},
		{"keeps an id beyond 64 bits", false, longID},
		{"refuses a body over the limit", false, oversize},
		{"refuses what it cannot read", false, malformed},
		{"knows no other account", false, unknownAccount},
		{"sends long texts in parts within its limits", true, longText},
		{"tells certain failures from lost answers", true, failures},
		{"logs nothing personal", false, silentLog},
	} {
		t.Run(strings.ReplaceAll(c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			h := fresh(t)
			if h.MaxBody == 0 {
				h.MaxBody = 64 << 10
			}
			if c.sends && h.Vendor == nil {
				t.Skip("the channel does not send")
			}
			c.test(t, h)
		})
	}
}

func deliver(t *testing.T, h Harness, d Delivery) Answer {
	t.Helper()
	a, err := h.Deliver(t.Context(), d)
	if err != nil {
		t.Fatalf("deliver: %v", err)
	}
	return a
}

func mustAck(t *testing.T, h Harness, a Answer) {
	t.Helper()
	if !h.Acked(a) {
		t.Fatalf("not acknowledged: status %d, body %q", a.Status, a.Body)
	}
}

func repeated(t *testing.T, h Harness) {
	t.Helper()
	for range 4 {
		mustAck(t, h, deliver(t, h, Delivery{ID: "1001", Text: "hello"}))
	}
	calls := h.Sink.Calls()
	if len(calls) == 0 {
		t.Fatal("the sink was never called")
	}
	for _, in := range calls {
		if in.ProviderID == "" || in.ProviderID != calls[0].ProviderID {
			t.Errorf("ProviderID %q, then %q", calls[0].ProviderID, in.ProviderID)
		}
	}
	stored := h.Sink.Stored()
	if len(stored) != 1 {
		t.Fatalf("%d stored, want 1", len(stored))
	}
	in := stored[0]
	if in.Text != "hello" || in.Kind != chat.KindText || in.From.Account != h.Account || in.From.ID == "" || in.At.IsZero() {
		t.Errorf("stored %+v", in)
	}
}

func ackAfterStore(t *testing.T, h Harness) {
	t.Helper()
	release := h.Sink.Hold()
	defer release()
	type result struct {
		a   Answer
		err error
	}
	done := make(chan result, 1)
	go func() {
		a, err := h.Deliver(t.Context(), Delivery{ID: "1002", Text: "hello"})
		done <- result{a, err}
	}()
	deadline, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	select {
	case <-h.Sink.Entered():
	case <-deadline.Done():
		t.Fatal("the sink was not called")
	}
	select {
	case r := <-done:
		t.Fatalf("answered before it was stored: %d %q %v", r.a.Status, r.a.Body, r.err)
	default:
	}
	release()
	r := <-done
	if r.err != nil {
		t.Fatal(r.err)
	}
	mustAck(t, h, r.a)
}

func retryUnstored(t *testing.T, h Harness) {
	t.Helper()
	h.Sink.Fail(chat.ErrUnavailable)
	a := deliver(t, h, Delivery{ID: "1003", Text: "hello"})
	if h.Acked(a) || a.Status != http.StatusServiceUnavailable {
		t.Fatalf("status %d, body %q, want 503 and no acknowledgement", a.Status, a.Body)
	}
	mustAck(t, h, deliver(t, h, Delivery{ID: "1003", Text: "hello"}))
	if n := len(h.Sink.Stored()); n != 1 {
		t.Errorf("%d stored, want 1", n)
	}
}

func twoMessages(t *testing.T, h Harness) {
	t.Helper()
	mustAck(t, h, deliver(t, h, Delivery{ID: "1004", Text: "same"}))
	mustAck(t, h, deliver(t, h, Delivery{ID: "1005", Text: "same"}))
	if n := len(h.Sink.Stored()); n != 2 {
		t.Errorf("%d stored, want 2", n)
	}
}

func hostileText(t *testing.T, h Harness) {
	t.Helper()
	sent, want := "a\x00b\xff\xfec]]>d<e>&amp;\U0001F600\U00020BB7", "abc]]>d<e>&amp;\U0001F600\U00020BB7"
	if h.NoNUL {
		sent = want
	}
	mustAck(t, h, deliver(t, h, Delivery{ID: "1006", Text: sent}))
	stored := h.Sink.Stored()
	if len(stored) != 1 || stored[0].Text != want {
		t.Errorf("stored %+v, want text %q", stored, want)
	}
}

func longID(t *testing.T, h Harness) {
	t.Helper()
	mustAck(t, h, deliver(t, h, Delivery{ID: "18446744073709551617", Text: "a"}))
	mustAck(t, h, deliver(t, h, Delivery{ID: "18446744073709551618", Text: "b"}))
	if n := len(h.Sink.Stored()); n != 2 {
		t.Errorf("%d stored, want 2", n)
	}
}

func oversize(t *testing.T, h Harness) {
	t.Helper()
	a, err := h.Raw(t.Context(), []byte(strings.Repeat("a", h.MaxBody+1)))
	if err != nil {
		t.Fatal(err)
	}
	if a.Status != http.StatusRequestEntityTooLarge {
		t.Errorf("status %d, want 413", a.Status)
	}
	if n := len(h.Sink.Calls()); n != 0 {
		t.Errorf("the sink was called %d times", n)
	}
}

func malformed(t *testing.T, h Harness) {
	t.Helper()
	bodies := h.Malformed
	if bodies == nil {
		bodies = []string{"", "null", "[]", "{", "<xml>", "<xml></xml>", "{}", "\x00\x01\x02", "<a/><b/>", "%%%"}
	}
	for _, body := range bodies {
		a, err := h.Raw(t.Context(), []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		if a.Status != http.StatusBadRequest {
			t.Errorf("%q: status %d, want 400", body, a.Status)
		}
	}
	if n := len(h.Sink.Calls()); n != 0 {
		t.Errorf("the sink was called %d times", n)
	}
}

func unknownAccount(t *testing.T, h Harness) {
	t.Helper()
	a := deliver(t, h, Delivery{Account: "nobody", ID: "1007", Text: "hello"})
	if a.Status != http.StatusNotFound {
		t.Errorf("status %d, want 404", a.Status)
	}
	if n := len(h.Sink.Calls()); n != 0 {
		t.Errorf("the sink was called %d times", n)
	}
}

func router(t *testing.T, h Harness) *channels.Router {
	t.Helper()
	logger, _ := NewLog()
	r, err := channels.NewRouter(channels.RouterOptions{
		Channels: []channels.Channel{h.Channel},
		Accounts: map[chat.AccountID]string{h.Account: h.Channel.Kind()},
		Backoff:  time.Microsecond,
		Logger:   logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func longText(t *testing.T, h Harness) {
	t.Helper()
	limits := h.Channel.Limits(h.Account)
	text := strings.Repeat(string(rune(0x6c49))+"\U0001F600", 700) // 4,900 bytes
	conv := chat.Conversation{ID: chat.NewConvID(0), Contact: h.To, Channel: h.Channel.Kind()}
	err := router(t, h).Send(t.Context(), conv, chat.Message{ID: chat.NewMessageID(), Role: chat.RoleAgent, Kind: chat.KindText, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	texts := h.Vendor.Texts()
	if len(texts) == 0 {
		t.Fatal("nothing was sent")
	}
	for i, part := range texts {
		if !utf8.ValidString(part) {
			t.Errorf("part %d is cut within a character", i)
		}
		if limits.TextBytes > 0 && len(part) > limits.TextBytes || limits.TextRunes > 0 && utf8.RuneCountInString(part) > limits.TextRunes {
			t.Errorf("part %d has %d bytes, limits %+v", i, len(part), limits)
		}
	}
	if got := strings.Join(texts, ""); !strings.HasPrefix(text, strings.TrimSuffix(got, "…")) {
		t.Errorf("the parts are not the text: %q", got)
	}
}

func failures(t *testing.T, h Harness) {
	t.Helper()
	out := channels.Outbound{
		Conv: chat.NewConvID(0), To: h.To, Text: Canary, Key: "k",
		Message: chat.Message{ID: chat.NewMessageID(), Role: chat.RoleAgent, Kind: chat.KindText, Text: Canary},
	}
	for i, c := range []struct {
		trouble        Trouble
		certain, retry bool
	}{
		{Refuse, true, false},
		{Busy, true, true},
		{Down, true, true},
		{Lose, false, false},
	} {
		h.Vendor.Trouble(c.trouble)
		out.Key = "k" + strconv.Itoa(i)
		err := h.Channel.Send(t.Context(), out)
		var se *chat.SendError
		if !errors.As(err, &se) {
			t.Errorf("trouble %d: error %v, want a *chat.SendError", c.trouble, err)
			continue
		}
		if se.Certain != c.certain || se.Certain && se.Retry != c.retry || se.Code == "" {
			t.Errorf("trouble %d: %+v, want certain %v, retry %v, a code", c.trouble, se, c.certain, c.retry)
		}
		if s := err.Error() + h.Log.String(); strings.Contains(s, Canary) || strings.Contains(s, h.To.ID) {
			t.Errorf("trouble %d: personal data in error or log: %s", c.trouble, s)
		}
	}
	if err := h.Channel.Send(t.Context(), out); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if err := h.Channel.Send(t.Context(), channels.Outbound{To: chat.Address{Account: "nobody", ID: "x"}, Text: "x"}); err == nil {
		t.Error("sent to an unknown account")
	}
}

func silentLog(t *testing.T, h Harness) {
	t.Helper()
	mustAck(t, h, deliver(t, h, Delivery{ID: "1008", Text: Canary}))
	h.Sink.Fail(chat.ErrUnavailable)
	deliver(t, h, Delivery{ID: "1009", Text: Canary})
	from := h.Sink.Stored()[0].From.ID
	if s := h.Log.String(); strings.Contains(s, Canary) || strings.Contains(s, from) {
		t.Errorf("personal data in the log: %s", s)
	}
}
