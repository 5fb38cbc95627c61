package sms_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"wensheng/channels"
	"wensheng/channels/channeltest"
	"wensheng/channels/sms"
	"wensheng/internal/chat"
)

var update = flag.Bool("update", false, "write golden files anew")

func golden(t *testing.T, path string, got any) {
	t.Helper()
	raw, err := json.MarshalIndent(got, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, '\n')
	if *update {
		if err := os.WriteFile(path, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(raw)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// mappings are the generic accounts of the golden files, by the name before the dot.
var mappings = map[string]sms.Mapping{
	"generic-nested": {
		List: "data.list", From: "user.mobile", Text: "user.words", ID: "msgId", Time: "at", TimeFormat: "unix_ms",
		Auth: "header", Header: "X-Key", Secret: "k", Ack: `{"code":200}`, AckType: "application/json",
	},
	"generic-gbk": {Format: sms.FormatForm, From: "mobile", Text: "content", Time: "time", Dest: "spno", Charset: "gbk", Ack: "0"},
	"generic-base64": {
		Format: sms.FormatForm, From: "mobile", Text: "msg", ID: "seq", Time: "moTime", TimeFormat: "0601021504",
		TextEncoding: "base64", Charset: "gbk", Whole: true,
	},
	"generic-ucs2": {Format: sms.FormatForm, From: "mobile", Text: "msg", ID: "seq", TextEncoding: "hex", Charset: "ucs2"},
	"generic-get": {
		Format: sms.FormatQuery, From: "mobile", Text: "msg", ID: "seq", Nation: "nc",
		Auth: "hmac", Header: "X-Sign", Secret: "12345", HMACHash: "sha1", HMACEncoding: "base64", Ack: "success",
	},
	"generic-hmac": {From: "f", Text: "t", Auth: "hmac", Header: "X-Sign", Secret: "12345"},
}

// TestGolden_Inbound reads testdata/in/*.http, each a request as a vendor sends
// it, and compares what the sink and the vendor get with the .json beside it.
func TestGolden_Inbound(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/in/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no golden files: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".http")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			provider, _, _ := strings.Cut(name, "-")
			a := account(provider)
			a.SignKey, a.SignSecret = "", ""
			if m, ok := mappings[name]; ok {
				a.Mapping = &m
			}
			g := start(t, func(o *sms.Options) { o.PublicURL = "https://chat.example.com" }, a)
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			head, body, _ := bytes.Cut(raw, []byte("\n\n"))
			req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(string(head), "\n", "\r\n") + "\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			body = bytes.TrimSuffix(body, []byte("\n"))
			req.Body = io.NopCloser(bytes.NewReader(body))
			if provider == sms.Twilio {
				req.Header.Set("X-Twilio-Signature", channeltest.TwilioSignature(authToken, "https://chat.example.com"+req.URL.Path, body))
			}
			rec := httptest.NewRecorder()
			g.Handler().ServeHTTP(rec, req)
			golden(t, strings.TrimSuffix(file, ".http")+".json", struct {
				Status  int
				Type    string
				Body    string
				Inbound []chat.Inbound
			}{rec.Code, rec.Header().Get("Content-Type"), rec.Body.String(), g.sink.Stored()})
		})
	}
}

// TestGolden_Outbound compares what each vendor's API gets with testdata/out.
func TestGolden_Outbound(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{sms.Aliyun, sms.Tencent, sms.Huawei, sms.Twilio} {
		t.Run(provider, func(t *testing.T) {
			t.Parallel()
			g, v := sending(t, provider)
			err := g.Send(t.Context(), channels.Outbound{
				Conv: "c1", To: chat.Address{Account: "sms", ID: channeltest.SMSPhone}, Text: "您好，请稍候。", Key: "m1-0",
			})
			if err != nil {
				t.Fatal(err)
			}
			golden(t, "testdata/out/"+provider+".json", v.Sent())
		})
	}
}

// FuzzHandler throws anything at every codec.
func FuzzHandler(f *testing.F) {
	files, err := filepath.Glob("testdata/in/*.http")
	if err != nil {
		f.Fatal(err)
	}
	providers := []string{sms.Aliyun, sms.Tencent, sms.Huawei, sms.Twilio, sms.Generic}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ := bytes.Cut(raw, []byte("\n\n"))
		for i := range providers {
			f.Add(i, body)
		}
	}
	f.Fuzz(func(t *testing.T, i int, body []byte) {
		provider := providers[uint(i)%uint(len(providers))]
		a := account(provider)
		a.SignKey, a.SignSecret = "", ""
		sink := channeltest.NewSink()
		c, err := sms.New(sms.Options{Accounts: []sms.Account{a}, Sink: sink, PublicURL: "https://chat.example.com"})
		if err != nil {
			t.Fatal(err)
		}
		path := "/channels/sms/sms/" + pathSecret
		req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, path, bytes.NewReader(body))
		if provider == sms.Twilio {
			req.Header.Set("X-Twilio-Signature", channeltest.TwilioSignature(authToken, "https://chat.example.com"+path, body))
		}
		rec := httptest.NewRecorder()
		c.Handler().ServeHTTP(rec, req)
		switch rec.Code {
		case http.StatusOK, http.StatusBadRequest, http.StatusForbidden, http.StatusRequestEntityTooLarge:
		default:
			t.Errorf("%s: status %d", provider, rec.Code)
		}
		if rec.Code != http.StatusOK && len(sink.Calls()) > 0 {
			t.Errorf("%s: stored without an acknowledgement", provider)
		}
		for _, in := range sink.Calls() {
			if in.ProviderID == "" || in.From.ID == "" || in.At.IsZero() || in.Kind != chat.KindText ||
				!utf8.ValidString(in.Text) || !utf8.ValidString(in.ProviderID) || strings.ContainsRune(in.Text, 0) {
				t.Errorf("%s: %+v", provider, in)
			}
			if _, err := json.Marshal(in.At); err != nil {
				t.Errorf("%s: time: %v", provider, err)
			}
		}
	})
}
