package fleet

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/servegauge/servegauge/loadgen"
)

// A Worker measures shards of levels for the coordinator of its fleet, one level after the other. It loads servers that
// its owner allows, and does nothing else that it is sent.
type Worker struct {
	Conn  *nats.Conn // of [Connect], for instance; it stays the caller's
	Fleet string     // zero: [DefaultFleet]

	// Name is how results and errors call it; no two of a fleet may have one name. Zero: the host's, and the process id.
	Name string

	// Allow are the servers that it may load: URLs, of which scheme, host and port count, or [AnyServer]. None: it loads
	// nothing.
	Allow []string

	// Target makes what is put under load for a job, and opens what files that takes. A target that has a Close method is closed after its level. Of one that has methods Models() []string, Sent() workload.Description and
	// Fingerprint() string (a hash of its prompts), as those of openai have, it is shown that all workers send the same.
	Target func(ctx context.Context, j Job, files Files) (loadgen.Target, error)

	// Datasets is a directory of files that requests come from, in which a job's are those whose SHA-256 it names. nil: they
	// are had from the coordinator.
	Datasets fs.FS

	Metrics []loadgen.Metric // the owner's own, as in [loadgen.Generator]

	// Sustains and SustainsChunks are the requests/s and the chunks/s that it was seen to do at most. Zero: not measured,
	// unless a level is ([Job.Gauge]).
	Sustains, SustainsChunks float64

	// Told, if not nil, is told in words what it does. Calls do not overlap.
	Told func(string)

	clock clock // tests have one that is off; zero: the right one
}

// working is one run of a worker.
type working struct {
	*Worker
	names    names
	instance string
	kv       jetstream.KeyValue
	changed  chan struct{} // something that a beat tells
	orders   chan order

	// of the loop
	term    uint64
	holder  string // who coordinates
	seq     uint64 // of the latest order
	beats   uint64
	refused leaseValue // of a term that was found to be nobody's
	deaf    string     // why it could not be found out, as it was told last,
	asked   time.Time  // and when
	heard   time.Time  // when an order of the present coordinator came last
	session *session   // nil: none
	ending  sync.WaitGroup
	latest  <-chan struct{} // closed once the latest session has ended; nil: there was none

	telling  sync.Mutex
	files    files
	sustains sustained
}

// Validate returns the [*loadgen.InvalidError] that Run would of what it is told to be, apart from its connection.
func (w *Worker) Validate() error {
	if _, err := namesOf(w.Fleet); err != nil {
		return err
	}
	switch {
	case w.Target == nil:
		return &loadgen.InvalidError{Field: "target", Value: nil, Want: "a func that makes targets"}
	case len(w.Name) > mostName || shown(w.Name) != w.Name:
		return &loadgen.InvalidError{Field: "name", Value: fmt.Sprintf("%.40q", w.Name), Want: "text of at most 128 bytes"}
	}
	for _, entry := range w.Allow {
		if _, err := origin(entry); err != nil && entry != AnyServer {
			return fmt.Errorf("allowed server: %w", err)
		}
	}
	return nil
}

// Run takes part in the fleet until ctx is done, when it leaves it, with what it has of a level that is under way.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.Validate(); err != nil {
		return err
	}
	n, err := namesOf(w.Fleet)
	if err != nil {
		return err
	}
	if w.Conn == nil {
		return &loadgen.InvalidError{Field: "conn", Value: nil, Want: "a connection to a NATS server"}
	}
	mine := *w
	if mine.Name == "" {
		host, _ := os.Hostname()
		mine.Name = fmt.Sprintf("%.100s/%d", host, os.Getpid())
	}
	if mine.clock.base.IsZero() {
		mine.clock = newClock()
	}
	r := &working{Worker: &mine, names: n, instance: nuid.Next(), changed: make(chan struct{}, 1),
		orders: make(chan order, 64), files: files{dir: w.Datasets}}
	r.sustains.atLeast(w.Sustains, w.SustainsChunks)
	return r.work(ctx)
}

func (r *working) work(ctx context.Context) error {
	order, err := r.Conn.Subscribe(r.names.order(), func(m *nats.Msg) {
		var o order
		if decode(m.Data, &o) != nil || o.Version != protocolVersion {
			return
		}
		select {
		case r.orders <- o:
		default: // it comes again
		}
	})
	if err != nil {
		return err
	}
	defer order.Unsubscribe()
	clock, err := r.Conn.Subscribe(r.names.clock(r.instance), func(m *nats.Msg) {
		_ = m.Respond(strconv.AppendInt(nil, r.clock.now().UnixNano(), 10))
	})
	if err != nil {
		return err
	}
	defer clock.Unsubscribe()
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	r.tell("worker %s of fleet %s, of program %s", r.Name, r.names.fleet, version())
	r.beat(false)
	for {
		select {
		case <-ctx.Done():
			r.end(context.Cause(ctx))
			r.ending.Wait()
			r.beat(true)
			_ = r.Conn.FlushTimeout(time.Second)
			return nil
		case o := <-r.orders:
			r.obey(ctx, &o)
		case <-r.changed:
			r.beat(false)
		case <-ticker.C:
			if r.Conn.IsClosed() { // for good: its credentials are taken no more, for instance
				r.end(errClosed)
				r.ending.Wait()
				return fmt.Errorf("%w: %w", errClosed, cmp.Or(r.Conn.LastError(), nats.ErrConnectionClosed))
			}
			r.alone()
			r.beat(false)
		}
	}
}

func (r *working) tell(format string, args ...any) {
	if r.Told == nil {
		return
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	r.Told(fmt.Sprintf(format, args...))
}

// beat says what the worker is and does.
func (r *working) beat(left bool) {
	b := beat{Version: protocolVersion, Instance: r.instance, Name: r.Name, Program: version(), Build: build(),
		CPUs: float64(runtime.GOMAXPROCS(0)), Phase: idle, Term: r.term, Seq: r.beats, Left: left}
	r.beats++
	b.Sustains, b.SustainsChunks = r.sustains.get()
	if s := r.session; s != nil {
		b.Session = s.id
		s.say(&b)
	}
	if data, err := json.Marshal(b); err == nil {
		_ = r.Conn.Publish(r.names.beat(r.instance), data) // the next one says it as well
	}
}

// errClosed says that a worker has no way to its coordinator any more.
var errClosed = errors.New("the connection to the NATS server is closed for good")

// orderLimit bounds how long it may take to find out who coordinates.
const orderLimit = 2 * time.Second

// obey does what an order says, unless it is none of the one who coordinates.
func (r *working) obey(ctx context.Context, o *order) {
	switch {
	case o.Term < r.term && time.Since(r.heard) <= Lost || o.Term == r.term && (o.Seq <= r.seq || o.Holder != r.holder) ||
		o.claims() == r.refused:
		return
	case o.Term != r.term && time.Since(r.asked) < orderLimit:
		return
	case o.Term != r.term: // a lower one may be of a store that was lost, and is another
		if !r.coordinates(ctx, o) {
			return
		}
		r.term, r.holder = o.Term, o.Holder
		r.tell("coordinated by %.200q", o.Holder)
		defer r.beat(false)
	}
	r.seq, r.heard = o.Seq, time.Now()
	if o.Hold {
		return
	}
	shard, mine := o.Shards[r.instance]
	if r.session != nil && (!mine || r.session.id != o.Session) {
		r.end(errors.New("the coordinator has gone on without"))
		defer r.beat(false)
	}
	if !mine {
		return
	}
	if r.session == nil {
		if o.Phase != prepare { // one that this worker has left, or never had
			return
		}
		r.begin(ctx, o, shard)
	}
	r.session.obey(o, r.instance)
}

// coordinates reports whether an order of a term that is new here is of the one who coordinates.
func (r *working) coordinates(ctx context.Context, o *order) bool {
	ctx, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	ok, err := r.holds(ctx, o)
	if err != nil {
		r.asked = time.Now()
	}
	switch {
	case err != nil && err.Error() != r.deaf:
		r.deaf = err.Error()
		r.tell("cannot find out whether %.200q coordinates, and does nothing for it: %v", o.Holder, err)
	case err == nil && !ok:
		r.refused = o.claims()
	}
	return ok
}

func (r *working) holds(ctx context.Context, o *order) (bool, error) {
	if r.kv == nil {
		js, err := jetstream.New(r.Conn)
		if err != nil {
			return false, err
		}
		kv, err := openLeases(ctx, js, r.names, false, false)
		if err != nil {
			return false, err
		}
		r.kv = kv
	}
	return holds(ctx, r.kv, o)
}

// begin begins a session.
func (r *working) begin(ctx context.Context, o *order, shard int) {
	life := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	s := &session{working: r, life: life, id: o.Session, shard: shard, shards: len(o.Shards), told: o.Told, cancel: cancel,
		before: r.latest, ended: make(chan struct{}), mayArm: make(chan struct{}), mayRun: make(chan struct{}), drained: make(chan struct{}), phase: prepare}
	r.session, r.latest = s, s.ended
	r.ending.Go(func() { s.measure(ctx) })
}

// end ends the session, if there is one; its goroutine ends by itself.
func (r *working) end(why error) {
	if r.session != nil {
		r.session.cancel(why)
		r.session = nil
	}
}

// alone stops a level that nobody is there for any more: at once where the connection broke, and after a time where it
// stands and the coordinator has gone.
func (r *working) alone() {
	s := r.session
	if s == nil || s.over() {
		return
	}
	silent := time.Since(r.heard)
	if silent > Orphaned || silent > Lost && !r.Conn.IsConnected() {
		s.cancel(fmt.Errorf("nothing was heard of the coordinator for %v", silent.Round(time.Second)))
	}
}

// alert has a beat sent soon.
func (r *working) alert() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}
