package program

import (
	"errors"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

// What a search for a load came to is an exit code, as that of a limit is: 0 where one was shown to keep them, 1 where
// the least breaks them, and 3 where neither was shown.
func TestSearchVerdict(t *testing.T) {
	for decision, want := range map[protocol.Decision]int{protocol.Holds: 0, protocol.Broken: 1,
		protocol.Undecided: 3} {
		a := &protocol.Analysis{Findings: []protocol.Finding{{Name: "largest load with e2e_p50<1us",
			Decision: decision}}}
		if got := code(new(search).verdict(a)); got != want {
			t.Errorf("%v: exit code %d, want %d", decision, got, want)
		}
		if err := (*search)(nil).verdict(a); err != nil {
			t.Errorf("without a search: %v", err)
		}
	}
	if err := new(search).verdict(&protocol.Analysis{}); !errors.As(err, new(*UndecidedError)) {
		t.Errorf("without a finding: %v", err)
	}
}
