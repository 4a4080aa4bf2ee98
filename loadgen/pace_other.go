//go:build !linux

package loadgen

import "time"

// A fineTimer is not to be had on this system.
type fineTimer struct{}

func newFineTimer() *fineTimer { return nil }

func (*fineTimer) sleep(time.Duration) bool { return false }

func (*fineTimer) close() {}

func virtualTime() bool { return false }
