package protocol

import (
	"encoding/json"
	"slices"
	"strings"
)

// WarnArmsAsked is the code of the warning that the arms of a comparison were not asked for the same: what is compared
// is then that, and not the servers alone, and what is stated of the requests is the first arm's.
const WarnArmsAsked = "arms-asked"

func (a *Analysis) warnArmsAsked(e *Experiment) {
	sent := asked(e)
	var arms []string
	for _, m := range e.Measurements {
		if !slices.Contains(arms, m.Step.Arm) && sent[m.Step.Arm] != nil {
			arms = append(arms, m.Step.Arm)
		}
	}
	if len(arms) < 2 {
		return
	}
	first, err := json.Marshal(sent[arms[0]])
	if err != nil {
		return // it came from JSON
	}
	for _, arm := range arms[1:] {
		own, err := json.Marshal(sent[arm])
		if err == nil && !equalJSON(first, own) {
			a.warn(WarnArmsAsked, "%s is asked otherwise than %s, of which the requests are stated: %s", arm, arms[0],
				strings.Join(jsonChanges(first, own), "; "))
		}
	}
}
