// Package envinfo records what produced a number: the machine, its GPUs, kernel and drivers, the software on it, the limits of the
// process and the program that measured. A throughput without these cannot be compared with another.
//
// [Capture] reads them from files that the kernel and the packages keep, through an [io/fs.FS], so that a tree copied from another
// host is read as well as the running one. It runs no tools, opens no devices and needs no root.
//
// Every reading is a [Value]: what it is, its unit, of what it is true (the host, a container, the process) and where it was read; or
// that it is unknown, and why. Nothing is guessed. Files that are missing, unreadable, huge, garbled or that block cost only the values
// they would have given.
//
// # Figures and readings
//
// Bandwidth and compute are what the maker publishes for the model, found by PCI id; their source is "table: …". They are withheld
// where readings show that this is not the whole card that the table describes. What the driver says (memory, clocks, compute units)
// has the path as its source. Sums over cards and nodes name themselves as sums.
//
// # Comparing and watching
//
// [Environment.Hash] is one number for all that matters for performance, and [Diff] says what makes two of them differ, keeping what
// has changed apart from what could not be compared. What changes by itself is not of an Environment: [Snapshot] reads temperatures,
// power, clocks, memory and the processes on the GPUs at one moment, and a [Sampler] during a measurement.
//
// # Secrets
//
// Environment variables are recorded by an allow-list, without those whose names say that they are secrets. Whatever is recorded, from
// wherever, is searched for the shapes of tokens, keys and passwords first; see [Scrub] and [ScrubArgs].
//
// # Adding a source
//
// A source is a method of the capture type in a file of its own and a line in the list of sources (capture.go). It reads through the
// methods that bound every read, fills in the part of [Environment] that it owns or appends to Environment.Software, and turns each
// error into a value that is unknown for that reason. Its parser is a function of bytes, with a fuzz target.
package envinfo
