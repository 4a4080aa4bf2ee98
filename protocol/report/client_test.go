package report

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// clientLevel is a level of a client validation, by what became of its steady window and of the client's judgement.
func clientLevel(concurrency int, rate float64, window, judgement string) protocol.Point {
	p := protocol.Point{Load: protocol.Load{Concurrency: concurrency}, Runs: []int{1}}
	rates := protocol.Estimate{Name: loadgen.SteadyRequestThroughput, Summary: stats.Summary{N: 1, Mean: rate}}
	warn := func(code string, spoils ...string) {
		p.Warnings = append(p.Warnings, protocol.PointWarning{Warning: loadgen.Warning{Code: code, Spoils: spoils},
			Runs: p.Runs})
		if len(spoils) > 0 {
			rates.SpoiledBy = append(rates.SpoiledBy, code)
		}
	}
	switch window {
	case "none":
		warn(loadgen.WarnNoSteadyWindow, loadgen.Steady)
		rates.Name = ""
	case "short":
		warn(loadgen.WarnShortWindow, loadgen.Steady)
	case "failed":
		warn(loadgen.WarnFailedRequests, loadgen.All)
	case "not held":
		warn(loadgen.WarnConcurrencyNotReached, loadgen.Steady)
	}
	switch judgement {
	case "bound":
		p.ClientJudged = 1
		warn(loadgen.WarnClientBound)
	case "free":
		p.ClientJudged = 1
	}
	if rates.Name != "" {
		p.Estimates = []protocol.Estimate{rates, {Name: loadgen.MeanInFlight,
			Summary: stats.Summary{N: 1, Mean: float64(concurrency) * .9}}}
	}
	return p
}

// No combination of levels, judgements and needs gives sentences that contradict each other, the table, or the levels.
func TestClientVerdictAgreesWithItself(t *testing.T) {
	windows, judgements := []string{"none", "short", "failed", "not held", "held"},
		[]string{"unjudged", "free", "bound"}
	cases := 0
	for _, rates := range [][2]float64{{1000, 4092}, {4092, 1000}} {
		for _, w1 := range windows {
			for _, j1 := range judgements {
				for _, w2 := range windows {
					for _, j2 := range judgements {
						for _, need := range []float64{0, 900, 2000, 5000} {
							a := &protocol.Analysis{Points: []protocol.Point{
								clientLevel(100, rates[0], w1, j1), clientLevel(250, rates[1], w2, j2)}}
							agrees(t, a, need, fmt.Sprintf("%v, %s %s, %s %s, need %v", rates, w1, j1, w2, j2, need))
							cases++
						}
					}
				}
			}
		}
	}
	agrees(t, &protocol.Analysis{}, 100, "no levels")
	if cases != 1800 {
		t.Errorf("%d cases", cases)
	}
}

func agrees(t *testing.T, a *protocol.Analysis, need float64, name string) {
	t.Helper()
	var b bytes.Buffer
	if err := ClientText(&b, a, "a server", need); err != nil {
		t.Fatal(err)
	}
	// What goes on below is one line again.
	text, v := regexp.MustCompile(`\n +`).ReplaceAllString(b.String(), " "), NewClientVerdict(a, need)
	says := func(s string) bool { return strings.Contains(text, s) }
	best, free := 0.0, true // the highest rate that can be used; and whether no level at or above its was seen to limit
	var at protocol.Point
	for _, p := range a.Points {
		e, err := p.Figure(loadgen.SteadyRequestThroughput)
		usable := e.Name != "" && (err == nil || strings.Join(e.SpoiledBy, "") == loadgen.WarnConcurrencyNotReached)
		if usable && e.Summary.Mean > best {
			best, at = e.Summary.Mean, p
		}
	}
	for _, p := range a.Points {
		if p.Concurrency >= at.Concurrency && (given(&p, loadgen.WarnClientBound) ||
			given(&p, loadgen.WarnConcurrencyNotReached)) {
			free = false
		}
	}
	wrong := func(what string) { t.Errorf("%s: %s\n%s", name, what, text) }
	behind := given(&at, loadgen.WarnConcurrencyNotReached)
	switch {
	case strings.Count(text, "Verdict:") != 1 || strings.Count(text, "Headroom:") != 1 ||
		strings.Count(text, "Client-bound:") != 1:
		wrong("a sentence is missing, or there twice")
	case (best == 0) != says("Verdict: none"), (best == 0) != (v.Headroom == nil) && need > 0:
		wrong("something is known of the client if and only if a level has a usable rate")
	case best == 0 && (says("can sustain at least") || says("at least")):
		wrong("it states what it does not know")
	case best > 0 && (!says("can sustain at least "+decimal(best, 0)) || v.Requests != best):
		wrong("it is a lower bound, and says so")
	case best > 0 && behind != says("is marked in the table"), best > 0 && behind == says("which it held"):
		wrong("a rate that is marked in the table is not told as one that was held")
	case behind && calledFree(text, at.Concurrency):
		wrong("it fell behind, and is called free")
	case best > 0 && need > 0 && (best >= need) != says("Headroom: at least"):
		wrong("headroom")
	case says("was the limit") && (free || best >= need), says("nothing limited") && (!free || best >= need):
		wrong("who was the limit")
	case best > 0 && need > best && !says("was the limit") && !says("nothing limited"):
		wrong("there is a shortage of which it does not say the cause")
	case v.Shortage() != "" && v.Enough(), need == 0 && v.Shortage() != "":
		wrong("shortage")
	}
}

// calledFree reports whether the text names a level among those at which the client was not the limit.
func calledFree(text string, level int) bool {
	_, line, _ := strings.Cut(text, "Client-bound: ")
	line, _, _ = strings.Cut(line, ".\n")
	for part := range strings.SplitSeq(line, "; ") {
		if levels, free := strings.CutPrefix(part, "not at "); free {
			return slices.Contains(strings.Split(levels, ", "), fmt.Sprint(level))
		}
	}
	return false
}
