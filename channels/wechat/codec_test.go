package wechat_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"wensheng/channels/wechat"
)

// The vendor's own examples (CHANNELS §A.1, §A.2).

func TestSigned_VendorExamples(t *testing.T) {
	t.Parallel()
	for _, v := range []struct{ token, timestamp, nonce, signature string }{
		{"AAAAA", "1714036504", "1514711492", "f464b24fc39322e44b38aa78f5edd27bd1441696"},
		{"AAAAA", "1714037059", "486452656", "899cf89e464efb63f54ddac96b0a0a235f53aa78"},
		{"AAAAA", "1714112445", "415670741", "6c5c811b55cc85e0e1b54100749188c20beb3f5d"},
		{"weixin", "1414243737", "1792106704", "35703636de2f9df2a77a662b68e521ce17c34db4"},
	} {
		if !wechat.Signed(v.signature, v.token, v.timestamp, v.nonce) {
			t.Errorf("%s refused", v.signature)
		}
		for _, bad := range []string{"", v.signature[:39], strings.ToUpper(v.signature), "0" + v.signature[1:], v.signature + "0"} {
			if bad != v.signature && wechat.Signed(bad, v.token, v.timestamp, v.nonce) {
				t.Errorf("%q accepted", bad)
			}
		}
	}
}

const (
	sealedJSON = "+qdx1OKCy+5JPCBFWw70tm0fJGb2Jmeia4FCB7kao+/Q5c/ohsOzQHi8khUOb05JCpj0JB4RvQMkUyus8TPxLKJGQqcvZqzDpVzazhZv6JsXUnnR8XGT740XgXZUXQ7vJVnAG+tE8NUd4yFyjPy7GgiaviNrlCTj+l5kdfMuFUPpRSrfMZuMcp3Fn2Pede2IuQrKEYwKSqFIZoNqJ4M8EajAsjLY2km32IIjdf8YL/P50F7mStwntrA2cPDrM1kb6mOcfBgRtWygb3VIYnSeOBrebufAlr7F9mFUPAJGj04="
	plainJSON  = `{"ToUserName":"gh_97417a04a28d","FromUserName":"o9AgO5Kd5ggOC-bXrbNODIiE3bGY","CreateTime":1714112445,"MsgType":"event","Event":"debug_demo","debug_str":"hello world"}`
	sealedXML  = "MNn4+jJ/VsFh2gUyKAaOJArwEVYCvVmyN0iXzNarP3O6vXzK62ft1/KG2/XPZ4y5bPWU/jfIfQxODRQ7sLkUsrDRqsWimuhIT8Eq+w4E/28m+XDAQKEOjWTQIOp1p6kNsIV1DdC3B+AtcKcKSNAeJDr7x7GHLx5DZYK09qQsYDOjP6R5NqebFjKt/NpEl/GU3gWFwG8LCtRNuIYdK5axbFSfmXbh5CZ6Bk5wSwj5fu5aS90cMAgUhGsxrxZTY562QR6c+3ydXxb+GHI5w+qA+eqJjrQqR7u5hS+1x5sEsA7vS+bZ5LYAR3+PZ243avQkGllQ+rg7a6TeSGDxxhvLw+mxxinyk88BNHkJnyK//hM1k9PuvuLAASdaud4vzRQlAmnYOslZl8CN7gjCjV41skUTZv3wwGPxvEqtm/nf5fQ="
)

func TestOpen_VendorExampleJSON(t *testing.T) {
	t.Parallel()
	key, err := wechat.AESKey(strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	if !wechat.Signed("046e02f8204d34f8ba5fa3b1db94908f3df2e9b3", "AAAAA", "1714112445", "415670741", sealedJSON) {
		t.Error("msg_signature refused")
	}
	plain, err := wechat.Open(key, "wxba5fad812f8e6fb9", sealedJSON)
	if err != nil || string(plain) != plainJSON {
		t.Errorf("got %q, %v", plain, err)
	}
	if _, err := wechat.Open(key, "wxba5fad812f8e6fb8", sealedJSON); err == nil {
		t.Error("opened for another app")
	}
	if in, err := wechat.DecodePlain("application/json", plain, time.Unix(1714112445, 0)); err != nil || in != nil {
		t.Errorf("an unknown event is only acknowledged: %+v, %v", in, err)
	}
}

func TestEnvelope_VendorExample(t *testing.T) {
	t.Parallel()
	key, err := wechat.AESKey(strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	const sealed = "ELGduP2YcVatjqIS+eZbp80MNLoAUWvzzyJxgGzxZO/5sAvd070Bs6qrLARC9nVHm48Y4hyRbtzve1L32tmxSQ=="
	const signature = "1b9339964ed2e271e7c7b6ff2b0ef902fc94dea1"
	b, err := wechat.Envelope(wechat.FormatJSON, key, []byte("707722b803182950"), "AAAAA", "wxba5fad812f8e6fb9", "415670741", 1713424427, []byte(`{"demo_resp":"good luck"}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"Encrypt":"` + sealed + `","MsgSignature":"` + signature + `","TimeStamp":1713424427,"Nonce":"415670741"}`; string(b) != want {
		t.Errorf("JSON\n got %s\nwant %s", b, want)
	}
	b, err = wechat.Envelope(wechat.FormatXML, key, []byte("707722b803182950"), "AAAAA", "wxba5fad812f8e6fb9", "415670741", 1713424427, []byte(`{"demo_resp":"good luck"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := "<xml><Encrypt><![CDATA[" + sealed + "]]></Encrypt><MsgSignature><![CDATA[" + signature +
		"]]></MsgSignature><TimeStamp>1713424427</TimeStamp><Nonce><![CDATA[415670741]]></Nonce></xml>"
	if string(b) != want {
		t.Errorf("XML\n got %s\nwant %s", b, want)
	}
}

func TestOpen_VendorExampleXML(t *testing.T) {
	t.Parallel()
	key, err := wechat.AESKey(aesKey)
	if err != nil {
		t.Fatal(err)
	}
	if !wechat.Signed("6147984331daf7a1a9eed6e0ec3ba69055256154", token, "1414243737", "1792106704", sealedXML) {
		t.Error("msg_signature refused")
	}
	plain, err := wechat.Open(key, appID, sealedXML)
	if err != nil {
		t.Fatal(err)
	}
	in, err := wechat.DecodePlain("text/xml", plain, time.Unix(1414243737, 0))
	if err != nil {
		t.Fatal(err)
	}
	if in.Text != "?" || in.ProviderID != "6074130599188426998" || in.From.ID != "oIDrpjpQ8j8mBuQ8nM26HWzNEZgg" {
		t.Errorf("got %+v", in)
	}
}

func TestOpen_RefusesBrokenCiphertext(t *testing.T) {
	t.Parallel()
	key, err := wechat.AESKey(aesKey)
	if err != nil {
		t.Fatal(err)
	}
	for _, sealed := range []string{"", "!", "AAAA", sealedXML[:44], strings.Repeat("A", 88), "A" + sealedXML[1:len(sealedXML)-8] + "AAAAAAA="} {
		if _, err := wechat.Open(key, appID, sealed); err == nil {
			t.Errorf("%q opened", sealed)
		}
	}
	for _, encoding := range []string{"", "short", strings.Repeat("A", 44), strings.Repeat("*", 43)} {
		if _, err := wechat.AESKey(encoding); err == nil {
			t.Errorf("key %q accepted", encoding)
		}
	}
}

func TestTextReply_SplitsTheEndOfCDATA(t *testing.T) {
	t.Parallel()
	for _, content := range []string{"a]]>b", "]]>", "]]]]>>", "<a href=\"x\">&amp;", "\U0001F600\U00020BB7", "a\x00\xffb"} {
		b, err := wechat.TextReply(wechat.FormatXML, openID, "gh_1", 1460541339, content)
		if err != nil {
			t.Fatal(err)
		}
		var out struct{ Content string }
		if err := xml.Unmarshal(b, &out); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
		want := strings.ReplaceAll(strings.ToValidUTF8(content, ""), "\x00", "")
		if out.Content != want {
			t.Errorf("got %q, want %q", out.Content, want)
		}
		b, err = wechat.TextReply(wechat.FormatJSON, openID, "gh_1", 1460541339, content)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(b, &out); err != nil || out.Content != want {
			t.Errorf("JSON %s: %v", b, err)
		}
		if strings.Contains(string(b), `\u`) {
			t.Errorf("escaped: %s", b)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, s := range []string{plainJSON, "null", "{}", `{"MsgId":1e999,"ToUserName":"a","FromUserName":"b","MsgType":"text"}`, "<xml><ToUserName>a</ToUserName><FromUserName>b</FromUserName><CreateTime>1</CreateTime><MsgType>location</MsgType><Location_X>NaN</Location_X><Location_Y>Inf</Location_Y></xml>", "<xml><MsgType><![CDATA[text]]></MsgType></xml>"} {
		f.Add("text/xml", []byte(s))
		f.Add("application/json", []byte(s))
		f.Add("", []byte(s))
	}
	now := time.Unix(1764000000, 0)
	f.Fuzz(func(t *testing.T, contentType string, body []byte) {
		in, err := wechat.DecodePlain(contentType, body, now)
		if err != nil || in == nil {
			return
		}
		if in.ProviderID == "" || len(in.ProviderID) > 64 || in.From.ID == "" || in.Kind == "" || in.At.IsZero() {
			t.Errorf("%+v", in)
		}
		if s := in.Text + in.EventKey + in.Pick + in.From.ID + in.ProviderID; strings.ToValidUTF8(s, "") != s || strings.Contains(s, "\x00") {
			t.Errorf("dirty: %q", s)
		}
		if _, err := json.Marshal(in); err != nil {
			t.Error(err)
		}
	})
}

func FuzzOpen(f *testing.F) {
	key, err := wechat.AESKey(aesKey)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealedXML)
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, sealed string) {
		if plain, err := wechat.Open(key, appID, sealed); err == nil && len(plain) > len(sealed) {
			t.Errorf("%d bytes out of %d", len(plain), len(sealed))
		}
	})
}
