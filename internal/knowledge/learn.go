package knowledge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
	"wensheng/nlp"
)

// KeepLearned is how long what was learned from conversations is kept; runs and
// their reports as well.
const KeepLearned = 180 * 24 * time.Hour

// Learned lists what conversations taught, the most frequent first.
func (l *Library) Learned(ctx context.Context, state kb.LearnState) (kb.Learned, error) {
	if !slices.Contains(kb.LearnStates(), state) {
		return kb.Learned{}, kb.Refuse(kb.CodeBadValue, "state: new, pending, applied or dismissed")
	}
	items, err := l.o.Store.Items(ctx, state, false, itemsRead)
	if err != nil {
		return kb.Learned{}, err
	}
	counts, err := l.o.Store.LearnCounts(ctx)
	if err != nil {
		return kb.Learned{}, err
	}
	out := kb.Learned{Items: []kb.Cluster{}, Counts: map[kb.LearnState]int{}}
	for _, s := range kb.LearnStates() {
		out.Counts[s] = counts[s]
	}
	e := l.o.Live.acquire()
	defer e.release()
	for _, g := range cluster(items) {
		if len(out.Items) == clustersShown {
			break
		}
		out.Items = append(out.Items, show(g, e))
	}
	return out, nil
}

// show makes a cluster of a group, with the Topic it may belong to.
func show(g *group, e *served) kb.Cluster {
	lead := g.wordings[0].first()
	c := kb.Cluster{
		ID: g.id, State: lead.State, Count: g.count, Example: lead.Text, Messages: []kb.Heard{},
		Sources: map[kb.Source]int{kb.SourceRefused: 0, kb.SourceDown: 0, kb.SourcePicked: 0, kb.SourceTransferred: 0},
		By:      lead.By, At: lead.Changed, Version: lead.Version, Reason: lead.Reason,
	}
	list := slices.Clone(g.wordings)
	slices.SortStableFunc(list, func(a, b *wording) int { return cmp.Compare(len(b.items), len(a.items)) })
	picks, labelled := map[string]int{}, 0
	for _, w := range list {
		for _, it := range w.items {
			c.Sources[it.Source]++
			if it.Source == kb.SourcePicked {
				picks[it.Topic]++
				labelled++
			}
		}
		last := w.items[len(w.items)-1]
		if len(c.Messages) < messagesShown {
			c.Messages = append(c.Messages, kb.Heard{
				Text: last.Text, At: last.At, Channel: last.Channel, Source: last.Source, Topic: last.Topic, Count: len(w.items),
			})
		}
	}
	c.Example = list[0].first().Text
	c.Suggest = suggest(e, c.Example, picks, labelled)
	return c
}

// suggest is the Topic people picked, or else the ranker's first.
func suggest(e *served, text string, picks map[string]int, labelled int) *kb.Suggestion {
	best := ""
	for _, topic := range slices.Sorted(maps.Keys(picks)) {
		if picks[topic] > picks[best] {
			best = topic
		}
	}
	if t, ok := e.base.Topic(best); ok {
		return &kb.Suggestion{Topic: best, Title: t.Title, Confidence: float64(picks[best]) / float64(labelled)}
	}
	d := decide(e.engine, kb.Case{Text: text})
	if len(d.Candidates) == 0 {
		return nil
	}
	c := d.Candidates[0]
	return &kb.Suggestion{Topic: c.Topic, Title: c.Title, Confidence: c.Confidence}
}

// maxAdded bounds the wordings of one call.
const maxAdded = 50

// Deal does with a cluster what an editor decided. A phrasing goes to a draft
// first and the cluster is moved after, so that what fails between can simply
// be done again.
func (l *Library) Deal(ctx context.Context, user, id string, in kb.DealInput) (kb.Dealt, error) {
	was := kb.LearnNew
	if in.Do == "restore" {
		was = kb.LearnDismissed
	}
	g, err := l.group(ctx, id, was)
	if err != nil {
		return kb.Dealt{}, err
	}
	var out kb.Dealt
	to := kb.Item{Cluster: id, By: user, Changed: l.o.Clock()}
	switch in.Do {
	case "add", "topic":
		e, err := l.teach(ctx, user, in)
		if err != nil {
			return kb.Dealt{}, err
		}
		out.Version = &e.Version
		to.State, to.Version = kb.LearnPending, e.Version.ID
	case "dismiss":
		if runes(in.Reason) > maxNote {
			return kb.Dealt{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("reason: at most %d characters", maxNote))
		}
		to.State, to.Reason = kb.LearnDismissed, in.Reason
	case "restore":
		to = kb.Item{State: kb.LearnNew}
	default:
		return kb.Dealt{}, kb.Refuse(kb.CodeBadValue, "do: add, topic, dismiss or restore")
	}
	var moved []kb.Item
	for _, w := range g.wordings {
		for i := range w.items {
			it := &w.items[i]
			it.State, it.Cluster, it.By, it.Changed, it.Version, it.Reason = to.State, to.Cluster, to.By, to.Changed, to.Version, to.Reason
			moved = append(moved, *it)
		}
	}
	if err := l.o.Store.MoveItems(ctx, moved, was); err != nil {
		if errors.Is(err, chat.ErrConflict) {
			return kb.Dealt{}, kb.Refuse(kb.CodeChanged, "somebody else dealt with it meanwhile")
		}
		return kb.Dealt{}, err
	}
	e := l.o.Live.acquire()
	defer e.release()
	out.Cluster = show(g, e)
	return out, nil
}

// group finds a cluster in a state. Errors: chat.ErrNotFound.
func (l *Library) group(ctx context.Context, id string, state kb.LearnState) (*group, error) {
	items, err := l.o.Store.Items(ctx, state, false, itemsRead)
	if err != nil {
		return nil, err
	}
	for _, g := range cluster(items) {
		if g.id == id {
			return g, nil
		}
	}
	return nil, chat.ErrNotFound
}

// teach writes phrasings to a Topic of a draft, or starts one with them.
func (l *Library) teach(ctx context.Context, user string, in kb.DealInput) (kb.Edited, error) {
	var texts []string
	for _, s := range in.Texts {
		if s = strings.Join(strings.Fields(l.o.Mask(s)), " "); s != "" && runes(s) <= maxLearned {
			texts = append(texts, s)
		}
	}
	if len(texts) == 0 || len(in.Texts) > maxAdded {
		return kb.Edited{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("texts: 1 to %d, each of at most %d characters", maxAdded, maxLearned))
	}
	id, err := l.draftOf(ctx, user, in.Version)
	if err != nil {
		return kb.Edited{}, err
	}
	t, err := l.read(ctx, id)
	if err != nil {
		return kb.Edited{}, err
	}
	topic, err := l.pupil(t, in)
	if err != nil {
		return kb.Edited{}, err
	}
	known := map[string]bool{}
	for _, p := range topic.Phrasings {
		known[nlp.Squash(nlp.Normalize(p))] = true
	}
	topic.Phrasings = slices.Clone(topic.Phrasings)
	for _, s := range texts {
		if key := nlp.Squash(nlp.Normalize(s)); !known[key] {
			known[key] = true
			topic.Phrasings = append(topic.Phrasings, s)
		}
	}
	return l.edit(ctx, user, id, t.version.Revision, func(f intents.Files) error { return f.Put(topic) })
}

// pupil is the Topic that is taught: one of the draft, or a new one without an
// answer, which its editor has to write before it can be submitted.
func (l *Library) pupil(t *text, in kb.DealInput) (intents.Topic, error) {
	if in.Do == "add" {
		tp, ok := t.base.Topic(in.Topic)
		if !ok {
			return intents.Topic{}, kb.Refuse(kb.CodeBadValue, "topic: the draft has no such topic")
		}
		return *tp, nil
	}
	title := strings.TrimSpace(in.Title)
	if title == "" || runes(title) > maxTitle {
		return intents.Topic{}, kb.Refuse(kb.CodeBadValue, fmt.Sprintf("title: 1 to %d characters", maxTitle))
	}
	tp := intents.Topic{ID: in.Topic, Title: title, Category: strings.TrimSpace(in.Category), Kind: intents.KindAnswer}
	tp.Review.State = intents.ReviewDraft
	if tp.ID == "" {
		tp.ID = "new_" + strings.NewReplacer("-", "x", "_", "x").Replace(strings.ToLower(chat.NewToken()[:8]))
	}
	if _, taken := t.base.Topic(tp.ID); taken {
		return intents.Topic{}, kb.Refuse(kb.CodeBadValue, "topic: the id is taken")
	}
	if tp.Category == "" && len(t.base.Topics) > 0 {
		tp.Category = t.base.Topics[0].Category
	}
	return tp, nil
}

// draftOf is the draft a person writes to: the named one, his newest, or a new
// one. Its title is the day, which every language reads.
func (l *Library) draftOf(ctx context.Context, user, id string) (string, error) {
	if id != "" {
		return id, nil
	}
	versions, err := l.o.Store.Versions(ctx)
	if err != nil {
		return "", err
	}
	p, err := l.o.Store.Pointer(ctx)
	if err != nil {
		return "", err
	}
	for _, v := range versions {
		if v.State == kb.Draft && v.CreatedBy == user && v.Base == p.Published {
			return v.ID, nil
		}
	}
	v, err := l.Create(ctx, user, l.o.Clock().In(China).Format(time.DateOnly), "")
	return v.ID, err
}

// replayed is how many labelled messages a replay decides.
const replayed = 2000

// movedShown bounds the lists of a replay's report.
const movedShown = 200

// Replay decides labelled messages again, on a version and on what is in force:
// what contacts picked when asked back, and what they found helpful.
func (l *Library) Replay(ctx context.Context, user, version string) (string, error) {
	t, err := l.loadable(ctx, version)
	if err != nil {
		return "", err
	}
	run := kb.Run{Kind: kb.RunReplay, Version: t.version.ID, Hash: t.base.Version, By: user}
	j, err := l.runs.start(ctx, run, func(ctx context.Context, progress func(done, total int)) (any, kb.Score, error) {
		r, err := l.replay(ctx, t, progress)
		return r, kb.Score{Cases: r.N, Passed: r.After.Right}, err
	})
	if err != nil {
		return "", err
	}
	return j.state().ID, nil
}

func (l *Library) replay(ctx context.Context, t *text, progress func(done, total int)) (kb.ReplayReport, error) {
	r := kb.ReplayReport{Better: []kb.Moved{}, Worse: []kb.Moved{}}
	items, err := l.o.Store.Items(ctx, "", true, replayed)
	if err != nil {
		return r, err
	}
	after, err := l.engines.take(ctx, t.base, half(progress, 0))
	if err != nil {
		return r, err
	}
	defer after.release()
	before := l.o.Live.acquire()
	defer before.release()
	list := wordings(items)
	for i, w := range list {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		it := w.items[len(w.items)-1]
		c := kb.Case{Text: it.Text, Topic: it.Topic, Channel: it.Channel}
		b, a := decide(before.engine, c), decide(after.engine, c)
		was, is := verdict(c, b), verdict(c, a)
		r.N++
		r.Before.Count(was)
		r.After.Count(is)
		m := kb.Moved{Text: it.Text, Want: it.Topic, Before: got(b), After: got(a)}
		switch {
		case is > was && len(r.Better) < movedShown:
			r.Better = append(r.Better, m)
		case is < was && len(r.Worse) < movedShown:
			r.Worse = append(r.Worse, m)
		}
		half(progress, 1)(i+1, len(list))
	}
	return r, nil
}

// verdict is how good a decision is for a labelled message.
func verdict(c kb.Case, d bot.Decision) kb.Verdict {
	switch {
	case d.Topic == c.Topic:
		return kb.Right
	case d.Topic != "":
		return kb.Wrong
	case d.Action == bot.Clarify && slices.ContainsFunc(d.Options, func(o chat.Option) bool { return o.ID == topicOption+c.Topic }):
		return kb.Asked
	}
	return kb.Missed
}
