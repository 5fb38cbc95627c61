package knowledge

import (
	"context"
	"errors"

	"wensheng/internal/kb"
	"wensheng/nlp"
)

// Eval starts a cross-validation of a version: every phrasing is asked of the
// others. It trains one model at a time, so that whoever is being answered
// meanwhile has a processor left.
func (l *Library) Eval(ctx context.Context, user, id string) (string, error) {
	t, err := l.loadable(ctx, id)
	if err != nil {
		return "", err
	}
	run := kb.Run{Kind: kb.RunEval, Version: t.version.ID, Hash: t.base.Version, By: user}
	j, err := l.runs.start(ctx, run, func(ctx context.Context, progress func(done, total int)) (any, kb.Score, error) {
		seg, err := l.o.Segment(t.base)
		if err != nil {
			return nil, kb.Score{}, err
		}
		defer seg.Close()
		defer l.o.Live.litter.Store(true)
		defer thrifty()()
		r, err := nlp.CrossValidate(ctx, seg, t.base.Examples(), nlp.CrossOptions{
			Train: nlp.TrainOptions{Workers: 1, Synonyms: t.base.Synonyms()}, Progress: progress,
		})
		if errors.Is(err, nlp.ErrNoTest) {
			return nil, kb.Score{}, errors.New("every topic has one phrasing; there is nothing to ask")
		}
		for i := range r.Weakest {
			if tp, ok := t.base.Topic(r.Weakest[i].Label); ok {
				r.Weakest[i].Title = tp.Title
			}
		}
		return r, kb.Score{}, err
	})
	if err != nil {
		return "", err
	}
	return j.state().ID, nil
}
