package protocol

import (
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
)

// WarnLevelBudget is the code of the warning that the time for a level did not suffice for what its figures need.
const WarnLevelBudget = "level-budget"

// levelShare is how much of a level's part of the Budget goes into the load. The rest is for what cannot be known
// beforehand: starts of the server, warmups, and the drain of what is in flight when the time is over.
const levelShare = 0.7

// levelBudget bounds one level in time; 0: it is not bounded.
func (p Plan) levelBudget() time.Duration {
	if p.LevelBudget > 0 || p.Budget == 0 {
		return p.LevelBudget
	}
	left := p.Budget - time.Duration(p.Runs-1)*p.Cooldown
	return max(time.Duration(levelShare*float64(left)/float64(p.Runs*len(p.loads()))), leastLevel)
}

// leastLevel is the least time that a level is given.
const leastLevel = time.Second

// leastBudget is the least time in which the plan could be carried out at all.
func (p Plan) leastBudget() time.Duration {
	return time.Duration(p.Runs-1)*p.Cooldown + time.Duration(p.Runs*len(p.loads()))*leastLevel
}

// warmBound bounds warming until steady; within a Budget also to a third of what levels leave of each run's part.
func (p Plan) warmBound() time.Duration {
	if p.Budget == 0 {
		return p.WarmUntilSteady
	}
	part := (p.Budget - time.Duration(p.Runs-1)*p.Cooldown) / time.Duration(p.Runs)
	return min(p.WarmUntilSteady, max(time.Duration((1-levelShare)/3*float64(part)), time.Second))
}

// spent is how long measurements have taken, and the longest of the runs.
func spent(done []Measurement) (all, longest time.Duration) {
	runs := map[int]time.Duration{}
	for _, m := range done {
		all += m.Took
		runs[m.Step.Run] += m.Took
		if m.Step.Run > 0 { // the start that primes is none
			longest = max(longest, runs[m.Step.Run])
		}
	}
	return all, longest
}

// overBudget reports whether another run would go beyond the Budget, if it takes as long as the longest so far.
func (p Plan) overBudget(done []Measurement) bool {
	all, longest := spent(done)
	return p.Budget > 0 && len(done) > 0 && all+longest > p.Budget
}

// Shortened says what the plan, finished, left out of itself; "" where that is nothing.
func (p Plan) Shortened(done []Measurement) string {
	runs := 0
	for _, m := range done {
		runs = max(runs, m.Step.Run)
	}
	if runs >= p.Runs || !p.overBudget(done) {
		return ""
	}
	all, longest := spent(done)
	return number.Sprintf("%d of %d runs were measured, in %v: another one, of up to %v, would have gone beyond the budget of %v",
		runs, p.Runs, all.Round(time.Second), longest.Round(time.Second), p.Budget)
}

// budgetWarning says where the time for a level ended it before its figures had what they need: three completions for
// each request in flight, and a steady window.
func (m *Measurement) budgetWarning() (loadgen.Warning, bool) {
	l, r := m.Step.Level, &m.Result
	wanted, had, of := l.Requests, r.Accounting, "requests"
	if r.Sessions != nil {
		wanted, had, of = l.Sessions, r.Sessions.Accounting, "sessions"
	}
	if l.Duration == 0 || wanted == 0 || l.Arrivals.Process != "" || had.Issued >= wanted || r.CutShort {
		return loadgen.Warning{}, false
	}
	if r.Steady != nil && had.Completed >= 3*l.Concurrency {
		return loadgen.Warning{}, false
	}
	return loadgen.Warning{Code: WarnLevelBudget, Spoils: []string{loadgen.All}, Message: number.Sprintf(
		"the level's %v ended it after %d of %d %s, of which %d completed: that is less than three for each of the %d in flight and a steady window; give it more time",
		l.Duration, had.Issued, wanted, of, had.Completed, l.Concurrency)}, true
}

// Remaining estimates how long the rest of the plan will take: each step as long as it took in the runs before, or,
// in the first run, as long as its tokens take at the throughput of the steps before it. false: nothing is known yet.
func (p Plan) Remaining(done []Measurement) (time.Duration, bool) {
	took := map[int][]time.Duration{} // by the step's position in its run
	tokens, busy := 0.0, 0.0
	for _, m := range settled(done) {
		took[m.Step.Seq] = append(took[m.Step.Seq], m.Took)
		tokens += float64(m.Result.Tokens.Input + m.Result.Tokens.Output)
		busy += m.Result.Makespan.Seconds()
	}
	if len(done) == 0 {
		return 0, false
	}
	var left time.Duration
	sofar := settled(done)
	for {
		s, err := p.at(len(sofar))
		if err != nil {
			return left, true
		}
		sofar = append(sofar, Measurement{Step: s})
		left += s.Cooldown
		if known := took[s.Seq]; len(known) > 0 {
			sum := time.Duration(0)
			for _, d := range known {
				sum += d
			}
			left += sum / time.Duration(len(known))
			continue
		}
		if tokens == 0 || busy == 0 || s.Level.Unit != "" {
			return 0, false
		}
		left += s.takes(s.expected(), tokens/busy)
	}
}

// warmExpected is how many windows warming until steady takes, about.
const warmExpected = 30

// expected is how many requests a step will measure. Of how many turns sessions are is not known here: they count as
// one each.
func (s Step) expected() int {
	if s.UntilSteady {
		return warmExpected * max(s.Level.Concurrency, 1)
	}
	return max(s.Level.Requests, s.Level.Sessions)
}

// takes is how long so many requests take, about: as their tokens do, or, in an open loop, as they arrive.
func (s Step) takes(requests int, tokensPerSecond float64) time.Duration {
	seconds := float64(requests*(s.Input+s.Output)) / tokensPerSecond
	if rate := s.Level.Arrivals.Rate; rate > 0 {
		seconds = float64(requests) / rate
	}
	if trace := s.Level.Arrivals.Trace; len(trace) > 0 {
		seconds = trace[min(max(requests, 1), len(trace))-1].Seconds()
	}
	each := time.Duration(seconds * float64(time.Second))
	if s.Level.Duration > 0 {
		each = min(each, s.Level.Duration)
	}
	return each
}

// Estimate is how long the plan takes on a server of so many input and output tokens/s, without the starts of the
// server, of which nothing is known beforehand.
func (p Plan) Estimate(tokensPerSecond float64) time.Duration {
	var all time.Duration
	for n := 0; ; n++ {
		s, err := p.at(n)
		if err != nil {
			return all
		}
		all += s.Cooldown + s.takes(s.expected()+s.Level.Warmup, tokensPerSecond)
	}
}
