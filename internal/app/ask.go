package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"wensheng/bot"
	"wensheng/internal/archive"
	"wensheng/internal/chat"
	"wensheng/internal/config"
	"wensheng/internal/knowledge"
)

// Asker answers single questions with the very engine that serves.
type Asker struct {
	engine *bot.Engine
	clock  func() time.Time
}

// NewAsker loads what a gateway with that config would serve: the directory, or
// the published version where there is a database, or the embedded base.
func NewAsker(ctx context.Context, cfg *config.Config, log *slog.Logger) (_ *Asker, err error) {
	db, err := published(ctx, cfg, log)
	if err != nil {
		return nil, err
	}
	if db != nil {
		defer func() { err = errors.Join(err, db.Close()) }()
	}
	live, err := newLive(ctx, cfg, db, builder(cfg, log), time.Now, log, func(string) {}) //nolint:forbidigo // where no clock is injected, the real one is read here
	if err != nil {
		return nil, err
	}
	e, _ := live.Acquire()                         // as long as the process
	return &Asker{engine: e, clock: time.Now}, nil //nolint:forbidigo // where no clock is injected, the real one is read here
}

// published opens the database that may hold published versions; it is nil where
// a directory is in force, or there is no database yet.
func published(ctx context.Context, cfg *config.Config, log *slog.Logger) (*archive.Archive, error) {
	if cfg.Knowledge.Dir != "" || !archive.Exists(cfg.Database.URL.Reveal(), cfg.Data) {
		return nil, nil //nolint:nilnil // nothing is published, which is no error
	}
	sealer, err := newSealer(cfg)
	if err != nil {
		return nil, err
	}
	return archive.Open(ctx, archive.Options{
		URL: cfg.Database.URL.Reveal(), Dir: cfg.Data, Sealer: sealer, Clock: time.Now, Logger: log, //nolint:forbidigo // where no clock is injected, the real one is read here
	})
}

// Answer is one line of `wensheng ask --json` (CONTRACT).
type Answer struct {
	Text       string          `json:"text"`
	Action     string          `json:"action"`
	Topic      string          `json:"topic"`
	Confidence float64         `json:"confidence"`
	Candidates []Candidate     `json:"candidates"`
	Intent     string          `json:"intent"`
	Signals    []string        `json:"signals"`
	Group      string          `json:"group"`
	Priority   string          `json:"priority"`
	Reply      string          `json:"reply"`
	Options    []chat.Option   `json:"options"`
	Evidence   json.RawMessage `json:"evidence"`
}

// Candidate is a Topic that was considered.
type Candidate struct {
	Topic      string  `json:"topic"`
	Confidence float64 `json:"confidence"`
}

// Ask decides on one text as the first word, today, of a fresh conversation.
func (a *Asker) Ask(text string) Answer {
	return answerOf(text, a.decide(text, config.KindWeb))
}

func (a *Asker) decide(text, channel string) bot.Decision {
	return a.engine.Decide(bot.Memory{}, bot.Input{
		Text: text, Kind: chat.KindText, Channel: channel, Day: a.clock().In(knowledge.China),
	})
}

// answerOf shows a decision as `ask --json` prints it; the console's test tool
// shows the same.
func answerOf(text string, d bot.Decision) Answer {
	out := Answer{
		Text: text, Action: string(d.Action), Topic: d.Topic, Confidence: d.Confidence, Intent: d.Intent,
		Signals: append([]string{}, d.Signals...), Group: d.Group, Priority: d.Priority, Reply: d.Reply,
		Options: append([]chat.Option{}, d.Options...), Candidates: []Candidate{},
	}
	for _, c := range d.Candidates {
		out.Candidates = append(out.Candidates, Candidate{Topic: c.Topic, Confidence: c.Confidence})
	}
	raw, err := json.Marshal(d.Evidence)
	if err != nil {
		raw = []byte("null")
	}
	out.Evidence = raw
	return out
}

// Explain writes the answer as a person would want to read it.
func (a Answer) Explain() string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%-11s %s\n", name, value)
		}
	}
	line("action", a.Action)
	if a.Topic != "" {
		line("topic", fmt.Sprintf("%s (%.2f)", a.Topic, a.Confidence))
	}
	line("intent", a.Intent)
	line("signals", strings.Join(a.Signals, ", "))
	line("group", strings.TrimSpace(a.Group+" "+a.Priority))
	for i, c := range a.Candidates {
		line([]string{"candidates", ""}[min(i, 1)], fmt.Sprintf("%.2f %s", c.Confidence, c.Topic))
	}
	for _, o := range a.Options {
		line("option", o.Label)
	}
	b.WriteString("\n" + a.Reply + "\n")
	return b.String()
}
