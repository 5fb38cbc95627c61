package intents_test

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"wensheng/intents"
)

// withForm is a knowledge base whose only form is the text given.
func withForm(t *testing.T, name, form string) (*intents.Base, []intents.Problem) {
	t.Helper()
	fsys := fstest.MapFS{"forms/" + name: &fstest.MapFile{Data: []byte(form)}}
	const topics = "topics/15-complaint.yaml"
	raw, err := fs.ReadFile(intents.Embedded(), topics)
	if err != nil {
		t.Fatal(err)
	}
	fsys[topics] = &fstest.MapFile{Data: []byte(strings.Join(keep(strings.Split(string(raw), "\n")), "\n"))}
	base, problems := intents.Load(fsys)
	return base, problems
}

// keep drops what refers to other files.
func keep(lines []string) []string {
	var out []string
	for _, l := range lines {
		if s := strings.TrimSpace(l); !strings.HasPrefix(s, "follow_ups:") && !strings.HasPrefix(s, "form:") {
			out = append(out, l)
		}
	}
	return out
}

const goodForm = `id: tiny
title: 小登记
intro: 请回答一个问题。
slots:
  - id: kind
    label: 类型
    kind: choice
    ask: 是哪一种？
    retry: 请选一个。
    choices: [甲, {label: 乙, words: [第二]}]
  - {id: note, label: 说明, kind: text, ask: 还有吗？, optional: true, opening: true}
done: 记下了。
handoff: {group: kf, priority: P1, reason: 登记}
`

func TestForms_AreReadWhole(t *testing.T) {
	t.Parallel()
	base, problems := withForm(t, "tiny.yaml", goodForm)
	if base == nil {
		t.Fatal(problems)
	}
	f, ok := base.Form("tiny")
	if !ok || f.Title != "小登记" || len(f.Slots) != 2 || f.Priority != "P1" || f.Group != "kf" || f.Reason != "登记" {
		t.Fatalf("%+v", f)
	}
	if c := f.Slots[0].Choices; len(c) != 2 || c[0].Label != "甲" || c[1].Words[0] != "第二" {
		t.Errorf("choices %+v", c)
	}
	if s := f.Slots[1]; !s.Optional || !s.Opening || s.Private || s.Kind != intents.SlotText {
		t.Errorf("slot %+v", s)
	}
	if f.File != "forms/tiny.yaml" || f.Line != 1 {
		t.Errorf("stands at %s:%d", f.File, f.Line)
	}
	other, _ := withForm(t, "tiny.yaml", strings.Replace(goodForm, "记下了", "好的", 1))
	if other == nil || other.Version == base.Version {
		t.Error("the version does not change with a form")
	}
}

func TestForms_ProblemsNameFileAndLine(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ old, new, want string }{
		"unknown key":       {"intro:", "Intro: x\nintro:", "forms/tiny.yaml:3: unknown key \"Intro\""},
		"no question":       {"    ask: 是哪一种？\n", "", "forms/tiny.yaml:5: form tiny: slot kind: ask is missing"},
		"no label":          {"    label: 类型\n", "", "forms/tiny.yaml:5: form tiny: slot kind: label is missing"},
		"no retry":          {"    retry: 请选一个。\n", "", "forms/tiny.yaml:5: form tiny: slot kind: retry is missing"},
		"unknown kind":      {"kind: choice", "kind: colour", "forms/tiny.yaml:7: kind \"colour\" is not one of"},
		"one choice":        {"[甲, {label: 乙, words: [第二]}]", "[甲]", "1 choices; give 2 to 5"},
		"choices of a text": {"kind: choice", "kind: text", "only kind choice has choices"},
		"slot twice":        {"id: note", "id: kind", "forms/tiny.yaml:11: form tiny: slot \"kind\" is given twice"},
		"wrong file":        {"id: tiny", "id: other", "the file is named as the form"},
		"no handoff":        {"handoff: {group: kf, priority: P1, reason: 登记}\n", "", "handoff is missing"},
		"no reason":         {", reason: 登记", "", "form tiny: reason is missing"},
		"not a flag":        {"optional: true", "optional: maybe", "optional \"maybe\" is not one of true, false"},
		"unknown signal":    {"done:", "signals: [no_such]\ndone:", "signal \"no_such\" does not exist"},
		"placeholder":       {"done: 记下了", "done: 记下了{{who}}", "unknown placeholder {{who}}"},
		"personal data":     {"done: 记下了", "done: 请打13800138000", "looks like personal data"},
		"no slots":          {"slots:", "slots: []\nsignals:", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if !strings.Contains(goodForm, tc.old) {
				t.Fatalf("%q is not in the form", tc.old)
			}
			base, problems := withForm(t, "tiny.yaml", strings.Replace(goodForm, tc.old, tc.new, 1))
			if base != nil {
				t.Fatal("the form was taken")
			}
			if all := fmt.Sprint(problems); !strings.Contains(all, tc.want) {
				t.Errorf("problems %s\nwant %s", all, tc.want)
			}
		})
	}
	var many strings.Builder
	many.WriteString(goodForm[:strings.Index(goodForm, "  - {id: note")])
	for i := range 6 {
		fmt.Fprintf(&many, "  - {id: s%d, label: 项, ask: 第几？}\n", i)
	}
	if _, problems := withForm(t, "tiny.yaml", many.String()+"done: 好\nhandoff: {reason: 登记}\n"); !strings.Contains(fmt.Sprint(problems), "ask at most 5") {
		t.Error(problems)
	}
}

func TestForms_EmbeddedAskOnlyWhatIsNecessary(t *testing.T) {
	t.Parallel()
	base, problems := intents.Load(intents.Embedded())
	if base == nil {
		t.Fatal(problems)
	}
	for _, id := range []string{intents.ComplaintForm, "hardship", "extension", "credit_objection", "wrong_deduction", "third_party", "callback"} {
		f, ok := base.Form(id)
		if !ok {
			t.Errorf("form %s is missing", id)
			continue
		}
		if n := len(f.Slots); n < 3 || n > 5 {
			t.Errorf("form %s has %d questions", id, n)
		}
		for _, s := range f.Slots {
			if strings.ContainsAny(s.Ask, "\n") || s.Kind == intents.SlotPhone && !s.Private {
				t.Errorf("form %s: slot %s: %+v", id, s.ID, s)
			}
		}
	}
	if len(base.Forms()) < 7 {
		t.Errorf("%d forms", len(base.Forms()))
	}
	// A directory without forms has the embedded ones.
	fsys := fstest.MapFS{}
	raw, err := fs.ReadFile(intents.Embedded(), "topics/15-complaint.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fsys["topics/a.yaml"] = &fstest.MapFile{Data: []byte(strings.Join(keep(strings.Split(string(raw), "\n")), "\n"))}
	own, problems := intents.Load(fsys)
	if own == nil {
		t.Fatal(problems)
	}
	if _, ok := own.Form(intents.ComplaintForm); !ok {
		t.Error("no complaint form")
	}
	// And a form that is named must exist.
	fsys["topics/a.yaml"].Data = []byte(strings.Replace(string(fsys["topics/a.yaml"].Data), "    phrasings: |", "    form: no_such\n    phrasings: |", 1))
	if own, problems := intents.Load(fsys); own != nil || !strings.Contains(fmt.Sprint(problems), `form "no_such" does not exist`) {
		t.Error(problems)
	}
}
