package report

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// One level's text says why answers ended, and has percentiles over all issued where not all completed, and only there.
func TestLevelTextOfAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := func(fails bool) string {
			r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 200},
				loadgen.TargetFunc(func(_ context.Context, i int, r *loadgen.Record) error {
					time.Sleep(time.Second)
					r.Counted, r.Output, r.Finish = true, 1, "length"
					switch {
					case fails && i == 7:
						return errors.New("lost")
					case i%4 == 0:
						r.Finish = "sto\x1bp"
					case i%50 == 1:
						r.Finish, r.Choices = "", 2
					}
					return nil
				}))
			if err != nil {
				t.Fatal(err)
			}
			var out bytes.Buffer
			if err := LevelText(&out, r); err != nil {
				t.Fatal(err)
			}
			return out.String()
		}
		whole, failed := text(false), text(true)
		if want := "Answers ended by: length 146, sto�p 50, no reason given 4\n"; !strings.Contains(whole, want) {
			t.Errorf("nothing of %q in\n%s", want, whole)
		}
		if strings.Contains(whole, "issued\t") || strings.Contains(whole, "of all issued") ||
			strings.Contains(whole, "_issued") {
			t.Errorf("percentiles of all issued, where all completed:\n%s", whole)
		}
		row := ""
		for line := range strings.Lines(failed) {
			if strings.Contains(line, "e2e, of all issued") {
				row += strings.Join(strings.Fields(line), " ") + "; " // the table goes on below
			}
		}
		if want := "e2e, of all issued – 1,000 1,000 1,000 1,000? – 200; "; row != want {
			t.Errorf("%q, want %q in\n%s", row, want, failed)
		}
	})
}
