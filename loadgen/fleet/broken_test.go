package fleet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
)

// A worker whose packets are dropped both ways, while its connection seems to stand, is missed, stops by itself, and
// takes part again once they come through.
func TestPartition(t *testing.T) {
	t.Parallel()
	f := newField(t)
	way := dropping(t, f.broker.URL())
	f.worker("near", takes(20*time.Millisecond), nil)
	f.worker("far", takes(20*time.Millisecond), func(w *Worker) {
		var err error
		if w.Conn, err = Connect(f.ctx, Server{URL: "unix://" + way.path}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(w.Conn.Close)
	})
	c := f.coordinator(2)
	c.Gather = time.Minute
	began := time.Now()
	r := f.measure(c, Job{Level: loadgen.Level{Concurrency: 4, Duration: time.Hour}},
		underWay(&loadgen.Generator{}, func() {
			began = time.Now()
			way.cut(true)
		}))
	if !codes(r)[WarnWorkerLost] || r.Valid() || r.Accounting.Completed == 0 {
		t.Errorf("%+v, %v", r.Accounting, r.Warnings)
	}
	if took := time.Since(began); took > 3*Lost {
		t.Errorf("missed after %v", took)
	}
	way.cut(false)
	if r = f.measure(c, Job{Level: loadgen.Level{Concurrency: 4, Requests: 80}}, nil); r.Accounting.Completed != 80 ||
		codes(r)[WarnWorkerLost] {
		t.Errorf("%+v, %v", r.Accounting, r.Warnings)
	}
}

// A way is a socket from which bytes reach the one at url, and back, until it is cut: then they go nowhere, and nobody
// is told.
type way struct {
	path string
	mu   sync.Mutex
	gone bool
}

func (w *way) cut(gone bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.gone = gone
}

// open reports whether bytes come through.
func (w *way) open() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.gone
}

func dropping(t *testing.T, url string) *way {
	w := &way{path: filepath.Join(t.TempDir(), "s")}
	listener, err := net.Listen("unix", w.path)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); listener.Close(); wait.Wait() })
	wait.Go(func() {
		for {
			in, err := listener.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", strings.TrimPrefix(url, "unix://"))
			if err != nil {
				in.Close()
				return
			}
			context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			for _, ends := range [][2]net.Conn{{in, out}, {out, in}} {
				wait.Go(func() {
					_, _ = io.Copy(through{ends[0], w}, ends[1])
					in.Close()
					out.Close()
				})
			}
		}
	})
	return w
}

// through is the writing end of a connection that goes over a way. What was begun on one that was cut is never gone on
// with: bytes are missing.
type through struct {
	io.Writer
	*way
}

func (t through) Write(p []byte) (int, error) {
	if !t.open() {
		return len(p), nil
	}
	return t.Writer.Write(p)
}

// natsFleet are workers and a coordinator over a server of their own.
func natsFleet(t *testing.T, s *natsServer, workers int) *Coordinator {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	t.Cleanup(func() { cancel(); wait.Wait() })
	as := func(to *Server) { to.Token = "hunter2" }
	for i := range workers {
		w := &Worker{Conn: s.connect(as), Name: fmt.Sprint("w", i), Allow: []string{testURL},
			Target: func(context.Context, Job, Files) (loadgen.Target, error) {
				return takes(20 * time.Millisecond), nil
			}}
		wait.Go(func() {
			if err := w.Run(ctx); err != nil {
				t.Error(err)
			}
		})
	}
	c := &Coordinator{Conn: s.connect(as), Workers: workers, Gather: time.Minute}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// The NATS server may end and come again in the middle of a level: what is measured is whole, or spoiled. One that has
// lost all that it kept is filled again, and its fleet goes on.
func TestServerComesAgain(t *testing.T) {
	t.Parallel()
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprint("empty ", empty), func(t *testing.T) {
			t.Parallel()
			s := startNATS(t, `token: "hunter2"`, "")
			c := natsFleet(t, s, 2)
			job := Job{URL: testURL, Level: loadgen.Level{Concurrency: 4, Requests: 400}} // 2 s
			again := make(chan struct{})
			g := underWay(&loadgen.Generator{}, func() {
				defer close(again)
				s.kill()
				if empty {
					if err := os.RemoveAll(filepath.Join(s.dir, "store")); err != nil {
						t.Error(err)
					}
				}
				s.start()
			})
			r, err := c.Measure(t.Context(), job, g)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%+v, %v", r.Accounting, r.Warnings)
			checkKilled(t, r, 400)
			<-again
			if r, err = c.Measure(t.Context(), job, nil); err != nil || checkKilled(t, r, 400) {
				t.Errorf("%v, %+v", err, r)
			}
		})
	}
}

// A server that has no room for a level says so, and nothing hangs.
func TestServerIsFull(t *testing.T) {
	t.Parallel()
	s := startNATS(t, `token: "hunter2"`, "max_file_store: 8KB, max_memory_store: 8KB")
	c := natsFleet(t, s, 2)
	began := time.Now()
	r, err := c.Measure(t.Context(), Job{URL: testURL, Level: loadgen.Level{Concurrency: 4, Requests: 600}}, nil)
	switch {
	case err == nil && (!codes(r)[WarnWorkerLost] || r.Valid()):
		t.Errorf("%+v, %v", r.Accounting, r.Warnings)
	case err == nil && !strings.Contains(fmt.Sprint(r.Warnings), "not kept"):
		t.Errorf("it is not said why: %v", r.Warnings)
	}
	if took := time.Since(began); took > time.Minute {
		t.Errorf("it took %v", took)
	}
	t.Logf("after %v: %v", time.Since(began), err)
}

// Stopped while somebody is waited for, nothing is measured, and nobody waits any more.
func TestStoppedBeforeTheLevel(t *testing.T) {
	t.Parallel()
	f := newField(t)
	block := make(chan struct{})
	for what, change := range map[string]func(*Worker){
		"there":    nil,
		"prepared": func(w *Worker) { w.Target = waits(block) },
	} {
		c := f.coordinator(2)
		c.Fleet, c.Gather = what, time.Hour
		if change != nil {
			for _, name := range []string{"a", "b"} {
				f.worker(name, nil, func(w *Worker) { w.Fleet = what; change(w) })
			}
		}
		stop := make(chan struct{})
		time.AfterFunc(time.Second, func() { close(stop) })
		r, err := c.Measure(t.Context(), Job{URL: testURL, Level: loadgen.Level{Concurrency: 2, Requests: 20}},
			&loadgen.Generator{Stop: stop})
		if !errors.Is(err, ErrStopped) || r != nil {
			t.Errorf("%s: %v, %v", what, r, err)
		}
	}
	close(block)
}

func waits(c chan struct{}) func(context.Context, Job, Files) (loadgen.Target, error) {
	return func(ctx context.Context, _ Job, _ Files) (loadgen.Target, error) {
		select {
		case <-c:
		case <-ctx.Done():
		}
		return nil, errors.New("there is none")
	}
}

// A worker whose connection is closed for good ends and says so, rather than to be there for nobody.
func TestWorkerWithoutConnectionEnds(t *testing.T) {
	t.Parallel()
	f := newField(t)
	conn := f.connect()
	w := &Worker{Conn: conn, Target: waits(nil)}
	time.AfterFunc(100*time.Millisecond, conn.Close)
	if err := w.Run(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("%v", err)
	}
}

// A worker that cannot find out who coordinates is named: it is there, and does not follow.
func TestWorkersThatDoNotFollow(t *testing.T) {
	t.Parallel()
	s := startNATS(t, `users: [ { user: a, password: hunter2 }, { user: b, password: hunter2, permissions: { publish: {
		deny: "$JS.>" } } } ]`, "")
	as := func(user string) *nats.Conn {
		options, address, err := (Server{URL: s.url(), CAFile: s.caFile()}).options()
		if err != nil {
			t.Fatal(err)
		}
		conn, err := nats.Connect(address, append(options, nats.UserInfo(user, "hunter2"))...)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(conn.Close)
		return conn
	}
	ctx, cancel := context.WithCancel(t.Context())
	told, done := make(chan string, 100), make(chan error)
	w := &Worker{Conn: as("b"), Name: "deaf", Allow: []string{testURL}, Target: waits(nil),
		Told: func(s string) { told <- s }}
	go func() { done <- w.Run(ctx) }()
	c := &Coordinator{Conn: as("a"), Workers: 1, Gather: 8 * time.Second}
	_, err := c.Measure(ctx, Job{URL: testURL, Level: loadgen.Level{Concurrency: 1, Requests: 10}}, nil)
	missing, ok := errors.AsType[*MissingError](err)
	if !ok || len(missing.Deaf) != 1 || missing.Deaf[0] != "deaf" || !strings.Contains(err.Error(), "not following") {
		t.Errorf("%v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	close(told)
	said := ""
	for s := range told {
		said += s + "\n"
	}
	if !strings.Contains(said, "cannot find out whether") {
		t.Error(said)
	}
}

// A worker that goes once its result is kept is missed by nobody, while the others still measure.
func TestWorkerThatGoesWhenDone(t *testing.T) {
	t.Parallel()
	f := newField(t)
	kept := make(chan struct{})
	leave := f.worker("early", takes(time.Millisecond), func(w *Worker) {
		w.Told = func(s string) {
			if strings.Contains(s, "completed") {
				close(kept)
			}
		}
	})
	f.worker("late", takes(200*time.Millisecond), nil)
	c := f.coordinator(2)
	go func() {
		<-kept
		time.Sleep(time.Second) // for it to be said
		leave()
	}()
	r := f.measure(c, Job{Level: loadgen.Level{Concurrency: 2, Requests: 40}}, nil)
	if r.Accounting.Completed != 40 || codes(r)[WarnWorkerLost] {
		t.Errorf("%+v, %v", r.Accounting, r.Warnings)
	}
}

// A worker that is to end while its server has gone, as the children of a coordinator that was killed are, ends soon, and
// does not try for long to have its result kept.
func TestWorkerEndsWithoutServer(t *testing.T) {
	t.Parallel()
	f := newField(t)
	stop := f.worker("w", takes(20*time.Millisecond), nil)
	c := &Coordinator{Conn: f.connect(), Workers: 1, InMemory: true}
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = c.Measure(ctx, Job{URL: testURL, Level: loadgen.Level{Concurrency: 2, Duration: time.Hour}},
			underWay(&loadgen.Generator{}, func() {
				defer close(gone)
				if err := f.broker.Close(); err != nil {
					t.Error(err)
				}
			}))
	}()
	<-gone
	began := time.Now()
	stop()
	if took := time.Since(began); took > 4*leaveLimit {
		t.Errorf("it took %v", took)
	}
	cancel()
	<-done
}
