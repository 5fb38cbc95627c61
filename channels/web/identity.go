package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"wensheng/internal/chat"
)

const (
	// sessionLife is how long a visitor can come back to his conversation.
	sessionLife = 30 * 24 * time.Hour
	// proposalLife bounds how long an unopened conversation's id is offered. It
	// must stay well below the time a closed conversation's keys live, or an id
	// could be used for a second conversation.
	proposalLife = 24 * time.Hour
	// identityLife is how far ahead a statement of identity may expire.
	identityLife = time.Hour
	identitySkew = time.Minute
	// inviteLife is how long an invitation can be used; coming back does not
	// prolong it.
	inviteLife = 24 * time.Hour
	maxToken   = 4096 // bytes of a session token or a statement of identity
	maxSubject = 128  // bytes
	maxName    = 64   // characters
)

// Prefixes of visitor ids: who the host page vouches for and who nobody does.
const (
	visitorAnonymous = "v:"
	visitorKnown     = "id:"
)

// session is what a resume token holds.
type session struct {
	Account chat.AccountID `json:"a"`
	Visitor string         `json:"v"`
	// As is another channel's account that Visitor is an address of: he was
	// invited. Empty for a visitor of this account.
	As chat.AccountID `json:"s,omitempty"`
	// Conv is the id offered for a conversation that is not yet open, and
	// Offered when, in Unix seconds; empty once there is one.
	Conv    chat.ConvID `json:"c,omitempty"`
	Offered int64       `json:"p,omitempty"`
	Until   int64       `json:"e"`
}

func (s session) invited() bool { return s.As != "" }

func (s session) anonymous() bool {
	return !s.invited() && strings.HasPrefix(s.Visitor, visitorAnonymous)
}

func (s session) addr() chat.Address {
	if s.invited() {
		return chat.Address{Account: s.As, ID: s.Visitor}
	}
	return chat.Address{Account: s.Account, ID: s.Visitor}
}

// Invite makes a resume token of a web account that continues the conversation
// of another channel's address: whoever holds it reads that conversation, and
// what he says is from that address. The token tells nothing of the address,
// is good for 24 hours, and counts as the right itself: hand it over once, to
// somebody who has shown that the address is his. The error is chat.ErrNotFound
// for an account that is not one of this channel.
func (c *Channel) Invite(account chat.AccountID, to chat.Address) (string, error) {
	if c.accounts[account] == nil {
		return "", fmt.Errorf("web: invite to account %q: %w", account, chat.ErrNotFound)
	}
	if to.Account == "" || to.ID == "" || c.accounts[to.Account] != nil {
		return "", errors.New("web: only an address of another channel is invited")
	}
	return c.sessions.seal(session{
		Account: account, Visitor: to.ID, As: to.Account, Until: c.now().Add(inviteLife).Unix(),
	})
}

// sessions seals and opens resume tokens: AES-256-GCM, so that a token is both
// signed and says nothing about the visitor to whoever finds it in a browser.
type sessions struct{ aead cipher.AEAD }

func newSessions(key []byte) (*sessions, error) {
	if len(key) < 16 {
		return nil, errors.New("web: the session key is shorter than 16 bytes")
	}
	k, err := hkdf.Key(sha256.New, key, nil, "wensheng/web/session/v1", 32)
	if err != nil {
		return nil, fmt.Errorf("web: derive the session key: %w", err)
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		return nil, fmt.Errorf("web: session cipher: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("web: session cipher: %w", err)
	}
	return &sessions{aead}, nil
}

func (s *sessions) seal(v session) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("web: session: %w", err)
	}
	nonce := make([]byte, s.aead.NonceSize(), s.aead.NonceSize()+len(plain)+s.aead.Overhead())
	_, _ = rand.Read(nonce) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(v.Account))), nil
}

// open returns the session of a token of this account, or false for one that
// is foreign, altered, expired or empty.
func (s *sessions) open(token string, account chat.AccountID, now time.Time) (session, bool) {
	if token == "" || len(token) > maxToken {
		return session{}, false
	}
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(b) < s.aead.NonceSize() {
		return session{}, false
	}
	n := s.aead.NonceSize()
	plain, err := s.aead.Open(nil, b[:n], b[n:], []byte(account))
	if err != nil {
		return session{}, false
	}
	var v session
	if json.Unmarshal(plain, &v) != nil || v.Account != account || v.Visitor == "" || now.Unix() >= v.Until {
		return session{}, false
	}
	if now.Sub(time.Unix(v.Offered, 0)) > proposalLife {
		v.Conv, v.Offered = "", 0
	}
	return v, true
}

var errIdentity = errors.New("web: the statement of identity is not valid")

// verify checks a host page's signed statement: a JWT by HS256 under the
// account's key, with a subject and an expiry at most an hour ahead. An
// audience, if there is one, must name the account. A stolen statement is thus
// worth little (FIELD §7: a hash without a time works for ever).
func verify(token string, key []byte, account chat.AccountID, now time.Time) (*chat.Identity, error) {
	if len(key) == 0 || len(token) > maxToken {
		return nil, errIdentity
	}
	var claims struct {
		jwt.RegisteredClaims
		Name string `json:"name"`
	}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithExpirationRequired(),
		jwt.WithLeeway(identitySkew),
		jwt.WithTimeFunc(func() time.Time { return now }),
	)
	if _, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return key, nil }); err != nil {
		return nil, errIdentity // the cause would quote the token
	}
	if claims.ExpiresAt.After(now.Add(identityLife + identitySkew)) {
		return nil, errIdentity
	}
	if len(claims.Audience) > 0 && !slices.Contains(claims.Audience, string(account)) {
		return nil, errIdentity
	}
	sub := claims.Subject
	if sub == "" || len(sub) > maxSubject || clean(sub) != sub || !utf8.ValidString(sub) {
		return nil, errIdentity
	}
	name := []rune(clean(claims.Name))
	if len(name) > maxName {
		name = name[:maxName]
	}
	return &chat.Identity{Subject: sub, Name: string(name)}, nil
}
