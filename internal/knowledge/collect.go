package knowledge

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"wensheng/bot"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
	"wensheng/nlp"
)

// The intents and reasons of a Decision that collecting looks for, and the
// prefix of an option that stands for a Topic.
const (
	intentUp    = "feedback_up"
	intentDown  = "feedback_down"
	intentHuman = "human"
	topicOption = "topic:"
)

// explained is what the evidence beside a bot's message says of the decision.
type explained struct {
	Action  bot.Action `json:"action"`
	Intent  string     `json:"intent"`
	Topic   string     `json:"topic"`
	Because string     `json:"because"`
}

// missed reports whether there was no answer: the honest fallback, or the handoff
// that follows a second one. A picture nobody can read is no question.
func (x explained) missed() bool {
	return x.Intent == "unknown" && (x.Action == bot.Fallback || x.Action == bot.Handoff)
}

// question is a message of a contact with what became of it.
type question struct {
	m       chat.Message
	x       explained
	options []chat.Option
}

// Collect keeps what a closed conversation teaches: what got no answer, what did
// not help, what was picked when asked back, and where a person was asked for
// right after an answer. It reads the transcript when it is archived, not the
// decisions as they are made: only then is it known what the contact did next,
// the archiver repeats itself until all is written, and a conversation that goes
// on is not slowed. Collecting the same transcript again changes nothing.
//
// What is kept is masked; secrets were taken out before the transcript was
// written.
func (l *Library) Collect(ctx context.Context, conv chat.Conversation, transcript []chat.Message) error {
	c := collector{conv: conv, mask: l.o.Mask}
	c.read(transcript)
	if len(c.items) == 0 {
		return nil
	}
	return l.o.Store.AddItems(ctx, c.items)
}

type collector struct {
	conv  chat.Conversation
	mask  func(string) string
	items []kb.Item
}

func (c *collector) read(transcript []chat.Message) {
	replies := map[chat.MessageID]question{}
	for _, m := range transcript {
		if m.Role != chat.RoleBot || m.InReplyTo == "" || len(m.Evidence) == 0 {
			continue
		}
		var x explained
		if json.Unmarshal(m.Evidence, &x) == nil {
			if _, twice := replies[m.InReplyTo]; !twice {
				replies[m.InReplyTo] = question{x: x, options: m.Options}
			}
		}
	}
	// asked is the last question in words; answered the one the last answer was
	// for, with the Topic it got.
	var asked, answered question
	for _, m := range transcript {
		if m.Role != chat.RoleContact || m.Hidden {
			continue
		}
		q, known := replies[m.ID]
		q.m = m
		if !known {
			// Decided by nobody (an agent was there) or not explained.
			answered = question{}
			continue
		}
		switch {
		case q.x.Intent == intentUp || q.x.Intent == intentDown:
			c.judged(answered, q)
			answered = question{}
			continue
		case q.x.Action == bot.Handoff && q.x.Intent == intentHuman:
			if answered.x.Topic != "" {
				c.add(answered.m, kb.SourceTransferred, answered.x.Topic)
			}
			answered = question{}
			continue
		}
		if id, picked := c.picked(asked, q); picked {
			switch {
			case id == bot.OptionNone:
				c.add(asked.m, kb.SourceRefused, "")
			case q.x.Topic != "":
				c.add(asked.m, kb.SourcePicked, q.x.Topic)
				answered = question{m: asked.m, x: q.x}
			}
			asked = question{}
			continue
		}
		answered = question{}
		if m.Kind != chat.KindText && m.Kind != chat.KindVoice {
			continue
		}
		asked = q
		switch {
		case q.x.missed():
			c.add(m, kb.SourceRefused, "")
		case q.x.Action == bot.Answer && q.x.Topic != "":
			answered = q
		}
	}
}

// picked reports whether q chooses an option of a question that was asked back,
// and which: by its button, or by its number or words.
func (c *collector) picked(asked, q question) (id string, ok bool) {
	if asked.x.Action != bot.Clarify || asked.m.Text == "" {
		return "", false
	}
	if q.m.Pick != "" {
		return q.m.Pick, slices.ContainsFunc(asked.options, func(o chat.Option) bool { return o.ID == q.m.Pick })
	}
	if q.x.Because != "pick" {
		return "", false
	}
	if q.x.Topic != "" {
		return topicOption + q.x.Topic, true
	}
	return bot.OptionNone, q.x.Intent == bot.OptionNone
}

// judged keeps a contact's own word about an answer.
func (c *collector) judged(answered, verdict question) {
	if answered.m.Text == "" || answered.x.Topic == "" {
		return
	}
	if verdict.x.Topic != "" && verdict.x.Topic != answered.x.Topic {
		return // it was about an earlier one
	}
	if verdict.x.Intent == intentUp {
		c.add(answered.m, kb.SourceUp, answered.x.Topic)
		return
	}
	c.add(answered.m, kb.SourceDown, answered.x.Topic)
}

// maxLearned is how many characters of a message are kept; phrasings are short.
const maxLearned = 200

func (c *collector) add(m chat.Message, source kb.Source, topic string) {
	text := strings.Join(strings.Fields(c.mask(m.Text)), " ")
	said := nlp.Squash(nlp.Normalize(text))
	if said == "" || runes(text) > maxLearned {
		return
	}
	state := kb.LearnNew
	if source == kb.SourceUp {
		state = kb.LearnLabel
	}
	c.items = append(c.items, kb.Item{
		ID: string(m.ID) + ":" + string(source), Key: said, At: m.At, Source: source, Channel: c.conv.Channel,
		Text: text, Topic: topic, State: state,
	})
}
