//go:build !linux

package finetimer

import "time"

// A Timer is not to be had on this system.
type Timer struct{}

// New is nil.
func New() *Timer { return nil }

// Sleep returns false: it cannot.
func (*Timer) Sleep(time.Duration) bool { return false }

// Close does nothing.
func (*Timer) Close() {}
