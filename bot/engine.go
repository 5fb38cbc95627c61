package bot

import (
	"bufio"
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"

	"wensheng/intents"
	"wensheng/nlp"
)

//go:embed data
var data embed.FS

// Options say what an Engine is made of.
type Options struct {
	// Base is the knowledge base; needed.
	Base *intents.Base
	// Facts fill the placeholders of answers: company, hotline …
	Facts map[string]string
	// Groups are the ids config knows, the first one the default. A group the
	// knowledge names and config lacks becomes the first.
	Groups []string
	// CacheDir keeps trained models; "" trains at every start.
	CacheDir string
	// Models are trained models at hand beside CacheDir; nil is none.
	Models fs.FS
	// Dict are the segmenter's files; zero takes the module cache's.
	Dict nlp.DictFiles
	// Logger gets one line when the engine is ready; nil says nothing.
	Logger *slog.Logger
	// Progress is called while training.
	Progress func(done, total int)
}

// Engine decides. It is immutable and safe for concurrent use; a changed
// knowledge base means a new Engine and a swap, then Close on the old one once
// nothing uses it.
type Engine struct {
	base     *intents.Base
	facts    map[string]string
	groups   []string
	seg      *nlp.Segmenter
	index    *nlp.Index
	rules    *nlp.Matcher
	whole    *nlp.Matcher // messages that mean a built-in intent only by themselves
	signals  map[string]intents.Signal
	builtins map[string]intents.Builtin
	order    []string // signals, the gravest first
	markers  []string
	// connectives begin another request in the same message.
	connectives []string
	spare       map[string]map[string]string // id → language → sentence
	titles      map[string]string            // normalised title → Topic
	care        string                       // the group complaints go to
	// verdicts are words of judgement, squashed: up or down; particles may
	// follow them.
	verdicts  map[string]string
	particles string
	words     formWords
}

// Prefixes of rule and label names, so that signals, builtins and Topics may
// share ids.
const (
	signalRule   = "signal:"
	builtinLabel = "builtin:"
)

// ErrNoBase says that there is no knowledge base to decide with.
var ErrNoBase = errors.New("the bot needs a knowledge base")

// New trains an Engine, or loads what was trained from the cache.
func New(o Options) (*Engine, error) {
	return NewContext(context.Background(), o)
}

// NewContext is New that gives up when ctx is done.
func NewContext(ctx context.Context, o Options) (*Engine, error) {
	if o.Base == nil {
		return nil, ErrNoBase
	}
	e := &Engine{
		base: o.Base, facts: o.Facts, groups: o.Groups,
		signals: map[string]intents.Signal{}, builtins: map[string]intents.Builtin{},
		titles: map[string]string{},
	}
	e.markers = lines("data/followups.txt")
	e.connectives = lines("data/connectives.txt")
	e.spare = sentences()
	e.verdicts, e.particles = judgements()
	e.words = readFormWords(e.particles)
	if err := e.compile(); err != nil {
		return nil, err
	}
	seg, err := nlp.NewSegmenterFrom(o.Dict, o.Base.Words())
	if err != nil {
		return nil, fmt.Errorf("bot: %w", err)
	}
	e.seg = seg
	e.index, err = nlp.Train(ctx, seg, e.examples(), nlp.TrainOptions{CacheDir: o.CacheDir, Carried: o.Models, Synonyms: o.Base.Synonyms(), Progress: o.Progress})
	if err != nil {
		seg.Close()
		return nil, fmt.Errorf("bot: %w", err)
	}
	if o.Logger != nil {
		th := e.index.Thresholds()
		o.Logger.InfoContext(ctx, "the bot is ready", "knowledge", o.Base.Version, "topics", len(o.Base.Topics), "high", th.High, "low", th.Low)
	}
	return e, nil
}

// Close gives the segmenter back. Nothing may use the Engine afterwards.
func (e *Engine) Close() { e.seg.Close() }

// Version is the knowledge base's.
func (e *Engine) Version() string { return e.base.Version }

func (e *Engine) compile() error {
	var rules, whole []nlp.Rule
	for _, s := range e.base.Signals() {
		e.signals[s.ID] = s
		e.order = append(e.order, s.ID)
		r := s.Rule
		r.ID = signalRule + s.ID
		rules = append(rules, r)
	}
	slices.SortStableFunc(e.order, func(a, b string) int {
		return strings.Compare(e.signals[a].Priority, e.signals[b].Priority)
	})
	for _, b := range e.base.Builtins() {
		e.builtins[b.ID] = b
		r := b.Rule
		r.ID = builtinLabel + b.ID
		rules = append(rules, r)
		whole = append(whole, nlp.Rule{ID: r.ID, Phrases: b.Whole, Loose: true})
	}
	var err error
	if e.rules, err = nlp.NewMatcher(rules); err != nil {
		return fmt.Errorf("bot: %w", err)
	}
	if e.whole, err = nlp.NewMatcher(whole); err != nil {
		return fmt.Errorf("bot: %w", err)
	}
	count := map[string]int{}
	for i := range e.base.Topics {
		t := &e.base.Topics[i]
		e.titles[nlp.Squash(nlp.Normalize(t.Title))] = t.ID
		if t.Kind == intents.KindComplaint && t.Group != "" {
			count[t.Group]++
			if e.care == "" || count[t.Group] > count[e.care] {
				e.care = t.Group
			}
		}
	}
	return nil
}

// examples are the Topics' wordings and the built-in intents'.
func (e *Engine) examples() []nlp.Example {
	out := e.base.Examples()
	for _, b := range e.base.Builtins() {
		for _, p := range b.Phrasings {
			out = append(out, nlp.Example{Text: p, Label: builtinLabel + b.ID})
		}
	}
	return out
}

// group maps a group the knowledge names to one config has.
func (e *Engine) group(id string) string {
	if id != "" && (len(e.groups) == 0 || slices.Contains(e.groups, id)) {
		return id
	}
	if len(e.groups) > 0 {
		return e.groups[0]
	}
	return ""
}

// match finds the rules in a message: those that hold anywhere in it and those
// that need all of it.
func (e *Engine) match(norm string) []nlp.Hit {
	hits := e.rules.MatchNorm(norm)
	all := once(nlp.Squash(norm))
	for _, h := range e.whole.MatchNorm(all) {
		if h.Text == all && !slices.ContainsFunc(hits, func(o nlp.Hit) bool { return o.Rule == h.Rule }) {
			hits = append(hits, h)
		}
	}
	return hits
}

// once is what a message says over and over, or the message.
func once(s string) string {
	r := []rune(s)
	for n := 2; n <= len(r)/2; n++ {
		if len(r)%n == 0 && strings.Repeat(string(r[:n]), len(r)/n) == s {
			return string(r[:n])
		}
	}
	return s
}

// Signals finds what raises the priority of a message that no bot answers:
// while the contact waits or an agent serves. The gravest comes first.
func (e *Engine) Signals(text string) []Signal {
	return e.found(e.rules.Match(text))
}

func (e *Engine) found(hits []nlp.Hit) []Signal {
	var out []Signal
	for _, id := range e.order {
		if slices.ContainsFunc(hits, func(h nlp.Hit) bool { return h.Rule == signalRule+id }) {
			s := e.signals[id]
			out = append(out, Signal{ID: id, Title: s.Title, Priority: s.Priority, Group: e.group(s.Group), Reply: s.Reply})
		}
	}
	return out
}

// Say returns a fixed sentence: the knowledge base's, or, where it has none or
// a value is missing, a neutral one. It is never empty.
func (e *Engine) Say(id, lang string, vars map[string]string) string {
	all := make(map[string]string, len(e.facts)+len(vars))
	maps.Copy(all, e.facts)
	maps.Copy(all, vars)
	if s, err := e.base.Say(id, lang, all); err == nil && s != "" {
		return s
	}
	for _, key := range [2]string{id, "neutral"} {
		byLang := e.spare[key]
		if byLang == nil {
			continue
		}
		switch s := byLang[intents.Lang(lang)]; {
		case s != "":
			return s
		case intents.Lang(lang) == intents.LangHant:
			return nlp.Traditional(byLang[intents.LangHans])
		default:
			return byLang[intents.LangHans]
		}
	}
	return id
}

// lines reads an embedded list: one entry a line, # comments.
func lines(name string) []string {
	raw, err := data.ReadFile(name)
	if err != nil {
		return nil // embedded: cannot happen in a program that was built
	}
	var out []string
	for sc := bufio.NewScanner(bytes.NewReader(raw)); sc.Scan(); {
		if line := strings.TrimSpace(sc.Text()); line != "" && line[0] != '#' {
			out = append(out, line)
		}
	}
	return out
}

func sentences() map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, line := range lines("data/sentences.txt") {
		if f := strings.SplitN(line, "\t", 3); len(f) == 3 {
			if out[f[0]] == nil {
				out[f[0]] = map[string]string{}
			}
			out[f[0]][f[1]] = f[2]
		}
	}
	return out
}
