package web

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
)

func (s *Server) auditLine(c echo.Context, u chat.User, action, object, detail string) chat.Audit {
	return chat.Audit{
		At: s.clock(), User: u.ID, Action: action, Object: object, Detail: s.o.Mask(detail), IP: c.RealIP(),
	}
}

// audit records what was done. What is done is done, so a log that cannot be
// written is an error in the process log, not the caller's failure.
func (s *Server) audit(c echo.Context, u chat.User, action, object, detail string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request().Context()), 3*time.Second)
	defer cancel()
	if err := s.o.Users.AddAudit(ctx, s.auditLine(c, u, action, object, detail)); err != nil {
		s.log.ErrorContext(ctx, "the audit log cannot be written", "action", action, "err", err)
	}
}

// mustAudit records what is about to be done; without the record it is not
// done. For showing personal data and for changing rights.
func (s *Server) mustAudit(c echo.Context, u chat.User, action, object, detail string) error {
	if err := s.o.Users.AddAudit(c.Request().Context(), s.auditLine(c, u, action, object, detail)); err != nil {
		p := fail(http.StatusServiceUnavailable, "audit_unavailable", "the audit log cannot be written; nothing was done")
		p.retryAfter, p.cause = 5, err
		return p
	}
	return nil
}

func (s *Server) getAudit(c echo.Context) error {
	q := AuditQuery{Object: c.QueryParam("object"), User: c.QueryParam("user"), Limit: 100}
	if v := c.QueryParam("limit"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > 500 {
			return fail(http.StatusBadRequest, "bad_query", "limit is 1 to 500")
		}
		q.Limit = n
	}
	if v := c.QueryParam("before"); v != "" {
		n, err := strconv.ParseInt(v, 10, 64)
		if err != nil || n < 1 {
			return fail(http.StatusBadRequest, "bad_query", "before is the id of an audit line")
		}
		q.Before = n
	}
	lines, err := s.o.Users.Audits(c.Request().Context(), q)
	if err != nil {
		return fmt.Errorf("read the audit log: %w", err)
	}
	type line struct {
		ID     int64     `json:"id"`
		At     time.Time `json:"at"`
		User   string    `json:"user"`
		Action string    `json:"action"`
		Object string    `json:"object"`
		Detail string    `json:"detail"`
		IP     string    `json:"ip"`
	}
	out := make([]line, 0, len(lines))
	for _, l := range lines {
		out = append(out, line{l.ID, l.At, l.User, l.Action, l.Object, l.Detail, l.IP})
	}
	return reply(c, http.StatusOK, map[string]any{"items": out})
}
