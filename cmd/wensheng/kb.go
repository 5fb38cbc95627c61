package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"wensheng/internal/app"
)

func kbCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "kb", Short: "Knowledge tools"}
	cmd.AddCommand(kbCheckCmd(), kbEvalCmd(), kbImportCmd(), kbExportCmd(), kbDiffCmd(), kbBatchCmd())
	return cmd
}

func kbCheckCmd() *cobra.Command {
	var dir, on string
	var asJSON, strict bool
	cmd := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Name every problem of a knowledge base, with file and line",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				dir = args[0]
			}
			day := time.Now()
			if on != "" {
				var err error
				if day, err = time.Parse(time.DateOnly, on); err != nil {
					return fmt.Errorf("kb check: --on %s is not a day like 2026-11-20", on)
				}
			}
			check, err := app.CheckKnowledge(dir, day)
			if err != nil {
				return badInput(err)
			}
			problems, warnings := check.Split()
			bad := len(problems) > 0 || strict && len(warnings) > 0
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), check); err != nil {
					return badEnv(err)
				}
				if bad {
					return badInput(errors.New("the knowledge base has problems"))
				}
				return nil
			}
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+w)
			}
			if len(problems) > 0 {
				return badInput(errors.New(strings.Join(problems, "\nwensheng: ")))
			}
			if bad {
				return badInput(fmt.Errorf("%d warnings", len(warnings)))
			}
			fmt.Fprintln(cmd.OutOrStdout(), check.Summary())
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", "knowledge directory; none is the embedded one")
	f.StringVar(&on, "on", "", "day that dates are compared with; today when empty")
	f.BoolVar(&strict, "strict", false, "warnings fail as well")
	f.BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}

// printJSON writes one JSON line.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// source is the knowledge base that --dir names, or else the one in force with
// the config.
func source(cmd *cobra.Command, path, dir string) (app.Source, error) {
	if dir != "" {
		return app.Source{Dir: dir}, nil
	}
	cfg, err := loadConfig(path)
	if err != nil {
		return app.Source{}, err
	}
	return app.Source{Config: cfg, Logger: app.NewLogger(cfg, cmd.ErrOrStderr())}, nil
}

// progressTo shows how far a long work is, on a terminal only.
func progressTo(cmd *cobra.Command, what string) func(done, total int) {
	if !isTerminal(os.Stderr) {
		return nil
	}
	return func(done, total int) {
		fmt.Fprintf(cmd.ErrOrStderr(), "\r\x1b[K%s %d %%", what, 100*done/max(1, total))
		if done >= total {
			fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K")
		}
	}
}

func kbEvalCmd() *cobra.Command {
	var train, test, path, dir string
	var folds int
	var seed uint64
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Measure the knowledge base by cross-validation, or the engine on labelled sets (--train, --test)",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (train == "") != (test == "") {
				return errors.New("kb eval: --train and --test are both needed, or neither")
			}
			if train != "" {
				return evalSets(cmd, train, test, asJSON)
			}
			if folds < 2 || folds > 50 {
				return errors.New("kb eval: --folds is 2 to 50")
			}
			from, err := source(cmd, path, dir)
			if err != nil {
				return err
			}
			report, err := app.CrossEvalKnowledge(cmd.Context(), app.CrossEval{
				From: from, Folds: folds, Seed: seed, Progress: progressTo(cmd, "cross-validation"),
			})
			if err != nil {
				return inputOrEnv(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), report)
			}
			return app.ExplainCross(cmd.OutOrStdout(), &report)
		},
	}
	f := cmd.Flags()
	f.StringVar(&train, "train", "", "training set: question TAB label, one a line")
	f.StringVar(&test, "test", "", "test set of the same form")
	f.StringVar(&path, "config", "", "config file; what is in force with it is measured")
	f.StringVar(&dir, "dir", "", `knowledge directory, or "embedded"; none is what is in force`)
	f.IntVar(&folds, "folds", 5, "parts of a cross-validation")
	f.Uint64Var(&seed, "seed", 1, "divides the phrasings; the same seed gives the same parts")
	f.BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}

func evalSets(cmd *cobra.Command, train, test string, asJSON bool) error {
	var progress func(string)
	if isTerminal(os.Stderr) {
		progress = func(s string) { fmt.Fprint(cmd.ErrOrStderr(), "\r\x1b[K"+s) }
	}
	report, err := app.EvalKnowledge(cmd.Context(), train, test, progress)
	if progress != nil {
		progress("")
	}
	if err != nil {
		return inputOrEnv(err)
	}
	if asJSON {
		return printJSON(cmd.OutOrStdout(), report)
	}
	raw, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return badEnv(err)
	}
	fmt.Fprintln(cmd.OutOrStdout(), string(raw))
	return nil
}

func kbExportCmd() *cobra.Command {
	var path, dir, format, out string
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write the knowledge base as a workbook, a table or Rasa data",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if format == "" || out == "" {
				return errors.New("kb export: --format and --out are needed")
			}
			from, err := source(cmd, path, dir)
			if err != nil {
				return err
			}
			var b bytes.Buffer
			n, err := app.ExportKnowledge(cmd.Context(), &b, from, format)
			if err != nil {
				return inputOrEnv(err)
			}
			if out == "-" {
				if _, err = b.WriteTo(cmd.OutOrStdout()); err != nil {
					return badEnv(err)
				}
				return nil
			}
			if err := os.WriteFile(out, b.Bytes(), 0o600); err != nil {
				return badEnv(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d topics written to %s\n", n, out)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "", "xlsx, csv or rasa")
	f.StringVar(&out, "out", "", "file to write; - is standard output")
	f.StringVar(&path, "config", "", "config file; what is in force with it is written")
	f.StringVar(&dir, "dir", "", `knowledge directory, or "embedded"; none is what is in force`)
	return cmd
}

func kbImportCmd() *cobra.Command {
	var o app.Import
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Read a workbook, a table or Rasa data into a knowledge directory",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.Format == "" || o.In == "" || o.Dir == "" {
				return errors.New("kb import: --format, --in and --dir are needed")
			}
			done, err := app.ImportKnowledge(o)
			if err != nil {
				return inputOrEnv(err)
			}
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), done); err != nil {
					return badEnv(err)
				}
			}
			problems, warnings := done.Split()
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+w)
			}
			if len(problems) > 0 {
				return badInput(errors.New("nothing was written:\nwensheng: " + strings.Join(problems, "\nwensheng: ")))
			}
			if asJSON {
				return nil
			}
			if o.DryRun {
				if err := app.ExplainDiff(cmd.OutOrStdout(), &done.Diff); err != nil {
					return badEnv(err)
				}
			}
			verb := "written to " + o.Dir
			if !done.Saved {
				verb = "nothing was written"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d topics added, %d changed, %d removed; %s\n", done.Added, done.Changed, done.Removed, verb)
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Format, "format", "", "xlsx, csv or rasa")
	f.StringVar(&o.In, "in", "", "file to read")
	f.StringVar(&o.Dir, "dir", "", "knowledge directory to write; it is made where it is missing")
	f.StringVar(&o.Mode, "mode", "merge", "merge keeps topics the file lacks, replace takes them out")
	f.BoolVar(&o.DryRun, "dry-run", false, "say what would change and write nothing")
	f.BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}

func kbDiffCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: `What differs between two knowledge directories; either may be "embedded"`,
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			d, err := app.DiffKnowledge(args[0], args[1])
			if err != nil {
				return inputOrEnv(err)
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return app.ExplainDiff(cmd.OutOrStdout(), &d)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}

func kbBatchCmd() *cobra.Command {
	var path, sheet string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "batch",
		Short: "Ask every row of a sheet of the bot and name those that are decided otherwise",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sheet == "" {
				return errors.New("kb batch: --sheet is needed")
			}
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			report, err := app.Batch(cmd.Context(), cfg, app.NewLogger(cfg, cmd.ErrOrStderr()), sheet, progressTo(cmd, "batch test"))
			if err != nil {
				return inputOrEnv(err)
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), report)
			} else {
				for _, p := range report.Sheet {
					fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+p.String())
				}
				err = app.ExplainBatch(cmd.OutOrStdout(), &report)
			}
			if err != nil {
				return badEnv(err)
			}
			if n := len(report.Failed); n > 0 {
				return badInput(fmt.Errorf("%d of %d cases failed", n, report.Cases))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&sheet, "sheet", "", "csv file or workbook with columns for the question and the topic or action wanted")
	f.StringVar(&path, "config", "", "config file")
	f.BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}
