package main

import (
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
	cmd.AddCommand(kbCheckCmd(), kbEvalCmd())
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

func kbEvalCmd() *cobra.Command {
	var train, test string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "eval --train A.tsv --test B.tsv",
		Short: "Train the serving engine on one labelled set and measure it on another",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if train == "" || test == "" {
				return errors.New("kb eval: --train and --test are both needed")
			}
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
				return json.NewEncoder(cmd.OutOrStdout()).Encode(report)
			}
			raw, err := json.MarshalIndent(report, "", "  ")
			if err != nil {
				return badEnv(err)
			}
			fmt.Fprintln(cmd.OutOrStdout(), string(raw))
			return nil
		},
	}
	cmd.Flags().StringVar(&train, "train", "", "training set: question TAB label, one a line")
	cmd.Flags().StringVar(&test, "test", "", "test set of the same form")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}
