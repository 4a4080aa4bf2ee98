package stats

import "flag"

// A simulation is seeded and runs in the ordinary test at a size that takes a second or so. Its rows of the table in
// docs/validation/statistics-tables.md are what this prints:
//
//	go test ./stats -run Simulation -v -timeout 60m -long
var long = flag.Bool("long", false, "simulate long enough for the table in docs/validation/statistics-tables.md")

// draws returns how many draws a simulation makes.
func draws(short, longer int) int {
	if *long {
		return longer
	}
	return short
}
