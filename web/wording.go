package web

import (
	_ "embed" // the rule file
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"golang.org/x/text/unicode/norm"
)

//go:embed data/blocked.yaml
var blockedRules []byte

// wording checks what agents write. Rules and their reasons stand in
// data/blocked.yaml. Immutable.
type wording struct {
	normalize func(string) string
	rules     []wordingRule
}

type wordingRule struct {
	class    string
	block    bool
	except   []*regexp.Regexp
	phrases  []string
	patterns []*regexp.Regexp
}

// wordingHit is a rule that matched and the normalised words it matched.
type wordingHit struct {
	class, phrase string
	block         bool
}

func newWording(normalize func(string) string) (*wording, error) {
	w := &wording{normalize: func(s string) string { return squash(s) }}
	if normalize != nil {
		w.normalize = func(s string) string {
			// Line by line: the end of one is a border, and normalising may make it a space.
			lines := strings.Split(s, "\n")
			for i, line := range lines {
				lines[i] = normalize(line)
			}
			return squash(strings.Join(lines, "\n"))
		}
	}
	var file []struct {
		Class    string   `yaml:"class"`
		Action   string   `yaml:"action"`
		Except   []string `yaml:"except"`
		Phrases  []string `yaml:"phrases"`
		Patterns []string `yaml:"patterns"`
	}
	if err := yaml.UnmarshalWithOptions(blockedRules, &file, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("blocked.yaml: %w", err)
	}
	for _, f := range file {
		if f.Class == "" || (f.Action != "block" && f.Action != "warn") {
			return nil, errors.New("blocked.yaml: every rule needs a class and an action, block or warn")
		}
		r := wordingRule{class: f.Class, block: f.Action == "block"}
		for _, p := range f.Phrases {
			r.phrases = append(r.phrases, squash(p))
		}
		var err error
		if r.except, err = compile(f.Except); err != nil {
			return nil, err
		}
		if r.patterns, err = compile(f.Patterns); err != nil {
			return nil, err
		}
		w.rules = append(w.rules, r)
	}
	return w, nil
}

func compile(patterns []string) ([]*regexp.Regexp, error) {
	out := make([]*regexp.Regexp, 0, len(patterns))
	for _, p := range patterns {
		re, err := regexp.Compile(p)
		if err != nil {
			return nil, fmt.Errorf("blocked.yaml: %w", err)
		}
		out = append(out, re)
	}
	return out, nil
}

// squash brings spelling tricks to one form: full width, case, and anything
// put between the characters. Commas and sentence ends become "," and ".",
// because a pattern must not reach over them; beside a single character they
// go too, because that is how a word is spelled out.
func squash(s string) string {
	var out, piece strings.Builder
	runes, before := 0, 0 // in the piece being read, and in the one before
	mark := ""
	flush := func() {
		if runes == 0 {
			return
		}
		if runes > 1 && before > 1 {
			out.WriteString(mark)
		}
		out.WriteString(piece.String())
		piece.Reset()
		before, runes, mark = runes, 0, ""
	}
	for _, r := range norm.NFKC.String(strings.ToLower(s)) {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			piece.WriteRune(unicode.ToLower(r))
			runes++
		case r == ',' || r == '\u3001': // NFKC has made the full-width one this
			flush()
			mark = max(mark, ",")
		case r == '.' || r == '\u3002' || r == '!' || r == '?' || r == ';' || r == '\n':
			flush()
			mark = "."
		}
	}
	flush()
	return out.String()
}

// check returns the worst rule that matches, a blocking one first, or nil.
func (w *wording) check(text string) *wordingHit {
	n := w.normalize(text)
	var warn *wordingHit
	for _, r := range w.rules {
		phrase := r.match(n)
		if phrase == "" {
			continue
		}
		hit := &wordingHit{class: r.class, phrase: phrase, block: r.block}
		if hit.block {
			return hit
		}
		if warn == nil {
			warn = hit
		}
	}
	return warn
}

// Wording returns the check of what agents write, for other texts that are said
// to contacts: the class of the worst rule a text breaks, or "", the normalised
// words that break it, and whether it may not be said at all. normalize may be
// nil. The check is safe for concurrent use.
func Wording(normalize func(string) string) (func(text string) (class, words string, forbidden bool), error) {
	w, err := newWording(normalize)
	if err != nil {
		return nil, err
	}
	return func(text string) (class, words string, forbidden bool) {
		hit := w.check(text)
		if hit == nil {
			return "", "", false
		}
		return hit.class, hit.phrase, hit.block
	}, nil
}

func (r *wordingRule) match(n string) string {
	for _, re := range r.except {
		n = re.ReplaceAllString(n, "|")
	}
	joined := strings.NewReplacer(",", "", ".", "").Replace(n)
	for _, p := range r.phrases {
		if strings.Contains(joined, p) {
			return p
		}
	}
	for _, re := range r.patterns {
		if m := re.FindString(n); m != "" {
			return m
		}
	}
	return ""
}
