package bot

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

// The ids of the options a form offers: one of a slot's choices is
// formOption+slot+":"+its number.
const (
	OptionSkip = "form:skip"
	formOption = "form:"
)

// FormReason begins Decision.Reason where a form led to people.
const FormReason = "form:"

// The stages of a form.
const (
	FormAsking    = "asking"
	FormDone      = "done"
	FormCancelled = "cancelled" // by the contact; what was said is kept
	FormStopped   = "stopped"   // something graver came, or a person
)

const (
	// slotTries is how often a slot is asked before it is left out; missedSlots
	// is the slot in a row, left out so, that ends the form. After one that was
	// left out the next is asked once.
	slotTries, missedSlots = 2, 2
	// openingRunes is how long a message must be to tell what happened.
	openingRunes = 14
	// questionRunes is how long a message may be to be a question in between.
	questionRunes = 30
	// freeRunes is how long a reply must be to stand beside the choices.
	freeRunes = 4
	// maxValue bounds an answer that is kept, in characters.
	maxValue = 200
)

// FormState is a form in Memory. Values are as they may be shown: masked.
type FormState struct {
	ID    string `json:"id"`
	State string `json:"state"`
	// Open is the slot that was asked; Tries the replies to it that were not
	// understood, Missed the slots in a row left out for that.
	Open   string `json:"open,omitempty"`
	Tries  int    `json:"tries,omitempty"`
	Missed int    `json:"missed,omitempty"`
	// Waiting says that the contact is in a queue already while he is asked.
	Waiting bool `json:"waiting,omitempty"`
	// Day is when it was begun; a form is not taken up on a later day.
	Day    string   `json:"day,omitempty"`
	Filled []Filled `json:"filled,omitempty"`
}

// Filled is a slot that was asked or known. Value is empty when it was skipped.
type Filled struct {
	ID    string `json:"id"`
	Label string `json:"label"`
	Value string `json:"value"`
}

// Form is what a form has brought so far, for the agent. Values are masked.
type Form struct {
	ID    string   `json:"id"`
	Title string   `json:"title"`
	State string   `json:"state"`
	Slots []Filled `json:"slots"`
	// Note is the same as one sentence, as the summary has it.
	Note string `json:"-"`
}

// formWords are the words of data/forms.txt.
type formWords struct {
	whole                            map[string]string // squashed reply → cancel, skip
	yes, no                          []string
	correct, question, request, mine []string
}

func readFormWords(trim string) formWords {
	w := formWords{whole: map[string]string{}}
	for _, line := range lines("data/forms.txt") {
		what, text, _ := strings.Cut(line, "\t")
		switch what {
		case "yes":
			w.yes = append(w.yes, bare(text, trim))
		case "no":
			w.no = append(w.no, bare(text, trim))
		case "correct":
			w.correct = append(w.correct, text)
		case "question":
			w.question = append(w.question, text)
		case "request":
			w.request = append(w.request, text)
		case "mine":
			w.mine = append(w.mine, text)
		default:
			w.whole[bare(text, trim)] = what
		}
	}
	return w
}

// Stop ends a form that is under way, because somebody else speaks now.
func (m *Memory) Stop() {
	if m.Form != nil && m.Form.State == FormAsking {
		f := *m.Form
		f.State, f.Open = FormStopped, ""
		m.Form = &f
	}
}

// form is the form whose question is open in this turn, or nil.
func (t *turn) form() *intents.Form {
	s := t.mem.Form
	if s == nil || s.State != FormAsking || s.Waiting != t.in.Waiting {
		return nil
	}
	f, ok := t.e.base.Form(s.ID)
	if !ok || t.slot(f) == nil {
		return nil
	}
	if begun, err := time.Parse(time.DateOnly, s.Day); err == nil && !t.in.Day.IsZero() && t.in.Day.Sub(begun) > 48*time.Hour {
		return nil
	}
	return f
}

// slot is the open one.
func (t *turn) slot(f *intents.Form) *intents.Slot {
	i := slices.IndexFunc(f.Slots, func(s intents.Slot) bool { return s.ID == t.mem.Form.Open })
	if i < 0 {
		return nil
	}
	return &f.Slots[i]
}

// formText is a sentence of a form in the contact's script, facts filled in.
func (t *turn) formText(s string) string { return t.e.base.Fill(s, t.lang(), t.e.facts) }

// begin starts a form and returns its first words, with what is known already
// taken; "" when there is nothing to ask. Forms speak Chinese only.
func (t *turn) begin(f *intents.Form, waiting bool) string {
	if t.lang() == intents.LangEn {
		return ""
	}
	s := &FormState{ID: f.ID, State: FormAsking, Waiting: waiting}
	if !t.in.Day.IsZero() {
		s.Day = t.in.Day.Format(time.DateOnly)
	}
	s.Filled = slices.DeleteFunc(slices.Clone(t.before), func(x Filled) bool { return x.Value == "" })
	t.mem.Form = s
	known := t.known(f)
	if !t.next(f) {
		return ""
	}
	words := t.formText(f.Intro)
	if len(known) > 0 {
		words += "\n" + t.e.Say("form_known", t.lang(), map[string]string{"known": t.list(known)})
	}
	t.step("asked")
	return words + "\n" + t.question(f)
}

// known fills the slots that this message or an earlier one answers, and
// returns how they read.
func (t *turn) known(f *intents.Form) []string {
	var out []string
	told := facts{about: t.norm + " " + nlp.Normalize(t.about), here: nlp.Entities(t.in.Text), earlier: slices.Clone(t.mem.Entities)}
	for i := range f.Slots {
		slot := &f.Slots[i]
		if t.filled(slot.ID) != nil {
			continue
		}
		if slot.Own && t.in.Channel == intents.ChannelSMS {
			t.fill(slot, t.e.Say("value_own_number", "", nil)) // his message came from it
			continue
		}
		value := t.told(slot, &told)
		if value == "" {
			continue
		}
		t.fill(slot, value)
		if slot.Kind != intents.SlotText {
			out = append(out, slot.Label+" "+value)
		}
	}
	return out
}

// facts are what was told before a form began; each answers one slot.
type facts struct {
	about   string
	here    []nlp.Entity
	earlier []Masked
}

// told is a slot's answer among the facts, or "".
func (t *turn) told(slot *intents.Slot, x *facts) string {
	switch slot.Kind {
	case intents.SlotText:
		if slot.Opening && utf8.RuneCountInString(nlp.Squash(t.norm)) >= openingRunes {
			return t.textValue(slot, t.in.Text)
		}
		return ""
	case intents.SlotChoice:
		return chosen(slot, x.about)
	case intents.SlotYesNo:
		return ""
	case intents.SlotPhone:
		return t.mem.Phone // any other number may be of whoever called him
	}
	if i := slices.IndexFunc(x.here, func(e nlp.Entity) bool { return e.Kind == slot.Kind && fits(e.Value) }); i >= 0 {
		e := x.here[i]
		x.here = slices.Delete(x.here, i, i+1)
		return t.entityValue(slot, e)
	}
	if slot.Future {
		return "" // what was kept of earlier dates lies in the past
	}
	for i := len(x.earlier) - 1; i >= 0; i-- {
		if e := x.earlier[i]; e.Kind == slot.Kind && fits(e.Value) {
			x.earlier = slices.Delete(x.earlier, i, i+1)
			return t.shown(slot.Kind, e.Value)
		}
	}
	return ""
}

// fits keeps what names an authority from answering for a collection agency.
func fits(value string) bool { return value != "" && !strings.Contains(value, ":") }

// chosen is the choice one of whose words, or whose label, a message holds.
func chosen(slot *intents.Slot, norm string) string {
	said := nlp.Squash(norm)
	for _, c := range slot.Choices {
		label := nlp.Squash(nlp.Normalize(c.Label))
		if said == label || utf8.RuneCountInString(label) > 1 && strings.Contains(said, label) {
			return c.Label
		}
	}
	for _, c := range slot.Choices {
		if slices.ContainsFunc(c.Words, func(w string) bool { return strings.Contains(said, nlp.Squash(nlp.Normalize(w))) }) {
			return c.Label
		}
	}
	return ""
}

func (t *turn) filled(id string) *Filled {
	i := slices.IndexFunc(t.mem.Form.Filled, func(x Filled) bool { return x.ID == id })
	if i < 0 {
		return nil
	}
	return &t.mem.Form.Filled[i]
}

// fill keeps an answer; an empty one is a slot that was skipped.
func (t *turn) fill(slot *intents.Slot, value string) {
	if x := t.filled(slot.ID); x != nil {
		x.Value = value
		return
	}
	t.mem.Form.Filled = append(t.mem.Form.Filled, Filled{ID: slot.ID, Label: slot.Label, Value: value})
}

// next opens the first slot without an answer; false when there is none.
func (t *turn) next(f *intents.Form) bool {
	s := t.mem.Form
	s.Open, s.Tries = "", 0
	for _, slot := range f.Slots {
		if t.filled(slot.ID) == nil {
			s.Open = slot.ID
			return true
		}
	}
	s.State = FormDone
	return false
}

// question is the open slot's, with its options offered.
func (t *turn) question(f *intents.Form) string {
	slot := t.slot(f)
	t.offer(t.slotOptions(slot)...)
	return t.formText(slot.Ask)
}

func (t *turn) slotOptions(slot *intents.Slot) []chat.Option {
	var out []chat.Option
	option := func(i int, label string) {
		out = append(out, chat.Option{ID: formOption + slot.ID + ":" + strconv.Itoa(i+1), Label: label})
	}
	for i, c := range slot.Choices {
		option(i, t.formText(c.Label))
	}
	if slot.Kind == intents.SlotYesNo {
		option(0, t.say1("option_yes"))
		option(1, t.say1("option_no"))
	}
	if slot.Optional {
		out = append(out, chat.Option{ID: OptionSkip, Label: t.say1("option_skip")})
	}
	return out
}

// step says in the evidence what this message was to the form.
func (t *turn) step(did string) {
	s := t.mem.Form
	t.d.Evidence.Form = &FormStep{ID: s.ID, Did: did, Slot: s.Open, Tries: s.Tries, State: s.State}
}

// replied reads a message as the reply to a form's open question; false when
// there is none, or when it asks something that can be answered first.
func (t *turn) replied() bool {
	f := t.form()
	if f == nil {
		return false
	}
	t.because("form")
	said := bare(t.norm, t.e.particles)
	slot := t.slot(f)
	yesno := slot.Kind == intents.SlotYesNo && (slices.Contains(t.e.words.yes, said) || slices.Contains(t.e.words.no, said))
	switch {
	case t.offered():
	case !yesno && t.e.words.whole[said] == "cancel", t.has("goodbye"):
		t.cancel(f)
	case !yesno && t.e.words.whole[said] == "skip":
		t.skip(f)
	case t.has(insult) && utf8.RuneCountInString(said) <= shortRunes:
		t.d.Evidence.Because = ""
		t.builtin(insult)
	case t.corrected(f):
	case t.interrupted(slot):
	default:
		value := t.read(slot, t.in.Text)
		more := t.more(f, slot, value)
		switch {
		case value != "":
			t.take(f, slot, value)
		case more:
			t.settle()
			t.ask(t.question(f))
			t.step("filled")
		default:
			t.unread(f)
		}
	}
	return true
}

// more fills other slots that a reply answers beside the open one, so that they
// are not asked: "3,500, the day before yesterday". It reports whether it did.
func (t *turn) more(f *intents.Form, open *intents.Slot, value string) bool {
	here := nlp.Entities(t.in.Text)
	if value != "" { // the open one has taken the first of its kind
		if i := slices.IndexFunc(here, func(e nlp.Entity) bool { return e.Kind == open.Kind }); i >= 0 {
			here = slices.Delete(here, i, i+1)
		}
	}
	found := false
	told := facts{here: here}
	for i := range f.Slots {
		slot := &f.Slots[i]
		switch slot.Kind {
		case intents.SlotText, intents.SlotChoice, intents.SlotPhone:
			continue
		}
		if slot == open || t.filled(slot.ID) != nil {
			continue
		}
		if v := t.told(slot, &told); v != "" {
			t.fill(slot, v)
			found = true
		}
	}
	return found
}

// take keeps the open slot's answer and goes on.
func (t *turn) take(f *intents.Form, slot *intents.Slot, value string) {
	t.fill(slot, value)
	t.mem.Form.Missed = 0
	t.forward(f, "filled", "")
}

func (t *turn) skip(f *intents.Form) {
	t.fill(t.slot(f), "")
	t.mem.Form.Missed = 0
	t.forward(f, "skipped", "")
}

// forward asks the next question, after words, or ends the form.
func (t *turn) forward(f *intents.Form, did, words string) {
	t.settle()
	if !t.next(f) {
		t.step(did)
		t.complete(f, t.formText(f.Done))
		return
	}
	t.ask(words + t.question(f))
	t.step(did)
}

// ask ends the turn with a question of the form.
func (t *turn) ask(words string) {
	t.d.Action, t.d.Intent, t.d.Confidence = Ask, FormReason+t.mem.Form.ID, 1
	t.d.Reply, t.d.Options = words, t.mem.Offered
}

// complete ends the form: with people, unless they are on their way already.
func (t *turn) complete(f *intents.Form, words string) {
	if !t.in.Waiting {
		t.handoff(FormReason+f.ID, FormReason+f.ID, t.e.group(f.Group), f.Priority)
		if f.ID == intents.ComplaintForm {
			t.d.Notice, t.mem.Complaint = noticeComplaint, true
		}
		t.d.Plain = false
	} else {
		t.settle()
		t.d.Action, t.d.Intent, t.d.Reason, t.d.Confidence = Answer, FormReason+f.ID, FormReason+f.ID, 1
		t.d.Options = nil
	}
	t.d.Reply = words
}

// cancel ends the form at the contact's wish. Whatever was said is kept and
// goes to a person; when nothing was, nobody need be called.
func (t *turn) cancel(f *intents.Form) {
	s := t.mem.Form
	said := slices.ContainsFunc(s.Filled, func(x Filled) bool { return x.Value != "" })
	s.State, s.Open = FormCancelled, ""
	t.step("cancelled")
	switch {
	case t.in.Waiting:
		t.complete(f, t.say1("form_cancelled_waiting"))
	case said:
		t.complete(f, t.say1("form_cancelled_kept"))
	default:
		t.settle()
		t.d.Action, t.d.Intent, t.d.Confidence = Answer, FormReason+f.ID, 1
		t.d.Reply = t.say1("form_cancelled")
		t.offer(t.humanOption())
	}
}

// unread asks once more, and leaves the slot out the next time: a form never
// insists. The third reply in a row that is not understood ends it.
func (t *turn) unread(f *intents.Form) {
	s, slot := t.mem.Form, t.slot(f)
	if s.Tries++; s.Tries < slotTries && s.Missed == 0 {
		words := slot.Retry
		if words == "" {
			words = slot.Ask
		}
		t.settle()
		t.offer(t.slotOptions(slot)...)
		t.ask(t.formText(words))
		t.step("not_understood")
		return
	}
	t.fill(slot, "")
	if s.Missed++; s.Missed >= missedSlots {
		s.State, s.Open = FormStopped, ""
		t.step("not_understood")
		t.complete(f, t.say1("form_given_up"))
		return
	}
	t.forward(f, "not_understood", t.say1("form_skipped")+"\n")
}

// corrected takes back an answer given before: "no, it is 12,000".
func (t *turn) corrected(f *intents.Form) bool {
	rest, ok := "", false
	for _, w := range t.e.words.correct {
		if r, has := strings.CutPrefix(t.norm, w); has && (!ok || len(r) < len(rest)) {
			rest, ok = strings.TrimLeft(r, " ,.!:;、。"), true
		}
	}
	s := t.mem.Form
	if !ok || len(s.Filled) == 0 {
		return false
	}
	for i := len(s.Filled) - 1; i >= 0; i-- {
		j := slices.IndexFunc(f.Slots, func(x intents.Slot) bool { return x.ID == s.Filled[i].ID })
		if j < 0 || s.Filled[i].Value == "" {
			continue
		}
		slot := &f.Slots[j]
		if rest == "" { // he says only that it is wrong: ask that one again
			s.Filled = slices.Delete(s.Filled, i, i+1)
			s.Open, s.Tries = slot.ID, 0
			t.settle()
			t.ask(t.question(f))
			t.step("corrected")
			return true
		}
		if slot.Kind == intents.SlotText {
			continue // nothing tells it from an answer to the open question
		}
		value := t.read(slot, rest)
		if value == "" || slot.Kind == intents.SlotChoice && chosen(slot, rest) == "" {
			continue
		}
		t.fill(slot, value)
		t.settle()
		t.ask(t.e.Say("form_corrected", t.lang(), map[string]string{"value": slot.Label + " " + value}) + "\n" + t.question(f))
		t.step("corrected")
		return true
	}
	return false
}

// interrupted answers a question that comes in between, where the answer is
// sure; the form is taken up again after it. What tells a story is no question,
// and while somebody waits for a person only an answer helps.
func (t *turn) interrupted(slot *intents.Slot) bool {
	if utf8.RuneCountInString(t.norm) > questionRunes || !holds(t.norm, t.e.words.question) {
		return false
	}
	r := t.e.index.Rank(t.in.Text, rankDepth)
	if len(r.Candidates) == 0 || !t.sure(r) {
		return false
	}
	tp, ok := t.e.base.Topic(r.Candidates[0].Label)
	if !ok || tp.Kind != intents.KindAnswer && (t.in.Waiting || slot.Kind == intents.SlotText) {
		return false
	}
	t.explain(r)
	t.d.Evidence.Because = "ranker"
	t.topicAnswer(tp, r.Candidates[0].P)
	return true
}

// resume comes back to the open question after whatever else was said: an
// answer, a refusal, a thank-you.
func (t *turn) resume() {
	f := t.form()
	if f == nil || t.d.Action == Ask || t.d.Action == Handoff || t.in.Kind == chat.KindEvent {
		return
	}
	s := t.mem.Form
	did := "interrupted"
	if t.d.Topic == "" && t.d.Action != Refuse {
		// Neither a question nor a reply: it counts as one not understood.
		if s.Tries++; s.Tries >= slotTries {
			t.fill(t.slot(f), "")
			s.Missed++
			if !t.next(f) {
				t.step("not_understood")
				words := t.d.Reply
				t.complete(f, words+"\n"+t.formText(f.Done))
				return
			}
			did = "not_understood"
		}
	}
	if t.d.Action == Clarify || t.d.Action == Fallback {
		t.d.Action = Ask
	}
	ask := t.question(f)
	t.d.Options = t.mem.Offered
	t.d.Reply += "\n\n" + t.e.Say("form_resume", t.lang(), map[string]string{"title": t.formText(f.Title)}) + ask
	t.mem.Judge = "" // a word now is a reply to the question
	t.step(did)
}

// formPick acts on an option of the form; false when it is of another question.
func (t *turn) formPick(id string) bool {
	f := t.form()
	if f == nil {
		return false
	}
	slot := t.slot(f)
	if id == OptionSkip {
		t.skip(f)
		return true
	}
	for i, o := range t.slotOptions(slot) {
		if o.ID != id {
			continue
		}
		value := o.Label
		if slot.Kind == intents.SlotChoice {
			value = slot.Choices[i].Label
		}
		t.take(f, slot, value)
		return true
	}
	// A button of an earlier question: ask the open one again.
	t.ask(t.question(f))
	t.step("asked")
	return true
}

// read is the open slot's value in a text, as it is shown; "" when there is none.
func (t *turn) read(slot *intents.Slot, text string) string {
	switch slot.Kind {
	case intents.SlotText:
		return t.textValue(slot, text)
	case intents.SlotChoice:
		if c := chosen(slot, nlp.Normalize(text)); c != "" {
			return c
		}
		if utf8.RuneCountInString(nlp.Squash(nlp.Normalize(text))) >= freeRunes {
			return t.textValue(slot, text)
		}
		return ""
	case intents.SlotYesNo:
		said := bare(text, t.e.particles)
		switch {
		case slices.Contains(t.e.words.no, said):
			return t.e.Say("option_no", "", nil)
		case slices.Contains(t.e.words.yes, said):
			return t.e.Say("option_yes", "", nil)
		}
		return ""
	}
	if e, ok := nlp.ReadReply(slot.Kind, text); ok && fits(e.Value) {
		return t.entityValue(slot, e)
	}
	switch slot.Kind {
	case intents.SlotPhone:
		if e, ok := nlp.ReadReply("landline", text); ok {
			return t.entityValue(slot, e)
		}
	case intents.SlotAgency, intents.SlotProduct: // names we have never heard
		return t.textValue(slot, text)
	}
	return ""
}

// textValue is what somebody wrote, masked and bounded; "" when it says nothing.
func (t *turn) textValue(slot *intents.Slot, text string) string {
	for _, b := range []string{"greeting", "thanks", "confirm", empty} {
		if t.has(b) && utf8.RuneCountInString(nlp.Squash(t.norm)) <= shortRunes {
			return ""
		}
	}
	if nlp.Squash(nlp.Normalize(text)) == "" {
		return ""
	}
	s := strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	masked := nlp.Mask(s)
	if slot.Private && masked == s {
		masked = nlp.MaskEntity(nlp.Entity{Kind: slot.ID, Value: s})
	}
	if r := []rune(masked); len(r) > maxValue {
		return string(r[:maxValue]) + "…"
	}
	return masked
}

func (t *turn) entityValue(slot *intents.Slot, e nlp.Entity) string {
	if e.Kind == intents.SlotDate {
		e.Value = nlp.Resolve(e.Value, t.in.Day, slot.Future)
	}
	return t.shown(e.Kind, nlp.MaskEntity(e))
}

// shown adds to a masked value what makes it read as what it is.
func (t *turn) shown(kind, value string) string {
	if kind == intents.SlotAmount {
		return t.e.Say("value_amount", "", map[string]string{"amount": value})
	}
	return value
}

// report is the form in Memory as the agent sees it, or nil.
func (t *turn) report() *Form {
	s := t.mem.Form
	if s == nil {
		return nil
	}
	f, ok := t.e.base.Form(s.ID)
	if !ok {
		return nil
	}
	out := &Form{ID: f.ID, Title: f.Title, State: s.State, Slots: slices.Clone(s.Filled)}
	for _, slot := range f.Slots {
		if t.filled(slot.ID) == nil {
			out.Slots = append(out.Slots, Filled{ID: slot.ID, Label: slot.Label})
		}
	}
	var said []string
	for _, x := range out.Slots {
		if x.Value != "" {
			said = append(said, x.Label+" "+x.Value)
		}
	}
	id, vars := "summary_form_empty", map[string]string{"form": f.Title}
	if len(said) > 0 {
		id, vars["values"] = "summary_form", t.list(said)
	}
	maps.Copy(vars, t.e.facts)
	if note, err := t.e.base.Say(id, "", vars); err == nil {
		out.Note = note
	}
	return out
}
