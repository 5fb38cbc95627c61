package nlp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// ErrNoExamples says that there was nothing to train on.
var ErrNoExamples = errors.New("no examples to train on")

// TrainOptions say how an Index is trained. The zero value is good.
type TrainOptions struct {
	// Seed orders the examples. The same seed and examples give the same Index.
	Seed uint64
	// CacheDir keeps trained models by the hash of what they were trained on;
	// "" trains every time. A damaged or foreign file is ignored and replaced.
	CacheDir string
	// Carried holds models that were trained before, as a program carries the
	// one of its own knowledge base; nil holds none. CacheDir is asked first.
	Carried fs.FS
	// Progress is called after every pass, from one goroutine at a time.
	Progress func(done, total int)
	// Synonyms are groups of words that mean the same, the first of each its
	// name. A text that holds one has a feature in common with all that do.
	// A group whose name is [Silent] holds words that are read over.
	Synonyms [][]string
	// Workers bounds how many models are trained at once; 0 means 2.
	Workers int
}

// nets is how many networks speak together. They differ in how they start and
// in the order they learn in, and so in their mistakes.
const nets = 2

// Train learns to rank the labels of the examples: a multinomial logistic
// regression over words and character pieces, fused with the cosine to the
// nearest wording, calibrated on held-out examples and held-out labels. An
// example that is empty once normalised, or that repeats one of the same label,
// is passed over. It returns [ErrNoExamples] when nothing is left, and ctx's
// error. A cache that cannot be written is no error.
func Train(ctx context.Context, seg *Segmenter, ex []Example, o TrainOptions) (*Index, error) {
	ix, texts := newIndex(seg, newSynonyms(o.Synonyms), ex)
	if len(ix.examples) == 0 {
		return nil, ErrNoExamples
	}
	key := ix.key(o)
	for _, from := range o.models() {
		if nets, cal, ok := loadModel(from, key); ok {
			rk, xs := prepare(texts, ix.ys, len(ix.labels), ix.ext.syn)
			if fitAll(nets, len(rk.v.names), len(ix.labels)) {
				rk.take(nets, xs)
				ix.rk, ix.cal = rk, cal
				return ix, nil
			}
		}
	}
	if err := ix.train(ctx, texts, o); err != nil {
		return nil, err
	}
	if o.CacheDir != "" {
		// A model that cannot be kept is trained again at the next start.
		_ = saveModel(o.CacheDir, key, ix.rk.nets, ix.cal)
	}
	return ix, nil
}

// models are the places where a trained model may be found.
func (o *TrainOptions) models() []fs.FS {
	var out []fs.FS
	if o.CacheDir != "" {
		out = append(out, os.DirFS(o.CacheDir))
	}
	if o.Carried != nil {
		out = append(out, o.Carried)
	}
	return out
}

func (ix *Index) train(ctx context.Context, texts []featureText, o TrainOptions) error {
	labels := len(ix.labels)
	fs := folds(ix.ys, labels, o.Seed^hash64("folds"))
	total := nets
	for _, f := range fs {
		total += f.nets
	}
	progress := progressOf(o.Progress, epochs*total)
	samples := make([][]sample, len(fs))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(workers(o.Workers))
	rk, xs := prepare(texts, ix.ys, labels, ix.ext.syn)
	sp := rk.v.spelledOf(texts, xs)
	trained := make([]*network, nets)
	for i := range trained {
		g.Go(func() error {
			m, err := fit(gctx, xs, sp, ix.ys, len(rk.v.names), labels, netSeed(o.Seed, i), progress)
			trained[i] = m
			return err
		})
	}
	for i, f := range fs {
		g.Go(func() error {
			s, err := asked(gctx, f, texts, ix.ys, labels, ix.ext.syn, progress)
			samples[i] = s
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	rk.take(trained, xs)
	ix.rk = rk
	var all []sample
	for _, s := range samples {
		all = append(all, s...)
	}
	ix.cal = calibrate(all)
	return nil
}

func workers(n int) int {
	if n > 0 {
		return n
	}
	return 2
}

// progressOf counts passes over all models.
func progressOf(report func(done, total int), total int) func() {
	if report == nil {
		return func() {}
	}
	var mu sync.Mutex
	var done atomic.Int64
	return func() {
		mu.Lock()
		defer mu.Unlock()
		report(int(done.Add(1)), total)
	}
}

// newIndex prepares everything that needs no training.
func newIndex(seg *Segmenter, syn *synonyms, ex []Example) (*Index, []featureText) {
	ix := &Index{ext: extractor{seg, syn}, exact: map[string][]int32{}}
	ids := map[string]int32{}
	for _, e := range ex {
		ids[e.Label] = 0
	}
	for l := range ids {
		ix.labels = append(ix.labels, l)
	}
	sort.Strings(ix.labels)
	for i, l := range ix.labels {
		ids[l] = int32(i)
	}
	ix.denials = make([]denial, len(ix.labels))
	seen := map[Example]struct{}{}
	var texts []featureText
	for _, e := range ex {
		norm := Normalize(e.Text)
		k := Example{norm, e.Label}
		if _, dup := seen[k]; dup || norm == "" {
			continue
		}
		seen[k] = struct{}{}
		f := ix.ext.extract(norm)
		if len(f.names) == 0 {
			continue
		}
		y := ids[e.Label]
		ix.examples = append(ix.examples, e)
		ix.ys = append(ix.ys, y)
		ix.texts = append(ix.texts, norm)
		texts = append(texts, f)
		ix.denials[y].add(words().denial(norm))
		if key := exactKey(f.norm); !slices.Contains(ix.exact[key], y) {
			ix.exact[key] = append(ix.exact[key], y)
		}
	}
	ix.ear = newEar(texts, &seg.dict.everyday, syn)
	return ix, texts
}

// modelVersion changes whenever features, training or the file change.
const modelVersion = 6

// key names what a model was trained on.
func (ix *Index) key(o TrainOptions) string {
	h := sha256.New()
	// A hash takes everything; its Write never fails.
	_, _ = fmt.Fprintf(h, "%d %d %s\n", modelVersion, o.Seed, ix.ext.seg.Fingerprint())
	for _, g := range o.Synonyms {
		_, _ = fmt.Fprintf(h, "%q\n", g)
	}
	for i, e := range ix.texts {
		_, _ = fmt.Fprintf(h, "%q %q\n", e, ix.labels[ix.ys[i]])
	}
	return hex.EncodeToString(h.Sum(nil))
}
