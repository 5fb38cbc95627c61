package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"wensheng/bot/bottest"
)

// actAs makes the test binary behave as the command itself.
const actAs = "ACT_AS_THE_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(actAs) == "1" {
		main()
		return
	}
	code := m.Run()
	if dir, err := trained(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// command prepares a run of wensheng in an environment without WENSHENG_ keys.
func command(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(cmd.Env, actAs+"=1", "PATH="+os.Getenv("PATH"), "HOME="+cmd.Dir)
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

type result struct {
	code           int
	stdout, stderr string
}

func wensheng(t *testing.T, stdin string, env []string, args ...string) result {
	t.Helper()
	cmd := command(t, env, args...)
	var out, errw bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errw
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return result{cmd.ProcessState.ExitCode(), out.String(), errw.String()}
}

// trained is a data directory that holds the embedded knowledge base's model,
// so that it is trained once.
var trained = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "ws")
	if err != nil {
		return "", err
	}
	if err := bottest.Seed(filepath.Join(dir, "model")); err != nil {
		return "", err
	}
	cmd := exec.Command(os.Args[0], "ask", "--json", "x")
	cmd.Env = []string{actAs + "=1", "WENSHENG_DATA=" + dir}
	return dir, cmd.Run()
})

// model returns that directory.
func model(t *testing.T) string {
	t.Helper()
	dir, err := trained()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestExitCodes_TellInputUsageAndEnvironmentApart(t *testing.T) {
	t.Parallel()
	good := write(t, "good.yaml", "company: {name: 测试, hotline: 400-000-0000}\n")
	bad := write(t, "bad.yaml", "lisen: 1\naccounts:\n  - {id: mp, kind: wechat, app_secret: topsecretvalue}\nlimits: {visitor_burst: many}\n")
	blocked := write(t, "file", "")
	sheet := write(t, "s.csv", "编号,答案\npay,好\n")
	kb := t.TempDir()
	if err := os.CopyFS(kb, os.DirFS("../../intents/knowledge")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kb, "topics", "broken.yaml"), []byte("topics:\n  - id: [\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		args   []string
		env    []string
		code   int
		stderr []string
	}{
		{"good config", []string{"check", "--config", good}, nil, 0, nil},
		{"bad config", []string{"check", "--config", bad}, nil, 1, []string{"lisen", "accounts[0].token", "accounts[0].app_id", "limits.visitor_burst"}},
		{"no such config", []string{"check", "--config", "/nowhere.yaml"}, nil, 1, []string{"/nowhere.yaml"}},
		{"bad knowledge", []string{"check", "--config", good}, []string{"WENSHENG_KNOWLEDGE_DIR=" + kb}, 1, []string{"topics/broken.yaml:"}},
		{"unknown environment", []string{"check", "--config", good}, []string{"WENSHENG_LISEN=x"}, 1, []string{"WENSHENG_LISEN"}},
		{"bad config serves nothing", []string{"serve", "--config", bad}, nil, 1, []string{"lisen"}},
		{"unknown command", []string{"dance"}, nil, 2, []string{"dance"}},
		{"unknown flag", []string{"serve", "--colour"}, nil, 2, []string{"--colour"}},
		{"kb eval without a test set", []string{"kb", "eval", "--train", "/nowhere.tsv"}, nil, 2, []string{"--test"}},
		{"kb eval in one part", []string{"kb", "eval", "--folds", "1"}, nil, 2, []string{"--folds"}},
		{"kb export without a file", []string{"kb", "export", "--format", "csv"}, nil, 2, []string{"--out"}},
		{"kb export as a picture", []string{"kb", "export", "--format", "png", "--out", "-"}, nil, 1, []string{"xlsx"}},
		{"kb import without a directory", []string{"kb", "import", "--format", "csv", "--in", "x"}, nil, 2, []string{"--dir"}},
		{"kb import of nothing", []string{"kb", "import", "--format", "csv", "--in", "/nowhere.csv", "--dir", kb}, nil, 1, []string{"/nowhere.csv"}},
		{"kb import into a file", []string{"kb", "import", "--format", "csv", "--in", sheet, "--dir", blocked}, nil, 1, []string{"file"}},
		{"kb import in a mode there is not", []string{"kb", "import", "--format", "csv", "--in", sheet, "--dir", "new", "--mode", "mix"}, nil, 1, []string{"mode"}},
		{"kb diff of one", []string{"kb", "diff", "embedded"}, nil, 2, []string{"2 arg"}},
		{"kb diff with nothing", []string{"kb", "diff", "embedded", "/nowhere"}, nil, 1, []string{"/nowhere"}},
		{"kb batch without a sheet", []string{"kb", "batch"}, nil, 2, []string{"--sheet"}},
		{"kb batch of a sheet without questions", []string{"kb", "batch", "--sheet", sheet}, nil, 1, []string{"s.csv:1"}},
		{"kb eval of nothing", []string{"kb", "eval", "--train", "/nowhere.tsv", "--test", "/nowhere.tsv"}, nil, 1, []string{"/nowhere.tsv"}},
		{"user without password", []string{"user", "add", "--login", "x", "--role", "agent"}, nil, 2, []string{"--password-stdin"}},
		{"no such redis", []string{"serve", "--listen", "127.0.0.1:0", "--data", model(t)}, []string{"WENSHENG_REDIS_URL=redis://127.0.0.1:1"}, 3, []string{"redis"}},
		{"data is a file", []string{"serve", "--listen", "127.0.0.1:0", "--data", filepath.Join(blocked, "x")}, nil, 3, []string{"data directory"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := wensheng(t, "", tt.env, tt.args...)
			if r.code != tt.code {
				t.Errorf("exit code %d, want %d: %s%s", r.code, tt.code, r.stdout, r.stderr)
			}
			for _, want := range tt.stderr {
				if !strings.Contains(r.stderr, want) {
					t.Errorf("stderr lacks %q: %s", want, r.stderr)
				}
			}
			if strings.Contains(r.stderr+r.stdout, "topsecretvalue") {
				t.Error("a secret was printed")
			}
			for line := range strings.Lines(r.stderr) {
				if tt.code != 0 && strings.Contains(line, "goroutine ") {
					t.Errorf("a panic, not a sentence: %s", r.stderr)
				}
			}
		})
	}
}

// keys returns the keys of a JSON object in order of the alphabet.
func keys(t *testing.T, line string) []string {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatalf("%v: %q", err, line)
	}
	var out []string
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func TestVersion_HasTheKeysOfTheContract(t *testing.T) {
	t.Parallel()
	r := wensheng(t, "", nil, "version", "--json")
	if got := keys(t, r.stdout); r.code != 0 || !slices.Equal(got, []string{"commit", "go", "knowledge", "version"}) {
		t.Errorf("exit %d, keys %v", r.code, got)
	}
}

func TestAsk_OneLineInOneLineOut(t *testing.T) {
	t.Parallel()
	want := []string{
		"action", "candidates", "confidence", "evidence", "group", "intent", "options",
		"priority", "reply", "signals", "text", "topic",
	}
	env := []string{"WENSHENG_DATA=" + model(t)}
	r := wensheng(t, "提前还款要手续费吗\n转人工\n\n我不想活了\n", env, "ask", "--json")
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	if r.code != 0 || len(lines) != 4 {
		t.Fatalf("exit %d, %d lines, want 4: %s%s", r.code, len(lines), r.stdout, r.stderr)
	}
	type decision struct {
		Text, Action, Topic, Priority, Intent string
		Confidence                            float64
		Signals                               []string
		Candidates                            []struct {
			Topic      string
			Confidence float64
		}
	}
	var got []decision
	for _, line := range lines {
		if k := keys(t, line); !slices.Equal(k, want) {
			t.Errorf("keys %v", k)
		}
		var d decision
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		got = append(got, d)
	}
	if d := got[0]; d.Action != "answer" || d.Topic == "" || d.Confidence <= 0 || d.Confidence > 1 || len(d.Candidates) == 0 || d.Text != "提前还款要手续费吗" {
		t.Errorf("question: %+v", d)
	}
	if d := got[1]; d.Action != "handoff" {
		t.Errorf("human: %+v", d)
	}
	if d := got[3]; d.Action != "handoff" || d.Priority != "P0" || len(d.Signals) == 0 {
		t.Errorf("danger: %+v", d)
	}
	one := wensheng(t, "", env, "ask", "--json", "提前还款要手续费吗")
	if one.code != 0 || strings.Count(one.stdout, "\n") != 1 {
		t.Errorf("with TEXT: exit %d, %q", one.code, one.stdout)
	}
}

func TestKBEval_HasTheKeysOfTheContract(t *testing.T) {
	t.Parallel()
	var train strings.Builder
	for _, q := range []string{"how do I pay early", "early repayment fee", "pay back early please", "can I repay before the date"} {
		train.WriteString(q + "\tearly\n")
	}
	for _, q := range []string{"where is my card", "card not arrived", "my card is lost", "when does the card come"} {
		train.WriteString(q + "\tcard\n")
	}
	a := write(t, "a.tsv", train.String())
	b := write(t, "b.tsv", "\xef\xbb\xbfearly repayment\tearly\nlost card\tcard\n")
	r := wensheng(t, "", nil, "kb", "eval", "--train", a, "--test", b, "--json")
	want := []string{"hit1", "hit3", "labels", "mrr", "n", "p50_us", "p99_us", "rss_mb", "train_s"}
	if r.code != 0 {
		t.Fatalf("exit %d: %s", r.code, r.stderr)
	}
	got := keys(t, r.stdout)
	for _, k := range want {
		if !slices.Contains(got, k) {
			t.Errorf("no key %s in %v", k, got)
		}
	}
	if r.stderr != "" {
		t.Errorf("progress in a pipe: %q", r.stderr)
	}
	broken := write(t, "c.tsv", "no tab here\n")
	if r := wensheng(t, "", nil, "kb", "eval", "--train", broken, "--test", b); r.code != 1 || !strings.Contains(r.stderr, "c.tsv:1") {
		t.Errorf("broken file: exit %d, %s", r.code, r.stderr)
	}
}

// serving is a running `wensheng serve`.
type serving struct {
	url, password string
	stop          func() result
}

var (
	consoleLine  = regexp.MustCompile(`console\s+(http://[^/]+)/console/`)
	passwordLine = regexp.MustCompile(`password\s+(\S+)`)
)

func serveIn(t *testing.T, data string, env ...string) *serving {
	t.Helper()
	cmd := command(t, env, "serve", "--listen", "127.0.0.1:0", "--data", data)
	var errw bytes.Buffer
	cmd.Stderr = &errw
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var banner strings.Builder
	s := &serving{}
	stopped := false
	s.stop = func() result {
		if stopped {
			return result{}
		}
		stopped = true
		_ = cmd.Process.Signal(syscall.SIGTERM)
		rest, _ := io.ReadAll(out)
		_ = cmd.Wait()
		return result{cmd.ProcessState.ExitCode(), banner.String() + string(rest), errw.String()}
	}
	t.Cleanup(func() { s.stop() })
	in := bufio.NewScanner(out)
	for in.Scan() {
		banner.WriteString(in.Text() + "\n")
		if m := consoleLine.FindStringSubmatch(in.Text()); m != nil {
			s.url = m[1]
		}
		if m := passwordLine.FindStringSubmatch(in.Text()); m != nil {
			s.password = m[1]
		}
		if in.Text() == "" && s.url != "" {
			break
		}
	}
	if s.url == "" {
		r := s.stop()
		t.Fatalf("serve said no address: exit %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return s
}

func (s *serving) login(t *testing.T, login, password string) int {
	t.Helper()
	body, err := json.Marshal(map[string]string{"login": login, "password": password})
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Post(s.url+"/api/v1/login", "application/json", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return res.StatusCode
}

func TestServe_FirstAdminIsPrintedOnceAndUsersAreAddedWhileItRuns(t *testing.T) {
	t.Parallel()
	data, err := os.MkdirTemp("", "ws") //nolint:usetesting // short: a socket's path holds 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(data) })
	if err := os.CopyFS(filepath.Join(data, "model"), os.DirFS(filepath.Join(model(t), "model"))); err != nil {
		t.Fatal(err)
	}
	secret := write(t, "key", "aHR0cHM6Ly9leGFtcGxlLmNvbS8xMjM0NTY3ODkwMTI=\n")
	env := []string{"WENSHENG_SECRETS_KEY_FILE=" + secret, "WENSHENG_COMPANY_NAME=测试"}
	s := serveIn(t, data, env...)
	if s.password == "" {
		t.Fatal("no password of the first admin was printed")
	}
	if code := s.login(t, "admin", s.password); code != 200 {
		t.Errorf("the printed password: status %d", code)
	}
	add := func(login string, args ...string) result {
		all := append([]string{"user", "add", "--login", login, "--password-stdin"}, args...)
		return wensheng(t, "correct horse\n", append(env, "WENSHENG_DATA="+data), all...)
	}
	if r := add("anna", "--role", "agent", "--groups", "kf", "--capacity", "3"); r.code != 0 {
		t.Errorf("user add: exit %d, %s", r.code, r.stderr)
	}
	if code := s.login(t, "anna", "correct horse"); code != 200 {
		t.Errorf("the added user: status %d", code)
	}
	for name, r := range map[string]result{
		"taken":         add("anna", "--role", "agent"),
		"unknown role":  add("ben", "--role", "king"),
		"unknown group": add("ben", "--role", "agent", "--groups", "nowhere"),
	} {
		if r.code != 1 || strings.TrimSpace(r.stderr) == "" {
			t.Errorf("%s: exit %d, %q, want 1 and a sentence", name, r.code, r.stderr)
		}
	}
	r := s.stop()
	if r.code != 0 {
		t.Errorf("after SIGTERM: exit %d\n%s", r.code, r.stderr)
	}
	if strings.Contains(r.stderr, s.password) {
		t.Error("the password is in the log")
	}
	again := serveIn(t, data, env...)
	if again.password != "" {
		t.Error("a password was printed a second time")
	}
	if code := again.login(t, "admin", s.password); code != 200 {
		t.Errorf("the first password after a restart: status %d", code)
	}
	if _, err := os.Stat(filepath.Join(data, "secret.key")); err == nil {
		t.Error("a key was generated though one is configured")
	}
	busy := wensheng(t, "", append(env, "WENSHENG_REDIS_URL="), "serve", "--data", data, "--listen", strings.TrimPrefix(again.url, "http://"))
	if busy.code != 3 || !strings.Contains(busy.stderr, "listen") {
		t.Errorf("a second one on the port: exit %d, %s", busy.code, busy.stderr)
	}
}
