package protocol

import (
	"errors"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A Plan is the design of the MI325X cookbook's benchmark methodology: every level in the given order, on a server
// that is restarted between runs. It is plain data, marshals to JSON, and implements [Design].
type Plan struct {
	Name string `json:"name"`

	Runs     int           `json:"runs"`                  // at least 1
	Restart  bool          `json:"restart"`               // a new server for each run: what makes runs independent
	Cooldown time.Duration `json:"cooldown_ns,omitempty"` // rest before each restart but the first

	// Prime starts the server once before the first run, for one wave of requests at the highest level, and throws that
	// start away: the first boot of an image compiles kernels, fills caches on its volumes and may come to less memory
	// for its KV cache than those after it. It takes Restart. The step is that of run 0.
	Prime bool `json:"prime,omitempty"`

	Warmup int `json:"warmup,omitempty"` // requests that are sent first in each run and discarded, 0: none

	// WarmUntilSteady, in the place of Warmup, warms each run at its first level's concurrency until throughput and
	// TTFT have stopped moving ([Warming]), for so long at most; the level begins after the drain, without a pause.
	// It is repeated, at the concurrency of the level to come, where the server is started anew within a run, or was
	// idle for 30 s. 0: none.
	WarmUntilSteady time.Duration `json:"warm_until_steady_ns,omitempty"`

	Input   int     `json:"input_tokens"`     // tokens of each prompt
	Output  int     `json:"output_tokens"`    // tokens asked of each request
	Levels  []int   `json:"levels,omitempty"` // concurrencies, in the order in which they are run; none twice
	Prompts Prompts `json:"prompts,omitzero"` // measured requests at each level; of a Unit sessions
	Order   Order   `json:"order,omitempty"`

	// Unit says that the levels are of sessions, as in [loadgen.Level]: Levels count sessions or their requests, and
	// Prompts, Rates and what leads a level in count sessions. "": levels are of single requests.
	Unit loadgen.Unit `json:"unit,omitempty"`

	// Rates, in the place of Levels, are those of the arrivals of an open loop, in requests/s: what users send who do not
	// wait for each other. Arrivals is their process, whose rate is left 0; zero: poisson. MaxInFlight is the most that
	// may be in flight, beyond which arrivals wait; 0: no bound. The knee is then over rates: the smallest that is served
	// with 95 % of the most throughput.
	//
	// Arrivals that are a trace ([loadgen.TraceArrivals]) stand in the place of both: the one load is the trace, whole, or
	// as many of its requests as Prompts count.
	Rates       []float64        `json:"rates,omitempty"`
	Arrivals    loadgen.Arrivals `json:"arrivals,omitzero"`
	MaxInFlight int              `json:"max_in_flight,omitempty"`

	// Handover leads each level in with as many discarded requests as its concurrency, which hand their slots over
	// one by one. A level then begins on a busy server. Without it each level begins on an idle one.
	Handover bool `json:"handover,omitempty"`

	Timeout time.Duration `json:"timeout_ns,omitempty"` // per request; 0: none
	Seed    uint64        `json:"seed"`                 // all prompts of the plan follow from it

	// Budget bounds all runs in time: a run that would go beyond it, if it took as long as the longest so far, is
	// left out ([Plan.Shortened]), and each level gets its part of it. LevelBudget bounds one level, which then ends
	// after its prompts or this time. 0: no bound.
	Budget      time.Duration `json:"budget_ns,omitempty"`
	LevelBudget time.Duration `json:"level_budget_ns,omitempty"`

	Retry Retry `json:"retry,omitzero"` // which levels are measured again

	Objectives []loadgen.Objective `json:"objectives,omitempty"` // of every level, for its goodput; none: no goodput

	Percentiles []float64 `json:"percentiles,omitempty"` // of every level, as in [loadgen.Level]; none: 50, 90, 95, 99
}

// Prompts is how many requests a level gets: Count, or PerConcurrency times its concurrency, of which one must be
// set. As text, and so in flags and JSON, it is "100" or "10x".
type Prompts struct {
	Count          int
	PerConcurrency int
}

// At is the number of requests at a concurrency.
func (p Prompts) At(concurrency int) int {
	if p.PerConcurrency > 0 {
		return p.PerConcurrency * concurrency
	}
	return p.Count
}

func (p Prompts) String() string {
	if p.PerConcurrency > 0 {
		return strconv.Itoa(p.PerConcurrency) + "x"
	}
	return strconv.Itoa(p.Count)
}

// MarshalText writes "100" or "10x".
func (p Prompts) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads "100" or "10x".
func (p *Prompts) UnmarshalText(text []byte) error {
	digits, factor := strings.CutSuffix(string(text), "x")
	n, err := strconv.Atoi(digits)
	if err != nil || n < 1 || n > loadgen.MaxRequests {
		return &loadgen.InvalidError{Field: "prompts", Value: strconv.Quote(string(text)), Want: "a number of requests per level, such as 100, or a multiple of the concurrency, such as 10x"}
	}
	if *p = (Prompts{Count: n}); factor {
		*p = Prompts{PerConcurrency: n}
	}
	return nil
}

// requestTimeout is long, because a saturated server with a long queue is what is being measured.
const requestTimeout = 30 * time.Minute

// MultiRun is the page's multi-run statistical test, exactly: five runs with restarts, 100 prompts at each of seven
// levels. Its levels above 100 never reach their concurrency, and [Plan.Check] says so.
func MultiRun() Plan {
	return Plan{
		Name: "multirun", Runs: 5, Restart: true, Cooldown: time.Minute, Warmup: 10,
		Input: 2048, Output: 512, Levels: []int{10, 50, 100, 200, 500, 750, 1000}, Prompts: Prompts{Count: 100},
		Timeout: requestTimeout, Seed: 1,
	}
}

// FineSweep is the page's fine-grained saturation sweep, exactly: three runs, 200 prompts at each of eleven levels
// from 500 up, which makes them eleven repeats of 200 in flight. The page states no restart, warmup or cooldown for it;
// those of [MultiRun] are taken.
func FineSweep() Plan {
	return Plan{
		Name: "finesweep", Runs: 3, Restart: true, Cooldown: time.Minute, Warmup: 10,
		Input: 2048, Output: 100, Levels: []int{500, 550, 600, 650, 700, 750, 800, 850, 900, 950, 1000}, Prompts: Prompts{Count: 200},
		Timeout: requestTimeout, Seed: 1,
	}
}

// ClientValidation is the page's client overhead validation, exactly: one pass over seven levels of 1,000 requests
// against an echo server. Its tokens per second come to 100 tokens a request; they are taken as output tokens, and one
// input token is sent.
func ClientValidation() Plan {
	return Plan{
		Name: "clientcheck", Runs: 1, Input: 1, Output: 100,
		Levels: []int{100, 250, 500, 750, 1000, 1500, 2000}, Prompts: Prompts{Count: 1000},
		Timeout: time.Minute, Seed: 1,
	}
}

// Corrected is the same plan with what it needs to show what it claims: ten prompts for each request in flight, and
// each level led in by a warmup of its own size.
func (p Plan) Corrected() Plan {
	p.Name += "-corrected"
	p.Levels = slices.Clone(p.Levels)
	p.Prompts = Prompts{PerConcurrency: 10}
	p.Handover = true
	return p
}

// Next implements [Design]. A plan that [Plan.Check] refuses has no first step, but its error.
func (p Plan) Next(done []Measurement) (Step, error) {
	if len(done) == 0 {
		if err := p.validate(); err != nil {
			return Step{}, err
		}
	}
	if n := len(done); n > 0 && p.Retry.cause(done[n-1]) != "" {
		s := done[n-1].Step
		s.Try = max(s.Try, 1) + 1
		s.Restart, s.Cooldown = false, 0
		s.Seed = rand.NewPCG(s.Seed, uint64(s.Try)).Uint64() >> 11
		return s, nil
	}
	s, err := p.at(len(settled(done)))
	if err == nil && s.Seq == 0 && s.Run > 1 && p.overBudget(done) {
		return Step{}, io.EOF
	}
	return s, err
}

// at is the n-th step.
func (p Plan) at(n int) (Step, error) {
	if p.Prime {
		if n == 0 && len(p.loads()) > 0 && p.Runs > 0 {
			return p.priming(), nil
		}
		n--
	}
	perRun := len(p.loads())
	if p.leadsIn() {
		perRun++
	}
	run, seq := n/max(perRun, 1), n%max(perRun, 1)
	if perRun == 0 || run >= p.Runs {
		return Step{}, io.EOF
	}
	// The seeds of two steps differ, whichever plan seeds they come from: PCG's two words are the plan's seed and
	// the step's number. 53 bits of it are all that readers keep for whom each number is a float64, such as jq.
	s := Step{
		Run: run + 1, Seq: seq, Restart: p.Restart && seq == 0,
		Spec: workload.Spec{Input: p.Input, Output: p.Output, Seed: rand.NewPCG(p.Seed, uint64(n)).Uint64() >> 11},
	}
	if s.Restart && (run > 0 || p.Prime) {
		s.Cooldown = p.Cooldown
	}
	levels := p.ordered(run)
	if p.leadsIn() {
		if seq == 0 {
			s.Discard = true
			s.Level, s.UntilSteady = p.warmupLevel(levels[0])
			s.Level.Seed = arrivalSeed(s)
			return s, nil
		}
		seq--
	}
	s.Level = levels[seq]
	s.Level.Seed = arrivalSeed(s)
	p.bound(&s.Level)
	s.Level.Duration, s.Level.Timeout = p.levelBudget(), p.Timeout
	s.Level.Objectives, s.Level.Percentiles = p.Objectives, p.Percentiles
	return s, nil
}

// arrivalSeed chooses the arrivals of an open loop, others in each run.
func arrivalSeed(s Step) uint64 {
	if s.Level.Arrivals.Process == "" {
		return 0
	}
	return s.Seed
}

// priming is the step of the start that is thrown away.
func (p Plan) priming() Step {
	highest := slices.MaxFunc(p.loads(), byLoad)
	requests := min(inFlight(highest), p.requests(highest))
	return Step{
		Restart: true, Discard: true,
		Spec: workload.Spec{Input: p.Input, Output: p.Output, Seed: rand.NewPCG(p.Seed, math.MaxUint64).Uint64() >> 11},
		Level: loadgen.Level{
			Concurrency: requests, Requests: requests, Duration: p.levelBudget(), Timeout: p.Timeout,
		},
	}
}

// leadsIn reports whether each run begins with a step that is discarded.
func (p Plan) leadsIn() bool { return p.Warmup > 0 || p.WarmUntilSteady > 0 }

// Codes of the warnings that a plan can give rise to before anything is measured, beside
// [loadgen.WarnPromptCapped].
const (
	WarnFewPrompts   = "few-prompts"   // fewer than ten requests for each one in flight
	WarnOneCondition = "one-condition" // several levels come to the same number in flight
	WarnSingleRun    = "single-run"    // one run has no spread, so no interval
	WarnWithinServer = "within-server" // runs share a server: their spread is not that of restarts
)

// Check returns an error, a [*loadgen.InvalidError], for a plan that cannot be carried out, and warnings for one
// that can but will not show what its levels say. It never refuses the page's own plans.
func (p Plan) Check() ([]loadgen.Warning, error) {
	if err := p.validate(); err != nil {
		return nil, err
	}
	var capped, few []int
	highest := 0
	for _, c := range p.Levels {
		switch m := p.Prompts.At(c); {
		case m < c:
			capped = append(capped, c)
			highest = m
		case m < 10*c:
			few = append(few, c)
		}
	}
	var out []loadgen.Warning
	if len(capped) > 0 {
		out = append(out, loadgen.Warning{Code: loadgen.WarnPromptCapped, Spoils: []string{loadgen.All}, Message: number.Sprintf(
			"with %d %s at most %d %s are ever in flight, so %s will not be reached, and no knee or peak can be claimed; use at least 10 %s for each %s, as the corrected plan does",
			highest, p.counted("prompts"), highest, p.counted("requests"), levelList(capped), p.counted("prompts"), p.each())})
	}
	same := map[int][]int{}
	for _, c := range p.Levels {
		m := min(c, p.Prompts.At(c))
		same[m] = append(same[m], c)
	}
	for _, m := range slices.Sorted(maps.Keys(same)) {
		if levels := same[m]; len(levels) > 1 {
			out = append(out, loadgen.Warning{Code: WarnOneCondition, Message: number.Sprintf(
				"%s are %d repeats of one condition, %d in flight; they are no plateau", levelList(levels), len(levels), m)})
		}
	}
	if len(few) > 0 {
		out = append(out, loadgen.Warning{Code: WarnFewPrompts, Message: number.Sprintf(
			"%s: fewer than 10 %s for each %s; start and drain will weigh in the makespan, and the steady window may be too short", levelList(few), p.counted("prompts"), p.each())})
	}
	switch {
	case p.Runs == 1:
		out = append(out, loadgen.Warning{Code: WarnSingleRun, Message: "one run has no spread: no interval, and no knee, which needs 3 runs"})
	case !p.Restart:
		out = append(out, loadgen.Warning{Code: WarnWithinServer, Message: number.Sprintf(
			"%d runs on one server: their spread leaves out what differs between starts, so intervals will be too narrow for the next start; restart the server for each run", p.Runs)})
	}
	return out, nil
}

// levelList is "level 16" or "levels 200, 500 and 750".
func levelList(levels []int) string {
	if len(levels) == 1 {
		return "level " + number.Count(levels[0])
	}
	return "levels " + numberList(levels)
}

// counted is what the plan's prompts are: word, or "sessions".
func (p Plan) counted(word string) string {
	if p.Unit != "" {
		return "sessions"
	}
	return word
}

// each is what a concurrency counts one of.
func (p Plan) each() string {
	if p.Unit == loadgen.UnitSession {
		return "session under way"
	}
	return "request in flight"
}

// numberList is "16" or "200, 500 and 750".
func numberList(numbers []int) string {
	var names []string
	for _, n := range numbers {
		names = append(names, number.Count(n))
	}
	return listOf(names)
}

// listOf is "a, b and c".
func listOf(names []string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

func (p Plan) validate() error {
	invalid := func(field string, value any, want string) error {
		return &loadgen.InvalidError{Field: field, Value: value, Want: want}
	}
	switch {
	case p.Runs < 1 || p.Runs > 1000:
		return invalid("runs", p.Runs, "a number from 1 to 1,000")
	case p.replays() && p.Prompts.PerConcurrency != 0:
		return invalid("prompts", p.Prompts.String(), "a number of the trace's requests, or none, which is all of them")
	case p.Prompts.Count < 0 || p.Prompts.PerConcurrency < 0 ||
		!p.replays() && (p.Prompts.Count == 0) == (p.Prompts.PerConcurrency == 0):
		return invalid("prompts", number.Sprintf("%+v", p.Prompts), "either a count or a multiple of the concurrency")
	case p.Input < 1 || p.Input > 10_000_000:
		return invalid("input tokens", p.Input, "a number from 1 to 10,000,000")
	case p.Output < 1 || p.Output > 10_000_000:
		return invalid("output tokens", p.Output, "a number from 1 to 10,000,000")
	case p.Warmup < 0 || p.Warmup > loadgen.MaxRequests:
		return invalid("warmup", p.Warmup, "a number from 0 to 100,000,000")
	case p.WarmUntilSteady < 0 || p.WarmUntilSteady > 24*time.Hour:
		return invalid("warming until steady", p.WarmUntilSteady, "from 0s (none) to 24h")
	case p.Prime && !p.Restart:
		return invalid("prime", p.Prime, "restart with it: a start that is thrown away is one more start of the server")
	case p.Warmup > 0 && p.WarmUntilSteady > 0:
		return invalid("warmup", p.Warmup, "either a number of requests or until steady, not both")
	case p.Cooldown < 0 || p.Cooldown > 24*time.Hour:
		return invalid("cooldown", p.Cooldown, "from 0s to 24h")
	case p.Timeout < 0:
		return invalid("timeout", p.Timeout, "0s (none) or more")
	case p.Budget < 0:
		return invalid("budget", p.Budget, "0s (none) or more")
	case p.LevelBudget < 0:
		return invalid("level budget", p.LevelBudget, "0s (none) or more")
	case p.Budget > 0 && p.LevelBudget > p.Budget:
		return invalid("level budget", p.LevelBudget, number.Sprintf("no more than the budget for all, %v", p.Budget))
	case p.Budget > 0 && p.Budget < p.leastBudget():
		return invalid("budget", p.Budget,
			number.Sprintf("%v or more: a second for each level of each run, and the rests between runs (cooldown %v)",
				p.leastBudget(), p.Cooldown))
	case !slices.Contains(orders, p.Order):
		return invalid("order", strconv.Quote(string(p.Order)), "ascending, descending, shuffled or latin; none: as given")
	}
	return errors.Join(p.Retry.validate(), p.validateLoads())
}
