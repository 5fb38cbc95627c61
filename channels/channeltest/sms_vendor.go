package channeltest

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// SMSVendor is a fake SMS vendor's sending API on a loopback socket. It checks
// the vendor's own signature and answers as the vendor does. It is safe for
// concurrent use.
type SMSVendor struct {
	// URL is the API's base. KeyID and KeySecret are the only good credentials.
	URL, KeyID, KeySecret string
	// Line leads to it.
	Line *Line

	provider string
	mu       sync.Mutex
	sent     []SMSSent
	troubles []Trouble
	codes    []string
}

// SMSSent is one message the vendor took: its fields by the vendor's names.
type SMSSent struct {
	Method string            `json:"method"`
	Path   string            `json:"path"`
	Action string            `json:"action,omitempty"`
	Fields map[string]string `json:"fields"`
}

// NewSMSVendor starts a fake aliyun, tencent, huawei or twilio that ends with
// the test.
func NewSMSVendor(tb testing.TB, provider string) *SMSVendor {
	tb.Helper()
	v := &SMSVendor{provider: provider, KeyID: "AC0123456789", KeySecret: "secret0123456789", Line: NewLine()}
	serve := map[string]http.HandlerFunc{
		"aliyun": v.aliyun, "tencent": v.tencent, "huawei": v.huawei, "twilio": v.twilio,
	}[provider]
	if serve == nil {
		tb.Fatalf("no fake for provider %q", provider)
	}
	s := httptest.NewServer(serve)
	tb.Cleanup(s.Close)
	v.URL = s.URL
	return v
}

// Sent returns what the vendor took, in order.
func (v *SMSVendor) Sent() []SMSSent {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]SMSSent(nil), v.sent...)
}

// Texts implements Vendor: the free texts, or what stands in the templates.
func (v *SMSVendor) Texts() []string {
	var texts []string
	for _, s := range v.Sent() {
		for _, name := range []string{"Body", "TemplateParam", "TemplateParamSet", "templateParas"} {
			if text, ok := s.Fields[name]; ok {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

// Trouble implements Vendor.
func (v *SMSVendor) Trouble(t Trouble) {
	if t == Down {
		v.Line.Cut(1)
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.troubles = append(v.troubles, t)
}

// Code makes the vendor refuse the next message with a code of its own.
func (v *SMSVendor) Code(code string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.codes = append(v.codes, code)
}

// next takes the trouble and the code due, if any.
func (v *SMSVendor) next() (trouble Trouble, code string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	trouble = -1
	if len(v.troubles) > 0 {
		trouble, v.troubles = v.troubles[0], v.troubles[1:]
	}
	if len(v.codes) > 0 {
		code, v.codes = v.codes[0], v.codes[1:]
	}
	return trouble, code
}

func (v *SMSVendor) take(s SMSSent) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.sent = append(v.sent, s)
}

// hangUp closes the connection without an answer.
func hangUp(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

func sayJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func mac(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}

func sha(s []byte) string {
	sum := sha256.Sum256(s)
	return hex.EncodeToString(sum[:])
}

// authFields reads `Scheme A=…, B=…` or `Scheme A=…,B=…`.
func authFields(header string) (scheme string, fields map[string]string) {
	scheme, rest, _ := strings.Cut(header, " ")
	fields = map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	return scheme, fields
}

// aliyun is SendSms under the ACS3 signature.
func (v *SMSVendor) aliyun(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	query := r.URL.Query()
	scheme, auth := authFields(r.Header.Get("Authorization"))
	canonical := r.Method + "\n" + r.URL.Path + "\n" + strings.ReplaceAll(query.Encode(), "+", "%20") + "\n" +
		signedHeaders(r, auth["SignedHeaders"])
	canonical += "\n" + auth["SignedHeaders"] + "\n" + sha(body)
	want := hex.EncodeToString(mac([]byte(v.KeySecret), "ACS3-HMAC-SHA256\n"+sha([]byte(canonical))))
	trouble, code := v.next()
	switch {
	case auth["Credential"] != v.KeyID:
		sayJSON(w, http.StatusNotFound, `{"Code":"InvalidAccessKeyId.NotFound","Message":"Specified access key is not found.","RequestId":"R"}`)
	case scheme != "ACS3-HMAC-SHA256" || auth["Signature"] != want:
		sayJSON(w, http.StatusBadRequest, `{"Code":"SignatureDoesNotMatch","Message":"Specified signature is not matched with our calculation.","RequestId":"R"}`)
	case trouble == Refuse:
		sayJSON(w, http.StatusOK, `{"Code":"isv.SMS_TEMPLATE_ILLEGAL","Message":"no such template","RequestId":"R"}`)
	case trouble == Busy:
		sayJSON(w, http.StatusBadRequest, `{"Code":"Throttling.User","Message":"Request was denied due to user flow control.","RequestId":"R"}`)
	case code != "":
		sayJSON(w, http.StatusOK, `{"Code":"`+code+`","Message":"no","RequestId":"R"}`)
	default:
		fields := map[string]string{}
		for name := range query {
			fields[name] = query.Get(name)
		}
		v.take(SMSSent{r.Method, r.URL.Path, r.Header.Get("X-Acs-Action"), fields})
		if trouble == Lose {
			hangUp(w)
			return
		}
		sayJSON(w, http.StatusOK, `{"Code":"OK","Message":"OK","BizId":"9006197469364984^0","RequestId":"R"}`)
	}
}

// tencent is SendSms under the TC3 signature.
func (v *SMSVendor) tencent(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	scheme, auth := authFields(r.Header.Get("Authorization"))
	stamp := r.Header.Get("X-Tc-Timestamp")
	credential, rest, _ := strings.Cut(auth["Credential"], "/")
	date, _, _ := strings.Cut(rest, "/")
	canonical := r.Method + "\n/\n\n" + signedHeaders(r, auth["SignedHeaders"])
	canonical += "\n" + auth["SignedHeaders"] + "\n" + sha(body)
	key := mac(mac(mac([]byte("TC3"+v.KeySecret), date), "sms"), "tc3_request")
	want := hex.EncodeToString(mac(key, "TC3-HMAC-SHA256\n"+stamp+"\n"+date+"/sms/tc3_request\n"+sha([]byte(canonical))))
	refuse := func(code string) {
		sayJSON(w, http.StatusOK, `{"Response":{"Error":{"Code":"`+code+`","Message":"no"},"RequestId":"R"}}`)
	}
	trouble, code := v.next()
	switch {
	case credential != v.KeyID:
		refuse("AuthFailure.SecretIdNotFound")
	case scheme != "TC3-HMAC-SHA256" || auth["Signature"] != want:
		refuse("AuthFailure.SignatureFailure")
	case trouble == Refuse:
		refuse("FailedOperation.TemplateIncorrectOrUnapproved")
	case trouble == Busy:
		refuse("RequestLimitExceeded")
	case code != "":
		sayJSON(w, http.StatusOK, `{"Response":{"SendStatusSet":[{"SerialNo":"","PhoneNumber":"","Fee":0,"SessionContext":"","Code":"`+code+`","Message":"no","IsoCode":"CN"}],"RequestId":"R"}}`)
	default:
		var raw map[string]json.RawMessage
		if err := json.Unmarshal(body, &raw); err != nil {
			refuse("FailedOperation.JsonParseFail")
			return
		}
		fields := map[string]string{}
		for name, value := range raw {
			fields[name] = strings.Trim(string(value), `"`)
		}
		v.take(SMSSent{r.Method, r.URL.Path, r.Header.Get("X-Tc-Action"), fields})
		if trouble == Lose {
			hangUp(w)
			return
		}
		sayJSON(w, http.StatusOK, `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1","PhoneNumber":"","Fee":1,"SessionContext":"","Code":"Ok","Message":"send success","IsoCode":"CN"}],"RequestId":"R"}}`)
	}
}

// huawei is batchSendSms under WSSE.
func (v *SMSVendor) huawei(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	field := map[string]string{}
	_, rest, _ := strings.Cut(r.Header.Get("X-Wsse"), " ")
	for part := range strings.SplitSeq(rest, ",") {
		name, value, _ := strings.Cut(part, "=")
		field[name] = strings.Trim(value, `"`)
	}
	digest := sha256.Sum256([]byte(field["Nonce"] + field["Created"] + v.KeySecret))
	_, dateErr := time.Parse("2006-01-02T15:04:05Z", field["Created"])
	trouble, code := v.next()
	switch {
	case field["Username"] != v.KeyID, dateErr != nil, field["PasswordDigest"] != base64.StdEncoding.EncodeToString(digest[:]),
		!strings.HasPrefix(r.Header.Get("Authorization"), "WSSE "):
		sayJSON(w, http.StatusUnauthorized, `{"code":"E000103","description":"The app_key is invalid."}`)
	case trouble == Refuse:
		sayJSON(w, http.StatusOK, `{"code":"E200037","description":"template"}`)
	case trouble == Busy:
		w.WriteHeader(http.StatusTooManyRequests)
	case code != "":
		sayJSON(w, http.StatusOK, `{"result":[{"status":"`+code+`"}],"code":"000000","description":"Success"}`)
	default:
		v.take(SMSSent{r.Method, r.URL.Path, "", flat(r.PostForm)})
		if trouble == Lose {
			hangUp(w)
			return
		}
		sayJSON(w, http.StatusOK, `{"result":[{"originTo":"","createTime":"2026-11-21T00:00:00Z","from":"","smsMsgId":"S","status":"000000"}],"code":"000000","description":"Success"}`)
	}
}

// twilio is Messages.json under basic authentication.
func (v *SMSVendor) twilio(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	user, pass, _ := r.BasicAuth()
	refuse := func(status int, code string) {
		sayJSON(w, status, fmt.Sprintf(`{"code":%s,"message":"no","more_info":"https://www.twilio.com/docs/errors/%s","status":%d}`, code, code, status))
	}
	trouble, code := v.next()
	switch {
	case user != v.KeyID || subtle.ConstantTimeCompare([]byte(pass), []byte(v.KeySecret)) != 1:
		refuse(http.StatusUnauthorized, "20003")
	case r.URL.Path != "/2010-04-01/Accounts/"+v.KeyID+"/Messages.json":
		refuse(http.StatusNotFound, "20404")
	case trouble == Refuse:
		refuse(http.StatusBadRequest, "21606")
	case trouble == Busy:
		refuse(http.StatusTooManyRequests, "20429")
	case code != "":
		refuse(http.StatusBadRequest, code)
	default:
		v.take(SMSSent{r.Method, r.URL.Path, "", flat(r.PostForm)})
		if trouble == Lose {
			hangUp(w)
			return
		}
		sayJSON(w, http.StatusCreated, `{"sid":"SM0123456789","status":"queued"}`)
	}
}

func flat(form url.Values) map[string]string {
	fields := map[string]string{}
	for name := range form {
		fields[name] = form.Get(name)
	}
	return fields
}

// signedHeaders writes the headers a signature covers, one a line.
func signedHeaders(r *http.Request, names string) string {
	var b strings.Builder
	for name := range strings.SplitSeq(names, ";") {
		value := r.Header.Get(name)
		if name == "host" {
			value = r.Host
		}
		b.WriteString(name + ":" + value + "\n")
	}
	return b.String()
}
