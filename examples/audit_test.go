package examples_test

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/internal/busy"
)

// An audit of the simulated server says that its answers are its own, of single requests and of sessions, and which
// endpoints cannot be checked; none of these fails.
func TestLoadtestAudits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"-requests", "30"}, "passed: 0 of 20 answers are wrong"},
		{[]string{"-requests", "30", "-endpoint", "chat"}, "passed: 0 of 20 answers are wrong"},
		{[]string{"-sessions", "10", "-turns", "3", "-think", "0"}, "passed: 0 of 20 answers are wrong"},
		{[]string{"-requests", "30", "-endpoint", "responses"},
			"not checkable: the events of responses tell no token ids"},
		{[]string{"-requests", "30", "-endpoint", "embeddings"}, "not checkable: an answer of embeddings is numbers"},
	} {
		p := run(t, "loadtest", append([]string{"-audit", "20", "-output", "6", "-concurrency", "4"}, c.args...)...)
		if p.code != 0 || !strings.Contains(p.stdout, c.want) {
			t.Errorf("%q: exit code %d, want %q\n%s\n%s", c.args, p.code, c.want, p.stdout, p.stderr)
		}
	}
}

// Of a server whose answers are corrupted while several are in flight it says so, and where.
func TestLoadtestAuditFinds(t *testing.T) {
	t.Parallel()
	cmd := command(t.Context(), "simserver", "-address", "127.0.0.1:0", "-corrupt", "0.4")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill() // it has nothing to save
		_ = cmd.Wait()
	}()
	line := make([]byte, 200)
	n, err := stdout.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	// On a busy machine an answer is still under way in the server when the next one is asked for, and one in flight is
	// two.
	busy.Check(t, func(f *busy.Faults) {
		p := run(t, "loadtest", "-url", strings.TrimSpace(string(line[:n])), "-audit", "40", "-requests", "40",
			"-output", "8",
			"-concurrency", "8")
		for _, want := range []string{"answers-wrong: spoiled: ", "of 40 answers are wrong", "wrong: request "} {
			if !p.says(want) {
				f.Addf("no %q\n%s\n%s", want, p.stdout, p.stderr)
			}
		}
	})
}
