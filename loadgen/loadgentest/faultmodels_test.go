package loadgentest_test

import (
	"net/http/httptest"
	"slices"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// A list of models that is not there, or is none, is a warning where the model is given, and an error where it is not.
func TestFaultModels(t *testing.T) {
	for _, fault := range []loadgentest.Fault{
		{Kind: loadgentest.FaultModels, Status: 404, Text: "404 page not found"},
		{Kind: loadgentest.FaultModels, Status: 401, Type: "application/json", Text: `{"error":{"message":"no key"}}`},
		{Kind: loadgentest.FaultModels, Type: "application/json", Text: `{"object":"list","data":[]}`},
		{Kind: loadgentest.FaultModels, Type: "application/json", Text: `{"data":[{"id":"openai/*"}]}`},
		{Kind: loadgentest.FaultModels, Type: "text/html", Text: "<html>Please log in"},
		{Kind: loadgentest.FaultModels},
	} {
		faults := &loadgentest.Faults{Handler: &loadgentest.Echo{}, Order: []loadgentest.Fault{fault}}
		server := httptest.NewServer(faults)
		var warned []string
		client := &openai.Client{
			Config: openai.Config{Model: "m"}, Running: true,
			Warn: func(w loadgen.Warning) { warned = append(warned, w.Code) },
		}
		spec := workload.Spec{Input: 5, Output: 3}
		if err := client.Ready(t.Context(), server.URL); err != nil {
			t.Errorf("%+v: %v", fault, err)
		}
		target, err := client.Target(t.Context(), server.URL, spec)
		if err != nil {
			t.Fatalf("%+v: %v", fault, err)
		}
		g := loadgen.Generator{Target: target}
		r, err := g.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 2})
		if err != nil || r.Accounting.Completed != 2 || !slices.Equal(warned, []string{openai.WarnModelNotListed}) {
			t.Errorf("%+v: %v, warnings %v", fault, err, warned)
		}
		if c := faults.Counts(); c.Requests < 2 || c.Injected[0] == 0 {
			t.Errorf("%+v: counted %+v", fault, c)
		}
		target.(*openai.Target).Close()
		server.Close()
	}
	for _, fault := range []loadgentest.Fault{
		{Kind: loadgentest.FaultModels, Status: 99}, {Kind: loadgentest.FaultModels, Rate: 1},
		{Kind: loadgentest.FaultModels, Requests: []int{0}},
	} {
		if err := (&loadgentest.Faults{Handler: &loadgentest.Echo{},
			Order: []loadgentest.Fault{fault}}).Validate(); err == nil {
			t.Errorf("%+v is valid", fault)
		}
	}
}
