package sms

import (
	"context"
	"errors"
	"net/http"
	"strconv"

	twiliogo "github.com/twilio/twilio-go"
	twclient "github.com/twilio/twilio-go/client"
	twapi "github.com/twilio/twilio-go/rest/api/v2010"

	"wensheng/internal/chat"
)

// twilio speaks Twilio's messaging webhook and its Messages resource. It is the
// one vendor here that carries free text.
type twilio struct {
	s     *Sending
	token string
}

func (v twilio) decode(r request) ([]incoming, error) {
	form, err := parseForm(r.body)
	if err != nil {
		return nil, err
	}
	validator := twclient.NewRequestValidator(v.token)
	signature := r.header.Get("X-Twilio-Signature")
	if signature == "" || !validator.ValidateBody(r.url.String(), r.body, signature) {
		return nil, errForged
	}
	id := clean(form.Get("MessageSid"))
	if id == "" {
		return nil, errMalformed
	}
	if form.Get("MessageStatus") != "" && !form.Has("Body") {
		return nil, nil // a delivery report
	}
	phone, ok := normalizePhone("", form.Get("From"))
	if !ok || !form.Has("Body") {
		return nil, errMalformed
	}
	return []incoming{{
		phone: phone, text: clean(form.Get("Body")), id: id, at: r.now,
		in: form.Get("OptOutType") == "START", out: form.Get("OptOutType") == "STOP",
	}}, nil
}

func (twilio) ack() (string, string) { return "text/xml; charset=utf-8", "<Response></Response>" }

func (twilio) freeText() bool { return true }

func (v twilio) send(ctx context.Context, w wire, out outgoing) error {
	scheme, host, err := endpoint(v.s.APIBase, "")
	if err != nil {
		return refused(Twilio, "", "not_configured", false)
	}
	carry, tried := w.begin(ctx)
	toAPI := round(func(r *http.Request) (*http.Response, error) {
		if host != "" {
			r = r.Clone(ctx)
			r.URL.Scheme, r.URL.Host, r.Host = scheme, host, host
		}
		return carry(r)
	})
	base := &twclient.Client{
		Credentials: twclient.NewCredentials(v.s.KeyID, v.s.KeySecret),
		HTTPClient:  &http.Client{Transport: toAPI},
	}
	base.SetAccountSid(v.s.KeyID)
	client := twiliogo.NewRestClientWithParams(twiliogo.ClientParams{Client: base})
	params := &twapi.CreateMessageParams{}
	params.SetTo(out.phone)
	params.SetFrom(v.s.From)
	params.SetBody(out.text)
	_, err = client.Api.CreateMessage(params)
	if failed := tried.failure(Twilio); failed != nil {
		return failed
	}
	if err == nil {
		return nil
	}
	var no *twclient.TwilioRestError
	if !errors.As(err, &no) {
		return tried.unread(Twilio)
	}
	return twilioRefusal(tried, no)
}

// twilioRefusal: https://www.twilio.com/docs/api/errors
func twilioRefusal(tried *attempt, no *twclient.TwilioRestError) *chat.SendError {
	code := strconv.Itoa(no.Code)
	switch no.Code {
	case 20429, 14107, 30022:
		return refused(Twilio, code, "rate_limited", true)
	case 20003, 20005, 21222, 21224:
		return refused(Twilio, code, "unauthorized", false)
	case 21211, 21214, 21217, 21265, 21408, 21612, 21614:
		return refused(Twilio, code, "bad_address", false)
	case 21610:
		return refused(Twilio, code, "blocked", false)
	case 21605, 21617:
		return refused(Twilio, code, "too_long", false)
	case 0:
		return tried.unread(Twilio)
	}
	return refused(Twilio, code, "vendor_error", false)
}
