package nlp

import (
	"context"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
)

// CrossOptions say how CrossValidate measures. The zero value is good.
type CrossOptions struct {
	// Folds is into how many parts each label's examples are divided; 0 is 5.
	Folds int
	// Seed divides them: the same seed and examples give the same parts.
	Seed uint64
	// Curve are the shares of the training examples that the learning curve is
	// measured at; nil is a quarter, a half, three quarters and all of them. An
	// empty list measures none.
	Curve []float64
	// Train is handed to every training but for its seed, cache and progress.
	Train TrainOptions
	// Progress is called with what is done and what there is, from one
	// goroutine at a time.
	Progress func(done, total int)
}

// CrossReport is how well unseen wordings of a set of examples are understood.
// The JSON keys are the console's.
type CrossReport struct {
	// N is the number of questions asked, Labels and Folds of what they were
	// divided into, Single of labels with one example, which cannot be asked.
	N      int `json:"n"`
	Labels int `json:"labels"`
	Folds  int `json:"folds"`
	Single int `json:"single"`
	// Hit1, Hit3 and MRR are as in Report.
	Hit1 float64 `json:"hit1"`
	Hit3 float64 `json:"hit3"`
	MRR  float64 `json:"mrr"`
	// Answered is the share of questions at or above the threshold that each
	// training found for itself, AnsweredRight how many of those were right.
	Answered      float64 `json:"answered"`
	AnsweredRight float64 `json:"answered_right"`
	// Confusions are the pairs of labels mistaken for each other, most first.
	Confusions []Confusion `json:"confusions"`
	// Histogram has ten bins of the first candidate's probability.
	Histogram []Bin `json:"histogram"`
	// Curve is what fewer examples would give, measured on the first fold.
	Curve []CurvePoint `json:"curve"`
	// Weakest are the labels that would gain most from more examples.
	Weakest []Weak `json:"weakest"`
}

// Confusion is one label's questions that another label won.
type Confusion struct {
	// A is the right label, B the one that came first.
	A string `json:"a"`
	B string `json:"b"`
	N int    `json:"n"`
	// Texts are some of the questions.
	Texts []string `json:"texts"`
}

// Bin counts the questions whose first candidate had a probability from From
// up to, but without, To; the last bin holds 1 as well.
type Bin struct {
	From  float64 `json:"from"`
	To    float64 `json:"to"`
	N     int     `json:"n"`
	Right int     `json:"right"`
}

// CurvePoint is the share of first candidates that were right after training
// on a share of the examples.
type CurvePoint struct {
	Share     float64 `json:"share"`
	Phrasings int     `json:"phrasings"`
	Hit1      float64 `json:"hit1"`
}

// Weak is a label whose questions are often missed.
type Weak struct {
	Label string `json:"topic"`
	// Title is the caller's to fill in.
	Title string  `json:"title"`
	N     int     `json:"n"`
	Hit1  float64 `json:"hit1"`
	// ConfusedWith is the label that won most often instead; or "".
	ConfusedWith string `json:"confused_with"`
}

const (
	maxConfusions = 50
	maxTexts      = 5
	maxWeak       = 5
	bins          = 10
)

// CrossValidate asks every example of the others: each label's examples are
// divided into folds, and each fold is asked of an Index that was trained on
// the rest, calibration included, as it would be for serving. A label's only
// example is trained on and never asked. It returns ErrNoTest when there is
// nothing to ask, and ctx's error.
func CrossValidate(ctx context.Context, seg *Segmenter, ex []Example, o CrossOptions) (CrossReport, error) {
	if o.Folds < 2 {
		o.Folds = 5
	}
	if o.Curve == nil {
		o.Curve = []float64{0.25, 0.5, 0.75, 1}
	}
	parts, single := divide(ex, o.Folds, o.Seed)
	c := &cross{
		seg: seg, o: o, confused: map[[2]string][]string{}, labels: map[string]*Weak{},
		rep: CrossReport{Folds: o.Folds, Single: single, Histogram: make([]Bin, bins), Curve: []CurvePoint{}, Confusions: []Confusion{}, Weakest: []Weak{}},
	}
	c.trainings = o.Folds
	for _, share := range o.Curve {
		if share < 1 {
			c.trainings++
		}
	}
	for _, e := range ex {
		c.labels[e.Label] = &Weak{Label: e.Label}
	}
	c.rep.Labels = len(c.labels)
	for i := range c.rep.Histogram {
		c.rep.Histogram[i].From, c.rep.Histogram[i].To = float64(i)/bins, float64(i+1)/bins
	}
	var whole float64 // the first fold's, trained on everything
	for fold := range o.Folds {
		train, test := split(ex, parts, fold)
		if len(test) == 0 {
			c.done++
			continue
		}
		right, err := c.fold(ctx, train, test)
		if err != nil {
			return CrossReport{}, err
		}
		if fold == 0 {
			whole = float64(right) / float64(len(test))
		}
	}
	if c.rep.N == 0 {
		return CrossReport{}, ErrNoTest
	}
	if err := c.curve(ctx, ex, parts, whole); err != nil {
		return CrossReport{}, err
	}
	c.finish()
	return c.rep, nil
}

// divide gives each example its fold, evenly for each label; -1 is in none.
func divide(ex []Example, folds int, seed uint64) (parts []int, single int) {
	parts = make([]int, len(ex))
	by := map[string][]int{}
	var labels []string
	for i, e := range ex {
		if _, ok := by[e.Label]; !ok {
			labels = append(labels, e.Label)
		}
		by[e.Label] = append(by[e.Label], i)
	}
	r := rand.New(rand.NewPCG(seed, hash64("crossval")))
	next := 0
	for _, label := range labels {
		list := by[label]
		if len(list) == 1 {
			parts[list[0]] = -1
			single++
			continue
		}
		r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		for _, i := range list {
			parts[i] = next % folds
			next++
		}
	}
	return parts, single
}

func split(ex []Example, parts []int, fold int) (train, test []Example) {
	for i, e := range ex {
		if parts[i] == fold {
			test = append(test, e)
		} else {
			train = append(train, e)
		}
	}
	return train, test
}

// cross is one CrossValidate.
type cross struct {
	seg             *Segmenter
	o               CrossOptions
	done, trainings int
	answered, right int
	confused        map[[2]string][]string
	labels          map[string]*Weak
	rep             CrossReport
}

func (c *cross) train(ctx context.Context, ex []Example) (*Index, error) {
	o := c.o.Train
	o.Seed, o.CacheDir, o.Progress = c.o.Seed, "", nil
	if c.o.Progress != nil {
		const steps = 1000 // of one training
		o.Progress = func(done, total int) {
			c.o.Progress(c.done*steps+done*steps/max(1, total), c.trainings*steps)
		}
	}
	ix, err := Train(ctx, c.seg, ex, o)
	c.done++
	return ix, err
}

// fold asks one part and returns how many were right.
func (c *cross) fold(ctx context.Context, train, test []Example) (int, error) {
	ix, err := c.train(ctx, train)
	if err != nil {
		return 0, err
	}
	hits := 0
	for i, e := range test {
		if i%256 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		r := ix.Rank(e.Text, evalDepth)
		w := c.labels[e.Label]
		w.N++
		c.rep.N++
		for at, k := range r.Candidates {
			if k.Label == e.Label {
				c.rep.MRR += 1 / float64(at+1)
				if at < 3 {
					c.rep.Hit3++
				}
			}
		}
		if len(r.Candidates) == 0 {
			c.rep.Histogram[0].N++
			continue
		}
		first := r.Candidates[0]
		ok := first.Label == e.Label
		bin := &c.rep.Histogram[min(bins-1, max(0, int(first.P*bins)))]
		bin.N++
		if r.Sure() {
			c.answered++
			if ok {
				c.right++
			}
		}
		if ok {
			hits++
			bin.Right++
			w.Hit1++
			continue
		}
		pair := [2]string{e.Label, first.Label}
		c.confused[pair] = append(c.confused[pair], e.Text)
	}
	c.rep.Hit1 += float64(hits)
	return hits, nil
}

// curve asks the first part of Indexes that were trained on less. Every label
// keeps an example, as a knowledge base would.
func (c *cross) curve(ctx context.Context, ex []Example, parts []int, whole float64) error {
	train, test := split(ex, parts, 0)
	for _, share := range c.o.Curve {
		if share >= 1 {
			c.rep.Curve = append(c.rep.Curve, CurvePoint{1, len(train), whole})
			continue
		}
		some := portion(train, share, c.o.Seed)
		ix, err := c.train(ctx, some)
		if err != nil {
			return err
		}
		hits := 0
		for _, e := range test {
			if r := ix.Rank(e.Text, 1); len(r.Candidates) > 0 && r.Candidates[0].Label == e.Label {
				hits++
			}
		}
		c.rep.Curve = append(c.rep.Curve, CurvePoint{share, len(some), float64(hits) / float64(max(1, len(test)))})
	}
	return nil
}

// portion takes a share of each label's examples, at least one.
func portion(ex []Example, share float64, seed uint64) []Example {
	order := rand.New(rand.NewPCG(seed, hash64("curve"))).Perm(len(ex))
	have, total := map[string]int{}, map[string]int{}
	for _, e := range ex {
		total[e.Label]++
	}
	var out []Example
	for _, i := range order {
		e := ex[i]
		if have[e.Label] < max(1, int(share*float64(total[e.Label])+0.5)) {
			have[e.Label]++
			out = append(out, e)
		}
	}
	return out
}

// finish makes shares of the sums and lists of the maps.
func (c *cross) finish() {
	n := float64(c.rep.N)
	c.rep.Hit1, c.rep.Hit3, c.rep.MRR = c.rep.Hit1/n, c.rep.Hit3/n, c.rep.MRR/n
	c.rep.Answered = float64(c.answered) / n
	if c.answered > 0 {
		c.rep.AnsweredRight = float64(c.right) / float64(c.answered)
	}
	lost := map[string]int{} // per label, to the one that wins most
	for pair, texts := range c.confused {
		c.rep.Confusions = append(c.rep.Confusions, Confusion{A: pair[0], B: pair[1], N: len(texts), Texts: texts[:min(len(texts), maxTexts)]})
	}
	slices.SortFunc(c.rep.Confusions, func(x, y Confusion) int {
		if x.N != y.N {
			return y.N - x.N
		}
		return strings.Compare(x.A+"\x00"+x.B, y.A+"\x00"+y.B)
	})
	for _, k := range c.rep.Confusions {
		if k.N > lost[k.A] {
			lost[k.A] = k.N
			c.labels[k.A].ConfusedWith = k.B
		}
	}
	c.rep.Confusions = c.rep.Confusions[:min(len(c.rep.Confusions), maxConfusions)]
	for _, w := range c.labels {
		if missed := float64(w.N) - w.Hit1; missed > 0 {
			c.rep.Weakest = append(c.rep.Weakest, *w)
		}
	}
	// The share missed, drawn towards none for few questions: two of two says
	// less than nine of ten.
	gain := func(w Weak) float64 { return (float64(w.N) - w.Hit1) / float64(w.N+2) }
	sort.Slice(c.rep.Weakest, func(i, j int) bool {
		x, y := c.rep.Weakest[i], c.rep.Weakest[j]
		if gx, gy := gain(x), gain(y); gx != gy {
			return gx > gy
		}
		if x.N != y.N {
			return x.N < y.N
		}
		return x.Label < y.Label
	})
	c.rep.Weakest = c.rep.Weakest[:min(len(c.rep.Weakest), maxWeak)]
	for i := range c.rep.Weakest {
		c.rep.Weakest[i].Hit1 /= float64(c.rep.Weakest[i].N)
	}
}
