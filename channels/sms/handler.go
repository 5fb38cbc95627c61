package sms

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"

	"wensheng/channels"
	"wensheng/internal/chat"
)

// maxBody bounds a callback's body, and the query of one that comes by GET.
const maxBody = 64 << 10

var (
	errForged    = errors.New("the vendor's signature is missing or wrong")
	errMalformed = errors.New("the callback cannot be read")
)

// refuse gives every error its status, in one place.
func refuse(err error) *channels.RefusalError {
	var r *channels.RefusalError
	switch {
	case errors.As(err, &r):
		return r
	case errors.Is(err, errForged):
		return &channels.RefusalError{Status: http.StatusForbidden, Code: "bad_signature", Detail: "The vendor's signature is missing or does not match."}
	case errors.Is(err, errMalformed):
		return &channels.RefusalError{Status: http.StatusBadRequest, Code: "malformed", Detail: "The callback cannot be read as this vendor's."}
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
		c.o.Logger.WarnContext(r.Context(), "sms callback not stored", "error", err)
	} else {
		c.o.Logger.DebugContext(r.Context(), "sms callback refused", "status", no.Status, "code", no.Code)
	}
	no.Write(w)
}

// route takes the callback and acknowledges it, or returns why not; then
// nothing was written.
func (c *Channel) route(w http.ResponseWriter, r *http.Request) error {
	a := c.find(r.URL.Path)
	if a == nil {
		return &channels.RefusalError{Status: http.StatusNotFound, Code: "unknown_account", Detail: "There is no such address here."}
	}
	g, _ := a.vendor.(*generic)
	byQuery := g != nil && g.m.Format == FormatQuery
	if r.Method != http.MethodPost && (r.Method != http.MethodGet || !byQuery) {
		return &channels.RefusalError{Status: http.StatusMethodNotAllowed, Code: "method_not_allowed", Detail: "This vendor's callbacks come by POST."}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var tooBig *http.MaxBytesError
	switch {
	case errors.As(err, &tooBig), len(r.URL.RawQuery) > maxBody:
		return &channels.RefusalError{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: "The callback is over 64 KB."}
	case err != nil:
		return errMalformed
	}
	messages, err := a.vendor.decode(request{
		method: r.Method, url: c.publicURL(r), header: r.Header, body: body, now: c.o.Clock(),
	})
	if err != nil {
		return err
	}
	// Everything is stored before anything is acknowledged; what is delivered
	// again because a later one failed is known by its ProviderID.
	ctx, cancel := context.WithTimeout(r.Context(), c.o.AckWithin)
	defer cancel()
	for _, m := range messages {
		if err := c.accept(ctx, a, m); err != nil {
			return err
		}
	}
	contentType, text := a.vendor.ack()
	w.Header().Set("Content-Type", contentType)
	if _, err := io.WriteString(w, text); err != nil {
		c.o.Logger.DebugContext(r.Context(), "sms acknowledgement not written", "error", err)
	}
	return nil
}

// find returns the account of a path whose secret is right, or nil. How long it
// takes says nothing about the secret nor whether the account exists.
func (c *Channel) find(path string) *account {
	rest, ok := strings.CutPrefix(path, "/channels/"+Kind+"/")
	id, secret, ok2 := strings.Cut(rest, "/")
	got := sha256.Sum256([]byte(secret))
	a := c.accounts[chat.AccountID(id)]
	hashes := [][sha256.Size]byte{{}}
	if a != nil {
		hashes = a.hashes
	}
	match := 0
	for _, want := range hashes {
		match |= subtle.ConstantTimeCompare(got[:], want[:])
	}
	if !ok || !ok2 || match != 1 {
		return nil
	}
	return a
}

// publicURL is the address the vendor called, as it knows it: behind a proxy
// scheme and host come from the configuration, never from headers.
func (c *Channel) publicURL(r *http.Request) *url.URL {
	u := &url.URL{Scheme: "http", Host: r.Host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery}
	if r.TLS != nil {
		u.Scheme = "https"
	}
	if c.public != nil {
		u.Scheme, u.Host = c.public.Scheme, c.public.Host
	}
	return u
}

// accept stores one message and keeps the list of those who opted out.
func (c *Channel) accept(ctx context.Context, a *account, m incoming) error {
	in := chat.Inbound{
		From: chat.Address{Account: a.ID, ID: m.phone}, ProviderID: m.id,
		Kind: chat.KindText, Text: m.text, At: m.at,
	}
	change, on := false, false
	switch {
	case m.out || isOptOut(m.text):
		in.Silent, in.Event = true, EventOptOut
		change, on = true, true
	case m.in || isOptIn(m.text):
		// For somebody who had not opted out these are ordinary words.
		was, err := c.o.Suppression.Suppressed(ctx, in.From)
		if err != nil {
			return err
		}
		if was || m.in {
			in.Silent, in.Event = true, EventOptIn
			change = true
		}
	case m.split && IsPart(m.text):
		in.Event = EventPart
	}
	if _, err := c.o.Sink.Accept(ctx, in); err != nil {
		return err
	}
	if !change {
		return nil
	}
	return c.o.Suppression.Suppress(ctx, in.From, on)
}
