package loadgentest

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// ask has a server answer a request of so many tokens, and returns how long it took.
func ask(t *testing.T, s http.Handler, output int) time.Duration {
	t.Helper()
	begin := time.Now()
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, "/v1/completions", strings.NewReader(
		`{"model":"simulated","prompt":[1,2,3,4,5,6,7,8,9,10],"ignore_eos":true,"max_tokens":`+strconv.Itoa(output)+`,"stream":true}`))
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		t.Fatal(w.Code, w.Body)
	}
	return time.Since(begin)
}

// What a cold server takes for each request is what Slowdown says, times what the warm one takes.
func TestCold(t *testing.T) {
	for name, s := range map[string]*Simulated{
		"on their own": {PrefillRate: 1000, DecodeRate: 100, Cold: 3, ColdRequests: 2},
		"in a batch": {PrefillRate: 1000, DecodeRate: 100, Cold: 3, ColdRequests: 2, MaxSequences: 4,
			StepPerSequence: time.Millisecond},
		"warm": {PrefillRate: 1000, DecodeRate: 100},
	} {
		synctest.Test(t, func(t *testing.T) {
			warm := s.Truth(10, 5).Service
			for n := range uint64(12) {
				slow := s.Slowdown(n)
				if s.batched() {
					slow = s.Slowdown(n + 1) // the step that admits it knows it already
				}
				want := slow * warm.Seconds()
				if got := ask(t, s, 5).Seconds(); math.Abs(got/want-1) > 1e-6 {
					t.Errorf("%s: request %d took %v s, want %v", name, n, got, want)
				}
			}
		})
	}
}

func TestSlowdown(t *testing.T) {
	s := &Simulated{Cold: 5}
	for n, want := range map[uint64]float64{0: 5, 100: 3, 200: 2, 1 << 40: 1} {
		if got := s.Slowdown(n); got != want {
			t.Errorf("after %d: %v, want %v", n, got, want)
		}
	}
	if got := (&Simulated{Cold: .5}).Slowdown(0); got != 1 {
		t.Errorf("%v: nothing makes a server faster when it is new", got)
	}
	if (&Simulated{Cold: -1}).Validate() == nil || (&Simulated{ColdRequests: -1}).Validate() == nil {
		t.Error("no error")
	}
}

// Each replica has its share of the requests, and its own lines in the metrics of all.
func TestReplicas(t *testing.T) {
	for name, c := range map[string]struct {
		route func(uint64) int
		want  [2]string
	}{
		"in turn":      {nil, [2]string{"30", "30"}},
		"one of three": {func(n uint64) int { return int(n%3) / 2 }, [2]string{"40", "20"}},
		"one idles":    {func(uint64) int { return 0 }, [2]string{"60", "0"}},
	} {
		s := &Replicas{Servers: []*Simulated{{}, {}}, Route: c.route}
		for range 6 {
			ask(t, s, 10)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		text := w.Body.String()
		for i, want := range c.want {
			line := "vllm:generation_tokens_total{engine=\"" + strconv.Itoa(i) + "\",model_name=\"simulated\"} " +
				want + ".0\n"
			if !strings.Contains(text, line) {
				t.Errorf("%s: no %q in:\n%s", name, line, text)
			}
		}
		if n := strings.Count(text, "# TYPE vllm:generation_tokens_total counter"); n != 1 {
			t.Errorf("%s: %d headings", name, n)
		}
	}
}
