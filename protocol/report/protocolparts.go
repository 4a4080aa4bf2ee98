package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

func protocolPart(out *section, s *subject) {
	t := Table{Head: []string{"Parameter", "Value"}}
	row := func(name, value string) {
		if value != "" {
			t.Rows = append(t.Rows, texts([]string{name, value}))
		}
	}
	if p := s.plan; p != nil {
		row("Plan", plain(p.Name))
		row("Independent runs", number.Sprintf("%d planned, %d measured", p.Runs, s.Runs))
		restart := "one server for all runs"
		if p.Restart {
			restart = "before each run, on evidence of a new instance"
		}
		row("Restart of the server", restart)
		row("Cooldown between runs", duration(p.Cooldown))
		switch {
		case p.WarmUntilSteady > 0:
			row("Warmup", number.Sprintf("until throughput and TTFT are steady, for %v at most (discarded)", p.WarmUntilSteady))
		default:
			row("Warmup requests", number.Sprintf("%d (discarded)", p.Warmup))
		}
		if p.Handover {
			row("Lead-in of each level", "as many discarded requests as its concurrency")
		}
		if own := ownLengths(s.Analysis); own != "" {
			row("Tokens of a request", own)
		} else {
			row("Input tokens", decimal(float64(p.Input), 0))
			if s.Generates() {
				row("Output tokens", decimal(float64(p.Output), 0))
			}
		}
		switch {
		case p.Unit != "":
			row("Sessions per level", prompts(p.Prompts)+times(p.Prompts))
		case p.Prompts != (protocol.Prompts{}):
			row("Prompts per level", prompts(p.Prompts)+times(p.Prompts))
		}
		if len(p.Levels) > 0 {
			row("Concurrency levels", numbers(p.Levels)+ofUnit(p.Unit))
		}
		if p.Arrivals.Process == loadgen.TraceArrivals {
			row("Arrivals", fmt.Sprintf("those of a trace, SHA-256 %.12s…", p.WithoutTrace().Arrivals.TraceSHA256))
		}
		row("Order of the levels", orderWords(p.Order))
		row("Time limit of a request", duration(p.Timeout))
		if p.Budget > 0 {
			row("Budget of all runs", p.Budget.String())
		}
		var objectives []string
		for _, o := range p.Objectives {
			objectives = append(objectives, o.String())
		}
		row("Objectives (goodput)", strings.Join(objectives, ", "))
		row("Seed", strconv.FormatUint(p.Seed, 10))
	} else if len(s.Points) > 0 {
		row("Shape", shapes(s.Analysis))
		row("Levels", fmt.Sprint(len(s.Points)))
		row("Runs", fmt.Sprint(s.Runs))
	}
	if w := s.Workload; w != nil {
		row("Requests", plain(w.String()))
		row("Headers beside the usual", plain(strings.Join(w.Headers, ", ")))
		row("In each body", plain(string(w.Body)))
	}
	row("Sent to", plain(strings.Join(s.URLs, ", ")))
	if !s.Time.IsZero() {
		row("Begun", s.Time.UTC().Format(time.RFC3339))
	}
	out.table(t)
	if len(s.e.Resumes) > 0 {
		out.text(number.Sprintf("The experiment was taken up again %d times.", len(s.e.Resumes)))
	}
	if s.e.Shortened != "" {
		out.text("Left out: " + plain(s.e.Shortened) + ".")
	}
}

func times(p protocol.Prompts) string {
	if p.PerConcurrency > 0 {
		return " the concurrency"
	}
	return ""
}

func orderWords(o protocol.Order) string {
	if o == protocol.AsGiven {
		return "as given"
	}
	return string(o)
}

// planOf is the plan of a design, nil where it is another kind of design.
func planOf(design json.RawMessage) *protocol.Plan {
	var p protocol.Plan
	if json.Unmarshal(design, &p) != nil || len(p.Levels) == 0 && p.Arrivals.Process != loadgen.TraceArrivals || p.Runs == 0 {
		return nil
	}
	return &p
}

func planName(p *protocol.Plan) string {
	if p == nil {
		return ""
	}
	return p.Name
}

func repeatPart(out *section, s *subject) {
	if program, servers := programOf(s.e.Design); program != "" {
		command := program + " -plan plan.json"
		if len(s.URLs) == 1 {
			command += " -url " + quoted(s.URLs[0])
		}
		if len(s.Models) > 0 {
			command += " -model " + quoted(strings.Join(s.Models, ","))
		}
		out.text("With the design below as plan.json, and the servers and the requests’ flags as the tables above have them:")
		out.add(block{Code: command + servers + " -out again"})
	} else if IsClientCheck(s.e) {
		out.add(block{Code: "clientcheck -out again"})
	}
	t := Table{Head: []string{"What", "Value"}}
	row := func(name, value string) {
		if value != "" {
			t.Rows = append(t.Rows, texts([]string{name, value}))
		}
	}
	row("Measured by", plain(s.Tool))
	row("Environment’s hash", s.Host)
	if len(s.Design) > 0 {
		var compact bytes.Buffer
		if json.Compact(&compact, s.Design) == nil {
			row("SHA-256 of the design, without white space", number.Sprintf("%x", sha256.Sum256(compact.Bytes())))
		}
	}
	if s.plan != nil {
		row("Seed, from which all prompts follow", strconv.FormatUint(s.plan.Seed, 10))
	}
	if w := s.Workload; w != nil && w.File != nil {
		row("Prompts", plain(w.String()))
	}
	out.table(t)
	if len(s.Design) > 0 && string(s.Design) != "null" {
		out.add(block{Details: &details{"The design, as JSON", []block{{Code: indented(s.Design)}}}})
	}
}

// programOf is the program that carries out a design which is read from its file, and the flags that name its servers;
// "": none does.
func programOf(design json.RawMessage) (program, servers string) {
	var d struct {
		Design string        `json:"design"`
		Plan   protocol.Plan `json:"plan"`
	}
	plan := planOf(design)
	switch {
	case plan != nil && strings.HasPrefix(plan.Name, protocol.ClientValidation().Name):
		return "", "" // it has its own
	case plan != nil && plan.Restart:
		return "multirun", " -server …"
	case plan != nil:
		return "multirun", ""
	case json.Unmarshal(design, &d) != nil || d.Design == "":
		return "", ""
	case d.Design == "ablation":
		return "ablation", " -a … -b …"
	}
	if d.Plan.Restart {
		servers = " -server …"
	}
	if d.Design == "slo" {
		return "slo", servers
	}
	return "multirun", servers
}

// quoted is a word for a shell: as it is where nothing in it means something to one.
func quoted(word string) string {
	word = plain(word)
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func statisticsPart(out *section, s *subject) {
	n := s.Runs
	lines := []string{
		number.Sprintf("The replicate is a %s: each figure is taken once a run, and means, SD and CoV are over %d %s.",
			s.Unit, n, plural(n, "run")),
	}
	if n > 1 {
		lines = append(lines, number.Sprintf("Intervals are Student’s t at 95 %% with n − 1 = %d degrees of freedom, "+
			"where every run has the figure; they cover what differs between runs, and nothing above that.", n-1))
	} else {
		lines = append(lines, "One run has no spread, so that no figure has an interval.")
	}
	lines = append(lines,
		"The coefficient of variation (CoV) is SD ÷ mean.",
		"Throughput is "+tokensCounted(s.Analysis)+" per second: over the makespan, from the first request sent to the last "+
			"one done; and in the steady window, from when the first wave had gone to the issue of the last request.",
		"Percentiles are taken over the completed requests of one run (type 7), and then averaged over the runs. "+
			"A percentile of fewer samples than bound it is marked ?.",
		"A value marked ! must not be used: a warning, which is named beside it, says why.",
		"The knee is the smallest concurrency with 95 % of the highest "+kneeWords(s.Analysis)+". It is given as a bracket, from "+
			"paired tests within each run that hold 95 % in all.",
	)
	if s.Unit == protocol.UnitWithinServer {
		lines = append(lines, "The runs were not shown to be on servers of their own (within-server): what differs between starts is not in the intervals.")
	}
	out.add(block{List: lines})
}

// kneeWords is what the knee is one of.
func kneeWords(a *protocol.Analysis) string {
	if a.KneeOf == loadgen.SteadyInputThroughput {
		return "steady throughput of input tokens"
	}
	if a.KneeOf != "" && a.KneeOf != loadgen.SteadyTotalThroughput {
		return "throughput over the makespan (imported results have no steady window)"
	}
	return "steady throughput"
}

func clientPart(out *section, s *subject) {
	if len(s.e.Clients) > 0 {
		t := Table{ID: s.prefix + "client-check", Head: []string{"Measured", "Concurrency", "Input tokens",
			"Output tokens", "Requests/s", "Chunks/s"}}
		var errors []string
		for _, c := range s.e.Clients {
			for _, f := range c.Errors {
				if !slices.Contains(errors, f.Name) {
					errors = append(errors, f.Name)
				}
			}
		}
		for _, e := range errors {
			t.Head = append(t.Head, figureWords(e)+", ms")
		}
		for _, c := range s.e.Clients {
			row := []Cell{textCell(c.Time.UTC().Format("2006-01-02 15:04")), whole(c.Concurrency), whole(c.Input),
				whole(c.Output),
				numberCell(orNaN(c.Requests), decimal(c.Requests, 0)), numberCell(orNaN(c.Chunks), decimal(c.Chunks, 0))}
			for _, name := range errors {
				cell := textCell("–")
				for _, f := range c.Errors {
					if f.Name == name {
						cell = numberCell(f.Value, sized(f.Value))
					}
				}
				row = append(row, cell)
			}
			t.Rows = append(t.Rows, row)
		}
		out.text("Before the experiment the client was measured on its own host: against a server that answers at once, " +
			"for what it can do at least, and against one that stamps its chunks, for what it adds to a time.")
		out.table(t)
	}
	s.charts(out, PlaceClient)
	switch line := headroom(s.Analysis); {
	case line != "":
		out.text("Verdict. " + line + ".")
	case IsClientCheck(s.e):
		out.text("Verdict: " + NewClientVerdict(s.Analysis, 0).String())
	default:
		out.text("Verdict: none. What the client can do on its host was not measured.")
	}
	if line := generators(s.Analysis); line != "" {
		out.text(line + ".")
	}
	t := Table{ID: s.prefix + "headroom", Caption: "Headroom of the client at each level",
		Head: []string{levelTitle(s.Analysis), "Requests/s, ×", "Chunks/s, ×", "The client was the limit"}}
	for i := range s.Points {
		p := &s.Points[i]
		if p.Headroom == nil {
			continue
		}
		verdict := number.Sprintf("not in %d of %d runs", p.ClientJudged, len(p.Runs))
		if p.ClientJudged == 0 {
			verdict = "not judged: too short"
		}
		for _, w := range p.Warnings {
			if w.Code == loadgen.WarnClientBound {
				verdict = number.Sprintf("in %s %s", plural(len(w.Runs), "run"), numbers(w.Runs))
			}
		}
		t.Rows = append(t.Rows, []Cell{s.levelCell(p), numberCell(p.Headroom.Requests, sized(p.Headroom.Requests)),
			numberCell(orNaN(p.Headroom.Chunks), sized(p.Headroom.Chunks)), textCell(verdict)})
	}
	out.table(t)
}

func orNaN(x float64) float64 {
	if x == 0 {
		return math.NaN()
	}
	return x
}

func whole(n int) Cell { return numberCell(float64(n), decimal(float64(n), 0)) }
