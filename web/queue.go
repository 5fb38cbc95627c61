package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"wensheng/handoff"
	"wensheng/internal/chat"
)

// overseer sees every group's queue.
func overseer(u chat.User) bool {
	return u.Has(chat.RoleUserSupervisor, chat.RoleUserAdmin)
}

// worksFor reports whether the user may take conversations of the group.
func worksFor(u chat.User, group string) bool {
	return overseer(u) || slices.Contains(u.Groups, group)
}

// itemView is one waiting conversation.
type itemView struct {
	Conv     chat.ConvID      `json:"conv"`
	Account  chat.AccountID   `json:"account"`
	Channel  string           `json:"channel"`
	Group    string           `json:"group"`
	Priority handoff.Priority `json:"priority"`
	Reason   string           `json:"reason"`
	WaitedS  int64            `json:"waited_s"`
	Preview  string           `json:"preview"`
	Position int              `json:"position"`
	Receipt  string           `json:"receipt,omitempty"`
	Signals  []string         `json:"signals"`
	At       time.Time        `json:"at"`
}

func (s *Server) getQueue(c echo.Context) error {
	u := current(c).user
	items, err := s.o.Desk.Queue(c.Request().Context(), u)
	if err != nil {
		return fmt.Errorf("read the queue: %w", err)
	}
	now := s.clock()
	out := make([]itemView, 0, len(items))
	for _, it := range items {
		if !worksFor(u, it.Group) {
			continue
		}
		waited := it.Waited
		if waited <= 0 {
			waited = max(now.Sub(it.At), 0)
		}
		out = append(out, itemView{
			Conv: it.Conv, Account: it.Account, Channel: it.Channel, Group: it.Group, Priority: it.Priority,
			Reason: it.Reason, WaitedS: int64(waited / time.Second), Preview: s.o.Mask(it.Preview),
			Position: it.Position, Receipt: it.Receipt, Signals: orEmpty(it.Signals), At: it.At,
		})
	}
	return reply(c, http.StatusOK, map[string]any{"items": out})
}

// leaseView is a held conversation.
type leaseView struct {
	Conv     chat.ConvID      `json:"conv"`
	Lease    string           `json:"lease"`
	Expires  time.Time        `json:"expires"`
	Group    string           `json:"group,omitempty"`
	Auto     bool             `json:"auto,omitempty"`
	Account  chat.AccountID   `json:"account,omitempty"`
	Channel  string           `json:"channel,omitempty"`
	Priority handoff.Priority `json:"priority,omitempty"`
	Reason   string           `json:"reason,omitempty"`
	Preview  string           `json:"preview,omitempty"`
}

func (s *Server) viewLease(l handoff.Lease) leaseView {
	v := leaseView{Conv: l.Conv, Lease: l.Token, Expires: l.Expires, Group: l.Group, Auto: l.Auto}
	var p handoff.Package
	if len(l.Package) > 0 && json.Unmarshal(l.Package, &p) == nil {
		v.Account, v.Channel, v.Priority, v.Reason, v.Preview = p.Account, p.Channel, p.Priority, p.Reason, s.o.Mask(p.Preview)
	}
	return v
}

func (s *Server) postClaim(c echo.Context) error {
	u := current(c).user
	ctx := c.Request().Context()
	var in struct {
		Conv  chat.ConvID `json:"conv"`
		Group string      `json:"group"`
	}
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Group != "" && !worksFor(u, in.Group) {
		return fail(http.StatusForbidden, "not_your_group", "you do not work for this group")
	}
	if in.Conv != "" {
		if err := s.mayClaim(c, u, in.Conv); err != nil {
			return err
		}
	}
	l, err := s.o.Desk.Claim(ctx, u, in.Conv, in.Group)
	switch {
	case errors.Is(err, chat.ErrEmpty) && in.Conv == "":
		return c.NoContent(http.StatusNoContent) //nolint:wrapcheck // the caller hung up
	case errors.Is(err, chat.ErrEmpty):
		return chat.ErrTaken
	case err != nil:
		return fmt.Errorf("claim: %w", err)
	}
	s.audit(c, u, "claim", string(l.Conv), l.Group)
	s.hub.refresh(u.ID)
	return reply(c, http.StatusOK, s.viewLease(l))
}

// mayClaim checks a claim by id against the user's groups. Who wins among
// those allowed is the desk's to decide, in one script.
func (s *Server) mayClaim(c echo.Context, u chat.User, conv chat.ConvID) error {
	if _, ok := conv.Shard(); !ok {
		return chat.ErrNotFound
	}
	v, err := s.o.Desk.Conversation(c.Request().Context(), conv)
	if err != nil {
		return fmt.Errorf("look at the conversation: %w", err)
	}
	cv := v.Conversation
	switch {
	case cv.State.Held() && cv.Agent == u.ID:
		return nil
	case !worksFor(u, groupOf(v)):
		return fail(http.StatusForbidden, "not_your_group", "you do not work for this group")
	case cv.State.Held():
		return chat.ErrTaken
	case cv.State != chat.StateWaiting:
		return fail(http.StatusConflict, "not_waiting", "the conversation is not waiting")
	}
	return nil
}

// groupOf is the group a conversation waits in or was taken from.
func groupOf(v handoff.View) string {
	if v.Conversation.Group != "" {
		return v.Conversation.Group
	}
	if v.Package.Group != "" {
		return v.Package.Group
	}
	return v.Conversation.LastGroup
}

func (s *Server) getLeases(c echo.Context) error {
	ls, err := s.o.Desk.Holds(c.Request().Context(), current(c).user)
	if err != nil {
		return fmt.Errorf("read the leases: %w", err)
	}
	out := make([]leaseView, 0, len(ls))
	for _, l := range ls {
		out = append(out, s.viewLease(l))
	}
	return reply(c, http.StatusOK, map[string]any{"items": out})
}

func (s *Server) postRenew(c echo.Context) error {
	u := current(c).user
	var in struct {
		Leases []string `json:"leases"`
	}
	if err := readBody(c, &in); err != nil {
		return err
	}
	if len(in.Leases) > 500 {
		return fail(http.StatusUnprocessableEntity, "too_many", "renew at most 500 leases at once")
	}
	held, err := s.o.Desk.Renew(c.Request().Context(), u, in.Leases)
	if err != nil {
		return fmt.Errorf("renew: %w", err)
	}
	tokens, views := make([]string, 0, len(held)), make([]leaseView, 0, len(held))
	for _, l := range held {
		if l.Agent != "" && l.Agent != u.ID {
			continue
		}
		tokens = append(tokens, l.Token)
		views = append(views, s.viewLease(l))
	}
	return reply(c, http.StatusOK, map[string]any{"leases": tokens, "held": views})
}
