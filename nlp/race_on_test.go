//go:build race

package nlp_test

// raceDetector makes measuring pointless and slow.
const raceDetector = true
