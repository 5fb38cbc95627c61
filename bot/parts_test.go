package bot_test

import (
	"slices"
	"strings"
	"testing"

	"wensheng/bot"
	"wensheng/internal/chat"
)

func TestTwoIntents_AreBothAnsweredOrOffered(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, tc := range []struct{ text, first, second string }{
		{"年化利率多少 另外怎么提前还款", "rate_apr", "repay_early_how"},
		{"提前还款要手续费吗？结清证明怎么开", "repay_early_fee", "settlement_certificate"},
		{"怎么提额啊，还有怎么注销账户", "limit_raise", "account_close"},
		{"提前還款要手續費嗎，另外怎麼註銷賬戶", "repay_early_fee", "account_close"},
	} {
		for _, channel := range []string{"web", "sms"} {
			d := e.Decide(bot.Memory{}, bot.Input{Text: tc.text, Kind: chat.KindText, Channel: channel})
			parts := d.Evidence.Parts
			if d.Action != bot.Answer || d.Topic != tc.first || len(parts) != 2 || parts[0].Topic != tc.first || parts[1].Topic != tc.second || !parts[0].First || parts[1].First {
				t.Errorf("%s: %s %s, parts %+v", tc.text, d.Action, d.Topic, parts)
				continue
			}
			alone := e.Decide(bot.Memory{}, bot.Input{Kind: chat.KindPick, Pick: "topic:" + tc.second, Channel: channel})
			offered := len(d.Options) > 0 && d.Options[0].ID == "topic:"+tc.second && strings.Contains(d.Reply, d.Options[0].Label)
			joined := strings.HasSuffix(d.Reply, alone.Reply) && !slices.ContainsFunc(d.Options, func(o chat.Option) bool { return o.ID == "topic:"+tc.second })
			if offered == joined && d.Lang == alone.Lang {
				t.Errorf("%s on %s: neither offered nor said: %s %v", tc.text, channel, d.Reply, optionIDs(d))
			}
			whole(t, d)
		}
	}
}

// One request told in two sentences, a greeting before it, a denial, a story:
// none of them is two.
func TestTwoIntents_AreNotSeenWhereThereIsOne(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, s := range []string{
		"请问一下，提前还款要手续费吗", "提前还款要手续费吗，提前还款收不收手续费", "我没有逾期，为什么上征信",
		"你好，怎么提额啊", "另外怎么提额啊", "还有提前还款要手续费吗", "提前还款要手续费吗，谢谢",
	} {
		if d := e.Decide(bot.Memory{}, text(s)); len(d.Evidence.Parts) > 0 {
			t.Errorf("%s: %+v", s, d.Evidence.Parts)
		}
	}
	// The signals and the wish for a person win as in any message.
	for s, intent := range map[string]string{
		"年化利率多少 另外转人工": "human", "怎么提额啊，不然我不想活了": "self_harm", "怎么注销账户？我要投诉你们": "complaint",
	} {
		if d := e.Decide(bot.Memory{}, text(s)); d.Action != bot.Handoff || d.Intent != intent {
			t.Errorf("%s: %s %s", s, d.Action, d.Intent)
		}
	}
}

// What needs people goes to people first, and the other answer comes along.
func TestTwoIntents_TheGraverComesFirst(t *testing.T) {
	t.Parallel()
	d := engine(t).Decide(bot.Memory{}, text("借款合同在哪看，顺便问下发票怎么开"))
	if d.Action != bot.Handoff || d.Topic != "invoice" || len(d.Evidence.Parts) != 2 || !strings.Contains(d.Reply, "合同") {
		t.Errorf("%s %s %+v: %s", d.Action, d.Topic, d.Evidence.Parts, d.Reply)
	}
}

// Where nothing is sure, what one sentence surely asks is offered with the rest; in
// a story it comes first.
func TestParts_AreOfferedWhereTheWholeIsNotSure(t *testing.T) {
	t.Parallel()
	e := engine(t)
	const tale = "上个月我们厂里停了工，大家都在家里歇着，我表弟说他那边也差不多，我妈又在老家看病，来来回回跑了好几趟，车费都花了不少，"
	for _, tc := range []struct {
		text, topic string
		first       bool
	}{
		{tale + "想问下还款日能改吗", "repay_date_change", true},
		{tale + "对了结清证明怎么开呀", "settlement_certificate", true},
		{"人脸识别过不去，身份证也过期了", "id_expired", false},
	} {
		d := e.Decide(bot.Memory{}, text(tc.text))
		i := slices.Index(optionIDs(d), "topic:"+tc.topic)
		if d.Action != bot.Clarify || i < 0 || tc.first && i > 0 {
			t.Errorf("%s: %s %v", tc.text, d.Action, optionIDs(d))
		}
		whole(t, d)
	}
}
