package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/servegauge/servegauge/loadgen"
)

// A lead is a coordinator's hold on a fleet: it says what is wanted, twice a second, renews the lease, and knows of
// each worker what it said last.
type lead struct {
	*Coordinator
	names names
	store *store
	beats *nats.Subscription
	stop  context.CancelFunc
	ended chan struct{}
	time  clock // the common one

	mu      sync.Mutex
	lease   *lease
	order   order
	workers map[string]*seen // by instance
	woken   chan struct{}    // closed, and another, with each change
	err     error            // somebody else has the fleet
}

// seen is a worker, as it was when it was heard of last.
type seen struct {
	beat
	at time.Time
}

// member is a worker that takes part in a session.
type member struct {
	Instance string `json:"instance"`
	Name     string `json:"name"`
	Shard    int    `json:"shard"`

	Identity loadgen.GeneratorIdentity `json:"identity"`
}

const mostWorkers = 20_000 // that are known at once: what is said in one's name costs memory

func takeLead(ctx context.Context, c *Coordinator, n names, holder string) (*lead, error) {
	s, err := openStore(ctx, c.Conn, n, true, c.InMemory)
	if err != nil {
		return nil, err
	}
	lease, err := takeLease(ctx, func(ctx context.Context) (jetstream.KeyValue, error) {
		if _, err := s.make(ctx, c.InMemory); err != nil { // a server that has lost the one has lost the other
			return nil, err
		}
		return openLeases(ctx, s.js, n, true, c.InMemory)
	}, n, holder)
	if err != nil {
		return nil, err
	}
	l := &lead{Coordinator: c, names: n, store: s, lease: lease, workers: map[string]*seen{},
		woken: make(chan struct{}),
		ended: make(chan struct{}), time: newClock()}
	l.order = order{Version: protocolVersion, Term: lease.value.Term, Holder: holder, Hold: true}
	if l.beats, err = c.Conn.Subscribe(n.beat("*"), l.hear); err != nil {
		_ = lease.release(ctx)
		return nil, err
	}
	pumping, cancel := context.WithCancel(context.Background())
	l.stop = cancel
	go l.pump(pumping)
	l.want(func(*order) {}) // so that whoever is there says so
	return l, nil
}

func (l *lead) close() error {
	l.letGo()
	l.stop()
	<-l.ended
	_ = l.beats.Unsubscribe()
	ctx, cancel := context.WithTimeout(context.Background(), ackLimit)
	defer cancel()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return nil
	}
	_ = l.Conn.FlushWithContext(ctx)
	return l.lease.release(ctx)
}

// hear takes a beat. What is none of ours changes nothing.
func (l *lead) hear(m *nats.Msg) {
	var b beat
	if decode(m.Data, &b) != nil || !b.valid(m.Subject, l.names) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.workers[b.Instance]
	if was != nil && b.Seq <= was.Seq {
		return
	}
	switch {
	case b.Left && l.done(was): // what it had to do is done
		was.Left, was.Seq = true, b.Seq
	case b.Left:
		delete(l.workers, b.Instance)
	case was != nil || len(l.workers) < mostWorkers:
		l.workers[b.Instance] = &seen{b, time.Now()}
	}
	if was == nil || was.Phase != b.Phase || was.Session != b.Session || b.Left {
		l.wake()
	}
}

// done reports whether a worker has kept its result of the present session, so that nothing of it is missed any more.
// l.mu is held.
func (l *lead) done(w *seen) bool {
	return w != nil && w.Phase == stored && w.Session != "" && w.Session == l.order.Session
}

// wake has those look again who wait for something. l.mu is held.
func (l *lead) wake() {
	close(l.woken)
	l.woken = make(chan struct{})
}

// starting reports whether a level is about to begin, when workers have something else to do than to read again what they
// know: of a hundred of them each takes 0.1 ms for it. l.mu is held.
func (l *lead) starting() bool {
	left := time.Unix(0, l.order.At).Sub(l.clock())
	return l.order.Phase == run && left < 200*time.Millisecond && left > -100*time.Millisecond
}

// want changes what is wanted, and says it at once.
func (l *lead) want(change func(*order)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.order)
	l.publish()
}

// letGo wants nothing any more.
func (l *lead) letGo() {
	l.want(func(o *order) { o.Session, o.Phase, o.Shards, o.Clocks, o.Hold = "", "", nil, nil, false })
}

func (l *lead) publish() {
	l.order.Seq++
	if data, err := json.Marshal(l.order); err == nil {
		_ = l.Conn.Publish(l.names.order(), data) // it is said again
	}
}

// pump says what is wanted, and renews the lease, until it is stopped.
func (l *lead) pump(ctx context.Context) {
	defer close(l.ended)
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	last, renewed := time.Now(), time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		l.mu.Lock()
		// this process stood still: what was said meanwhile is still on its way
		if late := now.Sub(last) - every; late > every {
			for _, w := range l.workers {
				w.at = w.at.Add(late)
			}
		}
		for instance, w := range l.workers {
			if now.Sub(w.at) > 10*Lost && !l.done(w) {
				delete(l.workers, instance)
			}
		}
		last = now
		if !l.starting() {
			l.publish()
		}
		l.wake()
		l.mu.Unlock()
		if now.Sub(renewed) >= renewEvery {
			renewed = now
			l.renew(ctx)
		}
		last = time.Now() // a store that takes its time is no standstill
	}
}

func (l *lead) renew(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, renewEvery)
	defer cancel()
	err := l.lease.renew(ctx, l.names)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order.Term = l.lease.value.Term
	if _, lost := errors.AsType[*BusyError](err); lost && l.err == nil {
		l.err = fmt.Errorf("this coordinator was not heard of for long, and has been replaced: %w", err)
		l.wake()
	}
}

func (l *lead) deposed() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

// errLate is the end of a wait.
var errLate = errors.New("in time")

// wait waits until a condition holds, which is looked at with l.mu held, whenever something changes. The error is the
// condition's, the context's cause, errLate, or that of a coordinator that was replaced.
func (l *lead) wait(ctx context.Context, limit time.Duration, until func() (bool, error)) error {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	for {
		l.mu.Lock()
		err := l.err
		done := false
		if err == nil {
			done, err = until()
		}
		woken := l.woken
		l.mu.Unlock()
		if done || err != nil {
			return err
		}
		select {
		case <-woken:
		case <-timer.C:
			return errLate
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// alive reports whether a worker has been heard of lately. l.mu is held.
func (w *seen) alive() bool { return w != nil && time.Since(w.at) <= Lost }

const gatherQuietly = 2 * time.Second

// gather waits until there are as many workers as there should be, and gives shards to the first of them.
func (l *lead) gather(ctx context.Context, shards int, gone []string) ([]member, error) {
	limit := cmp.Or(l.Gather, defaultGather)
	var members []member
	var have, deaf []string
	twice := ""
	complete := func() (bool, error) {
		var there []*seen
		deaf = deaf[:0]
		for _, w := range l.workers {
			switch {
			case !w.alive() || w.Left:
			case w.Term == l.order.Term || w.Version != protocolVersion:
				there = append(there, w)
			default:
				deaf = append(deaf, w.Name)
			}
		}
		slices.Sort(deaf)
		slices.SortFunc(there, func(a, b *seen) int {
			return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
		})
		have = have[:0]
		for _, w := range there {
			have = append(have, w.Name)
		}
		if len(there) < l.Workers {
			return false, nil
		}
		members, twice = members[:0], ""
		for i, w := range there[:l.Workers] {
			if i > 0 && there[i-1].Name == w.Name {
				twice = w.Name // one of them may have gone, and not been missed yet
				return false, nil
			}
			members = append(members, member{Instance: w.Instance, Name: w.Name, Shard: i,
				Identity: loadgen.GeneratorIdentity{Name: w.Name, Version: w.Program, Build: w.Build, CPUs: w.CPUs,
					Sustained: w.Sustains, SustainedChunks: w.SustainsChunks}})
		}
		return true, l.agree(members)
	}
	soon := min(limit, gatherQuietly)
	err := l.wait(ctx, soon, complete)
	if errors.Is(err, errLate) && soon < limit {
		l.tell("waiting for workers, of which %d of %d are there", len(have), l.Workers)
		err = l.wait(ctx, limit-soon, complete)
	}
	if err == nil {
		members = members[:shards]
	}
	switch {
	case errors.Is(err, errLate) && twice != "":
		return nil, &DisagreementError{What: "name each", Odd: []string{fmt.Sprintf("two are called %.128q", twice)},
			Most: "names of their own"}
	case errors.Is(err, errLate):
		return nil, &MissingError{Have: slices.Clone(have), Want: l.Workers, Gone: gone, Deaf: slices.Clone(deaf),
			In: limit}
	}
	return members, err
}

// agree returns a *DisagreementError unless all members are of one protocol, one version and one build. l.mu is held.
func (l *lead) agree(members []member) error {
	for _, what := range []struct {
		name string
		of   func(*seen) string
	}{
		{"protocol", func(w *seen) string { return fmt.Sprint(w.Version) }},
		{"version", func(w *seen) string { return w.Program }},
		{"build", func(w *seen) string { return w.Build }},
	} {
		if err := alike(what.name, members,
			func(m member) string { return what.of(l.workers[m.Instance]) }); err != nil {
			return err
		}
	}
	if w := l.workers[members[0].Instance]; w.Version != protocolVersion {
		return &DisagreementError{What: "protocol", Odd: []string{"this coordinator"}, Most: fmt.Sprint(w.Version)}
	}
	return nil
}

// alike names those of the members that are not as most are.
func alike(what string, members []member, of func(member) string) error {
	count := map[string]int{}
	for _, m := range members {
		count[of(m)]++
	}
	if len(count) == 1 {
		return nil
	}
	most := ""
	for value, n := range count {
		if n > count[most] || n == count[most] && value > most {
			most = value
		}
	}
	e := &DisagreementError{What: what, Most: fmt.Sprintf("%.100q", most)}
	for _, m := range members {
		if value := of(m); value != most {
			e.Odd = append(e.Odd, fmt.Sprintf("%.128s has %.100q", m.Name, value))
		}
	}
	return e
}
