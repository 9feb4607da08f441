//go:build race

package phi_test

// raceDetector: its sync.Pool drops what is put in now and then.
const raceDetector = true
