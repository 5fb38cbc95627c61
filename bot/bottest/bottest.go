// Package bottest spares tests the training of the knowledge base that ships with
// the program, which the race detector makes slow.
package bottest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Seed puts models trained before into a cache directory. They lie where the
// environment's TEST_MODELS says; "make test" trains them there. Without it the
// first test of a package trains, and nothing else differs.
func Seed(dir string) error {
	from := os.Getenv("TEST_MODELS") //nolint:forbidigo // for tests alone, which have no config
	if from == "" {
		return nil
	}
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("models for the tests: %w", err)
	}
	return nil
}
