package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"wensheng/internal/config"
)

var update = flag.Bool("update", false, "rewrite golden files and docs/config.md")

// golden compares got with a file, or rewrites the file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs, run go test -update (-want +got):\n%s", name, diff)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "wensheng.yaml")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func load(t *testing.T, text string, env ...string) *config.Config {
	t.Helper()
	c, err := config.Load(write(t, text), env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestLoad_FillsDefaultsWithoutAFile(t *testing.T) {
	t.Parallel()
	c, err := config.Load("", []string{"PATH=/bin", "HOME=/root"})
	if err != nil {
		t.Fatal(err)
	}
	web, ok := c.Account("web")
	if !ok || len(c.Accounts) != 1 || web.Kind != config.KindWeb || !web.Web.OwnOrigins {
		t.Fatalf("accounts = %+v, want one web account", c.Accounts)
	}
	if diff := cmp.Diff([]string{"http://127.0.0.1:8080", "http://localhost:8080"}, web.Web.AllowedOrigins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	if len(c.Groups) != 1 || c.Groups[0].ID != "kf" || c.Groups[0].Name != "客服部" || c.Groups[0].Hours.Weekly != "" {
		t.Errorf("groups = %+v, want kf, always open", c.Groups)
	}
	want := config.Limits{VisitorBurst: 40, VisitorPerS: 1, SocketsPerIP: 200, LoginsPerIPMin: 60, MediaBytes: 20 << 20, Sockets: 20000}
	if c.Limits != want {
		t.Errorf("limits = %+v, want %+v", c.Limits, want)
	}
	if c.Listen != "127.0.0.1:8080" || c.Data != "./data" || c.Redis.AppendFsync != "everysec" || c.Handoff.Lease != 45*time.Second {
		t.Errorf("defaults are wrong:\n%s", c.Redacted())
	}
	golden(t, "testdata/default.golden", c.Redacted())
}

func TestLoad_TellsEveryProblemAtOnce(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"bad", "syntax"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := config.Load("testdata/"+name+".yaml", []string{
				"WENSHENG_LITSEN=x", "WENSHENG_GROUPS_KF_NAME=x", "WENSHENG_LIMITS_SOCKETS=-1", "WENSHENG_HANDOFF_GRACE=soon",
				"WENSHENG_METRICS_TOKEN_FILE=/does/not/exist",
			})
			var problems config.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("Load: %v, want Problems", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("a problem quotes a secret")
			}
			golden(t, "testdata/"+name+".golden", err.Error()+"\n")
		})
	}
}

func TestLoad_NamesTheFileThatIsNotThere(t *testing.T) {
	t.Parallel()
	_, err := config.Load(filepath.Join(t.TempDir(), "no.yaml"), nil)
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Load: %v, want ErrNotExist", err)
	}
	if _, err := config.Load(write(t, strings.Repeat("#", 2<<20)), nil); err == nil {
		t.Error("a file of 2 MB was read")
	}
}

func TestLoad_TakesTheEnvironment(t *testing.T) {
	t.Parallel()
	secret := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(secret, []byte("from-a-file \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, `
accounts:
  - {id: mp-1, kind: wechat, app_id: wx1, token: abcdef, app_secret: a}
  - {id: web, kind: web}
`, "WENSHENG_LISTEN=0.0.0.0:9", "WENSHENG_LISTEN=0.0.0.0:9000", "WENSHENG_PUBLIC_URL=https://c.example.com",
		"WENSHENG_TRUSTED_PROXIES=10.1.2.3/8, 192.0.2.1", "WENSHENG_LIMITS_VISITOR_PER_S=2.5", "WENSHENG_REDIS_URL=redis://:pw@h:1/0",
		"WENSHENG_ACCOUNTS_MP_1_APP_SECRET_FILE="+secret, "WENSHENG_ACCOUNTS_MP_1_WINDOW=24h", "WENSHENG_LOG_LEVEL=debug",
		"WENSHENG_ACCOUNTS_WEB_IDENTITY_KEY="+strings.Repeat("k", 32))
	mp, _ := c.Account("mp-1")
	if mp.WeChat.AppSecret.Reveal() != "from-a-file" || mp.WeChat.Window != 24*time.Hour || mp.WeChat.Mode != "plain" || mp.WeChat.WindowMessages != 5 {
		t.Errorf("account = %+v", mp.WeChat)
	}
	if c.Listen != "0.0.0.0:9000" || c.Limits.VisitorPerS != 2.5 || c.Redis.URL.Reveal() != "redis://:pw@h:1/0" || c.Log.Level != slog.LevelDebug {
		t.Errorf("config:\n%s", c.Redacted())
	}
	if diff := cmp.Diff([]string{"10.0.0.0/8", "192.0.2.1/32"}, texts(c.TrustedProxies)); diff != "" {
		t.Errorf("trusted_proxies (-want +got):\n%s", diff)
	}
	web, _ := c.Account("web")
	if diff := cmp.Diff([]string{"https://c.example.com", "http://127.0.0.1:9000", "http://localhost:9000"}, web.Web.AllowedOrigins); diff != "" {
		t.Errorf("origins (-want +got):\n%s", diff)
	}
	if len(web.Web.IdentityKey) != 32 {
		t.Error("the identity key was not taken")
	}
}

func texts(ps []netip.Prefix) []string {
	var out []string
	for _, p := range ps {
		out = append(out, p.String())
	}
	return out
}

func TestLoad_ReadsSecretsFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, text := range map[string]string{"good": "abcdef\n", "empty": "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := load(t, "accounts: [{id: mp, kind: wechat, app_id: wx1, token_file: "+dir+"/good}]")
	if mp, _ := c.Account("mp"); mp.WeChat.Token.Reveal() != "abcdef" {
		t.Errorf("token = %q", mp.WeChat.Token.Reveal())
	}
	for name, text := range map[string]string{
		"empty":      "accounts: [{id: mp, kind: wechat, app_id: wx1, token_file: " + dir + "/empty}]",
		"missing":    "accounts: [{id: mp, kind: wechat, app_id: wx1, token_file: " + dir + "/none}]",
		"directory":  "accounts: [{id: mp, kind: wechat, app_id: wx1, token_file: " + dir + "}]",
		"both":       "accounts: [{id: mp, kind: wechat, app_id: wx1, token: abcdef, token_file: " + dir + "/good}]",
		"not secret": "accounts: [{id: mp, kind: wechat, app_id_file: " + dir + "/good, token: abcdef}]",
	} {
		if _, err := config.Load(write(t, text), nil); err == nil {
			t.Errorf("%s: no problem found", name)
		}
	}
}

func TestLoad_NormalisesHours(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Mon-Fri 09:00-18:00, Sat 10:00-16:00":            "Mon-Fri 09:00-18:00; Sat 10:00-16:00",
		"Mon-Fri 09:00-12:00,13:30-18:00; Sat 9:00-12:00": "Mon-Fri 09:00-12:00,13:30-18:00; Sat 9:00-12:00",
		"Sat,Sun 22:00-02:00":                             "Sat,Sun 22:00-02:00",
		"00:00-24:00":                                     "00:00-24:00",
		"Mon 09:00-10:00, Tue,Wed 09:00-10:00":            "Mon 09:00-10:00; Tue,Wed 09:00-10:00",
		"":                                                "",
	} {
		c := load(t, fmt.Sprintf("groups: [{id: a, hours: {weekly: %q}}]", in))
		if got := c.Groups[0].Hours.Weekly; got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestSecret_IsNeverPrinted(t *testing.T) {
	t.Parallel()
	const canary = "canary-0123456789-canary-0123456789"
	c := load(t, "secrets: {key: "+config.GenerateKey().Reveal()+"}\nmetrics: {token: "+canary+"}\n"+
		"redis: {url: 'redis://:"+canary+"@h'}\naccounts: [{id: web, kind: web, identity_key: "+canary+"}]")
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	y, err := yaml.Marshal(c.Metrics)
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	logger := slog.New(slog.NewJSONHandler(&log, nil))
	logger.InfoContext(t.Context(), "x", "config", c, "accounts", c.Accounts, "token", c.Metrics.Token)
	slog.New(slog.NewTextHandler(&log, nil)).InfoContext(t.Context(), "x", "config", c, "accounts", c.Accounts)
	for how, got := range map[string]string{
		"%v": fmt.Sprintf("%v", c), "%+v": fmt.Sprintf("%+v", *c), "%#v": fmt.Sprintf("%#v", *c), "%q": fmt.Sprintf("%q", c.Metrics.Token),
		"%x": fmt.Sprintf("%x", c.Metrics.Token), "%s": c.Metrics.Token.String(), "json": string(j), "yaml": string(y),
		"slog": log.String(), "Redacted": c.Redacted(),
	} {
		if strings.Contains(got, "canary") || strings.Contains(got, fmt.Sprintf("%x", "canary")) || strings.Contains(got, c.Secrets.Key.Reveal()) {
			t.Errorf("%s prints a secret: %s", how, got)
		}
		if !strings.Contains(got, "***") {
			t.Errorf("%s shows no stars: %s", how, got)
		}
	}
}

func TestRedacted_IsReadAgain(t *testing.T) {
	t.Parallel()
	c, err := config.Load("../../wensheng.example.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer(`app_secret: "***"`, `app_secret: a`, `token: "***"`, `token: abcdef`,
		`encoding_aes_key: "***"`, "encoding_aes_key: "+strings.Repeat("A", 43), `path_secret: "***"`, "path_secret: 0123456789abcdef").Replace(c.Redacted())
	if got := load(t, text).Redacted(); got != c.Redacted() {
		t.Errorf("Redacted changed by a round trip:\n%s", cmp.Diff(c.Redacted(), got))
	}
}

func TestExample_Loads(t *testing.T) {
	t.Parallel()
	c, err := config.Load("../../wensheng.example.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Accounts) != 3 || len(c.Groups) != 4 || c.Company.Hotline == "" {
		t.Errorf("the example lost something:\n%s", c.Redacted())
	}
}

func TestDocs_AreUpToDate(t *testing.T) {
	t.Parallel()
	golden(t, "../../docs/config.md", config.Docs())
}

func TestEnsureKey_MakesOneKey(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	var wg sync.WaitGroup
	keys := make([]config.Secret, 8)
	for i := range keys {
		wg.Go(func() {
			c := &config.Config{Data: dir}
			if err := config.EnsureKey(c); err != nil {
				t.Error(err)
			}
			keys[i] = c.Secrets.Key
		})
	}
	wg.Wait()
	for _, k := range keys {
		if k != keys[0] || k == "" {
			t.Fatal("processes disagree about the key")
		}
	}
	current, older := config.Secrets{Key: keys[0], Older: []config.Secret{config.GenerateKey()}}.Keys()
	if len(current) != 32 || len(older) != 1 || len(older[0]) != 32 {
		t.Errorf("Keys = %d bytes, %d older", len(current), len(older))
	}
	name := filepath.Join(dir, config.KeyFile)
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left, want the key alone", len(entries))
	}
}

func TestEnsureKey_RefusesABadFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := filepath.Join(dir, config.KeyFile)
	if err := os.WriteFile(name, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := config.EnsureKey(&config.Config{Data: dir}); err == nil || strings.Contains(err.Error(), "damaged\"") {
		t.Errorf("a damaged key: %v", err)
	}
	if err := os.WriteFile(name, []byte(config.GenerateKey().Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := config.EnsureKey(&config.Config{Data: dir}); err == nil {
		t.Error("a key that others may read was taken")
	}
	c := &config.Config{Data: dir, Secrets: config.Secrets{Key: "given"}}
	if err := config.EnsureKey(c); err != nil || c.Secrets.Key != "given" {
		t.Error("a configured key was replaced")
	}
}

func FuzzLoad(f *testing.F) {
	for _, s := range []string{"", "listen: a", "accounts: [{id: a, kind: web}]", "a: &x\nb: *x", "groups:\n- {}\n", "redis: [1]", "? [a]: b", "--- a\n--- b", "<<: {a: b}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if c, err := config.Load(write(t, s), nil); err == nil && c.Redacted() == "" {
			t.Fatal("nothing loaded")
		}
	})
}
