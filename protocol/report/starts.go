package report

import (
	"fmt"
	"slices"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// The starts of a server are the first thing in which runs can differ: how long each took to be ready, and how much KV
// cache it then had.

// haveStarts reports whether there are several starts, and anything to compare in them.
func haveStarts(starts []protocol.StartRecord) bool {
	return len(starts) > 1 && slices.ContainsFunc(starts, func(s protocol.StartRecord) bool {
		return s.Ready > 0 || s.KVBlocks > 0 || s.KVTokens > 0
	})
}

// startLines say in words how far the starts of each arm differ: "Starts: 5, ready after 12.1 s (SD 0.30 s, 11.8 to
// 12.5 s); KV cache: 9,271 blocks in each".
func startLines(a *protocol.Analysis) (lines []string) {
	if !haveStarts(a.Starts) {
		return nil
	}
	var arms []string
	byArm := map[string][]protocol.StartRecord{}
	for _, s := range a.Starts {
		if byArm[s.Arm] == nil {
			arms = append(arms, s.Arm)
		}
		byArm[s.Arm] = append(byArm[s.Arm], s)
	}
	for _, arm := range arms {
		line := "Starts"
		if arm != "" {
			line += " of " + plain(arm)
		}
		line += number.Sprintf(": %s", count(len(byArm[arm])))
		if text := readiness(byArm[arm]); text != "" {
			line += ", " + text
		}
		for _, room := range kvRooms {
			if text := room.spread(byArm[arm]); text != "" {
				line += "; KV cache: " + text
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// readiness says after how long starts were ready.
func readiness(starts []protocol.StartRecord) string {
	var seconds []float64
	for _, s := range starts {
		if s.Ready > 0 {
			seconds = append(seconds, s.Ready.Seconds())
		}
	}
	summary, err := stats.Summarize(seconds)
	if err != nil {
		return ""
	}
	if len(seconds) < 2 {
		return number.Sprintf("ready after %s s", sized(summary.Mean))
	}
	return number.Sprintf("ready after %s s (SD %s, from %s to %s)", sized(summary.Mean), sized(summary.SD), sized(summary.Min),
		sized(summary.Max))
}

// A kvRoom is a way in which servers say how large their KV cache is.
type kvRoom struct {
	unit string
	of   func(protocol.StartRecord) int64
}

var kvRooms = []kvRoom{
	{"blocks", func(s protocol.StartRecord) int64 { return s.KVBlocks }},
	{"tokens", func(s protocol.StartRecord) int64 { return s.KVTokens }},
}

// known are the sizes that starts have told.
func (r kvRoom) known(starts []protocol.StartRecord) (sizes []int64) {
	for _, s := range starts {
		if n := r.of(s); n > 0 {
			sizes = append(sizes, n)
		}
	}
	return sizes
}

func (r kvRoom) spread(starts []protocol.StartRecord) string {
	sizes := r.known(starts)
	if len(sizes) == 0 {
		return ""
	}
	least, most := slices.Min(sizes), slices.Max(sizes)
	text := number.Sprintf("%s %s in each", decimal(float64(least), 0), r.unit)
	if least < most {
		text = number.Sprintf("from %s to %s %s (%s more)", decimal(float64(least), 0), decimal(float64(most), 0), r.unit,
			percent(float64(most)/float64(least)-1))
	}
	if unknown := len(starts) - len(sizes); unknown > 0 {
		text += number.Sprintf(", not known of %d", unknown)
	}
	return text
}

// startTable has a row for each start.
func (s *subject) startTable() Table {
	t := Table{ID: s.prefix + "starts", Caption: "The starts of the server, in their order"}
	if !haveStarts(s.Starts) {
		return t
	}
	arms := slices.ContainsFunc(s.Starts, func(r protocol.StartRecord) bool { return r.Arm != "" })
	if t.Head = []string{"Run"}; arms {
		t.Head = append(t.Head, "Arm")
	}
	t.Head = append(t.Head, "Ready after, s")
	var rooms []kvRoom
	for _, room := range kvRooms {
		if len(room.known(s.Starts)) > 0 {
			rooms = append(rooms, room)
			t.Head = append(t.Head, "KV cache, "+room.unit)
		}
	}
	for _, start := range s.Starts {
		row := []Cell{numberCell(float64(start.Run), fmt.Sprint(start.Run))}
		if arms {
			row = append(row, textCell(start.Arm))
		}
		row = append(row, secondsCell(start.Ready))
		for _, room := range rooms {
			cell := textCell("–")
			if n := room.of(start); n > 0 {
				cell = numberCell(float64(n), decimal(float64(n), 0))
			}
			row = append(row, cell)
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func secondsCell(d time.Duration) Cell {
	if d <= 0 {
		return textCell("–")
	}
	return numberCell(d.Seconds(), sized(d.Seconds()))
}
