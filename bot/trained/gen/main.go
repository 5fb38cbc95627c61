// Command gen trains the knowledge base that ships with the program and leaves the
// model in the directory it is given, in place of those that were there. The build
// tag embeddict decides which dictionary the model belongs to. "make build" and
// "make test" run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"wensheng/bot"
	"wensheng/intents"
	"wensheng/nlp"
	"wensheng/nlp/dict"
)

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "gen: "+err.Error())
		os.Exit(1) //nolint:forbidigo // this is a main
	}
}

var errUsage = errors.New("usage: gen DIRECTORY")

func run(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errUsage
	}
	dir := args[0]
	old, err := filepath.Glob(filepath.Join(dir, "model-*.bin"))
	if err != nil {
		return err
	}
	for _, name := range old {
		if err := os.Remove(name); err != nil { //nolint:gosec // G703: the Makefile names the directory
			return err
		}
	}
	base, problems := intents.Load(intents.Embedded())
	if base == nil {
		return fmt.Errorf("the knowledge base: %s", problems[0])
	}
	files, done, err := dict.Open(dict.Embedded())
	if err != nil {
		return err
	}
	defer done()
	e, err := bot.NewContext(ctx, bot.Options{Base: base, Dict: nlp.DictFiles(files), CacheDir: dir})
	if err != nil {
		return err
	}
	e.Close()
	made, err := filepath.Glob(filepath.Join(dir, "model-*.bin"))
	if err != nil {
		return err
	}
	if len(made) != 1 {
		return fmt.Errorf("the model could not be kept in %s", dir)
	}
	return nil
}
