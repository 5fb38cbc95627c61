package web

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// Knowledge is the editors' workflow; internal/knowledge implements it. What it
// returns as any is written as JSON as it is: Topics, problems and differences
// are package intents', reports and decisions the bot's. Errors: *kb.Error,
// chat.ErrNotFound. Safe for concurrent use.
//
// This package checks roles and writes the audit log; who may review whose work
// and what a state allows is checked there.
type Knowledge interface {
	Overview(ctx context.Context) (kb.Overview, error)
	Versions(ctx context.Context) ([]kb.Version, error)
	Version(ctx context.Context, id string) (kb.Version, error)
	Create(ctx context.Context, user, title, from string) (kb.Version, error)
	Delete(ctx context.Context, id string) error
	Submit(ctx context.Context, user, id, note string) (kb.Version, error)
	Judge(ctx context.Context, user, id string, approve bool, note string) (kb.Version, error)
	Reopen(ctx context.Context, id string) (kb.Version, error)
	Rebase(ctx context.Context, user, id string, revision int64) (kb.Rebased, error)
	Publish(ctx context.Context, user, id, override string) (kb.Version, error)
	Rollback(ctx context.Context, user, to, reason string) (kb.Version, error)

	Topics(ctx context.Context, id string) ([]kb.TopicLine, error)
	Topic(ctx context.Context, id, topic string) (any, error)
	PutTopic(ctx context.Context, user, id, topic string, revision int64, body json.RawMessage) (kb.Edited, error)
	DeleteTopic(ctx context.Context, user, id, topic string, revision int64) (kb.Edited, error)
	Problems(ctx context.Context, id string) (any, error)
	Diff(ctx context.Context, id, with string) (any, error)
	Export(ctx context.Context, id, format string) (kb.File, error)
	Import(ctx context.Context, user, id, format, mode string, revision int64, raw []byte) (kb.Imported, error)

	Check(ctx context.Context, user, id string) (run string, err error)
	Eval(ctx context.Context, user, id string) (run string, err error)
	Replay(ctx context.Context, user, id string) (run string, err error)
	RunState(ctx context.Context, id string) (kb.Run, error)
	Cancel(ctx context.Context, id string) error
	Tests(ctx context.Context) ([]kb.SetLine, error)
	Test(ctx context.Context, id string) (kb.SetView, error)
	CreateTest(ctx context.Context, user, name, format string, raw []byte) (kb.TestSet, error)
	DeleteTest(ctx context.Context, id string) error
	RunTest(ctx context.Context, user, id, version string) (run string, err error)
	Try(ctx context.Context, in kb.TryInput) (decision, memory any, err error)

	Learned(ctx context.Context, state kb.LearnState) (kb.Learned, error)
	Deal(ctx context.Context, user, id string, in kb.DealInput) (kb.Dealt, error)
}

const (
	// topicBody is the largest Topic: 500 phrasings and four answers, with room.
	topicBody = "1MiB"
	// sheetBody is the largest file that is brought in.
	sheetBody = "8MiB"
	// inForce is the id of what serves.
	inForce = "current"
)

// knowledgeRoutes registers what lies under /knowledge. read sees, write edits
// drafts, review judges others' work, publish changes what serves.
func (s *Server) knowledgeRoutes(api *echo.Group) {
	read := []chat.UserRole{chat.RoleUserEditor, chat.RoleUserSupervisor, chat.RoleUserCompliance, chat.RoleUserAdmin}
	write := []chat.UserRole{chat.RoleUserEditor, chat.RoleUserAdmin}
	publish := []chat.UserRole{chat.RoleUserEditor, chat.RoleUserSupervisor, chat.RoleUserAdmin}
	everybody := append([]chat.UserRole{chat.RoleUserAgent}, read...)

	g := func(method, path string, h echo.HandlerFunc, roles []chat.UserRole, mw ...echo.MiddlewareFunc) {
		mw = append([]echo.MiddlewareFunc{noStore, s.knowing}, mw...)
		api.Add(method, "/knowledge"+path, h, append(mw, s.authenticate, allow(roles...))...)
	}
	small := []echo.MiddlewareFunc{middleware.BodyLimit(apiBody), jsonOnly, within(15 * time.Second)}
	// A publish may have to run the tests first, a trial to train a draft.
	slow := []echo.MiddlewareFunc{middleware.BodyLimit(apiBody), jsonOnly, within(50 * time.Second)}
	topic := []echo.MiddlewareFunc{middleware.BodyLimit(topicBody), jsonOnly, within(15 * time.Second)}
	file := []echo.MiddlewareFunc{middleware.BodyLimit(sheetBody), within(50 * time.Second)}
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete

	g(get, "", s.getKnowledge, read, small...)
	g(get, "/versions", s.getVersions, read, small...)
	g(post, "/versions", s.postVersion, write, small...)
	g(get, "/versions/:id", s.getVersion, read, small...)
	g(del, "/versions/:id", s.deleteVersion, write, small...)
	g(post, "/versions/:id/submit", s.postSubmit, write, small...)
	g(post, "/versions/:id/review", s.postReview, read, small...) // everybody who reads may judge others' work
	g(post, "/versions/:id/reopen", s.postReopen, write, small...)
	g(post, "/versions/:id/rebase", s.postRebase, write, small...)
	g(post, "/versions/:id/publish", s.postPublish, publish, slow...)
	g(post, "/rollback", s.postRollback, publish, slow...)

	g(get, "/versions/:id/topics", s.getTopics, read, small...)
	g(get, "/versions/:id/topics/:topic", s.getTopic, read, small...)
	g(put, "/versions/:id/topics/:topic", s.putTopic, write, topic...)
	g(del, "/versions/:id/topics/:topic", s.deleteTopic, write, small...)
	g(get, "/versions/:id/problems", s.getProblems, read, small...)
	g(get, "/versions/:id/diff", s.getDiff, read, small...)
	g(get, "/versions/:id/export", s.getExport, read, small...)
	g(post, "/versions/:id/import", s.postImport, write, file...)

	g(post, "/versions/:id/check", s.startRun("knowledge_check", Knowledge.Check), read, small...)
	g(post, "/versions/:id/eval", s.startRun("knowledge_eval", Knowledge.Eval), read, small...)
	g(post, "/replay", s.postReplay, read, small...)
	g(get, "/runs/:id", s.getRun, read, small...)
	g(del, "/runs/:id", s.deleteRun, publish, small...)
	g(get, "/tests", s.getTests, read, small...)
	g(post, "/tests", s.postTest, write, file...)
	g(get, "/tests/:id", s.getTest, read, small...)
	g(del, "/tests/:id", s.deleteTest, write, small...)
	g(post, "/tests/:id/run", s.postTestRun, read, small...)
	g(post, "/try", s.postTry, everybody, slow...)

	g(get, "/learn", s.getLearn, read, small...)
	g(post, "/learn/:id", s.postLearn, write, small...)
}

// knowing answers for a server without the workflow.
func (s *Server) knowing(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		if s.o.Knowledge == nil {
			return fail(http.StatusServiceUnavailable, "unavailable", "there is no knowledge workflow here")
		}
		return next(c)
	}
}

// fromKnowledge is the table from the workflow's refusals to HTTP.
func fromKnowledge(e *kb.Error) *problem {
	status := http.StatusConflict
	switch e.Code {
	case kb.CodeOwnWork, kb.CodeOverride:
		status = http.StatusForbidden
	case kb.CodeNotTopic, kb.CodeProblems, kb.CodeBadSheet, kb.CodeBadValue, kb.CodeTooMany:
		status = http.StatusUnprocessableEntity
	case kb.CodeBusy:
		status = http.StatusTooManyRequests
	}
	p := fail(status, e.Code, e.Detail)
	p.Gate, p.Run, p.Problems = e.Gate, e.Run, e.Problems
	if e.Code == kb.CodeBusy {
		p.retryAfter = 30
	}
	return p
}

// names are the names of everybody, by id, for what shows who did something.
// Names of colleagues are no secret to those who may see the workflow.
func (s *Server) names(ctx context.Context) (map[string]string, error) {
	us, err := s.o.Users.Users(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the users: %w", err)
	}
	out := make(map[string]string, len(us))
	for _, u := range us {
		out[u.ID] = u.Name
	}
	return out, nil
}

// versionView is a version with the names of the people in it.
type versionView struct {
	kb.Version
	Names map[string]string `json:"names"`
}

func (s *Server) viewVersion(ctx context.Context, v kb.Version) (versionView, error) {
	all, err := s.names(ctx)
	out := versionView{Version: v, Names: map[string]string{}}
	out.Authors = orEmpty(v.Authors)
	for _, id := range append([]string{v.CreatedBy, v.SubmittedBy, v.ReviewedBy, v.PublishedBy}, v.Authors...) {
		if n, ok := all[id]; ok {
			out.Names[id] = n
		}
	}
	return out, err
}

// answerVersion ends a request that changed a version: it is recorded and shown.
func (s *Server) answerVersion(c echo.Context, status int, v kb.Version) error {
	view, err := s.viewVersion(c.Request().Context(), v)
	if err != nil {
		return err
	}
	return reply(c, status, view)
}

func (s *Server) getKnowledge(c echo.Context) error {
	ctx := c.Request().Context()
	o, err := s.o.Knowledge.Overview(ctx)
	if err != nil {
		return err
	}
	names := map[string]string{}
	if o.Published != nil {
		all, err := s.names(ctx)
		if err != nil {
			return err
		}
		if n, ok := all[o.Published.By]; ok {
			names[o.Published.By] = n
		}
	}
	return reply(c, http.StatusOK, struct {
		kb.Overview
		Names map[string]string `json:"names"`
	}{o, names})
}

func (s *Server) getVersions(c echo.Context) error {
	ctx := c.Request().Context()
	vs, err := s.o.Knowledge.Versions(ctx)
	if err != nil {
		return err
	}
	all, err := s.names(ctx)
	if err != nil {
		return err
	}
	for i := range vs {
		vs[i].Authors = orEmpty(vs[i].Authors)
	}
	return reply(c, http.StatusOK, map[string]any{"items": orEmpty(vs), "names": all})
}

func (s *Server) postVersion(c echo.Context) error {
	me := current(c).user
	var in struct{ Title, From string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	v, err := s.o.Knowledge.Create(c.Request().Context(), me.ID, in.Title, in.From)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_create", v.ID, v.Title)
	return s.answerVersion(c, http.StatusCreated, v)
}

func (s *Server) getVersion(c echo.Context) error {
	v, err := s.o.Knowledge.Version(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return s.answerVersion(c, http.StatusOK, v)
}

func (s *Server) deleteVersion(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	if err := s.mustAudit(c, me, "knowledge_delete", id, ""); err != nil {
		return err
	}
	if err := s.o.Knowledge.Delete(c.Request().Context(), id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func (s *Server) postSubmit(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	var in struct{ Note string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	v, err := s.o.Knowledge.Submit(c.Request().Context(), me.ID, id, in.Note)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_submit", id, in.Note)
	return s.answerVersion(c, http.StatusOK, v)
}

func (s *Server) postReview(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	var in struct{ Verdict, Note string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	if in.Verdict != "approve" && in.Verdict != "reject" {
		return fail(http.StatusUnprocessableEntity, "bad_value", "verdict is approve or reject")
	}
	return s.decided(c, "knowledge_review", id, in.Verdict+" "+in.Note, func(ctx context.Context) (kb.Version, error) {
		return s.o.Knowledge.Judge(ctx, me.ID, id, in.Verdict == "approve", in.Note)
	})
}

// decided does what must not be done unrecorded: the line is written first, and
// a second one when it was refused after all.
func (s *Server) decided(c echo.Context, action, object, detail string, do func(ctx context.Context) (kb.Version, error)) error {
	me := current(c).user
	if err := s.mustAudit(c, me, action, object, strings.TrimSpace(detail)); err != nil {
		return err
	}
	v, err := do(c.Request().Context())
	if err != nil {
		s.audit(c, me, action+"_refused", object, asProblem(err).Code)
		return err
	}
	return s.answerVersion(c, http.StatusOK, v)
}

func (s *Server) postReopen(c echo.Context) error {
	id := c.Param("id")
	return s.decided(c, "knowledge_reopen", id, "", func(ctx context.Context) (kb.Version, error) {
		return s.o.Knowledge.Reopen(ctx, id)
	})
}

func (s *Server) postRebase(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	revision, err := ifMatch(c)
	if err != nil {
		return err
	}
	r, err := s.o.Knowledge.Rebase(c.Request().Context(), me.ID, id, revision)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_rebase", id, "")
	view, err := s.viewVersion(c.Request().Context(), r.Version)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"version": view, "problems": r.Problems, "conflicts": r.Conflicts})
}

func (s *Server) postPublish(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	var in struct{ Override string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	detail := ""
	if strings.TrimSpace(in.Override) != "" {
		if !me.Has(chat.RoleUserSupervisor, chat.RoleUserAdmin) {
			return kb.Refuse(kb.CodeOverride, "a supervisor or an administrator may publish against the tests")
		}
		detail = "override: " + in.Override
	}
	return s.decided(c, "knowledge_publish", id, detail, func(ctx context.Context) (kb.Version, error) {
		return s.o.Knowledge.Publish(ctx, me.ID, id, in.Override)
	})
}

func (s *Server) postRollback(c echo.Context) error {
	me := current(c).user
	var in struct{ To, Reason string }
	if err := readBody(c, &in); err != nil {
		return err
	}
	return s.decided(c, "knowledge_rollback", in.To, in.Reason, func(ctx context.Context) (kb.Version, error) {
		return s.o.Knowledge.Rollback(ctx, me.ID, in.To, in.Reason)
	})
}

// ifMatch is the revision the caller has read; without it nothing is changed.
func ifMatch(c echo.Context) (int64, error) {
	n, err := strconv.ParseInt(strings.Trim(c.Request().Header.Get("If-Match"), `"`), 10, 64)
	if err != nil || n < 1 {
		return 0, fail(http.StatusPreconditionRequired, "revision_required", "say in If-Match which revision you have read")
	}
	return n, nil
}

func (s *Server) getTopics(c echo.Context) error {
	list, err := s.o.Knowledge.Topics(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"items": orEmpty(list)})
}

func (s *Server) getTopic(c echo.Context) error {
	t, err := s.o.Knowledge.Topic(c.Request().Context(), c.Param("id"), c.Param("topic"))
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, t)
}

func (s *Server) putTopic(c echo.Context) error {
	me, id, topic := current(c).user, c.Param("id"), c.Param("topic")
	revision, err := ifMatch(c)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	e, err := s.o.Knowledge.PutTopic(c.Request().Context(), me.ID, id, topic, revision, body)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_edit", id, topic)
	return s.answerEdited(c, e)
}

func (s *Server) deleteTopic(c echo.Context) error {
	me, id, topic := current(c).user, c.Param("id"), c.Param("topic")
	revision, err := ifMatch(c)
	if err != nil {
		return err
	}
	e, err := s.o.Knowledge.DeleteTopic(c.Request().Context(), me.ID, id, topic, revision)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_edit", id, "deleted "+topic)
	return s.answerEdited(c, e)
}

func (s *Server) answerEdited(c echo.Context, e kb.Edited) error {
	view, err := s.viewVersion(c.Request().Context(), e.Version)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"version": view, "problems": e.Problems})
}

func (s *Server) getProblems(c echo.Context) error {
	list, err := s.o.Knowledge.Problems(c.Request().Context(), c.Param("id"))
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{"items": list})
}

func (s *Server) getDiff(c echo.Context) error {
	with := c.QueryParam("with")
	if with == "" {
		with = inForce
	}
	d, err := s.o.Knowledge.Diff(c.Request().Context(), c.Param("id"), with)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, d)
}

func (s *Server) getExport(c echo.Context) error {
	f, err := s.o.Knowledge.Export(c.Request().Context(), c.Param("id"), c.QueryParam("format"))
	if err != nil {
		return err
	}
	s.audit(c, current(c).user, "knowledge_export", c.Param("id"), c.QueryParam("format"))
	c.Response().Header().Set(echo.HeaderContentDisposition, `attachment; filename="`+f.Name+`"`)
	return c.Blob(http.StatusOK, f.Type, f.Body)
}

func (s *Server) postImport(c echo.Context) error {
	me, id := current(c).user, c.Param("id")
	revision, err := ifMatch(c)
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read the body: %w", err)
	}
	in, err := s.o.Knowledge.Import(c.Request().Context(), me.ID, id, c.QueryParam("format"), c.QueryParam("mode"), revision, raw)
	if err != nil {
		return err
	}
	s.audit(c, me, "knowledge_import", id, fmt.Sprintf("%d added, %d changed, %d removed", in.Added, in.Changed, in.Removed))
	view, err := s.viewVersion(c.Request().Context(), in.Version)
	if err != nil {
		return err
	}
	return reply(c, http.StatusOK, map[string]any{
		"version": view, "problems": in.Problems, "added": in.Added, "changed": in.Changed, "removed": in.Removed,
	})
}
