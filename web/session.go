package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

// readBody decodes the request's JSON object; no body at all is an empty one.
// Unknown members are ignored, so that an older server understands a newer
// client.
func readBody(c echo.Context, into any) error {
	b, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	if len(b) == 0 {
		return nil
	}
	if !utf8.Valid(b) || json.Unmarshal(b, into) != nil {
		return fail(http.StatusBadRequest, "bad_json", "the body is not the expected JSON object")
	}
	return nil
}

// userView is a user as the API shows him; the password hash never leaves.
type userView struct {
	ID       string          `json:"id"`
	Login    string          `json:"login"`
	Name     string          `json:"name"`
	Roles    []chat.UserRole `json:"roles"`
	Groups   []string        `json:"groups"`
	Capacity int             `json:"capacity"`
	Disabled bool            `json:"disabled,omitempty"`
}

func viewUser(u chat.User) userView {
	return userView{
		ID: u.ID, Login: u.Login, Name: u.Name, Roles: orEmpty(u.Roles), Groups: orEmpty(u.Groups),
		Capacity: u.Capacity, Disabled: u.Disabled,
	}
}

// orEmpty makes nil an empty JSON array.
func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

func (s *Server) postLogin(c echo.Context) error {
	r := c.Request()
	if site := r.Header.Get("Sec-Fetch-Site"); site == "cross-site" {
		return fail(http.StatusForbidden, "cross_site", "log in from the console's own page")
	}
	var in struct{ Login, Password string }
	if wait := s.throttle.fromIP(c.RealIP()); wait > 0 {
		return tooMany(wait, "too many attempts from this address")
	}
	if err := readBody(c, &in); err != nil {
		return err
	}
	in.Login = strings.TrimSpace(in.Login)
	if in.Login == "" || in.Password == "" || len(in.Login) > 128 || len(in.Password) > 1024 {
		return fail(http.StatusBadRequest, "bad_json", "login and password are required")
	}
	ctx := r.Context()
	a, wait, err := s.throttle.begin(ctx, strings.ToLower(in.Login))
	if err != nil {
		return fmt.Errorf("wait for the login's turn: %w", err)
	}
	if wait > 0 {
		return tooMany(wait, "this login is locked after wrong passwords")
	}
	u, ok, err := s.auth.byPassword(ctx, in.Login, in.Password)
	s.throttle.end(a, err == nil, ok)
	if err != nil {
		return err
	}
	if !ok {
		// Never the typed name: people type passwords into the wrong field.
		s.audit(c, chat.User{}, "login_failed", "", "")
		return fail(http.StatusUnauthorized, "wrong_password", "login or password is wrong")
	}
	token, l, err := s.auth.open(ctx, u)
	if err != nil {
		return err
	}
	s.audit(c, u, "login", "", "")
	s.setCookie(c, token, int(s.o.SessionTTL.Seconds()))
	return reply(c, http.StatusOK, map[string]any{
		"token": token, "csrf": l.CSRF, "expires": l.ExpiresAt, "user": viewUser(u),
	})
}

func tooMany(wait time.Duration, detail string) error {
	p := fail(http.StatusTooManyRequests, "too_many_logins", detail)
	p.retryAfter = int((wait + time.Second - 1) / time.Second)
	return p
}

func (s *Server) postLogout(c echo.Context) error {
	se := current(c)
	if err := s.o.Users.DeleteLogin(c.Request().Context(), se.login.TokenHash); err != nil && !errors.Is(err, chat.ErrNotFound) {
		return fmt.Errorf("delete the session: %w", err)
	}
	s.hub.logout(se.login.TokenHash)
	s.audit(c, se.user, "logout", "", "")
	s.setCookie(c, "", -1)
	return done(c)
}

func (s *Server) getMe(c echo.Context) error {
	se := current(c)
	ctx := c.Request().Context()
	presence := handoff.Agent{Status: handoff.Offline, Capacity: se.user.Capacity}
	if agents, err := s.o.Desk.Agents(ctx); err == nil { // presence is a nicety here
		for _, a := range agents {
			if a.ID == se.user.ID {
				presence = a
			}
		}
	}
	return reply(c, http.StatusOK, map[string]any{
		"user": viewUser(se.user), "csrf": se.login.CSRF, "expires": se.login.ExpiresAt,
		"presence": map[string]any{"status": presence.Status, "capacity": presence.Capacity, "load": presence.Load},
		"version":  s.o.Version, "renew_s": int(s.o.LeaseHint.Seconds()),
	})
}

func (s *Server) putPresence(c echo.Context) error {
	u := current(c).user
	var in struct {
		Status   handoff.Status `json:"status"`
		Capacity int            `json:"capacity"`
	}
	if err := readBody(c, &in); err != nil {
		return err
	}
	switch in.Status {
	case handoff.Online, handoff.Busy, handoff.Away, handoff.Offline:
	default:
		return fail(http.StatusUnprocessableEntity, "bad_status", "status is online, busy, away or offline")
	}
	if in.Capacity < 0 || in.Capacity > 100 {
		return fail(http.StatusUnprocessableEntity, "bad_capacity", "capacity is 0 to 100; 0 means your own default")
	}
	if in.Capacity == 0 {
		in.Capacity = u.Capacity
	}
	if err := s.o.Desk.SetPresence(c.Request().Context(), u, in.Status, in.Capacity); err != nil {
		return fmt.Errorf("set presence: %w", err)
	}
	s.audit(c, u, "presence", "", string(in.Status))
	return reply(c, http.StatusOK, map[string]any{"status": in.Status, "capacity": in.Capacity})
}

// minPassword is NIST SP 800-63B's floor, in characters.
const minPassword = 8

func checkPassword(p string) error {
	if n := utf8.RuneCountInString(p); n < minPassword || n > 256 {
		return fail(http.StatusUnprocessableEntity, "weak_password", "a password has 8 to 256 characters")
	}
	return nil
}

func (s *Server) putPassword(c echo.Context) error {
	se := current(c)
	ctx := c.Request().Context()
	var in struct{ Old, New string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	if err := checkPassword(in.New); err != nil {
		return err
	}
	// The old password is a guess like any other, under the same lock.
	a, wait, err := s.throttle.begin(ctx, strings.ToLower(se.user.Login))
	if err != nil {
		return fmt.Errorf("wait for the login's turn: %w", err)
	}
	if wait > 0 {
		return tooMany(wait, "this login is locked after wrong passwords")
	}
	ok, err := s.auth.verify(ctx, se.user.PasswordHash, in.Old)
	s.throttle.end(a, err == nil, ok)
	if err != nil {
		return err
	}
	if !ok {
		return fail(http.StatusForbidden, "wrong_password", "the old password is wrong")
	}
	u := se.user
	if u.PasswordHash, err = HashPassword(in.New); err != nil {
		return err
	}
	if err := s.mustAudit(c, u, "password", u.ID, ""); err != nil {
		return err
	}
	if err := s.o.Users.UpdateUser(ctx, u); err != nil {
		return fmt.Errorf("store the password: %w", err)
	}
	// Every older session ends by itself: its hash was keyed with the old password.
	token, l, err := s.auth.open(ctx, u)
	if err != nil {
		return err
	}
	s.setCookie(c, token, int(s.o.SessionTTL.Seconds()))
	return reply(c, http.StatusOK, map[string]any{"token": token, "csrf": l.CSRF, "expires": l.ExpiresAt, "user": viewUser(u)})
}

func reply(c echo.Context, status int, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	return c.JSONBlob(status, b) //nolint:wrapcheck // the caller hung up
}

func done(c echo.Context) error { return reply(c, http.StatusOK, map[string]bool{"ok": true}) }
