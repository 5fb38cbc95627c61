package wechat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync/atomic"

	"wensheng/internal/chat"
)

const maxAnswer = 1 << 20 // bytes of an API answer that is not a file

// status is how every API answer says what became of the call.
type status struct {
	ErrCode int64  `json:"errcode"`
	ErrMsg  string `json:"errmsg"`
}

// err is nil for errcode 0. The vendor's words may quote an openid, so only the
// code and the request id are kept.
func (s status) err() error {
	if s.ErrCode == 0 {
		return nil
	}
	return &apiError{code: s.ErrCode, rid: requestID(s.ErrMsg)}
}

// apiError is a refusal by the vendor: the call certainly had no effect.
type apiError struct {
	code int64
	rid  string
}

func (e *apiError) Error() string {
	if e.rid == "" {
		return fmt.Sprintf("wechat errcode %d", e.code)
	}
	return fmt.Sprintf("wechat errcode %d, rid %s", e.code, e.rid)
}

// tokenRefused says that another access token may be accepted.
func (e *apiError) tokenRefused() bool {
	return e.code == 40001 || e.code == 40014 || e.code == 42001
}

func requestID(msg string) string {
	_, rid, ok := strings.Cut(msg, "rid:")
	if !ok {
		return ""
	}
	rid = strings.TrimSpace(rid)
	end := strings.IndexFunc(rid, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f') && r != '-'
	})
	if end >= 0 {
		rid = rid[:end]
	}
	return rid[:min(len(rid), 64)]
}

// transportError is a call without an answer that can be read. left says that
// the request may have reached the vendor.
type transportError struct {
	left bool
	err  error
}

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// post calls an API with a JSON body and decodes the answer into out.
func (c *Channel) post(ctx context.Context, a *account, path string, query url.Values, body []byte, out any) error {
	ctx, cancel := context.WithTimeout(ctx, c.o.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.APIBase+path+encoded(query), bytes.NewReader(body))
	if err != nil {
		return &transportError{err: errors.New("the request cannot be built")}
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	res, left, err := c.do(req)
	if err != nil {
		return &transportError{left: left, err: err}
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	switch {
	case err != nil:
		return &transportError{left: true, err: scrub(err)}
	case res.StatusCode >= 300 && res.StatusCode < 500:
		return &apiError{code: int64(res.StatusCode)} // refused before it was read
	case res.StatusCode != http.StatusOK:
		return &transportError{left: true, err: fmt.Errorf("wechat answered HTTP %d", res.StatusCode)}
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return &transportError{left: true, err: errors.New("wechat answered something that is not JSON")}
	}
	return nil
}

// do sends a request and tells whether any of it may have left.
func (c *Channel) do(req *http.Request) (*http.Response, bool, error) {
	var left atomic.Bool
	trace := &httptrace.ClientTrace{
		WroteHeaders: func() { left.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { left.Store(true) },
	}
	res, err := c.client.Do(req.WithContext(httptrace.WithClientTrace(req.Context(), trace))) //nolint:gosec // the address is the configured API or passed mediaHost
	if err != nil {
		return nil, left.Load(), scrub(err)
	}
	return res, true, nil
}

// scrub takes the address, which holds the access token, out of a client error.
func scrub(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return fmt.Errorf("wechat: %s: %w", strings.ToLower(u.Op), u.Err)
	}
	return err
}

func encoded(q url.Values) string {
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}

// call posts with the account's access token; when the token is refused, once
// more with a new one. The error is a *chat.SendError.
func (c *Channel) call(ctx context.Context, a *account, path string, in any) error {
	body, err := encodeJSON(in)
	if err != nil {
		return &chat.SendError{Certain: true, Code: "vendor_error", Err: err}
	}
	refused := ""
	for {
		token, err := c.token(ctx, a, refused)
		if err != nil {
			return tokenSendError(err)
		}
		var s status
		if err = c.post(ctx, a, path, url.Values{"access_token": {token}}, body, &s); err == nil {
			err = s.err()
		}
		var api *apiError
		if errors.As(err, &api) && api.tokenRefused() && refused == "" {
			refused = token
			continue
		}
		return sendError(err)
	}
}

// sendError says what a failed call means for the message (CHANNELS §A.6).
func sendError(err error) error {
	if err == nil {
		return nil
	}
	var lost *transportError
	if errors.As(err, &lost) {
		code := "vendor_error"
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || isTimeout(err) {
			code = "timeout"
		}
		return &chat.SendError{Certain: !lost.left, Retry: !lost.left, Code: code, Err: err}
	}
	e := &chat.SendError{Certain: true, Code: "vendor_error", Err: err}
	var api *apiError
	if !errors.As(err, &api) {
		return e
	}
	switch api.code {
	case -1:
		e.Retry = true // system busy
	case 40001, 40014, 42001, 48001, 40013, 40125, 40164, 40243, 61004, 89503, 50001:
		e.Code = "unauthorized"
	case 40003:
		e.Code = "bad_address"
	case 43004, 43019, 48002, 50002:
		e.Code = "blocked"
	case 45002:
		e.Code = "too_long"
	case 45009:
		e.Code = "rate_limited" // the day's quota: repeating only makes it worse
	case 45011, http.StatusTooManyRequests:
		e.Code, e.Retry = "rate_limited", true // too many in this minute
	case 45015:
		e.Code = "window_closed"
	case 45047:
		e.Code = "quota_used"
	}
	return e
}

// tokenSendError is sendError for a message that never left, because there was
// no access token to send it with.
func tokenSendError(err error) error {
	var e *chat.SendError
	if !errors.As(sendError(err), &e) {
		return err
	}
	var lost *transportError
	return &chat.SendError{Certain: true, Retry: e.Retry || errors.As(err, &lost), Code: e.Code, Err: fmt.Errorf("access token: %w", err)}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}
