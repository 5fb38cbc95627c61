package knowledge

import (
	"runtime/debug"
	"sync"
)

// trainingGC is the garbage collector's percentage while a model is trained:
// what training throws away then takes a quarter of what is in use, not as much
// again. It costs no time that can be measured.
const trainingGC = 25

// training is the process's, as the percentage is.
var training struct {
	mu  sync.Mutex
	n   int // under way
	was int // the percentage before
}

// thrifty begins a training; done ends it.
func thrifty() (done func()) {
	training.mu.Lock()
	defer training.mu.Unlock()
	if training.n++; training.n == 1 {
		training.was = debug.SetGCPercent(trainingGC)
		if training.was >= 0 && training.was < trainingGC {
			debug.SetGCPercent(training.was) // the operator's own is stricter
		}
	}
	return func() {
		training.mu.Lock()
		defer training.mu.Unlock()
		if training.n--; training.n == 0 {
			debug.SetGCPercent(training.was)
		}
	}
}
