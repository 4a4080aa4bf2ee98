package report

import (
	"math"
	"slices"
	"strings"
	"unicode"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// sent says what was sent, and to whom, as far as that is stated.
func sent(out *printer, a *protocol.Analysis) {
	if w := a.Workload; w != nil {
		out.f("sent: %s\n", plain(w.String()))
		var with []string
		if len(w.Headers) > 0 {
			with = append(with, plural(len(w.Headers), "header")+" "+strings.Join(w.Headers, ", "))
		}
		if len(w.Body) > 0 {
			with = append(with, "in the body "+string(w.Body))
		}
		if len(with) > 0 {
			out.f("with: %s\n", plain(strings.Join(with, "; ")))
		}
	}
	var to []string
	if n := len(a.Models); n > 0 {
		to = append(to, plural(n, "model")+" "+strings.Join(a.Models, ", "))
	}
	switch n := len(a.URLs); {
	case n == 1:
		to = append(to, a.URLs[0])
	case n > 1:
		to = append(to, number.Sprintf("%d servers, the first %s", n, a.URLs[0]))
	}
	if len(to) > 0 {
		out.f("to: %s\n", plain(strings.Join(to, " at ")))
	}
}

// Plain is what a reader can be given of a text from outside: of what can be printed, as much as anybody reads.
func Plain(s string) string { return plain(s) }

func plain(s string) string {
	const most = 400 // characters
	text := []rune(strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '\ufffd'
		}
		return r
	}, s))
	if len(text) > most {
		return string(text[:most]) + "…"
	}
	return string(text)
}

// stampedBy names the clocks that stamped the arrivals, with the share of each. It rounds the kernel's down, so that a
// share of 100 % is all of them.
func stampedBy(s loadgen.Stamps) string {
	n := float64(s.Chunks())
	var by string
	switch {
	case s.Client == 0:
		by = number.Sprintf("kernel for all %s chunks", decimal(n, 0))
	case s.Kernel == 0:
		by = number.Sprintf("client for all %s chunks", decimal(n, 0))
	default:
		by = number.Sprintf("kernel for %s %% of %s chunks, client for the other %s",
			decimal(math.Floor(10000*float64(s.Kernel)/n)/100, 2), decimal(n, 0), decimal(float64(s.Client), 0))
	}
	if s.Shared > 0 {
		by += number.Sprintf("; %s came in one read with later data, and may have come earlier, "+
			"as far back as the end of the read before", decimal(float64(s.Shared), 0))
	}
	return by
}

const byHistogram = "Quantiles by HDR histogram, within 0.05 %, of more samples than are kept: "

// histograms says of which metrics the quantiles that are shown were read from a histogram, and where.
func histograms(out *printer, a *protocol.Analysis, shown []string) {
	var order []string
	metrics := map[string][]string{} // by their levels
	for _, name := range shown {
		var levels []int
		for i := range a.Points {
			if e, _ := a.Points[i].Figure(name); e.Method == loadgen.MethodHDR {
				levels = append(levels, a.Points[i].Concurrency)
			}
		}
		if len(levels) == 0 {
			continue
		}
		where := numbers(levels)
		if metrics[where] == nil {
			order = append(order, where)
		}
		if metric := baseOf(name); !slices.Contains(metrics[where], metric) {
			metrics[where] = append(metrics[where], metric)
		}
	}
	if len(order) == 0 {
		return
	}
	for i, where := range order {
		order[i] = strings.Join(metrics[where], ", ") + " at " + where
	}
	out.f("\n%s%s\n", byHistogram, strings.Join(order, "; "))
}

// levelHistograms is histograms for one level: it names the metrics.
func levelHistograms(out *printer, r *loadgen.Result, metrics []string) {
	var found []string
	for _, metric := range metrics {
		for _, f := range r.Figures {
			if f.Method == loadgen.MethodHDR && baseOf(f.Name) == metric {
				found = append(found, number.Sprintf("%s (%s samples)", metric, decimal(float64(f.N), 0)))
				break
			}
		}
	}
	if len(found) > 0 {
		out.f("\n%s%s\n", byHistogram, strings.Join(found, ", "))
	}
}
