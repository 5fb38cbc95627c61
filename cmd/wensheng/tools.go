package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"wensheng/internal/app"
)

func checkCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Name every problem in config and knowledge",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			problems, warnings := app.Check(cfg)
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning: "+w)
			}
			if len(problems) > 0 {
				return badInput(errors.New(strings.Join(problems, "\nwensheng: ")))
			}
			fmt.Fprintln(cmd.OutOrStdout(), "config and knowledge are good")
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "config file")
	return cmd
}

// maxLine bounds one question on standard input, in bytes.
const maxLine = 64 << 10

func askCmd() *cobra.Command {
	var path string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ask [TEXT]",
		Short: "One Decision, explained; without TEXT one line in, one JSON line out",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			asker, err := app.NewAsker(cmd.Context(), cfg, app.NewLogger(cfg, cmd.ErrOrStderr()))
			if err != nil {
				return inputOrEnv(err)
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			enc := json.NewEncoder(out)
			enc.SetEscapeHTML(false)
			if len(args) > 0 {
				answer := asker.Ask(strings.Join(args, " "))
				if asJSON {
					err = enc.Encode(answer)
				} else {
					_, err = io.WriteString(out, answer.Explain())
				}
				return errors.Join(err, out.Flush())
			}
			in := bufio.NewScanner(cmd.InOrStdin())
			in.Buffer(make([]byte, 0, 4096), maxLine)
			for in.Scan() {
				if err := errors.Join(enc.Encode(asker.Ask(in.Text())), out.Flush()); err != nil {
					return badEnv(err)
				}
			}
			if err := in.Err(); err != nil {
				return badInput(fmt.Errorf("standard input: %w (a line may hold %d bytes)", err, maxLine))
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&path, "config", "", "config file")
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON line instead of words")
	return cmd
}

func userCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "user", Short: "Users of the console"}
	var path, login, name string
	var roles, groups []string
	var capacity int
	var stdin bool
	add := &cobra.Command{
		Use:   "add --login L --role R --password-stdin",
		Short: "Add a user; works while serve runs",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if login == "" || len(roles) == 0 || !stdin {
				return errors.New("user add: --login, --role and --password-stdin are needed")
			}
			cfg, err := loadConfig(path)
			if err != nil {
				return err
			}
			password, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1024))
			if err != nil {
				return badEnv(fmt.Errorf("password from standard input: %w", err))
			}
			user := app.NewUser{
				Login: login, Name: name, Roles: roles, Groups: groups, Capacity: capacity,
				Password: strings.TrimRight(string(password), "\r\n"),
			}
			if err := app.AddUser(cmd.Context(), cfg, app.NewLogger(cfg, cmd.ErrOrStderr()), user); err != nil {
				return inputOrEnv(err)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "user %s added\n", login)
			return nil
		},
	}
	f := add.Flags()
	f.StringVar(&path, "config", "", "config file")
	f.StringVar(&login, "login", "", "login name")
	f.StringVar(&name, "name", "", "name shown to contacts and colleagues; the login when empty")
	f.StringSliceVar(&roles, "role", nil, "agent, supervisor, compliance, editor or admin; several with commas")
	f.StringSliceVar(&groups, "groups", nil, "groups the user works in")
	f.IntVar(&capacity, "capacity", 5, "conversations at once")
	f.BoolVar(&stdin, "password-stdin", false, "read the password from standard input")
	cmd.AddCommand(add)
	return cmd
}

func versionCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Version, commit, Go and knowledge base",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := app.Version()
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(v)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "wensheng %s\ncommit    %s\ngo        %s\nknowledge %s\n",
				v.Version, v.Commit, v.Go, v.Knowledge)
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "one JSON line")
	return cmd
}

func inputOrEnv(err error) error {
	if errors.Is(err, app.ErrInput) {
		return badInput(err)
	}
	return badEnv(err)
}
