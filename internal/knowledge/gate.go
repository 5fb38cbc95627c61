package knowledge

import (
	"context"
	"crypto/sha256"
	_ "embed" // the shipped test set
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

//go:embed tests.yaml
var shipped []byte

// ShippedSet is the id of the test set that comes with the program, so that the
// gate means something from the first day.
const ShippedSet = "shipped"

// shippedSet reads the embedded test set.
func shippedSet() (kb.TestSet, error) {
	var file struct {
		Name  string `yaml:"name"`
		Cases []struct {
			Text    string `yaml:"text"`
			Topic   string `yaml:"topic"`
			Action  string `yaml:"action"`
			Channel string `yaml:"channel"`
		} `yaml:"cases"`
	}
	if err := yaml.UnmarshalWithOptions(shipped, &file, yaml.Strict()); err != nil {
		return kb.TestSet{}, fmt.Errorf("the shipped test set: %w", err)
	}
	s := kb.TestSet{ID: ShippedSet, Name: file.Name, Shipped: true}
	for _, c := range file.Cases {
		s.Cases = append(s.Cases, kb.Case(c))
	}
	return s, nil
}

// sets are the shipped test set and the editors' own, in the order they came.
func (l *Library) sets(ctx context.Context) ([]kb.TestSet, error) {
	first, err := shippedSet()
	if err != nil {
		return nil, err
	}
	own, err := l.o.Store.TestSets(ctx)
	return append([]kb.TestSet{first}, own...), err
}

// testsHash names the cases of all test sets together.
func testsHash(sets []kb.TestSet) string {
	h := sha256.New()
	for _, s := range sets {
		_, _ = fmt.Fprintf(h, "%q\n", s.Cases) // a hash never fails to write
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// decide decides on a text as the first word of a conversation: what the live
// bot does, by the same code.
func decide(e *bot.Engine, c kb.Case) bot.Decision {
	channel := c.Channel
	if channel == "" {
		channel = intents.ChannelWeb
	}
	return e.Decide(bot.Memory{}, bot.Input{Text: c.Text, Kind: chat.KindText, Channel: channel})
}

// passes reports whether a decision is the wanted one.
func passes(c kb.Case, d bot.Decision) bool {
	return (c.Topic == "" || d.Topic == c.Topic) && (c.Action == "" || string(d.Action) == c.Action)
}

// wanted and got name a result: a Topic where there is one, else what was done.
func wanted(c kb.Case) string { return strings.TrimSpace(c.Topic + " " + c.Action) }

func got(d bot.Decision) string {
	switch {
	case d.Topic != "":
		return d.Topic
	case d.Intent != "" && d.Action != bot.Clarify:
		return string(d.Action) + " " + d.Intent
	}
	return string(d.Action)
}

// Check starts the gate for a version, or joins the one that runs already.
func (l *Library) Check(ctx context.Context, user, id string) (string, error) {
	j, err := l.check(ctx, user, id)
	if err != nil {
		return "", err
	}
	return j.state().ID, nil
}

func (l *Library) check(ctx context.Context, user, id string) (*job, error) {
	t, err := l.loadable(ctx, id)
	if err != nil {
		return nil, err
	}
	hash := t.base.Version
	if j := l.runs.find(kb.RunCheck, t.version.ID, hash); j != nil {
		return j, nil
	}
	run := kb.Run{Kind: kb.RunCheck, Version: t.version.ID, Hash: hash, By: user}
	var j *job
	started := make(chan struct{})
	j, err = l.runs.start(ctx, run, func(ctx context.Context, progress func(done, total int)) (any, kb.Score, error) {
		<-started
		gate, err := l.compare(ctx, t.base, progress)
		if err != nil {
			return nil, kb.Score{}, err
		}
		gate.Run = j.state().ID
		return gate, gate.After, l.note(ctx, t.version.ID, hash, func(v *kb.Version) { v.Gate = gate })
	})
	if err == nil {
		id := j.state().ID
		if err := l.note(ctx, t.version.ID, hash, func(v *kb.Version) { v.Check = id }); err != nil {
			l.o.Logger.WarnContext(ctx, "the version does not say that it is checked", "version", t.version.ID, "err", err)
		}
	}
	close(started)
	return j, err
}

// loadable returns a version that may be answered from, or says what is wrong.
func (l *Library) loadable(ctx context.Context, id string) (*text, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return nil, err
	}
	if !t.loads {
		return nil, unfit(hard(t.problems))
	}
	return t, nil
}

func unfit(problems []intents.Problem) error {
	return &kb.Error{Code: kb.CodeProblems, Detail: "the version has problems that are not warnings", Problems: problems}
}

// hard are the problems that are not warnings.
func hard(problems []intents.Problem) []intents.Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p intents.Problem) bool { return p.Warning })
}

// compare runs every test set on a base and on what is in force.
func (l *Library) compare(ctx context.Context, base *intents.Base, progress func(done, total int)) (*kb.Gate, error) {
	sets, err := l.sets(ctx)
	if err != nil {
		return nil, err
	}
	gate := &kb.Gate{At: l.o.Clock(), Hash: base.Version, Tests: testsHash(sets), Worse: []kb.Worse{}}
	after, err := l.engines.take(ctx, base, half(progress, 0))
	if err != nil {
		return nil, err
	}
	defer after.release()
	before := l.o.Live.acquire()
	defer before.release()
	gate.Against = before.base.Version
	total := 0
	for _, s := range sets {
		total += len(s.Cases)
	}
	for _, s := range sets {
		for _, c := range s.Cases {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			b, a := decide(before.engine, c), decide(after.engine, c)
			was, is := passes(c, b), passes(c, a)
			gate.Before.Cases++
			gate.After.Cases++
			if was {
				gate.Before.Passed++
			}
			if is {
				gate.After.Passed++
			}
			switch {
			case was && !is:
				gate.Worse = append(gate.Worse, kb.Worse{Set: s.Name, Text: c.Text, Want: wanted(c), GotBefore: got(b), GotAfter: got(a)})
			case is && !was:
				gate.Better++
			}
			half(progress, 1)(gate.After.Cases, total)
		}
	}
	gate.OK = len(gate.Worse) == 0
	return gate, nil
}

// half reports a part's progress as the first or the second half of the whole.
func half(progress func(done, total int), which int) func(done, total int) {
	return func(done, total int) { progress(done+which*total, 2*total) }
}

// note writes something beside the version, where that still has the content it
// is about. It is no change of the version: an editor who reads it before and
// writes after meets no conflict.
func (l *Library) note(ctx context.Context, id, hash string, set func(*kb.Version)) error {
	for {
		v, err := l.o.Store.Version(ctx, id)
		if err != nil || v.Hash != hash {
			return err
		}
		set(&v)
		if err = l.o.Store.SaveVersion(ctx, v, nil, v.Revision); !errors.Is(err, chat.ErrConflict) {
			return err
		}
	}
}

// gateWait is how long a publish waits for a gate that has to be run first.
const gateWait = 20 * time.Second

// gated returns the result of the gate for what would be published over what is
// in force, and runs it first where there is none.
func (l *Library) gated(ctx context.Context, user string, v kb.Version) (*kb.Gate, error) {
	sets, err := l.sets(ctx)
	if err != nil {
		return nil, err
	}
	// What is in force here must be what is published: it is compared with.
	if err := l.o.Live.Refresh(ctx); err != nil {
		return nil, err
	}
	if g := v.Gate; g != nil && g.Hash == v.Hash && g.Against == l.o.Live.Hash() && g.Tests == testsHash(sets) {
		return g, nil
	}
	j, err := l.check(ctx, user, v.ID)
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(gateWait)
	defer timer.Stop()
	select {
	case <-j.over:
	case <-timer.C:
		return nil, &kb.Error{Code: kb.CodeCheckRuns, Detail: "the tests are still running; publish when they are done", Run: j.state().ID}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	run := j.state()
	var g kb.Gate
	if run.State != kb.Done || json.Unmarshal(run.Report, &g) != nil {
		return nil, &kb.Error{Code: kb.CodeGateFailed, Detail: "the tests could not be run: " + run.Error, Run: run.ID}
	}
	return &g, nil
}
