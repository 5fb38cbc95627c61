// Package archtest keeps the house as DESIGN §2 draws it: the import table, a
// package comment everywhere, and the folders the table names. It reads the
// source files in process, because what a subprocess reads is invisible to the
// test cache and a stale "ok" would come back.
package archtest_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// table is the import table: what of ours each package may import outside its
// tests. A package that is missing from it fails the test.
var table = map[string][]string{
	"internal/chat":             {},
	"internal/pii":              {},
	"internal/config":           {},
	"nlp":                       {"internal/pii"},
	"nlp/dict":                  {},
	"nlp/dict/gen":              {"nlp/dict"},
	"intents":                   {"nlp"},
	"intents/exchange":          {"intents"},
	"bot":                       {"internal/chat", "nlp", "intents"},
	"bot/trained":               {},
	"bot/trained/gen":           {"bot", "intents", "nlp", "nlp/dict"},
	"bot/bottest":               {},
	"channels":                  {"internal/chat"},
	"channels/wechat":           {"channels", "internal/chat"},
	"channels/web":              {"channels", "internal/chat"},
	"channels/sms":              {"channels", "internal/chat"},
	"channels/channeltest":      {"channels", "internal/chat"},
	"internal/redisx":           {},
	"internal/redisx/redistest": {"internal/redisx"},
	"internal/store":            {"internal/chat", "internal/pii", "internal/redisx"},
	"handoff":                   {"internal/chat", "internal/redisx"},
	"internal/kb":               {},
	"internal/kb/kbtest":        {"intents", "internal/archive", "internal/kb"},
	"internal/knowledge":        {"internal/chat", "internal/kb", "bot", "intents", "intents/exchange", "nlp", "internal/pii"},
	"internal/archive":          {"internal/chat", "internal/kb", "internal/pii"},
	"internal/archive/pgtest":   {},
	"web":                       {"internal/chat", "internal/kb", "handoff", "web/console", "web/widget"},
	"web/console":               {},
	"web/widget":                {},
	"internal/intake":           {"internal/chat", "bot", "handoff"},
	"internal/telemetry":        {"internal/pii"},
	"internal/app":              {"*"},
	"internal/archtest":         {},
	"cmd/wensheng":              {"internal/app", "internal/config"},
}

// redis and echo are touched only where a change of them would stay small.
var outside = map[string][]string{
	"github.com/redis/go-redis/v9":    {"internal/redisx", "internal/redisx/redistest", "internal/store", "handoff", "internal/app"},
	"github.com/labstack/echo/v4":     {"web"},
	"github.com/silenceper/wechat/v2": {"channels/wechat", "channels/channeltest"},
	"github.com/yanyiwu/gojieba":      {"nlp"},
	"github.com/xuri/excelize/v2":     {"intents/exchange"},
	"testing":                         {"channels/channeltest", "internal/redisx/redistest", "internal/archive/pgtest", "internal/kb/kbtest"},
}

const module = "wensheng/"

func TestImports_KeepToTheTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, f := range sources(t) {
		seen[f.pkg] = true
		allowed, known := table[f.pkg]
		if !known {
			t.Errorf("%s: package %s is not in the import table", f.path, f.pkg)
			continue
		}
		for _, imp := range f.imports {
			ours, isOurs := strings.CutPrefix(imp, module)
			if isOurs && !slices.Contains(allowed, "*") && !slices.Contains(allowed, ours) && !isTestHelper(ours) {
				t.Errorf("%s: %s may not import %s", f.path, f.pkg, ours)
			}
			if isOurs && isTestHelper(ours) && !isTestHelper(f.pkg) {
				t.Errorf("%s: %s is for tests only", f.path, ours)
			}
			for lib, users := range outside {
				if (imp == lib || strings.HasPrefix(imp, lib+"/")) && !slices.Contains(users, f.pkg) {
					t.Errorf("%s: only %v may import %s", f.path, users, lib)
				}
			}
		}
	}
	for _, pkg := range slices.Sorted(maps.Keys(table)) {
		if !seen[pkg] && pkg != "internal/archtest" {
			t.Errorf("the import table names %s, which holds no Go source", pkg)
		}
	}
}

func isTestHelper(pkg string) bool {
	return strings.HasSuffix(pkg, "test") && pkg != "internal/archtest"
}

func TestPackages_SayWhatTheyAre(t *testing.T) {
	t.Parallel()
	doc := map[string]bool{}
	for _, f := range sources(t) {
		doc[f.pkg] = doc[f.pkg] || f.doc
	}
	for pkg, has := range doc {
		if !has {
			t.Errorf("package %s has no package comment", pkg)
		}
	}
}

type source struct {
	path, pkg string
	imports   []string
	doc       bool
}

func sources(t *testing.T) []source {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	var all []source
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || n == "node_modules" || n == "testdata" || n == "data" && path.Dir(p) == root) {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, ".go") || strings.HasSuffix(p, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		s := source{path: rel, pkg: filepath.ToSlash(filepath.Dir(rel)), doc: f.Doc != nil}
		for _, imp := range f.Imports {
			s.imports = append(s.imports, strings.Trim(imp.Path.Value, `"`))
		}
		all = append(all, s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
