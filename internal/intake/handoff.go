package intake

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"wensheng/bot"
	"wensheng/handoff"
	"wensheng/internal/chat"
)

// handOff gives the conversation to people: the package, the transition, an
// honest sentence about what happens next, and the place in the queue as an
// effect. The contact is never left without a receipt number (G5).
func (i *Intake) handOff(ctx context.Context, e *bot.Engine, conv chat.Conversation, s *step, m chat.Message, d bot.Decision, evidence json.RawMessage) {
	group := d.Group
	if conv.LastGroup != "" && (group == "" || group == i.o.Groups[0].ID) {
		group = conv.LastGroup
	}
	g := i.group(group)
	generation := conv.Generation + 1
	pkg := handoff.Package{
		Conv: conv.ID, Account: conv.Contact.Account, Channel: conv.Channel,
		Group: g.ID, Generation: generation, Priority: prio(d.Priority),
		Reason: d.Reason, Intent: d.Intent, Topic: d.Topic, Signals: d.Signals,
		Summary: i.o.Mask(d.Summary), Preview: i.preview(m.Text),
		Receipt: receipt(conv.ID, generation, i.o.Clock()), At: i.o.Clock(),
	}
	for _, c := range d.Candidates {
		pkg.Candidates = append(pkg.Candidates, handoff.Candidate{Topic: c.Topic, Title: c.Title, Confidence: c.Confidence})
	}
	for _, en := range d.Entities {
		pkg.Entities = append(pkg.Entities, handoff.Entity{Kind: en.Kind, Value: i.o.Mask(en.Value)})
	}
	if conv.Score > 0 && conv.Score <= 2 {
		pkg.Avoid = conv.LastAgent
	}
	pkg.Form = i.formOf(d.Form)
	raw, err := json.Marshal(pkg)
	if err != nil {
		i.o.Logger.ErrorContext(ctx, "handoff package not made", "err", err)
	}
	s.Event, s.Group, s.Priority = chat.EventHandoff, g.ID, string(pkg.Priority)
	s.Agent, s.Lease = "", ""
	s.Generation, s.Handoff = generation, raw
	s.Append = append(s.Append, i.system(string(chat.EventHandoff), d.Reason))
	i.noteForm(s, pkg.Form)
	for _, text := range i.handoffWords(ctx, e, g, pkg, d) {
		i.say(conv, s, m, chat.Message{Text: text, Evidence: evidence})
		evidence = nil // it explains the decision once
	}
	if d.Then != "" {
		i.say(conv, s, m, chat.Message{Text: d.Then, Options: d.Options})
	}
	s.Effects = append(s.Effects, i.enqueueing(generation))
	i.o.Meter.Handoff(g.ID, string(pkg.Priority), pkg.Reason)
}

// formOf is a form's answers as the package keeps them, masked once more.
func (i *Intake) formOf(f *bot.Form) *handoff.Form {
	if f == nil {
		return nil
	}
	out := &handoff.Form{ID: f.ID, Title: f.Title, State: f.State, Note: i.o.Mask(f.Note), Slots: make([]handoff.Slot, 0, len(f.Slots))}
	for _, x := range f.Slots {
		out.Slots = append(out.Slots, handoff.Slot{ID: x.ID, Label: x.Label, Value: i.o.Mask(x.Value)})
	}
	return out
}

// noteForm writes the answers of a form that has ended into the timeline.
func (i *Intake) noteForm(s *step, f *handoff.Form) {
	if f == nil || f.Note == "" || f.State == bot.FormAsking {
		return
	}
	m := i.system("form", f.ID)
	m.Kind, m.Text = chat.KindNote, f.Note
	s.Append = append(s.Append, m)
}

// enqueueing is the effect that brings a handoff of that generation to its queue.
func (i *Intake) enqueueing(generation int64) chat.Effect {
	return chat.Effect{
		ID: "enqueue:" + strconv.FormatInt(generation, 10), Kind: chat.EffectEnqueue,
		Generation: generation, Due: i.o.Clock().Add(effectLease),
	}
}

// handoffWords are what the contact is told: the bot's own words where they say
// more than "connecting you", that a complaint is received, and what happens next.
func (i *Intake) handoffWords(ctx context.Context, e *bot.Engine, g handoff.Group, pkg handoff.Package, d bot.Decision) []string {
	var words []string
	complaint := d.Notice == noticeComplaint
	if d.Reply != "" && !d.Plain && d.Reason != "complaint" {
		words = append(words, d.Reply)
	}
	if complaint {
		words = append(words, e.Say(complaintPhrase(pkg.Channel), d.Lang, map[string]string{"receipt": pkg.Receipt}))
	}
	next, waits := i.whatNext(ctx, e, g, pkg, d.Lang, len(words) > 0)
	if !complaint || waits {
		words = append(words, next)
	}
	return words
}

// noticeComplaint is the phrase that confirms a complaint with its number.
const noticeComplaint = "complaint_received"

// complaintPhrase is its wording on a channel: short where it is paid by length.
func complaintPhrase(channel string) string {
	if channel == "sms" {
		return "sms_complaint"
	}
	return noticeComplaint
}

// whatNext is the honest sentence: where in the queue, or when people are back.
// waits is true when nobody is there to take it soon. After words that have said
// so already, it does not say again that a person is coming.
func (i *Intake) whatNext(ctx context.Context, e *bot.Engine, g handoff.Group, pkg handoff.Package, lang string, said bool) (text string, waits bool) {
	vars := map[string]string{"receipt": pkg.Receipt, "group": g.Name}
	if g.Hours != nil && !g.Hours.Open(i.o.Clock()) {
		next := g.Hours.Next(i.o.Clock()).In(china)
		vars["month"], vars["day"] = strconv.Itoa(int(next.Month())), strconv.Itoa(next.Day())
		vars["time"] = next.Format("15:04")
		return e.Say("handoff_closed_hours", lang, vars), true
	}
	if online, err := i.o.Desk.Staffed(ctx, g.ID); err == nil && online == 0 {
		return e.Say("handoff_no_agent", lang, vars), true
	}
	items, err := i.o.Desk.Items(ctx, []string{g.ID})
	ahead := 0
	if err == nil {
		for _, it := range items {
			if it.Priority <= pkg.Priority && it.Conv != pkg.Conv {
				ahead++
			}
		}
	}
	vars["position"] = strconv.Itoa(ahead + 1)
	if i.o.Desk.Long(ahead + 1) {
		return e.Say("handoff_queue_long", lang, vars), true
	}
	switch {
	case pkg.Priority == handoff.P0:
		return e.Say("handoff_urgent", lang, vars), false
	case said:
		return e.Say("handoff_place", lang, vars), false
	}
	return e.Say("handoff_queued", lang, vars), false
}

// group returns the configured group, or the first one for an unknown id.
func (i *Intake) group(id string) handoff.Group {
	for _, g := range i.o.Groups {
		if g.ID == id {
			return g
		}
	}
	return i.o.Groups[0]
}

func prio(p string) handoff.Priority {
	switch handoff.Priority(p) {
	case handoff.P0, handoff.P1, handoff.P2:
		return handoff.Priority(p)
	}
	return handoff.P2
}

// receipt is the number a contact is given at a handoff: the day and eight
// digits that can be read over a phone. The same handoff has the same number.
func receipt(conv chat.ConvID, generation int64, at time.Time) string {
	sum := sha256.Sum256([]byte(string(conv) + ":" + strconv.FormatInt(generation, 10)))
	return fmt.Sprintf("WS%s-%08d", at.In(china).Format("060102"), binary.BigEndian.Uint64(sum[:8])%100_000_000)
}

// china is where the contacts' day begins and ends; it has no daylight saving.
var china = time.FixedZone("Asia/Shanghai", 8*3600)

// packageOf returns the conversation's newest handoff package, or an empty one.
func packageOf(conv chat.Conversation) handoff.Package {
	var pkg handoff.Package
	if len(conv.Handoff) > 0 && json.Unmarshal(conv.Handoff, &pkg) != nil {
		pkg = handoff.Package{}
	}
	if pkg.Conv == "" {
		pkg.Conv, pkg.Account, pkg.Channel = conv.ID, conv.Contact.Account, conv.Channel
		pkg.Priority, pkg.At = prio(conv.Priority), conv.ChangedAt
	}
	pkg.Group = conv.Group
	return pkg
}
