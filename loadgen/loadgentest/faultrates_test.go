package loadgentest_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen/loadgentest"
)

// Rates are shares of all requests, of the seed's choosing, and never overlap.
func TestFaultRates(t *testing.T) {
	const n = 4000
	run := func(seed uint64) (counts loadgentest.FaultCounts, which string) {
		f := &loadgentest.Faults{Handler: &loadgentest.Echo{}, Seed: seed, Order: []loadgentest.Fault{
			{Kind: loadgentest.FaultStatus, Status: 503, Rate: 0.1},
			{Kind: loadgentest.FaultStatus, Status: 429, Rate: 0.25, Requests: []int{5}},
			{Kind: loadgentest.FaultStatus, Status: 500},
		}}
		for range n {
			w := httptest.NewRecorder()
			f.ServeHTTP(w, httptest.NewRequest("POST", "/v1/completions",
				strings.NewReader(`{"prompt":[1],"max_tokens":1}`)))
			which += fmt.Sprint(w.Code, " ")
		}
		w := httptest.NewRecorder()
		if f.ServeHTTP(w, httptest.NewRequest("GET", "/health", nil)); w.Code != 200 {
			t.Errorf("health: %d", w.Code)
		}
		return f.Counts(), which
	}
	counts, a := run(1)
	if counts.Requests != n {
		t.Errorf("%d requests, sent %d", counts.Requests, n)
	}
	// The seed is fixed: 4 standard errors of a binomial are no matter of chance.
	for i, want := range []float64{0.1, 0.25, 0} {
		if got := float64(counts.Injected[i]); got < n*want-4*27.4 || got > n*want+4*27.4 || want == 0 && got != 0 {
			t.Errorf("fault %d struck %v of %d, want a share of %v", i, got, n, want)
		}
		if seen := strings.Count(a, []string{"503", "429", "500"}[i]); seen != counts.Injected[i] {
			t.Errorf("fault %d: %d were seen, %d counted", i, seen, counts.Injected[i])
		}
	}
	if strings.Fields(a)[5] != "429" {
		t.Error("request 5 was not struck by what names it")
	}
	if _, b := run(1); a != b {
		t.Error("two runs with one seed differ")
	}
	if _, c := run(2); a == c {
		t.Error("two seeds strike the same requests")
	}
}

// A fault that finds nothing to spoil leaves the answer alone, and does not count.
func TestFaultWithoutOpportunity(t *testing.T) {
	for _, test := range []struct {
		fault loadgentest.Fault
		body  string
		code  int
	}{
		{loadgentest.Fault{Kind: loadgentest.FaultStall}, `{"prompt":[1],"model":"other","stream":true}`, 404},
		{loadgentest.Fault{Kind: loadgentest.FaultTruncate}, `{}`, 400},
		{loadgentest.Fault{Kind: loadgentest.FaultNoUsage}, `{"prompt":[1],"stream":true}`, 200},
	} {
		test.fault.Rate = 1
		h := &loadgentest.Simulated{}
		f := &loadgentest.Faults{Handler: h, Order: []loadgentest.Fault{test.fault}}
		w, plain := httptest.NewRecorder(), httptest.NewRecorder()
		f.ServeHTTP(w, httptest.NewRequest("POST", "/v1/completions", strings.NewReader(test.body)))
		h.ServeHTTP(plain, httptest.NewRequest("POST", "/v1/completions", strings.NewReader(test.body)))
		if w.Code != test.code || test.code != 200 && w.Body.String() != plain.Body.String() || test.code == 200 &&
			!strings.HasSuffix(w.Body.String(), "data: [DONE]\n\n") {
			t.Errorf("%s: %d %s", test.fault.Kind, w.Code, w.Body)
		}
		if c := f.Counts(); c.Total() != 0 || c.Requests != 1 {
			t.Errorf("%s: %+v", test.fault.Kind, c)
		}
	}
}

func TestFaultsValidate(t *testing.T) {
	bad := &loadgentest.Faults{Order: []loadgentest.Fault{
		{},
		{Kind: loadgentest.FaultStatus, Status: 200},
		{Kind: loadgentest.FaultSlow},
		{Kind: loadgentest.FaultHang, Rate: -0.1},
		{Kind: loadgentest.FaultStall, After: -1, Requests: []int{0, -3}},
		{Kind: loadgentest.FaultStatus, Status: 429, RetryAfter: -1},
		{Kind: loadgentest.FaultHang, Rate: 0.6},
		{Kind: loadgentest.FaultHang, Rate: 0.6},
	}}
	err := bad.Validate()
	for _, want := range []string{"Handler is nil", `[0].Kind is ""`, "[1].Status is 200", "[2].Delay is 0s",
		"[3].Rate is -0.1", "[4].After is -1",
		"[4].Requests is [0 -3]", "[5].RetryAfter is -1ns", "add up to 1.2"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q: %v", want, err)
		}
	}
	w := httptest.NewRecorder()
	if bad.ServeHTTP(w, httptest.NewRequest("GET", "/health", nil)); w.Code != 500 {
		t.Errorf("an invalid server answers %d", w.Code)
	}
	tenths := &loadgentest.Faults{Handler: &loadgentest.Echo{},
		Order: slices.Repeat([]loadgentest.Fault{{Kind: loadgentest.FaultHang, Rate: 0.1}}, 10)}
	if err := tenths.Validate(); err != nil {
		t.Errorf("ten tenths: %v", err)
	}
}
