package fact_test

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/facttest"
)

func TestValueJSON(t *testing.T) {
	roundTrip(t, fact.Known[int64](274542362624, "B", fact.ScopeHost, "/sys/x"),
		`{"value":274542362624,"unit":"B","scope":"host","source":"/sys/x"}`)
	roundTrip(t, fact.Known[int64](0, "", fact.ScopeHost, "/sys/x"), `{"value":0,"scope":"host","source":"/sys/x"}`)
	roundTrip(t, fact.Known(false, "", fact.ScopeProgram, "build"),
		`{"value":false,"scope":"program","source":"build"}`)
	roundTrip(t, fact.Known(6.0, "TB/s", fact.ScopeHost, "table: x"),
		`{"value":6,"unit":"TB/s","scope":"host","source":"table: x"}`)
	roundTrip(t, fact.Known("6.4.2-120", "", "container:abc", "/opt/x"),
		`{"value":"6.4.2-120","scope":"container:abc","source":"/opt/x"}`)
	roundTrip(t, fact.Known(fact.NoLimit(), "B", fact.ScopeProcess, "/x"),
		`{"value":"max","unit":"B","scope":"process","source":"/x"}`)
	roundTrip(t, fact.Known(fact.Limit(1.5), "CPU", fact.ScopeProcess, "/x"),
		`{"value":1.5,"unit":"CPU","scope":"process","source":"/x"}`)
	roundTrip(t, fact.Unknown[int64]("B", fact.ScopeHost, "/x: no such file"),
		`{"unknown":"/x: no such file","unit":"B","scope":"host"}`)
	roundTrip(t, fact.Value[string]{}, `{"unknown":"not captured"}`)
}

func roundTrip[T fact.Scalar](t *testing.T, v fact.Value[T], want string) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v; want %s", b, err, want)
	}
	var back fact.Value[T]
	if err := json.Unmarshal(b, &back); err != nil || back != v {
		t.Errorf("%s reads back as %#v, %v; want %#v", b, back, err, v)
	}
}

func TestValueJSONErrors(t *testing.T) {
	for _, s := range []string{
		`{"value":1,"unknown":"why","source":"/x"}`, `{"value":1}`, `{"value":"one","source":"/x"}`,
		`{"value":1.5,"source":"/x"}`, `[]`, `7`,
	} {
		var v fact.Value[int64]
		if err := json.Unmarshal([]byte(s), &v); err == nil {
			t.Errorf("%s reads as %v, want an error", s, v)
		}
	}
	var l fact.Limit
	for _, s := range []string{`"lots"`, `true`, `{}`} {
		if err := json.Unmarshal([]byte(s), &l); err == nil {
			t.Errorf("%s reads as %v, want an error", s, l)
		}
	}
}

// What only looks like a reading is not let through.
func TestKnownRefuses(t *testing.T) {
	facttest.Unknown(t, "empty", fact.Known("", "", fact.ScopeHost, "/x"), "/x: empty")
	facttest.Unknown(t, "white", fact.Known(" \r\n", "", fact.ScopeHost, "/x"), "/x: empty")
	facttest.Unknown(t, "NaN", fact.Known(math.NaN(), "", fact.ScopeHost, "/x"), "not a number")
	facttest.Unknown(t, "NaN limit", fact.Known(fact.Limit(math.NaN()), "", fact.ScopeHost, "/x"), "not a number")
	facttest.Unknown(t, "infinite", fact.Known(math.Inf(-1), "", fact.ScopeHost, "/x"), "infinite")
	facttest.Unknown(t, "without a source", fact.Known[int64](7, "", fact.ScopeHost, ""), "without a source")
	facttest.Known(t, "trimmed", fact.Known(" 6.4.2\r\n", "", fact.ScopeHost, "/x"), "6.4.2")
	facttest.Known(t, "escape", fact.Known("a\x1b[31m\xff", "", fact.ScopeHost, "/x"), "a\uFFFD[31m\uFFFD")
}

func TestZeroValue(t *testing.T) {
	var v fact.Value[float64]
	facttest.Unknown(t, "zero", v, "not captured")
	if got := v.String(); got != "unknown (not captured)" {
		t.Errorf("String is %q", got)
	}
}

func TestString(t *testing.T) {
	for want, got := range map[string]string{
		"1300 MHz":                    fact.Known[int64](1300, "MHz", fact.ScopeHost, "/x").String(),
		"gfx942":                      fact.Known("gfx942", "", fact.ScopeHost, "/x").String(),
		"no limit":                    fact.NoLimit().String(),
		"1.5":                         fact.Limit(1.5).String(),
		"amd.count: 1 is hidden":      fact.Warning{About: "amd.count", Text: "1 is hidden"}.String(),
		"unknown (permission denied)": fact.Unknown[bool]("", fact.ScopeHost, "permission denied").String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
