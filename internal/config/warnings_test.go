package config_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"wensheng/internal/config"
)

func TestWarnings_NameSecretsThatCanBeGuessed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "c.yaml")
	yaml := `accounts:
  - {id: web, kind: web, identity_key: short}
  - {id: a, kind: sms, provider: aliyun, path_secret: tiny}
  - {id: b, kind: sms, provider: tencent, path_secret: tiny}
  - {id: c, kind: sms, provider: tencent, path_secret: long-enough-0123456789}
`
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"accounts[0].identity_key: is shorter than 16 characters and can be guessed",
		"accounts[1].path_secret: is shorter than 16 characters and can be guessed",
		"accounts[2].path_secret: is shorter than 16 characters and can be guessed",
		"accounts[2].path_secret: is the same as that of accounts[1]; whoever knows one knows both",
	}
	if diff := cmp.Diff(want, cfg.Warnings()); diff != "" {
		t.Error(diff)
	}
}
