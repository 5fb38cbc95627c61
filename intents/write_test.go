package intents_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"wensheng/intents"
)

// sameTopic compares Topics by what they say.
var sameTopic = cmp.Options{cmpopts.IgnoreFields(intents.Topic{}, "File", "Line"), cmpopts.EquateEmpty()}

func files(tb testing.TB, fsys fs.FS) intents.Files {
	tb.Helper()
	f, err := intents.ReadFiles(fsys)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// full has something in every field.
func full() intents.Topic {
	return intents.Topic{
		ID: "pay_full", Title: "还款：全部", Category: "还款", Kind: intents.KindHandoff,
		Phrasings: []string{"第一种", "- 第二种", "# 第三种", "“第四种”", "'第五种", "a: b", "{{app}}", "1", "null", "😀 第六种 👨‍👩‍👧", "第七种\t有制表符"},
		Answer:    "第一行\n\n  缩进的第三行: 有冒号 # 不是注释\n- 第四行{{app}}",
		Answers:   map[string]string{"sms": "{{app}}短信", "wechat": "一\n二", "web": "true"},
		FollowUps: []string{"pay"}, Group: "kf", Priority: "P1", Form: "hardship",
		Sources: []string{"民法典第677条", "规定, 第1条", `"引号"`}, From: "2026-01-01", Until: "2027-12-31",
		Owner: "客服部", Review: intents.Review{State: "reviewed", By: "消保部", On: "2026-11-20"},
	}
}

func TestFiles_AreAFileSystem(t *testing.T) {
	t.Parallel()
	f := files(t, intents.Embedded())
	if err := fstest.TestFS(f.FS(), f.Names()...); err != nil {
		t.Error(err)
	}
	a, _ := intents.Load(intents.Embedded())
	b, problems := intents.Load(f.FS())
	if b == nil || a.Version != b.Version {
		t.Errorf("the snapshot is not the base it was taken of: %v", problems)
	}
}

func TestReadFiles_TakesWhatLoadReadsAndNothingElse(t *testing.T) {
	t.Parallel()
	f := files(t, dir(map[string]string{
		"topics/a.yaml": "a", "topics/sub/b.yml": "b", "forms/c.yaml": "c", "words.txt": "", "topics/.x.yaml": "x",
		"topics/.git/d.yaml": "x", "topics/readme.md": "x", "notes.txt": "x", "other/a.yaml": "x",
	}))
	if diff := cmp.Diff([]string{"forms/c.yaml", "topics/a.yaml", "topics/sub/b.yml", "words.txt"}, f.Names()); diff != "" {
		t.Error(diff)
	}
	big := fstest.MapFS{"topics/a.yaml": {Data: make([]byte, 3<<20)}}
	if _, err := intents.ReadFiles(big); err == nil {
		t.Error("a file over the limit is taken")
	}
}

func TestFiles_SaveMakesADirectoryThatIsTheSnapshot(t *testing.T) {
	t.Parallel()
	to := t.TempDir()
	for name, text := range map[string]string{"topics/old.yaml": "x", "readme.md": "kept", "words.txt": "old"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := files(t, with(map[string]string{"words.txt": "借呗 100 nz\n"}))
	if err := want.Save(to); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, files(t, os.DirFS(to))); diff != "" {
		t.Error(diff)
	}
	if _, err := os.Stat(filepath.Join(to, "readme.md")); err != nil {
		t.Errorf("a file that is not ours is gone: %v", err)
	}
	if err := (intents.Files{"../out.yaml": nil}).Save(to); err == nil {
		t.Error("a file outside of the directory is written")
	}
}

func TestPut_WritesATopicThatReadsBackAndLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	text := "# the file\n" + good + "\n  # about more\n" +
		strings.NewReplacer("id: pay", "id: pay_more", "怎么", "如何").Replace(good[strings.Index(good, "  - id"):]) + "# the end\n"
	f := files(t, dir(map[string]string{"topics/good.yaml": text}))
	topic := full()
	if err := f.Put(topic); err != nil {
		t.Fatal(err)
	}
	once := string(f["topics/good.yaml"])
	if !strings.HasPrefix(once, strings.TrimSuffix(text, "# the end\n")) {
		t.Errorf("the file before the new topic changed:\n%s", once)
	}
	b, _ := intents.Draft(f.FS())
	got, ok := b.Topic("pay_full")
	if !ok {
		t.Fatal("the topic is not there")
	}
	if diff := cmp.Diff(&topic, got, sameTopic); diff != "" {
		t.Error(diff)
	}
	if err := f.Put(*got); err != nil || string(f["topics/good.yaml"]) != once {
		t.Errorf("putting it again changes the file: %v", err)
	}
	// In the middle: the comment above stays, its own text is new.
	more, _ := b.Topic("pay_more")
	changed := *more
	changed.Answer = "新的答案"
	if err := f.Put(changed); err != nil {
		t.Fatal(err)
	}
	after := string(f["topics/good.yaml"])
	if !strings.Contains(after, "  # about more\n  - id: pay_more\n") || !strings.Contains(after, "新的答案") || !strings.HasPrefix(after, "# the file\n"+good) {
		t.Errorf("after a change:\n%s", after)
	}
	for _, id := range []string{"pay", "pay_full", "pay_more"} {
		if err := f.Delete(id); err != nil {
			t.Fatal(err)
		}
	}
	if len(f) != 0 {
		t.Errorf("a file without topics stays: %v", f.Names())
	}
}

func TestPut_ReplacesInFilesOfOtherStyles(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"flow":       "category: 还款\ntopics: [{id: pay, title: 甲, phrasings: [子], answer: 好}]\n",
		"key after":  good + "owner: 客服部\n",
		"defaults":   "owner: 风控部\nreview: {state: draft}\n" + good,
		"no newline": strings.TrimSuffix(good, "\n"),
		"dos":        strings.ReplaceAll(good, "\n", "\r\n"),
		"other dash": strings.ReplaceAll(good, "\n  ", "\n"),
	} {
		f := files(t, dir(map[string]string{"topics/a.yaml": text}))
		before, _ := intents.Draft(f.FS())
		old, _ := before.Topic("pay")
		for _, owner := range []string{"", "客服部", "法务部"} {
			topic := full()
			topic.Owner, topic.Review = owner, intents.Review{}
			if err := f.Put(topic); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			after, _ := intents.Draft(f.FS())
			for _, want := range []*intents.Topic{old, &topic} {
				got, ok := after.Topic(want.ID)
				if !ok {
					t.Errorf("%s: %s is gone", name, want.ID)
				} else if diff := cmp.Diff(want, got, sameTopic); diff != "" {
					t.Errorf("%s: %s", name, diff)
				}
			}
		}
	}
}

func TestPut_MovesATopicWithItsCategory(t *testing.T) {
	t.Parallel()
	f := files(t, with(map[string]string{"topics/other.yaml": "category: 其他\ntopics:\n  - {id: other, title: 他, phrasings: [他], answer: 他}\n"}))
	for _, c := range []struct{ category, file, want string }{
		{"其他", "topics/good.yaml", "topics/other.yaml"},
		{"新的", "topics/fresh.yaml", "topics/fresh.yaml"},
		{"更新", "../../etc/passwd", "topics/pay.yaml"},
		{"还款", "topics/other.yaml", "topics/pay.yaml"},
	} {
		b, _ := intents.Draft(f.FS())
		topic, _ := b.Topic("pay")
		moved := *topic
		moved.Category, moved.File = c.category, c.file
		if err := f.Put(moved); err != nil {
			t.Fatal(err)
		}
		b, _ = intents.Draft(f.FS())
		got, ok := b.Topic("pay")
		if !ok || got.File != c.want || got.Category != c.category {
			t.Errorf("to %s with %s: in %+v", c.category, c.file, got)
		}
		if _, ok := b.Topic("other"); !ok {
			t.Error("another topic is gone")
		}
	}
}

func TestPut_RefusesWhatCannotBeATopic(t *testing.T) {
	t.Parallel()
	f := files(t, with(map[string]string{"topics/bad.yaml": "category: 坏\ntopics:\n  - {id: x_one, titel: 甲}\n"}))
	want := maps.Clone(f)
	for name, edit := range map[string]func(*intents.Topic){
		"id":           func(x *intents.Topic) { x.ID = "Bad Id" },
		"no id":        func(x *intents.Topic) { x.ID = "" },
		"category":     func(x *intents.Topic) { x.Category = " " },
		"day":          func(x *intents.Topic) { x.From = "2026-13-01" },
		"group":        func(x *intents.Topic) { x.Group = "客服" },
		"channel":      func(x *intents.Topic) { x.Answers = map[string]string{"fax": "好"} },
		"unread text":  func(x *intents.Topic) { x.ID, x.Category = "x_one", "坏" },
		"in bad file":  func(x *intents.Topic) { x.Category, x.File = "坏", "topics/bad.yaml" },
		"review state": func(x *intents.Topic) { x.Review.On = "yesterday" },
	} {
		topic := full()
		edit(&topic)
		if err := f.Put(topic); !errors.Is(err, intents.ErrNotTopic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := f.Delete("nowhere"); !errors.Is(err, intents.ErrNotTopic) {
		t.Errorf("deleting nothing: %v", err)
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Errorf("a refused edit changed the files: %s", diff)
	}
}

func TestPut_KeepsADraftThatIsNotReady(t *testing.T) {
	t.Parallel()
	f := files(t, with(nil))
	topic := intents.Topic{ID: "unready", Category: "还款", Kind: "robot", Phrasings: []string{"？？"}, Review: intents.Review{State: "maybe"}}
	if err := f.Put(topic); err != nil {
		t.Fatal(err)
	}
	if b, _ := intents.Load(f.FS()); b != nil {
		t.Error("a draft loads")
	}
	b, problems := intents.Draft(f.FS())
	if got, ok := b.Topic("unready"); !ok || !cmp.Equal(&topic, got, sameTopic) {
		t.Errorf("draft reads %+v", got)
	}
	rules := map[string]bool{}
	for _, p := range problems {
		if p.Topic != "unready" {
			t.Errorf("problem %+v is of another topic", p)
		}
		rules[p.Rule] = true
	}
	if !rules[intents.RuleMissing] || !rules[intents.RuleValue] || !rules[intents.RuleFewPhrasings] {
		t.Errorf("rules %v", rules)
	}
	topic.Title = "改好一点"
	if err := f.Put(topic); err != nil {
		t.Errorf("a draft with problems cannot be edited: %v", err)
	}
}

func TestEdit_WritesTheWholeEmbeddedBaseAnewWithoutLoss(t *testing.T) {
	t.Parallel()
	b := embedded(t)
	f := intents.Files{}
	if err := f.Edit(b.Topics, nil); err != nil {
		t.Fatal(err)
	}
	again, problems := intents.Load(f.FS())
	if again == nil {
		t.Fatal(problems)
	}
	if len(again.Topics) != len(b.Topics) {
		t.Errorf("%d topics, want %d", len(again.Topics), len(b.Topics))
	}
	for i := range b.Topics {
		want := &b.Topics[i]
		if got, ok := again.Topic(want.ID); !ok || !got.Equal(want) || got.File != want.File {
			t.Errorf("%s: %s", want.ID, cmp.Diff(want, got, sameTopic))
		}
	}
	second := f.Clone()
	if err := second.Edit(again.Topics, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(f, second); diff != "" {
		t.Errorf("a second write differs: %s", diff)
	}
}

func FuzzPut(f *testing.F) {
	f.Add("怎么还款", "请登录{{app}}\n第二行", "民法典第1条")
	f.Add("- a: b #c", "\u2028|\n\"'\\", "{[,&*!")
	f.Add("~", "0x1", "\U0001f600\u200d\u0085\x07")
	f.Fuzz(func(t *testing.T, phrasing, answer, other string) {
		if len(phrasing)+len(answer)+len(other) > 1000 || strings.Count(phrasing+answer+other, "[")+strings.Count(phrasing+answer+other, "{") > 5 {
			t.Skip("the reader bounds nesting, brackets in text included")
		}
		topic := intents.Tidy(intents.Topic{
			ID: "fuzzed", Title: other, Category: "还款", Phrasings: []string{"甲", phrasing, other}, Answer: answer,
			Answers: map[string]string{"sms": phrasing, "wechat": other}, Sources: []string{other, answer}, Owner: other,
			Review: intents.Review{By: other},
		})
		files := intents.Files{"topics/good.yaml": []byte(good)}
		if err := files.Put(topic); err != nil {
			t.Fatalf("%v in\n%+v", err, topic)
		}
		got := files.Topics()
		if len(got) != 2 || got[0].ID != "pay" || !got[1].Equal(&topic) {
			t.Fatalf("want %+v\ngot %+v", topic, got)
		}
	})
}

func TestDiff_NamesWhatCameWentAndChanged(t *testing.T) {
	t.Parallel()
	a := files(t, with(map[string]string{"words.txt": "借呗 100 nz\n# old\n"}))
	topic := full()
	if err := a.Put(topic); err != nil {
		t.Fatal(err)
	}
	b := a.Clone()
	b["words.txt"] = []byte("# new\n借呗 200 nz\n")
	changed := full()
	changed.Title, changed.Answers, changed.Until = "新标题", map[string]string{"sms": "新"}, ""
	changed.Phrasings = append([]string{"全新的"}, changed.Phrasings[1:]...)
	changed.Sources = []string{changed.Sources[1], changed.Sources[0], changed.Sources[2]}
	fresh := full()
	fresh.ID, fresh.Phrasings = "fresh_one", []string{"另外的"}
	if err := b.Edit([]intents.Topic{changed, fresh}, []string{"pay"}); err != nil {
		t.Fatal(err)
	}
	d := intents.DiffFiles(a, b)
	if len(d.Added) != 1 || d.Added[0].ID != "fresh_one" || len(d.Removed) != 1 || d.Removed[0].ID != "pay" || len(d.Changed) != 1 {
		t.Fatalf("%+v", d)
	}
	none := []string{}
	want := []intents.FieldChange{
		{Field: "title", Before: "还款：全部", After: "新标题", Added: none, Removed: none},
		{Field: "phrasings", Added: []string{"全新的"}, Removed: []string{"第一种"}},
		{Field: "answers.sms", Before: "{{app}}短信", After: "新", Added: none, Removed: none},
		{Field: "answers.web", Before: "true", Added: none, Removed: none},
		{Field: "answers.wechat", Before: "一\n二", Added: none, Removed: none},
		{Field: "sources", Before: strings.Join(full().Sources, "\n"), After: strings.Join(changed.Sources, "\n"), Added: none, Removed: none},
		{Field: "effective.until", Before: "2027-12-31", Added: none, Removed: none},
	}
	if diff := cmp.Diff(intents.Change{Topic: "pay_full", Title: "新标题", Fields: want}, d.Changed[0]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]intents.FileChange{{File: "words.txt", Added: []string{"借呗 200 nz"}, Removed: []string{"借呗 100 nz"}}}, d.Files); diff != "" {
		t.Error(diff)
	}
	same := intents.DiffFiles(a, a.Clone())
	if d.Empty() || !same.Empty() {
		t.Errorf("a base differs from itself: %+v", same)
	}
	if slices.ContainsFunc(d.Changed[0].Fields, func(c intents.FieldChange) bool { return c.Field == "file" }) {
		t.Error("where a topic stands is a difference")
	}
}
