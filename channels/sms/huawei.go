package sms

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// huawei speaks Huawei Cloud's uplink callback, signed with SDK-HMAC-SHA256 when
// the account has a key for it, and its batchSendSms.
type huawei struct {
	s           *Sending
	key, secret string
}

func (v huawei) decode(r request) ([]incoming, error) {
	if v.secret != "" && !v.signed(r) {
		return nil, errForged
	}
	form, err := parseForm(r.body)
	if err != nil {
		return nil, err
	}
	if form.Has("status") && !form.Has("body") && form.Get("smsMsgId") != "" {
		return nil, nil // a delivery report
	}
	phone, ok := normalizePhone("", form.Get("from"))
	if !ok || !form.Has("body") {
		return nil, errMalformed
	}
	body, created := clean(form.Get("body")), form.Get("createTime")
	id := clean(form.Get("smsMsgId"))
	if id == "" {
		id = hashID(phone, created, body, form.Get("to"))
	}
	return []incoming{{phone: phone, text: body, id: id, at: parseTime(created, r.now), split: true}}, nil
}

func (huawei) ack() (string, string) { return "application/json", `{"code":"000000"}` }

func (huawei) freeText() bool { return false }

// signFresh is how far a signature's date may be from now.
const signFresh = 15 * time.Minute

// signed checks Authorization: SDK-HMAC-SHA256 Access=…, SignedHeaders=…, Signature=….
// The host signed is the public one.
func (v huawei) signed(r request) bool {
	scheme, rest, _ := strings.Cut(r.header.Get("Authorization"), " ")
	field := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		field[name] = value
	}
	date := r.header.Get("X-Sdk-Date")
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil || scheme != "SDK-HMAC-SHA256" || field["Access"] != v.key || r.now.Sub(at).Abs() > signFresh {
		return false
	}
	names := strings.Split(field["SignedHeaders"], ";")
	if !slices.Contains(names, "x-sdk-date") {
		return false
	}
	path := r.url.EscapedPath()
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	query := r.url.Query()
	var canonical strings.Builder
	canonical.WriteString(r.method + "\n" + path + "\n" + strings.ReplaceAll(query.Encode(), "+", "%20") + "\n")
	for _, name := range names {
		value := r.header.Get(name)
		if name == "host" {
			value = r.url.Host
		}
		canonical.WriteString(name + ":" + strings.TrimSpace(value) + "\n")
	}
	bodySum := sha256.Sum256(r.body)
	canonical.WriteString("\n" + field["SignedHeaders"] + "\n" + hex.EncodeToString(bodySum[:]))
	sum := sha256.Sum256([]byte(canonical.String()))
	mac := hmac.New(sha256.New, []byte(v.secret))
	mac.Write([]byte("SDK-HMAC-SHA256\n" + date + "\n" + hex.EncodeToString(sum[:])))
	got, err := hex.DecodeString(field["Signature"])
	return err == nil && hmac.Equal(got, mac.Sum(nil))
}

// huaweiCodes: https://support.huaweicloud.com/api-msgsms/sms_05_0050.html
var huaweiCodes = table{
	{"E000001", "unauthorized", false}, // wrong X-WSSE
	{"E000101", "unauthorized", false},
	{"E000102", "unauthorized", false},
	{"E000103", "unauthorized", false},
	{"E000104", "unauthorized", false},
	{"E000105", "unauthorized", false},
	{"E000106", "unauthorized", false},
	{"E000503", "bad_address", false},
	{"E000510", "bad_address", false},
	{"E000512", "rate_limited", true},
	{"E000623", "rate_limited", false},
	{"E200028", "bad_address", false},
	{"E200031", "blocked", false},
}

func (v huawei) send(ctx context.Context, w wire, out outgoing) error {
	scheme, host, err := endpoint(v.s.APIBase, "smsapi.cn-north-4.myhuaweicloud.com:443")
	if err != nil {
		return refused(Huawei, "", "not_configured", false)
	}
	params, err := json.Marshal([]string{out.link})
	if err != nil {
		return refused(Huawei, "", "not_configured", false)
	}
	form := url.Values{
		"from": {v.s.From}, "to": {out.phone}, "templateId": {v.s.Template},
		"templateParas": {string(params)}, "extend": {out.key},
	}
	if v.s.Sign != "" {
		form.Set("signature", v.s.Sign)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, scheme+"://"+host+"/sms/batchSendSms/v1", strings.NewReader(form.Encode()))
	if err != nil {
		return refused(Huawei, "", "not_configured", false)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", `WSSE realm="SDP",profile="UsernameToken",type="Appkey"`)
	req.Header.Set("X-Wsse", v.wsse(w.clock().UTC()))
	carry, tried := w.begin(ctx)
	res, err := carry.RoundTrip(req)
	if err == nil {
		defer func() { _ = res.Body.Close() }()
	}
	if failed := tried.failure(Huawei); failed != nil {
		return failed
	}
	var answer struct {
		Code   string `json:"code"`
		Result []struct {
			Status string `json:"status"`
		} `json:"result"`
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || answer.Code == "" {
		return tried.unread(Huawei)
	}
	if answer.Code != "000000" {
		return huaweiCodes.refuse(Huawei, answer.Code)
	}
	for _, r := range answer.Result {
		if r.Status != "000000" {
			return huaweiCodes.refuse(Huawei, r.Status)
		}
	}
	return nil
}

// wsse is the X-WSSE header: a digest of nonce, time and secret.
func (v huawei) wsse(now time.Time) string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails since Go 1.24
	nonce, created := hex.EncodeToString(raw), now.Format("2006-01-02T15:04:05Z")
	digest := sha256.Sum256([]byte(nonce + created + v.s.KeySecret))
	return `UsernameToken Username="` + v.s.KeyID + `",PasswordDigest="` + base64.StdEncoding.EncodeToString(digest[:]) +
		`",Nonce="` + nonce + `",Created="` + created + `"`
}
