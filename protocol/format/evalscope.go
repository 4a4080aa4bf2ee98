package format

import (
	"encoding/json"
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// EvalScope is the folder that `evalscope perf` leaves for each level: benchmark_summary.json, with
// benchmark_percentile.json and benchmark_args.json beside it.
var EvalScope = Format{Name: "evalscope", Read: evalscopeTool.Read}

var evalscopeTool = tool{
	name: "evalscope", about: "evalscope perf",
	// {"Test Duration (s)": 2.1139, "Concurrency": 8, "Request Rate (req/s)": -1.0, "Total Requests": 80,
	//  "Success Requests": 80, "Avg Latency (s)": 0.2081, "Avg TTFT (ms)": 17.96, "Req Throughput (req/s)": 37.84, …}
	mine: func(d *doc) bool {
		return d.has("Test Duration (s)", "Concurrency") || d.has("Time taken for tests (s)", "Number of concurrency")
	},
	read: readEvalScope,
}

// evalscopeKeys are the names that versions have for one thing, without their units.
var evalscopeKeys = map[string][]string{
	"seconds":     {"test duration", "time taken for tests"},
	"concurrency": {"concurrency", "number of concurrency"},
	"rate":        {"request rate"},
	"asked":       {"total requests"},
	"completed":   {"success requests", "succeed requests"},
	"failed":      {"failed requests"},
	"streamed":    {"stream requests"},
	"requests":    {"req throughput", "request throughput"},
	"output":      {"output throughput", "output token throughput"},
	"total":       {"total throughput", "total token throughput"},
	"input":       {"avg input tokens", "average input tokens per request"},
	"outputs":     {"avg output tokens", "average output tokens per request"},
	loadgen.E2E:   {"avg latency", "average latency", "latency"},
	loadgen.TTFT:  {"avg ttft", "average time to first token", "ttft"},
	loadgen.TPOT:  {"avg tpot", "average time per output token", "tpot"},
	loadgen.ITL:   {"avg itl", "average inter-token latency", "average inter token latency", "itl"},
}

// "Avg TTFT (ms)" is a name and a unit.
var nameWithUnit = regexp.MustCompile(`^(.*?)\s*(?:\(([^()]*)\))?$`)

// A measured is a number with the unit that its key has.
type measured struct {
	num
	key, unit string
}

// evalscopeNumbers takes an object's numbers by our names for them.
func evalscopeNumbers(all map[string]json.RawMessage) map[string]measured {
	out := map[string]measured{}
	for key, raw := range all {
		m := nameWithUnit.FindStringSubmatch(key)
		name := strings.ToLower(m[1])
		var n num
		if n.UnmarshalJSON(raw) != nil || n.v == -1 { // its mark for what there is not
			continue
		}
		for ours, theirs := range evalscopeKeys {
			for _, t := range theirs {
				if t == name {
					out[ours] = measured{n, key, m[2]}
				}
			}
		}
	}
	return out
}

func readEvalScope(d *doc) ([]*found, error) {
	n := evalscopeNumbers(d.keys)
	var args struct {
		Model    string `json:"model"`
		URL      string `json:"url"`
		API      string `json:"api"`
		Dataset  string `json:"dataset"`
		Open     bool   `json:"open_loop"`
		Prompt   num    `json:"max_prompt_length"`
		MinPrmpt num    `json:"min_prompt_length"`
		Prefix   num    `json:"prefix_length"`
		Max      num    `json:"max_tokens"`
		Min      num    `json:"min_tokens"`
		Seconds  num    `json:"duration"`
	}
	if data := d.beside("benchmark_args.json"); data != nil && json.Unmarshal(data, &args) != nil {
		args.Model = "" // of another version: the figures do without
	}
	f := &found{checker: checker{where: d.where}, tool: "evalscope perf"}
	f.model(args.Model)
	f.is("server", protocol.PublicURL(args.URL))
	f.is("API", args.API)
	f.is("dataset", args.Dataset)
	if args.Dataset == "random" && args.Prompt == args.MinPrmpt {
		f.askedInput = f.count("max_prompt_length", args.Prompt.plus(known(args.Prefix.v)).positive())
	}
	if args.Max == args.Min {
		f.askedOutput = f.count("max_tokens", args.Max.positive())
	}
	f.seconds = f.within("Test Duration (s)", n["seconds"].num, maxSeconds, "a time from 0 to 10⁹ seconds")
	f.completed, f.failed = f.count("Success Requests", n["completed"].num), f.count("Failed Requests", n["failed"].num)
	f.requests(n["asked"].num, args.Seconds)
	f.load(n["concurrency"].num, n["rate"].num, loadgen.PoissonArrivals, num{})
	f.throughputs(n["requests"].num, n["output"].num, n["total"].num)
	// Of an answer that came whole it has the whole latency as its TTFT.
	whole := n["streamed"].known && n["streamed"].v == 0
	if ttft, e2e := n[loadgen.TTFT], n[loadgen.E2E]; !n["streamed"].known && ttft.known && e2e.known {
		whole = near(ttft.v*f.unitMS(ttft.key, ttft.unit), e2e.v*f.unitMS(e2e.key, e2e.unit))
	}
	percentiles := evalscopePercentiles(d.beside("benchmark_percentile.json"))
	for _, metric := range []string{loadgen.TTFT, loadgen.TPOT, loadgen.ITL, loadgen.E2E} {
		if whole && metric != loadgen.E2E {
			continue
		}
		mean, unit := n[metric], 1.0
		if mean.known {
			unit = f.unitMS(mean.key, mean.unit)
		}
		f.latency(metric, unit, mean.num, nil)
		for _, p := range percentiles {
			if v := p.of[metric]; v.known && mean.v > 0 {
				f.latency(metric, f.unitMS(v.key, v.unit), num{}, []percentile{{p.p, v.num}})
			}
		}
	}
	// Averages are rounded, so that they make no counts to hold the rates against.
	f.input, f.output = f.sum("Avg Input Tokens", n["input"].num), f.sum("Avg Output Tokens", n["outputs"].num)
	return []*found{f}, nil
}

type evalscopePercentile struct {
	p  float64
	of map[string]measured
}

// evalscopePercentiles reads a list of objects, or in older versions one object of lists.
//
//	[{"Percentiles": "50%", "Latency (s)": 0.2089, "TTFT (ms)": 19.37}, …]
//	{"Percentiles": ["50%", …], "Latency (s)": [0.2089, …], …}
func evalscopePercentiles(data []byte) (out []evalscopePercentile) {
	var rows []map[string]json.RawMessage
	if json.Unmarshal(data, &rows) != nil {
		var columns map[string][]json.RawMessage
		if json.Unmarshal(data, &columns) != nil {
			return nil
		}
		for key, column := range columns {
			for i, value := range column {
				for len(rows) <= i {
					rows = append(rows, map[string]json.RawMessage{})
				}
				rows[i][key] = value
			}
		}
	}
	for _, row := range rows {
		var name string
		if json.Unmarshal(row["Percentiles"], &name) != nil {
			continue
		}
		if p, ok := percentileNamed(name); ok {
			out = append(out, evalscopePercentile{p, evalscopeNumbers(row)})
		}
	}
	return out
}
