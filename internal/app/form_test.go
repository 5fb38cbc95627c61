package app_test

import (
	"fmt"
	"strings"
	"testing"

	"wensheng/channels/channeltest"
)

// A complaint has its number and its place in the queue before it is asked
// anything; the answers reach the agent as they come, until he speaks himself.
func TestForm_ComplaintIsQueuedThenAskedWhileItWaits(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	a.online(5)
	v := g.visit(t, frame{})
	v.say("1", "我要投诉")
	first := v.reply("bot")
	if !receiptNumber.MatchString(first.Text) {
		t.Errorf("a complaint is answered %q, want its number first", first.Text)
	}
	asks := func(what string) frame {
		t.Helper()
		return v.wait("the question "+what, func(f frame) bool {
			return f.T == "msg" && f.From != nil && f.From.Role == "bot" && strings.Contains(f.Text, what)
		})
	}
	asks("发生了什么事")
	eventually(t, "it waits", func() bool { return len(a.queue()) == 1 })
	v.say("2", "客服骂人，我的验证码是482913")
	asks("不要发送密码")
	v.say("3", "客服骂人，态度特别差")
	q := asks("什么时候")
	if n := len(q.Options); n != 1 || q.Options[0].ID != "form:skip" {
		t.Errorf("options %+v", q.Options)
	}
	v.say("4", "提前还款要手续费吗")
	if f := asks("什么时候发生"); !strings.Contains(f.Text, "刚才的投诉登记") {
		t.Errorf("after a question in between: %q", f.Text)
	}
	v.send(frame{T: "pick", CID: "5", ID: "form:skip"})
	asks("怎么解决")
	v.say("6", "我要投诉到底，让他道歉")
	asks("手机号")
	if form := a.view(v.welcome.Conv).Handoff.Form; form.State != "asking" || form.value("want") != "我要投诉到底，让他道歉" {
		t.Errorf("before the last answer: %+v", form)
	}
	v.say("7", "13800138000")
	asks("都记下了")
	view := a.view(v.welcome.Conv)
	form := view.Handoff.Form
	if form.ID != "complaint" || form.State != "done" || form.value("what") != "客服骂人，态度特别差" || form.value("when") != "" || form.value("phone") != "138****8000" {
		t.Errorf("form %+v", form)
	}
	if n := strings.Count(view.Handoff.Summary, "客服骂人，态度特别差"); n != 1 || !strings.Contains(view.Handoff.Summary, "138****8000") {
		t.Errorf("the summary has it %d times: %s", n, view.Handoff.Summary)
	}
	raw := fmt.Sprintf("%+v", view)
	if strings.Contains(raw, "13800138000") || strings.Contains(raw, "482913") {
		t.Errorf("personal data unmasked: %s", raw)
	}
	if logs := g.log.String(); strings.Contains(logs, "13800138000") || strings.Contains(logs, "态度特别差") {
		t.Errorf("the log holds an answer: %s", logs)
	}
	if !strings.Contains(raw, "投诉登记：") {
		t.Errorf("no note in the timeline: %s", raw)
	}
	// What comes now is for the person alone.
	v.say("8", "还有一件事")
	l := a.claim(v.welcome.Conv)
	v.reply("system")
	v.say("9", "昨天")
	a.act(l.Conv, "messages", map[string]any{"lease": l.Lease, "cid": "1", "text": "您好"})
	if f := v.wait("the agent", func(f frame) bool { return f.T == "msg" && f.From != nil && f.From.Role != "contact" }); f.From.Role != "agent" {
		t.Errorf("while the agent serves: %+v", f)
	}
}

// An agent who claims in the middle ends the questions, also after he gives the
// conversation back, and is welcomed as the one he is when he returns.
func TestForm_EndsWhenAnAgentSpeaks(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	a.online(5)
	v := g.visit(t, frame{})
	v.say("1", "我要投诉你们乱收费")
	v.wait("the question", func(f frame) bool { return f.T == "msg" && strings.Contains(f.Text, "请简单说说") })
	l := a.claim(v.welcome.Conv)
	if f := v.reply("system"); !strings.Contains(f.Text, "已接入") {
		t.Errorf("claim: %q", f.Text)
	}
	a.act(l.Conv, "release", map[string]any{"lease": l.Lease})
	if f := v.reply("system"); !strings.Contains(f.Text, "队列最前面") {
		t.Errorf("release: %q", f.Text)
	}
	v.say("2", "昨天多扣了我三百块")
	l = a.claim(v.welcome.Conv)
	if f := v.wait("the claim", func(f frame) bool { return f.T == "msg" && f.From != nil && f.From.Role != "contact" }); f.From.Role != "system" || !strings.Contains(f.Text, "回来了") {
		t.Errorf("claimed again: %+v", f)
	}
	if form := a.view(l.Conv).Handoff.Form; form.value("what") != "" {
		t.Errorf("what was said to a person is an answer: %+v", form)
	}
}

// WeChat shows choices as links in its reply,
// SMS gets numbered text, and a number chooses.
func TestForm_ChoicesOnWeChatAndSMS(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	a.online(5)
	c := g.wechat("mp")
	answer, err := c.Post(t.Context(), c.Text("oFormTest000000000000000001", c.NextID(), "失业了还不上"))
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Reply(answer); err != nil || !strings.Contains(r.Content, "每个月大概能拿出多少钱") || !strings.Contains(r.Content, "msgmenuid=form:skip") {
		t.Errorf("WeChat: %v %+v", err, r)
	}
	if s := g.sms(t, "s1", "13900000001", "得了重病还不上钱"); s != 200 {
		t.Fatalf("status %d", s)
	}
	eventually(t, "both wait", func() bool { return len(a.queue()) == 2 })
	if s := g.sms(t, "s2", "13900000001", "500"); s != 200 {
		t.Fatalf("status %d", s)
	}
	if s := g.sms(t, "s3", "13900000001", "1"); s != 200 {
		t.Fatalf("status %d", s)
	}
	conv := ""
	eventually(t, "the SMS form has its answers", func() bool {
		for _, it := range a.queue() {
			if it.Channel == "sms" {
				conv = it.Conv
			}
		}
		if conv == "" {
			return false
		}
		form := a.view(conv).Handoff.Form
		return form.value("situation") == "生病或受伤" && form.value("ability") == "500元" && form.value("wish") == "往后延一段时间"
	})
}

// Whether an answer helped is a link in WeChat's passive reply, and the link's
// message is a pick in the transcript whose reply explains what it was about.
func TestFeedback_OnWeChatIsKept(t *testing.T) {
	t.Parallel()
	o := gatewayOptions{data: shortDir(t)}
	g := start(t, o)
	a := g.addAgent(t, configFile(t, o), "anna", "agent")
	c := g.wechat("mp")
	const who = "oFeedback00000000000000001"
	said := func(message []byte) string {
		t.Helper()
		answer, err := c.Post(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Reply(answer)
		if err != nil {
			t.Fatal(err)
		}
		return r.Content
	}
	if s := said(c.Text(who, c.NextID(), "提前还款要手续费吗")); !strings.Contains(s, "msgmenuid=feedback:down") {
		t.Errorf("no thumbs: %s", s)
	}
	if s := said(c.Message(who, "text", channeltest.WeChatField{Name: "MsgId", Value: c.NextID()},
		channeltest.WeChatField{Name: "Content", Value: "没用"}, channeltest.WeChatField{Name: "bizmsgmenuid", Value: "feedback:down"})); !strings.Contains(s, "没能帮到您") {
		t.Errorf("没用: %s", s)
	}
	said(c.Text(who, c.NextID(), "转人工"))
	eventually(t, "it waits", func() bool { return len(a.queue()) == 1 })
	view := a.view(a.queue()[0].Conv)
	kept := 0
	for _, m := range view.Messages {
		if m.Kind == "pick" && m.Text == "没用" {
			kept++
		}
		if m.Evidence.Intent == "feedback_down" && m.Evidence.Topic == "repay_early_fee" {
			kept++
		}
	}
	if kept != 2 {
		t.Errorf("the transcript does not tell what did not help: %+v", view.Messages)
	}
}
