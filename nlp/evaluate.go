package nlp

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"time"
)

// Report is how well a trained Index answers a test set. The JSON keys are the
// outside contract's.
type Report struct {
	// N is the number of test questions, Labels of distinct labels trained on.
	N      int `json:"n"`
	Labels int `json:"labels"`
	// Hit1 and Hit3 are the shares of questions whose label came first, or
	// among the first three; MRR the mean of 1/rank over the first ten.
	Hit1 float64 `json:"hit1"`
	Hit3 float64 `json:"hit3"`
	MRR  float64 `json:"mrr"`
	// TrainS is the time to train, calibration included, in seconds; P50us and
	// P99us one ranking's, in microseconds; RSSMB the process's resident memory
	// afterwards, in megabytes, 0 where it is not known.
	TrainS float64 `json:"train_s"`
	P50us  float64 `json:"p50_us"`
	P99us  float64 `json:"p99_us"`
	RSSMB  float64 `json:"rss_mb"`
	// Answered is the share of questions at or above High that deny nothing,
	// AnsweredRight how many of those were right.
	Answered      float64    `json:"answered"`
	AnsweredRight float64    `json:"answered_right"`
	Thresholds    Thresholds `json:"thresholds"`
	// Known is the number of questions whose label was trained on. What follows
	// is about these, but for AUROC.
	Known int `json:"known"`
	// CoverageAt95 is the share answered when calibration, which saw only the
	// training set, picks the probability from which 95 % are right;
	// PrecisionAt95 the share of those that were.
	CoverageAt95  float64 `json:"coverage_at_95"`
	PrecisionAt95 float64 `json:"precision_at_95"`
	// Reliability compares, for each tenth of the questions by probability, the
	// least likely first, what was claimed with what came true.
	Reliability []Tenth `json:"reliability"`
	// AUROC is the probability that a question whose label is known gets a
	// higher probability than one whose label is not; 0 when the test set lacks
	// one kind.
	AUROC float64 `json:"auroc"`
}

// Tenth is a tenth of the test questions.
type Tenth struct {
	N int `json:"n"`
	// Claimed is the mean probability of the first candidates, Right the share
	// of them that were right.
	Claimed float64 `json:"claimed"`
	Right   float64 `json:"right"`
}

// ErrNoTest says that there was nothing to test.
var ErrNoTest = errors.New("no questions to test")

// evalDepth is how deep a right label counts for MRR.
const evalDepth = 10

// Evaluate trains on one set, ranks every question of the other, one after the
// other, and reports. A test label the training set lacks counts as a miss.
func Evaluate(ctx context.Context, seg *Segmenter, train, test []Example) (Report, error) {
	return EvaluateWith(ctx, seg, train, test, TrainOptions{})
}

// EvaluateWith is Evaluate with options for the training.
func EvaluateWith(ctx context.Context, seg *Segmenter, train, test []Example, o TrainOptions) (Report, error) {
	if len(test) == 0 {
		return Report{}, ErrNoTest
	}
	clock := time.Now //nolint:forbidigo // a measurement is of real time
	start := clock()
	ix, err := Train(ctx, seg, train, o)
	if err != nil {
		return Report{}, err
	}
	rep := Report{N: len(test), Labels: len(ix.labels), TrainS: clock().Sub(start).Seconds(), Thresholds: ix.Thresholds()}
	took := make([]time.Duration, 0, len(test))
	var hit1, hit3, answered, right int
	outcomes := make([]outcome, 0, len(test))
	for i, e := range test {
		if i%256 == 0 && ctx.Err() != nil {
			return Report{}, ctx.Err()
		}
		t0 := clock()
		r := ix.Rank(e.Text, evalDepth)
		took = append(took, clock().Sub(t0))
		for at, c := range r.Candidates {
			if c.Label != e.Label {
				continue
			}
			rep.MRR += 1 / float64(at+1)
			if at < 3 {
				hit3++
			}
			if at == 0 {
				hit1++
			}
		}
		_, known := slices.BinarySearch(ix.labels, e.Label)
		o := outcome{known: known}
		if len(r.Candidates) > 0 {
			o.p, o.right = r.Candidates[0].P, r.Candidates[0].Label == e.Label
		}
		outcomes = append(outcomes, o)
		if r.Sure() {
			answered++
			if r.Candidates[0].Label == e.Label {
				right++
			}
		}
	}
	n := float64(len(test))
	rep.Hit1, rep.Hit3, rep.MRR = float64(hit1)/n, float64(hit3)/n, rep.MRR/n
	rep.Answered = float64(answered) / n
	if answered > 0 {
		rep.AnsweredRight = float64(right) / float64(answered)
	}
	rep.judge(outcomes, ix.cal.Even)
	slices.Sort(took)
	rep.P50us = micros(took[len(took)/2])
	rep.P99us = micros(took[len(took)*99/100])
	rep.RSSMB = residentMB()
	return rep, nil
}

// outcome is the first candidate of one test question.
type outcome struct {
	p            float64
	right, known bool
}

// judge fills what is measured on probabilities.
func (rep *Report) judge(all []outcome, even float64) {
	slices.SortStableFunc(all, func(a, b outcome) int { return cmp.Compare(a.p, b.p) })
	rep.AUROC = auroc(all)
	known := slices.DeleteFunc(slices.Clone(all), func(o outcome) bool { return !o.known })
	rep.Known = len(known)
	if rep.Known == 0 {
		return
	}
	answered, right := 0, 0
	for _, o := range known {
		if o.p >= even {
			answered++
			if o.right {
				right++
			}
		}
	}
	rep.CoverageAt95 = float64(answered) / float64(len(known))
	if answered > 0 {
		rep.PrecisionAt95 = float64(right) / float64(answered)
	}
	const tenths = 10
	for i := range tenths {
		t := Tenth{}
		for _, o := range known[i*len(known)/tenths : (i+1)*len(known)/tenths] {
			t.N++
			t.Claimed += o.p
			if o.right {
				t.Right++
			}
		}
		if t.N > 0 {
			t.Claimed /= float64(t.N)
			t.Right /= float64(t.N)
		}
		rep.Reliability = append(rep.Reliability, t)
	}
}

// auroc takes outcomes in order of p; equal ones count half.
func auroc(all []outcome) float64 {
	var known, below, wins float64
	for i := 0; i < len(all); {
		j := i
		var k, u float64
		for ; j < len(all) && all[j].p == all[i].p; j++ {
			if all[j].known {
				k++
			} else {
				u++
			}
		}
		wins += k * (below + u/2)
		known += k
		below += u
		i = j
	}
	if known == 0 || below == 0 {
		return 0
	}
	return wins / known / below
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1000 }

// residentMB reads the process's resident memory from Linux's statm.
func residentMB() float64 {
	raw, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(raw)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return float64(pages) * float64(os.Getpagesize()) / (1 << 20)
}
