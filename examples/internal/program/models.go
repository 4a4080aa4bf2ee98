package program

import (
	"strconv"
	"strings"
)

// models are the names of models to ask in turn, one with a weight so many times: "base*3,lora" is asked base, lora,
// base, base, as evenly as that goes.
func models(text string) ([]string, error) {
	if text == "" {
		return nil, nil
	}
	var names []string
	var weights []int
	all := 0
	for part := range strings.SplitSeq(text, ",") {
		name, times, weighted := strings.Cut(strings.TrimSpace(part), "*")
		n := 1
		if weighted {
			n, _ = strconv.Atoi(times)
		}
		if name == "" || n < 1 || n > 1000 {
			return nil, Usagef("-model %q: want names with commas between them, each perhaps with *WEIGHT from 1 to 1000", text)
		}
		names, weights, all = append(names, name), append(weights, n), all+n
	}
	// Smooth weighted round-robin: who is furthest behind goes next.
	var turn []string
	behind := make([]int, len(names))
	for range all {
		next := 0
		for i := range names {
			if behind[i] += weights[i]; behind[i] > behind[next] {
				next = i
			}
		}
		behind[next] -= all
		turn = append(turn, names[next])
	}
	return turn, nil
}
