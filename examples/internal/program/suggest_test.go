package program

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

// An error about a flag's value names the flag and the value, each once, and says what is wanted.
func TestExplainNamesTheValueOnce(t *testing.T) {
	for _, setup := range []func(protocol.Plan, protocol.Plan) func(*flag.FlagSet){
		func(a, b protocol.Plan) func(*flag.FlagSet) {
			return func(f *flag.FlagSet) { Experiment(a, b)(f) }
		},
		func(a, b protocol.Plan) func(*flag.FlagSet) { return func(f *flag.FlagSet) { Ablation(a, b)(f) } },
		func(a, b protocol.Plan) func(*flag.FlagSet) { return func(f *flag.FlagSet) { SLO(a, b)(f) } },
	} {
		register := setup(protocol.MultiRun(), protocol.MultiRun())
		names := flag.NewFlagSet("names", flag.ContinueOnError)
		register(names)
		refused := 0
		names.VisitAll(func(f *flag.Flag) {
			for _, value := range []string{"?!", "0", "-1"} {
				flags := flag.NewFlagSet("test", flag.ContinueOnError)
				flags.SetOutput(io.Discard)
				register(flags)
				err := flags.Parse([]string{"-" + f.Name + "=" + value})
				if err == nil {
					continue
				}
				refused++
				text := Explain(flags, err).Error()
				if strings.Count(text, "\""+value+"\"") != 1 || !strings.HasPrefix(text, "-"+f.Name+" ") ||
					!strings.Contains(text, "want") {
					t.Errorf("%s", text)
				}
			}
		})
		if refused < 10 {
			t.Errorf("only %d values are refused", refused)
		}
	}
}
