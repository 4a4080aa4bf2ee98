package protocol

import (
	"fmt"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/stats"
)

// WarnCold is the code of the warning that a level was measured on a server that was not warm, as far as can be told.
const WarnCold = "cold"

const coldWindows = 64 // of a level's trajectory, at most

func newLevelTrajectory(l loadgen.Level) *trajectory {
	return &trajectory{completions: max(l.Concurrency, 1), most: coldWindows}
}

func (r *running) coldWarning(m *Measurement, t *trajectory) (loadgen.Warning, bool) {
	return loadgen.Warning{}, false
}
var _ = fmt.Sprint
var _ stats.Warmup
