package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"wensheng/internal/app"
	"wensheng/internal/config"
)

func serveCmd() *cobra.Command {
	var path, listen, data string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the gateway",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			env := os.Environ()
			if listen != "" {
				env = append(env, "WENSHENG_LISTEN="+listen)
			}
			if data != "" {
				env = append(env, "WENSHENG_DATA="+data)
			}
			cfg, err := config.Load(path, env)
			if err != nil {
				return badInput(err)
			}
			return serve(cmd.Context(), cfg, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "config file; none is one web account with embedded Redis and SQLite")
	cmd.Flags().StringVar(&listen, "listen", "", "address to listen on (default 127.0.0.1:8080)")
	cmd.Flags().StringVar(&data, "data", "", "directory for everything that is kept (default ./data)")
	return cmd
}

func serve(ctx context.Context, cfg *config.Config, out, errw io.Writer) error {
	logger := app.NewLogger(cfg, errw)
	o := app.Options{Config: cfg, Logger: logger}
	if isTerminal(os.Stderr) {
		o.Progress = func(what string) { fmt.Fprintf(errw, "wensheng: starting: %s\n", what) }
	}
	a, err := app.New(ctx, o)
	if err != nil {
		if errors.Is(err, app.ErrInput) {
			return badInput(err)
		}
		return badEnv(err)
	}
	password, err := a.FirstAdmin(ctx)
	if err != nil {
		return badEnv(errors.Join(err, a.Abort(ctx)))
	}
	banner(out, a, password)
	if err := a.Run(ctx); err != nil {
		return badEnv(err)
	}
	return nil
}

func banner(out io.Writer, a *app.App, password string) {
	var b strings.Builder
	base := "http://" + a.Addr()
	fmt.Fprintf(&b, "\nWensheng is ready.\n  demo page   %s/demo\n  console     %s/console/\n", base, base)
	if password != "" {
		fmt.Fprintf(&b, "  login       admin\n  password    %s   (shown this once; change it in the console)\n", password)
	}
	for _, w := range a.Warnings() {
		fmt.Fprintf(&b, "  note: %s\n", w)
	}
	_, _ = io.WriteString(out, b.String()+"\n")
}
