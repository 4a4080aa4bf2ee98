// Package envinfo records what produced a number: the machine, its GPUs, kernel and drivers, the software on it, the
// limits of the process and the program that measured. A throughput without these cannot be compared with another.
//
// [Capture] reads them from files that the kernel and the packages keep, through an [io/fs.FS], so that a tree copied
// from another host is read as well as the running one. It opens no devices and needs no root. On the running host it
// also asks the makers' tools and rpm ([Tools]), which fill gaps and check what files said.
//
// Every reading is a [fact.Value]: what it is, its unit, of what it is true (the host, a container, the process) and
// where it was read; or that it is unknown, and why. Nothing is guessed. Files that are missing, unreadable, huge,
// garbled or that block cost only the values they would have given. No secret is recorded.
//
// What a server runs is mostly not the host's: [container.Capture], [serving.Capture] and [serving.CaptureModel] read
// a container, a server and a model. They are asked for one by one, since only the caller knows which of them produced
// the number, and their results are put into the [Environment].
//
// [Environment.Hash] is one number for all that matters for performance, and [Diff] says what makes two of them differ,
// keeping what has changed apart from what could not be compared. What changes by itself is not of an Environment:
// [Snapshot] reads temperatures, power, clocks, memory and the processes on the GPUs at one moment, and a
// [state.Sampler] does so during a measurement.
package envinfo

// For whoever works on it.
//
// Rooms. What a value is, stands in fact; internal/source is all input, within bounds. Above them each maker has a room
// of its own, amd and nvidia, which share gpu and know nothing of each other, and so have host and software. container,
// serving and state are made of those. This package puts together what they read: Capture is the list of what is asked,
// in its order. imports_test.go holds the directions.
//
// A new source is a file in the room that it belongs to: a parser, which is a function of bytes, with a test and a fuzz
// target, and a reading through source.Reader or a tool, of which each error becomes a value that is unknown for that
// reason. A new vendor is a new room, a field of Environment, and its lines in Capture, text.go and tables.go; its live
// state is a file in state. A runtime is a file in container and a line in the table there. A field is a line where the
// type is: it is hashed, compared, sampled and written to JSON without another, and shown where the room's text.go has
// a row for it.
//
// Figures and readings. Bandwidth and compute are what the maker publishes for the model, found by PCI id; their source
// is "table: …". They are withheld where readings show that this is not the whole card that the table describes. What
// the driver says (memory, clocks, compute units) has the path as its source. Sums over cards and nodes name themselves
// as sums, and what follows from readings by arithmetic names its formula.
//
// Software. The same software is there several times: on the host, in a container, in each Python. Each is a
// fact.Component with a scope of its own, several versions side by side are all recorded, and where files and packages
// give different ones a warning says so. The database of dpkg is read; that of rpm is not text, and rpm is asked.
//
// Tools are driven as commands and not through their C libraries, which would need cgo and would open the devices in
// this process, where a call that hangs cannot be killed. Runtimes of containers are asked by their command lines too,
// which every host of this kind has and whose output is documented; their client libraries would be most of what a user
// of this package downloads.
//
// There are well-kept libraries for processor topology, SMBIOS and control groups (jaypipes/ghw and prometheus/procfs
// among them). They open paths of the operating system, where everything here goes through one reader that bounds each
// read in size and time and can read a copied tree, and they give zeros for what is missing, where here the reason is
// the value. What is left of each is a parser of a page.
//
// Secrets. Environment variables are recorded by an allow-list, without those whose names say that they are secrets.
// Whatever is recorded, from wherever, is searched for the shapes of tokens, keys and passwords first. One rule for
// both serves the whole module (internal/secret).
