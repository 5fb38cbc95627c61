// Command wensheng is the gateway and its tools: serve, check, ask, kb, user,
// version. It parses, builds and runs; everything else is in internal/app.
//
// Exit codes: 0 good, 1 the input is wrong, 2 usage, 3 the environment failed.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	_ "time/tzdata" // hours are in named zones; not every machine has the data

	"github.com/spf13/cobra"

	"wensheng/internal/config"
)

// Exit codes of CONTRACT.
const (
	exitInput = 1
	exitUsage = 2
	exitEnv   = 3
)

// failure is an error with the exit code it stands for.
type failure struct {
	code int
	err  error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func badInput(err error) error { return &failure{exitInput, err} }
func badEnv(err error) error   { return &failure{exitEnv, err} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string) int {
	cmd := root() //nolint:contextcheck // every command takes its context from ExecuteContext
	cmd.SetArgs(args)
	err := cmd.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	code := exitUsage
	var f *failure
	if errors.As(err, &f) {
		code = f.code
	}
	if msg := strings.TrimSpace(err.Error()); msg != "" {
		fmt.Fprintln(os.Stderr, "wensheng: "+msg)
	}
	if code == exitUsage {
		fmt.Fprintln(os.Stderr, "wensheng: see 'wensheng --help'")
	}
	return code
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:           "wensheng",
		Short:         "The front door for a consumer-finance company's customers",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.CompletionOptions.HiddenDefaultCmd = true
	cmd.AddCommand(serveCmd(), checkCmd(), askCmd(), kbCmd(), userCmd(), versionCmd())
	return cmd
}

// loadConfig reads the config; every problem it has is the input's fault.
func loadConfig(path string) (*config.Config, error) {
	cfg, err := config.Load(path, os.Environ())
	if err != nil {
		return nil, badInput(err)
	}
	return cfg, nil
}

// isTerminal reports whether progress may be shown: never in a pipe.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
