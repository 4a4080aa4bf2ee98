package protocoltest

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// shown are the figures of the table, which has a line for each at each load.
var shown = []string{
	loadgen.OutputThroughput, loadgen.InputThroughput, loadgen.QuantileName(loadgen.TTFT, 50),
	loadgen.QuantileName(loadgen.TTFT, 99),
	loadgen.QuantileName(loadgen.TPOT, 50), loadgen.QuantileName(loadgen.E2E, 50), loadgen.SuccessRate,
	loadgen.Attainment,
}

// table is what an analysis shows, for a log.
func table(a *protocol.Analysis) string {
	var text strings.Builder
	out := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for _, p := range a.Points {
		for _, name := range shown {
			e, err := p.Figure(name)
			note := ""
			if spoiled, ok := errors.AsType[*protocol.SpoiledError](err); ok {
				note = "must not be used: " + strings.Join(spoiled.Codes, ", ")
			} else if err != nil {
				continue
			} else if len(e.MarkedBy) > 0 {
				note = strings.Join(e.MarkedBy, ", ")
			}
			v := e.Interval
			if e.Share != nil {
				v = *e.Share
			}
			fmt.Fprintf(out, "%v\t%s\t%s\t%v\t%s\n", p.Load, name, e.Unit, v, note)
		}
	}
	_ = out.Flush() // a strings.Builder takes everything
	for _, w := range a.Warnings {
		fmt.Fprintf(&text, "warning: %v\n", w)
	}
	return text.String()
}
