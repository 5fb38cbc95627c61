package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const smallTopics = `category: 还款
owner: 客服部
review: {state: reviewed, by: 消保部, on: 2026-11-20}
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
    answers: {sms: 请登录还款。}
`

// knowledgeDir is a directory of one file of topics.
func knowledgeDir(t *testing.T, topics string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "topics"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "topics", "a.yaml"), []byte(topics), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestKBCheck_TellsWarningsFromProblems(t *testing.T) {
	t.Parallel()
	good := knowledgeDir(t, smallTopics)
	old := knowledgeDir(t, smallTopics+"    effective: {until: 2026-01-01}\n")
	bad := knowledgeDir(t, strings.Replace(smallTopics, "title:", "titel:", 1))
	for _, c := range []struct {
		name   string
		args   []string
		code   int
		stderr string
	}{
		{"good", []string{"--dir", good, "--strict", "--on", "2026-11-20"}, 0, ""},
		{"expired", []string{"--dir", old, "--on", "2026-11-20"}, 0, "topics/a.yaml:5: warning"},
		{"expired, strict", []string{"--dir", old, "--on", "2026-11-20", "--strict"}, 1, "topics/a.yaml:5: warning"},
		{"bad", []string{bad}, 1, "topics/a.yaml:6: unknown key"},
		{"no day", []string{"--on", "today"}, 2, "--on today"},
		{"no directory", []string{"/nowhere"}, 1, "/nowhere"},
	} {
		r := wensheng(t, "", nil, append([]string{"kb", "check"}, c.args...)...)
		if r.code != c.code || !strings.Contains(r.stderr, c.stderr) || c.stderr == "" && r.stderr != "" {
			t.Errorf("%s: exit %d: %s%s", c.name, r.code, r.stdout, r.stderr)
		}
	}
	r := wensheng(t, "", nil, "kb", "check", "--json", bad)
	var got struct {
		Version  string
		Problems []struct {
			File, Topic, Rule, Message string
			Line                       int
			Warning                    bool
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 1 || got.Version != "" || len(got.Problems) == 0 {
		t.Fatalf("exit %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
	p := got.Problems[0]
	if p.File != "topics/a.yaml" || p.Line != 5 || p.Rule == "" || p.Message == "" {
		t.Errorf("the first problem is %+v", p)
	}
}

func TestKBExport_ImportAndDiffGoRoundWithoutLoss(t *testing.T) {
	t.Parallel()
	from := knowledgeDir(t, smallTopics)
	for _, format := range []string{"xlsx", "csv", "rasa"} {
		file, to := filepath.Join(t.TempDir(), "kb"), filepath.Join(t.TempDir(), "new")
		if r := wensheng(t, "", nil, "kb", "export", "--format", format, "--out", file, "--dir", from); r.code != 0 || !strings.Contains(r.stdout, "1 topics") {
			t.Fatalf("%s: exit %d: %s%s", format, r.code, r.stdout, r.stderr)
		}
		dry := wensheng(t, "", nil, "kb", "import", "--format", format, "--in", file, "--dir", to, "--dry-run")
		if _, err := os.Stat(to); dry.code != 0 || err == nil || !strings.Contains(dry.stdout, "+ pay") {
			t.Errorf("%s, dry: exit %d, %v: %s%s", format, dry.code, err, dry.stdout, dry.stderr)
		}
		r := wensheng(t, "", nil, "kb", "import", "--format", format, "--in", file, "--dir", to)
		if r.code != 0 || r.stderr != "" || !strings.Contains(r.stdout, "1 topics added") {
			t.Errorf("%s: exit %d: %s%s", format, r.code, r.stdout, r.stderr)
		}
		if d := wensheng(t, "", nil, "kb", "diff", from, to); d.code != 0 || d.stdout != "no difference\n" {
			t.Errorf("%s: exit %d: %s%s", format, d.code, d.stdout, d.stderr)
		}
	}
}

func TestKBImport_WritesNothingThatWouldNotLoad(t *testing.T) {
	t.Parallel()
	to := knowledgeDir(t, smallTopics)
	before, err := os.ReadFile(filepath.Join(to, "topics", "a.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ sheet, stderr string }{
		"a row":      {"编号,标题\nBad Id,x\n", "s.csv:2: "},
		"the result": {"编号,答案\nfresh,好\n", "title is missing"},
		"a day":      {"编号,失效日期\npay,明天\n", "明天"},
	} {
		r := wensheng(t, "", nil, "kb", "import", "--format", "csv", "--in", write(t, "s.csv", c.sheet), "--dir", to)
		if r.code != 1 || !strings.Contains(r.stderr, c.stderr) {
			t.Errorf("%s: exit %d: %s", name, r.code, r.stderr)
		}
	}
	after, err := os.ReadFile(filepath.Join(to, "topics", "a.yaml"))
	if err != nil || string(after) != string(before) {
		t.Errorf("the directory changed: %v", err)
	}
	r := wensheng(t, "", nil, "kb", "import", "--format", "csv", "--in", write(t, "s.csv", "编号,答案\npay,请在页面上还款。\n"), "--dir", to, "--json")
	var got struct {
		Added, Changed, Removed int
		Saved                   bool
		Diff                    struct {
			Changed []struct {
				Topic  string
				Fields []struct{ Field, Before, After string }
			}
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 0 || !got.Saved || got.Changed != 1 || len(got.Diff.Changed[0].Fields) != 1 {
		t.Errorf("exit %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
	d := wensheng(t, "", nil, "kb", "diff", knowledgeDir(t, smallTopics), to)
	if !strings.Contains(d.stdout, "~ pay") || !strings.Contains(d.stdout, "- 请登录{{app}}还款。") || !strings.Contains(d.stdout, "+ 请在页面上还款。") {
		t.Errorf("the difference: %s", d.stdout)
	}
}

func TestKBBatch_FailsWhenACaseDoes(t *testing.T) {
	t.Parallel()
	env := []string{"WENSHENG_DATA=" + model(t)}
	good := write(t, "good.csv", "问题,知识点,动作\n提前还款要手续费吗,repay_early_fee,\n转人工,,转人工\n")
	if r := wensheng(t, "", env, "kb", "batch", "--sheet", good); r.code != 0 || !strings.Contains(r.stdout, "2 of 2") {
		t.Errorf("exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	bad := write(t, "bad.csv", "问题,知识点,动作\n提前还款要手续费吗,repay_early_fee,\n转人工,repay_early_fee,answer\n")
	if r := wensheng(t, "", env, "kb", "batch", "--sheet", bad); r.code != 1 || !strings.Contains(r.stdout, "row 3: 转人工\n  want answer repay_early_fee, got handoff") {
		t.Errorf("exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
	r := wensheng(t, "", env, "kb", "batch", "--sheet", bad, "--json")
	var got struct {
		Cases, Passed int
		Failed        []struct {
			Row      int
			Decision struct{ Action, Reply string }
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &got); err != nil || r.code != 1 || got.Cases != 2 || got.Passed != 1 || len(got.Failed) != 1 ||
		got.Failed[0].Row != 3 || got.Failed[0].Decision.Action != "handoff" || got.Failed[0].Decision.Reply == "" {
		t.Errorf("exit %d, %v: %s%s", r.code, err, r.stdout, r.stderr)
	}
}

func TestKBEval_MeasuresAKnowledgeBaseByItself(t *testing.T) {
	t.Parallel()
	dir := knowledgeDir(t, smallTopics+`  - id: invoice
    title: 怎么开发票
    phrasings: |
      发票怎么开
      能开发票吗
      想要一张发票
      发票在哪里申请
      发票抬头怎么改
      电子发票发到哪里
      利息能开发票吗
      发票多久开好
      发票丢了
      开票
    answer: 可以开。
`)
	r := wensheng(t, "", nil, "kb", "eval", "--dir", dir, "--folds", "2", "--json")
	if r.code != 0 || r.stderr != "" {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	got := keys(t, r.stdout)
	for _, k := range []string{"n", "labels", "hit1", "hit3", "mrr", "confusions", "histogram", "curve", "weakest", "answered", "answered_right"} {
		if !slices.Contains(got, k) {
			t.Errorf("no key %s in %v", k, got)
		}
	}
	r = wensheng(t, "", nil, "kb", "eval", "--dir", dir, "--folds", "2")
	if r.code != 0 || !strings.Contains(r.stdout, "hit@1") || !strings.Contains(r.stdout, "2 topics") {
		t.Errorf("exit %d: %s%s", r.code, r.stdout, r.stderr)
	}
}
