package nearest

import (
	"fmt"
	"testing"
)

func TestName(t *testing.T) {
	names := []string{"ttft_p50", "ttft_p99", "tpot_p99", "concurrency", "c"}
	for word, want := range map[string]string{
		"tftt_p99": "ttft_p99", "ttft_p9": "ttft_p99", "ttft_p98": "ttft_p99", "TTFT_p99": "",
		"concurency": "concurrency",
		"":           "c", "attainment": "", "ttft_p99": "ttft_p99", "é": "",
	} {
		if got := Name(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Name("x", nil); got != "" {
		t.Errorf("of no names %q", got)
	}
}

func TestNames(t *testing.T) {
	names := []string{"failed-requests", "no-content", "server-changed", "server-died", "tail-censored"}
	for word, want := range map[string]string{
		"died": "[server-died]", "server-dead": "[server-changed server-died]", "requests-failed": "[failed-requests]",
		"fail": "[failed-requests]", "no-such": "[]", "xyz": "[]", "": "[]", "servers": "[server-changed server-died]",
		"server-dide": "[server-changed server-died]", "-": "[]",
	} {
		if got := fmt.Sprint(Names(word, names, 3)); got != want {
			t.Errorf("%q: %s, want %s", word, got, want)
		}
	}
	if got := Names("server", names, 1); len(got) != 1 {
		t.Errorf("%q are more than one", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ttft", "tftt", 1},
		{"requests", "request", 1}} {
		if got, back := distance(c.a, c.b), distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q, %q: %d and %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
