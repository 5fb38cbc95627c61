package intents_test

import (
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/nlp"
)

func embedded(tb testing.TB) *intents.Base {
	tb.Helper()
	b, problems := intents.Load(intents.Embedded())
	for _, p := range problems {
		tb.Error(p)
	}
	if b == nil {
		tb.Fatal("the embedded knowledge base does not load")
	}
	return b
}

func TestEmbedded_LoadsWithoutProblems(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	if n := len(b.Topics); n < 90 {
		t.Errorf("%d topics, want at least 90", n)
	}
	for _, topic := range b.Topics {
		if n := len(topic.Phrasings); n < 10 {
			t.Errorf("%s:%d: topic %s has %d phrasings, want at least 10", topic.File, topic.Line, topic.ID, n)
		}
		if topic.Kind != intents.KindAnswer && topic.Group == "" {
			t.Errorf("%s:%d: topic %s goes to a person but names no group", topic.File, topic.Line, topic.ID)
		}
		if strings.Contains(topic.Answer, "\n\n") {
			t.Errorf("topic %s: the answer has an empty line", topic.ID)
		}
	}
	t.Logf("version %s: %d topics, %d examples, %d signals, %d builtins, %d words, %d phrases",
		b.Version, len(b.Topics), len(b.Examples()), len(b.Signals()), len(b.Builtins()), len(b.Words()), len(b.PhraseIDs()))
}

func TestEmbedded_CoversTheIntentsOfTheField(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	// RULES §8.2, by number; what a builtin serves is named there.
	for _, id := range []string{
		"repay_early_how", "repay_early_fee", "overdue_impact", "credit_objection", "credit_repair_fraud", "rate_apr",
		"rate_too_high", "fee_guarantee", "fee_insurance", "fee_upfront", "negotiate_repay", "hardship_illness",
		"overdue_fee_waive", "repay_how", "repay_debit_failed", "repay_duplicate", "loan_not_arrived", "loan_rejected",
		"limit_raise", "settlement_certificate", "contract_view", "invoice", "account_close", "phone_change",
		"card_change", "sms_code_missing", "identity_stolen", "fraud_transferred", "data_leak", "marketing_stop",
		"collect_harass", "collect_family", "collect_violence", "collect_fake_official", "collect_third_party",
		"complaint_channels", "complaint_progress", "complaint_review", "complaint_withdraw", "complaint_proxy",
		"data_delete", "debt_transfer",
	} {
		if _, ok := b.Topic(id); !ok {
			t.Errorf("topic %s is missing", id)
		}
	}
}

// Numbers that may stand in answers, each with the rule it rests on.
var allowedNumbers = []string{
	"18周岁",       // Civil Code 17, 18
	"20日",        // credit regulation 25
	"15日", "30日", // complaint measures 18
	"一年的天数", "360天", "365天", // arithmetic, not a promise
	"5年", "2次", "6次", // credit regulation 16, 17; collection guideline
	"22点", "8点",
}

func TestEmbedded_AnswersQuoteNoInventedNumber(t *testing.T) {
	t.Parallel()
	// Money, rates and delays, in digits. Articles, hotlines and steps are none of them.
	number := regexp.MustCompile(`[0-9]+(?:\.[0-9]+)?(?:%|%|‰|万?元|块|折|分钟|小时|点|天|日|个?工作日|个?月|年|次|周岁|倍)`)
	date := regexp.MustCompile(`[0-9]{4}年(?:[0-9]{1,2}月)?(?:[0-9]{1,2}日)?`)
	for _, topic := range embedded(t).Topics {
		texts := []string{topic.Answer}
		for _, a := range topic.Answers {
			texts = append(texts, a)
		}
		for _, text := range texts {
			for _, n := range number.FindAllString(date.ReplaceAllString(text, ""), -1) {
				if !slices.Contains(allowedNumbers, n) {
					t.Errorf("topic %s: the answer says %q, which nobody has reviewed", topic.ID, n)
				}
				if len(topic.Sources) == 0 {
					t.Errorf("topic %s: the answer says %q without a source", topic.ID, n)
				}
			}
		}
	}
}

func TestEmbedded_SaysNothingThatDissuades(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	for _, topic := range b.Topics {
		for _, bad := range []string{"投诉也没用", "不要投诉", "请勿投诉", "先撤诉", "无法投诉", "保证", "一定能", "肯定能", "百分之百", "不予受理"} {
			text := strings.NewReplacer("保证金", "", "履约保证", "", "一般保证", "", "连带保证", "", "连带责任保证", "", "保证人", "", "保证期间", "", "保证责任", "", "不保证", "", "先保证自己", "").Replace(topic.Answer)
			if strings.Contains(text, bad) {
				t.Errorf("topic %s: the answer says %q", topic.ID, bad)
			}
		}
	}
	for _, id := range b.PhraseIDs() {
		if !strings.HasPrefix(id, "p0_self_harm") {
			continue
		}
		s, err := b.Say(id, "", nil)
		if err != nil || strings.ContainsAny(s, "债款贷欠") {
			t.Errorf("%s: %q, %v: nothing about debts may be said here", id, s, err)
		}
	}
}

func TestEmbedded_SaysEveryPhraseInEveryLanguage(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	vars := map[string]string{}
	for _, v := range []string{"position", "receipt", "agent", "url", "group", "signals", "topic", "channel", "reason", "text", "candidates", "count", "entities", "score", "month", "day", "time", "known", "value", "title", "form", "values", "amount"} {
		vars[v] = "<" + v + ">"
	}
	for _, id := range b.PhraseIDs() {
		for _, lang := range []string{"", "zh-CN", "zh-TW", "en-US"} {
			s, err := b.Say(id, lang, vars)
			if err != nil || s == "" || strings.Contains(s, "{{") {
				t.Errorf("Say(%q, %q) = %q, %v", id, lang, s, err)
			}
		}
	}
	for _, id := range intents.RequiredPhrases() {
		s, err := b.Say(id, "en", vars)
		if err != nil {
			t.Errorf("Say(%q): %v", id, err)
		}
		if strings.ContainsFunc(s, func(c rune) bool { return c >= 0x4e00 && c < 0xa000 }) {
			t.Errorf("Say(%q, en) has no English: %q", id, s)
		}
	}
}

func TestEmbedded_SMSAnswersAreShort(t *testing.T) {
	t.Parallel()
	facts := map[string]string{"hotline": "4001234567", "app": "某某APP", "site": "www.example.com", "company": "某某消费金融有限公司"}
	b := embedded(t)
	for i := range b.Topics {
		topic := &b.Topics[i]
		if topic.Answers[intents.ChannelSMS] == "" {
			continue
		}
		if s := b.Answer(topic, intents.ChannelSMS, "", facts); utf8.RuneCountInString(s) > 140 {
			t.Errorf("topic %s: the SMS answer has %d characters", topic.ID, utf8.RuneCountInString(s))
		}
	}
}

func TestRules_FindWhatTheyMustAndNothingElse(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	var rules []nlp.Rule
	for _, s := range b.Signals() {
		rules = append(rules, s.Rule)
	}
	for _, x := range b.Builtins() {
		rules = append(rules, x.Rule)
	}
	m, err := nlp.NewMatcher(rules)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile("testdata/rules.tsv")
	if err != nil {
		t.Fatal(err)
	}
	for n, line := range strings.Split(string(raw), "\n") {
		if line == "" || line[0] == '#' {
			continue
		}
		text, list, _ := strings.Cut(line, "\t")
		var want, got []string
		if list != "-" {
			want = strings.Fields(list)
		}
		hits := m.Match(text)
		for _, h := range hits {
			got = append(got, h.Rule)
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("testdata/rules.tsv:%d: %s: got %v, want %v (%v)", n+1, text, got, want, hits)
		}
	}
}

func TestWords_AreUsableByTheSegmenter(t *testing.T) {
	t.Parallel()
	seg, err := nlp.NewSegmenter(embedded(t).Words())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"逾期会上征信吗":  "上征信",
		"怎么提前还款":   "提前还款",
		"收我砍头息":    "砍头息",
		"可以停息挂账吗":  "停息挂账",
		"我要打12378": "12378",
	} {
		if got := seg.Cut(text); !slices.Contains(got, want) {
			t.Errorf("Cut(%q) = %q, want %q whole", text, got, want)
		}
	}
}

func TestEmbedded_IsReadOnlyFiles(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"phrases.yaml", "signals.yaml", "builtins.yaml", "words.txt"} {
		if _, err := fs.Stat(intents.Embedded(), name); err != nil {
			t.Error(err)
		}
	}
}
