package fleet

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/servegauge/servegauge/loadgen"
)

// Whatever is said twice, late, or by somebody who has no part in it, changes nothing: not the level that is under way,
// and not the next.
func TestDuplicateLateAndForeignMessages(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.workers(3, takes(15*time.Millisecond))
	echo := f.connect()
	var late []*nats.Msg
	repeat := func(m *nats.Msg) {
		if m.Header.Get("Again") != "" || strings.HasPrefix(m.Subject, "_INBOX") {
			return
		}
		again := nats.NewMsg(m.Subject)
		again.Data = m.Data
		for k, v := range m.Header {
			again.Header[k] = v
		}
		again.Header.Set("Again", "yes")
		late = append(late, again)
		for _, old := range []*nats.Msg{again, late[rand.IntN(len(late))], late[rand.IntN(len(late))]} {
			_ = echo.PublishMsg(old)
		}
	}
	if _, err := echo.Subscribe("servegauge.>", repeat); err != nil {
		t.Fatal(err)
	}
	n, _ := namesOf("")
	foreign := func(subject string, v any) {
		data, err := json.Marshal(v)
		if err != nil {
			t.Error(err)
		}
		_ = echo.Publish(subject, data)
	}
	done := make(chan struct{})
	defer close(done)
	stranger := f.connect()
	f.wait.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
			}
			_ = stranger.Publish(n.order(), []byte(`{"version":1,"term":1e3`))
			_ = stranger.Publish(n.order(), []byte(`{"version":1,"unknown":true}`))
			_ = stranger.Publish(n.beat("x"), []byte(`null`))
			foreign(n.order(), order{Version: protocolVersion, Term: math.MaxUint64 - uint64(i%3), Seq: 1,
				Holder: "me", Phase: stop})
			foreign(n.order(), order{Version: protocolVersion, Term: 1, Seq: math.MaxUint64, Holder: "me", Phase: stop})
			foreign(n.beat("stranger"), beat{Version: 1, Instance: "other", Name: "w00", Phase: stored})
			foreign(n.records("nothing"), told{Instance: "x"})
			_ = stranger.Publish(n.kept("result.x.0.0"), []byte(strings.Repeat("x", 1000)))
		}
	})
	c := f.coordinator(3)
	for k := range 3 {
		indices := map[int]int{}
		r := f.measure(c, Job{ID: fmt.Sprint(k), Level: loadgen.Level{Concurrency: 6, Requests: 240}},
			&loadgen.Generator{Observers: []loadgen.Observer{{Record: func(r *loadgen.Record, _ *loadgen.Error) {
				indices[r.Index]++
			}}}})
		if r.Accounting.Completed != 240 || !r.Valid() || codes(r)[WarnWorkerLost] {
			t.Errorf("level %d: %+v, %v", k, r.Accounting, r.Warnings)
		}
		for i := range 240 {
			if indices[i] != 1 {
				t.Errorf("level %d: observers were told of request %d %d times", k, i, indices[i])
			}
		}
	}
}

// A worker that stands still for 10 s, as a machine that is suspended does, is missed within seconds and costs the
// level. When it goes on, it changes nothing, and takes part in the next one.
func TestWorkerThatStandsStill(t *testing.T) {
	t.Parallel()
	f := newField(t)
	f.process(role{Worker: "a", Takes: 20 * time.Millisecond})
	b := f.process(role{Worker: "b", Takes: 20 * time.Millisecond})
	c := f.coordinator(2)
	c.Gather = 30 * time.Second
	var stood, missed time.Time
	still := underWay(&loadgen.Generator{}, func() {
		stood = time.Now()
		if err := b.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Error(err)
		}
		time.AfterFunc(10*time.Second, func() { _ = b.Process.Signal(syscall.SIGCONT) })
	})
	r := f.measure(c, Job{Level: loadgen.Level{Concurrency: 4, Duration: time.Hour}}, still)
	missed = time.Now()
	if !codes(r)[WarnWorkerLost] || r.Valid() || r.Accounting.Completed == 0 {
		t.Errorf("%v", r.Warnings)
	}
	// a ratio to what is promised, with room for what is in flight to end, and for a busy machine
	if took := missed.Sub(stood); took > 3*Lost {
		t.Errorf("missed after %v", took)
	}
	r = f.measure(c, Job{Level: loadgen.Level{Concurrency: 4, Requests: 100}}, nil)
	if r.Accounting.Completed != 100 || codes(r)[WarnWorkerLost] {
		t.Errorf("%+v, %v", r.Accounting, r.Warnings)
	}
}
