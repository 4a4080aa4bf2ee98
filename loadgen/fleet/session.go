package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A session is a worker's part in one attempt at a level.
type session struct {
	*working
	id            string
	shard, shards int
	told          bool            // observers want to know of each request
	life          context.Context // the worker's
	cancel        context.CancelCauseFunc
	before        <-chan struct{} // closed once the session before it has ended; nil: there was none
	ended         chan struct{}

	mayArm, mayRun, drained chan struct{} // each closed once the order says so

	mu       sync.Mutex
	phase    phase
	why      string
	workload string
	progress loadgen.Progress
	at       time.Time           // when to start, by the coordinator's clock
	offset   loadgen.ClockOffset // of this process's clock to that
}

// obey takes an order. Each is a state, so that one that comes again, or in the place of one that was lost, is as good.
func (s *session) obey(o *order, instance string) {
	once := func(c chan struct{}) bool {
		select {
		case <-c:
			return false
		default:
			close(c)
			return true
		}
	}
	switch o.Phase {
	case arm:
		once(s.mayArm)
	case run, drain:
		offset, known := o.Clocks[instance]
		if s.state() == armed && known {
			s.mu.Lock()
			if s.at.IsZero() {
				s.at, s.offset = time.Unix(0, o.At), offset
				close(s.mayRun)
			}
			s.mu.Unlock()
		}
		if o.Phase == drain && once(s.drained) {
			s.tell("asked to issue no more")
		}
	case stop:
		s.cancel(errors.New("the coordinator stopped the level"))
	}
}

func (s *session) state() phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phase
}

func (s *session) over() bool { p := s.state(); return p == stored || p == failed }

func (s *session) say(b *beat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b.Phase, b.Why, b.Workload, b.Progress = s.phase, s.why, s.workload, s.progress
}

func (s *session) reach(p phase) {
	s.mu.Lock()
	s.phase = p
	s.mu.Unlock()
	s.alert()
}

// storeLimit bounds how long a result is tried to be kept, and leaveLimit of a worker that is to end.
const (
	storeLimit = 2 * time.Minute
	leaveLimit = 5 * time.Second
)

// measure is the session, from its beginning to its end.
func (s *session) measure(ctx context.Context) {
	defer close(s.ended)
	defer s.cancel(nil)
	if s.before != nil {
		<-s.before // its requests are none of this level's load
	}
	if err := s.try(ctx); err != nil {
		s.mu.Lock()
		s.phase, s.why = failed, cutText(err.Error(), mostWhy)
		s.mu.Unlock()
		s.tell("failed: %v", err)
	}
	s.alert()
}

func (s *session) try(ctx context.Context) error {
	kept, err := openStore(ctx, s.Conn, s.names, false, false)
	if err != nil {
		return err
	}
	var j Job
	if err := kept.get(ctx, s.names.job(s.id), &j); err != nil {
		return fmt.Errorf("the job: %w", err)
	}
	if err := errors.Join(allowed(s.Allow, j.URL), j.validate(s.shards)); err != nil {
		return err
	}
	target, err := s.Target(ctx, j, s.files.from(kept, s.tell))
	if err != nil {
		return fmt.Errorf("its target: %w", err)
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	s.mu.Lock()
	s.workload = workloadOf(target)
	s.mu.Unlock()
	s.reach(prepared)
	select {
	case <-s.mayArm:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	level := j.Level
	level.Shard, level.Shards = s.shard, s.shards
	result, err := s.load(ctx, level, target)
	if result == nil {
		return err
	}
	// The level's context may be done, and its result is wanted all the same.
	keep, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeLimit)
	defer cancel()
	defer context.AfterFunc(s.life, func() { time.AfterFunc(leaveLimit, cancel) })()
	if err := kept.put(keep, s.names.result(s.id, s.shard), result); err != nil {
		return fmt.Errorf("its result: %w", err)
	}
	if j.Gauge && !result.CutShort {
		s.sustains.saw(result)
	}
	s.tell("%s: %d requests, %d completed", level.Load(), result.Accounting.Issued, result.Accounting.Completed)
	s.reach(stored)
	return nil
}

// load measures the shard. It waits for the others, its connections open, where its observer is told of the start.
func (s *session) load(ctx context.Context, level loadgen.Level, target loadgen.Target) (*loadgen.Result, error) {
	offset := new(loadgen.ClockOffset)
	g := &loadgen.Generator{Target: target, Metrics: s.Metrics, Stop: s.drained, Clock: offset}
	g.Observers = []loadgen.Observer{{
		Start: func(l loadgen.Level) {
			s.reach(armed)
			select {
			case <-s.mayRun:
			case <-ctx.Done():
				return
			}
			s.mu.Lock()
			at, stands := s.at, s.offset
			s.mu.Unlock()
			*offset = s.clock.system(stands)
			s.tell("%s, from %v on", l.Load(), at.Format(time.TimeOnly))
			s.reach(running)
			g.At = time.Now().Add(at.Add(stands.Offset).Sub(s.clock.now()))
		},
		Tick: func(p loadgen.Progress) {
			s.mu.Lock()
			s.progress = p
			s.mu.Unlock()
		},
	}}
	if s.told {
		tells := &teller{conn: s.Conn, subject: s.names.records(s.id), batch: told{Instance: s.instance}}
		ticks, done := time.NewTicker(tellEvery), make(chan struct{})
		var ticking sync.WaitGroup
		ticking.Go(func() {
			for {
				select {
				case <-ticks.C:
					tells.tick()
				case <-done:
					return
				}
			}
		})
		defer func() {
			ticks.Stop()
			close(done)
			ticking.Wait()
			tells.tick()
		}()
		g.Observers = append(g.Observers, loadgen.Observer{Record: tells.record})
	}
	result, err := g.Measure(ctx, level)
	if began := result != nil && !g.At.IsZero() && !result.Start.Before(g.At); !began {
		if err == nil {
			err = context.Cause(ctx)
		}
		return nil, err
	}
	return result, err
}

// workloadOf is a hash of what a target sends, as far as it tells; "" where it tells nothing. Which headers there are is
// no part of it: they are each machine's own, like the keys in them.
func workloadOf(t loadgen.Target) string {
	var says struct {
		Models      []string              `json:"models,omitempty"`
		Sent        *workload.Description `json:"sent,omitempty"`
		Fingerprint string                `json:"fingerprint,omitempty"`
	}
	known := false
	if asks, ok := t.(interface{ Models() []string }); ok {
		says.Models, known = asks.Models(), true
	}
	if sends, ok := t.(interface{ Sent() workload.Description }); ok {
		sent := sends.Sent()
		sent.Headers = nil
		if sent.File != nil && sent.File.SHA256 != "" { // what it is called is each machine's own as well
			file := *sent.File
			file.Name, sent.File = "", &file
		}
		says.Sent, known = &sent, true
	}
	if has, ok := t.(interface{ Fingerprint() string }); ok {
		says.Fingerprint, known = has.Fingerprint(), true
	}
	if !known {
		return ""
	}
	text, err := json.Marshal(says)
	if err != nil {
		return ""
	}
	return digest(string(text))
}
