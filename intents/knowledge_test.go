package intents_test

import (
	"testing"

	"wensheng/intents"
)

func TestEmbedded_LoadsWithoutProblems(t *testing.T) {
	t.Parallel()
	b, problems := intents.Load(intents.Embedded())
	for _, p := range problems {
		if !p.Warning {
			t.Error(p)
		}
	}
	if b == nil {
		t.Fatal("no base")
	}
	t.Logf("version %s: %d topics, %d examples, %d signals, %d builtins, %d words, %d phrases",
		b.Version, len(b.Topics), len(b.Examples()), len(b.Signals()), len(b.Builtins()), len(b.Words()), len(b.PhraseIDs()))
}
