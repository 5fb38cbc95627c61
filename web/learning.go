package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"unicode/utf8"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// startRun starts a long work on the version in the path.
func (s *Server) startRun(action string, start func(k Knowledge, ctx context.Context, user, id string) (string, error)) echo.HandlerFunc {
	return func(c echo.Context) error {
		me, id := current(c).user, c.Param("id")
		run, err := start(s.o.Knowledge, c.Request().Context(), me.ID, id)
		if err != nil {
			return err
		}
		s.audit(c, me, action, id, run)
		return reply(c, http.StatusAccepted, map[string]any{"run": run})
	}
}

func (s *Server) postReplay(c echo.Context) error {
	me := current(c).user
	var in struct{ Version string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	run, err := s.o.Knowledge.Replay(c.Request().Context(), me.ID, in.Version)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_replay", in.Version, run)
	return reply(c, http.StatusAccepted, map[string]any{"run": run})
}

func (s *Server) getRun(c echo.Context) error {
	r, err := s.o.Knowledge.RunState(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, r)
}

func (s *Server) deleteRun(c echo.Context) error {
	if err := s.o.Knowledge.Cancel(c.Request().Context(), c.Param("id")); err != nil {
		return err
	}
	s.audit(c, current(c).user, "knowledge_cancel", c.Param("id"), "")
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) getTests(c echo.Context) error {
	list, err := s.o.Knowledge.Tests(c.Request().Context())
	if err != nil {
		return err
	}
	all, err := s.names(c.Request().Context())
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"items": orEmpty(list), "names": all})
}

func (s *Server) getTest(c echo.Context) error {
	t, err := s.o.Knowledge.Test(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	t.Cases, t.History = orEmpty(t.Cases), orEmpty(t.History)
	all, err := s.names(c.Request().Context())
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, struct {
		kb.SetView
		Names map[string]string `json:"names"`
	}{t, all})
}

func (s *Server) postTest(c echo.Context) error {
	me := current(c).user
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	t, err := s.o.Knowledge.CreateTest(c.Request().Context(), me.ID, c.QueryParam("name"), c.QueryParam("format"), raw)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_test_create", t.ID, t.Name)
	return reply(c, http.StatusCreated, kb.SetLine{ID: t.ID, Name: t.Name, Cases: len(t.Cases), By: t.By, At: t.At})
}

func (s *Server) deleteTest(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	if err := s.mustAudit(c, me, "knowledge_test_delete", id, ""); err != nil {
		return err
	}
	if err := s.o.Knowledge.DeleteTest(c.Request().Context(), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) postTestRun(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	var in struct{ Version string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	run, err := s.o.Knowledge.RunTest(c.Request().Context(), me.ID, id, in.Version)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_test_run", id, run)
	return reply(c, http.StatusAccepted, map[string]any{"run": run})
}

// postTry asks the bot. Agents try what serves, not what is being written.
func (s *Server) postTry(c echo.Context) error {
	me := current(c).user
	var in kb.TryInput
	if err := readBody(c, &in); err != nil {
		return err
	}
	editors := []chat.UserRole{chat.RoleUserEditor, chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserAdmin}
	if in.Version != "" && in.Version != inForce && !me.Has(editors...) {
		return fail(http.StatusForbidden, "forbidden", "your role may only try what is in force")
	}
	decision, memory, err := s.o.Knowledge.Try(c.Request().Context(), in)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"decision": decision, "memory": memory})
}

func (s *Server) getLearn(c echo.Context) error {
	state := kb.LearnState(c.QueryParam("state"))
	if state == "" {
		state = kb.LearnNew
	}
	l, err := s.o.Knowledge.Learned(c.Request().Context(), state)
	if err != nil {
		return err
	}
	all, err := s.names(c.Request().Context())
	if err != nil {
		return err
	}
	for i := range l.Items {
		s.hide(&l.Items[i])
	}
	return reply(c, http.StatusOK, map[string]any{"items": orEmpty(l.Items), "counts": l.Counts, "names": all})
}

// hide masks what people wrote once more: what was kept is masked already, and
// this is the last place before a screen (RULES §6.3).
func (s *Server) hide(c *kb.Cluster) {
	c.Example = s.o.Mask(c.Example)
	for i := range c.Messages {
		c.Messages[i].Text = s.o.Mask(c.Messages[i].Text)
	}
}

func (s *Server) postLearn(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	var in kb.DealInput
	if err := readBody(c, &in); err != nil {
		return err
	}
	if utf8.RuneCountInString(in.Reason) > maxText {
		return chat.ErrTooLong
	}
	d, err := s.o.Knowledge.Deal(c.Request().Context(), me.ID, id, in)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_learn", id, in.Do+" "+in.Topic)
	s.hide(&d.Cluster)
	out := map[string]any{"cluster": d.Cluster, "version": nil}
	if d.Version != nil {
		if out["version"], err = s.viewVersion(c.Request().Context(), *d.Version); err != nil {
			return err
		}
	}
	return reply(c, http.StatusOK, out)
}
