package protocol

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// A Limit is what a figure must meet: "ttft_p99<500ms", or in words of Go Limit{Figure: "ttft_p99", Max: 500}. It is
// on what the figure really is and not on what one measurement of it came to; [Analysis.Check] says whether the whole
// interval is within it. [ParseLimits] reads limits as people write them.
type Limit struct {
	// At is the load that it is for, of which as much need be said as tells it from others, as in [Analysis.Point]. It
	// is for every point that is of such a load: the zero Load is of all.
	At Load `json:"at,omitzero"`

	Figure string `json:"figure"` // as in [loadgen.Figure]: "ttft_p99"

	// Min and Max are the least and the most that the figure may be, both above 0. 0: no limit on that side.
	Min float64 `json:"min,omitempty"`
	Max float64 `json:"max,omitempty"`

	// Strict says that the bounds themselves are outside: < and >, and not <= and >=.
	Strict bool `json:"strict,omitempty"`

	// Unit is that of Min and Max. "": the figure's own, which of times is mostly ms. Units of time are converted.
	Unit string `json:"unit,omitempty"`
}

// String writes the limit as [ParseLimits] reads it: "ttft_p99@16<500ms".
func (l Limit) String() string {
	equal := "="
	if l.Strict {
		equal = ""
	}
	figure := l.Figure
	if at := loadText(l.At); at != "" {
		figure += "@" + at
	}
	var parts []string
	if l.Min != 0 {
		parts = append(parts, figure+">"+equal+boundText(l.Min, l.Unit))
	}
	if l.Max != 0 {
		parts = append(parts, figure+"<"+equal+boundText(l.Max, l.Unit))
	}
	if len(parts) == 0 {
		return figure + ", without a bound"
	}
	return strings.Join(parts, ",")
}

func boundText(x float64, unit string) string {
	text := strconv.FormatFloat(x, 'f', -1, 64)
	if short := strconv.FormatFloat(x, 'g', -1, 64); len(short)+6 < len(text) {
		text = short
	}
	if len(unit) > 1 && unit != "ms" {
		text += " "
	}
	return text + unit
}

// loadText writes a load as limits have it: "16", "20/s", "b:1024x128:16"; "" for the zero Load.
func loadText(l Load) string {
	var parts []string
	if l.Arm != "" {
		parts = append(parts, l.Arm)
	}
	if l.Input != 0 || l.Output != 0 {
		parts = append(parts, fmt.Sprintf("%dx%d", l.Input, l.Output))
	}
	if l.Arrivals != "" {
		parts = append(parts, string(l.Arrivals))
	}
	if l.Rate != 0 {
		parts = append(parts, strconv.FormatFloat(l.Rate, 'f', -1, 64)+"/s")
	}
	if l.Concurrency != 0 {
		parts = append(parts, strconv.Itoa(l.Concurrency))
	}
	return strings.Join(parts, ":")
}

// validate returns what is wrong with a limit that was written in Go.
func (l Limit) validate() error {
	wrong := func(x float64) bool { return x < 0 || math.IsNaN(x) || math.IsInf(x, 0) }
	switch {
	case l.Figure == "":
		return &loadgen.InvalidError{Field: "limit", Value: strconv.Quote(l.String()),
			Want: "the name of a figure, such as ttft_p99"}
	case wrong(l.Min) || wrong(l.Max) || l.Min == 0 && l.Max == 0:
		return &loadgen.InvalidError{Field: "limit", Value: l.String(), Want: "a Min or a Max, finite and above 0"}
	case l.Max != 0 && l.Min > l.Max:
		return &loadgen.InvalidError{Field: "limit", Value: l.String(), Want: "a Min that is not above Max"}
	}
	return nil
}

// timeUnits are the units of time, in ms.
var timeUnits = map[string]float64{"ns": 1e-6, "us": 1e-3, "µs": 1e-3, "ms": 1, "s": 1e3, "min": 6e4}

// bounds are Min and Max in the unit of a figure.
func (l Limit) bounds(unit string) (low, high float64, err error) {
	if l.Unit == "" || l.Unit == unit {
		return l.Min, l.Max, nil
	}
	from, to := timeUnits[l.Unit], timeUnits[unit]
	if from == 0 || to == 0 {
		return 0, 0, fmt.Errorf("%s is in %s, and the limit in %s", l.Figure, cmp.Or(unit, "no unit"), l.Unit)
	}
	return l.Min * from / to, l.Max * from / to, nil
}

// A LimitError says what is wrong with the text of a limit, and where.
type LimitError struct {
	Text     string // all of it
	Position int    // of what is wrong, in bytes from 0
	Found    string // what stands there; "": the end
	Want     string // what could

	Nearest string   // where a figure is not known, the one that is most like it; "": none is
	Figures []string // and those that there can be
}

func (e *LimitError) Error() string {
	found := "the end"
	if e.Found != "" {
		found = strconv.Quote(e.Found)
	}
	s := fmt.Sprintf("limit %q, character %d: %s: want %s", e.Text, len([]rune(e.Text[:e.Position]))+1, found, e.Want)
	if e.Nearest != "" {
		s += fmt.Sprintf("; %s is meant?", e.Nearest)
	}
	if len(e.Figures) > 0 && e.Nearest == "" {
		s += "; there are " + inWords(e.Figures)
	}
	return s
}

// inWords are names of figures, those of a metric together: "requests_per_s, ttft (mean, p50, p90, p95, p99)".
func inWords(names []string) string {
	var out []string
	statistics := map[string][]string{}
	for _, name := range names {
		metric, _, ok := loadgen.QuantileOf(name)
		if mean, is := strings.CutSuffix(name, loadgen.MeanName("")); is {
			metric, ok = mean, true
		}
		if !ok {
			out = append(out, name)
			continue
		}
		if statistics[metric] == nil {
			out = append(out, metric)
		}
		statistics[metric] = append(statistics[metric], strings.TrimPrefix(name, metric+"_"))
	}
	for i, name := range out {
		if all := statistics[name]; all != nil {
			out[i] = fmt.Sprintf("%s_… (%s)", name, strings.Join(all, ", "))
		}
	}
	return strings.Join(out, ", ")
}

// names are those of figures, each once.
func names(figures []loadgen.Figure) (out []string) {
	for _, f := range figures {
		if !slices.Contains(out, f.Name) {
			out = append(out, f.Name)
		}
	}
	return out
}
