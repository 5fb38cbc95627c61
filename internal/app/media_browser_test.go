package app_test

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"testing"
	"time"

	"wensheng/channels/channeltest"
)

func TestBrowser_AnAgentSeesThePictureAndTheReplyWindow(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	picture := image.NewRGBA(image.Rect(0, 0, 240, 160))
	for x := range 240 {
		for y := range 160 {
			picture.Set(x, y, color.RGBA{R: uint8(x), G: uint8(y), B: 160, A: 255})
		}
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		t.Fatal(err)
	}
	api := channeltest.NewWeChatAPI(t, wechatApp, "appsecret0123456789", time.Now)
	api.AddMedia("M1", "image/png", file.Bytes())
	o := gatewayOptions{data: shortDir(t), listen: freePort(t), wechatAPI: api.URL}
	g := start(t, o)
	g.hire(t, configFile(t, o), "wang", "王晓", "agent")
	w := g.wechat("mp")
	say := func(body []byte) {
		t.Helper()
		if _, err := w.Post(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	id := func() channeltest.WeChatField { return channeltest.WeChatField{Name: "MsgId", Value: w.NextID()} }
	say(w.Message("oBorrower1", "image", channeltest.WeChatField{Name: "MediaId", Value: "M1"}, id()))
	say(w.Message("oBorrower1", "voice", channeltest.WeChatField{Name: "MediaId", Value: "gone"}, channeltest.WeChatField{Name: "Format", Value: "amr"}, id()))
	say(w.Text("oBorrower1", w.NextID(), "转人工"))

	c := openTab(t, browser, "console", pageRoot, g.url+"/console/", 1366, 768)
	c.signIn("wang")
	c.click(".queue-pane .card button", "领取")
	c.sees(".chat-head .window", "剩余可回复")
	eventually(t, "the picture is decoded", func() bool {
		return evaluate[bool](c, `(document.querySelector(".timeline img.picture")?.naturalWidth ?? 0) === 240`)
	})
	c.click(".timeline .media button", "下载")
	c.sees(".timeline .media .late", "文件未能取回")
	api.Block("oBorrower1", 45015)
	c.write(".composer textarea", "您好")
	c.enter()
	c.sees(".timeline .late", "已超出渠道允许的回复时间窗口")
	c.sees(".chat-head .window", "已超出微信回复窗口，消息可能发不出去")
	c.shot("20-console-wechat")
	c.noCodes("media_gone", "window_closed")
}
