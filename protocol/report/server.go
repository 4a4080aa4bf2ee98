package report

import (
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// A cell of the tables beside the client's: a figure, and in brackets another where there is one.
type beside struct {
	head           string
	figure, within string
	digits         int
}

// serverColumns are the server's own view, each timing next to what the client saw of the same.
var serverColumns = []beside{
	{"running (peak)", "server_running_mean", "server_running_peak", 1},
	{"waiting (peak)", "server_waiting_mean", "server_waiting_peak", 1},
	{"KV % (peak)", "server_kv_usage_mean", "server_kv_usage_peak", 1},
	{"preempted", "server_preemptions", "", 0},
	{"cache hits %", "server_cache_hits", "", 1},
	{"TTFT server", loadgen.MeanName("server_ttft"), "", 1},
	{"client", loadgen.MeanName(loadgen.TTFT), "", 1},
	{"E2E server", loadgen.MeanName("server_e2e"), "", 0},
	{"client", loadgen.MeanName(loadgen.E2E), "", 0},
}

var energyColumns = []beside{
	{"W (peak)", protocol.PowerSeries + "_mean", protocol.PowerSeries + "_peak", 0},
	{"busy %", "gpu_busy_mean", "", 0},
	{"GiB (peak)", "gpu_memory_used_mean", "gpu_memory_used_peak", 1},
	{"°C peak", "gpu_temperature_peak", "", 0},
	{"J", protocol.Energy, "", 0},
	{"J/request", protocol.EnergyPerRequest, "", 2},
	{"J/output token", protocol.EnergyPerToken, "", 4},
}

// evidence writes what stands beside the client's figures: what the server says of itself, the GPUs, what the client
// was seen to sustain, where the spread arises, and what changed with the time. What nobody watched is left out, and
// named.
func evidence(out *printer, a *protocol.Analysis) {
	besideTable(out, a, "The server's own view, with the requests that lead levels in, beside the client's; means of the runs, times in ms:", "server_", serverColumns)
	besideTable(out, a, "The GPUs that were watched, and their energy over the makespan, idle power included; means of the runs:", "", energyColumns)
	spreads(out, a)
	var lines []string
	for _, line := range []string{headroom(a), generators(a)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	lines = append(lines, startLines(a)...)
	lines = append(lines, drifts(a)...)
	for _, name := range slices.Sorted(maps.Keys(a.Unwatched)) {
		lines = append(lines, number.Sprintf("Not watched: %s: %s", plain(name), plain(a.Unwatched[name])))
	}
	if len(lines) > 0 {
		out.f("\n%s\n", strings.Join(lines, "\n"))
	}
}

// besideTable writes the columns that any point has a figure for; nothing where there is none whose name begins with
// own.
func besideTable(out *printer, a *protocol.Analysis, title, own string, columns []beside) {
	var have []beside
	found := false
	for _, c := range columns {
		any := false
		for i := range a.Points {
			e, _ := a.Points[i].Figure(c.figure)
			any = any || e.Name != ""
		}
		if any {
			have = append(have, c)
			found = found || strings.HasPrefix(c.figure, own)
		}
	}
	if !found {
		return
	}
	out.f("\n%s\n", title)
	table := newTable(out)
	table.f("%s\t", levelHead(a))
	for _, c := range have {
		table.f("%s\t", c.head)
	}
	table.f("\n")
	for i := range a.Points {
		p := &a.Points[i]
		table.f("%s\t", levelOf(p))
		for _, c := range have {
			e, err := p.Figure(c.figure)
			if e.Name == "" {
				table.f("–\t")
				continue
			}
			text := decimal(e.Summary.Mean, c.digits)
			if most, _ := p.Figure(c.within); c.within != "" && most.Name != "" {
				text += number.Sprintf(" (%s)", decimal(most.Summary.Max, c.digits))
			}
			table.f("%s%s\t", text, mark(e, err))
		}
		table.f("\n")
	}
	table.flush()
}

// mostRuns is how many runs are worth telling: beyond it the spread has to be found, and not averaged away.
const mostRuns = 100

// spreads says where the variation of the steady throughput arises, and what it would take to know it to a given
// precision.
func spreads(out *printer, a *protocol.Analysis) {
	if !slices.ContainsFunc(a.Points, func(p protocol.Point) bool { return p.Spread != nil }) {
		return
	}
	out.f("\nSpread of the steady throughput (SD, of the mean), and what it would take to know it:\n")
	table := newTable(out)
	table.f("%s\tbetween runs\twithin\tparts of\tfor\truns × parts\t\n", levelHead(a))
	for i := range a.Points {
		p := &a.Points[i]
		s := p.Spread
		if s == nil {
			table.f("%s\t–\t–\t–\t–\t–\t\n", levelOf(p))
			continue
		}
		levels, mean := s.Components.Levels, s.Components.Mean.Estimate
		between := "none seen"
		if !levels[0].Dropped {
			between = percent(math.Sqrt(levels[0].T2) / mean)
		}
		want := "–"
		if s.Plan != nil {
			var n []string
			for _, r := range s.Plan.Best.Repetitions {
				n = append(n, strconv.Itoa(r))
			}
			want = strings.Join(n, " × ")
			if s.Plan.Best.Repetitions[0] > mostRuns {
				want = number.Sprintf("over %d runs", mostRuns)
			}
		}
		table.f("%s\t%s\t%s\t%v\t±%s\t%s\t\n", levelOf(p), between, percent(math.Sqrt(levels[len(levels)-1].T2)/mean),
			s.Batch.Round(time.Millisecond), percent(s.Precision), want)
	}
	table.flush()
}

// headroom says by how much the client could have done more than the level that needed most of it.
func headroom(a *protocol.Analysis) string {
	var least *protocol.Point
	for i := range a.Points {
		if p := &a.Points[i]; p.Headroom != nil && (least == nil || p.Headroom.Least() < least.Headroom.Least()) {
			least = p
		}
	}
	c := a.Client
	if c == nil || c.Requests <= 0 {
		if least == nil {
			return ""
		}
		return number.Sprintf("Client: each of its generators was seen to sustain at least %s × what it needed, the least at %s",
			decimal(least.Headroom.Least(), 1), levelOf(least))
	}
	s := number.Sprintf("Client: at least %s requests/s", decimal(c.Requests, 0))
	if c.Chunks > 0 {
		s += number.Sprintf(" and %s chunks/s", decimal(c.Chunks, 0))
	}
	s += number.Sprintf(" at %d in flight", c.Concurrency)
	if c.Generators > 1 {
		s += number.Sprintf(" by %d generators", c.Generators)
	}
	s += ", beside the server that it was measured with"
	if least != nil {
		s += number.Sprintf("; headroom at least %s ×, at %s", decimal(least.Headroom.Least(), 1), levelOf(least))
	}
	for _, f := range c.Errors {
		if f.Name == loadgen.MeanName(loadgen.TTFTError) {
			s += number.Sprintf("; it adds %s ms to TTFT", decimal(f.Value, 2))
		}
	}
	return s
}

// generators says which of several was nearest to its limit, and at which level; "": there was one.
func generators(a *protocol.Analysis) string {
	var at *protocol.Point
	for i := range a.Points {
		p := &a.Points[i]
		if p.Worst == nil {
			continue
		}
		if at == nil || (&loadgen.Result{Parts: []loadgen.Part{*at.Worst, *p.Worst}}).Worst().Client == p.Worst.Client {
			at = p
		}
	}
	if at == nil {
		return ""
	}
	return number.Sprintf("Generators: the nearest to its limit, at %s, was %s", levelOf(at), partLine(at.Worst))
}

// drifts are lines on what changed from run to run, by how much: what is a change of a logarithm is told in percent.
func drifts(a *protocol.Analysis) (lines []string) {
	for _, d := range []struct {
		of   *stats.DriftResult
		name string
	}{{a.Drift, "the steady throughput"}, {a.TTFTDrift, "mean TTFT"}} {
		switch {
		case d.of == nil:
		case !d.of.Assessed:
			return []string{"Drift over the runs: not assessed, which takes 5 runs"}
		default:
			t := d.of.Total
			lines = append(lines, number.Sprintf("Drift over the runs: %s changed by %s from the first to the last (95 %%: %s to %s)",
				d.name, signed(math.Expm1(t.Estimate)), signed(math.Expm1(t.Low)), signed(math.Expm1(t.High))))
		}
	}
	return lines
}

// signed is a share with its sign: "+0.3 %".
func signed(x float64) string { return number.Signed(100*x, 1) + " %" }

// machines says on which machine the client was, and on which the server.
func machines(out *printer, a *protocol.Analysis) {
	m := a.Machines
	if m.Client != "" {
		out.f("client's machine: %s\n", plain(m.Client))
	}
	if m.Server != "" {
		out.f("server's machine: %s\n", plain(m.Server))
	}
}

// levelOf names a point among those of its table: its concurrency, or the whole load where that says too little.
func levelOf(p *protocol.Point) string {
	if p.Open() || p.Arm != "" {
		return p.Load.String()
	}
	return number.Count(p.Concurrency)
}

// levelHead is what stands over the names of the points.
func levelHead(a *protocol.Analysis) string {
	if slices.ContainsFunc(a.Points, func(p protocol.Point) bool { return p.Open() || p.Arm != "" }) {
		return "load"
	}
	return "concurrency"
}

// levelTitle is [levelHead] as the head of a column of the page.
func levelTitle(a *protocol.Analysis) string { return capital(levelHead(a)) }
