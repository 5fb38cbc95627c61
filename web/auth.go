package web

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
)

const (
	cookieName = "ws_session"
	csrfHeader = "X-Csrf-Token"
	// cookiePath covers the API and the live events, nothing else.
	cookiePath = "/api/v1"
)

// passwordCost is OWASP's first recommendation for argon2id: 19 MiB, two
// passes, one lane.
func passwordCost() *argon2id.Params {
	return &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

// HashPassword makes the PHC string of chat.User.PasswordHash.
func HashPassword(password string) (string, error) {
	h, err := argon2id.CreateHash(password, passwordCost())
	if err != nil {
		return "", fmt.Errorf("hash the password: %w", err)
	}
	return h, nil
}

// auth turns passwords into sessions and tokens into users.
//
// A token is "<user id>.<secret>". Only an HMAC of it together with the user's
// password hash is stored, so a new password ends every session of the user
// and a stolen table opens nothing.
type auth struct {
	users Users
	key   []byte
	clock func() time.Time
	ttl   time.Duration
	// dummy is a hash nobody knows the password of: an unknown login costs the
	// same time as a known one.
	dummy string
	// slots bounds how many hashes are computed at once (19 MiB each).
	slots    chan struct{}
	verified atomic.Int64
}

func newAuth(users Users, derive func(string) []byte, clock func() time.Time, ttl time.Duration) (*auth, error) {
	key := derive("web sessions v1")
	if len(key) < 32 {
		return nil, errors.New("the session key is shorter than 32 bytes")
	}
	dummy, err := HashPassword(chat.NewToken())
	if err != nil {
		return nil, err
	}
	return &auth{users: users, key: key, clock: clock, ttl: ttl, dummy: dummy, slots: make(chan struct{}, 4)}, nil
}

func (a *auth) mac(parts ...string) string {
	m := hmac.New(sha256.New, a.key)
	for _, p := range parts {
		_, _ = fmt.Fprintf(m, "%d:%s", len(p), p) // a hash never fails to write
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// verify checks a password in constant work, whether the user exists or not.
func (a *auth) verify(ctx context.Context, hash, password string) (bool, error) {
	select {
	case a.slots <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-a.slots }()
	a.verified.Add(1)
	ok, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, fmt.Errorf("the stored password hash: %w", err)
	}
	return ok, nil
}

// byPassword returns the user, or ok false for any reason the caller must not
// tell apart: unknown, wrong, disabled.
func (a *auth) byPassword(ctx context.Context, login, password string) (u chat.User, ok bool, err error) {
	u, err = a.users.UserByLogin(ctx, login)
	if err != nil && !errors.Is(err, chat.ErrNotFound) {
		return chat.User{}, false, fmt.Errorf("find the user: %w", err)
	}
	known := err == nil && u.PasswordHash != ""
	hash := u.PasswordHash
	if !known {
		hash = a.dummy
	}
	match, err := a.verify(ctx, hash, password)
	if err != nil {
		return chat.User{}, false, err
	}
	if !known || !match || u.Disabled {
		return chat.User{}, false, nil
	}
	return u, true, nil
}

// open starts a session.
func (a *auth) open(ctx context.Context, u chat.User) (token string, l chat.Login, err error) {
	token = u.ID + "." + chat.NewToken()
	now := a.clock()
	l = chat.Login{
		TokenHash: a.mac("session", token, u.PasswordHash), UserID: u.ID, CSRF: chat.NewToken(),
		CreatedAt: now, ExpiresAt: now.Add(a.ttl),
	}
	if err := a.users.SaveLogin(ctx, l); err != nil {
		return "", chat.Login{}, fmt.Errorf("save the session: %w", err)
	}
	return token, l, nil
}

// byToken returns who a token belongs to, or a 401 problem.
func (a *auth) byToken(ctx context.Context, token string) (chat.User, chat.Login, error) {
	none := func() (chat.User, chat.Login, error) {
		return chat.User{}, chat.Login{}, fail(http.StatusUnauthorized, "unauthorized", "log in first")
	}
	id, _, ok := strings.Cut(token, ".")
	if !ok || id == "" || len(token) > 256 {
		return none()
	}
	u, err := a.users.UserByID(ctx, id)
	if errors.Is(err, chat.ErrNotFound) || (err == nil && u.Disabled) {
		return none()
	}
	if err != nil {
		return chat.User{}, chat.Login{}, fmt.Errorf("find the user: %w", err)
	}
	l, err := a.login(ctx, a.mac("session", token, u.PasswordHash))
	if errors.Is(err, chat.ErrNotFound) || (err == nil && l.UserID != u.ID) {
		return none()
	}
	if err != nil {
		return chat.User{}, chat.Login{}, err
	}
	return u, l, nil
}

// login returns an unexpired session by its hash, or chat.ErrNotFound.
func (a *auth) login(ctx context.Context, hash string) (chat.Login, error) {
	l, err := a.users.LoginByHash(ctx, hash)
	if err != nil {
		return chat.Login{}, fmt.Errorf("find the session: %w", err)
	}
	if !a.clock().Before(l.ExpiresAt) {
		return chat.Login{}, chat.ErrNotFound
	}
	return l, nil
}

// session is who makes a request.
type session struct {
	user  chat.User
	login chat.Login
}

const sessionKey = "session"

func current(c echo.Context) session {
	se, _ := c.Get(sessionKey).(session) // absent only on routes without authenticate
	return se
}

// authenticate lets a request through with a bearer token, or with the
// console's cookie. A cookie alone never changes anything: the CSRF header
// must come with it, because a foreign page can make a browser send a cookie
// but not a header.
func (s *Server) authenticate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		token, byCookie := "", false
		if h := r.Header.Get(echo.HeaderAuthorization); h != "" {
			scheme, rest, _ := strings.Cut(h, " ")
			if strings.EqualFold(scheme, "Bearer") {
				token = strings.TrimSpace(rest)
			}
		} else if ck, err := r.Cookie(cookieName); err == nil {
			token, byCookie = ck.Value, true
		}
		u, l, err := s.auth.byToken(r.Context(), token)
		if err != nil {
			return err
		}
		if byCookie && r.Method != http.MethodGet && r.Method != http.MethodHead &&
			subtle.ConstantTimeCompare([]byte(r.Header.Get(csrfHeader)), []byte(l.CSRF)) != 1 {
			return fail(http.StatusForbidden, "csrf", "the cookie needs the X-CSRF-Token header")
		}
		c.Set(sessionKey, session{user: u, login: l})
		return next(c)
	}
}

// allow restricts a route to users with one of the roles.
func allow(roles ...chat.UserRole) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			if !current(c).user.Has(roles...) {
				return fail(http.StatusForbidden, "forbidden", "your role may not do this")
			}
			return next(c)
		}
	}
}

func (s *Server) setCookie(c echo.Context, token string, maxAge int) {
	c.SetCookie(&http.Cookie{
		Name: cookieName, Value: token, Path: cookiePath, MaxAge: maxAge,
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.secure(c.Request()),
	})
}
