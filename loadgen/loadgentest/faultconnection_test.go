package loadgentest_test

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A server that closes after each answer costs our own client no request, streamed or whole.
func TestFaultClose(t *testing.T) {
	for _, whole := range []bool{false, true} {
		for _, delay := range []time.Duration{0, 50 * time.Microsecond} {
			faults := &loadgentest.Faults{Handler: &loadgentest.Echo{Model: "m"}, Order: []loadgentest.Fault{
				{Kind: loadgentest.FaultClose, Rate: 1, Delay: delay},
			}}
			server := httptest.NewServer(faults)
			target, err := openai.New(openai.Config{URL: server.URL, Model: "m", Workload: words{}, Whole: whole})
			if err != nil {
				t.Fatal(err)
			}
			r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 4, Requests: 100, Timeout: time.Minute},
				target)
			if err != nil || r.Accounting.Completed != 100 || faults.Counts().Total() != 100 {
				t.Errorf("whole %v, %v: %+v, %+v, %v %v", whole, delay, r.Accounting, faults.Counts(), err, r.Errors)
			}
			if !slices.ContainsFunc(r.Warnings,
				func(w loadgen.Warning) bool { return w.Code == openai.WarnConnectionsNotKept }) {
				t.Errorf("whole %v, %v: %v", whole, delay, r.Warnings)
			}
			target.Close()
			server.Close()
		}
	}
}

// huge is a prompt that no buffer takes.
type huge struct{}

func (huge) Prompt(_ int, p *workload.Prompt) error {
	p.Text, p.Output = strings.Repeat("a", 32<<20), 1
	return nil
}

// An answer that comes before the request is read is heard long before its connection ends.
func TestFaultEarly(t *testing.T) {
	const kept = time.Minute // and a busy machine takes less than three quarters of that
	faults := &loadgentest.Faults{Handler: &loadgentest.Echo{Model: "m"}, Order: []loadgentest.Fault{
		{Kind: loadgentest.FaultEarly, Rate: 1, Status: 413, Delay: kept},
	}}
	server := httptest.NewServer(faults)
	target, err := openai.New(openai.Config{URL: server.URL, Model: "m", Workload: huge{}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 1, Timeout: 10 * time.Minute},
		target)
	if err != nil || len(r.Errors) != 1 || r.Errors[0].Status != 413 || faults.Counts().Total() != 1 {
		t.Errorf("%+v %v", r.Errors, err)
	}
	if took := time.Since(r.Start); took > kept*3/4 {
		t.Errorf("%v until an answer that came at once, on a connection that is kept for %v", took, kept)
	}
	target.Close()
	server.Close()

	faults.Order[0].Status = 200
	if faults.Validate() == nil {
		t.Error("an early answer may be one of success")
	}
}
