package intents

import (
	"bytes"
	"maps"
	"slices"
	"strings"
)

// Difference is what lies between two knowledge bases, Topics by id.
type Difference struct {
	Added   []Topic  `json:"added"`
	Removed []Topic  `json:"removed"`
	Changed []Change `json:"changed"`
	// Files are the other files that differ: rules, phrases, words. Only
	// DiffFiles fills it.
	Files []FileChange `json:"files"`
}

// Change is a Topic that both hold, with what differs.
type Change struct {
	Topic string `json:"topic"`
	// Title is the later one.
	Title  string        `json:"title"`
	Fields []FieldChange `json:"fields"`
}

// FieldChange is one field of a Topic. A list has the entries that came and
// went; where only their order changed, and for plain values, Before and After
// hold the whole, one entry a line.
type FieldChange struct {
	// Field is the key in the file, as "answer" or "answers.sms".
	Field   string   `json:"field"`
	Before  string   `json:"before"`
	After   string   `json:"after"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// FileChange is a file that is not of Topics, with the lines that came and
// went; comments and blank lines are none.
type FileChange struct {
	File    string   `json:"file"`
	Added   []string `json:"added"`
	Removed []string `json:"removed"`
}

// Empty reports whether there is no difference.
func (d *Difference) Empty() bool {
	return len(d.Added)+len(d.Removed)+len(d.Changed)+len(d.Files) == 0
}

// Diff compares the Topics of two knowledge bases. Where a Topic is written is
// no difference. The lists are never nil.
func Diff(a, b *Base) Difference {
	d := Difference{Added: []Topic{}, Removed: []Topic{}, Changed: []Change{}, Files: []FileChange{}}
	for i := range a.Topics {
		if _, ok := b.Topic(a.Topics[i].ID); !ok {
			d.Removed = append(d.Removed, a.Topics[i])
		}
	}
	for i := range b.Topics {
		after := &b.Topics[i]
		before, ok := a.Topic(after.ID)
		if !ok {
			d.Added = append(d.Added, *after)
			continue
		}
		if fields := changes(before, after); len(fields) > 0 {
			d.Changed = append(d.Changed, Change{Topic: after.ID, Title: after.Title, Fields: fields})
		}
	}
	return d
}

// DiffFiles compares two snapshots, Topics and all. They may have problems;
// what cannot be read of a file of Topics is left out. A file that a snapshot
// lacks is the embedded one, as for Load.
func DiffFiles(a, b Files) Difference {
	d := Diff(topicsOnly(a), topicsOnly(b))
	a, b = whole(a), whole(b)
	names := maps.Clone(a)
	maps.Copy(names, b)
	for _, name := range names.Names() {
		if strings.HasPrefix(name, topicsDir+"/") || bytes.Equal(a[name], b[name]) {
			continue
		}
		c := FileChange{File: name}
		if c.Added, c.Removed = listChange(saying(a[name]), saying(b[name])); len(c.Added)+len(c.Removed) > 0 {
			d.Files = append(d.Files, c)
		}
	}
	return d
}

// whole adds the files that Load takes from the embedded base.
func whole(f Files) Files {
	out := f.Clone()
	forms := slices.ContainsFunc(f.Names(), func(name string) bool { return strings.HasPrefix(name, formsDir+"/") })
	shipped, err := ReadFiles(Embedded())
	if err != nil {
		return out // cannot happen: a test reads it
	}
	for name, text := range shipped {
		own := strings.HasPrefix(name, topicsDir+"/") || forms && strings.HasPrefix(name, formsDir+"/")
		if _, has := f[name]; !has && !own {
			out[name] = text
		}
	}
	return out
}

func topicsOnly(f Files) *Base {
	b := &Base{Topics: f.Topics(), index: map[string]int{}}
	for i, t := range b.Topics {
		b.index[t.ID] = i
	}
	return b
}

// saying are the lines of a file that say something.
func saying(text []byte) []string {
	var out []string
	for s := range strings.SplitSeq(string(text), "\n") {
		if s = strings.TrimSpace(s); s != "" && s[0] != '#' {
			out = append(out, s)
		}
	}
	return out
}

// differing are the names of the fields two Topics differ in.
func differing(a, b *Topic) []string {
	var out []string
	for _, c := range changes(a, b) {
		out = append(out, c.Field)
	}
	return out
}

func changes(a, b *Topic) []FieldChange {
	var out []FieldChange
	value := func(field, before, after string) {
		if before != after {
			out = append(out, FieldChange{Field: field, Before: before, After: after, Added: []string{}, Removed: []string{}})
		}
	}
	list := func(field string, before, after []string) {
		if slices.Equal(before, after) {
			return
		}
		c := FieldChange{Field: field}
		c.Added, c.Removed = listChange(before, after)
		if len(c.Added)+len(c.Removed) == 0 {
			c.Before, c.After = strings.Join(before, "\n"), strings.Join(after, "\n")
		}
		out = append(out, c)
	}
	value("title", a.Title, b.Title)
	value("category", a.Category, b.Category)
	value("kind", a.Kind, b.Kind)
	value("form", a.Form, b.Form)
	list("phrasings", a.Phrasings, b.Phrasings)
	value("answer", a.Answer, b.Answer)
	channels := maps.Clone(a.Answers)
	if channels == nil {
		channels = map[string]string{}
	}
	maps.Copy(channels, b.Answers)
	for _, ch := range slices.Sorted(maps.Keys(channels)) {
		value("answers."+ch, a.Answers[ch], b.Answers[ch])
	}
	list("follow_ups", a.FollowUps, b.FollowUps)
	value("group", a.Group, b.Group)
	value("priority", a.Priority, b.Priority)
	list("sources", a.Sources, b.Sources)
	value("effective.from", a.From, b.From)
	value("effective.until", a.Until, b.Until)
	value("owner", a.Owner, b.Owner)
	value("review.state", a.Review.State, b.Review.State)
	value("review.by", a.Review.By, b.Review.By)
	value("review.on", a.Review.On, b.Review.On)
	return out
}

// listChange returns what is only in b, and only in a, in their order; an entry
// counts as often as it stands there. Neither is nil.
func listChange(a, b []string) (added, removed []string) {
	minus := func(from, what []string) []string {
		have := map[string]int{}
		for _, s := range what {
			have[s]++
		}
		out := []string{}
		for _, s := range from {
			if have[s]--; have[s] < 0 {
				out = append(out, s)
			}
		}
		return out
	}
	return minus(b, a), minus(a, b)
}
