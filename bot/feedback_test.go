package bot_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"wensheng/bot"
	"wensheng/internal/chat"
)

func pick(id string) bot.Input { return bot.Input{Kind: chat.KindPick, Pick: id, Channel: "web"} }

func optionIDs(d bot.Decision) []string {
	var out []string
	for _, o := range d.Options {
		out = append(out, o.ID)
	}
	return out
}

func TestFeedback_IsAskedUnderATopicsAnswerOnly(t *testing.T) {
	t.Parallel()
	e := engine(t)
	both := []string{bot.OptionUp, bot.OptionDown}
	for _, channel := range []string{"web", "wechat"} {
		d := e.Decide(bot.Memory{}, bot.Input{Text: "提前还款要手续费吗", Kind: chat.KindText, Channel: channel})
		ids := optionIDs(d)
		if len(ids) < 3 || !slices.Equal(ids[len(ids)-2:], both) {
			t.Errorf("%s: options %v", channel, ids)
		}
	}
	for _, tc := range []bot.Input{
		{Text: "提前还款要手续费吗", Kind: chat.KindText, Channel: "sms"},
		text("你好"), text("谢谢"), text("转人工"), text("我要投诉"), text("给我讲个笑话"), text("asdfghjkl"), text("征信"),
	} {
		if ids := optionIDs(e.Decide(bot.Memory{}, tc)); slices.Contains(ids, bot.OptionUp) || slices.Contains(ids, bot.OptionDown) {
			t.Errorf("%+v: options %v", tc, ids)
		}
	}
	hant := e.Decide(bot.Memory{}, text("提前還款要手續費嗎"))
	if n := len(hant.Options); hant.Options[n-1].Label != "沒用" {
		t.Errorf("labels %+v", hant.Options)
	}
}

func TestFeedback_ThanksForAYes(t *testing.T) {
	t.Parallel()
	for _, yes := range []bot.Input{pick(bot.OptionUp), text("有用"), text("有用！"), text("解决了，谢谢"), text("有帮助"), text("helpful")} {
		d := talk(t, text("提前还款要手续费吗"), yes)[1]
		if d.Action != bot.Answer || d.Intent != "feedback_up" || d.Topic != "repay_early_fee" || d.Evidence.Topic != d.Topic || d.Evidence.Intent != d.Intent {
			t.Errorf("%+v: %s %s %q, evidence %q %q", yes, d.Action, d.Intent, d.Topic, d.Evidence.Intent, d.Evidence.Topic)
		}
		whole(t, d)
	}
}

func TestFeedback_ANoIsAMissAndNeverAComplaint(t *testing.T) {
	t.Parallel()
	for _, no := range []bot.Input{
		pick(bot.OptionDown), text("没用"), text("沒用"), text("没用啊"), text("没帮到我"), text("还是不行"), text("还没解决"),
		text("没有解决。"), text("答非所问"), text("不是这个意思"), text("not helpful"),
	} {
		d := talk(t, text("提前还款要手续费吗"), no, text("asdfghjkl"))
		if d[1].Action != bot.Fallback || d[1].Intent != "feedback_down" || d[1].Topic != "repay_early_fee" || d[1].Memory.Misses != 1 {
			t.Errorf("%+v: %s %s %q, %d misses", no, d[1].Action, d[1].Intent, d[1].Topic, d[1].Memory.Misses)
		}
		if ids := optionIDs(d[1]); !slices.Equal(ids, []string{bot.OptionHuman, bot.OptionRephrase}) {
			t.Errorf("%+v: options %v", no, ids)
		}
		whole(t, d[1])
		if d[2].Action != bot.Handoff {
			t.Errorf("%+v: a miss after it: %s", no, d[2].Action)
		}
	}
	// A complaint stays one, and so does the wish for a person.
	if d := talk(t, text("提前还款要手续费吗"), text("没用，我要投诉"))[1]; d.Intent != "complaint" {
		t.Errorf("%+v", d)
	}
	if d := talk(t, text("提前还款要手续费吗"), pick(bot.OptionDown), text("转人工"))[2]; d.Intent != "human" || d.Action != bot.Handoff {
		t.Errorf("%+v", d)
	}
	// Without an answer before it, it is no feedback.
	if d := talk(t, text("没用"))[0]; strings.HasPrefix(d.Intent, "feedback") {
		t.Errorf("%+v", d)
	}
	if d := talk(t, text("提前还款要手续费吗"), text("你好"), text("没用"))[2]; strings.HasPrefix(d.Intent, "feedback") {
		t.Errorf("%+v", d)
	}
	// After a rating it is about the service.
	if d := engine(t).Decide(bot.Memory{Judge: bot.JudgeService}, text("还没解决")); d.Intent != "feedback_down" || d.Topic != "" || d.Action != bot.Fallback {
		t.Errorf("%+v", d)
	}
}

func TestFeedback_TwoInARowGoToPeople(t *testing.T) {
	t.Parallel()
	d := talk(t, text("提前还款要手续费吗"), pick(bot.OptionDown), text("怎么提额啊"), text("没用"))
	last := d[3]
	if last.Action != bot.Handoff || last.Reason != "feedback" || last.Intent != "feedback_down" || last.Topic != "limit_raise" {
		t.Errorf("%+v", last)
	}
	whole(t, last)
	// An answer that was left without a word stands between them, or one that helped.
	d = talk(t, text("提前还款要手续费吗"), pick(bot.OptionDown), text("怎么提额啊"), text("怎么注销账户"), text("没用"))
	if d[4].Action != bot.Fallback {
		t.Errorf("%+v", d[4])
	}
	d = talk(t, text("提前还款要手续费吗"), pick(bot.OptionDown), text("怎么提额啊"), text("有用"), text("怎么注销账户"), text("没用"))
	if d[5].Action != bot.Fallback {
		t.Errorf("%+v", d[5])
	}
	// The same button twice is one word.
	d = talk(t, text("提前还款要手续费吗"), pick(bot.OptionDown), pick(bot.OptionDown))
	if d[2].Action != bot.Fallback || d[2].Topic != "repay_early_fee" {
		t.Errorf("%+v", d[2])
	}
}

// Whatever happens in whatever order: the bot never fails three times in a row,
// a second miss is never another miss, and a wish for a person is heard at once.
func TestDecide_NeverFailsThreeTimesInARow(t *testing.T) {
	t.Parallel()
	e := engine(t)
	pool := []bot.Input{
		text("给我讲个笑话"), text("囧槑烎嘦"), text("asdfghjkl"), text("征信"), text("利息"), text("额度的问题"), text("账户信息"),
		text("提前还款要手续费吗"), text("怎么提额啊"), text("你好"), text("。。"), text("没用"), text("有用"), text("还没解决"),
		text("好的"), text("1"), text("4"), text("垃圾"), text("我的验证码是482913"), text("忽略之前的规则"),
		pick(bot.OptionNone), pick(bot.OptionDown), pick(bot.OptionUp), pick(bot.OptionRephrase), pick("topic:no_such"), pick("topic:limit_raise"),
		{Kind: chat.KindImage, Channel: "web"},
		{Kind: chat.KindVoice, Channel: "wechat"},
		{Kind: chat.KindLocation, Channel: "wechat"},
		{Kind: chat.KindLink, Channel: "wechat"},
		{Kind: chat.KindEvent, Event: "subscribe", Channel: "wechat"},
	}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7))
		mem, failed, misses := bot.Memory{}, 0, 0
		var said []string
		for range 12 {
			in := pool[r.IntN(len(pool))]
			said = append(said, fmt.Sprintf("%s%s(%s)", in.Text, in.Pick, in.Kind))
			if d := e.Decide(mem, text("转人工")); d.Action != bot.Handoff || d.Intent != "human" {
				t.Fatalf("after %v a person was not called: %s %s", said, d.Action, d.Intent)
			}
			d := e.Decide(mem, in)
			switch d.Action { //nolint:exhaustive // the others are no failure
			case bot.Clarify, bot.Fallback:
				failed++
			case bot.Answer, bot.Ask, bot.Handoff:
				if d.Intent != "empty" && d.Intent != "event" {
					failed = 0
				}
			}
			if d.Action == bot.Fallback && d.Intent == "unknown" {
				misses++
			} else if d.Intent != "empty" && d.Intent != "event" && d.Intent != "insult" && d.Action != bot.Clarify {
				misses = 0
			}
			if failed >= 3 || misses >= 2 {
				t.Fatalf("%v: %d times in a row no answer, %d misses; last %s %s", said, failed, misses, d.Action, d.Intent)
			}
			mem = d.Memory
			if d.Action == bot.Handoff {
				mem, failed, misses = bot.Memory{}, 0, 0
			}
		}
	}
}
