package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/nlp"
	"wensheng/web"
)

// KnowledgeCheck is what `wensheng kb check --json` prints.
type KnowledgeCheck struct {
	// Version is empty when the knowledge base does not load.
	Version   string            `json:"version"`
	Topics    int               `json:"topics"`
	Phrasings int               `json:"phrasings"`
	Signals   int               `json:"signals"`
	Problems  []intents.Problem `json:"problems"`
}

// Loads reports whether the knowledge base can be used.
func (k *KnowledgeCheck) Loads() bool { return k.Version != "" }

// Summary is the check in one line.
func (k *KnowledgeCheck) Summary() string {
	return fmt.Sprintf("knowledge %s: %d topics, %d phrasings, %d signals", k.Version, k.Topics, k.Phrasings, k.Signals)
}

// Split tells the problems that must be mended from those worth knowing, each
// as one line.
func (k *KnowledgeCheck) Split() (problems, warnings []string) { return split(k.Problems) }

// CheckKnowledge checks a knowledge directory by itself, as it holds on a day;
// "" is the embedded one.
func CheckKnowledge(dir string, day time.Time) (KnowledgeCheck, error) {
	if err := mustBeDir(dir); err != nil {
		return KnowledgeCheck{}, err
	}
	fsys := knowledgeFS(dir)
	base, found := intents.Load(fsys)
	out := KnowledgeCheck{Problems: append([]intents.Problem{}, found...)}
	if base != nil {
		out.Version = base.Version
	} else {
		base, _ = intents.Draft(fsys)
	}
	wording, err := web.Wording(nlp.Normalize)
	if err != nil {
		return out, err
	}
	out.Problems = append(out.Problems, intents.Lint(base, intents.LintOptions{Day: day, Wording: wording})...)
	intents.SortProblems(out.Problems)
	out.Topics, out.Signals = len(base.Topics), len(base.Signals())
	for i := range base.Topics {
		out.Phrasings += len(base.Topics[i].Phrasings)
	}
	return out, nil
}

func mustBeDir(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is a file; name the directory of the knowledge base", dir)
	}
	return nil
}

// loadBase loads what can be answered from.
func loadBase(files intents.Files) (*intents.Base, error) {
	base, problems := intents.Load(files.FS())
	if base == nil {
		errs, _ := split(problems)
		return nil, inputError{errors.New(strings.Join(errs, "\n"))}
	}
	return base, nil
}

// CrossEval is how `wensheng kb eval` measures the knowledge base itself.
type CrossEval struct {
	From  Source
	Folds int // 0 is 5
	Seed  uint64
	// Progress may be nil; it gets what is done and what there is.
	Progress func(done, total int)
}

// CrossEvalKnowledge asks every phrasing of a knowledge base of the others.
func CrossEvalKnowledge(ctx context.Context, o CrossEval) (nlp.CrossReport, error) {
	files, err := o.From.read(ctx)
	if err != nil {
		return nlp.CrossReport{}, err
	}
	base, err := loadBase(files)
	if err != nil {
		return nlp.CrossReport{}, err
	}
	seg, err := segment(base)
	if err != nil {
		return nlp.CrossReport{}, err
	}
	defer seg.Close()
	rep, err := nlp.CrossValidate(ctx, seg, base.Examples(), nlp.CrossOptions{
		Folds: o.Folds, Seed: o.Seed, Progress: o.Progress, Train: nlp.TrainOptions{Synonyms: base.Synonyms()},
	})
	if errors.Is(err, nlp.ErrNoTest) {
		err = inputError{errors.New("every topic has one phrasing; there is nothing to ask")}
	}
	for i := range rep.Weakest {
		if t, ok := base.Topic(rep.Weakest[i].Label); ok {
			rep.Weakest[i].Title = t.Title
		}
	}
	return rep, err
}

// ExplainCross writes the report as an editor would want to read it.
func ExplainCross(w io.Writer, r *nlp.CrossReport) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%d phrasings of %d topics, asked in %d folds", r.N, r.Labels-r.Single, r.Folds)
	if r.Single > 0 {
		fmt.Fprintf(&b, "; %d topics have one phrasing and were not asked", r.Single)
	}
	fmt.Fprintf(&b, "\nhit@1 %.1f %%, hit@3 %.1f %%, MRR %.3f\nanswered at the calibrated threshold: %.1f %%, of those right: %.1f %%\n",
		100*r.Hit1, 100*r.Hit3, r.MRR, 100*r.Answered, 100*r.AnsweredRight)
	b.WriteString("\nprobability  questions  right\n")
	for _, bin := range r.Histogram {
		share := ""
		if bin.N > 0 {
			share = fmt.Sprintf("%5.1f %%", 100*float64(bin.Right)/float64(bin.N))
		}
		fmt.Fprintf(&b, "%.1f to %.1f  %9d  %s\n", bin.From, bin.To, bin.N, share)
	}
	if len(r.Curve) > 0 {
		b.WriteString("\nphrasings  hit@1\n")
		for _, p := range r.Curve {
			fmt.Fprintf(&b, "%9d  %5.1f %%\n", p.Phrasings, 100*p.Hit1)
		}
	}
	b.WriteString("\nmistaken most often\n")
	for _, c := range r.Confusions[:min(len(r.Confusions), 15)] {
		fmt.Fprintf(&b, "%4d  %s for %s: %s\n", c.N, c.B, c.A, strings.Join(c.Texts, " | "))
	}
	b.WriteString("\nthese topics would gain most from more phrasings\n")
	for _, x := range r.Weakest {
		fmt.Fprintf(&b, "%5.1f %%  %s (%s, %d phrasings), mostly taken for %s\n", 100*x.Hit1, x.Label, x.Title, x.N, x.ConfusedWith)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// EvalKnowledge trains the serving engine on one TSV of question TAB label and
// measures it on another. progress may be nil.
func EvalKnowledge(ctx context.Context, train, test string, progress func(string)) (nlp.Report, error) {
	a, err := readTSV(train)
	if err != nil {
		return nlp.Report{}, inputError{err}
	}
	b, err := readTSV(test)
	if err != nil {
		return nlp.Report{}, inputError{err}
	}
	files, err := readKnowledge("")
	if err != nil {
		return nlp.Report{}, err
	}
	base, err := loadBase(files)
	if err != nil {
		return nlp.Report{}, err
	}
	seg, err := segment(base)
	if err != nil {
		return nlp.Report{}, err
	}
	defer seg.Close()
	if progress != nil {
		progress(fmt.Sprintf("training on %d questions, then ranking %d", len(a), len(b)))
	}
	return nlp.Evaluate(ctx, seg, a, b)
}

func readTSV(path string) ([]nlp.Example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	var list []nlp.Example
	in := bufio.NewScanner(f)
	in.Buffer(make([]byte, 0, 4096), 1<<20)
	for line := 1; in.Scan(); line++ {
		raw := bytes.TrimPrefix(in.Bytes(), []byte("\xef\xbb\xbf"))
		if len(bytes.TrimSpace(raw)) == 0 {
			continue
		}
		i := bytes.LastIndexByte(raw, '\t')
		if i < 0 || !utf8.Valid(raw) {
			return nil, fmt.Errorf("%s:%d: want question TAB label in UTF-8", path, line)
		}
		list = append(list, nlp.Example{
			Text: strings.TrimSpace(string(raw[:i])), Label: strings.TrimSpace(string(raw[i+1:])),
		})
	}
	if err := in.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: no line in it", path)
	}
	return list, nil
}
