package app_test

import (
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"wensheng/internal/app"
	"wensheng/internal/config"
)

// said are the visitor's and the answerers' words in the widget, in order.
func (b *tab) said() []string { return b.look(".row .bubble:not(.dots)", "").Texts }

// ask opens nothing and waits for nothing: it writes a message and sends it.
func (b *tab) ask(text string) {
	b.t.Helper()
	b.write(".compose textarea", text)
	b.enter()
}

// hire adds a user with a name as people have them; the password is signIn's.
func (g *gateway) hire(tb testing.TB, cfgPath, login, name string, roles ...string) {
	tb.Helper()
	cfg, err := config.Load(cfgPath, nil)
	if err != nil {
		tb.Fatal(err)
	}
	cfg.Data = g.data
	user := app.NewUser{Login: login, Name: name, Roles: roles, Groups: []string{cfg.Groups[0].ID}, Capacity: 5, Password: agentPassword}
	if err := app.AddUser(tb.Context(), cfg, slog.New(slog.DiscardHandler), user); err != nil {
		tb.Fatal(err)
	}
}

const agentPassword = "correct horse"

// signIn logs an agent in at the console and puts her online.
func (b *tab) signIn(login string) {
	b.t.Helper()
	b.write("input[autocomplete=username]", login)
	b.write("input[autocomplete=current-password]", agentPassword)
	b.enter()
	b.click(".header button", "上线接待")
	b.sees(".header .presence", "在线")
}

func TestBrowser_TheWholeStory(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	o := gatewayOptions{data: shortDir(t), listen: freePort(t)}
	g := start(t, o)
	g.hire(t, configFile(t, o), "wang", "王晓", "agent")

	// The visitor asks, and is answered from approved content.
	v := openTab(t, browser, "visitor", widgetRoot, g.url+"/demo", 1366, 768)
	v.sees(".launcher", "在线客服")
	v.shot("01-demo")
	v.click(".launcher", "")
	v.sees(".intro", "请勿发送密码")
	v.shot("02-widget-open")
	v.ask("提前还款要手续费吗")
	v.sees(".row:not(.me) .bubble", "提前还款")
	v.sees(".row .tag", "AI")
	v.shot("03-demo-answer")
	v.dark(true)
	v.shot("04-widget-dark")
	v.dark(false)
	option := v.sees(".option:not(:disabled)", "")
	v.click(".option:not(:disabled)", "")
	v.sees(".row.me .bubble", option)
	eventually(t, "the option was answered", func() bool { return len(v.said()) == 4 })

	// She asks for a person, and is told where she stands.
	v.ask("转人工")
	v.sees(".queue", "下一位就是您")
	v.shot("05-widget-queue")

	// An agent comes to work and finds everything in view.
	c := openTab(t, browser, "console", pageRoot, g.url+"/console/", 1366, 768)
	c.sees(".login-card", "闻声")
	c.shot("06-console-login")
	c.signIn("wang")
	c.sees(".queue-pane .card", "客户要求人工")
	c.sees(".queue-pane .card .waited", "秒")
	c.shot("07-console-queue")
	c.click(".queue-pane .card button", "领取")
	c.sees(".chat-head", "接待中")
	c.sees(".side .summary", "提前还款")
	c.sees(".timeline .line.them .bubble", "提前还款要手续费吗")
	c.sees(".timeline .line.us.bot .bubble", "提前还款")
	c.sees(".timeline .line.them .bubble", option)
	c.misses(".queue-pane .card", "")
	v.misses(".queue", "")
	c.shot("08-console-claimed")
	c.click(".timeline button", "回答依据")
	c.sees(".evidence", "")
	c.shot("09-console-evidence")
	c.noCodes("human", "waiting", "serving", "ranker")
	c.click(".chat-head", "")
	c.misses(".ant-popover .evidence", "")

	// They talk, and each sees the other at once.
	c.write(".composer textarea", "您好，我是王晓，已经看到您的问题。")
	v.sees(".dots", "")
	c.enter()
	v.sees(".row:not(.me) .bubble", "我是王晓")
	v.sees(".head", "王晓 正在为您服务")
	v.shot("10-widget-agent")
	v.ask("我想这个月底一次还清")
	c.sees(".timeline .line.them .bubble", "一次还清")
	eventually(t, "the agent sees that her words were read", func() bool { return c.count(".timeline .line.us.agent .foot", "已读") > 0 })

	// Somebody else waits, and comes before whoever waits for less.
	other := g.visit(t, frame{})
	other.say("1", "我要投诉，催收给我同事打电话")
	c.sees(".queue-pane .card.p-P1", "催收联系他人")

	// A note is for colleagues only.
	c.click(".composer .ant-segmented-item", "内部备注")
	c.write(".composer textarea", "客户态度平和，月底结清意向明确。")
	c.shot("11-console-writing-note")
	c.click(".composer button", "保存备注")
	c.sees(".timeline .line.note .bubble", "月底结清")
	c.sees(".timeline .line.note .tag", "内部备注")
	c.click(".composer .ant-segmented-item", "回复客户")
	c.shot("12-console-talk")

	// On hold, and back.
	c.click(".chat-head button", "保留")
	c.sees(".chat-head", "保留中")
	v.sees(".queue", "正在为您查询")
	v.shot("13-widget-hold")
	c.shot("14-console-hold")
	c.click(".chat-head button", "恢复")
	c.sees(".chat-head", "接待中")
	v.misses(".queue", "")

	// The network is gone and comes back: what was written arrives once.
	if err := g.stop(); err != nil {
		t.Fatal(err)
	}
	v.ask("断网时写的话，请确认收到")
	v.sees(".row.me .meta", "发送中")
	v.sees(".bar", "网络已断开")
	v.shot("15-widget-offline")
	c.sees(".ant-alert", "连接中断")
	c.shot("16-console-offline")
	again := start(t, o)
	v.misses(".bar", "网络已断开")
	v.misses(".row.me .meta", "发送中")
	c.sees(".timeline .line.them .bubble", "断网时写的话")
	c.misses(".ant-alert", "")
	if n := c.count(".timeline .line.them .bubble", "断网时写的话"); n != 1 {
		t.Errorf("the agent sees the message %d times, want once", n)
	}
	c.write(".composer textarea", "收到了，月底前办理即可。")
	c.enter()
	v.sees(".row:not(.me) .bubble", "月底前办理")

	// A reload shows the same again, in order, nothing twice.
	before := v.said()
	v.do(chromedp.Reload())
	eventually(t, "the transcript is back", func() bool { return len(v.said()) >= len(before) })
	v.sees(".row:not(.me) .bubble", "月底前办理")
	if after := v.said(); !slices.Equal(before, after) {
		t.Errorf("after the reload:\n%s\nbefore:\n%s", strings.Join(after, "\n--\n"), strings.Join(before, "\n--\n"))
	}
	if text := strings.Join(before, "\n"); strings.Count(text, "断网时写的话") != 1 || strings.Contains(text, "态度平和") {
		t.Errorf("the visitor reads:\n%s", text)
	}
	v.shot("17-widget-resumed")

	// The end, and what the visitor thinks of it.
	c.click(".chat-head button", "结束会话")
	c.sees(".ant-modal", "结束原因")
	c.shot("18-console-close")
	c.click(".ant-modal-footer button", "结束会话")
	v.sees(".note", "本次服务已结束")
	v.click(".stars label:nth-of-type(4)", "")
	v.sees(".rate .label", "满意")
	v.write(".rate textarea", "讲得很清楚")
	v.shot("19-widget-rating")
	v.click(".rate button", "提交评价")
	v.sees(".bubble", "感谢您的评价")
	v.shot("20-widget-rated")
	c.misses(".mine-pane .card", "")
	c.shot("21-console-done")
	v.noCodes("closed", "serving", "rating")

	// A supervisor finds the conversation with its rating.
	again.hire(t, configFile(t, o), "sun", "孙敏", "supervisor", "compliance")
	s := openTab(t, browser, "supervisor", pageRoot, again.url+"/console/list", 1366, 768)
	s.signIn("sun")
	s.click(".ant-segmented-item", "已结束")
	eventually(t, "the record has the rating", func() bool {
		s.click(".page .bar button", "刷新")
		return s.count(".ant-table-row", "4分") == 1
	})
	s.sees(".ant-table-row", "王晓")
	s.shot("22-console-list")
	s.click(".ant-table-row button", "查看")
	s.sees(".peek .event", "客户评价：4分")
	s.shot("23-console-peek")
	s.noCodes("closed", "human")
}

func TestBrowser_OnAPhone(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	g.hire(t, configFile(t, o), "li", "李婷", "agent")

	v := openTab(t, browser, "phone", widgetRoot, g.url+"/demo", 390, 844, chromedp.EmulateMobile, chromedp.EmulateScale(2))
	v.shot("30-phone-demo")
	v.click(".launcher", "")
	v.shot("31-phone-open")
	v.ask("提前还款要手续费吗")
	v.sees(".row:not(.me) .bubble", "提前还款")
	v.shot("32-phone-answer")
	for n, text := range []string{"那个东西怎么弄啊，我手机号 13812345678", "就是那个东西啊，不会弄"} {
		v.ask(text)
		eventually(t, "an answer", func() bool { return len(v.said()) >= 4+2*n })
	}
	v.sees(".queue", "下一位就是您")
	v.shot("33-phone-queue")
	v.ask("我要投诉，催收打电话给我的同事和父母")
	v.sees(".row:not(.me) .bubble", "投诉我们已经收到")
	v.shot("34-phone-complaint")
	if over := evaluate[float64](v, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		t.Errorf("the page is %v px wider than the phone", over)
	}

	c := openTab(t, browser, "console", pageRoot, g.url+"/console/", 1366, 768)
	c.signIn("li")
	c.click(".queue-pane .take-next", "领取下一个")
	c.sees(".side", "受理号")
	c.sees(".side .candidate", "%")
	c.shot("35-console-complaint")
	c.noCodes("complaint", "signal:", "third_party", "unknown", "P0", "P1")
}

func TestBrowser_TrialModeIsSaid(t *testing.T) { // not parallel: it changes PATH
	browser := chromium(t)
	path, _ := os.LookupEnv("PATH")
	t.Setenv("PATH", t.TempDir())
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	t.Setenv("PATH", path)
	g.hire(t, configFile(t, o), "anna", "安娜", "agent", "supervisor", "compliance", "admin")
	c := openTab(t, browser, "console", pageRoot, g.url+"/console/", 1366, 768)
	c.signIn("anna")
	c.sees(".ant-alert", "试用模式")
	c.shot("40-console-trial")
	c.click(".header nav button", "用户")
	c.sees(".ant-table-row", "anna")
	c.shot("41-console-users")
	c.click(".header nav button", "操作审计")
	c.sees(".ant-table-row", "登录")
	c.shot("42-console-audit")
}
