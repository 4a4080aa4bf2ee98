// Package nearest finds what was meant by a name that is none: "ttft_p99" for "tftt_p99".
package nearest

import "strings"

// Name is the name that is most like a word: fewest letters to change, and no more than a third of them; "" where there
// is none. Of several it is the first.
func Name(word string, names []string) string {
	best, least := "", max(len(word)/3, 1)+1
	for _, name := range names {
		if d := distance(word, name); d < least {
			best, least = name, d
		}
	}
	return best
}

// Names are those that have a part in common with a word, between dashes or underscores, of three letters or more:
// where there is no nearest one, what it may have meant. most at most, in their order.
func Names(word string, names []string, most int) (out []string) {
	parts := func(s string) []string {
		return strings.FieldsFunc(s, func(r rune) bool { return r == '-' || r == '_' || r == ' ' })
	}
	for _, name := range names {
		like := false
		for _, part := range parts(word) {
			for _, its := range parts(name) {
				like = like || len(part) >= 3 && (strings.HasPrefix(its, part) || len(its) >= 3 &&
					strings.HasPrefix(part, its))
			}
		}
		if like && len(out) < most {
			out = append(out, name)
		}
	}
	return out
}

// distance is how many letters have to be put in, taken out, changed, or exchanged with the next one, to make b of a.
func distance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
