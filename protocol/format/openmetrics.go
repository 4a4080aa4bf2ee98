package format

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/stats"
)

// OpenMetrics is metrics.prom: gauges in the text format of Prometheus and OpenMetrics, to be pushed to a gateway or
// picked up by a node exporter. Each figure has its mean across the runs and, where there are several, the ends of its
// interval (stat="low", "high"), in base units: seconds and ratios. A figure that must not be used is not there;
// servegauge_unusable says which and why.
var OpenMetrics = Format{Name: "openmetrics", Write: writeOpenMetrics}

type sample struct {
	labels string
	value  float64
}

type family struct {
	name, help string
	samples    []sample
}

func writeOpenMetrics(create func(string) (io.WriteCloser, error), e *protocol.Experiment, a *protocol.Analysis) error {
	var order []*family
	known := map[string]*family{}
	add := func(name, help, labels string, value float64) {
		if machine(value) == "" {
			return
		}
		f := known[name]
		if f == nil {
			f = &family{name: name, help: help}
			known[name] = f
			order = append(order, f)
		}
		f.samples = append(f.samples, sample{labels, value})
	}
	about := labels("tool", a.Tool, "model", strings.Join(a.Models, ","), "replicate", a.Unit, "imported", a.Imported)
	add("servegauge_experiment", "The experiment that the other metrics are of.", about, 1)
	if !a.Time.IsZero() {
		add("servegauge_experiment_start_time_seconds", "When it began, in Unix time.", "",
			float64(a.Time.UnixMilli())/1000)
	}
	add("servegauge_experiment_valid", "Whether it was carried out to its end, with every level measured.", "",
		truth(a.Valid()))
	if a.Knee.Kind != stats.KneeNotResolved {
		add("servegauge_knee_concurrency", "The bracket of the knee: above low, at most high.", labels("end", "low",
			"of", a.KneeOf), a.Knee.Low)
		add("servegauge_knee_concurrency", "", labels("end", "high", "of", a.KneeOf), a.Knee.High)
	}
	for _, p := range a.Points {
		at := []string{"model", strings.Join(a.Models, ","), "arm", p.Arm, "concurrency", someInt(p.Concurrency),
			"rate", someFloat(p.Rate),
			"arrivals", string(p.Arrivals), "input_tokens", strconv.Itoa(p.Input), "output_tokens",
			strconv.Itoa(p.Output), "requests", someInt(p.Requests)}
		with := func(more ...string) string { return labels(append(at[:len(at):len(at)], more...)...) }
		add("servegauge_runs", "How many runs measured the level.", with(), float64(len(p.Runs)))
		for _, f := range p.Estimates {
			for _, code := range f.SpoiledBy {
				add("servegauge_unusable", "A figure that must not be used, and the code of the warning that says why.",
					with("figure", f.Name, "code", code), 1)
			}
			if len(f.SpoiledBy) > 0 {
				continue
			}
			name, factor := metricName(f.Name, f.Unit)
			help := fmt.Sprintf("%s: mean of the runs, and the ends of its %g %% interval.", f.Name,
				100*protocol.Confidence)
			add(name, help, with("stat", "mean"), f.Summary.Mean*factor)
			add(name, help, with("stat", "low"), f.Interval.Low*factor)
			add(name, help, with("stat", "high"), f.Interval.High*factor)
		}
	}
	return writeFile(create, "metrics.prom", func(w io.Writer) error {
		out := bufio.NewWriter(w)
		for _, f := range order {
			fmt.Fprintf(out, "# HELP %s %s\n# TYPE %s gauge\n", f.name, escapeHelp(f.help), f.name)
			for _, s := range f.samples {
				fmt.Fprintf(out, "%s%s %s\n", f.name, s.labels, machine(s.value))
			}
		}
		out.WriteString("# EOF\n") // OpenMetrics wants it, and the older format takes it for a comment
		return out.Flush()
	})
}

// metricName is a figure's name with its base unit at the end, and what makes a value of that unit.
func metricName(figure, unit string) (name string, factor float64) {
	name, factor = "servegauge_"+figure, 1
	switch unit {
	case "ms":
		name, factor = name+"_seconds", 1e-3
	case "s":
		name += "_seconds"
	case "%":
		name, factor = strings.TrimSuffix(name, "_rate")+"_ratio", 1e-2
	case "tok/s", "req/s":
		name = strings.TrimSuffix(name, "_per_s") + "_per_second"
	case "J":
		name += "_joules"
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_':
			return r
		}
		return '_'
	}, name), factor
}

// labels writes {name="value",…} of those that have a value.
func labels(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i]+`="`+strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`,
				`\"`).Replace(strings.ToValidUTF8(pairs[i+1], "�"))+`"`)
		}
	}
	if out == nil {
		return ""
	}
	return "{" + strings.Join(out, ",") + "}"
}

func escapeHelp(text string) string {
	return strings.NewReplacer(`\`, `\\`, "\n", `\n`).Replace(text)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
