package sms

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tcerrors "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/errors"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
	tcsms "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/sms/v20210111"

	"wensheng/internal/chat"
)

// tencent speaks Tencent Cloud's reply callback and its SendSms. Callbacks
// carry no signature and no message id.
type tencent struct{ s *Sending }

type tencentReply struct {
	Extend     text  `json:"extend"`
	Mobile     text  `json:"mobile"`
	NationCode text  `json:"nationcode"`
	Text       *text `json:"text"`
	Time       text  `json:"time"`
	// ReportStatus is only in delivery reports, which come as an array.
	ReportStatus text `json:"report_status"`
}

func (tencent) decode(r request) ([]incoming, error) {
	if bytes.HasPrefix(bytes.TrimSpace(r.body), []byte("[")) {
		var reports []tencentReply
		if err := decodeJSON(r.body, &reports); err != nil {
			return nil, err
		}
		if len(reports) == 0 || reports[0].ReportStatus == "" {
			return nil, errMalformed
		}
		return nil, nil
	}
	var m tencentReply
	if err := decodeJSON(r.body, &m); err != nil {
		return nil, err
	}
	phone, ok := normalizePhone(string(m.NationCode), string(m.Mobile))
	if !ok || m.Text == nil {
		return nil, errMalformed
	}
	return []incoming{{
		phone: phone, text: clean(string(*m.Text)),
		id: hashID(phone, string(m.Time), string(*m.Text), string(m.Extend)),
		at: parseUnix(string(m.Time), false, r.now), split: true,
	}}, nil
}

func (tencent) ack() (string, string) { return "application/json", `{"result":0,"errmsg":"OK"}` }

func (tencent) freeText() bool { return false }

// tencentCodes: https://cloud.tencent.com/document/api/382/55981
var tencentCodes = table{
	{"RequestLimitExceeded", "rate_limited", true},
	{"LimitExceeded.DeliveryFrequencyLimit", "rate_limited", true},
	{"LimitExceeded", "rate_limited", false},
	{"AuthFailure", "unauthorized", false},
	{"UnauthorizedOperation", "unauthorized", false},
	{"InvalidParameterValue.IncorrectPhoneNumber", "bad_address", false},
	{"UnsupportedOperation.UnsupportedRegion", "bad_address", false},
	{"FailedOperation.PhoneNumberInBlacklist", "blocked", false},
	{"FailedOperation.ContainSensitiveWord", "blocked", false},
	{"FailedOperation.InsufficientBalanceInSmsPackage", "quota_used", false},
	{"InvalidParameterValue.ContentLengthLimit", "too_long", false},
	{"InvalidParameterValue.TemplateParameterLengthLimit", "too_long", false},
}

func (v tencent) send(ctx context.Context, w wire, out outgoing) error {
	scheme, host, err := endpoint(v.s.APIBase, "sms.tencentcloudapi.com")
	if err != nil {
		return refused(Tencent, "", "not_configured", false)
	}
	region := v.s.Region
	if region == "" {
		region = "ap-guangzhou"
	}
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme = host, strings.ToUpper(scheme)
	p.DisableRegionBreaker = true
	client, err := tcsms.NewClient(common.NewCredential(v.s.KeyID, v.s.KeySecret), region, p)
	if err != nil {
		return refused(Tencent, "", "not_configured", false)
	}
	carry, tried := w.begin(ctx)
	client.WithHttpTransport(carry)
	req := tcsms.NewSendSmsRequest()
	req.PhoneNumberSet = common.StringPtrs([]string{out.phone})
	req.SmsSdkAppId = new(v.s.AppID)
	req.SignName = new(v.s.Sign)
	req.TemplateId = new(v.s.Template)
	req.TemplateParamSet = common.StringPtrs([]string{out.link})
	req.SessionContext = new(out.key)
	res, err := client.SendSmsWithContext(ctx, req)
	if failed := tried.failure(Tencent); failed != nil {
		return failed
	}
	if err != nil {
		var coded *tcerrors.TencentCloudSDKError
		if errors.As(err, &coded) && !strings.HasPrefix(coded.Code, "ClientError") {
			return tencentRefusal(tried, coded.Code)
		}
		return tried.unread(Tencent)
	}
	if res.Response == nil || len(res.Response.SendStatusSet) != 1 || res.Response.SendStatusSet[0] == nil ||
		res.Response.SendStatusSet[0].Code == nil {
		return tried.unread(Tencent)
	}
	if code := *res.Response.SendStatusSet[0].Code; !strings.EqualFold(code, "Ok") {
		return tencentRefusal(tried, code)
	}
	return nil
}

func tencentRefusal(tried *attempt, code string) *chat.SendError {
	if strings.HasPrefix(code, "InternalError") { // it cannot say itself how far it got
		return tried.unread(Tencent)
	}
	return tencentCodes.refuse(Tencent, code)
}
