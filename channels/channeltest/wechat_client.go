package channeltest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/silenceper/wechat/v2/util"
)

// WeChatClient calls an official account's callback the way WeChat does.
type WeChatClient struct {
	// URL is the account's callback, such as http://127.0.0.1:1/channels/wechat/mp.
	URL   string
	AppID string
	Token string
	// AESKey is the EncodingAESKey of 43 characters.
	AESKey string
	// Mode is plain, compatible or safe.
	Mode string
	JSON bool
	// Clock is the time of day; nil is time.Now.
	Clock func() time.Time
	// HTTP is nil for a client that gives up after 5 s, as WeChat does.
	HTTP *http.Client
	// API, when set, learns who wrote, as that opens his window.
	API *WeChatAPI
	// Tamper, when set, changes the request before it is sent.
	Tamper func(*http.Request)

	nextID atomic.Int64
}

// WeChatAccount is the gh_ id the client's callbacks are addressed to.
const WeChatAccount = "gh_680bdefc8c5d"

// WeChatField is one element of a callback, in order.
type WeChatField struct{ Name, Value string }

func (c *WeChatClient) now() time.Time {
	if c.Clock != nil {
		return c.Clock()
	}
	return time.Now()
}

// NextID returns a MsgId as WeChat's look: 64 bits, growing.
func (c *WeChatClient) NextID() string {
	return strconv.FormatInt(6272960105994287000+c.nextID.Add(1), 10)
}

// Text is the plaintext of a text message.
func (c *WeChatClient) Text(openID, msgID, content string) []byte {
	return c.Message(openID, "text", WeChatField{"Content", content}, WeChatField{"MsgId", msgID})
}

// Event is the plaintext of an event.
func (c *WeChatClient) Event(openID, event, key string, more ...WeChatField) []byte {
	fields := []WeChatField{{"Event", event}}
	if key != "" {
		fields = append(fields, WeChatField{"EventKey", key})
	}
	return c.Message(openID, "event", append(fields, more...)...)
}

// Message is the plaintext of any message, in the client's format. Values are
// written as they are, NUL and broken UTF-8 included; "]]>" is split in XML.
func (c *WeChatClient) Message(openID, kind string, fields ...WeChatField) []byte {
	all := append([]WeChatField{
		{"ToUserName", WeChatAccount},
		{"FromUserName", openID},
		{"CreateTime", strconv.FormatInt(c.now().Unix(), 10)},
		{"MsgType", kind},
	}, fields...)
	var b strings.Builder
	if c.JSON {
		for i, f := range all {
			b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
			value := jsonQuote(f.Value)
			if f.Name == "CreateTime" || f.Name == "MsgId" && f.Value != "" && strings.Trim(f.Value, "0123456789") == "" {
				value = f.Value
			}
			fmt.Fprintf(&b, "%q:%s", f.Name, value)
		}
		b.WriteString("}")
		return []byte(b.String())
	}
	b.WriteString("<xml>")
	for _, f := range all {
		if f.Name == "CreateTime" || f.Name == "MsgId" {
			fmt.Fprintf(&b, "<%s>%s</%s>", f.Name, f.Value, f.Name)
			continue
		}
		fmt.Fprintf(&b, "<%s><![CDATA[%s]]></%s>", f.Name, strings.ReplaceAll(f.Value, "]]>", "]]]]><![CDATA[>"), f.Name)
	}
	b.WriteString("</xml>")
	return []byte(b.String())
}

// jsonQuote quotes without repairing the bytes.
func jsonQuote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}

// Verify makes the GET by which WeChat checks a callback address.
func (c *WeChatClient) Verify(ctx context.Context, echo string) (Answer, error) {
	q := c.Query()
	q.Set("echostr", echo)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL+"?"+q.Encode(), http.NoBody)
	if err != nil {
		return Answer{}, err
	}
	return c.do(req)
}

// Query is a fresh signature, timestamp and nonce.
func (c *WeChatClient) Query() url.Values {
	timestamp := strconv.FormatInt(c.now().Unix(), 10)
	random := make([]byte, 5)
	_, _ = rand.Read(random)
	nonce := strconv.FormatUint(uint64(random[0])<<32|uint64(random[1])<<24|uint64(random[2])<<16|uint64(random[3])<<8|uint64(random[4]), 10)
	return url.Values{
		"signature": {util.Signature(c.Token, timestamp, nonce)},
		"timestamp": {timestamp},
		"nonce":     {nonce},
	}
}

// Post signs, and in compatible and safe mode encrypts, one plaintext and
// delivers it once.
func (c *WeChatClient) Post(ctx context.Context, plaintext []byte) (Answer, error) {
	q := c.Query()
	body := plaintext
	if c.Mode == "compatible" || c.Mode == "safe" {
		random := make([]byte, 8)
		_, _ = rand.Read(random)
		sealed, err := util.EncryptMsg([]byte(hex.EncodeToString(random)), plaintext, c.AppID, c.AESKey)
		if err != nil {
			return Answer{}, err
		}
		q.Set("encrypt_type", "aes")
		q.Set("msg_signature", util.Signature(c.Token, q.Get("timestamp"), q.Get("nonce"), string(sealed)))
		body = c.wrap(plaintext, string(sealed))
	}
	return c.raw(ctx, q, body)
}

// wrap puts the ciphertext beside the plain fields in compatible mode and
// alone in safe mode.
func (c *WeChatClient) wrap(plaintext []byte, sealed string) []byte {
	switch {
	case c.Mode == "compatible" && c.JSON:
		return append(bytes.TrimSuffix(plaintext, []byte("}")), `,"Encrypt":"`+sealed+`"}`...)
	case c.Mode == "compatible":
		return append(bytes.TrimSuffix(plaintext, []byte("</xml>")), "<Encrypt><![CDATA["+sealed+"]]></Encrypt></xml>"...)
	case c.JSON:
		return fmt.Appendf(nil, `{"ToUserName":%q,"Encrypt":%q}`, WeChatAccount, sealed)
	}
	return fmt.Appendf(nil, "<xml><ToUserName><![CDATA[%s]]></ToUserName><Encrypt><![CDATA[%s]]></Encrypt></xml>", WeChatAccount, sealed)
}

// PostRaw delivers a body as it is, under a good signature.
func (c *WeChatClient) PostRaw(ctx context.Context, body []byte) (Answer, error) {
	return c.raw(ctx, c.Query(), body)
}

func (c *WeChatClient) raw(ctx context.Context, q url.Values, body []byte) (Answer, error) {
	q.Set("openid", "ignored")
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+"?"+q.Encode(), bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	req.Header.Set("Content-Type", "text/xml")
	if c.JSON {
		req.Header.Set("Content-Type", "application/json")
	}
	return c.do(req)
}

func (c *WeChatClient) do(req *http.Request) (Answer, error) {
	client := c.HTTP
	if client == nil {
		client = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	}
	if c.Tamper != nil {
		c.Tamper(req)
	}
	res, err := client.Do(req)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	return Answer{Status: res.StatusCode, Header: res.Header, Body: body}, err
}

// Deliver posts like WeChat: without a 200 within 5 s it tries three times more.
// It returns the last answer and how many deliveries there were.
func (c *WeChatClient) Deliver(ctx context.Context, openID string, plaintext []byte) (answer Answer, deliveries int, err error) {
	if c.API != nil {
		c.API.Wrote(openID)
	}
	for deliveries = 1; ; deliveries++ {
		answer, err = c.Post(ctx, plaintext)
		if err == nil && answer.Status == http.StatusOK || deliveries == 4 {
			return answer, deliveries, err
		}
	}
}

// WeChatReply is a passive reply as the contact's phone would show it.
type WeChatReply struct {
	XMLName      xml.Name `json:"-"          xml:"xml"`
	ToUserName   string   `json:"ToUserName"`
	FromUserName string   `json:"FromUserName"`
	CreateTime   int64    `json:"CreateTime"`
	MsgType      string   `json:"MsgType"`
	Content      string   `json:"Content"`
}

// ErrNoReply says that the answer was the bare acknowledgement.
var ErrNoReply = errors.New("acknowledged without a reply")

// Reply reads a passive reply out of a callback's answer, checking its
// signature and decrypting it as the account's mode asks.
func (c *WeChatClient) Reply(a Answer) (WeChatReply, error) {
	var reply WeChatReply
	if a.Status != http.StatusOK {
		return reply, fmt.Errorf("status %d", a.Status)
	}
	if s := string(a.Body); s == "success" || s == "" {
		return reply, ErrNoReply
	}
	unmarshal := xml.Unmarshal
	if c.JSON {
		unmarshal = json.Unmarshal
	}
	body := a.Body
	if c.Mode == "compatible" || c.Mode == "safe" {
		var sealed struct {
			XMLName      xml.Name `json:"-"            xml:"xml"`
			Encrypt      string   `json:"Encrypt"`
			MsgSignature string   `json:"MsgSignature"`
			TimeStamp    int64    `json:"TimeStamp"`
			Nonce        string   `json:"Nonce"`
		}
		if err := unmarshal(body, &sealed); err != nil {
			return reply, err
		}
		if util.Signature(c.Token, strconv.FormatInt(sealed.TimeStamp, 10), sealed.Nonce, sealed.Encrypt) != sealed.MsgSignature {
			return reply, errors.New("the reply's signature does not match")
		}
		_, plain, err := util.DecryptMsg(c.AppID, sealed.Encrypt, c.AESKey)
		if err != nil {
			return reply, err
		}
		body = plain
	}
	return reply, unmarshal(body, &reply)
}
