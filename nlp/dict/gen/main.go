// Command gen packs the segmenter's dictionary out of the Go module that go.mod
// names, for a build with the tag embeddict. It writes nlp/dict/*.gz and takes no
// argument; "go generate ./nlp/dict" and "make build" run it.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"wensheng/nlp/dict"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "gen: "+err.Error())
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

func run(ctx context.Context) error {
	// On a fresh clone the module is not there yet.
	if _, err := command(ctx, "mod", "download", dict.Module); err != nil {
		return err
	}
	module, err := command(ctx, "list", "-m", "-f", "{{.Dir}}", dict.Module)
	if err != nil {
		return err
	}
	self, err := command(ctx, "list", "-f", "{{.Dir}}", "wensheng/nlp/dict")
	if err != nil {
		return err
	}
	return dict.Pack(os.DirFS(filepath.Join(module, filepath.FromSlash(dict.Folder))), self)
}

func command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "go", args...) //nolint:gosec // the arguments are above
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(problem.String()))
	}
	return strings.TrimSpace(out.String()), nil
}
