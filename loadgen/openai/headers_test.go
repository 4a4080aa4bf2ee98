package openai_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/loadgen/openai"
)

func TestHeaders(t *testing.T) {
	own := http.Header{"X-Team": {"a", "b"}, "x-lower": {"c"}, "authorization": {"Basic eDp5"},
		"content-type": {"text/plain"}, "host": {"model.example"}}
	before := own.Clone()
	for _, test := range []struct {
		name, key     string
		header        http.Header
		authorization []string
	}{
		{"none", "", nil, nil},
		{"key", "sk-1", nil, []string{"Bearer sk-1"}},
		{"header", "", own, []string{"Basic eDp5"}},
		{"the key wins", "sk-1", own, []string{"Bearer sk-1"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := arrived(t, openai.Config{URL: "http://server", APIKey: test.key, Header: test.header})
			want := map[string][]string{"Authorization": test.authorization, "Content-Type": {"application/json"}}
			if test.header != nil {
				want["X-Team"], want["X-Lower"] = []string{"a", "b"}, []string{"c"}
				if got.host != "model.example" {
					t.Errorf("for host %q", got.host)
				}
			}
			for name, values := range want {
				if diff := cmp.Diff(values, got.header[name]); diff != "" {
					t.Errorf("%s: −want +got:\n%s", name, diff)
				}
			}
		})
	}
	if diff := cmp.Diff(before, own); diff != "" {
		t.Errorf("the header given was changed:\n%s", diff)
	}
}
