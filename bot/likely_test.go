package bot_test

import (
	"slices"
	"strings"
	"testing"

	"wensheng/bot"
	"wensheng/intents"
)

// likelyTexts are questions the ranker is not sure of and yet has only one Topic
// for. Editors may make any single one of them a wording.
func likelyTexts(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, s := range []string{
		"还款的卡注销了怎么换", "凭什么不批给我", "卡里余额够的，为啥没给我划走", "用公司账户给你们打款行吗", "刚提交的申请不想要了",
		"光有聊天截图够不够投诉", "我想把每月还的日子换成发薪那天", "能分几个月还", "怎么判断打给我的客服是真的假的",
		"一次还不上能先还一部分么",
		// Wordings among words that are not about the subject are likely whatever else the base learns.
		"今早又什么时候开始扣我卡里的钱", "隔壁邻居说征信授权能取消吗呢", "旧卡换新卡要改吗，周末也行不", "今早又补办了新卡还会扣旧卡吗",
		"今早又商家要加收手续费", "隔壁邻居说没还上会影响征信吗呢", "今早又当天借当天还有利息吗",
	} {
		if engine(t).Decide(bot.Memory{}, text(s)).Evidence.Because == "likely" {
			out = append(out, s)
		}
	}
	if len(out) < 3 {
		t.Fatalf("only of %v there is a likely answer that is not sure", out)
	}
	return out
}

// A likely answer is a text and nothing else, and offers what else may be meant.
func TestLikely_AnswersAndOffersTheNext(t *testing.T) {
	t.Parallel()
	e := engine(t)
	base, _ := intents.Load(intents.Embedded())
	offered := 0
	for _, s := range likelyTexts(t) {
		d := e.Decide(bot.Memory{}, text(s))
		tp, _ := base.Topic(d.Topic)
		if d.Action != bot.Answer || tp == nil || tp.Kind != intents.KindAnswer || tp.Form != "" {
			t.Errorf("%s: %s %q at %.2f", s, d.Action, d.Topic, d.Confidence)
			continue
		}
		if ids := optionIDs(d); !slices.Contains(ids, bot.OptionDown) {
			t.Errorf("%s: options %v", s, ids)
		}
		whole(t, d)
		if !strings.HasSuffix(d.Reply, "\n\n"+e.Say("likely_other", "", nil)) {
			continue // nothing else is near
		}
		offered++
		for i, o := range d.Options[:len(d.Options)-2] {
			if want := d.Candidates[i+1].Topic; o.ID != "topic:"+want {
				t.Errorf("%s: option %d is %s, want %s", s, i, o.ID, want)
			}
		}
		if next := e.Decide(d.Memory, pick(d.Options[0].ID)); "topic:"+next.Topic != d.Options[0].ID {
			t.Errorf("%s: the tap led to %q", s, next.Topic)
		}
	}
	if offered < 2 {
		t.Errorf("only %d of the answers offer what else may be meant", offered)
	}
}

// A guess that was wrong may not hide that the bot had missed before it.
func TestLikely_SettlesNothing(t *testing.T) {
	t.Parallel()
	s := likelyTexts(t)
	d := talk(t, text("囧槑烎嘦"), text(s[0]), text("asdfghjkl"))
	if d[1].Action != bot.Answer || d[2].Action != bot.Handoff || d[2].Reason != "miss" {
		t.Errorf("%s, %s %s", d[1].Action, d[2].Action, d[2].Reason)
	}
	vague := clarified(t)
	// After an offer some of them are sure.
	s = slices.DeleteFunc(s, func(q string) bool {
		return talk(t, vague[0], text(q), vague[1], text(q))[3].Evidence.Because != "likely"
	})
	if len(s) < 2 {
		t.Fatal("none is likely after an offer")
	}
	d = talk(t, vague[0], text(s[0]), vague[1], text(s[1]), vague[2])
	if d[4].Action != bot.Handoff {
		t.Errorf("asked back a third time: %s", d[4].Action)
	}
	// It is no failure by itself.
	if d := talk(t, text(s[0]), text(s[1]), text("asdfghjkl")); d[2].Action != bot.Fallback {
		t.Errorf("%s %s", d[2].Action, d[2].Reason)
	}
}
