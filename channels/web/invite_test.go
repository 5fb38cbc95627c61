package web_test

import (
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wensheng/channels/web"
	"wensheng/internal/chat"
)

var texter = chat.Address{Account: "sms", ID: "+8613811110000"}

// texted opens the conversation that texter had by SMS.
func (s *site) texted(t *testing.T, text string) chat.ConvID {
	t.Helper()
	r, err := s.Accept(t.Context(), chat.Inbound{From: texter, ProviderID: "vendor-1", Kind: chat.KindText, Text: text})
	if err != nil {
		t.Fatal(err)
	}
	return r.Conv
}

func (s *site) invite(t *testing.T) string {
	t.Helper()
	token, err := s.ch.Invite("web", texter)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestInvite_ContinuesTheConversationOfAnotherChannel(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var told []chat.Address
	s := start(t, func(o *web.Options) {
		o.Invited = func(_ context.Context, to chat.Address) error {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, to)
			return nil
		}
	})
	conv := s.texted(t, "by SMS")
	s.say(conv, "", bot("an answer"))

	// The page that was invited has seen nothing, and gets everything.
	p, w := s.enter(t, map[string]any{"session": s.invite(t)})
	if w.Conv != conv || w.Seq != 2 {
		t.Fatalf("welcome %+v, want conversation %s at 2", w, conv)
	}
	p.want("resync")
	for _, want := range []string{"by SMS", "an answer"} {
		if f := p.want("msg"); f.Text != want {
			t.Fatalf("got %+v, want %q", f, want)
		}
	}
	// What he says is from his number, in the same conversation; what is said
	// reaches him.
	p.say("c1", "by web")
	if f := p.want("ack"); f.Seq != 3 {
		t.Errorf("ack %+v", f)
	}
	s.say(conv, chat.StateServing, chat.Message{Role: chat.RoleAgent, Kind: chat.KindText, Text: "hello"})
	if f := p.want("msg"); f.Text != "hello" || f.From.Role != chat.RoleAgent {
		t.Errorf("got %+v", f)
	}
	s.mu.Lock()
	last := s.house.in[len(s.house.in)-1]
	s.mu.Unlock()
	if last.From != texter || last.Text != "by web" || last.Identity != nil || last.Propose != "" {
		t.Errorf("accepted %+v", last)
	}
	// The token of the welcome resumes it like any other.
	q, again := s.enter(t, back(w, 3))
	if again.Conv != conv {
		t.Errorf("resumed in %s, want %s", again.Conv, conv)
	}
	if f := q.want("msg"); f.Text != "hello" {
		t.Errorf("resumed with %+v", f)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || told[0] != texter { // once a socket within a minute
		t.Errorf("told of %v", told)
	}
}

// TestInvite_FollowsTheNextConversation: the one it was made for is over, and
// the next is the number's too.
func TestInvite_FollowsTheNextConversation(t *testing.T) {
	t.Parallel()
	s := start(t)
	conv := s.texted(t, "by SMS")
	p, w := s.enter(t, map[string]any{"session": s.invite(t)})
	p.want("resync")
	p.want("msg")
	s.forget(conv)
	p.say("c1", "once more")
	p.want("resync")
	next := p.want("welcome")
	if next.Conv == conv {
		t.Fatal("it stays in the old conversation")
	}
	for _, token := range []string{w.Session, next.Session} {
		if _, w := s.enter(t, map[string]any{"session": token}); w.Conv != next.Conv {
			t.Errorf("resumed in %s, want %s", w.Conv, next.Conv)
		}
	}
	// With none at all he opens one by his next word.
	s.forget(next.Conv)
	p, w = s.enter(t, map[string]any{"session": next.Session})
	if w.Seq != 0 || w.State != chat.StateBot {
		t.Errorf("welcome %+v", w)
	}
	p.say("c2", "anew")
	p.want("ack")
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.house.in[len(s.house.in)-1]; got.From != texter || got.Propose != w.Conv {
		t.Errorf("accepted %+v, want it from the number, in %s", got, w.Conv)
	}
}

func TestInvite_IsSealedBoundAndEnds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := time.Now()
	s := start(t, func(o *web.Options) {
		o.Accounts = append(o.Accounts, web.Account{ID: "shop", AllowedOrigins: []string{"*"}})
		o.Clock = func() time.Time {
			mu.Lock()
			defer mu.Unlock()
			return now
		}
	})
	ahead := func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
	conv := s.texted(t, "by SMS")
	token := s.invite(t)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || strings.Contains(string(raw), "138") || strings.Contains(string(raw), "sms") {
		t.Errorf("the token can be read: %q, %v", raw, err)
	}
	other, err := s.ch.Invite("shop", texter)
	if err != nil {
		t.Fatal(err)
	}
	stranger := func(why string, hello map[string]any) {
		t.Helper()
		if _, w := s.enter(t, hello); w.Conv == conv || w.Seq != 0 {
			t.Errorf("%s: welcomed to %+v", why, w)
		}
	}
	stranger("another account's", map[string]any{"session": other})
	stranger("altered", map[string]any{"session": token[:len(token)-2] + "AA"})

	// A page's statement of who is logged in does not take it over.
	id := sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "exp": in(10 * time.Minute)})
	if _, w := s.enter(t, map[string]any{"session": token, "identity": id}); w.Conv != conv {
		t.Errorf("with an identity: welcomed to %+v", w)
	}
	ahead(23 * time.Hour)
	_, w := s.enter(t, map[string]any{"session": token})
	if w.Conv != conv {
		t.Errorf("after 23 hours: welcomed to %+v", w)
	}
	ahead(time.Hour)
	stranger("after a day", map[string]any{"session": token})
	stranger("after a day, by the token of a welcome", map[string]any{"session": w.Session})

	if _, err := s.ch.Invite("nowhere", texter); !errors.Is(err, chat.ErrNotFound) {
		t.Errorf("an unknown account: %v", err)
	}
	for _, a := range []chat.Address{{}, {Account: "sms"}, {Account: "web", ID: "v:somebody"}, {Account: "shop", ID: "id:1"}} {
		if _, err := s.ch.Invite("web", a); err == nil {
			t.Errorf("%v was invited", a)
		}
	}
}
