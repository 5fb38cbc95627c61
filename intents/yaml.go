package intents

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Problem is one thing wrong with a knowledge base.
type Problem struct {
	File string `json:"file"`
	// Line counts from 1; 0 means the file as a whole.
	Line int `json:"line"`
	// Topic is the id of the Topic it is in; or "".
	Topic string `json:"topic"`
	// Rule is the stable name of what was broken, one of the Rule constants.
	Rule string `json:"rule"`
	Msg  string `json:"message"`
	// Warning is true when the base can be used as it is.
	Warning bool `json:"warning"`
}

// String is "file:line: message", as compilers print it.
func (p Problem) String() string {
	s := p.File
	if p.Line > 0 {
		s += fmt.Sprintf(":%d", p.Line)
	}
	if p.Warning {
		return s + ": warning: " + p.Msg
	}
	return s + ": " + p.Msg
}

const (
	maxFile  = 2 << 20 // bytes
	maxFiles = 1000
	maxDepth = 32 // of nesting; the parser recurses
)

type position struct {
	file string
	line int
}

// report collects problems.
type report struct {
	problems []Problem
	topic    string // the Topic being read
}

func (r *report) errorf(at position, format string, args ...any) {
	r.add(at, RuleForm, false, format, args...)
}

func (r *report) warnf(at position, format string, args ...any) {
	r.add(at, RuleForm, true, format, args...)
}

func (r *report) add(at position, rule string, warning bool, format string, args ...any) {
	r.problems = append(r.problems, Problem{
		File: at.file, Line: at.line, Topic: r.topic, Rule: rule, Warning: warning, Msg: fmt.Sprintf(format, args...),
	})
}

func (r *report) failed() bool {
	for _, p := range r.problems {
		if !p.Warning {
			return true
		}
	}
	return false
}

// sorted returns the problems by file and line.
func (r *report) sorted() []Problem {
	SortProblems(r.problems)
	return r.problems
}

// SortProblems sorts by file, line and message.
func SortProblems(list []Problem) {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), a.Line-b.Line, strings.Compare(a.Msg, b.Msg))
	})
}

// doc is one value of a YAML file with its place. It is read by asking for what
// is expected; everything else is a problem.
type doc struct {
	r    *report
	at   position
	node ast.Node
}

// readFile returns the file's text, or false after reporting why not.
func readFile(r *report, fsys fs.FS, name string) ([]byte, bool) {
	at := position{file: name}
	info, err := fs.Stat(fsys, name)
	if err != nil {
		r.errorf(at, "cannot read: %s", plain(err))
		return nil, false
	}
	if !info.Mode().IsRegular() {
		r.errorf(at, "is not a regular file")
		return nil, false
	}
	if info.Size() > maxFile {
		r.errorf(at, "is %d bytes; the limit is %d", info.Size(), maxFile)
		return nil, false
	}
	text, err := fs.ReadFile(fsys, name)
	if err != nil {
		r.errorf(at, "cannot read: %s", plain(err))
		return nil, false
	}
	if len(text) > maxFile {
		r.errorf(at, "is longer than %d bytes", maxFile)
		return nil, false
	}
	if !utf8.Valid(text) {
		line := 1
		for rest := text; len(rest) > 0; {
			c, n := utf8.DecodeRune(rest)
			if c == utf8.RuneError && n == 1 {
				break
			}
			if c == '\n' {
				line++
			}
			rest = rest[n:]
		}
		r.errorf(position{name, line}, "is not UTF-8; save the file as UTF-8")
		return nil, false
	}
	return text, true
}

// plain drops the path from a file error: the problem names the file already.
func plain(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// parse reads one YAML document.
func parse(r *report, file string, text []byte) (root doc, ok bool) {
	if line := TooDeep(text); line > 0 {
		r.errorf(position{file, line}, "is nested too deeply")
		return doc{}, false
	}
	// The parser is not ours; a file that breaks it is a bad file, not a crash.
	defer func() {
		if p := recover(); p != nil {
			r.errorf(position{file: file}, "is not YAML")
			root, ok = doc{}, false
		}
	}()
	f, err := parser.ParseBytes(text, 0)
	if err != nil {
		at, msg := position{file: file}, "is not YAML"
		var se *yaml.SyntaxError
		if errors.As(err, &se) {
			msg = se.Message
			if se.Token != nil && se.Token.Position != nil {
				at.line = se.Token.Position.Line
			}
		}
		r.errorf(at, "%s", msg)
		return doc{}, false
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d != nil && d.Body != nil {
			if _, comment := d.Body.(*ast.CommentGroupNode); !comment {
				docs = append(docs, d.Body)
			}
		}
	}
	switch len(docs) {
	case 0:
		r.errorf(position{file: file}, "is empty")
		return doc{}, false
	case 1:
	default:
		r.errorf(position{file, lineOf(docs[1])}, "holds more than one document")
		return doc{}, false
	}
	return doc{r: r, at: position{file, lineOf(docs[0])}, node: docs[0]}, true
}

// TooDeep returns the first line whose nesting could exhaust a recursive
// parser of YAML, or 0. It overestimates: brackets inside text count.
func TooDeep(text []byte) int {
	open := 0
	for i, line := range strings.Split(string(text), "\n") {
		body := strings.TrimLeft(line, " ")
		marks := 0
		for f := range strings.FieldsSeq(body) {
			if f != "-" && f != "?" && f != ":" {
				break
			}
			marks++
		}
		open += strings.Count(line, "[") + strings.Count(line, "{") - strings.Count(line, "]") - strings.Count(line, "}")
		open = max(open, 0)
		if len(line)-len(body) > 2*maxDepth || marks > maxDepth || open > maxDepth || strings.Count(line, "[")+strings.Count(line, "{") > 2000 {
			return i + 1
		}
	}
	return 0
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && m.Values[0] != nil && m.Values[0].Key != nil {
		if t := m.Values[0].Key.GetToken(); t != nil && t.Position != nil {
			return t.Position.Line
		}
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}

// field is one key of a mapping.
type field struct {
	key   string
	at    position
	value doc
}

// fields returns the mapping's fields; keys that allowed does not list, and
// repeated ones, are problems.
func (d doc) fields(allowed ...string) map[string]doc {
	var values []*ast.MappingValueNode
	switch n := d.node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		d.r.errorf(d.at, "must be a mapping of %s", strings.Join(allowed, ", "))
		return nil
	}
	out := make(map[string]doc, len(values))
	for _, f := range d.pairs(values) {
		known := len(allowed) == 0
		for _, a := range allowed {
			known = known || a == f.key
		}
		if !known {
			d.r.errorf(f.at, "unknown key %q; known are %s", f.key, strings.Join(allowed, ", "))
			continue
		}
		if _, twice := out[f.key]; twice {
			d.r.errorf(f.at, "key %q is given twice", f.key)
			continue
		}
		out[f.key] = f.value
	}
	return out
}

func (d doc) pairs(values []*ast.MappingValueNode) []field {
	out := make([]field, 0, len(values))
	for _, v := range values {
		if v == nil || v.Key == nil || v.Key.GetToken() == nil {
			continue
		}
		key := v.Key.GetToken()
		at := position{d.at.file, key.Position.Line}
		if _, merge := v.Key.(*ast.MergeKeyNode); merge {
			d.r.errorf(at, "merge keys are not allowed")
			continue
		}
		line := lineOf(v.Value)
		if line == 0 {
			line = at.line
		}
		out = append(out, field{key: key.Value, at: at, value: doc{r: d.r, at: position{d.at.file, line}, node: v.Value}})
	}
	return out
}

// isMapping reports whether d is a mapping, for values that may be text as well.
func isMapping(d doc) bool {
	switch d.node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

// items returns the sequence's values.
func (d doc) items(what string) []doc {
	if d.node == nil {
		return nil
	}
	n, ok := d.node.(*ast.SequenceNode)
	if !ok {
		d.r.errorf(d.at, "%s must be a list", what)
		return nil
	}
	out := make([]doc, 0, len(n.Values))
	for _, v := range n.Values {
		line := lineOf(v)
		if line == 0 {
			line = d.at.line
		}
		out = append(out, doc{r: d.r, at: position{d.at.file, line}, node: v})
	}
	return out
}

// text returns the scalar's text without surrounding white space. A missing
// value is "" and no problem.
func (d doc) text(what string) string {
	switch n := d.node.(type) {
	case nil, *ast.NullNode:
		return ""
	case *ast.StringNode:
		return strings.TrimSpace(n.Value)
	case *ast.LiteralNode:
		if n.Value == nil {
			return ""
		}
		return strings.TrimSpace(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value // a phrasing may be a bare number
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		d.r.errorf(d.at, "%s: anchors, aliases and tags are not allowed", what)
		return ""
	default:
		d.r.errorf(d.at, "%s must be text", what)
		return ""
	}
}

// line is one entry of a list of short texts, with its place.
type line struct {
	text string
	at   position
}

// lines returns a list of short texts: a sequence, or a block (|) with one on
// each line. Empty entries of a sequence are problems.
func (d doc) lines(what string) []line {
	var out []line
	switch n := d.node.(type) {
	case nil, *ast.NullNode:
	case *ast.LiteralNode:
		if n.Value == nil {
			return nil
		}
		for i, s := range strings.Split(n.Value.Value, "\n") {
			if s = strings.TrimSpace(s); s != "" {
				out = append(out, line{s, position{d.at.file, d.at.line + 1 + i}})
			}
		}
	case *ast.SequenceNode:
		for _, v := range d.items(what) {
			s := v.text(what)
			if s == "" {
				d.r.errorf(v.at, "%s: an entry is empty", what)
				continue
			}
			out = append(out, line{s, v.at})
		}
	default:
		d.r.errorf(d.at, "%s must be a list, or a block with one entry a line", what)
	}
	return out
}
