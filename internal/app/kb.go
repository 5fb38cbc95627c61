package app

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"wensheng/intents"
	"wensheng/nlp"
	"wensheng/nlp/dict"
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
	base, _ := intents.Load(intents.Embedded())
	if base == nil {
		return nlp.Report{}, errors.New("the embedded knowledge base does not load")
	}
	files, done, err := dict.Open(dict.Embedded())
	if err != nil {
		return nlp.Report{}, err
	}
	defer done()
	seg, err := nlp.NewSegmenterFrom(nlp.DictFiles(files), base.Words())
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
