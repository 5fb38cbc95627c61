package channeltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// WeChatAPI is api.weixin.qq.com on a loopback socket: stable_token, custom
// messages with windows and quotas, typing and media. It is safe for concurrent
// use.
type WeChatAPI struct {
	URL string

	appID, secret string
	server        *httptest.Server

	mu        sync.Mutex
	clock     func() time.Time
	expiresIn int
	minted    int
	token     string
	mintedAt  time.Time
	valid     bool
	stuck     bool
	fetches   int
	forced    int
	strict    bool
	windows   map[string]*wechatWindow
	blocked   map[string]int
	codes     []int
	lose      int
	sent      []WeChatSent
	typing    []string
	media     map[string]wechatFile
}

type wechatWindow struct {
	wrote time.Time
	spent int
}

type wechatFile struct {
	contentType string
	data        []byte
}

// WeChatSent is one customer-service message the vendor has taken.
type WeChatSent struct {
	To   string
	Type string
	// Text is the text, or a menu's head.
	Text string
	// Options are a menu's ids and labels.
	Options []WeChatField
	Body    string
}

// NewWeChatAPI starts the fake; it stops with the test. clock may be nil for
// time.Now.
func NewWeChatAPI(tb testing.TB, appID, secret string, clock func() time.Time) *WeChatAPI {
	tb.Helper()
	if clock == nil {
		clock = time.Now
	}
	f := &WeChatAPI{
		appID: appID, secret: secret, clock: clock, expiresIn: 7200,
		windows: map[string]*wechatWindow{}, blocked: map[string]int{}, media: map[string]wechatFile{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /cgi-bin/stable_token", f.stableToken)
	mux.HandleFunc("POST /cgi-bin/message/custom/send", f.withToken(f.customSend))
	mux.HandleFunc("POST /cgi-bin/message/custom/typing", f.withToken(f.customTyping))
	mux.HandleFunc("GET /cgi-bin/media/get", f.withToken(f.mediaGet))
	mux.HandleFunc("GET /file/{id}", f.file)
	f.server = httptest.NewServer(mux)
	f.URL = f.server.URL
	tb.Cleanup(f.server.Close)
	return f
}

// ExpiresIn sets how long the next tokens live, in seconds.
func (f *WeChatAPI) ExpiresIn(seconds int) { f.set(func() { f.expiresIn = seconds }) }

// InvalidateToken makes the present token answer 40001, as when somebody reset
// the secret. With stuck, stable_token goes on giving it out until it is forced.
func (f *WeChatAPI) InvalidateToken(stuck bool) { f.set(func() { f.valid, f.stuck = false, stuck }) }

// Codes makes the next calls with a token answer these errcodes, one each; 0 is none.
func (f *WeChatAPI) Codes(codes ...int) { f.set(func() { f.codes = append(f.codes, codes...) }) }

// Lose makes the next n messages be taken without an answer.
func (f *WeChatAPI) Lose(n int) { f.set(func() { f.lose = n }) }

// Strict makes the fake keep windows and quotas: five messages in the 48 hours
// after a contact wrote, none to one who never did.
func (f *WeChatAPI) Strict() { f.set(func() { f.strict = true }) }

// Wrote records that the contact has written, which opens his window.
func (f *WeChatAPI) Wrote(openID string) {
	f.set(func() { f.windows[openID] = &wechatWindow{wrote: f.clock()} })
}

// Block answers every message to the contact with the code, such as 43004.
func (f *WeChatAPI) Block(openID string, code int) { f.set(func() { f.blocked[openID] = code }) }

// AddMedia makes a file a contact sent available under its media id, and
// returns the address of the same as a picture.
func (f *WeChatAPI) AddMedia(id, contentType string, data []byte) (picURL string) {
	f.set(func() { f.media[id] = wechatFile{contentType, data} })
	return f.URL + "/file/" + id
}

// Sent returns the messages taken, in order.
func (f *WeChatAPI) Sent() []WeChatSent {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]WeChatSent(nil), f.sent...)
}

// Typing returns whom the vendor was told to show typing.
func (f *WeChatAPI) Typing() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.typing...)
}

// TokenFetches returns how many tokens were asked for, and how many of them forced.
func (f *WeChatAPI) TokenFetches() (all, forced int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fetches, f.forced
}

func (f *WeChatAPI) set(fn func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fn()
}

var wechatErrors = map[int]string{
	-1:    "system error",
	40001: "invalid credential, access_token is invalid or not latest, could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r",
	40003: "invalid openid",
	40007: "invalid media_id",
	40033: "invalid charset. please check your request, if include \\uxxxx will create fail!",
	42001: "access_token expired",
	43004: "require subscribe",
	44004: "empty content",
	45002: "content size out of limit",
	45009: "reach max api daily quota limit",
	45015: "response out of time limit or subscription is canceled",
	45047: "out of response count limit",
}

func answerWeChat(w http.ResponseWriter, code int) {
	w.Header().Set("Content-Type", "application/json; encoding=utf-8")
	msg := "ok"
	if code != 0 {
		msg = wechatErrors[code] + " rid: 65b1c2d3-0a1b2c3d-" + strconv.Itoa(code&0xffff)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"errcode": code, "errmsg": msg})
}

func (f *WeChatAPI) stableToken(w http.ResponseWriter, r *http.Request) {
	var in struct {
		GrantType    string `json:"grant_type"`
		AppID        string `json:"appid"`
		Secret       string `json:"secret"`
		ForceRefresh bool   `json:"force_refresh"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.GrantType != "client_credential" {
		answerWeChat(w, 40002)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fetches++
	if in.ForceRefresh {
		f.forced++
	}
	if in.AppID != f.appID || in.Secret != f.secret {
		answerWeChat(w, 40125)
		return
	}
	life := time.Duration(f.expiresIn) * time.Second
	if f.token == "" || in.ForceRefresh || !f.valid && !f.stuck || f.clock().Sub(f.mintedAt) >= life {
		f.minted++
		f.token, f.mintedAt, f.valid, f.stuck = fmt.Sprintf("%d_TOKEN%s", f.minted, strings.Repeat("x", 100)), f.clock(), true, false
	}
	left := life - f.clock().Sub(f.mintedAt)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": f.token, "expires_in": int(left / time.Second)})
}

// withToken answers 40001 or the next scripted code, and else goes on.
func (f *WeChatAPI) withToken(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		token := r.URL.Query().Get("access_token")
		switch {
		case token != f.token || !f.valid || token == "":
			answerWeChat(w, 40001)
			return
		case f.clock().Sub(f.mintedAt) >= time.Duration(f.expiresIn)*time.Second:
			answerWeChat(w, 42001)
			return
		}
		if len(f.codes) > 0 {
			code := f.codes[0]
			f.codes = f.codes[1:]
			if code != 0 {
				answerWeChat(w, code)
				return
			}
		}
		next(w, r)
	}
}

// customSend runs under f.mu.
func (f *WeChatAPI) customSend(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	var in struct {
		ToUser  string `json:"touser"`
		MsgType string `json:"msgtype"`
		Text    struct {
			Content string `json:"content"`
		} `json:"text"`
		Menu struct {
			Head string `json:"head_content"`
			List []struct {
				ID      string `json:"id"`
				Content string `json:"content"`
			} `json:"list"`
		} `json:"msgmenu"`
	}
	if err := json.Unmarshal(body, &in); err != nil {
		answerWeChat(w, 47001)
		return
	}
	sent := WeChatSent{To: in.ToUser, Type: in.MsgType, Text: in.Text.Content, Body: string(body)}
	size := len(in.Text.Content)
	if in.MsgType == "msgmenu" {
		sent.Text, size = in.Menu.Head, len(in.Menu.Head)
		for _, o := range in.Menu.List {
			sent.Options = append(sent.Options, WeChatField{o.ID, o.Content})
			size += len(o.Content)
		}
	}
	if code := f.judge(in.ToUser, body, size); code != 0 {
		answerWeChat(w, code)
		return
	}
	f.sent = append(f.sent, sent)
	if f.lose > 0 {
		f.lose--
		panic(http.ErrAbortHandler) // the connection breaks without an answer
	}
	answerWeChat(w, 0)
}

// judge returns the errcode of a message, and spends one of the quota on 0.
func (f *WeChatAPI) judge(to string, body []byte, size int) int {
	switch {
	case to == "":
		return 40003
	case bytes.Contains(body, []byte(`\u`)):
		return 40033
	case size == 0:
		return 44004
	case size > 2048:
		return 45002
	case f.blocked[to] != 0:
		return f.blocked[to]
	case !f.strict:
		return 0
	}
	window := f.windows[to]
	if window == nil || f.clock().Sub(window.wrote) > 48*time.Hour {
		return 45015
	}
	if window.spent >= 5 {
		return 45047
	}
	window.spent++
	return 0
}

// customTyping runs under f.mu.
func (f *WeChatAPI) customTyping(w http.ResponseWriter, r *http.Request) {
	var in struct {
		ToUser  string `json:"touser"`
		Command string `json:"command"`
	}
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.Command != "Typing" && in.Command != "CancelTyping" {
		answerWeChat(w, 45072)
		return
	}
	f.typing = append(f.typing, in.ToUser)
	answerWeChat(w, 0)
}

// mediaGet runs under f.mu. An error is JSON with status 200, like the vendor's.
func (f *WeChatAPI) mediaGet(w http.ResponseWriter, r *http.Request) {
	id := r.URL.Query().Get("media_id")
	file, ok := f.media[id]
	switch {
	case !ok:
		answerWeChat(w, 40007)
	case strings.HasPrefix(file.contentType, "video/"):
		w.Header().Set("Content-Type", "text/plain")
		_ = json.NewEncoder(w).Encode(map[string]string{"video_url": f.URL + "/file/" + id})
	default:
		w.Header().Set("Content-Type", file.contentType)
		w.Header().Set("Content-Disposition", `attachment; filename="`+id+`"`)
		_, _ = w.Write(file.data)
	}
}

func (f *WeChatAPI) file(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	file, ok := f.media[r.PathValue("id")]
	f.mu.Unlock()
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", file.contentType)
	_, _ = w.Write(file.data)
}

// Texts implements Vendor.
func (f *WeChatAPI) Texts() []string {
	var texts []string
	for _, m := range f.Sent() {
		texts = append(texts, m.Text)
	}
	return texts
}
