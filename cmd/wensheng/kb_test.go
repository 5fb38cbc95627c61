package main

import (
	"encoding/json"
	"os"
	"path/filepath"
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
