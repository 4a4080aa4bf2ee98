package program

import (
	"fmt"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// progress tells on stderr what goes on: with a bar on a terminal, with a line now and then elsewhere.
type progress struct {
	terminal bool
	bar      *progressbar.ProgressBar
}

func newProgress() *progress { return &progress{terminal: term.IsTerminal(int(os.Stderr.Fd()))} }

// lineEvery is how often a level in progress says so where there is no terminal.
const lineEvery = 10 * time.Second

// event is a [protocol.Runner]'s Progress.
func (p *progress) event(e protocol.Event) {
	p.finish()
	text := string(e.Phase)
	switch e.Phase {
	case protocol.PhaseMeasure:
		return // observe tells
	case protocol.PhaseCooldown:
		text += " for " + e.Wait.String()
	}
	fmt.Fprintf(os.Stderr, "run %d: %s\n", e.Step.Run, text)
}

// observe is a [protocol.Runner]'s Observe.
func (p *progress) observe(s protocol.Step) loadgen.Observer {
	p.finish()
	what := fmt.Sprintf("run %d: concurrency %d", s.Run, s.Level.Concurrency)
	if s.Discard {
		what = fmt.Sprintf("run %d: warmup", s.Run)
	}
	total := s.Level.Warmup + s.Level.Requests
	if p.terminal {
		p.bar = progressbar.NewOptions(total,
			progressbar.OptionSetWriter(os.Stderr),
			progressbar.OptionSetDescription(what),
			progressbar.OptionShowCount(),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionSetPredictTime(true),
		)
		return loadgen.Observer{Record: func(*loadgen.Record, *loadgen.Error) { _ = p.bar.Add(1) }}
	}
	fmt.Fprintf(os.Stderr, "%s, %d requests\n", what, total)
	done, last := 0, time.Now()
	return loadgen.Observer{Record: func(*loadgen.Record, *loadgen.Error) {
		done++
		if now := time.Now(); now.Sub(last) >= lineEvery {
			last = now
			fmt.Fprintf(os.Stderr, "%s: %d of %d requests are over\n", what, done, total)
		}
	}}
}

// finish ends the bar of the level before.
func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Exit()
		fmt.Fprintln(os.Stderr)
		p.bar = nil
	}
}
