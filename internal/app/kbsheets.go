package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"
	"time"

	"wensheng/intents"
	"wensheng/intents/exchange"
	"wensheng/internal/config"
)

// EmbeddedName is how a command line names the knowledge base that ships with
// the program.
const EmbeddedName = "embedded"

// Source says which knowledge base a command reads.
type Source struct {
	// Dir is a directory, or EmbeddedName; "" is what a gateway with Config
	// serves: its directory, or the published version, or the embedded base.
	Dir    string
	Config *config.Config
	Logger *slog.Logger
}

func (s Source) read(ctx context.Context) (_ intents.Files, err error) {
	if s.Dir != "" {
		return readNamed(s.Dir)
	}
	db, err := published(ctx, s.Config, s.Logger)
	if err != nil {
		return nil, err
	}
	if db == nil {
		return readKnowledge(s.Config.Knowledge.Dir)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	p, err := db.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	if p.Published == "" {
		return readKnowledge("")
	}
	_, files, err := db.VersionFiles(ctx, p.Published)
	return intents.Files(files), err
}

// readNamed reads a directory, or the embedded base by its name.
func readNamed(dir string) (intents.Files, error) {
	if dir == EmbeddedName {
		dir = ""
	}
	return readKnowledge(dir)
}

// readKnowledge takes a snapshot of a directory; "" is the embedded base.
func readKnowledge(dir string) (intents.Files, error) {
	if err := mustBeDir(dir); err != nil {
		return nil, inputError{err}
	}
	f, err := intents.ReadFiles(knowledgeFS(dir))
	if err != nil {
		return nil, inputError{err}
	}
	return f, nil
}

// ExportKnowledge writes Topics in a format of exchange.Formats. It returns how
// many there were.
func ExportKnowledge(ctx context.Context, w io.Writer, from Source, format string) (int, error) {
	f, err := from.read(ctx)
	if err != nil {
		return 0, err
	}
	topics := f.Topics()
	err = exchange.Export(w, format, topics)
	if errors.Is(err, exchange.ErrFormat) {
		err = inputError{err}
	}
	return len(topics), err
}

// Import is what `wensheng kb import` is to do.
type Import struct {
	// In is the file, Format one of exchange.Formats, Mode one of its modes.
	In, Format, Mode string
	// Dir is the directory that is written; it is made where it is missing.
	Dir    string
	DryRun bool
	Day    time.Time
}

// Imported is what it did, or would do.
type Imported struct {
	exchange.Result
	// Problems are those of the sheet, and those the knowledge base would have
	// that it had not before.
	Problems []intents.Problem `json:"problems"`
	Saved    bool              `json:"saved"`
}

// Split tells the problems that must be mended from those worth knowing.
func (i *Imported) Split() (problems, warnings []string) { return split(i.Problems) }

// ImportKnowledge reads a sheet into a directory. Nothing is written when a
// problem is worse than a warning, or the knowledge base would not load.
func ImportKnowledge(o Import) (Imported, error) {
	out := Imported{Problems: []intents.Problem{}}
	raw, err := readInput(o.In)
	if err != nil {
		return out, inputError{err}
	}
	before := intents.Files{}
	if _, err := os.Stat(o.Dir); !errors.Is(err, fs.ErrNotExist) {
		if before, err = readKnowledge(o.Dir); err != nil {
			return out, err
		}
	}
	sheet, problems := exchange.Import(raw, o.Format)
	named(problems, o.In)
	out.Problems = append(out.Problems, problems...)
	if bad, _ := split(problems); len(bad) > 0 {
		return out, nil
	}
	after := before.Clone()
	if out.Result, err = exchange.Apply(after, sheet, o.Mode); err != nil {
		return out, inputError{err}
	}
	// A problem that was there before is not the sheet's.
	known := map[string]bool{}
	_, had := intents.Draft(before.FS())
	for _, p := range had {
		known[p.Rule+p.Topic+p.Msg] = true
	}
	base, has := intents.Load(after.FS())
	for _, p := range has {
		if !known[p.Rule+p.Topic+p.Msg] || base == nil && !p.Warning {
			out.Problems = append(out.Problems, p)
		}
	}
	if base == nil || o.DryRun {
		return out, nil
	}
	if err := after.Save(o.Dir); err != nil {
		return out, err
	}
	out.Saved = true
	return out, nil
}

// named puts the file's name before the sheet's.
func named(problems []intents.Problem, file string) {
	for i := range problems {
		problems[i].File = strings.TrimSuffix(file+"/"+problems[i].File, "/")
	}
}

// readInput reads a file of at most what exchange takes.
func readInput(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	raw, err := io.ReadAll(io.LimitReader(f, exchange.MaxInput+1))
	if err == nil && len(raw) > exchange.MaxInput {
		err = fmt.Errorf("%s is larger than %d bytes", name, exchange.MaxInput)
	}
	return raw, err
}

// DiffKnowledge compares two directories; either may be EmbeddedName.
func DiffKnowledge(a, b string) (intents.Difference, error) {
	var read [2]intents.Files
	for i, dir := range []string{a, b} {
		f, err := readNamed(dir)
		if err != nil {
			return intents.Difference{}, err
		}
		read[i] = f
	}
	return intents.DiffFiles(read[0], read[1]), nil
}

// ExplainDiff writes a difference as a person would want to read it.
func ExplainDiff(w io.Writer, d *intents.Difference) error {
	var b strings.Builder
	if d.Empty() {
		b.WriteString("no difference\n")
	}
	for _, t := range d.Added {
		fmt.Fprintf(&b, "+ %s (%s), %d phrasings\n", t.ID, t.Title, len(t.Phrasings))
	}
	for _, t := range d.Removed {
		fmt.Fprintf(&b, "- %s (%s)\n", t.ID, t.Title)
	}
	lines := func(sign string, list []string) {
		for _, s := range list {
			b.WriteString("    " + sign + " " + strings.ReplaceAll(s, "\n", "\n      ") + "\n")
		}
	}
	for _, c := range d.Changed {
		fmt.Fprintf(&b, "~ %s (%s)\n", c.Topic, c.Title)
		for _, f := range c.Fields {
			b.WriteString("  " + f.Field + "\n")
			lines("-", append(present(f.Before), f.Removed...))
			lines("+", append(present(f.After), f.Added...))
		}
	}
	for _, f := range d.Files {
		b.WriteString("~ " + f.File + "\n")
		lines("-", f.Removed)
		lines("+", f.Added)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// present is a list of the text, or of nothing.
func present(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// BatchReport is what a batch test found. The keys are the console's.
type BatchReport struct {
	Cases  int          `json:"cases"`
	Passed int          `json:"passed"`
	Failed []FailedCase `json:"failed"`
	// Sheet is what is worth knowing of the sheet.
	Sheet []intents.Problem `json:"sheet"`
}

// FailedCase is a case whose decision was another.
type FailedCase struct {
	Row      int    `json:"row"`
	Text     string `json:"text"`
	Want     string `json:"want"`
	Got      string `json:"got"`
	Decision Answer `json:"decision"`
}

// Batch asks every case of a sheet, a csv file or a workbook, of the engine
// that serves, each as the first word of a conversation. progress may be nil.
func Batch(ctx context.Context, cfg *config.Config, log *slog.Logger, name string, progress func(done, total int)) (BatchReport, error) {
	r := BatchReport{Failed: []FailedCase{}, Sheet: []intents.Problem{}}
	raw, err := readInput(name)
	if err != nil {
		return r, inputError{err}
	}
	format := exchange.CSV
	if strings.HasPrefix(string(raw), "PK") {
		format = exchange.XLSX
	}
	cases, problems := exchange.Cases(raw, format)
	named(problems, name)
	r.Sheet = append(r.Sheet, problems...)
	if bad, _ := split(problems); len(bad) > 0 {
		return r, inputError{errors.New(strings.Join(bad, "\n"))}
	}
	asker, err := NewAsker(ctx, cfg, log)
	if err != nil {
		return r, err
	}
	for _, c := range cases {
		if err := ctx.Err(); err != nil {
			return r, err
		}
		channel := c.Channel
		if channel == "" {
			channel = config.KindWeb
		}
		d := asker.decide(c.Text, channel)
		r.Cases++
		if (c.Topic == "" || d.Topic == c.Topic) && (c.Action == "" || string(d.Action) == c.Action) {
			r.Passed++
		} else {
			r.Failed = append(r.Failed, FailedCase{
				Row: c.Row, Text: c.Text, Want: strings.TrimSpace(c.Action + " " + c.Topic),
				Got: strings.TrimSpace(string(d.Action) + " " + d.Topic), Decision: answerOf(c.Text, d),
			})
		}
		if progress != nil {
			progress(r.Cases, len(cases))
		}
	}
	return r, nil
}

// ExplainBatch writes what failed and why.
func ExplainBatch(w io.Writer, r *BatchReport) error {
	var b strings.Builder
	for _, f := range r.Failed {
		fmt.Fprintf(&b, "row %d: %s\n  want %s, got %s (%.2f)\n", f.Row, f.Text, f.Want, f.Got, f.Decision.Confidence)
		for _, c := range f.Decision.Candidates {
			fmt.Fprintf(&b, "    %.2f %s\n", c.Confidence, c.Topic)
		}
		if f.Decision.Intent != "" || len(f.Decision.Signals) > 0 {
			fmt.Fprintf(&b, "    intent %q, signals %q\n", f.Decision.Intent, f.Decision.Signals)
		}
	}
	fmt.Fprintf(&b, "%d of %d cases passed\n", r.Passed, r.Cases)
	_, err := io.WriteString(w, b.String())
	return err
}
