package app_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// logIn fills the login form; what comes next depends on the roles.
func (b *tab) logIn(login string) {
	b.t.Helper()
	b.write("input[autocomplete=username]", login)
	b.write("input[autocomplete=current-password]", agentPassword)
	b.enter()
	b.sees(".header .who", "")
}

// rewrite replaces what a text field holds, as select-all and typing would.
func (b *tab) rewrite(selector, text string) {
	b.t.Helper()
	b.sees(selector, "")
	arg, err := json.Marshal(selector)
	if err != nil {
		b.t.Fatal(err)
	}
	evaluate[bool](b, `(() => { const f = document.querySelector(`+string(arg)+`); f.focus(); f.select(); return true; })()`)
	b.insert(text)
}

// value is what a text field holds.
func (b *tab) value(selector string) string {
	b.t.Helper()
	return b.sees(selector, "")
}

// wide fails if the page is wider than its window.
func (b *tab) wide(where string) {
	b.t.Helper()
	if over := evaluate[float64](b, "document.documentElement.scrollWidth - innerWidth"); over > 0 {
		b.t.Errorf("%s is %v px wider than the window", where, over)
	}
}

func TestBrowser_KnowledgeIsMadeBetter(t *testing.T) {
	t.Parallel()
	browser := chromium(t)
	o := gatewayOptions{small: true, data: shortDir(t)}
	publishSmall(t, "", o.data)
	g := start(t, o)
	g.hire(t, configFile(t, o), "bian", "卞文", "editor")
	g.hire(t, configFile(t, o), "he", "何静", "supervisor", "compliance")

	// A visitor asks what the knowledge base knows; another, who leaves, what it does not.
	v := openTab(t, browser, "visitor", widgetRoot, g.url+"/demo", 1280, 800)
	v.click(".launcher", "")
	v.ask("提前还款要手续费吗")
	v.sees(".row:not(.me) .bubble", "提前还款")
	other := g.visit(t, frame{})
	other.say("1", "贵司的吉祥物叫什么名字，我的电话13812345678")
	other.reply("bot")
	other.send(frame{T: "end", CID: "2"})
	other.wait("state closed", func(f frame) bool { return f.T == "state" && f.State == "closed" })

	// The editor finds the Topic, and begins a draft from it.
	e := openTab(t, browser, "editor", pageRoot, g.url+"/console/kb", 1280, 800)
	e.logIn("bian")
	e.sees(".kb .facts", "已发布版本")
	e.write(".kb .filters input", "提前还款要手续费吗")
	e.sees(".ant-table-row", "提前还款要手续费吗")
	e.shot("50-kb-topics")
	e.wide("the list of Topics")
	e.click(".ant-table-row .topic-link", "提前还款要手续费吗")
	e.sees(".topic-head h2", "提前还款要手续费吗")
	e.click(".topic-head button", "在草稿中修改")
	e.write("#draft-title", "手续费说明")
	e.click(".ant-modal-footer button", "确定")
	e.sees(".topic-head .tag", "草稿")

	// She writes, is told of what repeats, and sees how it will look.
	asked, answer := e.value("#phrasings"), e.value("#answer")
	e.rewrite("#phrasings", asked+"\n"+strings.SplitN(asked, "\n", 2)[0]+"？\n早点还清会不会多收钱")
	e.sees(".twins", "重复")
	e.rewrite("#answer", "这是修改后的第一句。"+answer)
	e.sees(".preview-frame .told", "这是修改后的第一句")
	e.shot("51-kb-topic-edit")
	e.wide("the page of a Topic")
	e.click(".topic-head button", "保存")
	e.sees(".findings .finding", "问法重复")
	e.shot("52-kb-topic-problems")
	e.rewrite("#phrasings", asked+"\n早点还清会不会多收钱")
	e.click(".topic-head button", "保存")
	e.misses(".findings .finding", "问法重复")

	// Leaving unsaved work asks first.
	e.rewrite("#title", "改到一半")
	e.click(".kb-tabs .ant-tabs-tab", "版本")
	e.click(".ant-modal-confirm button", "留下")
	e.misses(".ant-modal-confirm", "")
	e.rewrite("#title", "提前还款要手续费吗")

	// The test tool answers with the draft, and says why.
	e.click(".topic-head button", "试一试")
	e.write(".try-input", "早点还清会不会多收钱")
	e.enter()
	e.sees(".turn .answer", "这是修改后的第一句")
	e.sees(".try-why .headline", "早点还清会不会多收钱")
	e.sees(".try-why .scored", "%")
	e.shot("53-kb-try")
	e.noCodes("ranker", "exact", "undefined")

	// She reads what she changed, and hands it in; her own work she may not approve.
	e.click(".kb-tabs .ant-tabs-tab", "版本")
	e.click(".ant-table-row .topic-link", "手续费说明")
	e.sees(".diff ins", "早点还清会不会多收钱")
	e.shot("54-kb-version-diff")
	e.click(".actions button", "提交复核")
	e.write("#reason-text", "补充一种问法，答案先说结论")
	e.click(".ant-modal-footer button", "提交复核")
	e.sees(".topic-head .tag", "待复核")
	e.sees(".actions", "须由他人复核")
	if n := len(e.look(".actions button:not(:disabled)", "通过").Texts); n != 0 {
		t.Error("the author may press the button that approves her own work")
	}
	e.shot("55-kb-version-own")

	// A second person approves it, the tests agree, and it serves.
	s := openTab(t, browser, "supervisor", pageRoot, g.url+"/console/kb/versions", 1440, 900)
	s.logIn("he")
	s.click(".ant-table-row .topic-link", "手续费说明")
	s.sees(".dim", "补充一种问法")
	s.click(".actions button", "通过")
	s.write("#reason-text", "核对无误")
	s.click(".ant-modal-footer button", "通过")
	s.sees(".topic-head .tag", "已通过")
	s.click(".ant-tabs-tab", "发布检查")
	s.sees(".gate .verdict", "条通过")
	s.shot("56-kb-gate")
	s.noCodes("approved", "check")
	s.click(".actions button", "发布")
	s.click(".ant-modal-confirm button", "确定")
	s.sees(".topic-head .tag", "现行")
	s.shot("57-kb-published")

	// The next visitor gets the new answer.
	v.ask("早点还清会不会多收钱")
	v.sees(".row:not(.me) .bubble", "这是修改后的第一句")
	v.shot("58-kb-new-answer")

	// What was not answered waits to be learned from.
	e.click(".kb-tabs .ant-tabs-tab", "学习")
	eventually(t, "the question nobody answered is there", func() bool {
		if e.count(".cluster", "吉祥物") > 0 {
			return true
		}
		e.click(".kb .ant-segmented-item", "已忽略")
		e.click(".kb .ant-segmented-item", "待处理")
		return false
	})
	e.shot("59-kb-learning")
	e.noCodes("refused", "pending", "dismissed", "13812345678")
	e.click(".cluster button", "忽略")
	e.click(".presets button", "与业务无关")
	e.click(".ant-modal-footer button", "忽略")
	e.misses(".cluster", "吉祥物")
}
