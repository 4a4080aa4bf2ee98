package protocol

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Resume says that an experiment was taken up again, and what differed then from before.
type Resume struct {
	Tool string `json:"tool,omitempty"`

	// Design is the one that is carried out from here on, where it is another than before: more runs of the same.
	// nil: it is the same.
	Design json.RawMessage `json:"design,omitempty"`

	// Changes are the differences, between the environment of the beginning and that of now, that matter and were
	// accepted. None: there were none.
	Changes []string `json:"changes,omitempty"`
}

// resume takes over an entry: what was cut short last is to be measured again, and the end was none.
func (e *Experiment) resume(r *Resume) {
	e.Resumes = append(e.Resumes, *r)
	if r.Design != nil {
		e.Design = r.Design
	}
	for n := len(e.Measurements); n > 0 && e.Measurements[n-1].unfinished(); n-- {
		e.Superseded = append(e.Superseded, e.Measurements[n-1])
		e.Measurements = e.Measurements[:n-1]
	}
	e.Complete, e.Error = false, ""
}

// unfinished reports whether a step was ended from outside: by who stopped the experiment, and by nothing that the
// server or the load did.
func (m Measurement) unfinished() bool { return m.Result.CutShort && !m.GaveUp && !m.died() }

// died reports whether the server ended within the step.
func (m Measurement) died() bool {
	for _, w := range m.Result.Warnings {
		if w.Code == WarnServerDied {
			return true
		}
	}
	return false
}

// A ResumeError says that an experiment cannot be taken up again as it is, because something is not as it was.
type ResumeError struct {
	What    string   // "plan", "environment", "server", "requests"
	Changes []string // what differs, in words
}

func (e *ResumeError) Error() string {
	return fmt.Sprintf("the experiment cannot be resumed: the %s differs from before: %s; restore it, or accept the change, which is then recorded",
		e.What, strings.Join(e.Changes, "; "))
}

// takeUp prepares the experiment that dir holds to be carried on with d.
func (r *running) takeUp(before *Experiment, design json.RawMessage, d Design, environment *envinfo.Environment) error {
	entry := &Resume{Tool: Tool()}
	if !equalJSON(before.Design, design) {
		longer, ok := d.(interface{ Extends(json.RawMessage) bool })
		if !ok || !longer.Extends(before.Design) {
			return &ResumeError{What: "plan", Changes: jsonChanges(before.Design, design)}
		}
		entry.Design = design
	}
	for _, difference := range envinfo.Diff(before.Environment, environment) {
		if difference.Matters && difference.Kind != envinfo.NotComparable && !ballooned(difference) {
			entry.Changes = append(entry.Changes, difference.String())
		}
	}
	if len(entry.Changes) > 0 && !r.AcceptChanges {
		return &ResumeError{What: "environment", Changes: entry.Changes}
	}
	r.experiment, r.asked = before, asked(before)
	for _, s := range before.Starts {
		if s.Identity != nil {
			r.before[s.Arm] = *s.Identity
		}
	}
	return r.note(Entry{Resume: entry})
}

// balloon is how much of a host's memory may come or go without its being another host.
const balloon = 0.05

// ballooned reports whether a difference is that a virtual machine was given a little more memory or less, as some are
// from one minute to the next:
//
//	changed: host.numa.nodes[0].memory: 14186999808 B → 14321217536 B
func ballooned(d envinfo.Difference) bool {
	if d.Kind != envinfo.Changed || !strings.HasPrefix(d.Path, "host.") || !strings.HasSuffix(d.Path, "memory") {
		return false
	}
	var a, b float64
	if _, err := fmt.Sscanf(d.A+" "+d.B, "%g B %g B", &a, &b); err != nil {
		return false
	}
	return a > 0 && b > 0 && max(a, b)/min(a, b) < 1+balloon
}

// Extends reports whether p is the plan that a design is, in JSON, with as many runs or more. An experiment that is taken
// up again may have another design than before where that one says so of itself.
func (p Plan) Extends(design json.RawMessage) bool {
	var before Plan
	if json.Unmarshal(design, &before) != nil || p.Runs < before.Runs {
		return false
	}
	p.Runs = before.Runs
	same, err := json.Marshal(p.WithoutTrace())
	return err == nil && equalJSON(design, same)
}

// equalJSON reports whether two texts are of the same value, however they are spelt.
func equalJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// jsonChanges names the members in which two objects differ.
func jsonChanges(a, b json.RawMessage) []string {
	var x, y map[string]json.RawMessage
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return []string{"it is another design"}
	}
	shown := func(v json.RawMessage) string {
		if v == nil {
			return "none"
		}
		if len(v) > 100 {
			return string(v[:100]) + "…"
		}
		return string(v)
	}
	var out []string
	for _, name := range sortedKeys(x, y) {
		if !equalJSON(x[name], y[name]) && (x[name] != nil || y[name] != nil) {
			out = append(out, fmt.Sprintf("%s: %s → %s", name, shown(x[name]), shown(y[name])))
		}
	}
	return out
}

// serverChanges says in what a start of the server differs from the one before it on the same arm, as far as both tell:
// what was asked for, and what the server and its container say they are.
func serverChanges(before, now *Start) []string {
	var out []string
	if before.Asked != nil && now.Asked != nil && !equalJSON(before.Asked, now.Asked) {
		for _, change := range jsonChanges(before.Asked, now.Asked) {
			out = append(out, "asked for: "+change)
		}
	}
	if before.Server == nil || now.Server == nil {
		return out
	}
	for _, difference := range envinfo.Diff(before.Server, now.Server) {
		if difference.Matters && difference.Kind == envinfo.Changed && !kvFact(difference) { // which has a tolerance
			out = append(out, difference.String())
		}
	}
	return out
}

// WarnServerChanged says that a start of the server is not of what the start before it was.
const WarnServerChanged = "server-changed"

// compareStart looks at whether the server is what it was at the start before. While an experiment is taken up again
// another server is an error, unless changes are accepted; later, which a design may mean, a warning. The size of its KV
// cache is compared over all starts ([WarnKVCacheDiffers]).
func (r *running) compareStart(now *Start) error {
	resuming := r.resuming
	r.resuming = false
	for _, before := range slices.Backward(r.experiment.Starts) {
		if before.Arm != now.Arm {
			continue
		}
		changes := serverChanges(&before, now)
		if resuming && !r.AcceptChanges {
			all := changes
			if kv := kvChange(&before, now); kv != "" {
				all = append(slices.Clone(changes), kv)
			}
			if len(all) > 0 {
				return &ResumeError{What: "server", Changes: all}
			}
		}
		if len(changes) == 0 {
			return nil
		}
		now.Warnings = append(now.Warnings, loadgen.Warning{Code: WarnServerChanged,
			Message: "the server is not what it was at its start before: " + strings.Join(changes, "; ")})
		return nil
	}
	return nil
}

// asked is what an experiment sent, by arm. Of an older one it is known once, for all of them.
func asked(e *Experiment) map[string]*workload.Description {
	all := map[string]*workload.Description{}
	for i := range e.Measurements {
		if m := &e.Measurements[i]; m.Sent != nil && all[m.Step.Arm] == nil {
			all[m.Step.Arm] = m.Sent
		}
	}
	if len(all) == 0 && e.Workload != nil {
		all[""] = e.Workload
	}
	return all
}

// sameRequests is an error where an experiment that is taken up again would ask an arm for something else than before.
func (r *running) sameRequests(arm string, now workload.Description) error {
	if r.asked[arm] == nil {
		arm = "" // all of them
	}
	if r.asked[arm] == nil || r.AcceptChanges {
		return nil
	}
	before, err := json.Marshal(r.asked[arm])
	if err != nil {
		return err
	}
	delete(r.asked, arm) // once is enough: a target's words do not change from level to level
	text, err := json.Marshal(now)
	if err != nil || equalJSON(before, text) {
		return err
	}
	return &ResumeError{What: "requests", Changes: jsonChanges(before, text)}
}

// rewarm repeats the discarded steps of a run whose server is new in the middle of it: what warmed the one before has
// not warmed this one.
func (r *running) rewarm(ctx context.Context, step Step) error {
	if step.Restart {
		return nil // the run begins here, and so do its own
	}
	for _, m := range slices.Clone(r.experiment.Measurements) {
		if m.Step.Run != step.Run || m.Step.Arm != step.Arm || !m.Step.Discard {
			continue
		}
		if err := r.measure(ctx, againFor(m.Step, step, len(r.experiment.Rewarms)), true); err != nil {
			return err
		}
	}
	return nil
}

// sortedKeys are the names of both objects, each once, in order.
func sortedKeys(x, y map[string]json.RawMessage) []string {
	all := map[string]json.RawMessage{}
	maps.Copy(all, x)
	maps.Copy(all, y)
	return slices.Sorted(maps.Keys(all))
}
