package bot_test

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
)

// talk sends messages one after the other and returns the decisions.
func talk(t *testing.T, in ...bot.Input) []bot.Decision {
	t.Helper()
	e := engine(t)
	var out []bot.Decision
	mem := bot.Memory{}
	for _, i := range in {
		// What is kept between messages travels as JSON.
		raw, err := json.Marshal(mem)
		if err != nil {
			t.Fatal(err)
		}
		mem = bot.Memory{}
		if err := json.Unmarshal(raw, &mem); err != nil {
			t.Fatal(err)
		}
		d := e.Decide(mem, i)
		mem = d.Memory
		out = append(out, d)
	}
	return out
}

func TestDecide_SecondMissInARowGoesToPeople(t *testing.T) {
	t.Parallel()
	d := talk(t, text("囧槑烎嘦"), text("asdfghjkl"))
	if d[0].Action != bot.Fallback || d[1].Action != bot.Handoff || d[1].Reason != "miss" {
		t.Errorf("%s, %s %s", d[0].Action, d[1].Action, d[1].Reason)
	}
	whole(t, d[1])
	d = talk(t, text("囧槑烎嘦"), text("怎么提额啊"), text("asdfghjkl"))
	if d[2].Action != bot.Fallback {
		t.Errorf("an answer between did not count: %s", d[2].Action)
	}
	d = talk(t, text("囧槑烎嘦"), text("。。"), text("asdfghjkl"))
	if d[2].Action != bot.Handoff {
		t.Errorf("an empty message hid a miss: %s", d[2].Action)
	}
	for _, kind := range []string{"谢谢", "你好", "好的", "给我讲个笑话"} {
		d = talk(t, text("囧槑烎嘦"), text(kind), text("asdfghjkl"))
		if d[1].Action != bot.Answer || d[2].Action != bot.Handoff {
			t.Errorf("%s hid a miss: %s, %s", kind, d[1].Action, d[2].Action)
		}
		vague := clarified(t)
		if d := talk(t, vague[0], text(kind), vague[1], text(kind), vague[2]); d[4].Action != bot.Handoff {
			t.Errorf("%s hid that it was asked back twice: %s", kind, d[4].Action)
		}
	}
}

// clarified returns a few messages that name a subject and no question, which
// the bot must ask back. Editors may make any single one of them a wording.
func clarified(t *testing.T) []bot.Input {
	t.Helper()
	var out []bot.Input
	for _, s := range []string{"利息", "征信", "提前还款", "额度的问题", "征信的事", "还款的事", "逾期问题", "账户信息", "银行卡方面", "合同这块", "利息这块", "扣款问题", "手机号问题", "借款进度"} {
		d := engine(t).Decide(bot.Memory{}, text(s))
		if d.Action != bot.Clarify {
			continue
		}
		whole(t, d)
		if len(d.Options) < 3 || d.Options[len(d.Options)-2].ID != bot.OptionNone || d.Options[len(d.Options)-1].ID != bot.OptionHuman {
			t.Errorf("%s: options %+v", s, d.Options)
		}
		out = append(out, text(s))
	}
	if len(out) < 3 {
		t.Fatalf("only %d of the vague messages were asked back", len(out))
	}
	return out
}

func TestDecide_NeverClarifiesForEver(t *testing.T) {
	t.Parallel()
	vague := clarified(t)
	d := talk(t, vague[0], vague[1], vague[2])
	if d[0].Action != bot.Clarify || d[1].Action != bot.Clarify || d[2].Action != bot.Handoff {
		t.Errorf("%s, %s, %s", d[0].Action, d[1].Action, d[2].Action)
	}
}

func TestDecide_TakesWhatWasOffered(t *testing.T) {
	t.Parallel()
	e := engine(t)
	first := e.Decide(bot.Memory{}, clarified(t)[0])
	want := strings.TrimPrefix(first.Options[0].ID, "topic:")
	for name, in := range map[string]bot.Input{
		"button": {Kind: chat.KindPick, Pick: first.Options[0].ID},
		"number": text("1"),
		"wide":   text("１"),
		"label":  text(first.Options[0].Label + "？"),
	} {
		if d := e.Decide(first.Memory, in); d.Topic != want {
			t.Errorf("%s: topic %q, want %q", name, d.Topic, want)
		}
	}
	none := e.Decide(first.Memory, bot.Input{Kind: chat.KindPick, Pick: bot.OptionNone})
	if none.Action != bot.Fallback {
		t.Errorf("none: %s", none.Action)
	}
	whole(t, none)
	if d := e.Decide(none.Memory, text("囧槑烎嘦")); d.Action != bot.Handoff {
		t.Errorf("a miss after none: %s", d.Action)
	}
	if d := e.Decide(first.Memory, bot.Input{Kind: chat.KindPick, Pick: bot.OptionHuman}); d.Action != bot.Handoff || d.Intent != "human" {
		t.Errorf("human: %s %s", d.Action, d.Intent)
	}
	// A button of an old message, after a restart or another day.
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindPick, Pick: "topic:" + want}); d.Topic != want {
		t.Errorf("old button: %+v", d)
	}
	gone := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindPick, Pick: "topic:no_such"})
	whole(t, gone)
}

func TestDecide_ReadsAFollowUpWithTheTopicBefore(t *testing.T) {
	t.Parallel()
	d := talk(t, text("怎么提前还款"), text("那手续费呢"))
	if d[0].Topic != "repay_early_how" {
		t.Fatalf("%+v", d[0])
	}
	top := d[1].Candidates
	if len(top) == 0 || top[0].Topic != "repay_early_fee" || d[1].Evidence.Context != "repay_early_how" {
		t.Errorf("%s %+v, context %q", d[1].Action, top, d[1].Evidence.Context)
	}
}

// A question that says nothing by itself is asked back with what is worth
// knowing next, the likelier first, and is no miss.
func TestDecide_AsksBackWhatAFollowUpMeans(t *testing.T) {
	t.Parallel()
	base, _ := intents.Load(intents.Embedded())
	seen := 0
	for _, q := range [][2]string{
		{"怎么提额啊", "什么时候能行"},
		{"怎么提额啊", "为什么不给我"},
		{"怎么注销账户", "多久"},
		{"怎么换银行卡", "多久生效"},
		{"提前还款要手续费吗", "那上次的呢"},
		{"怎么注销账户", "为什么不行"},
		{"怎么换银行卡", "什么时候能好"},
		{"合同在哪看", "那以前的呢"},
		{"合同在哪看", "那别的呢"},
		{"怎么换银行卡", "那另外的呢"},
		{"怎么查征信报告", "那上上次的呢"},
		{"怎么查征信报告", "多久能有"},
		{"罚息怎么算", "为什么呢"},
		{"怎么改手机号", "几天能好"},
	} {
		d := talk(t, text(q[0]), text(q[1]))
		if d[1].Evidence.Because != "follow_up" {
			continue
		}
		seen++
		whole(t, d[1])
		last, _ := base.Topic(d[0].Topic)
		n := len(d[1].Options)
		if d[1].Action != bot.Clarify || n < 3 || d[1].Options[n-2].ID != bot.OptionNone || d[1].Memory.Misses != 0 {
			t.Errorf("%v: %+v", q, d[1])
		}
		for _, o := range d[1].Options[:n-2] {
			if id := strings.TrimPrefix(o.ID, "topic:"); !slices.Contains(last.FollowUps, id) {
				t.Errorf("%v: %s is offered", q, id)
			}
		}
	}
	if seen < 2 {
		t.Errorf("only %d of the follow-ups were asked back so", seen)
	}
	// What is no question, and what follows nothing, is still admitted.
	if d := talk(t, text("怎么提额啊"), text("asdfghjkl")); d[1].Action != bot.Fallback {
		t.Errorf("%+v", d[1])
	}
}

func TestDecide_AnswersInTheWritersScript(t *testing.T) {
	t.Parallel()
	d := talk(t, text("提前還款要手續費嗎"), text("好"), text("給我講個笑話"))
	for i, x := range d {
		if x.Lang != intents.LangHant {
			t.Errorf("message %d: lang %s", i, x.Lang)
		}
	}
	if !strings.Contains(d[0].Reply, "還款") || strings.Contains(d[0].Reply, "还款") {
		t.Errorf("reply %s", d[0].Reply)
	}
	if d := talk(t, text("提前还款要手续费吗")); d[0].Lang != intents.LangHans {
		t.Errorf("lang %s", d[0].Lang)
	}
	if d := talk(t, text("yuqi le zenme ban")); d[0].Lang == intents.LangEn {
		t.Errorf("Chinese spelled out was answered in English: %q", d[0].Reply)
	}
	if d := talk(t, text("what is the weather like")); d[0].Lang != intents.LangEn || strings.ContainsAny(d[0].Reply, "抱歉") {
		t.Errorf("%s %s", d[0].Lang, d[0].Reply)
	}
}

func TestDecide_SaysTheFixedTextForDanger(t *testing.T) {
	t.Parallel()
	e := engine(t)
	d := e.Decide(bot.Memory{}, text("我不想活了"))
	if want := e.Say("p0_self_harm", "zh-Hans", nil); d.Reply != want || d.Plain {
		t.Errorf("reply %q, want %q", d.Reply, want)
	}
	d = e.Decide(bot.Memory{}, text("我要投诉"))
	if d.Notice != "complaint_received" {
		t.Errorf("notice %q", d.Notice)
	}
	if d := e.Decide(bot.Memory{}, text("转人工，我的验证码是482913")); d.Action != bot.Handoff || !strings.Contains(d.Reply, e.Say("refuse_secret", "", nil)) {
		t.Errorf("%s %q", d.Action, d.Reply)
	}
}

func TestDecide_HidesPersonalDataInWhatIsKept(t *testing.T) {
	t.Parallel()
	const phone, card, secret = "13800138000", "11010519491231002X", "482913"
	d := talk(t, text("我叫张三电话"+phone+"身份证"+card), text("验证码是"+secret), text("转人工 "+phone+" 昨天扣了我1万"))
	for i, x := range d {
		raw, err := json.Marshal(struct {
			D bot.Decision
			M bot.Memory
		}{x, x.Memory})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{phone, card, strings.ToLower(card), secret} {
			if strings.Contains(string(raw), s) {
				t.Errorf("decision %d holds %s: %s", i, s, raw)
			}
		}
	}
	last := d[2]
	for _, want := range []string{"10000", "D-1", "138"} {
		if !strings.Contains(last.Summary, want) {
			t.Errorf("the summary lacks %s: %s", want, last.Summary)
		}
	}
	if strings.ContainsAny(last.Summary, "\n{}") {
		t.Errorf("not one paragraph: %s", last.Summary)
	}
}

func TestDecide_HandlesEventsAndMedia(t *testing.T) {
	t.Parallel()
	e := engine(t)
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindEvent, Event: "subscribe", Channel: "wechat"}); d.Reply == "" {
		t.Error("no welcome")
	}
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindEvent, Event: "unsubscribe"}); d.Reply != "" || d.Memory.Turns != 0 {
		t.Errorf("%+v", d)
	}
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindEvent, Event: "CLICK", EventKey: "human"}); d.Action != bot.Handoff {
		t.Errorf("%+v", d)
	}
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindEvent, Event: "CLICK", EventKey: "怎么提额"}); d.Topic != "limit_raise" {
		t.Errorf("%+v", d)
	}
	d := talk(t, bot.Input{Kind: chat.KindImage}, bot.Input{Kind: chat.KindImage})
	if d[0].Action != bot.Fallback || d[1].Action != bot.Handoff {
		t.Errorf("%s, %s", d[0].Action, d[1].Action)
	}
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindVoice, Text: "转人工"}); d.Intent != "human" {
		t.Errorf("recognised voice: %+v", d)
	}
	if d := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindLocation, Text: "x"}); d.Reply == "" {
		t.Error("a location is a dead end")
	}
}

func TestDecide_OptsOutOnSMSOnly(t *testing.T) {
	t.Parallel()
	e := engine(t)
	if d := e.Decide(bot.Memory{}, bot.Input{Text: "TD", Kind: chat.KindText, Channel: "sms"}); d.Intent != "optout" {
		t.Errorf("%+v", d)
	}
	if d := e.Decide(bot.Memory{}, text("取消")); d.Intent == "optout" {
		t.Errorf("%+v", d)
	}
	if d := e.Decide(bot.Memory{}, bot.Input{Text: "T+1到账吗", Kind: chat.KindText, Channel: "sms"}); d.Intent == "optout" {
		t.Errorf("%+v", d)
	}
}

func TestEngine_MapsUnknownGroupsToTheFirst(t *testing.T) {
	t.Parallel()
	engine(t) // trains
	base, _ := intents.Load(intents.Embedded())
	e, err := bot.New(bot.Options{Base: base, Groups: []string{"only"}, CacheDir: models})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, s := range []string{"我要投诉", "我要打12378", "转人工"} {
		if d := e.Decide(bot.Memory{}, text(s)); d.Group != "only" {
			t.Errorf("%s: group %q", s, d.Group)
		}
	}
	if s := e.Signals("我要打12378 不想活了"); len(s) != 2 || s[0].ID != "self_harm" || s[0].Priority != "P0" || s[1].Group != "only" {
		t.Errorf("%+v", s)
	}
}

func TestEngine_SayIsNeverEmpty(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, lang := range []string{"", "zh-Hans", "zh-Hant", "zh-TW", "en", "xx"} {
		for _, id := range append(intents.RequiredPhrases(), "no_such_phrase", "", "handoff_now") {
			if e.Say(id, lang, nil) == "" {
				t.Errorf("%s in %q is empty", id, lang)
			}
		}
	}
	if got := e.Say("complaint_received", "", map[string]string{"receipt": "R1"}); !strings.Contains(got, "R1") {
		t.Error(got)
	}
}

// Every wording of every Topic, said alone, must reach that Topic or an honest
// question: the knowledge base answers what its editors wrote.
func TestDecide_KnowsItsOwnWordings(t *testing.T) {
	t.Parallel()
	e := engine(t)
	base, _ := intents.Load(intents.Embedded())
	all, bad := 0, 0
	for _, tp := range base.Topics {
		for _, p := range tp.Phrasings {
			all++
			d := e.Decide(bot.Memory{}, text(p))
			whole(t, d)
			if d.Topic != tp.ID && d.Action == bot.Answer {
				bad++
				t.Logf("%s: %q is answered with %s%s", tp.ID, p, d.Topic, d.Intent)
			}
		}
	}
	if bad*100 > all {
		t.Errorf("%d of %d wordings are answered with something else", bad, all)
	}
}

func TestDecide_IsPureAndConcurrent(t *testing.T) {
	t.Parallel()
	e := engine(t)
	mem := bot.Memory{LastTopic: "repay_early_how", Answered: []string{"repay_early_how"}, Offered: []chat.Option{{ID: "human", Label: "转人工"}}}
	before, err := json.Marshal(mem)
	if err != nil {
		t.Fatal(err)
	}
	texts := []string{"那手续费呢", "利息", "转人工", "我不想活了", "给我讲个笑话", "提前還款要手續費嗎", "验证码是482913"}
	want := make([]bot.Decision, len(texts))
	for i, s := range texts {
		want[i] = e.Decide(mem, text(s))
	}
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 10 {
				for i, s := range texts {
					if diff := cmp.Diff(want[i], e.Decide(mem, text(s))); diff != "" {
						t.Errorf("%s: %s", s, diff)
						return
					}
				}
			}
		})
	}
	wg.Wait()
	if after, err := json.Marshal(mem); err != nil || string(after) != string(before) {
		t.Errorf("the memory was changed: %s, %v", after, err)
	}
}

func TestDecision_IsTheContractsJSON(t *testing.T) {
	t.Parallel()
	for _, in := range []bot.Input{text("转人工"), text("囧槑烎嘦"), text("怎么提额"), {Kind: chat.KindEvent, Event: "unsubscribe"}} {
		raw, err := json.Marshal(engine(t).Decide(bot.Memory{}, in))
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"action", "topic", "confidence", "candidates", "intent", "signals", "group", "priority", "reply", "options", "evidence"} {
			if v, ok := got[key]; !ok || v == nil {
				t.Errorf("%+v: %s is %v", in, key, v)
			}
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	e := engine(b)
	b.ReportAllocs()
	for b.Loop() {
		e.Decide(bot.Memory{}, text("我想问一下提前还款的话还要手续费不"))
	}
}

func FuzzDecide(f *testing.F) {
	for _, s := range []string{"", "转人工", "\x00\xff", "1", "投诉", strings.Repeat("还款", 900), "{{company}}"} {
		f.Add(s, "", uint8(0))
	}
	f.Fuzz(func(t *testing.T, s, pick string, kind uint8) {
		kinds := []chat.Kind{chat.KindText, chat.KindPick, chat.KindImage, chat.KindVoice, chat.KindLocation}
		d := engine(t).Decide(bot.Memory{}, bot.Input{Text: s, Pick: pick, Kind: kinds[int(kind)%len(kinds)], Channel: "web"})
		if d.Reply == "" || d.Action == "" {
			t.Errorf("%q %q: %+v", s, pick, d)
		}
	})
}
