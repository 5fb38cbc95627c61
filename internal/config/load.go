package config

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Limits of what is read.
const (
	maxFile       = 1 << 20
	maxSecretFile = 64 << 10
)

// envPrefix starts the name of every variable that is ours.
const envPrefix = "WENSHENG_"

// loader collects what is set where, so that a problem found later can be
// blamed on the right line.
type loader struct {
	file     string
	problems Problems
	lines    map[string]int    // key path → line
	vars     map[string]string // key path → variable that set it
}

// Load reads the YAML file at path ("" reads none) and env, a list of
// NAME=value as os.Environ gives, in which a later entry wins: a command's
// flags are appended as variables. Defaults fill the rest.
//
// The error is Problems with everything that is wrong at once, or the reason
// why path cannot be read.
func Load(path string, env []string) (*Config, error) {
	l := &loader{file: path, lines: map[string]int{}, vars: map[string]string{}}
	c := &Config{}
	setDefaults(reflect.ValueOf(c).Elem())
	if path != "" {
		if err := l.readFile(c); err != nil {
			return nil, err
		}
	}
	l.readEnv(c, env)
	l.derive(c)
	l.validate(c)
	if len(l.problems) > 0 {
		l.problems.sort()
		return nil, l.problems
	}
	return c, nil
}

// report adds a problem, blamed on where the key was set.
func (l *loader) report(path, format string, args ...any) {
	p := Problem{Where: l.file, Path: path, Msg: fmt.Sprintf(format, args...)}
	if name, ok := l.vars[path]; ok {
		p.Where, p.Path = "environment", name
	} else if p.Line = l.lineOf(path); p.Where == "" {
		p.Where = "config"
	}
	l.problems = append(l.problems, p)
}

// lineOf returns the line of the key or of the nearest one around it.
func (l *loader) lineOf(path string) int {
	for path != "" {
		if n, ok := l.lines[path]; ok {
			return n
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return 0
}

func (l *loader) readFile(c *Config) error {
	info, err := os.Stat(l.file)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	if info.Size() > maxFile {
		return fmt.Errorf("config: %s has %d bytes; at most %d are read", l.file, info.Size(), maxFile)
	}
	data, err := os.ReadFile(l.file)
	if err != nil {
		return fmt.Errorf("config: %w", err)
	}
	parsed, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		p := Problem{Where: l.file, Msg: "this is not YAML"}
		if syntax := yaml.Error(nil); errors.As(err, &syntax) {
			// The library's full text quotes the source, which may hold secrets.
			p.Msg += ": " + syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				p.Line = t.Position.Line
			}
		}
		l.problems = append(l.problems, p)
		return nil
	}
	for i, doc := range parsed.Docs {
		if i > 0 {
			l.problems = append(l.problems, Problem{Where: l.file, Line: line(doc.Body), Msg: "there must be only one YAML document"})
			break
		}
		if doc.Body != nil {
			l.decode(doc.Body, reflect.ValueOf(c).Elem(), "")
		}
	}
	return nil
}

func line(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}

// decode fills v from a node and reports everything that does not fit.
func (l *loader) decode(n ast.Node, v reflect.Value, path string) {
	switch n := n.(type) {
	case *ast.NullNode:
		return // the key stands there without a value: the default stays
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		l.report(path, "anchors, aliases and tags are not supported; write the value out")
		return
	case *ast.MappingValueNode: // a mapping of one pair
		l.decodeMap([]*ast.MappingValueNode{n}, v, path)
		return
	case *ast.MappingNode:
		l.decodeMap(n.Values, v, path)
		return
	case *ast.SequenceNode:
		if v.Kind() != reflect.Slice {
			l.report(path, "is a list; want %s", typeName(v.Type()))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), len(n.Values), len(n.Values)))
		for i, item := range n.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			l.lines[at] = line(item)
			setDefaults(v.Index(i))
			l.decode(item, v.Index(i), at)
		}
		return
	}
	text, ok := scalar(n)
	if !ok || isTable(v.Type()) || v.Kind() == reflect.Slice {
		l.report(path, "is a single value; want %s", typeName(v.Type()))
		return
	}
	if err := set(v, text); err != nil {
		l.report(path, "%s", err)
	}
}

func scalar(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (l *loader) decodeMap(pairs []*ast.MappingValueNode, v reflect.Value, path string) {
	if !isTable(v.Type()) {
		l.report(path, "is a table; want %s", typeName(v.Type()))
		return
	}
	kind := ""
	for _, p := range pairs {
		if k, _ := scalar(p.Key); k == "kind" {
			kind, _ = scalar(p.Value)
		}
	}
	fields := fieldsOf(v, kind)
	seen := map[string]bool{}
	for _, p := range pairs {
		key, ok := scalar(p.Key)
		if !ok {
			l.report(path, "a key must be a word")
			continue
		}
		at := join(path, key)
		if seen[key] {
			l.problems = append(l.problems, Problem{Where: l.file, Line: line(p.Key), Path: at, Msg: "is set twice"})
			continue
		}
		seen[key] = true
		l.lines[at] = line(p.Key)
		if f, ok := fields.byKey[key]; ok {
			l.decode(p.Value, f, at)
			continue
		}
		if f, ok := fields.byKey[strings.TrimSuffix(key, "_file")]; ok && strings.HasSuffix(key, "_file") && f.Type() == secretType {
			name, ok := scalar(p.Value)
			if !ok {
				l.report(at, "want the path of a file")
				continue
			}
			l.secretFile(f, at, name)
			continue
		}
		l.report(at, "%s", fields.unknown(key, kind))
	}
	for _, key := range fields.order {
		if seen[key] && seen[key+"_file"] {
			l.report(join(path, key), "is set beside %s_file; keep one of them", key)
		}
	}
}

// secretFile reads a secret from a file, without the space at its end.
func (l *loader) secretFile(v reflect.Value, path, name string) {
	info, err := os.Stat(name) //nolint:gosec // the operator names his own files
	if err == nil && (info.IsDir() || info.Size() > maxSecretFile) {
		err = fmt.Errorf("%s is not a small file", name)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(name) //nolint:gosec // as above
	}
	if err != nil {
		l.report(path, "%s", err)
		return
	}
	text := strings.TrimRight(string(data), " \t\r\n")
	if text == "" {
		l.report(path, "%s is empty", name)
		return
	}
	v.SetString(text)
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
