package intents

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"wensheng/nlp"
)

const (
	maxSlots   = 5   // RULES Art. 13: nothing but what is necessary
	maxChoices = 5   // buttons
	maxAsk     = 80  // runes of a question
	maxChoice  = 16  // runes of a button
	maxSaid    = 200 // runes of the other sentences
)

// The kinds of Slot. All but text and choice are entities of package nlp, or
// yes and no.
const (
	SlotText     = "text"
	SlotAmount   = "amount"
	SlotDate     = "date"
	SlotPhone    = "phone"
	SlotChoice   = "choice"
	SlotCardTail = "card_tail"
	SlotAgency   = "agency"
	SlotProduct  = "product"
	SlotContract = "contract"
	SlotYesNo    = "yesno"
)

// SlotKinds are the kinds a Slot may have.
func SlotKinds() []string {
	return []string{
		SlotText, SlotAmount, SlotDate, SlotPhone, SlotChoice, SlotCardTail, SlotAgency, SlotProduct, SlotContract, SlotYesNo,
	}
}

// ComplaintForm is the id of the form that every complaint is taken down with,
// unless its Topic names another.
const ComplaintForm = "complaint"

// Form is a few questions whose answers an agent will need. Topics name it with
// `form:`. Its sentences are in Simplified Chinese.
type Form struct {
	ID, Title string
	// Intro is said before the first question; Done when all are answered.
	Intro, Done string
	Slots       []Slot
	// Signals are ids of Signals whose handoff asks the form while the contact
	// waits. Danger (P0) is never asked about.
	Signals []string
	// Group and Priority are the handoff's; Reason what the agent is told.
	Group, Priority, Reason string
	// File and Line say where the Form is written.
	File string
	Line int
}

// Slot is one question of a Form.
type Slot struct {
	ID string
	// Label is the answer's name on the agent's screen.
	Label string
	// Ask is the question; Retry is said when the reply was not understood.
	Ask, Retry string
	// Kind is one of the Slot constants.
	Kind    string
	Choices []Choice
	// Optional says that the question is offered to be skipped. None must be
	// answered: whoever wants to skip may.
	Optional bool
	// Private says that the answer identifies somebody and is shown masked.
	Private bool
	// Future says that a date without its year or month lies ahead.
	Future bool
	// Opening says that a message which began the form and told enough by
	// itself answers this slot.
	Opening bool
	// Own says that the phone asked for is the contact's own, which a text
	// message has come from.
	Own bool
}

// Choice is one button of a Slot.
type Choice struct {
	Label string
	// Words, found in the message that began the form, choose it.
	Words []string
}

// Form returns the Form with the id.
func (b *Base) Form(id string) (*Form, bool) {
	i := slices.IndexFunc(b.forms, func(f Form) bool { return f.ID == id })
	if i < 0 {
		return nil, false
	}
	return &b.forms[i], true
}

// Fill returns a sentence of a Form in lang (any locale), with the facts filled
// in; see Answer.
func (b *Base) Fill(text, lang string, facts map[string]string) string {
	lang = Lang(lang)
	if lang == LangHant {
		text = nlp.Traditional(text)
	} else {
		lang = LangHans
	}
	return b.fill(text, lang, facts)
}

// Forms are all of them, in file order.
func (b *Base) Forms() []Form { return slices.Clone(b.forms) }

// loadForms reads forms/*.yaml, one form a file; a directory that has none gets
// the embedded ones.
func (l *loader) loadForms() {
	fsys, own := l.fsys, true
	if _, err := fs.Stat(fsys, formsDir); errors.Is(err, fs.ErrNotExist) {
		fsys, own = Embedded(), false
	}
	entries, err := fs.ReadDir(fsys, formsDir)
	if err != nil {
		l.errorf(position{file: formsDir}, "cannot read: %s", plain(err))
		return
	}
	for _, d := range entries {
		name := path.Join(formsDir, d.Name())
		switch {
		case strings.HasPrefix(d.Name(), "."), strings.HasSuffix(d.Name(), "~"): // editors' files
			continue
		case d.IsDir(), path.Ext(name) != ".yaml" && path.Ext(name) != ".yml":
			l.warnf(position{file: name}, "is not a .yaml file and is not read")
			continue
		}
		if len(l.base.forms) >= maxFiles {
			l.errorf(position{file: formsDir}, "holds more than %d forms", maxFiles)
			return
		}
		text, ok := readFile(&l.report, fsys, name)
		l.count(name, text)
		if !ok {
			continue
		}
		if root, ok := parse(&l.report, name, text); ok {
			l.form(root, own)
		}
	}
}

// form reads one form. The signals that one of the base's own names must exist;
// the embedded ones may name some that the base has not.
func (l *loader) form(root doc, own bool) {
	f := root.fields("id", "title", "intro", "slots", "done", "signals", "handoff")
	if f == nil {
		return
	}
	form := Form{
		ID: l.id(f["id"].or(root), "form"), Title: f["title"].text("title"),
		Intro: f["intro"].text("intro"), Done: f["done"].text("done"),
		Priority: "P2", File: root.at.file, Line: root.at.line,
	}
	if form.ID == "" {
		return
	}
	if name := strings.TrimSuffix(path.Base(form.File), path.Ext(form.File)); name != form.ID {
		l.errorf(f["id"].at, "form %s: stands in %s; the file is named as the form", form.ID, form.File)
	}
	if _, twice := l.base.Form(form.ID); twice {
		l.errorf(f["id"].at, "form %s: the id is taken", form.ID)
		return
	}
	what := "form " + form.ID
	for _, x := range []struct{ key, text string }{{"title", form.Title}, {"intro", form.Intro}, {"done", form.Done}} {
		l.sentenceOf(f[x.key].or(root), what, x.key, x.text, maxSaid)
	}
	if h, ok := f["handoff"]; ok {
		g := h.fields("group", "priority", "reason")
		if x, ok := g["group"]; ok {
			form.Group = l.id(x, "group")
		}
		form.Priority = l.oneOf(g["priority"], "priority", "P2", "P0", "P1", "P2")
		form.Reason = g["reason"].text("reason")
		l.sentenceOf(g["reason"].or(h), what, "reason", form.Reason, maxAsk)
	} else {
		l.errorf(root.at, "%s: handoff is missing", what)
	}
	for _, x := range f["signals"].lines("signals") {
		if own && !slices.ContainsFunc(l.base.signals, func(s Signal) bool { return s.ID == x.text }) {
			l.errorf(x.at, "%s: signal %q does not exist", what, x.text)
		}
		form.Signals = append(form.Signals, x.text)
	}
	for _, d := range f["slots"].items("slots") {
		if s, ok := l.slot(d, what); ok {
			if slices.ContainsFunc(form.Slots, func(o Slot) bool { return o.ID == s.ID }) {
				l.errorf(d.at, "%s: slot %q is given twice", what, s.ID)
			}
			form.Slots = append(form.Slots, s)
		}
	}
	switch n := len(form.Slots); {
	case n == 0:
		l.errorf(root.at, "%s: it has no slots", what)
	case n > maxSlots:
		l.errorf(f["slots"].at, "%s: %d questions; ask at most %d, only what is necessary", what, n, maxSlots)
	}
	l.base.forms = append(l.base.forms, form)
}

func (l *loader) slot(d doc, what string) (Slot, bool) {
	f := d.fields("id", "label", "ask", "retry", "kind", "choices", "optional", "private", "future", "opening", "own")
	if f == nil {
		return Slot{}, false
	}
	s := Slot{
		ID: l.id(f["id"].or(d), what+": slot"), Label: f["label"].text("label"), Ask: f["ask"].text("ask"), Retry: f["retry"].text("retry"),
		Kind:     l.oneOf(f["kind"].or(d), "kind", SlotText, SlotKinds()...),
		Optional: l.flag(f["optional"], "optional"), Private: l.flag(f["private"], "private"),
		Future: l.flag(f["future"], "future"), Opening: l.flag(f["opening"], "opening"),
		Own: l.flag(f["own"], "own"),
	}
	if s.ID == "" {
		return s, false
	}
	what += ": slot " + s.ID
	l.sentenceOf(f["label"].or(d), what, "label", s.Label, maxChoice)
	l.sentenceOf(f["ask"].or(d), what, "ask", s.Ask, maxAsk)
	if s.Kind != SlotText || s.Retry != "" {
		l.sentenceOf(f["retry"].or(d), what, "retry", s.Retry, maxAsk)
	}
	for _, c := range f["choices"].items("choices") {
		choice := Choice{}
		if m := c; isMapping(m) {
			g := m.fields("label", "words")
			choice.Label = g["label"].text("label")
			for _, w := range g["words"].lines("words") {
				choice.Words = append(choice.Words, w.text)
			}
		} else {
			choice.Label = c.text("choice")
		}
		l.sentenceOf(c, what, "choice", choice.Label, maxChoice)
		s.Choices = append(s.Choices, choice)
	}
	switch n := len(s.Choices); {
	case s.Kind == SlotChoice && (n < 2 || n > maxChoices):
		l.errorf(d.at, "%s: %d choices; give 2 to %d", what, n, maxChoices)
	case s.Kind != SlotChoice && n > 0:
		l.errorf(d.at, "%s: only kind choice has choices", what)
	case s.Future && s.Kind != SlotDate:
		l.errorf(d.at, "%s: only kind date lies in the future", what)
	case s.Own && s.Kind != SlotPhone:
		l.errorf(d.at, "%s: only kind phone is the contact's own", what)
	case s.Opening && s.Kind != SlotText:
		l.errorf(d.at, "%s: only kind text is answered by the opening message", what)
	}
	return s, true
}

// sentenceOf checks one sentence of a form: it is there, short, and without
// personal data, promises or placeholders that nobody fills.
func (l *loader) sentenceOf(d doc, what, key, text string, most int) {
	switch n := utf8.RuneCountInString(text); {
	case n == 0:
		l.errorf(d.at, "%s: %s is missing", what, key)
		return
	case n > most:
		l.errorf(d.at, "%s: %s has %d characters; the limit is %d", what, key, n, most)
	}
	l.placeholders(text, d.at, nil)
	l.private(text, d.at)
	for _, p := range promises {
		if strings.Contains(text, p) {
			l.warnf(d.at, "%s: %s promises %q", what, key, p)
		}
	}
}

func (l *loader) flag(d doc, what string) bool {
	return l.oneOf(d, what, "false", "true", "false") == "true"
}

// namedForms checks that every form a Topic names exists.
func (l *loader) namedForms() {
	for i := range l.base.Topics {
		t := &l.base.Topics[i]
		if _, ok := l.base.Form(t.Form); t.Form != "" && !ok {
			l.errorf(position{t.File, t.Line}, "topic %s: form %q does not exist", t.ID, t.Form)
		}
	}
}
