package web_test

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"wensheng/channels/web"
	"wensheng/internal/chat"
)

const pageKey = "a key of the host page"

func sign(t *testing.T, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	s, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func in(d time.Duration) int64 { return time.Now().Add(d).Unix() }

func TestIdentity_ForgedIsRefusedAndTheVisitorStaysAnonymous(t *testing.T) {
	t.Parallel()
	s := start(t)
	good := jwt.MapClaims{"sub": "u1", "exp": in(10 * time.Minute)}
	for name, token := range map[string]string{
		"rubbish":       "rubbish",
		"no algorithm":  sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good),
		"other key":     sign(t, jwt.SigningMethodHS256, []byte("another key"), good),
		"empty key":     sign(t, jwt.SigningMethodHS256, []byte(""), good),
		"HS512":         sign(t, jwt.SigningMethodHS512, []byte(pageKey), good),
		"expired":       sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "exp": in(-10 * time.Minute)}),
		"no expiry":     sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1"}),
		"lives a day":   sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "exp": in(24 * time.Hour)}),
		"nobody":        sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"exp": in(time.Minute)}),
		"not yet":       sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "exp": in(time.Minute), "nbf": in(30 * time.Minute)}),
		"other account": sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "exp": in(time.Minute), "aud": "shop"}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, _ := s.enter(t, map[string]any{"identity": token})
			if f := p.want("error"); f.Code != web.ErrorBadIdentity {
				t.Fatalf("got %+v", f)
			}
			p.say("c", "x")
			p.want("ack")
			s.mu.Lock()
			defer s.mu.Unlock()
			for _, got := range s.house.in {
				if got.Identity != nil || got.From.ID == "id:u1" {
					t.Errorf("taken for somebody: %+v", got)
				}
			}
		})
	}
}

func TestIdentity_BringsTheVisitorBackOnAnotherDevice(t *testing.T) {
	t.Parallel()
	s := start(t)
	token := func() string {
		return sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "name": "张三", "exp": in(time.Hour), "aud": []string{"web"}})
	}
	p, w := s.enter(t, map[string]any{"identity": token()})
	p.say("1", "x")
	p.want("ack")
	q, w2 := s.enter(t, map[string]any{"identity": token()})
	q.want("resync")
	if m := q.want("msg"); w2.Conv != w.Conv || m.Seq != 1 {
		t.Fatalf("welcome %+v message %+v", w2, m)
	}
	// The resume token is enough while the statement has run out.
	_, w3 := s.enter(t, back(w2, 1))
	if w3.Conv != w.Conv || w3.Epoch != w2.Epoch {
		t.Fatalf("welcome %+v", w3)
	}
	// Another customer in the same browser gets nothing of it.
	other := back(w2, 1)
	other["identity"] = sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u2", "exp": in(time.Hour)})
	r, w4 := s.enter(t, other)
	r.want("resync")
	if w4.Conv == w.Conv || w4.Seq != 0 {
		t.Fatalf("welcome %+v", w4)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if got := s.in[0]; got.From != (chat.Address{Account: "web", ID: "id:u1"}) || got.Identity == nil || got.Identity.Name != "张三" {
		t.Errorf("the house took %+v", got)
	}
}

func TestIdentity_LoggingInDoesNotTakeTheChatAway(t *testing.T) {
	t.Parallel()
	s := start(t)
	p, w := s.enter(t, nil)
	p.say("1", "x")
	p.want("ack")
	hello := back(w, 1)
	hello["identity"] = sign(t, jwt.SigningMethodHS256, []byte(pageKey), jwt.MapClaims{"sub": "u1", "exp": in(time.Hour)})
	q, w2 := s.enter(t, hello)
	if w2.Conv != w.Conv {
		t.Fatalf("welcome %+v", w2)
	}
	q.say("2", "y")
	q.want("ack")
	s.mu.Lock()
	if got := s.in[1]; got.Identity == nil || got.Identity.Subject != "u1" {
		t.Errorf("the house took %+v", got)
	}
	s.mu.Unlock()
	s.say(w.Conv, chat.StateClosed, bot("bye"))
	_, w3 := s.enter(t, hello)
	if w3.Conv == w.Conv {
		t.Errorf("still on the anonymous conversation: %+v", w3)
	}
}

func TestSession_OfAnotherAccountOrAlteredIsNone(t *testing.T) {
	t.Parallel()
	s := start(t)
	_, w := s.enter(t, nil)
	for i := range len(w.Session) {
		b := []byte(w.Session)
		if b[i] ^= 1; i%7 != 0 {
			continue
		}
		_, w2 := s.enter(t, map[string]any{"session": string(b)})
		if w2.Conv == w.Conv {
			t.Fatalf("a session altered at byte %d is taken", i)
		}
	}
	if _, err := web.New(web.Options{Sink: s, Reader: s, Wakes: s, Key: []byte("short")}); err == nil {
		t.Error("a short key is taken")
	}
}
