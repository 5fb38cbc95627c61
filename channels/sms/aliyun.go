package sms

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	dysmsapi "github.com/alibabacloud-go/dysmsapi-20170525/v5/client"
	util "github.com/alibabacloud-go/tea-utils/v2/service"
	"github.com/alibabacloud-go/tea/tea"
)

// aliyun speaks Aliyun's HTTP push (SmsUp, SmsReport) and its SendSms. The push
// carries no signature, gives up after 700 ms and comes again after 1, 5 and 10
// minutes.
type aliyun struct{ s *Sending }

// aliyunPush is one entry of a push: what a person sent, or a delivery report.
type aliyunPush struct {
	PhoneNumber text  `json:"phone_number"`
	Content     *text `json:"content"`
	SendTime    text  `json:"send_time"`
	DestCode    text  `json:"dest_code"`
	SequenceID  text  `json:"sequence_id"`
	ReportTime  text  `json:"report_time"`
}

func (aliyun) decode(r request) ([]incoming, error) {
	var entries []aliyunPush
	if err := decodeJSON(r.body, &entries); err != nil {
		return nil, err
	}
	reports := 0
	var in []incoming
	for _, e := range entries {
		if e.ReportTime != "" && e.Content == nil {
			reports++
			continue
		}
		phone, ok := normalizePhone("", string(e.PhoneNumber))
		if !ok || e.Content == nil {
			continue // no repetition would make it readable; the others must not suffer
		}
		id := string(e.SequenceID)
		if id == "" {
			id = hashID(phone, string(e.SendTime), string(*e.Content), string(e.DestCode))
		}
		in = append(in, incoming{
			phone: phone, text: clean(string(*e.Content)), id: clean(id),
			at: parseTime(string(e.SendTime), r.now), split: true,
		})
	}
	if len(in) == 0 && reports == 0 {
		return nil, errMalformed
	}
	return in, nil
}

func (aliyun) ack() (string, string) {
	return "application/json;charset=utf-8", `{"code":0,"msg":"接收成功"}` //nolint:gosmopolitan // vendor wire text
}

func (aliyun) freeText() bool { return false }

// aliyunCodes: https://help.aliyun.com/document_detail/101346.htm
var aliyunCodes = table{
	{"Throttling", "rate_limited", true},
	{"ServiceUnavailable", "vendor_error", true},
	{"isp.GATEWAY_ERROR", "vendor_error", true},
	{"isv.BUSINESS_LIMIT_CONTROL", "rate_limited", false},
	{"isv.DAY_LIMIT_CONTROL", "rate_limited", false},
	{"isv.MONTH_LIMIT_CONTROL", "rate_limited", false},
	{"isv.AMOUNT_NOT_ENOUGH", "quota_used", false},
	{"isv.OUT_OF_SERVICE", "quota_used", false},
	{"isv.MOBILE_NUMBER_ILLEGAL", "bad_address", false},
	{"isv.MOBILE_COUNT_OVER_LIMIT", "bad_address", false},
	{"isv.BLACK_KEY_CONTROL_LIMIT", "blocked", false},
	{"isv.SMS_CONTENT_ILLEGAL", "blocked", false},
	{"isv.PARAM_LENGTH_LIMIT", "too_long", false},
	{"isp.RAM_PERMISSION_DENY", "unauthorized", false},
	{"InvalidAccessKeyId", "unauthorized", false},
	{"SignatureDoesNotMatch", "unauthorized", false},
	{"IncompleteSignature", "unauthorized", false},
	{"Forbidden", "unauthorized", false},
}

func (v aliyun) send(ctx context.Context, w wire, out outgoing) error {
	scheme, host, err := endpoint(v.s.APIBase, "dysmsapi.aliyuncs.com")
	if err != nil {
		return refused(Aliyun, "", "not_configured", false)
	}
	carry, tried := w.begin(ctx)
	config := &openapi.Config{
		AccessKeyId: new(v.s.KeyID), AccessKeySecret: new(v.s.KeySecret),
		Endpoint: new(host), Protocol: new(strings.ToUpper(scheme)), HttpClient: carry,
	}
	if v.s.Region != "" {
		config.RegionId = new(v.s.Region)
	}
	client, err := dysmsapi.NewClient(config)
	if err != nil {
		return refused(Aliyun, "", "not_configured", false)
	}
	name := v.s.Param
	if name == "" {
		name = "url"
	}
	param, err := json.Marshal(map[string]string{name: out.link})
	if err != nil {
		return refused(Aliyun, "", "not_configured", false)
	}
	res, err := client.SendSmsWithOptions(&dysmsapi.SendSmsRequest{
		PhoneNumbers: new(strings.TrimPrefix(out.phone, "+86")), SignName: new(v.s.Sign),
		TemplateCode: new(v.s.Template), TemplateParam: new(string(param)), OutId: new(out.key),
	}, &util.RuntimeOptions{Autoretry: new(false)})
	if failed := tried.failure(Aliyun); failed != nil {
		return failed
	}
	if err != nil {
		if code := aliyunCode(err); code != "" {
			return aliyunCodes.refuse(Aliyun, code)
		}
		return tried.unread(Aliyun)
	}
	switch {
	case res.Body == nil || res.Body.Code == nil:
		return tried.unread(Aliyun)
	case tea.StringValue(res.Body.Code) != "OK":
		return aliyunCodes.refuse(Aliyun, tea.StringValue(res.Body.Code))
	}
	return nil
}

// aliyunCode is the vendor's code in an error of its kit, or "".
func aliyunCode(err error) string {
	var coded interface {
		error
		GetCode() *string
	}
	if errors.As(err, &coded) {
		return tea.StringValue(coded.GetCode())
	}
	var sdk *tea.SDKError
	if errors.As(err, &sdk) {
		return tea.StringValue(sdk.Code)
	}
	return ""
}
