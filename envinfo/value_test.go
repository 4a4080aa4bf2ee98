package envinfo_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
)

func TestValueJSON(t *testing.T) {
	roundTrip(t, envinfo.Known[int64](274542362624, "B", envinfo.ScopeHost, "/sys/x"), `{"value":274542362624,"unit":"B","scope":"host","source":"/sys/x"}`)
	roundTrip(t, envinfo.Known[int64](0, "", envinfo.ScopeHost, "/sys/x"), `{"value":0,"scope":"host","source":"/sys/x"}`)
	roundTrip(t, envinfo.Known(false, "", envinfo.ScopeProgram, "build"), `{"value":false,"scope":"program","source":"build"}`)
	roundTrip(t, envinfo.Known(6.0, "TB/s", envinfo.ScopeHost, "table: x"), `{"value":6,"unit":"TB/s","scope":"host","source":"table: x"}`)
	roundTrip(t, envinfo.Known("6.4.2-120", "", "container:abc", "/opt/x"), `{"value":"6.4.2-120","scope":"container:abc","source":"/opt/x"}`)
	roundTrip(t, envinfo.Known(envinfo.NoLimit(), "B", envinfo.ScopeProcess, "/x"), `{"value":"max","unit":"B","scope":"process","source":"/x"}`)
	roundTrip(t, envinfo.Known(envinfo.Limit(1.5), "CPU", envinfo.ScopeProcess, "/x"), `{"value":1.5,"unit":"CPU","scope":"process","source":"/x"}`)
	roundTrip(t, envinfo.Unknown[int64]("B", envinfo.ScopeHost, "/x: no such file"), `{"unknown":"/x: no such file","unit":"B","scope":"host"}`)
	roundTrip(t, envinfo.Value[string]{}, `{"unknown":"not captured"}`)
}

func roundTrip[T envinfo.Scalar](t *testing.T, v envinfo.Value[T], want string) {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil || string(b) != want {
		t.Errorf("got %s, %v; want %s", b, err, want)
	}
	var back envinfo.Value[T]
	if err := json.Unmarshal(b, &back); err != nil || back != v {
		t.Errorf("%s reads back as %#v, %v; want %#v", b, back, err, v)
	}
}

func TestValueJSONErrors(t *testing.T) {
	for _, s := range []string{
		`{"value":1,"unknown":"why","source":"/x"}`, `{"value":1}`, `{"value":"one","source":"/x"}`, `{"value":1.5,"source":"/x"}`, `[]`, `7`,
	} {
		var v envinfo.Value[int64]
		if err := json.Unmarshal([]byte(s), &v); err == nil {
			t.Errorf("%s reads as %v, want an error", s, v)
		}
	}
	var l envinfo.Limit
	for _, s := range []string{`"lots"`, `true`, `{}`} {
		if err := json.Unmarshal([]byte(s), &l); err == nil {
			t.Errorf("%s reads as %v, want an error", s, l)
		}
	}
}

// What only looks like a reading is not let through.
func TestKnownRefuses(t *testing.T) {
	unknown(t, "empty", envinfo.Known("", "", envinfo.ScopeHost, "/x"), "/x: empty")
	unknown(t, "white", envinfo.Known(" \r\n", "", envinfo.ScopeHost, "/x"), "/x: empty")
	unknown(t, "NaN", envinfo.Known(math.NaN(), "", envinfo.ScopeHost, "/x"), "not a number")
	unknown(t, "NaN limit", envinfo.Known(envinfo.Limit(math.NaN()), "", envinfo.ScopeHost, "/x"), "not a number")
	unknown(t, "infinite", envinfo.Known(math.Inf(-1), "", envinfo.ScopeHost, "/x"), "infinite")
	unknown(t, "without a source", envinfo.Known[int64](7, "", envinfo.ScopeHost, ""), "without a source")
	known(t, "trimmed", envinfo.Known(" 6.4.2\r\n", "", envinfo.ScopeHost, "/x"), "6.4.2")
	known(t, "escape", envinfo.Known("a\x1b[31m\xff", "", envinfo.ScopeHost, "/x"), "a\uFFFD[31m\uFFFD")
}

func TestZeroValue(t *testing.T) {
	var v envinfo.Value[float64]
	unknown(t, "zero", v, "not captured")
	if got := v.String(); got != "unknown (not captured)" {
		t.Errorf("String is %q", got)
	}
	var env envinfo.Environment
	if out := text(t, &env); !strings.Contains(out, "not captured") {
		t.Errorf("the text of the zero Environment is\n%s", out)
	}
}

func TestString(t *testing.T) {
	for want, got := range map[string]string{
		"1300 MHz":                    envinfo.Known[int64](1300, "MHz", envinfo.ScopeHost, "/x").String(),
		"gfx942":                      envinfo.Known("gfx942", "", envinfo.ScopeHost, "/x").String(),
		"no limit":                    envinfo.NoLimit().String(),
		"1.5":                         envinfo.Limit(1.5).String(),
		"amd.count: 1 is hidden":      envinfo.Warning{About: "amd.count", Text: "1 is hidden"}.String(),
		"unknown (permission denied)": envinfo.Unknown[bool]("", envinfo.ScopeHost, "permission denied").String(),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
