package intents_test

import (
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"wensheng/intents"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const good = `category: 还款
topics:
  - id: pay
    title: 怎么还款
    phrasings: |
      一一怎么还款
      二二怎么还款
      三三怎么还款
      四四怎么还款
      五五怎么还款
      六六怎么还款
      七七怎么还款
      八八怎么还款
      九九怎么还款
      十十怎么还款
    answer: 请登录{{app}}还款。
`

func dir(files map[string]string) fs.FS {
	m := fstest.MapFS{}
	for name, text := range files {
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return m
}

func with(extra map[string]string) fs.FS {
	files := map[string]string{"topics/good.yaml": good}
	maps.Copy(files, extra)
	return dir(files)
}

func TestLoad_TakesWhatADirectoryLacksFromTheEmbeddedBase(t *testing.T) {
	t.Parallel()
	b, problems := intents.Load(with(map[string]string{
		"phrases.yaml": "phrases:\n  - {id: greeting, zh: 欢迎光临}\n",
	}))
	if b == nil || len(problems) != 0 {
		t.Fatalf("problems: %v", problems)
	}
	if got, err := b.Say("greeting", "", nil); err != nil || got != "欢迎光临" {
		t.Errorf("greeting = %q, %v; want the directory's", got, err)
	}
	if got, err := b.Say("thanks", "", nil); err != nil || got == "" {
		t.Errorf("thanks = %q, %v; want the embedded one", got, err)
	}
	whole := embedded(t)
	if len(b.Topics) != 1 || len(b.Signals()) != len(whole.Signals()) || len(b.Builtins()) != len(whole.Builtins()) {
		t.Errorf("%d topics, %d signals, %d builtins", len(b.Topics), len(b.Signals()), len(b.Builtins()))
	}
	if b.Version == whole.Version || len(b.Version) != 12 {
		t.Errorf("version %q, embedded %q", b.Version, whole.Version)
	}
}

func TestLoad_GivesEqualContentAnEqualVersion(t *testing.T) {
	t.Parallel()
	one, _ := intents.Load(with(nil))
	two, _ := intents.Load(with(nil))
	other, _ := intents.Load(with(map[string]string{"words.txt": "借呗 100 nz\n"}))
	if one.Version != two.Version || one.Version == other.Version {
		t.Errorf("versions %s, %s, %s", one.Version, two.Version, other.Version)
	}
}

// Each case is a directory with mistakes; what Load says about it stands in
// testdata/problems.golden, file:line first.
func TestLoad_ReportsEveryProblemWithFileAndLine(t *testing.T) {
	t.Parallel()
	topic := func(body string) map[string]string {
		return map[string]string{"topics/bad.yaml": "category: 甲\ntopics:\n" + body}
	}
	cases := []struct {
		name string
		fsys fs.FS
	}{
		{"no topics", dir(map[string]string{"words.txt": ""})},
		{"empty file", with(map[string]string{"topics/bad.yaml": "# nothing\n"})},
		{"not yaml", with(map[string]string{"topics/bad.yaml": "category: 甲\ntopics: [\n"})},
		{"tabs", with(map[string]string{"topics/bad.yaml": "category: 甲\n\ttopics: 1\n"})},
		{"not UTF-8", with(map[string]string{"topics/bad.yaml": "category: 甲\ntopics:\n  - id: \xff\n"})},
		{"two documents", with(map[string]string{"topics/bad.yaml": good + "---\ncategory: 乙\n"})},
		{"too deep", with(map[string]string{"topics/bad.yaml": "a: " + strings.Repeat("[", 100) + "\n"})},
		{"other file", with(map[string]string{"topics/readme.txt": "x", "topics/.hidden.yaml": "x"})},
		{"unknown keys", with(topic("  - id: x_one\n    titel: 甲\n    phrasings: [子]\n    answer: 好\nmore: 1\n"))},
		{"key twice", with(topic("  - id: x_one\n    title: 甲\n    title: 乙\n    phrasings: [子]\n    answer: 好\n"))},
		{"alias", with(topic("  - id: x_one\n    title: &a 甲\n    phrasings: [*a]\n    answer: 好\n"))},
		{"everything missing", with(topic("  - title: 甲\n  - id: Bad Id\n  - id: x_two\n"))},
		{"wrong shapes", with(topic("  - just text\n  - id: x_one\n    title: [1]\n    phrasings: 子\n    answer: {a: 1}\n    answers: 好\n"))},
		{"id twice", with(topic("  - {id: pay, title: 甲, phrasings: [子], answer: 好}\n"))},
		{"phrasing twice", with(topic("  - id: x_one\n    title: 甲\n    answer: 好\n    phrasings: |\n      子\n\n      一一，怎么还款？\n      子！\n      ？？\n"))},
		{"dead follow-up", with(topic("  - {id: x_one, title: 甲, phrasings: [子], answer: 好, follow_ups: [nowhere, x_one, pay]}\n"))},
		{"placeholders", with(topic("  - id: x_one\n    title: 甲\n    phrasings: [子]\n    answer: |\n      请致电{{hotlin}}或{{ hotline }}。\n      {{app\n"))},
		{"kind and priority", with(topic("  - {id: x_one, title: 甲, phrasings: [子], answer: 好, kind: robot, priority: P9, group: 客服}\n"))},
		{"invented", with(topic("  - {id: x_one, title: 甲, phrasings: [子], answer: 手续费为2%，3个工作日内到账，保证能办好}\n"))},
		{"personal data", with(topic("  - {id: x_one, title: 甲, phrasings: [我的电话13812345678], answer: 请发邮件到 someone@example.com}\n"))},
		{"channels", with(topic("  - id: x_one\n    title: 甲\n    phrasings: [子]\n    answer: 好\n    answers: {fax: 好, sms: '', wechat: " + strings.Repeat("好", 201) + "}\n"))},
		{"too long", with(topic("  - id: x_one\n    title: 甲\n    phrasings: [" + strings.Repeat("子", 201) + "]\n    answer: " + strings.Repeat("好", 2001) + "\n"))},
		{"words", with(map[string]string{"words.txt": "# c\n借呗 100 nz\n借呗\n花呗 x\na b c d\n一二三四五六七八九十一 5\n"})},
		{"signals", with(map[string]string{"signals.yaml": "signals:\n  - id: self_harm\n    title: 甲\n    priority: P7\n    reply: nowhere\n    phrases: |\n      子\n      ？\n      子\n    patterns: ['(']\n  - {id: media, title: 乙, reply: agent_joined}\n"})},
		{"builtins", with(map[string]string{"builtins.yaml": "builtins:\n  - {id: human, whole: [人工]}\n  - {id: human, title: 乙}\n  - {id: other}\n"})},
		{"phrases", with(map[string]string{"phrases.yaml": "facts:\n  hotline: {zh: '{{app}}', en: x}\n  fax: {zh: 一}\nphrases:\n  - {id: greeting, en: x}\n  - {id: agent_joined, vars: [agent, mood], zh: '{{agent}}{{mood}}{{moon}}'}\n  - {id: thanks, zh: 好}\n  - {id: thanks, zh: 好}\n"})},
	}
	var out strings.Builder
	for _, c := range cases {
		out.WriteString("# " + c.name + "\n")
		b, problems := intents.Load(c.fsys)
		failed := false
		for _, p := range problems {
			failed = failed || !p.Warning
			out.WriteString(p.String() + "\n")
		}
		if failed != (b == nil) {
			t.Errorf("%s: base %v with problems %v", c.name, b != nil, problems)
		}
	}
	golden := filepath.Join("testdata", "problems.golden")
	if *update {
		if err := os.WriteFile(golden, []byte(out.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), out.String()); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestCheck_WarnsOfWhatConfigLacks(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	facts := map[string]string{}
	for _, f := range intents.Facts() {
		facts[f] = "x"
	}
	groups := []string{"kf", "fk", "fw", "xb"}
	if problems := intents.Check(intents.Embedded(), facts, groups); len(problems) != 0 {
		t.Errorf("problems with everything given: %v", problems)
	}
	delete(facts, "hotline")
	problems := intents.Check(intents.Embedded(), facts, groups[:1])
	var text strings.Builder
	for _, p := range problems {
		if !p.Warning {
			t.Errorf("%v is not a warning", p)
		}
		text.WriteString(p.String() + "\n")
	}
	for _, want := range []string{"{{hotline}}", `"fk"`, `"fw"`, `"xb"`} {
		if strings.Count(text.String(), want) != 1 {
			t.Errorf("%s is not named once in:\n%s", want, text.String())
		}
	}
	if b.Version == "" {
		t.Error("no version")
	}
}

func TestSay_FillsFactsAndKeepsNamesAsTheyAre(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	facts := map[string]string{"company": "某某消费金融", "hotline": "95000"}
	for _, c := range []struct{ id, lang, want string }{
		{"p0_fraud", "zh-CN", "95000"},
		{"greeting", "zh-TW", "某某消费金融的智能客服。請"}, // the name is not converted
		{"greeting", "en", "assistant of 某某消费金融"},
	} {
		if got, err := b.Say(c.id, c.lang, facts); err != nil || !strings.Contains(got, c.want) {
			t.Errorf("Say(%s, %s) = %q, %v; want it to hold %q", c.id, c.lang, got, err, c.want)
		}
	}
	if got, err := b.Say("p0_fraud", "", nil); err != nil || !strings.Contains(got, "官方客服电话") {
		t.Errorf("without a hotline: %q, %v", got, err)
	}
	if _, err := b.Say("nothing", "", nil); err == nil {
		t.Error("an unknown phrase is said")
	}
	if _, err := b.Say("agent_joined", "", nil); err == nil {
		t.Error("a phrase is said without its value")
	}
	topic, ok := b.Topic("repay_how")
	if !ok {
		t.Fatal("no topic repay_how")
	}
	if web, sms := b.Answer(topic, "web", "", facts), b.Answer(topic, "sms", "", facts); web == sms || strings.Contains(web+sms, "{{") {
		t.Errorf("web %q, sms %q", web, sms)
	}
	if got := b.Answer(topic, "web", "zh-TW", facts); !strings.Contains(got, "還款") {
		t.Errorf("traditional: %q", got)
	}
}

func FuzzLoad(f *testing.F) {
	names := []string{"topics/a.yaml", "signals.yaml", "builtins.yaml", "phrases.yaml", "words.txt"}
	f.Add(uint8(0), good)
	f.Add(uint8(1), "category: 甲\ntopics:\n  - {id: a, b: [c, {d: e}]}\n")
	f.Add(uint8(3), "- - - -\n? a\n: |\n  b\n---\n...\n&a *a !!t <<: x")
	intents.Load(with(nil)) // the language tables, once, outside the measured part
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		b, problems := intents.Load(with(map[string]string{names[int(which)%len(names)]: text}))
		failed := false
		for _, p := range problems {
			failed = failed || !p.Warning
			if p.File == "" || p.Msg == "" || p.Line < 0 {
				t.Fatalf("problem %+v", p)
			}
		}
		if failed != (b == nil) {
			t.Fatalf("base %v with problems %v", b != nil, problems)
		}
	})
}

func TestLoad_ReadsWhoAnswersForATopicAndWhenItHolds(t *testing.T) {
	t.Parallel()
	file := strings.Replace(good, "category: 还款\n", "category: 还款\nowner: 客服部\nreview: {state: reviewed, by: 消保部, on: 2026-11-20}\n", 1) +
		"    form: hardship\n    sources: [民法典第677条, 征信业管理条例第16条]\n    effective: {from: 2026-01-01, until: 2026-12-31}\n" +
		strings.NewReplacer("id: pay", "id: pay_more", "怎么", "如何").Replace(good[strings.Index(good, "  - id"):]) +
		"    owner: 法务部\n    review: {state: draft}\n"
	b, problems := intents.Load(dir(map[string]string{"topics/good.yaml": file}))
	if b == nil {
		t.Fatalf("problems: %v", problems)
	}
	first, _ := b.Topic("pay")
	if diff := cmp.Diff(intents.Review{State: "reviewed", By: "消保部", On: "2026-11-20"}, first.Review); diff != "" {
		t.Error(diff)
	}
	if first.Owner != "客服部" || first.Form != "hardship" || len(first.Sources) != 2 {
		t.Errorf("read %+v", first)
	}
	second, _ := b.Topic("pay_more")
	if second.Owner != "法务部" || second.Review != (intents.Review{State: "draft"}) {
		t.Errorf("the topic's own lines are read as %+v", second)
	}
	for day, want := range map[string]int{"2025-12-31": 1, "2026-01-01": 2, "2026-12-31": 2, "2027-01-01": 1} {
		on, err := time.Parse(time.DateOnly, day)
		if err != nil {
			t.Fatal(err)
		}
		got := b.On(on)
		_, has := got.Topic("pay")
		if len(got.Topics) != want || has != (want == 2) {
			t.Errorf("on %s %d topics hold, want %d", day, len(got.Topics), want)
		}
		if _, ok := got.Topic("pay_more"); !ok {
			t.Errorf("on %s the topic without dates is gone", day)
		}
	}
}

func TestLoad_RefusesDatesAndSynonymsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"no day":         {map[string]string{"topics/good.yaml": good + "    effective: {from: 2026-13-01}\n"}, "is not a day"},
		"backwards":      {map[string]string{"topics/good.yaml": good + "    effective: {from: 2026-02-01, until: 2026-01-01}\n"}, "ends before it begins"},
		"review state":   {map[string]string{"topics/good.yaml": good + "    review: {state: maybe}\n"}, "is not one of draft, reviewed"},
		"lonely synonym": {map[string]string{"topics/good.yaml": good, "synonyms.txt": "征信\n"}, "synonyms.txt:1"},
		"synonym twice":  {map[string]string{"topics/good.yaml": good, "synonyms.txt": "# words\n征信 信用报告\n报告 征信\n"}, "synonyms.txt:3"},
	} {
		b, problems := intents.Load(dir(c.files))
		if b != nil || len(problems) != 1 || !strings.Contains(problems[0].String(), c.want) {
			t.Errorf("%s: problems %v, want one with %q", name, problems, c.want)
		}
	}
}
