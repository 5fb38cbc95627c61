package app_test

import (
	"context"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowser_TheLinkOfAnSMS opens the link on a phone: the button, the chat
// with its history, and the same after the page was loaded again.
func TestBrowser_TheLinkOfAnSMS(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	_, _, vendor, phone := texting(t, gatewayOptions{}, `{id: web, kind: web, allowed_origins: ["https://www.example.com"]}`)
	text(t, phone, "1", "提前还款要手续费吗")
	eventually(t, "a link is sent", func() bool { return len(vendor.Sent()) == 1 })
	link := linkIn(t, vendor.Texts()[0])

	v := openTab(t, browser, "link", pageRoot, link, 390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2))
	v.sees("button", "继续咨询")
	v.shot("40-link-button")
	v.dark(true)
	v.shot("41-link-button-dark")
	v.dark(false)
	v.click("button", "继续咨询")
	v.root = widgetRoot
	v.sees(".row.me .bubble", "提前还款要手续费吗")
	v.sees(".row:not(.me) .bubble", "提前还款")
	v.shot("42-link-chat")
	before := len(v.said())
	v.ask("怎么修改绑定的手机号")
	eventually(t, "an answer", func() bool { return len(v.said()) == before+2 })

	v.do(chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		return chromedp.Do(ctx, chromedp.Reload())
	}))
	v.sees(".row.me .bubble", "怎么修改绑定的手机号")
	if n := len(v.said()); n != before+2 {
		t.Errorf("%d messages after the page was loaded again, want %d", n, before+2)
	}
	if v.count(".launcher", "") != 0 {
		t.Error("the chat is not the whole page")
	}
	if n := len(vendor.Sent()); n != 1 {
		t.Errorf("%d text messages were spent, want 1", n)
	}

	// Another phone cannot open it.
	w := openTab(t, browser, "other", pageRoot, link, 390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2))
	w.sees("h1", "链接已失效")
	w.shot("43-link-gone")
}
