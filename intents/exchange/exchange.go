// Package exchange brings a knowledge base to the forms other tools know and
// back: a workbook (xlsx), a table (csv) and Rasa's training data (YAML).
// Nothing is lost either way: what Export writes, Import reads as equal Topics.
//
// What is read is hostile input: it is bounded in bytes, rows and cells, and
// every problem names the row. Nothing here reads or writes files.
package exchange

import (
	_ "embed" // the names of columns
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/goccy/go-yaml"

	"wensheng/intents"
)

// The formats.
const (
	XLSX = "xlsx"
	CSV  = "csv"
	Rasa = "rasa"
)

// Formats are the formats Export and Import know.
func Formats() []string { return []string{XLSX, CSV, Rasa} }

const (
	// MaxInput bounds what Import and Cases read, in bytes.
	MaxInput = 8 << 20
	// maxUnzipped bounds what a workbook may unpack to, in bytes.
	maxUnzipped = 64 << 20
	maxRows     = 200_000
	maxColumns  = 64
	maxCell     = 32767 // UTF-16 units a cell of a workbook may hold
	maxProblems = 200
)

// ErrFormat says that a format is not known.
var ErrFormat = errors.New("format must be one of " + strings.Join(Formats(), ", "))

// Sheet is what was read: Topics, and which of their fields were given.
type Sheet struct {
	Topics []intents.Topic
	// Fields are the keys of the columns that were there, as "answer" or
	// "answers.sms". A field that was not there is kept as it is in a merge.
	Fields map[string]bool
}

// Export writes Topics in a format. The same Topics give the same text; a
// workbook gives the same cells. It returns ErrFormat, or what cannot be
// written: a text too long for a cell.
func Export(w io.Writer, format string, topics []intents.Topic) error {
	switch format {
	case XLSX:
		return exportXLSX(w, topics)
	case CSV:
		return exportCSV(w, topics)
	case Rasa:
		return exportRasa(w, topics)
	}
	return ErrFormat
}

// Import reads Topics in a format. A Sheet is only good when no problem is
// worse than a warning. Lines of problems are rows for sheets and lines for
// YAML; File is the name of the sheet, or "".
func Import(data []byte, format string) (Sheet, []intents.Problem) {
	p := &problems{}
	if len(data) > MaxInput {
		p.errorf(0, "is %d bytes; the limit is %d", len(data), MaxInput)
		return Sheet{}, p.list
	}
	switch format {
	case XLSX:
		return importXLSX(data, p), p.list
	case CSV:
		return importCSV(data, p), p.list
	case Rasa:
		return importRasa(data, p), p.list
	}
	p.errorf(0, "%s", ErrFormat)
	return Sheet{}, p.list
}

// problems collects what is wrong, up to a number.
type problems struct {
	sheet string
	list  []intents.Problem
}

func (p *problems) errorf(row int, format string, args ...any) { p.add(row, false, format, args...) }
func (p *problems) warnf(row int, format string, args ...any)  { p.add(row, true, format, args...) }

func (p *problems) add(row int, warning bool, format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, intents.Problem{
			File: p.sheet, Line: row, Rule: intents.RuleForm, Warning: warning, Msg: fmt.Sprintf(format, args...),
		})
	}
}

//go:embed data/sheet.yaml
var sheetYAML []byte

// column is one column of a sheet.
type column struct {
	Key   string  `yaml:"key"`
	Name  string  `yaml:"name"`
	Width float64 `yaml:"width"`
	List  bool    `yaml:"list"`
	Day   bool    `yaml:"day"`
	Note  string  `yaml:"note"`
}

// layout is data/sheet.yaml.
type layout struct {
	Sheets struct {
		Topics    string `yaml:"topics"`
		Phrasings string `yaml:"phrasings"`
		Notes     string `yaml:"notes"`
	} `yaml:"sheets"`
	Columns  []column                     `yaml:"columns"`
	Values   map[string]map[string]string `yaml:"values"`
	Cases    map[string][]string          `yaml:"cases"`
	Actions  map[string]string            `yaml:"actions"`
	Notes    []string                     `yaml:"notes"`
	Category string                       `yaml:"category"`
}

var theLayout = sync.OnceValue(func() *layout {
	l := &layout{}
	if err := yaml.UnmarshalWithOptions(sheetYAML, l, yaml.Strict()); err != nil {
		panic("exchange: data/sheet.yaml: " + err.Error()) // a test reads it
	}
	return l
})

// column finds a column by a header in either language.
func (l *layout) column(header string) (column, bool) {
	header = strings.TrimSpace(header)
	for _, c := range l.Columns {
		if header == c.Name || strings.EqualFold(header, c.Key) {
			return c, true
		}
	}
	return column{}, false
}

// show is how a cell shows a value, hide the way back.
func (l *layout) show(key, value string) string {
	if s, ok := l.Values[key][value]; ok {
		return s
	}
	return value
}

func (l *layout) hide(key, shown string) string {
	for value, s := range l.Values[key] {
		if s == shown {
			return value
		}
	}
	return shown
}

// get returns a field as a cell's text.
func get(t *intents.Topic, c column) string {
	if list := listField(t, c.Key); list != nil {
		return joinList(*list)
	}
	if ch, ok := strings.CutPrefix(c.Key, "answers."); ok {
		return t.Answers[ch]
	}
	return theLayout().show(c.Key, *textField(t, c.Key))
}

// set reads a field from a cell's text.
func set(t *intents.Topic, c column, cell string) {
	if list := listField(t, c.Key); list != nil {
		*list = splitList(cell)
		return
	}
	if ch, ok := strings.CutPrefix(c.Key, "answers."); ok {
		if t.Answers == nil {
			t.Answers = map[string]string{}
		}
		t.Answers[ch] = cell
		return
	}
	*textField(t, c.Key) = theLayout().hide(c.Key, strings.TrimSpace(cell))
}

func listField(t *intents.Topic, key string) *[]string {
	switch key {
	case "phrasings":
		return &t.Phrasings
	case "follow_ups":
		return &t.FollowUps
	case "sources":
		return &t.Sources
	}
	return nil
}

func textField(t *intents.Topic, key string) *string {
	return map[string]*string{
		"id": &t.ID, "title": &t.Title, "category": &t.Category, "kind": &t.Kind, "answer": &t.Answer,
		"form": &t.Form, "group": &t.Group, "priority": &t.Priority, "from": &t.From, "until": &t.Until,
		"owner": &t.Owner, "review.state": &t.Review.State, "review.by": &t.Review.By, "review.on": &t.Review.On,
		"file": &t.File,
	}[key]
}

// joinList writes a list as lines; an end of line inside an entry as \n.
func joinList(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(s)
	}
	return strings.Join(out, "\n")
}

func splitList(cell string) []string {
	var out []string
	for s := range strings.SplitSeq(cell, "\n") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, strings.NewReplacer(`\\`, `\`, `\n`, "\n").Replace(s))
		}
	}
	return out
}

// formula are the first characters that make a spreadsheet compute a cell.
const formula = "=+-@\t\r\uff1d\uff0b\uff0d\uff20"

// guard puts an apostrophe before what a spreadsheet could take for a formula;
// unguard takes it away. A text that begins so already gets one more.
func guard(s string) string {
	if rest := strings.TrimLeft(s, "'"); rest != "" && strings.ContainsAny(first(rest), formula) {
		return "'" + s
	}
	return s
}

func unguard(s string) string {
	if rest := strings.TrimLeft(s, "'"); len(rest) < len(s) && rest != "" && strings.ContainsAny(first(rest), formula) {
		return s[1:]
	}
	return s
}

func first(s string) string {
	for _, c := range s {
		return string(c)
	}
	return ""
}

// fits says why a text cannot stand in a cell of a workbook.
func fits(what, s string) error {
	if n := len(utf16.Encode([]rune(s))); n > maxCell {
		return fmt.Errorf("%s has %d characters; a cell of a workbook holds %d", what, n, maxCell)
	}
	return nil
}

// days are the ways a spreadsheet or a person writes a day.
var days = []string{
	time.DateOnly, "2006/1/2", "2006-1-2", "2006.1.2", "20060102", "01-02-06", "1/2/06", "2006\u5e741\u67082\u65e5",
	time.DateTime, "2006/1/2 15:04:05", "2006/1/2 15:04",
}

// toDay brings a day to the form of the knowledge base; ok is false, and s
// returned, when it is none.
func toDay(s string) (day string, ok bool) {
	if s = strings.TrimSpace(s); s == "" {
		return "", true
	}
	for _, f := range days {
		if t, err := time.Parse(f, s); err == nil {
			return t.Format(time.DateOnly), true
		}
	}
	return s, false
}

// reader turns rows into Topics.
type reader struct {
	*problems
	layout *layout
	sheet  Sheet
	cols   []*column // by index; nil is not read
	index  map[string]int
	header bool
}

func newReader(p *problems) *reader {
	return &reader{problems: p, layout: theLayout(), sheet: Sheet{Fields: map[string]bool{}}, index: map[string]int{}}
}

// begin reads the row of headers.
func (r *reader) begin(n int, row []string) bool {
	r.cols, r.header = nil, true
	seen := map[string]bool{}
	for i, name := range row {
		if strings.TrimSpace(name) == "" {
			r.cols = append(r.cols, nil)
			continue
		}
		c, ok := r.layout.column(name)
		switch {
		case !ok:
			r.warnf(n, "column %d, %q, is not known and not read", i+1, clip(name))
			r.cols = append(r.cols, nil)
		case seen[c.Key]:
			r.errorf(n, "column %q is there twice", clip(name))
			r.cols = append(r.cols, nil)
		default:
			seen[c.Key] = true
			r.sheet.Fields[c.Key] = true
			r.cols = append(r.cols, &c)
		}
	}
	if !seen["id"] {
		r.errorf(n, "there is no column %q", r.layout.Columns[0].Name)
	}
	return seen["id"]
}

// row reads one row of Topics.
func (r *reader) row(n int, cells []string) {
	if !slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
		return
	}
	var t intents.Topic
	for i, cell := range cells {
		switch {
		case i >= len(r.cols):
			if strings.TrimSpace(cell) != "" {
				r.warnf(n, "column %d has no header and is not read", i+1)
			}
		case r.cols[i] != nil:
			c := *r.cols[i]
			cell = unguard(strings.TrimSpace(clean(cell)))
			if c.Day {
				day, ok := toDay(cell)
				if !ok {
					r.errorf(n, "%s: %q is not a day like 2026-11-20", c.Name, clip(cell))
				}
				cell = day
			}
			set(&t, c, cell)
		}
	}
	r.addTopic(n, t)
}

func (r *reader) addTopic(n int, t intents.Topic) {
	t = intents.Tidy(t)
	if !intents.ValidID(t.ID) {
		r.errorf(n, "%q is no id: 2 to 64 small letters, digits and _, beginning with a letter", clip(t.ID))
		return
	}
	if _, twice := r.index[t.ID]; twice {
		r.errorf(n, "topic %s is there twice", t.ID)
		return
	}
	r.index[t.ID] = len(r.sheet.Topics)
	r.sheet.Topics = append(r.sheet.Topics, t)
}

// clean brings the line ends of a cell to one kind.
func clean(s string) string {
	return strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
}

// clip shortens what a problem quotes.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
