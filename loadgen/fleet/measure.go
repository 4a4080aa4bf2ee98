package fleet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nuid"

	"github.com/servegauge/servegauge/loadgen"
)

// A level is one that has been begun, as it is kept for a coordinator that starts again.
type level struct {
	Session string                         `json:"session"`
	Job     Job                            `json:"job"`
	Members []member                       `json:"members"`
	At      int64                          `json:"at_ns"`
	Clocks  map[string]loadgen.ClockOffset `json:"clocks"`

	takenUp bool
	lost    map[string]string // why, by instance
	after   map[string]loadgen.ClockOffset
}

const (
	starts    = 3                // attempts to begin a level, whose workers may go before anything was measured
	stopLimit = 20 * time.Second // for a level that is stopped: what is in flight is cancelled, and given 5 s
	hearLimit = 2 * time.Second  // for what observers have yet to be told, once the level is over
)

// Measure has the fleet measure a job's level, as [loadgen.Generator.Measure] does: with the result and an error
// where it was cut short by ctx. Of g count the observers, who are told of each request a fifth of a second later and
// are in the coordinator's process, and Stop. g.Target is never loaded; where there is one that tells what it sends,
// the workers must send the same. Where workers went while the level lasted the result is spoiled ([WarnWorkerLost]),
// which is no error.
//
// Errors are a *[loadgen.InvalidError], *[MissingError], *[DisagreementError], *[WorkerError] or *[BusyError],
// [ErrStopped], or NATS's own; then nothing was measured.
func (c *Coordinator) Measure(ctx context.Context, j Job, g *loadgen.Generator) (*loadgen.Result, error) {
	if g == nil {
		g = &loadgen.Generator{}
	}
	if err := c.validate(&j, g); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	waiting, release := unlessStopped(ctx, g.Stop)
	defer release()
	l, err := c.leads(waiting)
	if err != nil {
		return nil, err
	}
	m := &measuring{lead: l, g: g, job: j}
	defer m.end()
	if m.takeUp(waiting) {
		c.tell("taking up a level that was begun before")
	} else if err := m.begin(waiting); err != nil {
		return nil, err
	}
	cut := m.watch(ctx)
	result, err := m.result(context.WithoutCancel(ctx))
	if err != nil {
		return nil, errors.Join(err, cut)
	}
	for _, o := range g.Observers {
		if o.Done != nil && !guarded(func() { o.Done(result) }) {
			result.Warnings = append(result.Warnings, observerWarning("Done"))
		}
	}
	return result, cut
}

// ErrStopped is the cause of a level that was not measured because Stop was closed while its workers were waited for.
var ErrStopped = errors.New("stopped before the level began")

// unlessStopped is ctx until stop is closed; nil: never.
func unlessStopped(ctx context.Context, stop <-chan struct{}) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if stop != nil {
		go func() {
			select {
			case <-stop:
				cancel(ErrStopped)
			case <-ctx.Done():
			}
		}()
	}
	return ctx, func() { cancel(nil) }
}

// measuring is one call of Measure.
type measuring struct {
	*lead
	g     *loadgen.Generator
	job   Job
	level level

	hears   *hearer
	records *nats.Subscription
}

// shards are how many the level is split into: one for each worker, or as many as have something to do in it. At a
// concurrency of 1 that is one.
func (m *measuring) shards() int { return m.job.shards(m.Workers) }

// end lets the workers go.
func (m *measuring) end() {
	m.letGo()
	if m.records != nil {
		_ = m.records.Unsubscribe()
		m.hears.close()
	}
}

// begin begins a level: everybody there, alike, prepared, connected, and with a known clock.
func (m *measuring) begin(ctx context.Context) error {
	var gone []string
	for range starts {
		members, err := m.gather(ctx, m.shards(), gone)
		if err != nil {
			return err
		}
		m.level = level{Session: nuid.Next(), Job: m.job, Members: members, Clocks: map[string]loadgen.ClockOffset{}}
		if _, err := m.store.make(ctx, m.InMemory); err != nil { // the server may have lost it since the level before
			return fmt.Errorf("the fleet's stream: %w", err)
		}
		if err := m.store.forget(ctx); err != nil {
			return fmt.Errorf("the fleet's stream: %w", err)
		}
		if err := m.store.put(ctx, m.names.job(m.level.Session), m.job); err != nil {
			return fmt.Errorf("the job: %w", err)
		}
		m.level.lost = map[string]string{}
		err = m.together(ctx)
		if err == nil {
			return m.listenAndGo(ctx)
		}
		if !errors.Is(err, errLost) {
			return err
		}
		for _, w := range members {
			if why := m.level.lost[w.Instance]; why != "" {
				gone = append(gone, w.Name)
			}
		}
		m.tell("lost before the level began: %v", gone)
		m.letGo()
	}
	return &MissingError{Want: m.Workers, Gone: gone, In: cmp.Or(m.Gather, defaultGather)}
}

// errLost says that a worker went before the level began.
var errLost = errors.New("a worker went")

// together has all members prepared and armed, and compares what they would send.
func (m *measuring) together(ctx context.Context) error {
	shards := map[string]int{}
	for _, w := range m.level.Members {
		shards[w.Instance] = w.Shard
	}
	m.want(func(o *order) {
		o.Session, o.Phase, o.Shards, o.Told = m.level.Session, prepare, shards, m.hasRecords()
		o.At, o.Clocks, o.Hold = 0, nil, false
	})
	if err := m.reached(ctx, cmp.Or(m.Prepare, defaultPrepare), prepared, "make its target"); err != nil {
		return err
	}
	if err := m.sameWorkload(); err != nil {
		return err
	}
	if m.hasRecords() { // before any request can be over
		if err := m.listen(); err != nil {
			return err
		}
	}
	m.want(func(o *order) { o.Phase = arm })
	if err := m.reached(ctx, armLimit, armed, "open its connections"); err != nil {
		return err
	}
	if lost := m.compareClocks(ctx, m.level.Clocks); len(lost) > 0 {
		m.level.lost = lost
		return errLost
	}
	return nil
}

// reached waits until all members have come to a phase.
func (m *measuring) reached(ctx context.Context, limit time.Duration, p phase, what string) error {
	late := ""
	err := m.wait(ctx, limit, func() (bool, error) {
		late = ""
		for _, w := range m.level.Members {
			s := m.workers[w.Instance]
			switch {
			case !s.alive():
				m.level.lost[w.Instance] = "it was not heard of"
				return false, errLost
			case s.Session != m.level.Session:
				late = w.Name
			case s.Phase == failed:
				return false, &WorkerError{Name: w.Name, Why: s.Why}
			case s.Phase != p:
				late = w.Name
			}
		}
		return late == "", nil
	})
	if errors.Is(err, errLate) {
		return &WorkerError{Name: late, Why: fmt.Sprintf("it took more than %v to %s", limit, what)}
	}
	return err
}

// sameWorkload returns a *DisagreementError unless all members would send the same, and the coordinator's own target.
func (m *measuring) sameWorkload() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	says := func(w member) string { return m.workers[w.Instance].Workload }
	if err := alike("workload", m.level.Members, says); err != nil {
		return err
	}
	if m.g.Target == nil {
		return nil
	}
	own, theirs := workloadOf(m.g.Target), says(m.level.Members[0])
	if own != "" && theirs != "" && own != theirs {
		return &DisagreementError{What: "workload", Odd: []string{fmt.Sprintf("this coordinator has %q", own)},
			Most: strconv.Quote(theirs)}
	}
	return nil
}

const (
	pings      = 30
	pingsLeast = 5           // however long they take
	pingFor    = time.Second // for more than these
	pingLimit  = time.Second
	pingAtOne  = 8 // workers: more at once would wait for each other, and be less sure
)

// compareClocks asks each member for its clock, and says of whom it was not had, and why.
func (m *measuring) compareClocks(ctx context.Context, into map[string]loadgen.ClockOffset) map[string]string {
	var mu sync.Mutex
	lost := map[string]string{}
	var asking sync.WaitGroup
	free := make(chan struct{}, pingAtOne)
	for _, w := range m.level.Members {
		if m.level.lost[w.Instance] != "" {
			continue
		}
		asking.Go(func() {
			free <- struct{}{}
			defer func() { <-free }()
			offset, err := m.ping(ctx, w.Instance)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				lost[w.Instance] = fmt.Sprintf("its clock: %v", err)
				return
			}
			into[w.Instance] = offset
		})
	}
	asking.Wait()
	return lost
}

func (m *measuring) ping(ctx context.Context, instance string) (loadgen.ClockOffset, error) {
	var answers []pinging
	var failure error
	began := time.Now()
	for n := range pings {
		if n >= pingsLeast && time.Since(began) > pingFor {
			break
		}
		attempt, cancel := context.WithTimeout(ctx, pingLimit)
		p := pinging{asked: m.clock()}
		answer, err := m.Conn.RequestWithContext(attempt, m.names.clock(instance), nil)
		p.answered = m.clock()
		cancel()
		if err != nil {
			if failure = err; len(answers) == 0 {
				break
			}
			continue
		}
		ns, err := strconv.ParseInt(string(answer.Data), 10, 64)
		if err != nil {
			failure = errMessage
			continue
		}
		p.said = time.Unix(0, ns)
		answers = append(answers, p)
	}
	if offset, ok := offsetOf(answers); ok {
		return offset, nil
	}
	return loadgen.ClockOffset{}, failure
}

// clock is the common one: this process's.
func (l *lead) clock() time.Time { return l.time.now() }

// listenAndGo keeps the level, where it may be taken up, and starts it.
func (m *measuring) listenAndGo(ctx context.Context) error {
	for _, o := range m.g.Observers {
		if o.Start != nil {
			guarded(func() { o.Start(m.job.Level) })
		}
	}
	// Time for the order to be everywhere, and for whoever has a busy machine.
	ahead := 250*time.Millisecond + time.Duration(len(m.level.Members))*2*time.Millisecond
	for _, c := range m.level.Clocks {
		ahead = max(ahead, 250*time.Millisecond+8*c.Error)
	}
	m.level.At = m.clock().Add(ahead).UnixNano()
	if m.job.ID != "" {
		if err := m.store.put(ctx, m.names.level(m.job.ID), m.level); err != nil {
			return fmt.Errorf("the level: %w", err)
		}
		m.level.At = m.clock().Add(ahead).UnixNano()
	}
	m.want(func(o *order) { o.Phase, o.At, o.Clocks = run, m.level.At, m.level.Clocks })
	if n := len(m.level.Members); n < m.Workers {
		m.tell("%s on %d of %d workers, as many as have something to do in it", m.job.Level.Load(), n, m.Workers)
	} else {
		m.tell("%s on %d workers", m.job.Level.Load(), n)
	}
	return nil
}

// takeUp takes up the level of the job's ID, if it was begun, and all of it is there or still to come.
func (m *measuring) takeUp(ctx context.Context) bool {
	if m.job.ID == "" || m.store.get(ctx, m.names.level(m.job.ID), &m.level) != nil {
		return false
	}
	then, _ := json.Marshal(m.level.Job)
	now, _ := json.Marshal(m.job)
	if !bytes.Equal(then, now) || len(m.level.Members) != m.shards() {
		return false
	}
	kept := map[string]bool{}
	for _, w := range m.level.Members {
		var r json.RawMessage
		kept[w.Instance] = m.store.get(ctx, m.names.result(m.level.Session, w.Shard), &r) == nil
	}
	shards := map[string]int{}
	for _, w := range m.level.Members {
		shards[w.Instance] = w.Shard
	}
	m.level.lost, m.level.takenUp = map[string]string{}, true
	if m.hasRecords() && m.listen() != nil {
		return false
	}
	m.want(func(o *order) {
		o.Session, o.Phase, o.Shards, o.At, o.Clocks = m.level.Session, run, shards, m.level.At, m.level.Clocks
		o.Hold = false
	})
	// Those whose result is not kept must be at it.
	err := m.wait(ctx, Lost+every, func() (bool, error) {
		for _, w := range m.level.Members {
			s := m.workers[w.Instance]
			if !kept[w.Instance] && !(s.alive() && s.Session == m.level.Session &&
				(s.Phase == running || s.Phase == stored)) {
				return false, nil
			}
		}
		return true, nil
	})
	for _, w := range m.level.Members {
		if kept[w.Instance] && err == nil {
			m.mu.Lock() // whatever has become of it since
			m.workers[w.Instance] = &seen{beat{Instance: w.Instance, Name: w.Name, Session: m.level.Session,
				Phase:   stored,
				Version: protocolVersion, Seq: math.MaxUint64}, time.Now().Add(time.Hour)}
			m.mu.Unlock()
		}
	}
	return err == nil
}

func (m *measuring) hasRecords() bool {
	return slices.ContainsFunc(m.g.Observers, func(o loadgen.Observer) bool { return o.Record != nil })
}

// listen has the observers told of what the workers tell.
func (m *measuring) listen() (err error) {
	m.hears = &hearer{members: map[string]bool{}, seen: map[string]map[int]bool{}}
	for _, w := range m.level.Members {
		m.hears.members[w.Instance] = true
	}
	for _, o := range m.g.Observers {
		m.hears.record = append(m.hears.record, o.Record)
	}
	if m.records != nil {
		_ = m.records.Unsubscribe()
	}
	if m.records, err = m.Conn.Subscribe(m.names.records(m.level.Session), m.hears.hear); err != nil {
		return err
	}
	return m.records.SetPendingLimits(-1, mostPending)
}

const mostPending = 256 << 20 // bytes that observers may be behind by
