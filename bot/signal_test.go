package bot_test

import (
	"strings"
	"testing"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
)

// Whoever names a court is handed over, and still gets the approved text he asked
// for: with the short sentence of the signal, or alone where it hands over itself.
func TestSignal_BringsTheAnswerAlong(t *testing.T) {
	t.Parallel()
	e := engine(t)
	base, _ := intents.Load(intents.Embedded())
	for _, tc := range []struct{ text, topic string }{
		{"收到支付令怎么办", "payment_order"},
		{"仲裁委给我发短信了", "arbitration"},
		{"收到法院传票怎么办", "sue_notice"},
		{"收到律师函怎么办", "lawyer_letter"},
		{"开庭我在外地去不了", "sue_absent"},
	} {
		for _, channel := range []string{"web", "sms"} {
			d := e.Decide(bot.Memory{}, bot.Input{Text: tc.text, Kind: chat.KindText, Channel: channel})
			tp, _ := base.Topic(tc.topic)
			if tp == nil {
				t.Fatalf("no Topic %s", tc.topic)
			}
			if d.Action != bot.Handoff || d.Reason != "signal:legal" || d.Intent != "legal" || d.Priority != "P1" || d.Group != "fw" || d.Evidence.Because != "signal" {
				t.Errorf("%s: the handoff is %s %s %s %s %s", tc.text, d.Action, d.Reason, d.Intent, d.Priority, d.Group)
			}
			want := base.Answer(tp, channel, "", map[string]string{"company": "测试消金", "hotline": "400-000-0000"})
			if d.Topic != tc.topic || !strings.HasSuffix(d.Reply, want) || d.Plain {
				t.Errorf("%s: %q: %s", tc.text, d.Topic, d.Reply)
			}
			if brief := e.Say("signal_legal_brief", "", nil); strings.HasPrefix(d.Reply, brief) != (tp.Kind == intents.KindAnswer) {
				t.Errorf("%s, a Topic of kind %s: %s", tc.text, tp.Kind, d.Reply)
			}
			if !strings.Contains(d.Summary, tp.Title) || d.Memory.LastTopic != tc.topic {
				t.Errorf("%s: the agent does not read what was answered: %s", tc.text, d.Summary)
			}
			whole(t, d)
		}
	}
}

// Where somebody is in danger, complains, wants a person, or another signal has
// something to say, its fixed text stands alone, however sure the answer is.
func TestSignal_IsNotCrowdedOut(t *testing.T) {
	t.Parallel()
	e := engine(t)
	for _, tc := range []struct{ text, says string }{
		{"收到法院传票怎么办，我不想活了", "p0_self_harm"},
		{"收到支付令怎么办，我要投诉", "signal_legal"},
		{"收到支付令怎么办，转人工", "signal_legal"},
		{"得了癌症收到法院传票怎么办", "signal_vulnerable"},
		{"我要打12378，律师函是真的吗", "signal_regulator"},
		{"法院这件事我弄不明白", "signal_legal"},
	} {
		d := e.Decide(bot.Memory{}, text(tc.text))
		if d.Action != bot.Handoff || d.Reply != e.Say(tc.says, "", nil) {
			t.Errorf("%s: %s %q", tc.text, d.Action, d.Reply)
		}
		whole(t, d)
	}
}
