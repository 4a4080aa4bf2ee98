package nearest

import "testing"

func TestName(t *testing.T) {
	names := []string{"ttft_p50", "ttft_p99", "tpot_p99", "concurrency", "c"}
	for word, want := range map[string]string{
		"tftt_p99": "ttft_p99", "ttft_p9": "ttft_p99", "ttft_p98": "ttft_p99", "TTFT_p99": "", "concurency": "concurrency",
		"": "c", "attainment": "", "ttft_p99": "ttft_p99", "é": "",
	} {
		if got := Name(word, names); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if got := Name("x", nil); got != "" {
		t.Errorf("of no names %q", got)
	}
}

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"ab", "ba", 1}, {"ttft", "tftt", 1}, {"requests", "request", 1}} {
		if got, back := distance(c.a, c.b), distance(c.b, c.a); got != c.want || back != c.want {
			t.Errorf("%q, %q: %d and %d, want %d", c.a, c.b, got, back, c.want)
		}
	}
}
