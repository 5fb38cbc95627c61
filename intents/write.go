package intents

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ErrNotTopic says that something cannot be a Topic of a knowledge base: its
// id, a date, a name. What it only lacks is for Load and Lint to say.
var ErrNotTopic = errors.New("not a topic")

// ValidID reports whether a text can be the id of a Topic, a group, a form.
func ValidID(id string) bool { return idPattern.MatchString(id) }

// Tidy returns the Topic as it would be read back: line ends of one kind, no
// control characters, no space around a value, no empty entries.
func Tidy(t Topic) Topic {
	for _, s := range []*string{
		&t.ID, &t.Title, &t.Category, &t.Kind, &t.Answer, &t.Group, &t.Priority, &t.Form, &t.From, &t.Until,
		&t.Owner, &t.Review.State, &t.Review.By, &t.Review.On,
	} {
		*s = tidy(*s)
	}
	if t.Kind == "" {
		t.Kind = KindAnswer
	}
	for _, list := range []*[]string{&t.Phrasings, &t.FollowUps, &t.Sources} {
		var out []string
		for _, s := range *list {
			if s = tidy(s); s != "" {
				out = append(out, s)
			}
		}
		*list = out
	}
	answers := map[string]string{}
	for ch, s := range t.Answers {
		if s = tidy(s); s != "" {
			answers[ch] = s
		}
	}
	if t.Answers = answers; len(answers) == 0 {
		t.Answers = nil
	}
	return t
}

func tidy(s string) string {
	s = strings.ToValidUTF8(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s), "")
	s = strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || !unicode.IsControl(c) && c != '\ufeff' && c != utf8.RuneError && c&0xfffe != 0xfffe {
			return c
		}
		return -1
	}, s)
	return strings.TrimSpace(s)
}

// Equal reports whether two Topics say the same, wherever they are written.
func (t *Topic) Equal(o *Topic) bool {
	return t.ID == o.ID && t.Title == o.Title && t.Category == o.Category && t.Kind == o.Kind &&
		t.Answer == o.Answer && t.Group == o.Group && t.Priority == o.Priority && t.Form == o.Form &&
		t.From == o.From && t.Until == o.Until && t.Owner == o.Owner && t.Review == o.Review &&
		slices.Equal(t.Phrasings, o.Phrasings) && slices.Equal(t.FollowUps, o.FollowUps) &&
		slices.Equal(t.Sources, o.Sources) && maps.Equal(t.Answers, o.Answers)
}

// Put writes one Topic: over the one with its id, or as a new one at the end of
// a file of its category. The other Topics of the file keep their text,
// comments included. A Topic whose category changes moves to a file of that
// category, or to a new one where t.File names one. It returns an error
// that is ErrNotTopic, and leaves f as it was, when t cannot be written.
func (f Files) Put(t Topic) error { return f.Edit([]Topic{t}, nil) }

// Delete takes the Topic with the id out; it is an ErrNotTopic when there is
// none. A file with nothing left in it goes.
func (f Files) Delete(id string) error { return f.Edit(nil, []string{id}) }

// Edit writes several Topics and takes others out, all or none.
func (f Files) Edit(put []Topic, remove []string) error {
	e := editor{files: f.Clone(), open: map[string]*topicFile{}, at: map[string]string{}}
	if err := e.read(); err != nil {
		return err
	}
	for _, id := range remove {
		file, ok := e.at[id]
		if !ok {
			return fmt.Errorf("%w: there is no topic %q", ErrNotTopic, id)
		}
		e.open[file].remove(id)
		delete(e.at, id)
	}
	for _, t := range put {
		if err := e.put(Tidy(t)); err != nil {
			return err
		}
	}
	if err := e.write(); err != nil {
		return err
	}
	clear(f)
	maps.Copy(f, e.files)
	return nil
}

// Topics are the Topics that can be read, in the order of Load. It is fast: the
// rest of the knowledge base is not looked at. Of two with the same id in
// different files both are returned.
func (f Files) Topics() []Topic {
	var out []Topic
	for _, name := range f.Names() {
		if ours(name) && strings.HasPrefix(name, topicsDir+"/") {
			out = append(out, readTopicFile(name, f[name]).topics...)
		}
	}
	return out
}

// editor is one Edit.
type editor struct {
	files Files
	open  map[string]*topicFile
	names []string          // of open, sorted
	at    map[string]string // topic id → file
}

func (e *editor) read() error {
	for _, name := range e.files.Names() {
		if !ours(name) || !strings.HasPrefix(name, topicsDir+"/") {
			continue
		}
		tf := readTopicFile(name, e.files[name])
		e.open[name] = tf
		for _, t := range tf.topics {
			if _, twice := e.at[t.ID]; !twice {
				e.at[t.ID] = name
			}
		}
	}
	e.names = slices.Sorted(maps.Keys(e.open))
	return nil
}

func (e *editor) put(t Topic) error {
	if !idPattern.MatchString(t.ID) {
		return fmt.Errorf("%w: id %q must be 2 to 64 small letters, digits and _, beginning with a letter", ErrNotTopic, t.ID)
	}
	if t.Category == "" {
		return fmt.Errorf("%w: topic %s: category is missing", ErrNotTopic, t.ID)
	}
	if file, ok := e.at[t.ID]; ok {
		if tf := e.open[file]; tf.def.category == t.Category {
			return tf.replace(t)
		}
		e.open[file].remove(t.ID)
	}
	tf := e.home(t)
	e.at[t.ID] = tf.name
	return tf.add(t)
}

// home returns the file a Topic that has none belongs to.
func (e *editor) home(t Topic) *topicFile {
	if tf, ok := e.open[t.File]; ok && tf.def.category == t.Category {
		return tf
	}
	own := ours(t.File) && strings.HasPrefix(t.File, topicsDir+"/")
	for _, name := range e.names {
		if tf := e.open[name]; tf.def.category == t.Category && tf.broken == nil && (!own || e.open[t.File] != nil) {
			return tf
		}
	}
	// A file that this edit emptied is as good as none.
	taken := func(name string) bool { tf := e.open[name]; return tf != nil && (len(tf.topics) > 0 || !tf.changed) }
	name := t.File
	if taken(name) || !own {
		stem := topicsDir + "/" + strings.ReplaceAll(t.ID, "_", "-")
		name = stem + ".yaml"
		for i := 2; taken(name); i++ {
			name = stem + "-" + strconv.Itoa(i) + ".yaml"
		}
	}
	tf := &topicFile{name: name, def: defaults{category: t.Category}, changed: true, spliced: false}
	e.open[name] = tf
	e.names = slices.Sorted(maps.Keys(e.open))
	return tf
}

// write puts the changed files back and makes sure that they read as meant.
func (e *editor) write() error {
	for _, name := range e.names {
		tf := e.open[name]
		if !tf.changed {
			continue
		}
		if len(tf.topics) == 0 {
			delete(e.files, name)
			continue
		}
		text, err := tf.text()
		if err != nil {
			return err
		}
		if len(text) > maxFile {
			return fmt.Errorf("%w: %s would be longer than %d bytes", ErrNotTopic, name, maxFile)
		}
		e.files[name] = text
	}
	return nil
}

// topicFile is a file of Topics being edited. A file in block style is edited
// by the lines of each Topic; any other is written anew.
type topicFile struct {
	name    string
	def     defaults
	topics  []Topic
	broken  error // why the file cannot be edited
	changed bool

	// head, pieces and tail are the file's text; pieces go with topics. They
	// hold good where spliced is true.
	spliced    bool
	head, tail string
	pieces     []piece
}

// piece is the text of one Topic and the comments above it.
type piece struct{ lead, body string }

func readTopicFile(name string, text []byte) *topicFile {
	l := &loader{base: &Base{index: map[string]int{}, uses: map[string][]position{}, places: map[string]places{}}, seen: map[string]seen{}}
	tf := &topicFile{name: name}
	root, ok := parse(&l.report, name, text)
	items := 0
	if ok {
		tf.def, items = l.topicFile(root)
	}
	tf.topics = l.base.Topics
	for _, p := range l.problems {
		// What a Topic says may be wrong, and is being mended; what was not
		// read would be lost.
		if !p.Warning && p.Rule == RuleForm && tf.broken == nil {
			tf.broken = fmt.Errorf("%s cannot be edited before this is mended: %s", name, p.String())
		}
	}
	if ok && items == len(tf.topics) {
		tf.split(string(text))
	}
	return tf
}

// split cuts the text at the Topics. It gives up, and spliced stays false,
// where the file is not a plain list of Topics at its end.
func (tf *topicFile) split(text string) {
	lines := strings.SplitAfter(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	if last := len(lines) - 1; lines[last] == "" {
		lines = lines[:last]
	}
	indent := -1
	starts := make([]int, len(tf.topics))
	for i, t := range tf.topics {
		n := t.Line - 1
		if n < 0 || n >= len(lines) || i > 0 && n <= starts[i-1] {
			return
		}
		body := strings.TrimLeft(lines[n], " ")
		if at := len(lines[n]) - len(body); indent < 0 {
			indent = at
		} else if at != indent {
			return
		}
		if !strings.HasPrefix(body, "- ") || strings.HasPrefix(body, "- {") {
			return
		}
		starts[i] = n
	}
	if len(starts) == 0 || indent != len(itemIndent) {
		return
	}
	comment := func(s string) bool {
		body := strings.TrimLeft(s, " ")
		return strings.TrimSpace(body) == "" || body[0] == '#' && len(s)-len(body) <= indent
	}
	from := starts[0]
	for from > 0 && comment(lines[from-1]) {
		from--
	}
	tf.head = strings.Join(lines[:from], "")
	for i, start := range starts {
		next := len(lines)
		if i+1 < len(starts) {
			next = starts[i+1]
		}
		end := next
		for end > start+1 && comment(lines[end-1]) {
			end--
		}
		for _, s := range lines[start+1 : end] {
			if s[0] != ' ' && s[0] != '#' && strings.TrimSpace(s) != "" {
				return // a key of the file after the list
			}
		}
		tf.pieces = append(tf.pieces, piece{strings.Join(lines[from:start], ""), strings.Join(lines[start:end], "")})
		from = end
	}
	tf.tail = strings.Join(lines[from:], "")
	tf.spliced = true
}

func (tf *topicFile) find(id string) int {
	return slices.IndexFunc(tf.topics, func(t Topic) bool { return t.ID == id })
}

func (tf *topicFile) remove(id string) {
	i := tf.find(id)
	tf.changed = true
	tf.topics = slices.Delete(slices.Clone(tf.topics), i, i+1)
	if tf.spliced {
		tf.pieces = slices.Delete(slices.Clone(tf.pieces), i, i+1)
		if i == 0 && len(tf.pieces) > 0 {
			tf.pieces[0].lead = strings.TrimLeft(tf.pieces[0].lead, "\n")
		}
	}
}

func (tf *topicFile) replace(t Topic) error {
	i := tf.find(t.ID)
	if tf.topics[i].Equal(&t) {
		return nil
	}
	tf.changed = true
	tf.topics[i] = t
	return tf.body(i, t)
}

func (tf *topicFile) add(t Topic) error {
	tf.changed = true
	tf.topics = append(tf.topics, t)
	if tf.spliced {
		tf.pieces = append(tf.pieces, piece{lead: "\n"})
		if n := len(tf.pieces); n == 1 {
			tf.pieces[0].lead = ""
		} else if prev := &tf.pieces[n-2]; !strings.HasSuffix(prev.body, "\n") {
			prev.body += "\n"
		}
	}
	return tf.body(len(tf.topics)-1, t)
}

// body writes the piece of the i-th Topic. A Topic that has not what the file
// gives to all can only be written in a file that gives nothing.
func (tf *topicFile) body(i int, t Topic) error {
	if tf.broken != nil {
		return fmt.Errorf("%w: %w", ErrNotTopic, tf.broken)
	}
	if t.Owner == "" && tf.def.owner != "" {
		tf.spliced = false
	}
	if tf.spliced {
		tf.pieces[i].body = topicText(&t, tf.def)
	}
	return nil
}

// text is the file's text, proved by reading it back.
func (tf *topicFile) text() ([]byte, error) {
	if tf.broken != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotTopic, tf.broken)
	}
	if tf.spliced {
		var b strings.Builder
		b.WriteString(tf.head)
		for _, p := range tf.pieces {
			b.WriteString(p.lead + p.body)
		}
		b.WriteString(tf.tail)
		if text := []byte(b.String()); tf.reads(text) == nil {
			return text, nil
		}
	}
	text := fileText(tf.def.category, tf.topics)
	return text, tf.reads(text)
}

// reads says how a text differs from what it should hold.
func (tf *topicFile) reads(text []byte) error {
	got := readTopicFile(tf.name, text)
	if got.broken != nil {
		return fmt.Errorf("%w: %w", ErrNotTopic, got.broken)
	}
	if len(got.topics) != len(tf.topics) {
		return fmt.Errorf("%w: %s would hold %d topics instead of %d", ErrNotTopic, tf.name, len(got.topics), len(tf.topics))
	}
	for i := range tf.topics {
		if !got.topics[i].Equal(&tf.topics[i]) {
			return fmt.Errorf("%w: topic %s cannot be written as it is (see %s)", ErrNotTopic, tf.topics[i].ID,
				strings.Join(differing(&tf.topics[i], &got.topics[i]), ", "))
		}
	}
	return nil
}
