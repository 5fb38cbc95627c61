package app_test

import "testing"

// Thumbs under an answer, small and used once, and a form's questions with their
// buttons while the visitor waits.
func TestBrowser_ThumbsAndForms(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	g.hire(t, configFile(t, o), "li", "李婷", "agent")

	v := openTab(t, browser, "visitor", widgetRoot, g.url+"/demo", 1366, 768)
	v.click(".launcher", "")
	v.ask("提前还款要手续费吗")
	v.sees(".thumbs", "这个回答有帮助吗")
	v.shot("80-widget-thumbs")
	if n := v.count(".thumb:not(:disabled)", ""); n != 2 {
		t.Errorf("%d thumbs to press, want 2", n)
	}
	if n := v.count(".option", "没用"); n != 0 {
		t.Error("the judgement stands among the big buttons")
	}
	labels := evaluate[string](v, widgetRoot+`.querySelectorAll(".thumb")[0].getAttribute("aria-label") + `+widgetRoot+`.querySelectorAll(".thumb")[1].getAttribute("aria-label")`)
	if labels != "有用没用" {
		t.Errorf("the thumbs are called %q", labels)
	}
	v.click(".thumb[aria-label=没用]", "")
	v.sees(".row:not(.me) .bubble", "没能帮到您")
	v.sees(".option:not(:disabled)", "转人工")
	v.sees(".option:not(:disabled)", "换个问法")
	if n := v.count(".thumb:not(:disabled)", ""); n != 0 {
		t.Errorf("%d thumbs can be pressed again", n)
	}
	if n := v.count(".thumb.on[aria-pressed=true]", ""); n != 1 {
		t.Errorf("%d thumbs show what was pressed, want 1", n)
	}
	v.shot("81-widget-thumb-down")
	v.ask("重复扣款了")
	v.sees(".queue", "下一位就是您")
	v.sees(".row:not(.me) .bubble", "扣了多少钱")
	v.shot("82-widget-form")
	v.ask("350元")
	v.sees(".row:not(.me) .bubble", "哪天扣的")
	v.ask("昨天")
	v.sees(".option:not(:disabled)", "跳过")
	v.shot("83-widget-form-skip")
	v.click(".option:not(:disabled)", "跳过")
	v.sees(".row:not(.me) .bubble", "核对扣款记录")

	c := openTab(t, browser, "console", pageRoot, g.url+"/console/", 1366, 768)
	c.signIn("li")
	c.click(".queue-pane .card button", "领取")
	c.sees(".side .summary", "350元")
	c.sees(".timeline", "扣款金额 350元")
	c.shot("84-console-form")
}
