package nlp

import (
	"bytes"
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
	// Answered is the share of questions at or above High, AnsweredRight how
	// many of those were right.
	Answered      float64    `json:"answered"`
	AnsweredRight float64    `json:"answered_right"`
	Thresholds    Thresholds `json:"thresholds"`
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
		if len(r.Candidates) > 0 && r.Candidates[0].P >= r.Thresholds.High {
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
	slices.Sort(took)
	rep.P50us = micros(took[len(took)/2])
	rep.P99us = micros(took[len(took)*99/100])
	rep.RSSMB = residentMB()
	return rep, nil
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
