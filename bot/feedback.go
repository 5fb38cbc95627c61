package bot

import (
	"slices"
	"strings"

	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/nlp"
)

// The ids of the options under an answer that say whether it helped.
const (
	OptionUp       = "feedback:up"
	OptionDown     = "feedback:down"
	OptionRephrase = "rephrase"
)

// JudgeService is Memory.Judge after an agent's service was rated.
const JudgeService = "service"

// The intents of a judgement.
const (
	feedbackUp   = "feedback_up"
	feedbackDown = "feedback_down"
)

// judgements are the words of data/feedback.txt, squashed, and the particles
// that may follow them.
func judgements() (words map[string]string, trim string) {
	words = map[string]string{}
	for _, line := range lines("data/feedback.txt") {
		key, text, _ := strings.Cut(line, "\t")
		if key == "trim" {
			trim = text
			continue
		}
		words[bare(text, trim)] = key
	}
	return words, trim
}

func bare(text, trim string) string {
	s := nlp.Squash(nlp.Normalize(text))
	if short := strings.TrimRight(s, trim); short != "" {
		return short
	}
	return s
}

// judged takes a message that says no more than whether the last answer helped.
// Only right after an answer, or after a rating, do such words mean it: "still
// not solved" is then no complaint and no question.
func (t *turn) judged() bool {
	if t.judge == "" || t.form() != nil {
		return false
	}
	verdict := t.e.verdicts[bare(t.norm, t.e.particles)]
	if verdict == "" {
		return false
	}
	t.feedback("feedback:" + verdict)
	return true
}

// feedback records whether an answer helped. What did not help is a miss, also
// when an answer stands between it and the one before: the second goes to
// people.
func (t *turn) feedback(id string) {
	topic := t.judge
	again := topic == "" // pressed once more, or under an older answer
	if again {
		topic = t.mem.LastTopic
	}
	if topic == JudgeService {
		topic = ""
	}
	defer func() {
		t.d.Topic, t.d.Confidence = topic, 1
		t.because("feedback")
	}()
	t.d.Evidence.Because = ""
	if id == OptionUp {
		t.settle()
		t.mem.Downs = 0
		t.d.Action, t.d.Intent, t.d.Reply = Answer, feedbackUp, t.say1("feedback_thanks")
		return
	}
	if !again {
		t.mem.Downs++
		t.mem.Misses = max(t.mem.Misses+1, t.mem.Downs)
		t.mem.Missed++
	}
	if t.mem.Misses >= missLimit {
		t.giveUp("feedback", feedbackDown, "feedback_second")
		return
	}
	t.d.Action, t.d.Intent, t.d.Reply = Fallback, feedbackDown, t.say1("feedback_sorry")
	t.offer(t.humanOption(), chat.Option{ID: OptionRephrase, Label: t.say1("option_rephrase")})
}

// giveUp hands over what the bot could not do, with its own sentence.
func (t *turn) giveUp(reason, intent, phrase string) {
	missed := t.mem.Missed
	t.handoff(reason, intent, t.e.group(""), "P2")
	t.mem.Missed, t.mem.Downs = missed, 0
	t.d.Confidence = 0
	t.d.Reply, t.d.Plain = t.say1(phrase), false
}

// askJudgement adds the two options to those under a Topic's answer, where a
// button costs nothing: not in an SMS.
func (t *turn) askJudgement(topic string, options []chat.Option) []chat.Option {
	if t.judge != "" {
		t.mem.Downs = 0 // the answer before was left without a word
	}
	t.mem.Judge = topic
	if t.in.Channel == intents.ChannelSMS {
		return options
	}
	return append(slices.Clone(options),
		chat.Option{ID: OptionUp, Label: t.say1("option_up")},
		chat.Option{ID: OptionDown, Label: t.say1("option_down")})
}

// patience keeps the bot from failing three times in a row in whatever way: the
// third message in a row that it could only ask back or admit goes to people.
func (t *turn) patience() {
	switch t.d.Action {
	case Clarify, Fallback:
		t.mem.Streak++
		if t.mem.Streak >= streakLimit {
			p := t.d.Confidence
			if t.d.Intent == feedbackDown {
				t.giveUp("feedback", feedbackDown, "feedback_second")
			} else {
				t.giveUp("miss", "unknown", "fallback_second")
				t.d.Evidence.Because = "streak"
			}
			t.d.Confidence = p
			t.mem.Streak = 0
		}
	case Answer, Ask, Handoff:
		if !t.aside && t.d.Intent != "event" {
			t.mem.Streak = 0
		}
	case Refuse:
	}
}
