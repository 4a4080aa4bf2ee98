package program

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// Where says in which directory the files of an experiment are, and which of them to open first. "": nowhere.
func Where(w io.Writer, dir string) {
	if dir != "" {
		fmt.Fprintf(w, "all files are in %s; open %s\n", dir, filepath.Join(dir, "report.html"))
	}
}

// Next says in one line what would say more than what was measured. dir is where that is kept, "" for nowhere; runs is
// the flag of how many there are. Of spread nothing is said after one run, which has none.
func Next(w io.Writer, a *protocol.Analysis, dir, runs string, narrows bool) {
	again := func(n int) string { return fmt.Sprintf("-%s %d", runs, n) }
	if dir != "" {
		again = func(n int) string { return fmt.Sprintf("-resume %s -%s %d", dir, runs, n) }
	}
	switch {
	case a.Runs == 1:
		fmt.Fprintf(w, "next: one run has no interval; %s adds some\n", again(3))
	case narrows && len(a.Knee.Next) > 0:
		var levels []string
		for _, l := range a.Knee.Next {
			levels = append(levels, strconv.FormatFloat(float64(l), 'g', -1, 64))
		}
		flag := "levels"
		if slices.ContainsFunc(a.Points, func(p protocol.Point) bool { return p.Open() }) {
			flag = "rates"
		}
		how := ""
		if flag == "levels" {
			how = ", or -adaptive, which goes on by itself"
		}
		fmt.Fprintf(w, "next: the knee is narrowed by -%s %s%s\n", flag, strings.Join(levels, ","), how)
	case narrows && a.Knee.NextRuns > a.Runs:
		fmt.Fprintf(w, "next: at this spread the knee takes %s\n", again(a.Knee.NextRuns))
	case runs == "blocks": // both sides are in it already
		if n := toDecide(a); n > 0 {
			fmt.Fprintf(w, "next: undecided at this spread; -%s %d, measured afresh into another -out, would decide 4 times in 5\n",
				runs, n)
		}
	case dir != "":
		fmt.Fprintf(w, "next: compare %s OTHER says how another server, or this one after a change, differs\n", dir)
	}
}

// toDecide is how many blocks the undecided findings of a comparison would take; 0: all are decided, or none can say.
func toDecide(a *protocol.Analysis) (most int) {
	for _, f := range a.Findings {
		var v stats.Verdict
		if json.Unmarshal(f.Detail, &v) == nil && v.Kind == stats.Undecided {
			most = max(most, v.RunsToDecide)
		}
	}
	return most
}
