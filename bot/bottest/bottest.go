// Package bottest spares tests the training of the knowledge base that ships with
// the program, which the race detector makes slow.
package bottest

import (
	"os"
)

// Seed puts models trained before into a cache directory. They lie where the
// environment's TEST_MODELS says; "make test" trains them there. Without it the
// first test of a package trains, and nothing else differs.
func Seed(dir string) error {
	from := os.Getenv("TEST_MODELS")
	if from == "" {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() {
			continue
		}
		raw, err := os.ReadFile(from + "/" + e.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(dir+"/"+e.Name(), raw, 0o600); err != nil {
			return err
		}
	}
	return nil
}
