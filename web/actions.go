package web

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

const (
	maxText   = 2000 // characters of one message or note
	maxReason = 200  // characters
	maxCID    = 64   // bytes
)

// held makes sure that token is the user's lease on the conversation. The desk
// fences by the token too; this ties the token to the person (G7), so that a
// token seen over somebody's shoulder is of no use.
func (s *Server) held(ctx context.Context, u chat.User, conv chat.ConvID, token string) error {
	if _, ok := conv.Shard(); !ok {
		return chat.ErrNotFound
	}
	if token == "" {
		return chat.ErrLeaseLost
	}
	ls, err := s.o.Desk.Holds(ctx, u)
	if err != nil {
		return fmt.Errorf("read the leases: %w", err)
	}
	for _, l := range ls {
		if l.Conv == conv && l.Token == token && (l.Agent == "" || l.Agent == u.ID) {
			return nil
		}
	}
	return chat.ErrLeaseLost
}

type wordsIn struct {
	CID   string `json:"cid"`
	Text  string `json:"text"`
	Lease string `json:"lease"`
}

func (in *wordsIn) check() error {
	if in.CID == "" || len(in.CID) > maxCID {
		return fail(http.StatusUnprocessableEntity, "bad_cid", "cid is your own id of the message, 1 to 64 bytes")
	}
	if utf8.RuneCountInString(in.Text) > maxText {
		return chat.ErrTooLong
	}
	if strings.TrimSpace(in.Text) == "" {
		return fail(http.StatusUnprocessableEntity, "empty", "there is no text")
	}
	return nil
}

func (s *Server) postMessage(c echo.Context) error {
	u, conv, ctx := current(c).user, chat.ConvID(c.Param("id")), c.Request().Context()
	var in wordsIn
	if err := readBody(c, &in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	if err := s.held(ctx, u, conv, in.Lease); err != nil {
		return err
	}
	warnings := []string{}
	if hit := s.wording.check(in.Text); hit != nil && hit.block {
		s.audit(c, u, "say_blocked", string(conv), hit.class)
		p := fail(http.StatusUnprocessableEntity, "blocked_wording", "this wording may not be sent")
		p.Class, p.Phrase = hit.class, hit.phrase
		return p
	} else if hit != nil {
		warnings = append(warnings, hit.class)
	}
	m, err := s.o.Desk.Say(ctx, u, conv, in.Lease, in.CID, in.Text)
	if err != nil {
		return fmt.Errorf("say: %w", err)
	}
	s.audit(c, u, "say", string(conv), strings.Join(append([]string{string(m.ID)}, warnings...), " "))
	return reply(c, http.StatusCreated, map[string]any{
		"id": m.ID, "seq": m.VSeq, "pos": m.Seq, "at": m.At, "delivery": m.Delivery, "warnings": warnings,
	})
}

func (s *Server) postNote(c echo.Context) error {
	u, conv, ctx := current(c).user, chat.ConvID(c.Param("id")), c.Request().Context()
	var in wordsIn
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.CID == "" {
		in.CID = "n" + chat.NewToken()
	}
	if err := in.check(); err != nil {
		return err
	}
	if err := s.held(ctx, u, conv, in.Lease); err != nil {
		return err
	}
	m, err := s.o.Desk.Note(ctx, u, conv, in.Lease, in.CID, in.Text)
	if err != nil {
		return fmt.Errorf("note: %w", err)
	}
	s.audit(c, u, "note", string(conv), string(m.ID))
	return reply(c, http.StatusCreated, map[string]any{"id": m.ID, "pos": m.Seq, "at": m.At})
}

type leaseIn struct {
	Lease  string `json:"lease"`
	Reason string `json:"reason"`
	Group  string `json:"group"`
	Agent  string `json:"agent"`
	Note   string `json:"note"`
	On     *bool  `json:"on"`
}

// act runs one of the verbs that need nothing but the lease.
func (s *Server) act(action string, do func(ctx context.Context, u chat.User, conv chat.ConvID, in leaseIn) error) echo.HandlerFunc {
	return func(c echo.Context) error {
		u, conv, ctx := current(c).user, chat.ConvID(c.Param("id")), c.Request().Context()
		var in leaseIn
		if err := readBody(c, &in); err != nil {
			return err
		}
		if utf8.RuneCountInString(in.Reason) > maxReason || utf8.RuneCountInString(in.Note) > maxText {
			return chat.ErrTooLong
		}
		if err := s.held(ctx, u, conv, in.Lease); err != nil {
			return err
		}
		if err := do(ctx, u, conv, in); err != nil {
			return err
		}
		detail := in.Reason
		if action == "transfer" {
			detail = strings.TrimSpace(in.Group + " " + in.Agent)
		} else if action == "hold" && in.On != nil && !*in.On {
			detail = "off"
		}
		s.audit(c, u, action, string(conv), detail)
		s.hub.refresh(u.ID)
		return done(c)
	}
}

func (s *Server) release(ctx context.Context, u chat.User, conv chat.ConvID, in leaseIn) error {
	return wrap("release", s.o.Desk.Release(ctx, u, conv, in.Lease))
}

func (s *Server) hold(ctx context.Context, u chat.User, conv chat.ConvID, in leaseIn) error {
	return wrap("hold", s.o.Desk.Hold(ctx, u, conv, in.Lease, in.On == nil || *in.On))
}

func (s *Server) closeConv(ctx context.Context, u chat.User, conv chat.ConvID, in leaseIn) error {
	return wrap("close", s.o.Desk.Close(ctx, u, conv, in.Lease, in.Reason))
}

func (s *Server) transfer(ctx context.Context, u chat.User, conv chat.ConvID, in leaseIn) error {
	if in.Group == "" && in.Agent == "" {
		return fail(http.StatusUnprocessableEntity, "no_target", "name a group or an agent")
	}
	if in.Group != "" && !s.knownGroup(in.Group) {
		return fail(http.StatusUnprocessableEntity, "unknown_group", "there is no such group")
	}
	if in.Agent != "" {
		to, err := s.o.Users.UserByID(ctx, in.Agent)
		if err != nil || to.Disabled || !canServe(to) || to.ID == u.ID {
			return fail(http.StatusUnprocessableEntity, "unknown_agent", "there is no such agent to pass it to")
		}
	}
	return wrap("transfer", s.o.Desk.Transfer(ctx, u, conv, in.Lease, in.Group, in.Agent, in.Note))
}

func wrap(what string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (s *Server) knownGroup(id string) bool {
	for _, g := range s.o.Groups {
		if g.ID == id {
			return true
		}
	}
	return false
}

// postTyping is a passing sign, not an action: it leaves no audit line.
func (s *Server) postTyping(c echo.Context) error {
	u, conv, ctx := current(c).user, chat.ConvID(c.Param("id")), c.Request().Context()
	var in leaseIn
	if err := readBody(c, &in); err != nil {
		return err
	}
	if err := s.held(ctx, u, conv, in.Lease); err != nil {
		return err
	}
	if err := s.o.Desk.Typing(ctx, u, conv, in.Lease); err != nil {
		return fmt.Errorf("typing: %w", err)
	}
	return done(c)
}

// postReveal shows one field in clear, to who may, for a reason, and only
// after the audit log has it.
func (s *Server) postReveal(c echo.Context) error {
	u, conv, ctx := current(c).user, chat.ConvID(c.Param("id")), c.Request().Context()
	var in struct{ Field, Reason string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	v, err := s.view(ctx, u, conv)
	if err != nil {
		return err
	}
	if !holds(u, v) && !u.Has(chat.RoleUserSupervisor, chat.RoleUserCompliance) {
		return fail(http.StatusForbidden, "forbidden", "only the holder, supervisors and compliance may see this in clear")
	}
	in.Reason = strings.TrimSpace(in.Reason)
	if n := utf8.RuneCountInString(in.Reason); n < 2 || n > maxReason {
		return fail(http.StatusUnprocessableEntity, "reason_required", "say why, in 2 to 200 characters")
	}
	value, ok := inClear(v, in.Field)
	if !ok {
		return fail(http.StatusUnprocessableEntity, "unknown_field", "field is contact, name, subject or message:<id>")
	}
	if err := s.mustAudit(c, u, "reveal", string(conv), in.Field+": "+in.Reason); err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"field": in.Field, "value": value})
}

// inClear finds a field's value; ok is false when there is no such field.
func inClear(v handoff.View, field string) (value string, ok bool) {
	switch field {
	case "contact", "address", "phone", "id": // one thing under the names people try
		return v.Conversation.Contact.ID, true
	case "name", "subject":
		if v.Conversation.Identity == nil {
			return "", false
		}
		if field == "name" {
			return v.Conversation.Identity.Name, true
		}
		return v.Conversation.Identity.Subject, true
	}
	if id, is := strings.CutPrefix(field, "message:"); is {
		for _, m := range v.Messages {
			if string(m.ID) == id {
				return m.Text, true
			}
		}
	}
	return "", false
}
