package openai

import (
	"errors"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

// Whatever of a server's URLs users have at hand tells where all of its calls are.
func TestAddresses(t *testing.T) {
	for _, test := range []struct{ given, completions, root, models string }{
		{"http://h", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"http://h:8000/", "http://h:8000/v1/completions", "http://h:8000", "http://h:8000/v1/models"},
		{"http://h/v1", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"http://h/v1//", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"http://h?", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"https://h/a/b/v1/", "https://h/a/b/v1/completions", "https://h/a/b", "https://h/a/b/v1/models"},
		{"http://h/av1", "http://h/av1/v1/completions", "http://h/av1", "http://h/av1/v1/models"},
		{"http://[::1]:8000/v1", "http://[::1]:8000/v1/completions", "http://[::1]:8000",
			"http://[::1]:8000/v1/models"},
		{"http://h/v3", "http://h/v3/completions", "http://h", "http://h/v3/models"}, // OpenVINO's model server
		{"https://h/api/paas/v4", "https://h/api/paas/v4/completions", "https://h/api/paas",
			"https://h/api/paas/v4/models"},
		{"http://h/v1/completions", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"http://h/v1/chat/completions/", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"http://h/v1/models", "http://h/v1/completions", "http://h", "http://h/v1/models"},
		{"https://h/chat/completions", "https://h/completions", "https://h", "https://h/models"},
		{"https://h/v1beta/openai/chat/completions", "https://h/v1beta/openai/completions", "https://h/v1beta/openai",
			"https://h/v1beta/openai/models"},
		{"https://h/openai/deployments/d/chat/completions?api-version=2024-06-01",
			"https://h/openai/deployments/d/completions?api-version=2024-06-01",
			"https://h/openai/deployments/d?api-version=2024-06-01",
			"https://h/openai/deployments/d/models?api-version=2024-06-01"},
		{"http://u:p@h/v1?key=k", "http://u:p@h/v1/completions?key=k", "http://u:p@h?key=k",
			"http://u:p@h/v1/models?key=k"},
		{"http://h/org%2Fmodel/v1", "http://h/org%2Fmodel/v1/completions", "http://h/org%2Fmodel",
			"http://h/org%2Fmodel/v1/models"},
	} {
		a, err := parseAddress(test.given)
		if err != nil {
			t.Errorf("%s: %v", test.given, err)
			continue
		}
		if got := a.call(Completions).String(); got != test.completions {
			t.Errorf("%s: completions at %s, want %s", test.given, got, test.completions)
		}
		chat := strings.Replace(test.completions, "/completions", "/chat/completions", 1)
		if got := a.call(Chat).String(); got != chat {
			t.Errorf("%s: chat at %s, want %s", test.given, got, chat)
		}
		if got := a.root.String(); got != test.root {
			t.Errorf("%s: root %s, want %s", test.given, got, test.root)
		}
		if got := below(a.base, "/models").String(); got != test.models {
			t.Errorf("%s: models at %s, want %s", test.given, got, test.models)
		}
		if got, want := a.endpoint == Chat, strings.Contains(test.given, "/chat/completions"); got != want {
			t.Errorf("%s names %q", test.given, a.endpoint)
		}
	}
	for _, given := range []string{"", "localhost:8000", "h", "ftp://h", "http://", "http:///v1",
		"http://u:hunter2@h:port", "u:hunter2@h",
		"http://h/%zz?key=hunter2", "u:hunter2@h?key=hunter2", "http://h/#hunter2", "http://h/v1/messages?key=hunter2",
		"https://u:hunter2@h/v1/generate"} {
		_, err := parseAddress(given)
		var invalid *loadgen.InvalidError
		if !errors.As(err, &invalid) || strings.Contains(err.Error(), "hunter2") ||
			!strings.Contains(err.Error(), "root") {
			t.Errorf("%q: %v", given, err)
		}
	}
	for _, given := range []string{"127.0.0.1:8000", "localhost:8000", "[::1]:8000/v1", "h", "ws://h"} {
		if _, err := parseAddress(given); err == nil || !strings.Contains(err.Error(), "http:// or https:// in front") {
			t.Errorf("%q: %v, which does not say what is missing", given, err)
		}
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, s := range []string{"http://h", "https://u:p@h:1/a%2Fb/v1/chat/completions?k=v", "http://h/v1/v1",
		"http://h//", "http://h/%7e/models", "http://[::1%25lo]/v3", "http://[::1%25\x80o]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, given string) {
		a, err := parseAddress(given)
		if err != nil {
			return
		}
		for _, e := range []Endpoint{Completions, Chat} {
			// What is called is an address too, and the same one.
			again, err := parseAddress(a.call(e).String())
			if err != nil || again.base.String() != a.base.String() || again.root.String() != a.root.String() ||
				again.endpoint != e {
				t.Errorf("%q calls %s, which is %v with %v, %v", given, a.call(e), again.base, again.root, err)
			}
		}
	})
}
