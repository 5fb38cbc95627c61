package intents_test

import (
	"fmt"
	"io/fs"
	"maps"
	"strings"
	"testing"
	"time"

	"wensheng/intents"
	"wensheng/nlp"
	"wensheng/web"
)

func day(tb testing.TB, s string) time.Time {
	tb.Helper()
	d, err := time.Parse(time.DateOnly, s)
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

func lint(tb testing.TB, fsys fs.FS) []intents.Problem {
	tb.Helper()
	b, problems := intents.Load(fsys)
	if b == nil {
		tb.Fatal(problems)
	}
	wording, err := web.Wording(nlp.Normalize)
	if err != nil {
		tb.Fatal(err)
	}
	return intents.Lint(b, intents.LintOptions{Day: day(tb, "2026-11-22"), Wording: wording})
}

// clean is a file of one Topic that Lint has nothing to say about.
var clean = strings.Replace(good, "topics:", "owner: 客服部\nreview: {state: reviewed, by: 消保部, on: 2026-11-20}\ntopics:", 1) +
	"    answers: {sms: 请登录还款。}\n"

// Each case is the clean base with one thing changed or added, and the rule and
// line of the only problem that follows.
func TestLint_FindsEachThingOnce(t *testing.T) {
	t.Parallel()
	base := clean
	second := func(phrasing, rest string) string {
		return fmt.Sprintf("category: 其他\nowner: 客服部\nreview: {state: reviewed, by: 消保部, on: 2026-11-20}\ntopics:\n"+
			"  - id: other\n    title: 另一个\n    answers: {sms: 另外的短信}\n    phrasings: |\n      %s\n%s", phrasing, rest)
	}
	edit := func(old, with string) map[string]string {
		return map[string]string{"topics/a.yaml": strings.Replace(base, old, with, 1)}
	}
	more := func(extra map[string]string) map[string]string {
		files := map[string]string{"topics/a.yaml": base}
		maps.Copy(files, extra)
		return files
	}
	answer := func(text string) map[string]string { return edit("请登录{{app}}还款。\n", text+"\n") }
	for name, c := range map[string]struct {
		files map[string]string
		rule  string
		line  int
	}{
		"function words":   {more(map[string]string{"topics/b.yaml": second("请问一一怎么还款呢", "    answer: 另外\n")}), intents.RuleNearDuplicate, 9},
		"one character":    {more(map[string]string{"topics/b.yaml": second("甲", "    answer: 另外\n"), "topics/a.yaml": strings.Replace(base, "一一怎么还款", "我上个月在你们这里借的那一笔钱今天到底应该怎么还款才好", 1), "topics/c.yaml": strings.ReplaceAll(strings.ReplaceAll(second("我上个月在你们这里借的那一笔钱今天到底应该怎么还款才行", "    answer: 又一个\n"), "other", "third"), "另一个", "第三个")}), intents.RuleNearDuplicate, 9},
		"same title":       {more(map[string]string{"topics/b.yaml": strings.Replace(second("甲", "    answer: 另外\n"), "另一个", "怎么还款", 1)}), intents.RuleSameTitle, 5},
		"same answer":      {more(map[string]string{"topics/b.yaml": second("甲", "    answer: 请登录{{app}}，还款\n")}), intents.RuleSameAnswer, 5},
		"no SMS":           {edit("sms: 请登录还款。", "web: 请登录还款。"), intents.RuleMissingSMS, 5},
		"long for WeChat":  {answer("请" + strings.Repeat("登录", 101)), intents.RuleLength, 18},
		"forbidden":        {answer("不还钱就上门"), intents.RuleWording, 18},
		"secret":           {answer("请把验证码发给我"), intents.RuleWording, 18},
		"dissuades":        {answer("不要投诉"), intents.RuleWording, 18},
		"promise":          {answer("可以全部减免"), intents.RulePromise, 18},
		"promise by SMS":   {edit("sms: 请登录还款。", "sms: 可以全部减免"), intents.RulePromise, 19},
		"law":              {answer("根据民法典可以提前还"), intents.RuleLaw, 18},
		"law by name":      {answer("见《征信业管理条例》"), intents.RuleLaw, 18},
		"article":          {answer("第677条"), intents.RuleLaw, 18},
		"expired":          {map[string]string{"topics/a.yaml": base + "    effective: {until: 2026-11-21}\n"}, intents.RuleExpired, 5},
		"expires soon":     {map[string]string{"topics/a.yaml": base + "    effective: {until: 2026-12-22}\n"}, intents.RuleExpiresSoon, 5},
		"no owner":         {edit("owner: 客服部\n", ""), intents.RuleOwner, 4},
		"no review":        {edit("review: {state: reviewed, by: 消保部, on: 2026-11-20}\n", ""), intents.RuleReview, 4},
		"draft":            {edit("state: reviewed", "state: draft"), intents.RuleReview, 5},
		"reviewed by none": {edit("by: 消保部, ", ""), intents.RuleReview, 5},
		"reviewed to come": {edit("2026-11-20", "2026-11-23"), intents.RuleReview, 5},
		"link to the past": {more(map[string]string{"topics/a.yaml": base + "    follow_ups: [other]\n", "topics/b.yaml": second("甲", "    answer: 另外\n    effective: {from: 2026-11-23}\n")}), intents.RuleDeadLink, 5},
		"unused phrase":    {more(map[string]string{"phrases.yaml": "phrases:\n  - {id: nobody_says, zh: 好}\n"}), intents.RuleUnused, 2},
		"phrase":           {more(map[string]string{"phrases.yaml": "phrases:\n  - {id: greeting, zh: 爱还不还}\n"}), intents.RuleWording, 2},
	} {
		problems := lint(t, dir(c.files))
		if len(problems) != 1 || problems[0].Rule != c.rule || problems[0].Line != c.line {
			t.Errorf("%s: %v, want one of rule %s at line %d", name, problems, c.rule, c.line)
		}
	}
	for name, files := range map[string]map[string]string{
		"nothing":           {"topics/a.yaml": base},
		"a warning of it":   answer("不要把验证码发给任何人，“征信洗白”是骗局。"),
		"a law with source": {"topics/a.yaml": strings.Replace(base, "请登录{{app}}还款。\n", "根据民法典可以提前还\n    sources: [民法典第677条]\n", 1)},
		"later than soon":   {"topics/a.yaml": base + "    effective: {until: 2026-12-23}\n"},
		"the same Topic":    edit("二二怎么还款", "请问一一怎么还款呢"),
		"a form":            {"topics/a.yaml": base + "    form: complaint\n"},
		"a sentence's own":  more(map[string]string{"phrases.yaml": "phrases:\n  - {id: greeting, zh: 您好}\n"}),
	} {
		if problems := lint(t, dir(files)); len(problems) != 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestLint_HoldsTheShippedBaseToTheWording(t *testing.T) {
	t.Parallel()
	for _, p := range lint(t, intents.Embedded()) {
		switch p.Rule {
		case intents.RuleWording, intents.RulePromise, intents.RuleLaw, intents.RuleExpired, intents.RuleDeadLink, intents.RuleSameAnswer, intents.RuleUnused:
			t.Error(p)
		}
	}
}

func BenchmarkLint_5000Phrasings(b *testing.B) {
	var text strings.Builder
	text.WriteString("category: 甲\ntopics:\n")
	words := []string{"提前还款", "手续费", "征信", "逾期", "借款", "额度", "合同", "发票", "怎么", "多少", "什么时候", "能不能", "可以吗", "在哪里", "为什么"}
	for i := range 250 {
		fmt.Fprintf(&text, "  - id: t_%d\n    title: 题%d\n    answer: 答%d\n    phrasings: |\n", i, i, i)
		for j := range 20 {
			n := i*20 + j
			fmt.Fprintf(&text, "      %s%s%s%s%d\n", words[n%15], words[n/15%15], words[n/7%15], words[n/225%15], n)
		}
	}
	base, problems := intents.Load(dir(map[string]string{"topics/a.yaml": text.String()}))
	if base == nil {
		b.Fatal(problems)
	}
	for b.Loop() {
		intents.Lint(base, intents.LintOptions{Day: day(b, "2026-11-22")})
	}
}
