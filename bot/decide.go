package bot

import (
	"slices"
	"strings"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

// The ids of the options the bot itself offers. A Topic's is its id behind
// topicOption.
const (
	OptionHuman     = "human"
	OptionNone      = "none"
	OptionComplaint = "complaint"
	topicOption     = "topic:"
)

// The built-in intents that decide here.
const (
	human      = "human"
	complaint  = "complaint"
	optout     = "optout"
	secret     = "secret"
	thirdParty = "third_party"
	override   = "override"
	insult     = "insult"
	empty      = "empty"
	confirm    = "confirm"
)

// How patient the bot is: the second miss in a row, the third message in a row
// that got no answer for whatever reason and the second insult in a row go to
// people.
const (
	missLimit   = 2
	streakLimit = 3
	insultLimit = 2
)

// turn is the work on one message.
type turn struct {
	e    *Engine
	in   Input
	mem  Memory
	norm string
	hits []nlp.Hit
	d    Decision
	// judge is what a word of judgement in this message is about.
	judge string
	// about is the title of the Topic that began a form: a button says no more.
	about string
	// before is what a form under way has brought, for one that takes its place.
	before []Filled
	// aside says that the reply settles nothing: what was missed before it
	// still counts as in a row.
	aside bool
}

// Decide takes one message through rules, offered options and the ranker. It is
// pure: the same memory and input give the same Decision. It is safe for
// concurrent use.
func (e *Engine) Decide(mem Memory, in Input) Decision {
	t := &turn{e: e, in: in, mem: mem.clone()}
	t.d.Evidence.Knowledge = e.base.Version
	t.mem.Turns++
	if in.Kind != chat.KindEvent {
		t.judge, t.mem.Judge = t.mem.Judge, ""
	}
	if t.form() != nil {
		t.before = slices.Clone(t.mem.Form.Filled)
	}
	switch {
	case in.Kind == chat.KindEvent:
		if !t.event() {
			return t.done()
		}
	case in.Pick != "":
		t.pick(in.Pick)
	case isMedia(in.Kind) && (strings.TrimSpace(in.Text) == "" || in.Kind == chat.KindLocation):
		t.media()
	}
	if t.d.Action == "" {
		t.text()
	}
	return t.done()
}

func isMedia(k chat.Kind) bool {
	switch k {
	case chat.KindImage, chat.KindVoice, chat.KindVideo, chat.KindLocation, chat.KindLink:
		return true
	default:
		return false
	}
}

func (m Memory) clone() Memory {
	m.Answered = slices.Clone(m.Answered)
	m.Offered = slices.Clone(m.Offered)
	m.Signals = slices.Clone(m.Signals)
	m.Entities = slices.Clone(m.Entities)
	if m.Form != nil {
		f := *m.Form
		f.Filled = slices.Clone(f.Filled)
		m.Form = &f
	}
	return m
}

// text is the order of DESIGN §7: rules, what was offered, the ranker.
func (t *turn) text() {
	raw := t.in.Text
	t.norm = nlp.Normalize(raw)
	t.mem.Lang = language(raw, t.norm, t.mem.Lang)
	t.hits = t.e.match(t.norm)
	t.facts(raw)
	signals := t.e.found(t.hits)
	for _, s := range signals {
		t.d.Signals = append(t.d.Signals, s.ID)
		if !slices.Contains(t.mem.Signals, s.ID) {
			t.mem.Signals = append(t.mem.Signals, s.ID)
		}
	}
	leaked := nlp.HasSecret(raw) || t.has(secret)
	mild := t.mild(signals)
	// Whoever waits has been handed over: what he adds to a form may name a
	// signal, which raises the priority but does not end the form, unless there
	// is danger.
	told := t.in.Waiting && t.form() != nil
	switch {
	case len(signals) > 0 && !mild && (!told || signals[0].Priority == "P0"):
		t.signal(signals)
	case t.judged():
	case t.has(complaint) && (!told || !t.mem.Complaint):
		t.complaint("")
	case t.has(human):
		t.human()
	case t.has(optout) && (t.in.Channel == intents.ChannelSMS || t.in.Channel == ""):
		t.say(Answer, optout, optout)
	case leaked:
		t.say(Refuse, secret, "secret")
		leaked = false
	case t.has(thirdParty):
		t.say(Refuse, thirdParty, "third_party")
	case t.has(override):
		t.say(Refuse, override, "override")
	case t.replied():
	case t.offered():
	case t.smallTalk():
	default:
		t.rank()
	}
	if mild && (t.d.Action == Clarify || t.d.Action == Fallback) {
		t.d.Evidence.Because = ""
		t.signal(signals)
	}
	if leaked {
		// Whatever else was decided, the warning about the secret is given.
		t.d.Reply += "\n" + t.say1("refuse_secret")
		t.d.Plain = false
	}
}

// mild reports whether the signals say no more than that somebody is upset, by
// the look of the message and not by a word in it: then a question that can be
// answered is answered.
func (t *turn) mild(signals []Signal) bool {
	for _, s := range signals {
		byLook := slices.ContainsFunc(t.hits, func(h nlp.Hit) bool {
			return h.Rule == signalRule+s.ID && slices.Contains(t.e.signals[s.ID].Rule.Patterns, h.Phrase)
		})
		if s.Priority != "P2" || !byLook {
			return false
		}
	}
	return len(signals) > 0
}

func (t *turn) has(builtin string) bool {
	return slices.ContainsFunc(t.hits, func(h nlp.Hit) bool { return h.Rule == builtinLabel+builtin })
}

func (t *turn) lang() string {
	if t.mem.Lang == "" {
		return intents.LangHans
	}
	return t.mem.Lang
}

func (t *turn) say1(id string) string { return t.e.Say(id, t.lang(), nil) }

// say ends the turn with a built-in intent's sentence.
func (t *turn) say(a Action, builtin, because string) {
	id := t.e.builtins[builtin].Reply
	if id == "" {
		id = builtin
	}
	t.d.Action, t.d.Intent, t.d.Confidence = a, builtin, 1
	t.d.Reply = t.say1(id)
	t.because(because)
	t.settle()
}

func (t *turn) because(word string) {
	if t.d.Evidence.Because == "" {
		t.d.Evidence.Because = word
	}
}

// settle forgets what only counts in a row.
func (t *turn) settle() {
	t.mem.Misses, t.mem.Insults, t.mem.Offered = 0, 0, nil
}

// signal hands over at once, with the gravest signal's fixed text.
func (t *turn) signal(found []Signal) {
	top := found[0]
	t.handoff("signal:"+top.ID, top.ID, top.Group, top.Priority)
	t.d.Reply, t.d.Plain = "", false
	for _, s := range found {
		// The gravest with a text of its own speaks.
		if id := t.e.signals[s.ID].Reply; id != "" {
			t.d.Reply = t.say1(id)
			break
		}
	}
	if t.d.Reply == "" {
		t.d.Reply = t.say1("signal_" + top.ID)
	}
	switch {
	case t.has(complaint):
		t.d.Intent, t.d.Notice, t.mem.Complaint = complaint, noticeComplaint, true
		t.raise("P1")
	case t.has(human):
		t.d.Intent = human
	}
	t.because("signal")
	if top.Priority == "P0" || t.has(human) {
		return // nobody in danger is asked to fill in a form
	}
	if t.d.Intent != complaint {
		t.answerToo(found)
	}
	for _, s := range found {
		for _, f := range t.e.base.Forms() {
			if slices.Contains(f.Signals, s.ID) {
				t.askWaiting(f.ID)
				return
			}
		}
	}
	if t.d.Intent == complaint {
		t.askWaiting(intents.ComplaintForm)
	}
}

// briefly ends the id of the short form of a signal's sentence. A signal that has
// one may stand before an answer; what the others say may not be crowded out.
const briefly = "_brief"

// answerToo gives whoever is handed over for a signal the approved text he asks
// for, where the ranker is sure of it: behind the short form of the signal's
// sentence, or in its place where the Topic hands over in its own words. It never
// changes who takes the conversation, nor how soon, but to sooner.
func (t *turn) answerToo(found []Signal) {
	words := ""
	for i, s := range found {
		short, err := t.e.base.Say(s.Reply+briefly, t.lang(), t.e.facts)
		if err != nil {
			return
		}
		if i == 0 {
			words = short
		}
	}
	r := t.e.index.Rank(t.in.Text, rankDepth)
	if len(r.Candidates) == 0 || !t.sure(r) {
		return
	}
	tp, ok := t.e.base.Topic(r.Candidates[0].Label)
	if !ok {
		return
	}
	reply := t.e.base.Answer(tp, t.in.Channel, t.lang(), t.e.facts)
	switch tp.Kind {
	case intents.KindAnswer:
		t.d.Reply = words + "\n\n" + reply
	case intents.KindHandoff:
		t.d.Reply = reply
	default:
		return
	}
	t.raise(tp.Priority)
	t.explain(r)
	t.remember(tp)
	t.d.Topic = tp.ID
}

// noticeComplaint is the phrase that confirms a complaint with its number.
const noticeComplaint = "complaint_received"

// askWaiting begins a form after a handoff: nothing waits for its answers, they
// reach whoever takes the conversation.
func (t *turn) askWaiting(id string) {
	f, ok := t.e.base.Form(id)
	if !ok {
		return
	}
	t.d.Then = t.begin(f, true)
	if t.d.Then != "" {
		t.d.Options = t.mem.Offered
	}
}

// complaint registers a grievance; it is never denied or dissuaded (RULES §9.2).
func (t *turn) complaint(topic string) {
	group := t.e.care
	if tp, ok := t.e.base.Topic(topic); ok && tp.Group != "" {
		group = tp.Group
	}
	t.handoff(complaint, complaint, t.e.group(group), "P1")
	t.d.Notice, t.mem.Complaint = noticeComplaint, true
	t.d.Reply = t.say1("complaint_now")
	t.because(complaint)
	form := intents.ComplaintForm
	if tp, ok := t.e.base.Topic(topic); ok && tp.Form != "" {
		form = tp.Form
	}
	t.askWaiting(form)
}

func (t *turn) human() {
	t.handoff(human, human, t.e.group(""), "P2")
	t.because(human)
}

// handoff gives the conversation to people, with the plain sentence.
func (t *turn) handoff(reason, intent, group, priority string) {
	t.d.Action, t.d.Reason, t.d.Intent, t.d.Confidence = Handoff, reason, intent, 1
	t.d.Group, t.d.Priority, t.d.Notice = group, priority, "handoff_queued"
	t.d.Reply, t.d.Plain, t.d.Options = t.say1("handoff_now"), true, nil
	t.mem.Stop()
	if !t.in.Waiting {
		t.mem.Complaint = false
	}
	t.settle()
}

// raise lifts the priority, never lowers it.
func (t *turn) raise(priority string) {
	if priority != "" && (t.d.Priority == "" || priority < t.d.Priority) {
		t.d.Priority = priority
	}
}

// event handles what is not said; it reports whether the event stands for a text.
func (t *turn) event() bool {
	t.mem.Turns--
	key := t.in.EventKey
	switch strings.ToLower(t.in.Event) {
	case "subscribe", "scan":
		t.d.Action, t.d.Intent, t.d.Confidence = Answer, "subscribe", 1
		t.d.Reply = t.say1("subscribe_welcome")
		t.because("event")
		return false
	case "click":
		if key == "" {
			break
		}
		if _, ok := t.e.base.Topic(strings.TrimPrefix(key, topicOption)); ok || key == OptionHuman || key == OptionComplaint {
			t.pick(key)
			return true
		}
		t.in.Text = key
		return true
	}
	t.d.Action, t.d.Intent, t.d.Confidence = Answer, "event", 1
	t.because("event")
	return false
}

// media answers a file nobody here can read; the second one goes to people.
func (t *turn) media() {
	if f := t.form(); f != nil && t.in.Kind != chat.KindLocation && t.in.Kind != chat.KindLink {
		// Evidence for a person to look at; the question stays open.
		t.d.Action, t.d.Intent, t.d.Confidence, t.d.Reply = Answer, "media", 1, t.say1("form_media")
		t.because("form")
		return
	}
	switch t.in.Kind {
	case chat.KindImage, chat.KindVoice, chat.KindVideo:
		t.mem.Misses++
		if t.mem.Misses >= missLimit {
			t.handoff("media", "media", t.e.group(""), "P2")
			t.because("media")
			return
		}
		t.d.Action, t.d.Intent = Fallback, "media"
		t.d.Reply = t.say1("media_received")
	default:
		t.d.Action, t.d.Intent = Fallback, "media"
		t.d.Reply = t.say1("unsupported_kind")
	}
	t.offer(t.humanOption())
	t.because("media")
}

// offered reads a message as the choice of an option under the last reply:
// its number or its label.
func (t *turn) offered() bool {
	if len(t.mem.Offered) == 0 {
		return false
	}
	said := nlp.Squash(t.norm)
	for i, o := range t.mem.Offered {
		if said == string(rune('1'+i)) || (said != "" && said == nlp.Squash(nlp.Normalize(o.Label))) {
			t.pick(o.ID)
			return true
		}
	}
	return false
}

// pick acts on a chosen option. One that is no longer offered still works as
// long as the knowledge base has its Topic.
func (t *turn) pick(id string) {
	t.because("pick")
	switch id {
	case OptionHuman:
		t.human()
		return
	case OptionComplaint:
		t.complaint("")
		return
	case OptionUp, OptionDown:
		t.feedback(id)
		return
	case OptionRephrase:
		t.d.Action, t.d.Intent, t.d.Confidence = Fallback, "rephrase", 1
		t.d.Reply = t.say1("none_picked")
		t.offer(t.humanOption())
		return
	}
	if strings.HasPrefix(id, formOption) && t.formPick(id) {
		return
	}
	switch id {
	case OptionNone:
		t.mem.Offered = nil
		t.mem.Misses++
		t.mem.Missed++
		if t.mem.Misses >= missLimit {
			t.handoff("declined", "none", t.e.group(""), "P2")
			return
		}
		t.d.Action, t.d.Intent, t.d.Confidence = Fallback, "none", 1
		t.d.Reply = t.say1("none_picked")
		t.offer(t.humanOption())
		return
	}
	if tp, ok := t.e.base.Topic(strings.TrimPrefix(id, topicOption)); ok {
		t.topic(tp, 1)
		return
	}
	if t.in.Text != "" {
		t.d.Evidence.Because = ""
		t.mem.Offered = nil
		t.text()
		return
	}
	t.d.Action, t.d.Intent = Fallback, "pick"
	t.d.Reply = t.say1("pick_unknown")
	t.offer(t.humanOption())
}

// smallTalk answers greetings, thanks, insults and messages without a word.
func (t *turn) smallTalk() bool {
	for _, b := range t.e.base.Builtins() {
		switch b.ID {
		case human, complaint, optout, secret, thirdParty, override:
			continue
		}
		if !t.has(b.ID) {
			continue
		}
		t.builtin(b.ID)
		return true
	}
	if strings.TrimSpace(nlp.Squash(t.norm)) == "" {
		t.builtin(empty)
		return true
	}
	return false
}

func (t *turn) builtin(id string) {
	switch id {
	case human:
		t.human()
	case complaint:
		t.complaint("")
	case thirdParty, override, secret:
		t.say(Refuse, id, id)
	case insult:
		n := t.mem.Insults + 1
		if n >= insultLimit {
			t.handoff(insult, insult, t.e.group(""), "P2")
			t.d.Reply, t.d.Plain = t.say1("signal_emotion"), false
			t.because(insult)
			return
		}
		t.talk(id)
		t.mem.Insults = n
	case confirm:
		t.talk(id)
		t.d.Reply = t.say1("anything_else")
	case empty:
		offered := t.mem.Offered
		t.talk(id)
		t.mem.Offered, t.mem.Judge = offered, t.judge
	default:
		t.talk(id)
	}
}

// talk says a built-in's sentence. A kind word is no miss, but no answer to what
// was asked before it either.
func (t *turn) talk(id string) {
	misses := t.mem.Misses
	t.say(Answer, id, id)
	t.mem.Misses, t.aside = misses, true
}

// topic answers with a Topic, or hands it to people where it says so. A form it
// names is asked at once, or, where people are needed anyway, while they come.
func (t *turn) topic(tp *intents.Topic, p float64) {
	reply := t.e.base.Answer(tp, t.in.Channel, t.lang(), t.e.facts)
	t.about = tp.Title
	switch tp.Kind {
	case intents.KindComplaint:
		t.complaint(tp.ID)
		t.d.Reason, t.d.Intent = complaint, tp.ID
		t.raise(tp.Priority)
		t.d.Reply, t.d.Plain = reply, false
	case intents.KindHandoff, intents.KindUrgent:
		priority := tp.Priority
		if priority == "" {
			priority = "P2"
			if tp.Kind == intents.KindUrgent {
				priority = "P1"
			}
		}
		t.handoff("topic", tp.ID, t.e.group(tp.Group), priority)
		t.d.Reply, t.d.Plain = reply, false
		t.askWaiting(tp.Form)
	default:
		t.topicAnswer(tp, p)
		if f, ok := t.e.base.Form(tp.Form); ok && t.form() == nil && !t.in.Waiting {
			if words := t.begin(f, false); words != "" {
				t.ask(reply + "\n\n" + words)
				t.mem.Judge = ""
			} else if t.lang() != intents.LangEn {
				t.complete(f, reply+"\n\n"+t.formText(f.Done)) // all of it is known
			}
		}
	}
	t.answeredWith(tp, p)
}

// topicAnswer says a Topic's text and offers what is worth asking next.
func (t *turn) topicAnswer(tp *intents.Topic, p float64) {
	t.settle()
	t.d.Action, t.d.Reply = Answer, t.e.base.Answer(tp, t.in.Channel, t.lang(), t.e.facts)
	t.followUps(tp)
	t.answeredWith(tp, p)
}

func (t *turn) answeredWith(tp *intents.Topic, p float64) {
	t.d.Topic, t.d.Intent, t.d.Confidence = tp.ID, tp.ID, p
	t.remember(tp)
}

func (t *turn) remember(tp *intents.Topic) {
	t.mem.LastTopic = tp.ID
	if n := len(t.mem.Answered); n > 0 && t.mem.Answered[n-1] == tp.ID {
		return
	}
	t.mem.Answered = append(t.mem.Answered, tp.ID)
	if n := len(t.mem.Answered); n > maxRemembered {
		t.mem.Answered = t.mem.Answered[n-maxRemembered:]
	}
}

// maxRemembered bounds the lists in Memory.
const maxRemembered = 10

// followUps offers the Topics worth asking next.
func (t *turn) followUps(tp *intents.Topic) {
	var out []chat.Option
	for _, id := range tp.FollowUps {
		if next, ok := t.e.base.Topic(id); ok && len(out) < 3 && !slices.Contains(t.mem.Answered, id) {
			out = append(out, t.topicOption(next))
		}
	}
	t.offer(t.askJudgement(tp.ID, out)...)
}

func (t *turn) topicOption(tp *intents.Topic) chat.Option {
	label := tp.Title
	if t.lang() == intents.LangHant {
		label = nlp.Traditional(label)
	}
	return chat.Option{ID: topicOption + tp.ID, Label: label}
}

func (t *turn) humanOption() chat.Option {
	return chat.Option{ID: OptionHuman, Label: t.say1("option_human")}
}

func (t *turn) offer(options ...chat.Option) {
	t.d.Options = options
	t.mem.Offered = slices.Clone(options)
}

// miss says honestly that there is no answer; the second in a row hands over.
func (t *turn) miss(because string) {
	t.mem.Misses++
	t.mem.Missed++
	t.because(because)
	if t.mem.Misses >= missLimit {
		t.giveUp("miss", "unknown", "fallback_second")
		return
	}
	t.d.Action, t.d.Intent = Fallback, "unknown"
	t.d.Reply = t.say1("fallback")
	t.offer(t.humanOption())
}

// language guesses what to answer in: the script of this message, else what was
// used before.
func language(raw, norm, before string) string {
	han, words := 0, 0
	for f := range strings.FieldsSeq(norm) {
		if isLetters(f) {
			words++
		}
	}
	for _, r := range norm {
		if r >= 0x3400 && r <= 0x9fff {
			han++
		}
	}
	switch {
	case han > 0 && nlp.IsTraditional(raw):
		return intents.LangHant
	case han >= 4 && before != intents.LangHant:
		return intents.LangHans
	case han >= 8:
		return intents.LangHans
	case han == 0 && words >= 2 && utf8.RuneCountInString(norm) >= 8 && !nlp.IsPinyin(norm):
		return intents.LangEn
	}
	return before
}

func isLetters(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && r != '\'' && r != '?' && r != ',' && r != '.' && r != '!' {
			return false
		}
	}
	return s != ""
}
