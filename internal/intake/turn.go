package intake

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"wensheng/bot"
	"wensheng/handoff"
	"wensheng/internal/chat"
)

// maxConflicts is how often a turn is decided again because the conversation
// changed under it (DESIGN §3.3); then the sweeper tries.
const maxConflicts = 3

// run takes turns under the lease until nothing is unread.
func (i *Intake) run(ctx context.Context, t *chat.Turn) {
	conflicts := 0
	var claimed []*reply
	for t != nil {
		t = i.gather(ctx, t)
		start := i.o.Clock()
		s := i.decide(ctx, t, claimed)
		stored, next, err := i.commit(ctx, t, s)
		switch {
		case err == nil:
			conflicts, claimed = 0, nil
			i.o.Meter.Turn(i.o.Clock().Sub(start))
			s.release(stored)
			i.releaseSilent(t, s.Cursor)
			i.after(ctx, t, s, stored)
			t = next
		case errors.Is(err, chat.ErrConflict) && conflicts < maxConflicts:
			conflicts++
			claimed = s.replies // they still wait for these words
			if t, err = i.o.Store.Reload(ctx, t); err != nil {
				s.release(nil)
				i.o.Logger.WarnContext(ctx, "turn not reloaded", "err", err)
				return
			}
		default:
			// Lost lease, or the store is away: the sweeper takes over once
			// the lease has expired. Nothing was half-done.
			s.release(nil)
			i.releaseSilent(t, math.MaxInt64)
			i.o.Logger.WarnContext(ctx, "turn not committed", "conv", t.Conversation.ID, "err", err)
			if err := i.o.Store.Abandon(ctx, t); err != nil {
				i.o.Logger.DebugContext(ctx, "turn lease not released, it will expire", "err", err)
			}
			return
		}
	}
}

// commit sends a step's commit, once more when the answer was lost: the script
// recognises a commit it has already applied by the turn's token.
func (i *Intake) commit(ctx context.Context, t *chat.Turn, s *step) ([]chat.Message, *chat.Turn, error) {
	for try := 0; ; try++ {
		cctx, cancel := context.WithTimeout(ctx, i.o.AcceptTimeout)
		stored, next, err := i.o.Store.Commit(cctx, t, s.Commit)
		cancel()
		if !errors.Is(err, chat.ErrUnavailable) || try == 2 || !i.o.Clock().Before(t.Until) {
			return stored, next, err
		}
	}
}

// A step is what one turn decided: the commit and what hangs on it.
type step struct {
	chat.Commit
	replies []*reply
}

// release hands the stored words to the callbacks that wait for them.
func (s *step) release(stored []chat.Message) {
	for _, r := range s.replies {
		var mine []chat.Message
		for _, m := range stored {
			if m.InReplyTo == r.id && m.Inline {
				mine = append(mine, m)
			}
		}
		r.finish(mine)
	}
}

// releaseSilent lets the callbacks go whose messages were taken without a word:
// the contact waits in a queue or talks to an agent.
func (i *Intake) releaseSilent(t *chat.Turn, cursor int64) {
	for _, m := range t.Unread {
		if m.Seq <= cursor {
			i.claimReply(m.ID).finish(nil)
		}
	}
}

// decide takes the unread messages in order until one moves the state: the rest
// is decided in the next turn, in the new state.
func (i *Intake) decide(ctx context.Context, t *chat.Turn, claimed []*reply) *step {
	conv := t.Conversation
	engine, release := i.o.Bot()
	defer release()
	s := &step{replies: claimed}
	s.Deliver = map[chat.MessageID]chat.Delivery{}
	s.Group, s.Priority, s.Agent, s.Lease = conv.Group, conv.Priority, conv.Agent, conv.Lease
	var mem bot.Memory
	if len(conv.Memory) > 0 {
		if err := json.Unmarshal(conv.Memory, &mem); err != nil {
			mem = bot.Memory{} // an older version's memory: start afresh
		}
	}
	for _, m := range joinParts(t.Unread) {
		s.Cursor = m.Seq
		if m.Hidden {
			continue
		}
		switch {
		case m.Kind == chat.KindRating:
			i.rated(engine, &conv, s, m, &mem)
		case m.Kind == chat.KindEvent && m.Event == eventEnd:
			i.ended(engine, conv, s, m, &mem)
		case conv.State == chat.StateBot && ratesInWords(conv, m, mem):
			m.Score = int(m.Text[0] - '0')
			i.rated(engine, &conv, s, m, &mem)
		case conv.State == chat.StateBot:
			mem = i.converse(ctx, engine, conv, s, m, mem)
		case conv.State == chat.StateWaiting:
			i.reassure(ctx, engine, conv, s, m, &mem)
		case conv.State.Held():
			mem.Stop() // a person asks now
			i.warn(engine, s, m)
		case conv.State == chat.StateClosed:
			// A silent word after the end; nothing to decide.
		}
		if s.Event != "" {
			break
		}
	}
	if raw, err := json.Marshal(mem); err == nil {
		s.Memory = raw
	}
	return s
}

// eventEnd is the contact's own end of the conversation (widget, unsubscribe).
const eventEnd = "end"

// converse is the bot's turn.
func (i *Intake) converse(ctx context.Context, e *bot.Engine, conv chat.Conversation, s *step, m chat.Message, mem bot.Memory) bot.Memory {
	d := e.Decide(mem, bot.Input{
		Text: m.Text, Kind: m.Kind, Pick: m.Pick, Event: m.Event, EventKey: m.EventKey, Channel: conv.Channel,
		Day: i.today(),
	})
	i.o.Meter.Decision(string(d.Action))
	evidence, err := json.Marshal(d.Evidence)
	if err != nil {
		i.o.Logger.WarnContext(ctx, "evidence not kept", "err", err)
	}
	if d.Action == bot.Handoff {
		i.handOff(ctx, e, conv, s, m, d, evidence)
		return d.Memory
	}
	if d.Reply != "" {
		i.say(conv, s, m, chat.Message{Text: d.Reply, Options: d.Options, Evidence: evidence})
	}
	return d.Memory
}

// say appends a word of the bot, to leave in the callback's response when one
// waits for it, and by the channel otherwise.
func (i *Intake) say(conv chat.Conversation, s *step, to, m chat.Message) {
	m.ID = chat.NewMessageID()
	if m.Role == "" {
		m.Role = chat.RoleBot
	}
	m.Kind = chat.KindText
	m.At = i.o.Clock()
	m.InReplyTo = to.ID
	if i.o.Sender.Pulls(conv.Contact.Account) {
		s.Deliver[m.ID] = chat.DeliverySent
		s.Append = append(s.Append, m)
		return
	}
	s.Deliver[m.ID] = chat.DeliveryPending
	due := m.At.Add(effectLease)
	r := s.replyTo(to.ID)
	if r == nil {
		if r = i.claimReply(to.ID); r != nil {
			s.replies = append(s.replies, r)
		}
	}
	if r != nil {
		m.Inline = true
		due = r.until.Add(redelivery)
	}
	s.Append = append(s.Append, m)
	s.Effects = append(s.Effects, chat.Effect{ID: effectSend(m.ID), Kind: chat.EffectSend, Message: m.ID, Due: due})
}

func (s *step) replyTo(id chat.MessageID) *reply {
	for _, r := range s.replies {
		if r.id == id {
			return r
		}
	}
	return nil
}

func effectSend(id chat.MessageID) string { return "send:" + string(id) }

// system is a hidden line of the timeline: a transition, a signal.
func (i *Intake) system(event, key string) chat.Message {
	return chat.Message{
		ID: chat.NewMessageID(), Role: chat.RoleSystem, Kind: chat.KindEvent,
		Event: event, EventKey: key, Hidden: true, At: i.o.Clock(),
	}
}

// rated records a rating; a low one on a closed conversation reopens it, and the
// next agent is another one.
func (i *Intake) rated(e *bot.Engine, conv *chat.Conversation, s *step, m chat.Message, mem *bot.Memory) {
	score := min(max(m.Score, 1), 5)
	s.Score = score
	mem.Judge = bot.JudgeService // "still not solved" after it says no more
	if score > 2 {
		i.say(*conv, s, m, chat.Message{Text: e.Say("rated_thanks", mem.Lang, nil)})
		if conv.State == chat.StateClosed {
			// The record was written at the close, and the live state ends.
			s.Effects = append(s.Effects, i.archiving(*conv))
		}
		return
	}
	if conv.State == chat.StateClosed {
		s.Event = chat.EventReopen
		s.Append = append(s.Append, i.system(string(chat.EventReopen), "rated "+strconv.Itoa(score)))
		s.Group, s.Priority, s.Agent, s.Lease = "", "", "", ""
	}
	i.say(*conv, s, m, chat.Message{
		Text: e.Say("rated_sorry", mem.Lang, nil),
		Options: []chat.Option{
			{ID: bot.OptionHuman, Label: e.Say("option_human", mem.Lang, nil)},
		},
	})
}

// ended closes the conversation at the contact's wish.
func (i *Intake) ended(e *bot.Engine, conv chat.Conversation, s *step, m chat.Message, mem *bot.Memory) {
	if conv.State == chat.StateClosed {
		return
	}
	s.Event = chat.EventClose
	s.Append = append(s.Append, i.system(string(chat.EventClose), "contact"))
	i.say(conv, s, m, chat.Message{Role: chat.RoleSystem, Text: e.Say("ended_by_contact", mem.Lang, nil)})
	s.Effects = append(s.Effects, i.closing(conv)...)
	s.Group, s.Priority, s.Agent, s.Lease = "", "", "", ""
}

// archiving is the effect that writes the conversation to the record.
func (i *Intake) archiving(conv chat.Conversation) chat.Effect {
	return chat.Effect{
		ID: "archive:" + strconv.FormatInt(conv.Seq, 10), Kind: chat.EffectArchive, Due: i.o.Clock().Add(effectLease),
	}
}

// closing are the effects of every close.
func (i *Intake) closing(conv chat.Conversation) []chat.Effect {
	due := i.o.Clock().Add(effectLease)
	effects := []chat.Effect{i.archiving(conv)}
	if conv.State != chat.StateBot {
		effects = append(effects, chat.Effect{
			ID:   "dequeue:" + strconv.FormatInt(conv.Generation, 10),
			Kind: chat.EffectDequeue, Generation: conv.Generation, Group: conv.Group, Due: due,
		})
	}
	return effects
}

// reassure handles words that come while the contact waits: a signal raises the
// priority at once; asking for a human again gets the place in the queue.
func (i *Intake) reassure(ctx context.Context, e *bot.Engine, conv chat.Conversation, s *step, m chat.Message, mem *bot.Memory) {
	if s.Handoff != nil {
		conv.Handoff = s.Handoff // what an earlier message of this turn added
	}
	pkg := packageOf(conv)
	raised := false
	for _, sig := range e.Signals(m.Text) {
		if !slices.Contains(pkg.Signals, sig.ID) {
			pkg.Signals = append(pkg.Signals, sig.ID)
			s.Append = append(s.Append, i.system("signal", sig.ID))
		}
		if sig.Priority != "" && sig.Priority < string(pkg.Priority) {
			pkg.Priority, raised = prio(sig.Priority), true
			if sig.Reply != "" {
				i.say(conv, s, m, chat.Message{Text: e.Say(sig.Reply, mem.Lang, nil)})
			}
		}
	}
	again := e.Decide(*mem, bot.Input{
		Text: m.Text, Kind: m.Kind, Pick: m.Pick, Channel: conv.Channel, Day: i.today(), Waiting: true,
	})
	asking := mem.Form != nil && mem.Form.State == bot.FormAsking
	asked := asking && again.Action != bot.Handoff // it was a reply to a form's question, or came in between
	switch {
	case again.Notice == noticeComplaint && pkg.Reason != again.Reason:
		pkg.Reason = again.Reason
		if p := prio(again.Priority); p < pkg.Priority {
			pkg.Priority, raised = p, true
		}
		i.say(conv, s, m, chat.Message{Text: e.Say(complaintPhrase(pkg.Channel), mem.Lang, map[string]string{"receipt": pkg.Receipt})})
		if again.Then != "" {
			i.say(conv, s, m, chat.Message{Text: again.Then, Options: again.Options})
		}
		asking = true
	case asked:
		evidence, err := json.Marshal(again.Evidence)
		if err != nil {
			i.o.Logger.WarnContext(ctx, "evidence not kept", "err", err)
		}
		i.say(conv, s, m, chat.Message{Text: again.Reply, Options: again.Options, Evidence: evidence})
	}
	if asking {
		mem.Form, mem.Offered, mem.Complaint = again.Memory.Form, again.Memory.Offered, again.Memory.Complaint
		i.formGrows(s, &pkg, again.Form)
	}
	// On WeChat a word that gets no answer looks like a broken account; in web
	// chat the place in the queue is on the screen, and an SMS costs.
	note := !pkg.Noted && !raised && !asked && again.Reason != "human" && again.Notice != noticeComplaint && conv.Channel == "wechat"
	pkg.Noted = pkg.Noted || note
	pkg.Preview = i.preview(m.Text)
	if raw, err := json.Marshal(pkg); err == nil {
		s.Handoff = raw
	}
	if note {
		i.say(conv, s, m, chat.Message{Text: e.Say("waiting_noted", mem.Lang, nil)})
	}
	if raised {
		// It passes to its own group again, with the new priority: a claim that
		// is under way conflicts with it instead of being lost in it.
		s.Event, s.Priority = chat.EventTransfer, string(pkg.Priority)
		s.Append = append(s.Append, i.system(string(chat.EventTransfer), conv.Group))
		s.Generation = conv.Generation + 1
		s.Effects = append(s.Effects, i.enqueueing(s.Generation))
		return
	}
	if again.Reason == "human" {
		pos, err := i.o.Desk.Position(ctx, conv.Group, conv.ID)
		if err != nil || pos < 1 {
			i.say(conv, s, m, chat.Message{Text: e.Say("waiting_noted", mem.Lang, nil)})
			return
		}
		i.say(conv, s, m, chat.Message{Text: e.Say("waiting_reassure", mem.Lang,
			map[string]string{"position": strconv.Itoa(pos), "receipt": pkg.Receipt})})
	}
}

// formGrows puts a form's newest answers into the package and its summary.
func (i *Intake) formGrows(s *step, pkg *handoff.Package, f *bot.Form) {
	if f == nil {
		return
	}
	if pkg.Form != nil {
		pkg.Summary = strings.TrimSuffix(pkg.Summary, pkg.Form.Note)
	}
	pkg.Form = i.formOf(f)
	pkg.Summary += pkg.Form.Note
	i.noteForm(s, pkg.Form)
}

// warn marks signals in the words of a contact an agent is already talking to.
func (i *Intake) warn(e *bot.Engine, s *step, m chat.Message) {
	for _, sig := range e.Signals(m.Text) {
		s.Append = append(s.Append, i.system("signal", sig.ID))
	}
}

// ratingPick reads the satisfaction question's buttons on channels without stars.
func ratingPick(in chat.Inbound) (int, bool) {
	id, ok := strings.CutPrefix(in.Pick, "rate:")
	if in.Kind != chat.KindPick || !ok {
		return 0, false
	}
	n, err := strconv.Atoi(id)
	return n, err == nil && n >= 1 && n <= 5
}

// ratesInWords reports whether a bare digit answers the satisfaction question
// that ended the last service: the way to rate where there are no stars.
func ratesInWords(conv chat.Conversation, m chat.Message, mem bot.Memory) bool {
	return conv.LastAgent != "" && conv.Score == 0 && len(mem.Offered) == 0 &&
		len(m.Text) == 1 && m.Text[0] >= '1' && m.Text[0] <= '5'
}

// preview is the contact's last words, masked and short.
func (i *Intake) preview(text string) string {
	r := []rune(strings.Join(strings.Fields(i.o.Mask(text)), " "))
	if len(r) > 60 {
		return string(r[:59]) + "…"
	}
	return string(r)
}

// today is the contacts' day, which the dates they write are counted from.
func (i *Intake) today() time.Time { return i.o.Clock().In(china) }

// inTime reports whether t is still to come by this intake's clock.
func (i *Intake) inTime(t time.Time) bool { return i.o.Clock().Before(t) }
