package report

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/internal/number"
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
			return GPUs{Words: number.Sprintf("no GPU seen; %s, %d CPUs", plain(cpu), cores)}
		}
		return GPUs{}
	}
	var words []string
	for _, model := range sortedKeys(cards) {
		words = append(words, number.Sprintf("%d × %s", cards[model], plain(model)))
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
				out.Words = number.Sprintf("%d of %s", used, out.Words)
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
	if a.Machines.Server == "the client's" || a.Machines.Server == "" && len(e.Starts) == 0 ||
		a.Machines.Server == a.Machines.Client {
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
			t.Rows = append(t.Rows, []Cell{textCell("max_model_len of " + plain(id)), numberCell(float64(n),
				decimal(float64(n), 0))})
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
		lines = append(lines, number.Sprintf("Not watched: %s: %s", plain(name), plain(s.Unwatched[name])))
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
				number.Sprintf("%s: %d readings are unknown", capital(whose[i]), len(t.Rows)), []block{{Table: &t}}}})
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
