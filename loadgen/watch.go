package loadgen

import (
	"math"
	"math/rand/v2"
	"runtime"
	"runtime/metrics"
	"time"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen/internal/procstat"
)

// A ClientWatch is what the client saw of itself while a level lasted. It is of the whole process, and so of whatever
// else that does: a server in the same process is in it too. What could not be known is nil.
type ClientWatch struct {
	// Elapsed is how long was watched: from before the first issue until the last request was over.
	Elapsed time.Duration `json:"elapsed_ns"`

	// CPUTime is what the process used in that time, user and system, and CPUsAllowed how many CPUs it may use at once.
	CPUTime     *time.Duration `json:"cpu_time_ns,omitempty"`
	CPUsAllowed float64        `json:"cpus_allowed"`

	// Throttled is for how long the cgroup held the process back because its quota was used up, over its CPUs
	// together; nil where it has no quota.
	Throttled *time.Duration `json:"throttled_ns,omitempty"`

	// SchedulingLag is how late a goroutine ran that had asked to be woken every 50 to 150 ms; nil where the level
	// was over before that. An idle machine's is up to a millisecond or so, for timers are no finer.
	SchedulingLag *SchedulingLag `json:"scheduling_lag,omitempty"`

	// ClockStep is the largest step of the system's clock against the monotonic one, forwards or, below 0, backwards;
	// 0: none of more than 1 ms. See [WarnClockStep].
	ClockStep time.Duration `json:"clock_step_ns,omitempty"`

	GC          GC           `json:"gc"`
	Descriptors *Descriptors `json:"descriptors,omitempty"`

	// Reconnects is how many measured requests had a connection made for them ([Record.NewConn]) although they were not
	// their slot's first: connections that were dropped, or not given back in time. nil: no request told of
	// connections.
	Reconnects *int `json:"reconnects,omitempty"`

	// Verdict says whether the client itself was the limit.
	Verdict ClientVerdict `json:"verdict"`
}

// CPUs is how many CPUs the process used on average, and false where that is not known.
func (w *ClientWatch) CPUs() (float64, bool) {
	if w == nil || w.CPUTime == nil || w.Elapsed <= 0 {
		return 0, false
	}
	return float64(*w.CPUTime) / float64(w.Elapsed), true
}

// SchedulingLag is how late wakes were, in ms.
type SchedulingLag struct {
	Mean float64 `json:"mean_ms"`
	P99  float64 `json:"p99_ms"`
	Max  float64 `json:"max_ms"`
	N    int     `json:"n"` // wakes
}

// GC is what the garbage collector did in a level.
type GC struct {
	Cycles uint64 `json:"cycles"`

	// Pauses are the times in which the whole process stood still for it. The runtime counts them in buckets, whose
	// upper bounds are taken: neither number is too small.
	Pauses       time.Duration `json:"pauses_ns"`
	LongestPause time.Duration `json:"longest_pause_ns"`

	// HeapPeak is the most bytes that objects on the heap took, looked at once a second, those not yet swept included.
	HeapPeak uint64 `json:"heap_peak_bytes"`
}

// Descriptors are the process's file descriptors.
type Descriptors struct {
	Open   int `json:"open"`   // before the level opened any
	Needed int `json:"needed"` // by a level whose requests have a connection each; 0: an open loop without a bound
	Limit  int `json:"limit"`  // the soft limit, which Go raises to the hard one as a program starts
}

func (d *Descriptors) few() bool { return d != nil && d.Open+d.Needed > d.Limit }

func (d *Descriptors) String() string {
	return number.Sprintf("%d requests at once need as many connections, %d file descriptors are open beside them, and "+
		"%d are allowed; raise the limit (ulimit -n) or use more generators",
		d.Needed, d.Open, d.Limit)
}

// lookAtDescriptors counts them for a level, before its target opens any. A level that does not fit is warned of and
// not refused: whether a Target needs a connection for each request only the Target knows.
func lookAtDescriptors(l Level) *Descriptors {
	open, limit, ok := procstat.Descriptors()
	if !ok {
		return nil
	}
	return &Descriptors{Open: open, Needed: l.workers(), Limit: limit}
}

const (
	// wakeEvery is how often the watch asks to be woken, on average. Waking a process that sleeps was seen to cost 90
	// µs in a virtual machine, so that ten times a second is a thousandth of a core; a hundred times was nearly a
	// hundredth.
	//
	// It is from a half to one and a half of that, by chance: 100 ms is also the period of CFS quotas, and a watch
	// that was always woken in the same part of it saw each of its stalls or none.
	wakeEvery = 100 * time.Millisecond

	stepFrom = time.Millisecond // of the clock; below it there is slewing, and a delay between two readings

	heapEvery = time.Second // between looks at the heap
)

// A watch looks at the process while a level lasts, on a goroutine of its own.
type watch struct {
	begun time.Time
	wait  *rand.Rand
	ahead func() time.Duration // of the monotonic clock, the system's, since the watch began
	quota procstat.Quota
	has   bool // a quota
	usage usage

	stop, done chan struct{}

	// Of the goroutine until done is closed.
	lag      Distribution // ms
	longest  float64      // ms
	heapPeak uint64
	off      time.Duration // of the system's clock, when it was looked at last
	step     time.Duration // the largest
}

// usage is what the process had used at a moment.
type usage struct {
	cpu, throttled     time.Duration
	hasCPU, hasThrottl bool
	cycles             uint64
	pauses             *metrics.Float64Histogram
	heap               uint64
}

// newWatch makes a watch that has yet to begin. Finding out the quota takes some 40 µs.
func newWatch(seed uint64) *watch {
	w := &watch{stop: make(chan struct{}), done: make(chan struct{})}
	w.wait = rand.New(rand.NewPCG(seed, 0x5e7b_e9a6_e000_0002))
	w.quota, w.has = procstat.CPUQuota(procstat.Root())
	return w
}

// ready looks at what the process has used so far. It is apart from begin, so that generators which begin together have
// it behind them when their clocks start: what the process uses while it waits for that counts as the level's.
func (w *watch) ready() *watch {
	w.usage = w.look()
	w.heapPeak = w.usage.heap
	return w
}

// begin begins to watch.
func (w *watch) begin() *watch {
	w.begun = time.Now()
	w.ahead = func() time.Duration {
		now := time.Now()
		return now.Round(0).Sub(w.begun.Round(0)) - now.Sub(w.begun) // Round strips the reading of the monotonic clock
	}
	go w.watch()
	return w
}

// watch wakes until it is stopped. Each wake is asked for when the one before has come, so that one delay is counted
// once, and not again in wakes that were due meanwhile.
func (w *watch) watch() {
	defer close(w.done)
	asked := time.Now()
	looked, wait := asked, w.pause()
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-w.stop:
			return
		case <-timer.C:
		}
		now := time.Now()
		w.woke(now.Sub(asked) - wait)
		w.lookAtClock()
		if now.Sub(looked) >= heapEvery {
			looked = now
			w.heapPeak = max(w.heapPeak, heap())
		}
		asked, wait = time.Now(), w.pause()
		timer.Reset(wait)
	}
}

// pause is how long to sleep until the next wake.
func (w *watch) pause() time.Duration {
	return wakeEvery/2 + time.Duration(w.wait.Int64N(int64(wakeEvery)))
}

// lookAtClock notes a step of the system's clock since the last look. What the two clocks' readings are apart for
// want of a CPU in between passes with the next one; the step stays.
func (w *watch) lookAtClock() {
	off := w.ahead()
	for range 3 {
		if (off - w.off).Abs() <= stepFrom {
			break
		}
		if again := w.ahead(); (again - w.off).Abs() < (off - w.off).Abs() {
			off = again
		}
	}
	if step := off - w.off; step.Abs() > max(stepFrom, w.step.Abs()) {
		w.step = step
	}
	w.off = off
}

// woke notes a wake that was late by d.
func (w *watch) woke(d time.Duration) {
	ms := float64(max(d, 0)) / millisecond
	w.lag.Add(ms)
	w.longest = max(w.longest, ms)
}

// end stops the watch and says what it saw.
func (w *watch) end() *ClientWatch {
	close(w.stop)
	<-w.done
	w.lookAtClock()
	elapsed := time.Since(w.begun)
	return w.saw(elapsed, w.look())
}

// saw is what was seen from the watch's beginning to now.
func (w *watch) saw(elapsed time.Duration, now usage) *ClientWatch {
	before := w.usage
	c := &ClientWatch{Elapsed: elapsed, CPUsAllowed: w.allowed(), ClockStep: w.step}
	if before.hasCPU && now.hasCPU {
		used := now.cpu - before.cpu
		c.CPUTime = &used
	}
	if before.hasThrottl && now.hasThrottl && now.throttled >= before.throttled {
		held := now.throttled - before.throttled
		c.Throttled = &held
	}
	if n := w.lag.Len(); n > 0 {
		c.SchedulingLag = &SchedulingLag{Max: w.longest, N: n}
		c.SchedulingLag.Mean, _ = w.lag.Mean()
		c.SchedulingLag.P99, _ = w.lag.Quantile(99)
	}
	c.GC = GC{Cycles: now.cycles - before.cycles, HeapPeak: max(w.heapPeak, now.heap)}
	c.GC.Pauses, c.GC.LongestPause = pauses(before.pauses, now.pauses)
	return c
}

// allowed is how many CPUs the process may use at once: the least of GOMAXPROCS, of the CPUs that its affinity leaves
// it (runtime.NumCPU) and of its cgroup's quota. The runtime does take the quota into GOMAXPROCS, but rounded up and
// not below 2, only once in a while, and not where somebody has set it.
func (w *watch) allowed() float64 {
	cpus := float64(min(runtime.GOMAXPROCS(0), runtime.NumCPU()))
	if w.has {
		cpus = min(cpus, w.quota.CPUs)
	}
	return cpus
}

// look reads what the process has used. It stops nothing: runtime.ReadMemStats would stop the world.
func (w *watch) look() usage {
	var u usage
	u.cpu, u.hasCPU = procstat.CPUTime()
	if w.has {
		u.throttled, u.hasThrottl = w.quota.Throttled()
	}
	samples := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/sched/pauses/total/gc:seconds"},
		{Name: heapObjects}}
	metrics.Read(samples)
	u.cycles, u.pauses, u.heap = count(samples[0]), nil, count(samples[2])
	if samples[1].Value.Kind() == metrics.KindFloat64Histogram {
		u.pauses = samples[1].Value.Float64Histogram()
	}
	return u
}

const heapObjects = "/memory/classes/heap/objects:bytes"

func heap() uint64 {
	samples := []metrics.Sample{{Name: heapObjects}}
	metrics.Read(samples)
	return count(samples[0])
}

// count is a metric that the runtime has, or 0 once it has it no more.
func count(s metrics.Sample) uint64 {
	if s.Value.Kind() != metrics.KindUint64 {
		return 0
	}
	return s.Value.Uint64()
}

// pauses are the sum and the longest of the pauses that are in the second histogram and not yet in the first, each as
// the upper bound of its bucket.
func pauses(before, after *metrics.Float64Histogram) (total, longest time.Duration) {
	if before == nil || after == nil || len(before.Counts) != len(after.Counts) {
		return 0, 0
	}
	sum, most := 0.0, 0.0
	for i, n := range after.Counts {
		if n -= before.Counts[i]; n == 0 {
			continue
		}
		bound := after.Buckets[i+1]
		if math.IsInf(bound, 1) {
			bound = after.Buckets[i]
		}
		sum += float64(n) * bound
		most = max(most, bound)
	}
	return seconds(sum), seconds(most)
}
