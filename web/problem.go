package web

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/labstack/echo/v4"

	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// problem is an RFC 9457 problem document. Code is stable and for machines;
// Detail is for a developer, in English, and never holds personal data. The
// console words it for people by the code.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Code   string `json:"code"`
	// Request is the request id, to find the log line.
	Request string `json:"request,omitempty"`
	// Class and Phrase say which wording rule refused a text.
	Class  string `json:"class,omitempty"`
	Phrase string `json:"phrase,omitempty"`
	// Gate, Run and Problems say what the knowledge workflow needs mended.
	Gate     *kb.Gate `json:"gate,omitempty"`
	Run      string   `json:"run,omitempty"`
	Problems any      `json:"problems,omitempty"`

	retryAfter int // seconds; 0 sends no Retry-After
	cause      error
}

func (p *problem) Error() string { return p.Code + ": " + p.Detail }

func (p *problem) Unwrap() error { return p.cause }

func fail(status int, code, detail string) *problem {
	return &problem{Status: status, Code: code, Detail: detail}
}

// asProblem is the one table from errors to HTTP.
func asProblem(err error) *problem {
	var p *problem
	var he *echo.HTTPError
	var te *chat.TransitionError
	var ke *kb.Error
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &ke):
		return fromKnowledge(ke)
	case errors.Is(err, chat.ErrNotFound):
		return fail(http.StatusNotFound, "not_found", "there is no such thing")
	case errors.Is(err, chat.ErrLeaseLost):
		return fail(http.StatusConflict, "lease_lost", "the lease is not, or no longer, yours")
	case errors.Is(err, chat.ErrTaken):
		return fail(http.StatusConflict, "taken", "somebody else has it")
	case errors.Is(err, chat.ErrConflict):
		return fail(http.StatusConflict, "conflict", "it changed meanwhile; read it again")
	case errors.Is(err, chat.ErrBlocked):
		return fail(http.StatusUnprocessableEntity, "blocked_wording", "this wording may not be sent")
	case errors.Is(err, chat.ErrTooLong):
		return fail(http.StatusUnprocessableEntity, "too_long", "the text is over 2000 characters")
	case errors.Is(err, chat.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		p = fail(http.StatusServiceUnavailable, "unavailable", "nothing was stored; try again")
		p.retryAfter, p.cause = 2, err
		return p
	case errors.As(err, &te):
		return fail(http.StatusConflict, "bad_state", te.Error())
	case errors.As(err, &tooBig):
		return fail(http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
	case errors.As(err, &he):
		return fromEcho(he)
	}
	p = fail(http.StatusInternalServerError, "internal", "an unexpected error; the request id finds it in the log")
	p.cause = err
	return p
}

func fromEcho(he *echo.HTTPError) *problem {
	switch he.Code {
	case http.StatusNotFound:
		return fail(he.Code, "no_such_route", "there is nothing at this path")
	case http.StatusMethodNotAllowed:
		return fail(he.Code, "method_not_allowed", "this path does not take the method")
	case http.StatusRequestEntityTooLarge:
		return fail(he.Code, "too_large", "the body is too large")
	default:
		return fail(he.Code, "http_"+strconv.Itoa(he.Code), http.StatusText(he.Code))
	}
}

// onError writes every error of the API; handlers only return them.
func (s *Server) onError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	ctx := c.Request().Context()
	p := *asProblem(err)
	p.Request = requestID(ctx)
	p.Title = http.StatusText(p.Status)
	p.Type = "urn:wensheng:problem:" + p.Code
	if p.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(ctx, "request failed", "code", p.Code, "route", c.Path(), "err", p.cause)
	}
	h := c.Response().Header()
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	h.Set(echo.HeaderContentType, "application/problem+json")
	body, err := json.Marshal(&p)
	if err != nil {
		c.Response().WriteHeader(http.StatusInternalServerError)
		return
	}
	c.Response().WriteHeader(p.Status)
	if c.Request().Method != http.MethodHead {
		_, _ = c.Response().Write(body) // the caller may be gone; nothing to do about it
	}
}
