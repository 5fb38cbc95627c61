package exchange

import (
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"wensheng/intents"
)

// rasaVersion is the version of the training data format that is written.
const rasaVersion = "3.1"

// annotation marks an entity in an example: [word](entity) or [word]{"entity": …}.
var annotation = regexp.MustCompile(`\[([^\]\n]*)\](?:\([^)\n]*\)|\{[^}\n]*\})`)

// exportRasa writes two documents: the NLU data, whose intents carry the
// Topic's other fields as metadata, and the domain with the answers. Texts are
// quoted as YAML quotes them; phrasings stand in a block where they can.
func exportRasa(w io.Writer, topics []intents.Topic) error {
	var b strings.Builder
	b.WriteString("# nlu.yml up to the line of dashes, domain.yml after it.\nversion: \"" + rasaVersion + "\"\nnlu:\n")
	for i := range topics {
		t := &topics[i]
		b.WriteString("- intent: " + t.ID + "\n  metadata:\n")
		for _, c := range theLayout().Columns {
			switch list := listField(t, c.Key); {
			case c.Key == "phrasings" && blockFits(t.Phrasings), c.Key == "id", c.Key == "answer", strings.HasPrefix(c.Key, "answers."):
			case list != nil:
				if len(*list) > 0 {
					b.WriteString("    " + c.Key + ": [" + quoteAll(*list) + "]\n")
				}
			default:
				if v := *textField(t, c.Key); v != "" {
					b.WriteString("    " + c.Key + ": " + strconv.Quote(v) + "\n")
				}
			}
		}
		if len(t.Phrasings) > 0 {
			b.WriteString("  examples: |\n")
			for _, p := range t.Phrasings {
				// What cannot stand in an example stands in the metadata as it is.
				p = annotation.ReplaceAllString(p, "$1")
				b.WriteString("    - " + strings.Join(strings.FieldsFunc(p, func(c rune) bool { return c == '\n' || !shown(c) }), " ") + "\n")
			}
		}
	}
	b.WriteString("---\nversion: \"" + rasaVersion + "\"\nintents:\n")
	for i := range topics {
		b.WriteString("- " + topics[i].ID + "\n")
	}
	b.WriteString("responses:\n")
	for i := range topics {
		t := &topics[i]
		if t.Answer == "" && len(t.Answers) == 0 {
			continue
		}
		b.WriteString("  utter_" + t.ID + ":\n")
		if t.Answer != "" {
			b.WriteString("  - text: " + strconv.Quote(t.Answer) + "\n")
		}
		for _, ch := range slices.Sorted(maps.Keys(t.Answers)) {
			b.WriteString("  - channel: " + strconv.Quote(ch) + "\n    text: " + strconv.Quote(t.Answers[ch]) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func quoteAll(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = strconv.Quote(s)
	}
	return strings.Join(out, ", ")
}

// blockFits reports whether phrasings can stand in a block of examples and be
// read back the same.
func blockFits(list []string) bool {
	for _, s := range list {
		if annotation.MatchString(s) || strings.ContainsFunc(s, func(c rune) bool { return !shown(c) }) {
			return false
		}
	}
	return true
}

// shown reports whether a character may stand in a block; joiners and variation
// selectors belong to emoji.
func shown(c rune) bool {
	return unicode.IsPrint(c) || c == '\u200d' || c == '\ufe0f' || c == '\u3000'
}

// importRasa reads NLU data and a domain, in one document or several. Intents
// of other tools have no metadata: their first phrasing becomes the title, and
// an id that cannot be one here is spelled so that it can.
func importRasa(data []byte, p *problems) Sheet {
	s := rasaReader{problems: p, ids: map[string]string{}, answers: map[string]rasaAnswer{}}
	s.read(data)
	out := Sheet{Fields: map[string]bool{}}
	index := map[string]bool{}
	for _, x := range s.topics {
		t := x.topic
		a, ok := s.answers[t.ID]
		if ok {
			t.Answer, t.Answers = a.common, a.channels
			delete(s.answers, t.ID)
		}
		if index[t.ID] {
			p.errorf(x.line, "intent %s is there twice", t.ID)
			continue
		}
		index[t.ID] = true
		out.Topics = append(out.Topics, intents.Tidy(t))
	}
	for _, id := range slices.Sorted(maps.Keys(s.answers)) {
		p.warnf(s.answers[id].line, "response utter_%s has no intent and is not read", id)
	}
	for _, c := range theLayout().Columns {
		isAnswer := strings.HasPrefix(c.Key, "answer")
		out.Fields[c.Key] = isAnswer && s.domain || !isAnswer && (s.ours || c.Key == "phrasings" || c.Key == "id")
	}
	if len(out.Topics) == 0 && len(p.list) == 0 {
		p.errorf(0, "holds no intents")
	}
	return out
}

type rasaTopic struct {
	topic intents.Topic
	line  int
}

type rasaAnswer struct {
	common   string
	channels map[string]string
	line     int
}

type rasaReader struct {
	*problems
	topics  []rasaTopic
	ids     map[string]string // as written → as here
	answers map[string]rasaAnswer
	domain  bool // answers were given
	ours    bool // metadata was given
}

func (r *rasaReader) read(data []byte) {
	// The parser is not ours: what makes it panic is a bad file.
	defer func() {
		if v := recover(); v != nil {
			r.errorf(0, "is not YAML")
		}
	}()
	if !utf8.Valid(data) {
		r.errorf(0, "is not UTF-8")
		return
	}
	if line := intents.TooDeep(data); line > 0 {
		r.errorf(line, "is nested too deeply")
		return
	}
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		r.errorf(0, "is not YAML: %s", clip(strings.ReplaceAll(yaml.FormatError(err, false, false), "\n", " ")))
		return
	}
	// Answers first: an id is spelled when its intent is read.
	for _, d := range f.Docs {
		r.document(d, map[string]func(ast.Node){"version": nil, "intents": nil, "nlu": r.nlu, "responses": nil, "session_config": nil})
	}
	for _, d := range f.Docs {
		r.document(d, map[string]func(ast.Node){"responses": r.responses})
	}
}

// document gives the values of known keys to their readers.
func (r *rasaReader) document(d *ast.DocumentNode, known map[string]func(ast.Node)) {
	if d == nil || d.Body == nil {
		return
	}
	if _, comment := d.Body.(*ast.CommentGroupNode); comment {
		return
	}
	_, all := known["version"]
	values, ok := pairs(d.Body)
	if !ok && all {
		r.errorf(lineOf(d.Body), "is not a file of training data: it must be a mapping with nlu and responses")
	}
	for _, v := range values {
		fn, ok := known[v.key]
		if !ok && all {
			r.warnf(v.line, "%q is not read", clip(v.key))
		}
		if fn != nil {
			fn(v.value)
		}
	}
}

func (r *rasaReader) nlu(n ast.Node) {
	for _, item := range items(n) {
		line := lineOf(item)
		if len(r.topics) >= maxRows {
			r.errorf(line, "there are more than %d intents", maxRows)
			return
		}
		values, _ := pairs(item)
		fields := map[string]ast.Node{}
		for _, v := range values {
			fields[v.key] = v.value
		}
		if fields["intent"] == nil {
			r.warnf(line, "an entry that is no intent is not read")
			continue
		}
		name, _ := r.text(fields["intent"])
		t := intents.Topic{ID: r.id(name, line)}
		if t.ID == "" {
			continue
		}
		t.Phrasings = r.examples(fields["examples"])
		if fields["metadata"] != nil {
			r.ours = true
			r.metadata(&t, fields["metadata"])
		} else if len(t.Phrasings) > 0 {
			t.Title = t.Phrasings[0]
		}
		r.topics = append(r.topics, rasaTopic{t, line})
	}
}

// id spells an intent's name as an id: faq/early-fee is faq_early_fee.
func (r *rasaReader) id(name string, line int) string {
	if id, ok := r.ids[name]; ok {
		return id
	}
	id := strings.Trim(strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToLower(name)), "_")
	if !intents.ValidID(name) && !intents.ValidID(id) {
		r.errorf(line, "intent %q: the name cannot be an id of small letters, digits and _", clip(name))
		return ""
	}
	if intents.ValidID(name) {
		id = name
	} else {
		r.warnf(line, "intent %q becomes %s", clip(name), id)
	}
	r.ids[name] = id
	return id
}

// metadata reads the fields of a Topic that are not examples.
func (r *rasaReader) metadata(t *intents.Topic, n ast.Node) {
	values, _ := pairs(n)
	for _, v := range values {
		c, ok := theLayout().column(v.key)
		switch list := listField(t, c.Key); {
		case !ok || c.Key == "id" || strings.HasPrefix(c.Key, "answer"):
			r.warnf(v.line, "metadata %q is not read", clip(v.key))
		case list != nil:
			*list = nil
			for _, item := range items(v.value) {
				if s, ok := r.text(item); ok {
					*list = append(*list, s)
				}
			}
		default:
			s, _ := r.text(v.value)
			*textField(t, c.Key) = s
		}
	}
}

// examples reads a block with "- " before each line, or a list of texts.
func (r *rasaReader) examples(n ast.Node) []string {
	var out []string
	if n == nil {
		return nil
	}
	if _, list := n.(*ast.SequenceNode); list {
		for _, item := range items(n) {
			if values, ok := pairs(item); ok {
				item = nil
				for _, v := range values {
					if v.key == "text" {
						item = v.value
					}
				}
			}
			if s, ok := r.text(item); ok {
				out = append(out, annotation.ReplaceAllString(strings.TrimSpace(s), "$1"))
			}
		}
		return out
	}
	s, _ := r.text(n)
	for i, line := range strings.Split(s, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		rest, ok := strings.CutPrefix(line, "-")
		if !ok {
			r.warnf(lineOf(n)+i, "an example does not begin with a dash and is not read: %q", clip(line))
			continue
		}
		out = append(out, annotation.ReplaceAllString(strings.TrimSpace(rest), "$1"))
	}
	return out
}

func (r *rasaReader) responses(n ast.Node) {
	r.domain = true
	values, _ := pairs(n)
	for _, v := range values {
		name, ok := strings.CutPrefix(v.key, "utter_")
		if !ok {
			r.warnf(v.line, "response %q does not begin with utter_ and is not read", clip(v.key))
			continue
		}
		id := name
		if known, ok := r.ids[name]; ok {
			id = known
		}
		a := rasaAnswer{channels: map[string]string{}, line: v.line}
		for _, item := range items(v.value) {
			fields := map[string]string{}
			list, _ := pairs(item)
			for _, f := range list {
				if f.key != "text" && f.key != "channel" {
					r.warnf(f.line, "%q of a response is not read", clip(f.key))
					continue
				}
				fields[f.key], _ = r.text(f.value)
			}
			switch ch := fields["channel"]; {
			case ch == "" && a.common == "":
				a.common = fields["text"]
			case ch == intents.ChannelWeb, ch == intents.ChannelWeChat, ch == intents.ChannelSMS:
				a.channels[ch] = fields["text"]
			case ch != "":
				r.warnf(lineOf(item), "an answer for the channel %q is not read", clip(ch))
			default:
				r.warnf(lineOf(item), "only the first answer of %s is read", clip(v.key))
			}
		}
		r.answers[id] = a
	}
}

// pair is a key of a mapping with its value.
type pair struct {
	key   string
	line  int
	value ast.Node
}

func pairs(n ast.Node) ([]pair, bool) {
	var values []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, false
	}
	var out []pair
	for _, v := range values {
		if v != nil && v.Key != nil && v.Key.GetToken() != nil {
			key := v.Key.GetToken()
			out = append(out, pair{key.Value, key.Position.Line, v.Value})
		}
	}
	return out, true
}

func items(n ast.Node) []ast.Node {
	if s, ok := n.(*ast.SequenceNode); ok {
		return s.Values
	}
	return nil
}

// text reads a scalar; what is none is a problem.
func (r *rasaReader) text(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", true
		}
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	case nil, *ast.NullNode:
		return "", false
	}
	r.errorf(lineOf(n), "must be text")
	return "", false
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 0
	}
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return lineOf(m.Values[0].Key)
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return t.Position.Line
	}
	return 0
}
