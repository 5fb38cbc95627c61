package knowledge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wensheng/intents"
	"wensheng/intents/exchange"
	"wensheng/internal/chat"
	"wensheng/internal/kb"
)

// Topics lists a version's Topics, with what changed against the version it was
// begun from. Errors: chat.ErrNotFound.
func (l *Library) Topics(ctx context.Context, id string) ([]kb.TopicLine, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return nil, err
	}
	origin, err := l.origin(ctx, t)
	if err != nil {
		return nil, err
	}
	problems := map[string]int{}
	for _, p := range t.problems {
		if p.Topic != "" {
			problems[p.Topic]++
		}
	}
	out := make([]kb.TopicLine, 0, len(t.base.Topics))
	for i := range t.base.Topics {
		tp := &t.base.Topics[i]
		line := kb.TopicLine{
			ID: tp.ID, Title: tp.Title, Category: tp.Category, Kind: tp.Kind, Phrasings: len(tp.Phrasings),
			Owner: tp.Owner, Review: tp.Review.State, Until: tp.Until, Problems: problems[tp.ID],
		}
		if old, ok := origin.base.Topic(tp.ID); !ok {
			line.Changed = "added"
		} else if !old.Equal(tp) {
			line.Changed = "changed"
		}
		out = append(out, line)
	}
	return out, nil
}

// origin is the version a version was begun from; itself, when that is not a
// version, or is gone.
func (l *Library) origin(ctx context.Context, t *text) (*text, error) {
	switch {
	case t.version.ID == "":
		return t, nil
	case t.version.Base == "":
		v := kb.Version{ID: kb.SourceEmbedded}
		if o := l.kept(v); o != nil {
			return o, nil
		}
		files, err := intents.ReadFiles(intents.Embedded())
		if err != nil {
			return nil, err
		}
		base, _ := intents.Draft(files.FS())
		return l.keep(&text{version: v, files: files, base: base}), nil
	}
	o, err := l.read(ctx, t.version.Base)
	if errors.Is(err, chat.ErrNotFound) {
		return t, nil
	}
	return o, err
}

// Topic is one Topic of a version, an *intents.Topic. Errors: chat.ErrNotFound.
func (l *Library) Topic(ctx context.Context, id, topic string) (any, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return nil, err
	}
	tp, ok := t.base.Topic(topic)
	if !ok {
		return nil, chat.ErrNotFound
	}
	return whole(*tp), nil
}

// whole makes empty lists of absent ones, which a screen can read.
func whole(t intents.Topic) *intents.Topic {
	for _, list := range []*[]string{&t.Phrasings, &t.FollowUps, &t.Sources} {
		if *list == nil {
			*list = []string{}
		}
	}
	if t.Answers == nil {
		t.Answers = map[string]string{}
	}
	return &t
}

// Problems are what is wrong with a version, []intents.Problem.
func (l *Library) Problems(ctx context.Context, id string) (any, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return nil, err
	}
	return listed(t.problems), nil
}

func listed(p []intents.Problem) []intents.Problem {
	if p == nil {
		return []intents.Problem{}
	}
	return p
}

// Diff is what differs from one version to another, an intents.Difference.
func (l *Library) Diff(ctx context.Context, id, with string) (any, error) {
	b, err := l.read(ctx, id)
	if err != nil {
		return nil, err
	}
	a, err := l.read(ctx, with)
	if err != nil {
		return nil, err
	}
	d := intents.Diff(a.base, b.base)
	d.Files = intents.DiffFiles(others(a.files), others(b.files)).Files
	return d, nil
}

// others are the files that are not of Topics.
func others(f intents.Files) intents.Files {
	out := intents.Files{}
	for name, text := range f {
		if !strings.HasPrefix(name, "topics/") {
			out[name] = text
		}
	}
	return out
}

// edit changes the files of a draft that has the revision (0: whichever it has).
func (l *Library) edit(ctx context.Context, user, id string, revision int64, fn func(f intents.Files) error) (kb.Edited, error) {
	if l.o.Dir != "" {
		return kb.Edited{}, kb.Refuse(kb.CodeNotEditable, "knowledge.dir is set; edit the directory")
	}
	t, err := l.read(ctx, id)
	if err != nil {
		return kb.Edited{}, err
	}
	v := t.version
	switch {
	case v.State != kb.Draft:
		return kb.Edited{}, kb.Refuse(kb.CodeBadState, "only a draft is changed; begin one, or reopen this version")
	case revision != 0 && revision != v.Revision:
		return kb.Edited{}, kb.Refuse(kb.CodeChanged, fmt.Sprintf("it has revision %d by now", v.Revision))
	}
	files := t.files.Clone()
	if err := fn(files); err != nil {
		if errors.Is(err, intents.ErrNotTopic) {
			return kb.Edited{}, kb.Refuse(kb.CodeNotTopic, err.Error())
		}
		return kb.Edited{}, err
	}
	was := v.Revision
	v.Revision, v.ChangedAt, v.Hash, v.Gate, v.Check = was+1, l.o.Clock(), "", nil, ""
	if !slices.Contains(v.Authors, user) {
		v.Authors = append(slices.Clone(v.Authors), user)
	}
	next := l.parse(v, files)
	if next.loads {
		next.version.Hash = next.base.Version
	}
	err = l.o.Store.SaveVersion(ctx, next.version, kb.Files(files), was)
	if errors.Is(err, chat.ErrConflict) {
		return kb.Edited{}, kb.Refuse(kb.CodeChanged, "somebody else changed it; read it again")
	}
	if err != nil {
		return kb.Edited{}, err
	}
	l.keep(next)
	return kb.Edited{Version: next.version, Problems: listed(next.problems)}, nil
}

// PutTopic writes a Topic of a draft, over the one with its id or as a new one.
// body is an intents.Topic as JSON.
func (l *Library) PutTopic(ctx context.Context, user, id, topic string, revision int64, body json.RawMessage) (kb.Edited, error) {
	var t intents.Topic
	if err := json.Unmarshal(body, &t); err != nil {
		return kb.Edited{}, kb.Refuse(kb.CodeNotTopic, "the body is not a topic")
	}
	if t.ID == "" {
		t.ID = topic
	}
	if t.ID != topic {
		return kb.Edited{}, kb.Refuse(kb.CodeNotTopic, "the id in the body is not the one in the path; a topic keeps its id")
	}
	return l.edit(ctx, user, id, revision, func(f intents.Files) error { return f.Put(t) })
}

// DeleteTopic takes a Topic out of a draft, and the follow-ups that lead to it.
func (l *Library) DeleteTopic(ctx context.Context, user, id, topic string, revision int64) (kb.Edited, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return kb.Edited{}, err
	}
	if _, ok := t.base.Topic(topic); !ok {
		return kb.Edited{}, chat.ErrNotFound
	}
	var leading []intents.Topic
	for _, o := range t.base.Topics {
		if i := slices.Index(o.FollowUps, topic); i >= 0 && o.ID != topic {
			o.FollowUps = slices.Delete(slices.Clone(o.FollowUps), i, i+1)
			leading = append(leading, o)
		}
	}
	return l.edit(ctx, user, id, revision, func(f intents.Files) error { return f.Edit(leading, []string{topic}) })
}

// Rebase brings a draft that is stale onto what is published now: what the draft
// changed against its base is changed there.
func (l *Library) Rebase(ctx context.Context, user, id string, revision int64) (kb.Rebased, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return kb.Rebased{}, err
	}
	origin, err := l.origin(ctx, t)
	if err != nil {
		return kb.Rebased{}, err
	}
	p, err := l.o.Store.Pointer(ctx)
	if err != nil {
		return kb.Rebased{}, err
	}
	onto, err := l.published(ctx, p.Published)
	if err != nil {
		return kb.Rebased{}, err
	}
	out := kb.Rebased{Conflicts: []string{}}
	out.Edited, err = l.edit(ctx, user, id, revision, func(f intents.Files) error {
		merged, conflicts, err := merge(origin.files, t.files, onto)
		out.Conflicts = append(out.Conflicts, conflicts...)
		clear(f)
		maps.Copy(f, merged)
		return err
	})
	if err != nil {
		return out, err
	}
	out.Version, err = l.change(ctx, id, func(v *kb.Version) error {
		if v.State != kb.Draft || v.Revision != out.Version.Revision {
			return kb.Refuse(kb.CodeChanged, "somebody else changed it; read it again")
		}
		v.Base = p.Published
		return nil
	})
	return out, err
}

// merge does to onto what leads from base to mine.
func merge(base, mine, onto intents.Files) (merged intents.Files, conflicts []string, err error) {
	merged = onto.Clone()
	ours := intents.DiffFiles(base, mine)
	theirs := intents.DiffFiles(base, onto)
	touched := map[string]bool{}
	for _, t := range slices.Concat(theirs.Added, theirs.Removed) {
		touched[t.ID] = true
	}
	for _, c := range theirs.Changed {
		touched[c.Topic] = true
	}
	for _, f := range theirs.Files {
		touched[f.File] = true
	}
	there, _ := intents.Draft(onto.FS())
	my, _ := intents.Draft(mine.FS())
	var put []intents.Topic
	var remove []string
	clash := func(id string) {
		if touched[id] {
			conflicts = append(conflicts, id)
		}
	}
	for _, t := range ours.Removed {
		if _, ok := there.Topic(t.ID); ok {
			clash(t.ID)
			remove = append(remove, t.ID)
		}
	}
	add := func(id string) {
		if t, ok := my.Topic(id); ok {
			clash(id)
			put = append(put, *t)
		}
	}
	for _, t := range ours.Added {
		add(t.ID)
	}
	for _, c := range ours.Changed {
		add(c.Topic)
	}
	if err := merged.Edit(put, remove); err != nil {
		return nil, nil, err
	}
	for _, f := range ours.Files {
		clash(f.File)
		if text, ok := mine[f.File]; ok {
			merged[f.File] = text
		} else {
			delete(merged, f.File)
		}
	}
	slices.Sort(conflicts)
	return merged, conflicts, nil
}

// Export writes a version's Topics as xlsx, csv or Rasa NLU YAML, or the whole
// directory as a zip (yaml).
func (l *Library) Export(ctx context.Context, id, format string) (kb.File, error) {
	t, err := l.read(ctx, id)
	if err != nil {
		return kb.File{}, err
	}
	name := "knowledge-" + strings.TrimSpace(t.base.Version)
	if format == "yaml" {
		body, err := kb.Files(t.files).Pack()
		return kb.File{Name: name + ".zip", Type: "application/zip", Body: body}, err
	}
	var b bytes.Buffer
	if err := exchange.Export(&b, format, t.base.Topics); err != nil {
		return kb.File{}, kb.Refuse(kb.CodeBadValue, err.Error())
	}
	f := kb.File{Name: name + "." + format, Body: b.Bytes()}
	switch format {
	case exchange.XLSX:
		f.Type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
	case exchange.CSV:
		f.Type = "text/csv; charset=utf-8"
	default:
		f.Name, f.Type = name+".rasa.yaml", "application/yaml"
	}
	return f, nil
}

// Import writes the Topics of a file into a draft: merged with what it has, or
// in the place of it. Warnings about the file stand before the draft's problems.
func (l *Library) Import(ctx context.Context, user, id, format, mode string, revision int64, raw []byte) (kb.Imported, error) {
	if mode != exchange.Merge && mode != exchange.Replace {
		return kb.Imported{}, kb.Refuse(kb.CodeBadValue, "mode: merge or replace")
	}
	s, problems := exchange.Import(raw, format)
	if bad := hard(problems); len(bad) > 0 {
		return kb.Imported{}, badSheet(bad)
	}
	var out kb.Imported
	var err error
	out.Edited, err = l.edit(ctx, user, id, revision, func(f intents.Files) error {
		r, err := exchange.Apply(f, s, mode)
		out.Added, out.Changed, out.Removed = r.Added, r.Changed, r.Removed
		return err
	})
	if after, ok := out.Problems.([]intents.Problem); ok {
		// What was not read of the file comes first: nothing else tells of it.
		out.Problems = append(slices.Clone(problems), after...)
	}
	return out, err
}
