package loadgen_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// users is a target of sessions of which each request takes a second, by its own word.
type users struct {
	turns func(session int) int
	think time.Duration
	fails func(session, k int) bool
	next  func(session, k int) []loadgen.FollowUp // in place of turns

	mu   sync.Mutex
	sent []string // "session.k at time"
}

func (u *users) Do(context.Context, int, *loadgen.Record) error {
	return errors.New("a request by itself")
}

func (u *users) Session(i int) (loadgen.Session, error) { return &user{u, i}, nil }

type user struct {
	*users
	i int
}

func (s *user) Next(k int) ([]loadgen.FollowUp, error) {
	if s.next != nil {
		return s.next(s.i, k), nil
	}
	if k+1 == s.turns(s.i) {
		return nil, nil
	}
	return []loadgen.FollowUp{{Pause: s.think, Turn: k + 2}}, nil
}

func (s *user) Do(ctx context.Context, k int, r *loadgen.Record) error {
	s.mu.Lock()
	s.sent = append(s.sent, fmt.Sprintf("%d.%d at %v", s.i, k, r.Sent))
	s.mu.Unlock()
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return ctx.Err()
	}
	r.Counted, r.Input, r.Output, r.CachedTold, r.Cached = true, 10, 1, true, 5*min(k, 1)
	r.Chunk(loadgen.Chunk{})
	if s.fails != nil && s.fails(s.i, k) {
		return &loadgen.Error{Class: loadgen.ClassStatus, Status: 500, Err: errors.New("no")}
	}
	return nil
}

func turns(n int) func(int) int { return func(int) int { return n } }

func figure(t *testing.T, r *loadgen.Result, name string) float64 {
	t.Helper()
	f, ok := r.Figure(name)
	if !ok {
		t.Errorf("no figure %s", name)
	}
	return f.Value
}

// Two sessions under way, of three turns with two seconds of thought between: a turn is sent two seconds after the
// answer before, and the next session when one is over.
func TestSessionsInAClosedLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{turns: turns(3), think: 2 * time.Second}
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 2, Sessions: 8}, u)
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(u.sent)
		want := []string{"0.0 at 0s", "0.1 at 3s", "0.2 at 6s", "2.0 at 7s"}
		for _, w := range want {
			if !slices.Contains(u.sent, w) {
				t.Errorf("not sent: %s; %v", w, u.sent)
			}
		}
		if a := r.Sessions.Accounting; a.Issued != 8 || a.Completed != 8 || r.Accounting.Completed != 24 {
			t.Errorf("%v, %+v", r.Sessions, r.Accounting)
		}
		if r.Sessions.Peak != 2 || r.Sessions.Mean != 2 || r.InFlight.Peak != 2 || r.Sessions.Steady != 2 {
			t.Errorf("under way %+v, in flight %+v", r.Sessions, r.InFlight)
		}
		if d := figure(t, r, "session_duration_mean"); d != 7000 {
			t.Errorf("a session took %v ms, want 7 s", d)
		}
		if x := figure(t, r, "sessions_per_s"); x != 8./28 {
			t.Errorf("%v sessions/s", x)
		}
		for turn, want := range map[string]float64{"1": 0, "2": 50, "3": 50} {
			if got := figure(t, r, loadgen.GroupName(loadgen.CachedShare, loadgen.ByTurn, turn)); got != want {
				t.Errorf("cached share of turn %s: %v", turn, got)
			}
		}
		for _, w := range r.Warnings {
			if w.Code == loadgen.WarnConcurrencyNotReached || w.Code == loadgen.WarnRampDominated {
				t.Errorf("the sessions under way are what was to be kept: %v", w)
			}
		}
	})
}

// A closed loop of two requests in flight: while a session thinks, another one is begun; what a session has named goes
// before a new session.
func TestSessionsWithRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{turns: turns(3), think: 2500 * time.Millisecond}
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitRequest, Concurrency: 2, Sessions: 30},
			u)
		if err != nil {
			t.Fatal(err)
		}
		if r.InFlight.Peak != 2 || r.Accounting.Completed != 90 || r.Sessions.Peak < 6 {
			t.Errorf("in flight %d, completed %d, %d under way", r.InFlight.Peak, r.Accounting.Completed,
				r.Sessions.Peak)
		}
		if r.Steady == nil || r.Steady.InFlight < 1.99 {
			t.Errorf("the slots were not kept full: %+v", r.Steady)
		}
	})
}

func TestSessionsArrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{turns: func(i int) int { return 1 + i%3 }, think: time.Second}
		level := loadgen.Level{Unit: loadgen.UnitSession, Sessions: 30,
			Arrivals: loadgen.Arrivals{Process: loadgen.ConstantArrivals, Rate: 2}}
		r, err := loadgen.Measure(t.Context(), level, u)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			for k := range 1 + i%3 {
				at := time.Duration(i)*500*time.Millisecond + time.Duration(k)*2*time.Second
				if want := fmt.Sprintf("%d.%d at %v", i, k, at); !slices.Contains(u.sent, want) {
					t.Errorf("not sent: %s", want)
				}
			}
		}
		if o := r.Open; o.Offered != 2 || o.Achieved != 2 || r.Sessions.Accounting.Completed != 30 ||
			len(u.sent) != 60 {
			t.Errorf("%+v, %v, %d sent", o, r.Sessions, len(u.sent))
		}
		// 60 requests in the time, of 30 sessions that arrived: no figure calls these requests.
		for name, want := range map[string]float64{loadgen.OfferedSessions: 2, loadgen.AchievedSessions: 2,
			loadgen.OfferedRate: 0, loadgen.AchievedRate: 0} {
			if f, ok := r.Figure(name); ok != (want > 0) || ok &&
				(f.Value != want || f.N != 30 || f.Unit != "sessions/s") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	})
}

// At most two under way: an arrival waits and is counted, and none is dropped.
func TestSessionsArriveAtABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for unit, peak := range map[loadgen.Unit]int{loadgen.UnitSession: 2, loadgen.UnitRequest: 0} {
			u := &users{turns: turns(2), think: 3 * time.Second}
			level := loadgen.Level{Unit: unit, Sessions: 10, Concurrency: 2,
				Arrivals: loadgen.Arrivals{Process: loadgen.ConstantArrivals, Rate: 4}}
			r, err := loadgen.Measure(t.Context(), level, u)
			if err != nil {
				t.Fatal(err)
			}
			if r.InFlight.Peak != 2 || peak > 0 && r.Sessions.Peak != peak || r.Open.Delayed == 0 || len(u.sent) != 20 {
				t.Errorf("%s: %+v, %+v, %d delayed", unit, r.InFlight, r.Sessions, r.Open.Delayed)
			}
		}
	})
}

// A failed turn ends its session, and is counted; of the fan-out what is under way goes on, what waits is not sent.
func TestAFailedTurnEndsItsSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{turns: turns(4), fails: func(i, k int) bool { return i == 1 && k == 1 }}
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 1, Sessions: 3}, u)
		if err != nil {
			t.Fatal(err)
		}
		if a := r.Sessions.Accounting; a.Completed != 2 || a.Failed != 1 || r.Accounting.Failed != 1 ||
			len(u.sent) != 10 {
			t.Errorf("%v, %+v, sent %v", r.Sessions, r.Accounting, u.sent)
		}
		broken := slices.IndexFunc(r.Warnings,
			func(w loadgen.Warning) bool { return w.Code == loadgen.WarnSessionsBroken })
		if broken < 0 || !r.Warnings[broken].SpoilsFigure("ttft_p50{turn=3}") ||
			r.Warnings[broken].SpoilsFigure("ttft_p50{turn=1}") ||
			r.Warnings[broken].SpoilsFigure("ttft_p50") {
			t.Errorf("warnings %v", r.Warnings)
		}
		n := map[string]int{}
		for _, g := range r.Groups {
			n[g.Name] = g.Accounting.Issued
		}
		if n["1"] != 3 || n["2"] != 3 || n["3"] != 2 || n["4"] != 2 {
			t.Errorf("requests by turn: %v", n)
		}
	})
}

// One request, three that follow from it at once after different pauses, and one that waits for all of them.
func fanOut(done map[int]int) func(i, k int) []loadgen.FollowUp {
	return func(i, k int) []loadgen.FollowUp {
		switch k {
		case -1:
			return []loadgen.FollowUp{{Turn: 1}}
		case 0:
			return []loadgen.FollowUp{{Turn: 2}, {Turn: 2, Pause: time.Second}, {Turn: 2, Pause: 4 * time.Second}}
		case 1, 2, 3:
			if done[i]++; done[i] == 3 {
				return []loadgen.FollowUp{{Turn: 3, Pause: time.Second}}
			}
		}
		return nil
	}
}

func TestFanOutAndJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{next: fanOut(map[int]int{})}
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 1, Sessions: 2}, u)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"0.0 at 0s", "0.1 at 1s", "0.2 at 2s", "0.3 at 5s", "0.4 at 7s", "1.0 at 8s"}
		if len(u.sent) != 10 || !slices.Equal(u.sent[:6], want) {
			t.Errorf("sent %v", u.sent)
		}
		if d := figure(t, r, "session_duration_p50"); d != 8000 {
			t.Errorf("duration %v", d)
		}
		u = &users{next: fanOut(map[int]int{}), fails: func(_, k int) bool { return k == 1 }}
		r, err = loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 1, Sessions: 1}, u)
		if err != nil {
			t.Fatal(err)
		}
		if len(u.sent) != 2 || r.Sessions.Accounting.Failed != 1 || r.Accounting.Failed != 1 {
			t.Errorf("after a failed branch: sent %v, %v", u.sent, r.Sessions) // the other two were still waiting
		}
	})
}

func TestSessionsAreCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stop := make(chan struct{})
		time.AfterFunc(1500*time.Millisecond, func() { close(stop) })
		u := &users{turns: turns(5), think: time.Hour}
		g := &loadgen.Generator{Target: u, Stop: stop}
		r, err := g.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 3, Sessions: 5})
		if err != nil {
			t.Fatal(err)
		}
		if a := r.Sessions.Accounting; !r.CutShort || a.Cancelled != 3 || a.Issued != 3 || r.Accounting.Completed != 3 {
			t.Errorf("cut %v, %v, %+v", r.CutShort, r.Sessions, r.Accounting)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		u = &users{turns: turns(5)}
		r, err = loadgen.Measure(ctx, loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 3, Sessions: 5}, u)
		if err == nil || r.Accounting.Cancelled != 3 || r.Sessions.Accounting.Cancelled != 3 {
			t.Errorf("%v; %+v, %v", err, r.Accounting, r.Sessions)
		}
	})
}

// Sessions begin until the duration is over, those of the warmup discarded, and are carried on to their end.
func TestSessionsForADuration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{turns: turns(2), think: time.Second}
		level := loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 2, Warmup: 2, Duration: 10 * time.Second}
		r, err := loadgen.Measure(t.Context(), level, u)
		if err != nil {
			t.Fatal(err)
		}
		// Warmup 0 to 3 s; measured sessions begin at 3, 6, 9 and 12 s.
		if s := r.Sessions; s.Warmup.Completed != 2 || s.Accounting.Completed != 8 || r.Warmup.Completed != 4 {
			t.Errorf("%+v, %+v", s, r.Warmup)
		}
		if r.Steady == nil || r.Steady.To != 13*time.Second {
			t.Errorf("steady %+v, want until the duration was over", r.Steady)
		}
	})
}

func TestSessionsOfShardsMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := &users{turns: turns(3), think: time.Second}
		whole := loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 4, Sessions: 20, Shards: 2}
		parts := make([]*loadgen.Result, 2)
		var all sync.WaitGroup
		for k := range parts {
			all.Go(func() {
				l := whole
				l.Shard = k
				var err error
				if parts[k], err = loadgen.Measure(t.Context(), l, u); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		r, err := loadgen.MergeResults(parts...)
		if err != nil {
			t.Fatal(err)
		}
		if r.Sessions.Accounting.Completed != 20 || r.Accounting.Completed != 60 || r.Sessions.Peak != 4 ||
			r.Sessions.Mean != 4 {
			t.Errorf("%+v", r.Sessions)
		}
		if len(r.Groups) != 3 || r.Groups[1].Accounting.Completed != 20 || r.Groups[1].Name != "2" {
			t.Errorf("groups %+v", r.Groups)
		}
		seen := map[string]bool{}
		for _, s := range u.sent {
			seen[s[:len("0.0")]] = true
		}
		if figure(t, r, "session_duration_mean") != 5000 {
			t.Error("the durations were lost")
		}
	})
}

func TestLevelsOfSessionsValidate(t *testing.T) {
	for field, l := range map[string]loadgen.Level{
		"unit":     {Unit: "users", Concurrency: 1, Sessions: 1},
		"requests": {Unit: loadgen.UnitSession, Concurrency: 1, Requests: 1, Sessions: 1},
		"sessions": {Concurrency: 1, Sessions: 1, Requests: 1},
	} {
		var invalid *loadgen.InvalidError
		if err := l.Validate(); !errors.As(err, &invalid) || invalid.Field != field {
			t.Errorf("%+v: %v, want %s", l, err, field)
		}
	}
	none := loadgen.TargetFunc(func(context.Context, int, *loadgen.Record) error { return nil })
	if _, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 1, Sessions: 1},
		none); err == nil {
		t.Error("a target without sessions was taken")
	}
	u := &users{next: func(int, int) []loadgen.FollowUp { return nil }}
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 1, Sessions: 2}, u)
	if err != nil || r.Accounting.Failed != 2 || r.Errors[0].Class != loadgen.ClassTarget {
		t.Errorf("a session without requests: %v, %+v", err, r)
	}
}

// atOnce is a target of sessions that answers at once, and whose sessions hold so much memory.
type atOnce struct{ turns, memory int }

func (a atOnce) Do(context.Context, int, *loadgen.Record) error { return nil }
func (a atOnce) Session(int) (loadgen.Session, error) {
	return atOnceSession{a, make([]byte, a.memory)}, nil
}

type atOnceSession struct {
	of     atOnce
	memory []byte
}

func (s atOnceSession) Next(k int) ([]loadgen.FollowUp, error) {
	if k+1 == s.of.turns {
		return nil, nil
	}
	return []loadgen.FollowUp{{Turn: k + 2}}, nil
}
func (s atOnceSession) Do(_ context.Context, _ int, r *loadgen.Record) error {
	r.Chunk(loadgen.Chunk{})
	return nil
}

// 10,000 sessions of 8 turns keep nothing of those that are over, beyond the samples of the distributions.
func TestManySessionsInFlatMemory(t *testing.T) {
	heapAfter := func(sessions int) (uint64, *loadgen.Result) {
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: 50,
			Sessions: sessions}, atOnce{8, 8 << 10})
		if err != nil {
			t.Fatal(err)
		}
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		runtime.KeepAlive(r)
		return m.HeapAlloc, r
	}
	few, _ := heapAfter(1000)
	many, r := heapAfter(10_000)
	if r.Accounting.Completed != 80_000 || r.Sessions.Accounting.Completed != 10_000 {
		t.Errorf("%+v, %v", r.Accounting, r.Sessions)
	}
	// What is kept are samples: 8 bytes each, twice where they are sorted, in slices that grow by doubling. The
	// sessions themselves were 80 MB.
	kept := uint64(0)
	for _, d := range r.Distributions {
		kept += uint64(d.Len())
	}
	for _, g := range r.Groups {
		for _, d := range g.Distributions {
			kept += uint64(d.Len())
		}
	}
	if many > few+8*2*2*kept+1<<20 {
		t.Errorf("%d bytes after 10,000 sessions, %d after 1,000, with %d samples", many, few, kept)
	}
}

func BenchmarkSessionLoop(b *testing.B) {
	for _, c := range []int{1, 64} {
		b.Run(fmt.Sprint(c), func(b *testing.B) {
			b.ReportAllocs()
			_, err := loadgen.Measure(b.Context(), loadgen.Level{Unit: loadgen.UnitSession, Concurrency: c,
				Sessions: max(b.N/8, c)}, atOnce{8, 0})
			if err != nil {
				b.Fatal(err)
			}
		})
	}
}
