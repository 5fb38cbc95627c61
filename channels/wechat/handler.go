package wechat

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// ack tells the vendor that the message is ours now. It needs no encryption in any mode.
const ack = "success"

// refuse gives every error of the codec its status, in one place.
func refuse(err error) *channels.RefusalError {
	var r *channels.RefusalError
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, errForged):
		return &channels.RefusalError{Status: http.StatusForbidden, Code: "bad_signature", Detail: "The signature is missing or does not match."}
	case errors.Is(err, errStale):
		return &channels.RefusalError{Status: http.StatusForbidden, Code: "stale_timestamp", Detail: "The timestamp is more than five minutes from now."}
	case errors.Is(err, errPlaintext):
		return &channels.RefusalError{Status: http.StatusForbidden, Code: "plaintext_refused", Detail: "This account is in safe mode and takes encrypted messages only."}
	case errors.Is(err, errMalformed):
		return &channels.RefusalError{Status: http.StatusBadRequest, Code: "malformed", Detail: "The body cannot be read as a WeChat message."}
	}
	return &channels.RefusalError{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: "The message could not be stored. Send it again."}
}

func (c *Channel) serve(w http.ResponseWriter, r *http.Request) {
	err := c.route(w, r)
	if err == nil {
		return
	}
	no := refuse(err)
	if no.Status == http.StatusServiceUnavailable {
		c.o.Logger.WarnContext(r.Context(), "wechat callback not stored", "error", err)
	} else {
		c.o.Logger.DebugContext(r.Context(), "wechat callback refused", "status", no.Status, "code", no.Code)
	}
	if no.Status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", "GET, POST")
	}
	no.Write(w)
}

// route answers the request or returns why not; then nothing was written.
func (c *Channel) route(w http.ResponseWriter, r *http.Request) error {
	arrived := c.o.Clock()
	id, ok := strings.CutPrefix(r.URL.Path, "/channels/"+Kind+"/")
	acct := c.accounts[chat.AccountID(strings.TrimSuffix(id, "/"))]
	if !ok || acct == nil {
		return &channels.RefusalError{Status: http.StatusNotFound, Code: "unknown_account", Detail: "There is no such WeChat account here."}
	}
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return errForged
	}
	switch r.Method {
	case http.MethodGet:
		if err := acct.verify(q, arrived, true); err != nil {
			return err
		}
		echo := q.Get("echostr")
		if echo == "" {
			return &channels.RefusalError{Status: http.StatusBadRequest, Code: "malformed", Detail: "echostr is missing."}
		}
		say(w, echo)
		return nil
	case http.MethodPost:
		return c.receive(w, r, acct, q, arrived)
	}
	return &channels.RefusalError{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Detail: "Only GET and POST."}
}

// verify checks the signature over the query and its freshness. With needed
// unset a missing signature passes: msg_signature, which also covers the body,
// is checked later.
func (a *account) verify(q url.Values, now time.Time, needed bool) error {
	got := q.Get("signature")
	if (got != "" || needed) && !signed(got, a.Token, q.Get("timestamp"), q.Get("nonce")) {
		return errForged
	}
	sec, err := strconv.ParseInt(q.Get("timestamp"), 10, 64)
	if err != nil {
		return errStale
	}
	if d := now.Unix() - sec; d > int64(freshFor/time.Second) || d < -int64(freshFor/time.Second) {
		return errStale
	}
	return nil
}

// callback is what a verified POST said and how it wants to be answered.
type callback struct {
	payload

	format    format
	encrypted bool
}

// read authenticates and parses a POST.
func (c *Channel) read(w http.ResponseWriter, r *http.Request, a *account, q url.Values, now time.Time) (callback, error) {
	sealed := q.Get("encrypt_type") == "aes"
	if err := a.verify(q, now, !sealed || q.Get("msg_signature") == ""); err != nil {
		return callback{}, err
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		var big *http.MaxBytesError
		if errors.As(err, &big) {
			return callback{}, &channels.RefusalError{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: "The body is larger than 64 KB."}
		}
		return callback{}, errMalformed
	}
	cb := callback{format: formatOf(r.Header.Get("Content-Type"), body)}
	outer, err := parse(cb.format, body)
	if err != nil {
		return cb, err
	}
	// encrypt_type is outside the signature: what carries Encrypt is held to it
	// whatever the query says.
	if !sealed && outer.Encrypt == "" {
		if a.Mode == ModeSafe {
			return cb, errPlaintext
		}
		cb.payload = outer
		return cb, nil
	}
	cb.encrypted = true
	if outer.Encrypt == "" && a.Mode == ModeSafe {
		return cb, errPlaintext
	}
	// Over an empty Encrypt, msg_signature would equal signature.
	if a.key == nil || outer.Encrypt == "" ||
		!signed(q.Get("msg_signature"), a.Token, q.Get("timestamp"), q.Get("nonce"), string(outer.Encrypt)) {
		return cb, errForged
	}
	inner, err := open(a.key, a.AppID, string(outer.Encrypt))
	if err != nil {
		return cb, err
	}
	cb.payload, err = parse(formatOf("", inner), inner)
	return cb, err
}

// receive stores one callback and answers it: with the bot's words when they
// are ready in time, with "success" otherwise. Nothing is answered before the
// sink has stored it.
func (c *Channel) receive(w http.ResponseWriter, r *http.Request, a *account, q url.Values, arrived time.Time) error {
	cb, err := c.read(w, r, a, q, arrived)
	if err != nil {
		return err
	}
	d, err := decode(a.ID, a.AppID, cb.payload, arrived)
	if err != nil {
		return err
	}
	if d.skip || d.in.Event == EventLocation && !c.sampler.due(d.in.From, arrived) {
		say(w, ack)
		return nil
	}
	if !d.in.Silent {
		d.in.InlineUntil = arrived.Add(inlineFor)
	}
	if d.in.Media != nil && d.in.Media.VendorID != "" && c.o.Media != nil {
		d.in.Media.Ref = mediaRef(a.ID, d.in.ProviderID)
	}
	ctx, cancel := context.WithTimeout(r.Context(), answerFor)
	defer cancel()
	receipt, err := c.accept(ctx, d.in)
	if err != nil {
		if d.in.Event == EventLocation {
			c.sampler.forget(d.in.From)
		}
		return err
	}
	c.answer(ctx, w, a, cb, receipt)
	c.after(context.WithoutCancel(ctx), a, d, receipt, arrived)
	return nil
}

func (c *Channel) accept(ctx context.Context, in chat.Inbound) (chat.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, acceptFor)
	defer cancel()
	return c.o.Sink.Accept(ctx, in)
}

// answer writes the one response of an accepted callback.
func (c *Channel) answer(ctx context.Context, w http.ResponseWriter, a *account, cb callback, receipt chat.Receipt) {
	if receipt.Reply == nil {
		say(w, ack)
		return
	}
	messages := receipt.Reply.Wait(ctx)
	if len(messages) == 0 {
		say(w, ack)
		return
	}
	body, err := c.passive(a, cb, messages)
	if err == nil {
		err = ctx.Err() // the vendor may have hung up
	}
	if err != nil { // too long for one reply, or nothing to show: it goes by the API
		receipt.Reply.Written(err)
		say(w, ack)
		return
	}
	contentType := "application/xml; charset=utf-8"
	if cb.format == formatJSON {
		contentType = "application/json; charset=utf-8"
	}
	receipt.Reply.Written(write(w, contentType, body))
}

// after is what need not be done before the answer.
func (c *Channel) after(ctx context.Context, a *account, d decoded, receipt chat.Receipt, at time.Time) {
	if d.opens != "" && !receipt.Duplicate {
		ctx, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if err := c.o.Ledger.Opened(ctx, d.in.From, d.opens, at); err != nil {
			c.o.Logger.WarnContext(ctx, "wechat window not recorded", "account", a.ID, "error", err)
		}
	}
	// Again for a duplicate: the first delivery may have been stored by a replica
	// that died before it fetched. The same Ref is written over.
	if d.in.Media != nil && d.in.Media.Ref != "" {
		c.fetcher.enqueue(job{account: a, picURL: d.picURL, file: MediaFile{
			Ref: d.in.Media.Ref, From: d.in.From, Conv: receipt.Conv, Message: receipt.ID, VendorID: d.in.Media.VendorID,
		}})
	}
}

// passive renders the messages as one passive reply, sealed if the callback was.
// Its plaintext depends on nothing but the callback and the messages.
func (c *Channel) passive(a *account, cb callback, messages []chat.Message) ([]byte, error) {
	content, err := renderInline(messages)
	if err != nil {
		return nil, err
	}
	body, err := textReply(cb.format, string(cb.FromUserName), string(cb.ToUserName), messages[0].At.Unix(), content)
	if err != nil || !cb.encrypted {
		return body, err
	}
	fresh := make([]byte, 24)
	_, _ = rand.Read(fresh) // never fails since Go 1.24
	var nonce strings.Builder
	for _, b := range fresh[16:] {
		nonce.WriteByte('0' + b%10)
	}
	return envelope(cb.format, a.key, fresh[:16], a.Token, a.AppID, nonce.String(), c.o.Clock().Unix(), body)
}

// say writes plain text. Its error tells nobody anything: the vendor is gone and
// will call again.
func say(w http.ResponseWriter, s string) {
	_ = write(w, "text/plain; charset=utf-8", []byte(s))
}

// write sends a whole 200 response and flushes it, so that an error is seen here.
func write(w http.ResponseWriter, contentType string, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("X-Content-Type-Options", "nosniff")
	if _, err := w.Write(body); err != nil { //nolint:gosec // text/plain, XML or JSON with nosniff, never HTML
		return err
	}
	if err := http.NewResponseController(w).Flush(); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}
