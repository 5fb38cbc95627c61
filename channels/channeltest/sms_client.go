package channeltest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// SMSClient calls an SMS account's callback the way the vendor does.
type SMSClient struct {
	// Base is where the gateway listens, Public what the vendor believes its
	// address to be; empty is Base.
	Base, Public string
	Provider     string
	Account      string
	PathSecret   string
	// AuthToken is Twilio's; SignKey and SignSecret are Huawei's.
	AuthToken, SignKey, SignSecret string
	// Clock is the time of day; nil is time.Now.
	Clock func() time.Time
	// HTTP is nil for a client that gives up after the vendor's own time.
	HTTP *http.Client
}

// SMSPhone is who the client writes as when a Delivery names nobody.
const SMSPhone = "+8613811110000"

func (c *SMSClient) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

// Body is one text message as the vendor writes it, with its content type.
// Broken UTF-8 and NUL are written as they would be on the wire.
func (c *SMSClient) Body(d Delivery) (body []byte, contentType string) {
	from := d.From
	if from == "" {
		from = SMSPhone
	}
	switch c.Provider {
	case "aliyun":
		return []byte(`[{"phone_number":"` + strings.TrimPrefix(from, "+86") + `","content":` + rawJSON(d.Text) +
			`,"send_time":"2026-11-21 18:00:00","dest_code":"1234","sequence_id":` + d.ID + `}]`), "application/json"
	case "tencent":
		// No id on the wire: what tells two messages apart is the second.
		id, _ := strconv.ParseInt(d.ID[max(0, len(d.ID)-6):], 10, 64)
		return []byte(`{"extend":"01","mobile":"` + strings.TrimPrefix(from, "+86") + `","nationcode":"86","sign":"s","text":` +
			rawJSON(d.Text) + `,"time":` + strconv.FormatInt(1790000000+id, 10) + `}`), "application/json"
	case "huawei":
		return []byte(url.Values{
			"smsMsgId": {d.ID}, "from": {from}, "to": {"1069"}, "body": {d.Text}, "createTime": {"2026-11-21T10:00:00Z"},
		}.Encode()), "application/x-www-form-urlencoded"
	case "twilio":
		return []byte(url.Values{
			"MessageSid": {"SM" + d.ID}, "AccountSid": {"AC0123456789"}, "From": {from}, "To": {"+18005551212"},
			"Body": {d.Text}, "NumMedia": {"0"}, "NumSegments": {"1"},
		}.Encode()), "application/x-www-form-urlencoded"
	default: // generic, mapped to from, text, id, time
		return []byte(`{"data":{"from":"` + from + `","text":` + rawJSON(d.Text) + `,"id":"` + d.ID +
			`","time":"2026-11-21 18:00:00"}}`), "application/json"
	}
}

// rawJSON quotes a text and lets broken UTF-8 through.
func rawJSON(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			b.WriteByte(s[0])
		} else {
			quoted, _ := json.Marshal(string(r))
			b.Write(quoted[1 : len(quoted)-1])
		}
		s = s[n:]
	}
	b.WriteByte('"')
	return b.String()
}

// Deliver delivers a text once.
func (c *SMSClient) Deliver(ctx context.Context, d Delivery) (Answer, error) {
	body, contentType := c.Body(d)
	return c.post(ctx, string(d.Account), body, contentType)
}

// Raw posts any body, signed.
func (c *SMSClient) Raw(ctx context.Context, body []byte) (Answer, error) {
	_, contentType := c.Body(Delivery{ID: "1"})
	return c.post(ctx, "", body, contentType)
}

func (c *SMSClient) post(ctx context.Context, account string, body []byte, contentType string) (Answer, error) {
	if account == "" {
		account = c.Account
	}
	path := "/channels/sms/" + account + "/" + c.PathSecret
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", contentType)
	public := c.Public
	if public == "" {
		public = c.Base
	}
	c.Sign(req, public+path, body)
	client := c.HTTP
	if client == nil {
		client = &http.Client{Timeout: 15 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return Answer{Status: res.StatusCode, Header: res.Header, Body: answer}, err
}

// Sign adds the vendor's signature over the address it believes it calls.
func (c *SMSClient) Sign(req *http.Request, public string, body []byte) {
	switch {
	case c.Provider == "twilio":
		req.Header.Set("X-Twilio-Signature", TwilioSignature(c.AuthToken, public, body))
	case c.Provider == "huawei" && c.SignSecret != "":
		u, err := url.Parse(public)
		if err != nil {
			return
		}
		date := c.now().UTC().Format("20060102T150405Z")
		const names = "content-type;host;x-sdk-date"
		canonical := req.Method + "\n" + u.EscapedPath() + "/\n\ncontent-type:" + req.Header.Get("Content-Type") +
			"\nhost:" + u.Host + "\nx-sdk-date:" + date + "\n\n" + names + "\n" + sha(body)
		signature := hex.EncodeToString(mac([]byte(c.SignSecret), "SDK-HMAC-SHA256\n"+date+"\n"+sha([]byte(canonical))))
		req.Header.Set("X-Sdk-Date", date)
		req.Header.Set("Authorization", "SDK-HMAC-SHA256 Access="+c.SignKey+", SignedHeaders="+names+", Signature="+signature)
	}
}

// TwilioSignature is the X-Twilio-Signature of a form body posted to an address.
func TwilioSignature(token, address string, body []byte) string {
	form, _ := url.ParseQuery(string(body))
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	h := hmac.New(sha1.New, []byte(token))
	h.Write([]byte(address))
	for _, name := range names {
		h.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}
