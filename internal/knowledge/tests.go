package knowledge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/intents/exchange"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// Bounds of test sets and of what is shown of a run.
const (
	maxSets     = 100
	maxCases    = 5000
	maxText     = 2000 // characters of a question
	failedShown = 200
	history     = 50
)

// Tests lists the test sets with the newest result of each.
func (l *Library) Tests(ctx context.Context) ([]kb.SetLine, error) {
	sets, err := l.sets(ctx)
	if err != nil {
		return nil, err
	}
	last, err := l.o.Store.Outcomes(ctx, "", 0)
	if err != nil {
		return nil, err
	}
	out := make([]kb.SetLine, 0, len(sets))
	for _, s := range sets {
		line := kb.SetLine{ID: s.ID, Name: s.Name, Cases: len(s.Cases), By: s.By, At: s.At, Shipped: s.Shipped}
		if i := slices.IndexFunc(last, func(o kb.Outcome) bool { return o.Set == s.ID }); i >= 0 {
			line.Last = &last[i]
		}
		out = append(out, line)
	}
	return out, nil
}

func (l *Library) set(ctx context.Context, id string) (kb.TestSet, error) {
	sets, err := l.sets(ctx)
	if err != nil {
		return kb.TestSet{}, err
	}
	i := slices.IndexFunc(sets, func(s kb.TestSet) bool { return s.ID == id })
	if i < 0 {
		return kb.TestSet{}, chat.ErrNotFound
	}
	return sets[i], nil
}

// Test is one test set with its history. Errors: chat.ErrNotFound.
func (l *Library) Test(ctx context.Context, id string) (kb.SetView, error) {
	s, err := l.set(ctx, id)
	if err != nil {
		return kb.SetView{}, err
	}
	h, err := l.o.Store.Outcomes(ctx, id, history)
	return kb.SetView{TestSet: s, History: h}, err
}

// CreateTest keeps a sheet as a test set: format is xlsx or csv, the first row
// names the columns. Personal data in the questions is masked.
func (l *Library) CreateTest(ctx context.Context, user, name, format string, raw []byte) (kb.TestSet, error) {
	name = strings.TrimSpace(name)
	if name == "" || runes(name) > maxTitle {
		return kb.TestSet{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("name: 1 to %d characters", maxTitle))
	}
	have, err := l.o.Store.TestSets(ctx)
	if err != nil {
		return kb.TestSet{}, err
	}
	if len(have) >= maxSets {
		return kb.TestSet{}, kb.Refuse(kb.CodeTooMany, fmt.Sprintf("there are %d test sets; delete some", len(have)))
	}
	read, problems := exchange.Cases(raw, format)
	if bad := hard(problems); len(bad) > 0 {
		return kb.TestSet{}, badSheet(bad)
	}
	if len(read) > maxCases {
		return kb.TestSet{}, kb.Refuse(kb.CodeBadSheet, fmt.Sprintf("the sheet has more than %d cases", maxCases))
	}
	s := kb.TestSet{ID: "s" + chat.NewToken()[:10], Name: name, By: user, At: l.o.Clock()}
	for _, c := range read {
		if runes(c.Text) > maxText {
			return kb.TestSet{}, kb.Refuse(kb.CodeBadSheet, fmt.Sprintf("row %d: a question has at most %d characters", c.Row, maxText))
		}
		s.Cases = append(s.Cases, kb.Case{Text: l.o.Mask(c.Text), Topic: c.Topic, Action: c.Action, Channel: c.Channel})
	}
	return s, l.o.Store.CreateTestSet(ctx, s)
}

// badSheet says which rows have to be mended.
func badSheet(problems []intents.Problem) error {
	detail := problems[0].Msg
	if row := problems[0].Line; row > 0 {
		detail = fmt.Sprintf("row %d: %s", row, detail)
	}
	return &kb.Error{Code: kb.CodeBadSheet, Detail: detail, Problems: problems}
}

// channel reports whether a channel may be named; none means web.
func channel(c string) bool {
	return c == "" || c == intents.ChannelWeb || c == intents.ChannelWeChat || c == intents.ChannelSMS
}

// DeleteTest throws a test set and its history away. The shipped one stays.
func (l *Library) DeleteTest(ctx context.Context, id string) error {
	if id == ShippedSet {
		return kb.Refuse(kb.CodeBadState, "the shipped test set is part of the program")
	}
	return l.o.Store.DeleteTestSet(ctx, id)
}

// RunTest starts a test set on a version, or on what is in force.
func (l *Library) RunTest(ctx context.Context, user, id, version string) (string, error) {
	s, err := l.set(ctx, id)
	if err != nil {
		return "", err
	}
	t, err := l.loadable(ctx, version)
	if err != nil {
		return "", err
	}
	run := kb.Run{Kind: kb.RunBatch, Version: t.version.ID, Hash: t.base.Version, Set: s.ID, By: user}
	j, err := l.runs.start(ctx, run, func(ctx context.Context, progress func(done, total int)) (any, kb.Score, error) {
		return l.batch(ctx, t, s.Cases, progress)
	})
	if err != nil {
		return "", err
	}
	return j.state().ID, nil
}

func (l *Library) batch(ctx context.Context, t *text, cases []kb.Case, progress func(done, total int)) (any, kb.Score, error) {
	e, err := l.engine(ctx, t, half(progress, 0))
	if err != nil {
		return nil, kb.Score{}, err
	}
	defer e.release()
	r := kb.BatchReport{Failed: []kb.FailedCase{}}
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return nil, kb.Score{}, err
		}
		d := decide(e.engine, c)
		r.Cases++
		if passes(c, d) {
			r.Passed++
		} else if len(r.Failed) < failedShown {
			raw, err := json.Marshal(l.o.Answer(c.Text, d))
			if err != nil {
				return nil, kb.Score{}, err
			}
			r.Failed = append(r.Failed, kb.FailedCase{Text: c.Text, Want: wanted(c), Got: got(d), Decision: raw})
		} else {
			r.More++
		}
		half(progress, 1)(r.Cases, len(cases))
	}
	return r, kb.Score{Cases: r.Cases, Passed: r.Passed}, nil
}

// engine returns the engine of a version: the one that serves where that is
// meant. Whoever gets it releases it.
func (l *Library) engine(ctx context.Context, t *text, progress func(done, total int)) (*served, error) {
	if s := l.o.Live.acquire(); s.base.Version == t.base.Version {
		return s, nil
	} else { //nolint:revive // s is needed in both branches
		s.release()
	}
	return l.engines.take(ctx, t.base, progress)
}

// Try decides on one message as the live bot would, on what is in force or on a
// version, and returns the decision and the memory for the next message.
func (l *Library) Try(ctx context.Context, in kb.TryInput) (decision, memory any, err error) {
	var mem bot.Memory
	switch {
	case in.Text == "" && in.Pick == "", runes(in.Text) > maxText, len(in.Pick) > 200:
		return nil, nil, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("text: 1 to %d characters", maxText))
	case !channel(in.Channel):
		return nil, nil, kb.Refuse(kb.CodeBadValue, "channel: web, wechat or sms")
	case len(in.Memory) > 0 && json.Unmarshal(in.Memory, &mem) != nil:
		return nil, nil, kb.Refuse(kb.CodeBadValue, "memory: as the decision before returned it")
	}
	t, err := l.loadable(ctx, in.Version)
	if err != nil {
		return nil, nil, err
	}
	e, err := l.engine(ctx, t, nil)
	if err != nil {
		return nil, nil, err
	}
	defer e.release()
	input := bot.Input{Text: in.Text, Kind: chat.KindText, Channel: in.Channel, Pick: in.Pick, Day: l.o.Clock().In(China)}
	if in.Channel == "" {
		input.Channel = intents.ChannelWeb
	}
	if in.Pick != "" {
		input.Kind = chat.KindPick
	}
	d := e.engine.Decide(mem, input)
	return l.o.Answer(in.Text, d), d.Memory, nil
}
