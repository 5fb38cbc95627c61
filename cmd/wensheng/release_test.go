package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/yanyiwu/gojieba"

	"wensheng/nlp/dict"
)

// release builds the command as make build does, with the packed dictionary from
// a directory in place of nlp/dict, which stays as it is.
func release(t *testing.T, packed string, tags ...string) (program string) {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	list, err := filepath.Glob(filepath.Join(packed, "*.gz"))
	if err != nil {
		t.Fatal(err)
	}
	replace := map[string]string{}
	for _, p := range list {
		replace[filepath.Join(root, "nlp", "dict", filepath.Base(p))] = p
	}
	raw, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	overlay := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(overlay, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "wensheng")
	args := append([]string{"build", "-trimpath", "-overlay", overlay, "-o", program}, tags...)
	cmd := exec.CommandContext(t.Context(), "go", append(args, ".")...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return program
}

// elsewhere runs a program as on a machine that has never seen Go.
func elsewhere(t *testing.T, program string, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"HOME=" + cmd.Dir, "GOMODCACHE=" + cmd.Dir, "PATH="}
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), problem.String()}
}

func TestRelease_AnswersAlikeOnAnotherMachine(t *testing.T) {
	t.Parallel()
	packed := t.TempDir()
	if err := dict.Pack(os.DirFS(gojieba.DICT_DIR), packed); err != nil {
		t.Fatal(err)
	}
	const question = "提前还款要手续费吗"
	want := wensheng(t, "", nil, "ask", "--json", question)
	got := elsewhere(t, release(t, packed, "-tags", "embeddict"), "ask", "--json", question)
	if want.code != 0 || got.code != 0 || got.stdout != want.stdout {
		t.Errorf("got %d %s%s\nwant %d %s%s", got.code, got.stdout, got.stderr, want.code, want.stdout, want.stderr)
	}
}

func TestRelease_SaysThatItsDictionaryIsUnusable(t *testing.T) {
	t.Parallel()
	packed := t.TempDir()
	if err := dict.Pack(os.DirFS(gojieba.DICT_DIR), packed); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(packed, "jieba.dict.utf8.gz"), 1<<20); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		tags []string
		want string
	}{
		"cut":    {[]string{"-tags", "embeddict"}, "jieba.dict.utf8: unexpected EOF"},
		"absent": {nil, "make build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := elsewhere(t, release(t, packed, c.tags...), "ask", "--json", "你好")
			if got.code != exitEnv || got.stdout != "" || !strings.Contains(got.stderr, c.want) || strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%d %s%s, want %d and %q", got.code, got.stdout, got.stderr, exitEnv, c.want)
			}
		})
	}
}
