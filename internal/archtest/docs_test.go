package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	protocolPage     = "docs/protocol.md"
	operationsPage   = "docs/operations.md"
	architecturePage = "docs/architecture.md"
)

func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repository(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// parsed returns the Go files of a folder, tests left out.
func parsed(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(repository(t), dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) == 0 {
		t.Fatalf("%s holds no Go source", dir)
	}
	return files
}

// constants returns the literal values of a folder's constants by name.
func constants(t *testing.T, dir string, name *regexp.Regexp) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, f := range parsed(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			for i, id := range spec.Names {
				if i < len(spec.Values) && name.MatchString(id.Name) {
					if v := literal(spec.Values[i]); v != "" {
						out[id.Name] = v
					}
				}
			}
			return true
		})
	}
	return out
}

// literal is the value of a string or number written out, or "".
func literal(e ast.Expr) string {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	if v, err := strconv.Unquote(lit.Value); err == nil && lit.Kind == token.STRING {
		return v
	}
	return lit.Value
}

// calls gives every call of a folder's code to fn with the name that is called.
func calls(t *testing.T, dir string, fn func(name string, args []ast.Expr)) {
	t.Helper()
	for _, f := range parsed(t, dir) {
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			switch fun := call.Fun.(type) {
			case *ast.Ident:
				fn(fun.Name, call.Args)
			case *ast.SelectorExpr:
				fn(fun.Sel.Name, call.Args)
			}
			return true
		})
	}
}

// TestProtocol_NamesEveryCode holds the page to the code in both directions:
// what a visitor or a console may get is on it, and it names no other close code.
func TestProtocol_NamesEveryCode(t *testing.T) {
	t.Parallel()
	page := read(t, protocolPage)
	known := map[string]bool{"4099": true, "4400": true, "4499": true} // the ends of the ranges
	must := func(where, code string) {
		t.Helper()
		known[code] = true
		if !strings.Contains(page, "`"+code+"`") {
			t.Errorf("%s does not name `%s` of %s", protocolPage, code, where)
		}
	}
	codes := constants(t, "channels/web", regexp.MustCompile(`^(Close|Error)[A-Z]`))
	if len(codes) < 10 {
		t.Errorf("only %d codes were found in channels/web", len(codes))
	}
	for name, code := range codes {
		must("channels/web."+name, code)
	}
	for name, code := range constants(t, "web", regexp.MustCompile(`^close[A-Z]`)) {
		must("web."+name, code)
	}
	for _, dir := range []string{"web", "channels/web"} {
		calls(t, dir, func(name string, args []ast.Expr) {
			switch {
			case name == "fail" && len(args) == 3 && literal(args[1]) != "":
				must(dir, literal(args[1]))
			case name == "problem" && len(args) == 4 && literal(args[2]) != "":
				must(dir, literal(args[2]))
			}
		})
	}
	for _, dir := range []string{"channels/wechat", "channels/sms"} {
		for _, f := range parsed(t, dir) {
			ast.Inspect(f, func(n ast.Node) bool {
				lit, ok := n.(*ast.CompositeLit)
				if !ok {
					return true
				}
				if kind, ok := lit.Type.(*ast.Ident); ok && kind.Name == "refusal" && len(lit.Elts) == 3 {
					must(dir, literal(lit.Elts[1]))
				}
				return true
			})
		}
	}
	for _, code := range regexp.MustCompile(`\b4[04]\d\d\b`).FindAllString(page, -1) {
		if !known[code] {
			t.Errorf("%s names the close code %s, which the code does not use", protocolPage, code)
		}
	}
}

func TestProtocol_NamesEveryFrame(t *testing.T) {
	t.Parallel()
	page := read(t, protocolPage)
	for _, f := range parsed(t, "channels/web") {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			kind, ok := lit.Type.(*ast.Ident)
			if !ok || !strings.HasSuffix(kind.Name, "Frame") {
				return true
			}
			for _, e := range lit.Elts {
				kv, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				key, ok := kv.Key.(*ast.Ident)
				if kind := literal(kv.Value); ok && key.Name == "T" && kind != "" && !strings.Contains(page, `"t":"`+kind+`"`) {
					t.Errorf("%s shows no frame %q", protocolPage, kind)
				}
			}
			return true
		})
	}
}

func TestOperations_NameEveryCommandAndFlag(t *testing.T) {
	t.Parallel()
	page := read(t, operationsPage)
	commands, flags := 0, 0
	for _, f := range parsed(t, "cmd/wensheng") {
		ast.Inspect(f, func(n ast.Node) bool {
			kv, ok := n.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, ok := kv.Key.(*ast.Ident)
			if !ok || key.Name != "Use" {
				return true
			}
			name, _, _ := strings.Cut(literal(kv.Value), " ")
			if commands++; !regexp.MustCompile("`(wensheng )?([a-z]+ )?" + name + "\\b").MatchString(page) {
				t.Errorf("%s does not name the command %s", operationsPage, name)
			}
			return true
		})
	}
	calls(t, "cmd/wensheng", func(name string, args []ast.Expr) {
		if !strings.HasSuffix(name, "Var") || len(args) != 4 {
			return
		}
		if flags++; !strings.Contains(page, "--"+literal(args[1])) {
			t.Errorf("%s does not name the flag --%s", operationsPage, literal(args[1]))
		}
	})
	if commands < 9 || flags < 10 {
		t.Errorf("found %d commands and %d flags, which is too few to be all", commands, flags)
	}
}

func TestOperations_NameEveryMetric(t *testing.T) {
	t.Parallel()
	page := read(t, operationsPage)
	n := 0
	must := func(name string) {
		t.Helper()
		n++
		if !strings.Contains(page, "`wensheng_"+name) {
			t.Errorf("%s does not name the metric wensheng_%s", operationsPage, name)
		}
	}
	calls(t, "internal/telemetry", func(name string, args []ast.Expr) {
		if slices.Contains([]string{"counter", "gauge", "histogram"}, name) && len(args) >= 2 {
			must(literal(args[0]))
		}
	})
	for _, f := range parsed(t, "internal/telemetry") {
		ast.Inspect(f, func(node ast.Node) bool {
			kv, ok := node.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Name" && literal(kv.Value) != "" {
				must(literal(kv.Value))
			}
			return true
		})
	}
	if n < 15 {
		t.Errorf("found %d metrics, which is too few to be all", n)
	}
}

// TestArchitecture_NamesTestsThatExist keeps the table of guarantees honest.
func TestArchitecture_NamesTestsThatExist(t *testing.T) {
	t.Parallel()
	root := repository(t)
	have := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)\w+)\(`)
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if n := d.Name(); p != root && (strings.HasPrefix(n, ".") || n == "node_modules" || n == "testdata") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(p, "_test.go") {
			return nil
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		for _, m := range declared.FindAllStringSubmatch(string(b), -1) {
			have[m[1]] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`((?:Test|Fuzz|Benchmark)[A-Z]\\w+)`").FindAllStringSubmatch(read(t, architecturePage), -1)
	if len(named) < 20 {
		t.Errorf("%s names %d tests; the guarantees need more", architecturePage, len(named))
	}
	for _, m := range named {
		if !have[m[1]] {
			t.Errorf("%s names %s, which does not exist", architecturePage, m[1])
		}
	}
}

// TestDocs_LinksLeadSomewhere follows the relative links of every page.
func TestDocs_LinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	root := repository(t)
	var pages []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	link := regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	for _, page := range pages {
		b, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(b), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(page), m[1])
			}
		}
	}
}

// TestDecisions_AreListed keeps the index of docs/adr whole.
func TestDecisions_AreListed(t *testing.T) {
	t.Parallel()
	names, err := filepath.Glob(filepath.Join(repository(t), "docs/adr/[0-9]*.md"))
	if err != nil {
		t.Fatal(err)
	}
	index := read(t, "docs/adr/README.md")
	for i, name := range names {
		base := filepath.Base(name)
		if !strings.Contains(index, "]("+base+")") {
			t.Errorf("docs/adr/README.md does not list %s", base)
		}
		if n, err := strconv.Atoi(base[:4]); err != nil || n != i+1 {
			t.Errorf("%s is not number %04d: the decisions count without gaps", base, i+1)
		}
		text := read(t, "docs/adr/"+base)
		for _, part := range []string{"## Context", "## Decision", "## Consequences"} {
			if !strings.Contains(text, part) {
				t.Errorf("%s has no part %q", base, part)
			}
		}
	}
	if len(names) == 0 {
		t.Error("there are no decisions")
	}
}
