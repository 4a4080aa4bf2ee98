package program

import (
	"os"
	"runtime"
	"runtime/debug"
)

// ballast is memory that is never touched, and so takes none of the machine's.
var ballast []byte

// collectLess makes the garbage collector run less often while little memory is in use. A client of a hundred streams
// has some 2 MB, for which Go collects at each 4 MB, 25 times a second. With the ballast it waits for 32 MB and half
// of what is in use, which at 10,000 streams is less than Go's own setting. Measured on 40,000 requests of one token,
// 32 collections became 3 and the CPU time a request fell by 6 to 14 %; on streams of 500 chunks, by 3 to 6 % a chunk.
// A GOGC or GOMEMLIMIT of the user's goes before.
func collectLess() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	const size, percent = 64 << 20, 50
	ballast = make([]byte, size)
	runtime.KeepAlive(ballast)
	debug.SetGCPercent(percent)
}
