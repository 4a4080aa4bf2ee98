package report

import (
	"math"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// answers are those to the four questions that a reader comes with, and before them to that of the experiment itself,
// where its design has one.
func answers(s *subject) []answer {
	if IsClientCheck(s.e) {
		return []answer{clientFast(s), howSure(s), clientLimits(s), canTrust(s)}
	}
	out := []answer{howFast(s), howSure(s), whatLimits(s), canTrust(s)}
	if first := asked(s); first.Headline != "" {
		out = slices.Insert(out, 0, first)
	}
	return out
}

// mostAsked is how many findings the first screen has room for.
const mostAsked = 4

// asked is what the design found, with what each is an answer to; the knee is told with what limits the server. A
// headline of "" says that there is nothing beside it.
func asked(s *subject) answer {
	out := answer{Question: "What was asked?", Wide: true}
	found := slices.DeleteFunc(slices.Clone(s.Findings), func(f protocol.Finding) bool { return f.Answer == s.Knee.String() })
	if len(found) == 0 {
		return out
	}
	out.Headline = number.Sprintf("%d answers", len(found))
	if len(found) == 1 {
		short, more, _ := strings.Cut(plain(found[0].Answer), ": ")
		out.Headline = capital(short)
		if more == "" {
			out.Details = []string{plain(found[0].Name) + "."}
			return out
		}
	}
	for _, f := range found[:min(len(found), mostAsked)] {
		out.Details = append(out.Details, plain(f.Name)+": "+plain(f.Answer)+".")
	}
	if more := len(found) - mostAsked; more > 0 {
		out.Details = append(out.Details, number.Sprintf("%d more, and what decided each, are below, in Findings.", more))
	}
	return out
}

// IsClientCheck reports whether what was measured is the client itself, by [protocol.ClientValidation].
func IsClientCheck(e *protocol.Experiment) bool {
	return strings.HasPrefix(planName(planOf(e.Design)), protocol.ClientValidation().Name)
}

// clientFast is what the client can do, which is no figure of a server.
func clientFast(s *subject) answer {
	v := NewClientVerdict(s.Analysis, 0)
	out := answer{Question: "How fast is it?", Headline: "Nothing is known", Verdict: bad,
		Details: []string{"Of the client, against a server that answers at once: " + v.String()}}
	if v.Concurrency > 0 {
		out.Headline, out.Verdict = number.Sprintf("At least %s requests/s", sized(v.Requests)), fine
	}
	return out
}

func clientLimits(s *subject) answer {
	return answer{Question: "What limits it?", Headline: "The client, sooner or later", Verdict: neutral,
		Details: []string{"Client-bound: " + clientBound(s.Analysis)}}
}

func howFast(s *subject) answer {
	out := answer{Question: "How fast is it?"}
	figure, p, ok := headline(s.Analysis)
	if p == nil {
		out.Headline, out.Verdict = "Nothing was measured", bad
		return out
	}
	e, _ := p.Figure(figure)
	out.Headline = number.Sprintf("%s %s", sized(e.Summary.Mean), e.Unit)
	out.Verdict = fine
	what := "in the steady window"
	if figure != loadgen.SteadyTotalThroughput && figure != loadgen.SteadyInputThroughput {
		what = "over the makespan, ramp and drain included"
	}
	out.Details = append(out.Details, number.Sprintf("%s at %v, %s%s.", throughputWords(figure), p.Load, what, plusMinus(e)))
	if !ok {
		out.Verdict = bad
		out.Headline = "No throughput may be used"
		out.Details = []string{number.Sprintf("The highest seen is %s %s at %v, and is spoiled by %s.",
			sized(e.Summary.Mean), e.Unit, p.Load, strings.Join(e.SpoiledBy, ", "))}
	}
	if ok && p.Open() {
		out.Details = append(out.Details, "It is what was offered and kept up with, and not the most that the server can do.")
	}
	if slices.ContainsFunc(p.Warnings, func(w protocol.PointWarning) bool { return w.Code == loadgen.WarnClientBound }) && ok {
		out.Verdict = careful
		out.Details = append(out.Details, "The client was the limit there in at least one run: the server may be faster.")
	}
	if n := s.gpus.N; n > 1 && ok && figure != loadgen.RequestThroughput {
		out.Details = append(out.Details, number.Sprintf("%s tok/s per GPU, of %d.", sized(e.Summary.Mean/float64(n)), n))
	}
	if words := latencyWords(p); words != "" {
		out.Details = append(out.Details, words)
	}
	return out
}

func throughputWords(figure string) string {
	switch figure {
	case loadgen.RequestThroughput:
		return "Completed requests"
	case loadgen.SteadyInputThroughput, loadgen.InputThroughput:
		return "Input tokens"
	}
	return "Input + output tokens"
}

func plusMinus(e protocol.Estimate) string {
	if h := e.Interval.HalfWidth(); !math.IsNaN(h) && !math.IsInf(h, 0) {
		return number.Sprintf(", ± %s (95 %%)", sizedLike(h, e.Summary.Mean))
	}
	return ""
}

// latencyWords are the latencies at one point.
func latencyWords(p *protocol.Point) string {
	var parts []string
	for _, m := range []struct{ word, metric string }{{"TTFT", loadgen.TTFT}, {"TPOT", loadgen.TPOT}, {"E2E",
		loadgen.E2E}} {
		median, err := p.Figure(loadgen.QuantileName(m.metric, 50))
		if median.Name == "" {
			continue
		}
		words := number.Sprintf("%s p50 %s%s", m.word, sized(median.Summary.Mean), mark(median, err))
		if tail, err := p.Figure(loadgen.QuantileName(m.metric, 99)); tail.Name != "" {
			words += number.Sprintf(", p99 %s%s", sized(tail.Summary.Mean), mark(tail, err))
		}
		parts = append(parts, words+" "+median.Unit)
	}
	if len(parts) == 0 {
		return ""
	}
	return "There: " + strings.Join(parts, "; ") + "."
}

func howSure(s *subject) answer {
	out := answer{Question: "How sure is that?", Verdict: fine}
	figure, p, _ := headline(s.Analysis)
	if p == nil {
		return answer{Question: out.Question, Headline: "Not at all", Verdict: bad}
	}
	e, err := p.Figure(figure)
	half := e.Interval.HalfWidth()
	switch {
	case !e.Interval.Defined():
		out.Headline, out.Verdict = "Not known", careful
		out.Details = append(out.Details, number.Sprintf("%d %s: there is no interval.", e.Summary.N, plural(e.Summary.N,
			"run")))
	default:
		share := half / e.Summary.Mean
		out.Headline = "± " + percent(share)
		out.Details = append(out.Details, number.Sprintf("The 95 %% interval is %s to %s %s, over %d %s; CoV %s.",
			sized(e.Interval.Low), sized(e.Interval.High), e.Unit, e.Summary.N, replicateWords(s.Unit,
				e.Summary.N), percent(e.Summary.CoV)))
		if share > 0.1 {
			out.Verdict = careful
			out.Details = append(out.Details, "That is wide: more runs, or a quieter machine, would narrow it.")
		}
	}
	if s.Unit == protocol.UnitWithinServer {
		out.Verdict = careful
		out.Details = append(out.Details, "The runs shared a server, so that what differs between starts is not in it.")
	}
	if d := s.Drift; d != nil && d.Assessed && (d.Total.Above(0) || d.Total.Below(0)) {
		out.Verdict = careful
		for _, line := range drifts(s.Analysis) {
			out.Details = append(out.Details, line+".")
		}
	}
	if err != nil {
		out.Verdict = bad
		out.Details = append(out.Details, "An interval says nothing of the flags, for which the figure must not be used.")
	}
	return out
}

func replicateWords(unit string, n int) string {
	if unit == protocol.UnitRestart {
		return plural(n, "run") + ", each with a server of its own"
	}
	return plural(n, "run") + " on one server"
}

func whatLimits(s *subject) answer {
	out := answer{Question: "What limits it?", Verdict: neutral}
	k := s.Knee
	switch k.Kind {
	case stats.KneeBracketed:
		out.Headline = number.Sprintf("Saturates between %s and %s", decimal(k.Low, 0), decimal(k.High, 0))
		out.Details = append(out.Details, "Beyond that concurrency more load adds latency, and less than 5 % of throughput.")
	case stats.KneeAtMost:
		out.Headline = number.Sprintf("Saturated at %s or before", decimal(k.High, 0))
		out.Details = append(out.Details, "No lower end of the knee was found: no lower level was shown to give less than 95 % of the peak.")
	case stats.KneeAbove:
		out.Headline = number.Sprintf("Saturates above %s", decimal(k.Low, 0))
		out.Details = append(out.Details, number.Sprintf("Up to concurrency %s it gives less than 95 %% of its highest throughput; "+
			"where above that it saturates was not resolved.", decimal(k.Low, 0)))
	default:
		if len(s.Points) == 1 {
			out.Headline = "One level cannot tell"
			break
		}
		out.Headline = "Not resolved"
		if k.Reason != "" {
			out.Details = append(out.Details, "No knee can be told: "+plain(k.Reason)+".")
		}
	}
	if _, p, _ := headline(s.Analysis); p != nil {
		out.Details = append(out.Details, serverLimits(p)...)
	}
	if bound := levelsWith(s.Analysis, loadgen.WarnClientBound, protocol.WarnLittleHeadroom); len(bound) > 0 {
		out.Verdict = careful
		out.Details = append(out.Details, "The client may have been a part of the limit at "+strings.Join(bound, ", ")+".")
	}
	return out
}

// serverLimits is what the server says of its queue and its cache at one point.
func serverLimits(p *protocol.Point) (out []string) {
	if e, _ := p.Figure("server_waiting_mean"); e.Name != "" && e.Summary.Mean >= 1 {
		out = append(out, number.Sprintf("At %v %s requests waited in the server’s queue on average.", p.Load,
			sized(e.Summary.Mean)))
	}
	if e, _ := p.Figure("server_kv_usage_peak"); e.Name != "" {
		out = append(out, number.Sprintf("Its KV cache was up to %s %% full.", sized(e.Summary.Max)))
	}
	if e, _ := p.Figure("server_preemptions"); e.Name != "" && e.Summary.Mean > 0 {
		out = append(out, number.Sprintf("It preempted %s requests a run.", sized(e.Summary.Mean)))
	}
	return out
}

func levelsWith(a *protocol.Analysis, codes ...string) (out []string) {
	for i := range a.Points {
		p := &a.Points[i]
		if slices.ContainsFunc(p.Warnings, func(w protocol.PointWarning) bool { return slices.Contains(codes, w.Code) }) {
			out = append(out, levelOf(p))
		}
	}
	return out
}

func canTrust(s *subject) answer {
	out := answer{Question: "Can I trust it?"}
	good := usableLevels(s.Analysis)
	reasons := map[string]int{}
	for i := range s.Points {
		p := &s.Points[i]
		if usable(p, loadgen.SteadyTotalThroughput) || usable(p, loadgen.TotalThroughput) {
			continue
		}
		if e, _ := p.Figure(loadgen.TotalThroughput); len(e.SpoiledBy) > 0 {
			reasons[e.SpoiledBy[0]]++
		}
	}
	out.Headline = number.Sprintf("%d of %d levels may be used", good, len(s.Points))
	switch {
	case !s.Valid() || good == 0:
		out.Verdict = bad
	case good < len(s.Points):
		out.Verdict = careful
	default:
		out.Verdict = fine
	}
	if !s.Valid() {
		out.Details = append(out.Details, "The measurement is not valid: see the warnings.")
	}
	if len(reasons) > 0 {
		out.Details = append(out.Details, "The others must not, for "+strings.Join(sortedKeys(reasons), ", ")+".")
	}
	out.Details = append(out.Details, capital(requests(s.Analysis))+".")
	if h := leastHeadroom(s.Analysis); h > 0 {
		out.Details = append(out.Details, number.Sprintf("The client could do at least %s × what was asked of it.", sized(h)))
	} else if !IsClientCheck(s.e) {
		out.Details = append(out.Details, "What the client can do was not measured.")
	}
	if n := s.Stamps.Chunks(); n > 0 {
		out.Details = append(out.Details, "Arrivals stamped by "+stampedBy(loadgen.Stamps{Kernel: s.Stamps.Kernel,
			Client: s.Stamps.Client})+".")
	}
	return out
}

// usableLevels is at how many levels a throughput may be used.
func usableLevels(a *protocol.Analysis) (n int) {
	for i := range a.Points {
		if usable(&a.Points[i], loadgen.SteadyTotalThroughput) || usable(&a.Points[i], loadgen.TotalThroughput) {
			n++
		}
	}
	return n
}

func leastHeadroom(a *protocol.Analysis) float64 {
	least := 0.0
	for _, p := range a.Points {
		if p.Headroom != nil && (least == 0 || p.Headroom.Least() < least) {
			least = p.Headroom.Least()
		}
	}
	return least
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
