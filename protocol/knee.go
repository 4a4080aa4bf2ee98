package protocol

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// knee applies the rule of package stats to the figure KneeOf of the complete runs, at the points that are whole: a
// level that is spoiled in one run is left out in all, by name and reason. Where the highest levels are left out, only
// a lower end is claimed.
func knee(a *Analysis, of []Point) stats.KneeResult {
	unresolved := func(format string, args ...any) stats.KneeResult {
		return stats.KneeResult{Low: math.NaN(), High: math.NaN(), Reason: fmt.Sprintf(format, args...), N: a.Runs, Unit: a.Unit}
	}
	if len(of) == 0 {
		return unresolved("nothing was measured")
	}
	first := of[0]
	left := map[string][]int{} // levels that are left out, by the reason
	var codes []string
	var whole []Point
	highestLeft := 0
	for _, p := range of {
		if p.Open() {
			return unresolved("%v is an open loop's: a knee is one of concurrency", p.Load)
		}
		if p.Arm != first.Arm || p.Input != first.Input || p.Output != first.Output {
			return unresolved("the levels differ in more than their concurrency")
		}
		code := p.spoiler(a.KneeOf)
		if _, err := p.Figure(a.KneeOf); code == "" && err != nil {
			code = "no " + strings.ReplaceAll(strings.TrimSuffix(a.KneeOf, "_per_s"), "_", " ")
			if a.KneeOf == loadgen.SteadyTotalThroughput {
				code = "no steady throughput"
			}
		}
		if code == "" {
			whole = append(whole, p)
			continue
		}
		if left[code] == nil {
			codes = append(codes, code)
		}
		left[code] = append(left[code], p.Concurrency)
		highestLeft = max(highestLeft, p.Concurrency)
	}
	var reasons []string
	for _, code := range codes {
		where := "at " + levelList(left[code])
		if code == loadgen.WarnPromptCapped {
			where = fmt.Sprintf("at %d (%s)", cappedAt(a), levelList(left[code]))
		}
		reasons = append(reasons, code+" "+where)
	}
	why := strings.Join(reasons, "; ")
	if len(whole) < 2 && why != "" {
		return unresolved("%s", why)
	}
	points := slices.SortedStableFunc(slices.Values(whole), func(x, y Point) int { return x.Concurrency - y.Concurrency })
	levels := make([]float64, len(points))
	for j, p := range points {
		levels[j] = float64(p.Concurrency)
	}
	var runs [][]float64
	for _, run := range points[0].Runs {
		values := make([]float64, 0, len(points))
		for _, p := range points {
			e, _ := p.Figure(a.KneeOf)
			if i := slices.Index(e.Runs, run); i >= 0 {
				values = append(values, e.Values[i])
			}
		}
		if len(values) == len(points) {
			runs = append(runs, values)
		}
	}
	result, err := stats.Knee(levels, runs)
	if err != nil {
		return unresolved("%v", err)
	}
	result.Unit = a.Unit
	if why == "" {
		return result
	}
	result.Reason += "; left out: " + why
	if highestLeft > points[len(points)-1].Concurrency {
		result = onlyBelow(result, points[len(points)-1].Concurrency)
	}
	return result
}

// importedKnee chooses what the knee of imported results is of. They have no steady window, so that it is of a
// throughput over the makespan: of all tokens, or where those are not known at two levels, of the output or of the
// requests. An open loop has no knee, and of several points at one concurrency, such as of another number of requests,
// the one that most runs measured is taken.
func importedKnee(a *Analysis) (points []Point, figure string) {
	at := map[Load]int{}
	for _, p := range a.Points {
		if p.Open() {
			continue
		}
		if i, known := at[p.Load]; !known {
			at[p.Load] = len(points)
			points = append(points, p)
		} else if len(p.Runs) > len(points[i].Runs) {
			points[i] = p
		}
	}
	for _, name := range []string{loadgen.TotalThroughput, loadgen.OutputThroughput, loadgen.RequestThroughput} {
		usable := 0
		for _, p := range points {
			if e, err := p.Figure(name); err == nil && len(e.Values) > 0 {
				usable++
			}
		}
		if usable >= 2 {
			return points, name
		}
	}
	return points, loadgen.TotalThroughput
}

// onlyBelow keeps of a knee what a higher peak, at the levels above that were left out, could not take away: its
// lower end. (A level that gives less than 95 % of a peak gives less than 95 % of a higher one.)
func onlyBelow(k stats.KneeResult, highest int) stats.KneeResult {
	above := fmt.Sprintf("; nothing is known of the levels above %d, so that no upper end and no peak is claimed", highest)
	switch k.Kind {
	case stats.KneeBracketed:
		k.Kind, k.High = stats.KneeAbove, math.NaN()
	case stats.KneeAtMost:
		k.Kind, k.High = stats.KneeNotResolved, math.NaN()
	}
	k.Peak = nil
	k.Reason += above
	return k
}

// spoiler is the code of the first warning that forbids the use of a figure, whether or not there is one; "" for none.
func (p *Point) spoiler(name string) string {
	for _, w := range p.Warnings {
		if w.SpoilsFigure(name) {
			return w.Code
		}
	}
	return ""
}

// cappedAt is the number of requests in flight that no capped level got beyond.
func cappedAt(a *Analysis) int {
	most := 0
	for _, p := range a.Points {
		if p.Condition < p.Concurrency {
			most = max(most, p.Condition)
		}
	}
	return most
}
