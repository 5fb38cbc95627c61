//go:build !race

package bot_test

// raceDetector makes measuring pointless and slow.
const raceDetector = false
