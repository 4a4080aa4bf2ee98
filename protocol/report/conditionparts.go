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

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// GPUs are how many GPUs served.
type GPUs struct {
	N     int    // 0: not known
	Words string // what served, as far as it is known: "8 × AMD Instinct MI325X"; "": nothing is
}

// CountGPUs counts the GPUs that served: as many as the engine was told to use, else those of the machine that it ran
// on. Where the server's machine was not captured it is the client's, if that is known to be the same.
func CountGPUs(e *protocol.Experiment) GPUs {
	if e == nil {
		return GPUs{}
	}
	env := serverEnvironment(e)
	if env == nil {
		return GPUs{}
	}
	cards := map[string]int{}
	n := 0
	count := func(model string, known bool) {
		if n++; known {
			cards[model]++
		}
	}
	for _, c := range env.AMD.Cards {
		count(c.Model.Get())
	}
	for _, c := range env.NVIDIA.Cards {
		count(c.Model.Get())
	}
	if n == 0 {
		if cpu, ok := env.Host.CPUModel.Get(); ok {
			cores, _ := env.Host.CPUThreads.Get()
			return GPUs{Words: fmt.Sprintf("no GPU seen; %s, %d CPUs", plain(cpu), cores)}
		}
		return GPUs{}
	}
	var words []string
	for _, model := range sortedKeys(cards) {
		words = append(words, fmt.Sprintf("%d × %s", cards[model], plain(model)))
	}
	out := GPUs{N: n, Words: strings.Join(words, ", ")}
	for _, start := range e.Starts {
		if start.Server == nil {
			continue
		}
		for _, c := range start.Server.Containers {
			if c.Engine == nil {
				continue
			}
			used := int64(1)
			for _, part := range []func() (int64, bool){
				c.Engine.TensorParallel.Get, c.Engine.PipelineParallel.Get, c.Engine.DataParallel.Get,
			} {
				if size, ok := part(); ok {
					used *= size
				}
			}
			if tensor, ok := c.Engine.TensorParallel.Get(); ok && tensor > 0 && used > 0 && used < int64(n) {
				out.N = int(used)
				out.Words = fmt.Sprintf("%d of %s", used, out.Words)
			}
			return out
		}
	}
	return out
}

// serverEnvironment is the environment of the machine that the server ran on; nil: not known.
func serverEnvironment(e *protocol.Experiment) *envinfo.Environment {
	for _, s := range e.Starts {
		if s.Server == nil {
			continue
		}
		if _, ok := s.Server.Host.CPUModel.Get(); ok || len(s.Server.AMD.Cards)+len(s.Server.NVIDIA.Cards) > 0 {
			return s.Server
		}
	}
	if e.Environment == nil {
		return nil
	}
	a := protocol.Analyze(&protocol.Experiment{Environment: e.Environment, Starts: e.Starts})
	if a.Machines.Server == "the client's" || a.Machines.Server == "" && len(e.Starts) == 0 || a.Machines.Server == a.Machines.Client {
		return e.Environment
	}
	return nil
}

// served is what the servers said of themselves when they were first started; nil: nothing.
func (s *subject) served() *envinfo.Environment {
	for _, start := range s.e.Starts {
		if start.Server != nil {
			return start.Server
		}
	}
	return nil
}

// engine names the server's software and its version: "vLLM 0.32.0".
func (s *subject) engine() string {
	env := s.served()
	if env == nil || env.Server == nil {
		return ""
	}
	version, ok := env.Server.Version.Get()
	if name, named := env.Server.Engine.Get(); named {
		return strings.TrimSpace(plain(name + " " + version))
	}
	if !ok {
		return ""
	}
	return "vLLM " + plain(version)
}

// environments are those whose tables the page shows, each with whose it is.
func (s *subject) environments() (envs []*envinfo.Environment, whose []string) {
	if env := serverEnvironment(s.e); env != nil {
		envs, whose = append(envs, env), append(whose, "the server’s machine")
	}
	if client := s.e.Environment; client != nil {
		if len(envs) > 0 && envs[0] == client {
			whose[0] = "the machine that client and server share"
		} else {
			envs, whose = append(envs, client), append(whose, "the client’s machine")
		}
	}
	return envs, whose
}

func hardwarePart(out *section, s *subject) {
	if m := s.Machines; m.Client != "" || m.Server != "" {
		line := "Client: " + plain(m.Client) + "."
		switch m.Server {
		case "":
		case "the client's":
			line = "Client and server shared a machine: " + plain(m.Client) + "."
		default:
			line += " Server: " + plain(m.Server) + "."
		}
		out.text(line)
	}
	envs, whose := s.environments()
	for i, env := range envs {
		hardware, _, _ := env.Tables()
		out.table(rowsTable(hardware, capital(whose[i])))
	}
	if len(envs) == 0 {
		out.text("Nothing was captured of the machines.")
	}
}

func softwarePart(out *section, s *subject) {
	envs, whose := s.environments()
	for i, env := range envs {
		_, software, _ := env.Tables()
		more := [][]string{}
		if engine := s.engine(); engine != "" && i == 0 {
			more = append(more, []string{"Inference server", engine})
		}
		if kernel, ok := env.Host.Kernel.Get(); ok {
			more = append(more, []string{"Kernel", kernel})
		}
		if distribution, ok := env.Host.Distribution.Get(); ok {
			more = append(more, []string{"Distribution", distribution})
		}
		if s.Tool != "" && env == s.e.Environment {
			more = append(more, []string{"Client", s.Tool})
		}
		out.table(rowsTable(append(software, more...), capital(whose[i])))
	}
	if len(envs) == 0 {
		out.text("Nothing was captured of the software.")
	}
}

func imagesPart(out *section, s *subject) {
	for _, env := range []*envinfo.Environment{s.served(), s.e.Environment} {
		if env != nil && len(env.Containers) > 0 {
			_, _, images := env.Tables()
			out.table(rowsTable(images, "Images that ran"))
			return
		}
	}
	out.text("No container was captured: the server ran in none, or it was not asked for.")
}

func modelsPart(out *section, s *subject) {
	t := Table{Head: []string{"Model", "Revision", "Root"}}
	add := func(name, revision, root string) {
		t.Rows = append(t.Rows, texts([]string{plain(name), plain(revision), plain(root)}))
	}
	if env := s.served(); env != nil {
		models := env.Server
		if models != nil {
			for _, m := range models.Models {
				id, ok := m.ID.Get()
				if !ok {
					id = "unknown: " + m.ID.Reason()
				}
				root, _ := m.Root.Get()
				revision := "unknown: the server does not tell it"
				if env.Model != nil {
					revision = known(env.Model.Revision.Get())(env.Model.Revision.Reason())
				}
				for _, c := range env.Containers {
					if c.Model != nil {
						revision = known(c.Model.Revision.Get())(c.Model.Revision.Reason())
					}
				}
				add(id, revision, root)
			}
		}
	}
	if len(t.Rows) == 0 {
		for _, m := range s.Models {
			add(m, "unknown: nothing was asked that could tell", "")
		}
	}
	out.table(t)
}

func known(value string, ok bool) func(reason string) string {
	return func(reason string) string {
		if ok {
			return value
		}
		return "unknown: " + reason
	}
}

func protocolPart(out *section, s *subject) {
	t := Table{Head: []string{"Parameter", "Value"}}
	row := func(name, value string) {
		if value != "" {
			t.Rows = append(t.Rows, texts([]string{name, value}))
		}
	}
	if p := s.plan; p != nil {
		row("Plan", plain(p.Name))
		row("Independent runs", fmt.Sprintf("%d planned, %d measured", p.Runs, s.Runs))
		restart := "one server for all runs"
		if p.Restart {
			restart = "before each run, on evidence of a new instance"
		}
		row("Restart of the server", restart)
		row("Cooldown between runs", duration(p.Cooldown))
		switch {
		case p.WarmUntilSteady > 0:
			row("Warmup", fmt.Sprintf("until throughput and TTFT are steady, for %v at most (discarded)", p.WarmUntilSteady))
		default:
			row("Warmup requests", fmt.Sprintf("%d (discarded)", p.Warmup))
		}
		if p.Handover {
			row("Lead-in of each level", "as many discarded requests as its concurrency")
		}
		row("Input tokens", decimal(float64(p.Input), 0))
		row("Output tokens", decimal(float64(p.Output), 0))
		row("Prompts per level", p.Prompts.String()+times(p.Prompts))
		row("Concurrency levels", numbers(p.Levels))
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
		out.text(fmt.Sprintf("The experiment was taken up again %d times.", len(s.e.Resumes)))
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
	if json.Unmarshal(design, &p) != nil || len(p.Levels) == 0 || p.Runs == 0 {
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

// rowsTable is a table whose first row is its head.
func rowsTable(rows [][]string, caption string) Table {
	t := Table{Caption: caption}
	for i, row := range rows {
		clean := make([]string, len(row))
		for j, cell := range row {
			clean[j] = plain(cell)
		}
		if i == 0 {
			t.Head = clean
			continue
		}
		t.Rows = append(t.Rows, texts(clean))
	}
	return t
}

func configurationPart(out *section, s *subject) {
	var asked json.RawMessage
	for _, start := range s.e.Starts {
		if len(start.Asked) > 0 {
			asked = start.Asked
			break
		}
	}
	if len(asked) > 0 {
		out.text("What was asked for:")
		out.add(block{Code: indented(asked)})
	}
	env := s.served()
	if env == nil {
		if len(asked) == 0 {
			out.text("Nothing was asked of the running engine, and nothing is known of its configuration.")
		}
		return
	}
	for _, c := range env.Containers {
		if command, ok := c.Command.Get(); ok {
			out.text("The container’s command:")
			out.add(block{Code: command})
		}
		t := Table{Caption: "The engine’s arguments", Head: []string{"Setting", "Value"}}
		if c.Engine != nil {
			for _, a := range c.Engine.Arguments {
				t.Rows = append(t.Rows, texts([]string{plain(a.Name), plain(known(a.Value.Get())(a.Value.Reason()))}))
			}
		}
		for _, v := range c.Environment {
			t.Rows = append(t.Rows, texts([]string{plain(v.Name), plain(known(v.Value.Get())(v.Value.Reason()))}))
		}
		out.table(t)
	}
	if env.Server == nil {
		return
	}
	t := Table{Caption: "As the running engine says", Head: []string{"Setting", "Value"}}
	for _, m := range env.Server.Models {
		if n, ok := m.MaxModelLen.Get(); ok {
			id, _ := m.ID.Get()
			t.Rows = append(t.Rows, []Cell{textCell("max_model_len of " + plain(id)), numberCell(float64(n), decimal(float64(n), 0))})
		}
	}
	for _, f := range env.Server.Facts {
		if v, ok := f.Value.Get(); ok {
			t.Rows = append(t.Rows, texts([]string{plain(f.Name), plain(v)}))
		}
	}
	out.table(t)
}

func indented(j json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, j, "", "  ") != nil {
		return string(j)
	}
	return out.String()
}

func unreadPart(out *section, s *subject) {
	var lines []string
	for _, name := range sortedKeys(s.Unwatched) {
		lines = append(lines, fmt.Sprintf("Not watched: %s: %s", plain(name), plain(s.Unwatched[name])))
	}
	for _, c := range s.e.Clients {
		if c.Error != "" {
			lines = append(lines, "The client’s own check: "+plain(c.Error))
		}
	}
	if len(lines) > 0 {
		out.add(block{List: lines})
	}
	envs, whose := s.environments()
	if served := s.served(); served != nil && !slices.Contains(envs, served) {
		envs, whose = append(envs, served), append(whose, "what the server says")
	}
	for i, env := range envs {
		t := Table{Head: []string{"What", "Of", "Scope", "Why"}}
		for _, row := range env.Unknown() {
			t.Rows = append(t.Rows, texts([]string{plain(row[0]), plain(row[1]), plain(row[2]), plain(row[3])}))
		}
		if len(t.Rows) > 0 {
			out.add(block{Details: &details{
				fmt.Sprintf("%s: %d readings are unknown", capital(whose[i]), len(t.Rows)), []block{{Table: &t}}}})
		}
		var warnings []string
		for _, w := range env.Warnings {
			warnings = append(warnings, plain(w.String()))
		}
		if len(warnings) > 0 {
			out.add(block{List: warnings})
		}
	}
}

func repeatPart(out *section, s *subject) {
	if s.plan != nil {
		command := "multirun -plan plan.json"
		if len(s.URLs) > 0 {
			command += " -url " + quoted(s.URLs[0])
		}
		if len(s.Models) > 0 {
			command += " -model " + quoted(strings.Join(s.Models, ","))
		}
		if s.plan.Restart {
			command += " -server …"
		}
		out.text("With the plan below as plan.json, and -server and the requests’ flags as the tables above have them:")
		out.add(block{Code: command + " -out again"})
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
			row("SHA-256 of the design, without white space", fmt.Sprintf("%x", sha256.Sum256(compact.Bytes())))
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
		fmt.Sprintf("The replicate is a %s: each figure is taken once a run, and means, SD and CoV are over %d %s.",
			s.Unit, n, plural(n, "run")),
	}
	if n > 1 {
		lines = append(lines, fmt.Sprintf("Intervals are Student’s t at 95 %% with n − 1 = %d degrees of freedom, "+
			"where every run has the figure; they cover what differs between runs, and nothing above that.", n-1))
	} else {
		lines = append(lines, "One run has no spread, so that no figure has an interval.")
	}
	lines = append(lines,
		"The coefficient of variation (CoV) is SD ÷ mean.",
		"Throughput is input + output tokens per second: over the makespan, from the first request sent to the last "+
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
	if a.KneeOf != "" && a.KneeOf != loadgen.SteadyTotalThroughput {
		return "throughput over the makespan (imported results have no steady window)"
	}
	return "steady throughput"
}

func clientPart(out *section, s *subject) {
	if len(s.e.Clients) > 0 {
		t := Table{ID: s.prefix + "client-check", Head: []string{"Measured", "Concurrency", "Input tokens", "Output tokens", "Requests/s", "Chunks/s"}}
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
			row := []Cell{textCell(c.Time.UTC().Format("2006-01-02 15:04")), whole(c.Concurrency), whole(c.Input), whole(c.Output),
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
	default:
		out.text("Verdict: none. What the client can do on its host was not measured.")
	}
	t := Table{ID: s.prefix + "headroom", Caption: "Headroom of the client at each level", Head: []string{levelHead(s.Analysis), "Requests/s, ×", "Chunks/s, ×", "The client was the limit"}}
	for i := range s.Points {
		p := &s.Points[i]
		if p.Headroom == nil {
			continue
		}
		verdict := fmt.Sprintf("not in %d of %d runs", p.ClientJudged, len(p.Runs))
		if p.ClientJudged == 0 {
			verdict = "not judged: too short"
		}
		for _, w := range p.Warnings {
			if w.Code == loadgen.WarnClientBound {
				verdict = fmt.Sprintf("in %s %s", plural(len(w.Runs), "run"), numbers(w.Runs))
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
