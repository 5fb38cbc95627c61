package sms_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"wensheng/channels"
	"wensheng/channels/channeltest"
	"wensheng/channels/sms"
	"wensheng/internal/chat"
)

// sending is a gateway whose account sends over a fake vendor.
func sending(t *testing.T, provider string, change ...func(*sms.Options)) (gateway, *channeltest.SMSVendor) {
	t.Helper()
	v := channeltest.NewSMSVendor(t, provider)
	a := account(provider)
	a.Sending = &sms.Sending{
		APIBase: v.URL, KeyID: v.KeyID, KeySecret: v.KeySecret, AppID: "1400006666", From: "+18005551212",
		Sign: "闻声", Template: "SMS_1", LinkPrefix: "https://chat.example.com/l/",
	}
	g := start(t, func(o *sms.Options) {
		o.Transport = v.Line.Transport()
		for _, fn := range change {
			fn(o)
		}
	}, a)
	return g, v
}

func outbound() channels.Outbound {
	return channels.Outbound{
		Conv: chat.NewConvID(0), To: chat.Address{Account: "sms", ID: channeltest.SMSPhone}, Text: channeltest.Canary, Key: "m1-0",
	}
}

func wantSendError(t *testing.T, what string, err error, certain, retry bool, code string) {
	t.Helper()
	var se *chat.SendError
	if !errors.As(err, &se) {
		t.Errorf("%s: error %v, want a *chat.SendError", what, err)
		return
	}
	if se.Certain != certain || se.Certain && se.Retry != retry || code != "" && se.Code != code || se.Code == "" {
		t.Errorf("%s: got certain %t retry %t code %q (%v), want %t %t %q", what, se.Certain, se.Retry, se.Code, err, certain, retry, code)
	}
	if s := err.Error(); strings.Contains(s, channeltest.Canary) || strings.Contains(s, "13811110000") || strings.Contains(s, "0123456789") {
		t.Errorf("%s: the error says too much: %s", what, s)
	}
}

func TestSend_TellsFailuresApart(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{sms.Aliyun, sms.Tencent, sms.Huawei, sms.Twilio} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			g, v := sending(t, provider)
			for _, tt := range []struct {
				name           string
				trouble        channeltest.Trouble
				certain, retry bool
				code           string
			}{
				{"refused", channeltest.Refuse, true, false, "vendor_error"},
				{"busy", channeltest.Busy, true, true, "rate_limited"},
				{"down", channeltest.Down, true, true, "vendor_error"},
				{"lost answer", channeltest.Lose, false, false, "timeout"},
			} {
				v.Trouble(tt.trouble)
				wantSendError(t, tt.name, g.Send(t.Context(), outbound()), tt.certain, tt.retry, tt.code)
			}
			if err := g.Send(t.Context(), outbound()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
			if n := len(v.Sent()); n != 2 { // the lost one was taken
				t.Errorf("the vendor took %d, want 2", n)
			}
			ended, cancel := context.WithCancel(t.Context())
			cancel()
			wantSendError(t, "ended context", g.Send(ended, outbound()), true, true, "")
			if s := g.log.String(); strings.Contains(s, channeltest.Canary) || strings.Contains(s, "13811110000") {
				t.Errorf("personal data in the log: %s", s)
			}
		})
	}
}

func TestSend_MapsVendorCodes(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		provider, vendorCode, code string
		certain, retry             bool
	}{
		{sms.Aliyun, "isv.MOBILE_NUMBER_ILLEGAL", "bad_address", true, false},
		{sms.Aliyun, "isv.BUSINESS_LIMIT_CONTROL", "rate_limited", true, false},
		{sms.Aliyun, "isv.AMOUNT_NOT_ENOUGH", "quota_used", true, false},
		{sms.Aliyun, "isv.BLACK_KEY_CONTROL_LIMIT", "blocked", true, false},
		{sms.Tencent, "LimitExceeded.PhoneNumberDailyLimit", "rate_limited", true, false},
		{sms.Tencent, "FailedOperation.PhoneNumberInBlacklist", "blocked", true, false},
		{sms.Tencent, "InvalidParameterValue.IncorrectPhoneNumber", "bad_address", true, false},
		{sms.Tencent, "InternalError.Timeout", "vendor_error", false, false},
		{sms.Huawei, "E200028", "bad_address", true, false},
		{sms.Huawei, "E200031", "blocked", true, false},
		{sms.Twilio, "21211", "bad_address", true, false},
		{sms.Twilio, "21610", "blocked", true, false},
		{sms.Twilio, "21617", "too_long", true, false},
		{sms.Twilio, "99999", "vendor_error", true, false},
	} {
		t.Run(tt.provider+"_"+tt.vendorCode, func(t *testing.T) {
			t.Parallel()
			g, v := sending(t, tt.provider)
			v.Code(tt.vendorCode)
			wantSendError(t, tt.vendorCode, g.Send(t.Context(), outbound()), tt.certain, tt.retry, tt.code)
		})
	}
}

func TestSend_WrongCredentials(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{sms.Aliyun, sms.Tencent, sms.Huawei, sms.Twilio} {
		g, _ := sending(t, provider, func(o *sms.Options) {
			s := *o.Accounts[0].Sending
			s.KeySecret = "wrong"
			o.Accounts[0].Sending = &s
		})
		wantSendError(t, provider, g.Send(t.Context(), outbound()), true, false, "unauthorized")
	}
}

func TestSend_NotWithoutCredentialsNorToWhoOptedOut(t *testing.T) {
	t.Parallel()
	g := start(t, nil, account(sms.Aliyun))
	wantSendError(t, "no credentials", g.Send(t.Context(), outbound()), true, false, "not_configured")
	stranger := outbound()
	stranger.To.Account = "nobody"
	wantSendError(t, "no account", g.Send(t.Context(), stranger), true, false, "no_account")

	g, v := sending(t, sms.Twilio)
	g.list.out[outbound().To] = true
	wantSendError(t, "opted out", g.Send(t.Context(), outbound()), true, false, "blocked")
	g.list.err = errors.New("down")
	wantSendError(t, "list unreadable", g.Send(t.Context(), outbound()), true, true, "unavailable")
	if len(v.Sent()) != 0 {
		t.Error("it was sent")
	}
}

func TestSend_OneLinkIsEnough(t *testing.T) {
	t.Parallel()
	var asked []chat.ConvID
	links := []string{link, ""}
	g, v := sending(t, sms.Aliyun, func(o *sms.Options) {
		o.Link = func(_ context.Context, conv chat.ConvID, _ chat.Address) (string, error) {
			asked = append(asked, conv)
			return links[len(asked)-1], nil
		}
	})
	out := outbound()
	for range 2 {
		if err := g.Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
	}
	if len(v.Sent()) != 1 || len(asked) != 2 || asked[0] != out.Conv {
		t.Errorf("sent %+v, asked %v", v.Sent(), asked)
	}
	if got := v.Texts(); len(got) != 1 || got[0] != `{"url":"0123456789"}` {
		t.Errorf("the template got %q", got)
	}
}

// TestSend_ALinkCountsOnlyWhenTheVendorTookIt: else the next try would find a
// fresh link that nobody has got.
func TestSend_ALinkCountsOnlyWhenTheVendorTookIt(t *testing.T) {
	t.Parallel()
	linked := 0
	g, v := sending(t, sms.Aliyun, func(o *sms.Options) {
		o.Linked = func(_ context.Context, to chat.Address) error {
			if linked++; to != outbound().To {
				t.Errorf("linked %v", to)
			}
			return nil
		}
	})
	for _, trouble := range []channeltest.Trouble{channeltest.Busy, channeltest.Refuse, channeltest.Lose} {
		v.Trouble(trouble)
		if err := g.Send(t.Context(), outbound()); err == nil || linked != 0 {
			t.Errorf("trouble %v: %v, linked %d times", trouble, err, linked)
		}
	}
	if err := g.Send(t.Context(), outbound()); err != nil || linked != 1 {
		t.Errorf("sent: %v, linked %d times", err, linked)
	}
}
