package program

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// progress tells on stderr what goes on: with a line in its place on a terminal, with one now and then elsewhere.
type progress struct {
	terminal  bool
	restarts  bool           // the server is ours to start
	line      *statusLine    // of the level in progress, on a terminal
	rest      time.Duration  // that the experiment would take, at restAt
	restAt    time.Time      // zero: not known
	waited    time.Duration  // for the server, in lineEvery, that was told
	told      time.Time      // when a line last said how a calibration goes on
	estimated time.Time      // when a line last said how much is left
	plan      *protocol.Plan // nil: a design that tells nothing of its length
}

func newProgress(restarts bool) *progress {
	// A dumb terminal cannot write over a line, nor clear what is behind it.
	terminal := term.IsTerminal(int(os.Stderr.Fd())) && os.Getenv("TERM") != "dumb"
	return &progress{terminal: terminal, restarts: restarts}
}

// lineEvery is how often a level in progress says so where there is no terminal.
const lineEvery = 10 * time.Second

// leastLeft is how much must be left to be worth a line.
const leastLeft = 15 * time.Second

// event is a [protocol.Runner]'s Progress.
func (p *progress) event(e protocol.Event) {
	p.finish()
	p.waited = 0
	text := string(e.Phase)
	switch {
	case e.Phase == protocol.PhaseMeasure:
		return // observe tells
	case e.Phase == protocol.PhaseStarted:
		for _, w := range e.Warnings {
			fmt.Fprintln(os.Stderr, "warning:", oneLine(w.String()))
		}
		return
	case e.Phase == protocol.PhaseCalibrate, e.Phase == protocol.PhaseAudit:
		fmt.Fprintln(os.Stderr, text)
		return
	case e.Phase != protocol.PhaseReady && !p.restarts:
		return
	case e.Phase == protocol.PhaseCooldown:
		text += " for " + e.Wait.String()
	}
	fmt.Fprintf(os.Stderr, "%s: %s\n", runOf(e.Step), text)
}

// measured is a [protocol.Runner]'s Measured: how much is left, once that can be told.
func (p *progress) measured(e *protocol.Experiment) {
	p.finish()
	if p.plan == nil {
		return
	}
	left, known := p.plan.Remaining(e.Measurements)
	if known {
		p.rest, p.restAt = left, time.Now()
	}
	if p.terminal {
		return // the line says so
	}
	if known && left > leastLeft && time.Since(p.estimated) > lineEvery {
		p.estimated = time.Now()
		fmt.Fprintf(os.Stderr, "about %v left\n", left.Round(time.Second))
	}
}

// calibrating is an [openai.Client]'s Calibrating.
func (p *progress) calibrating(found, wanted int) {
	switch {
	case p.terminal:
		words := fmt.Sprintf("asking the server for words of one token each: %d of %d", found, wanted)
		fmt.Fprintf(os.Stderr, "\r%s\x1b[K", fitted([]string{words}, terminalWidth()-1))
		if found >= wanted {
			fmt.Fprintln(os.Stderr)
		}
	case found == 0 || time.Since(p.told) > lineEvery:
		p.told = time.Now()
		fmt.Fprintf(os.Stderr, "asking the server for words of one token each: %d of %d\n", found, wanted)
	}
}

// waiting is a [openai.Readiness]'s Progress: it says now and then what a server that is started still lacks.
func (p *progress) waiting(waited time.Duration, last error) {
	if n := waited / lineEvery; n > p.waited {
		p.waited = n
		fmt.Fprintf(os.Stderr, "after %v: %v\n", waited.Round(time.Second), oneLine(last.Error()))
	}
}

// observe is a [protocol.Runner]'s Observe.
func (p *progress) observe(s protocol.Step) loadgen.Observer {
	p.finish()
	what := fmt.Sprintf("%s: %s", runOf(s), s.Level.Load())
	if s.Discard {
		what = fmt.Sprintf("%s: warmup", runOf(s))
	}
	if s.UntilSteady {
		what += fmt.Sprintf(" at %s until steady", s.Level.Load())
	}
	total := s.Level.Warmup + s.Level.Requests
	switch {
	case s.Level.Sessions > 0:
		total = -1 // of how many requests is not known
		if s.Level.Duration > 0 {
			what += ", for " + s.Level.Duration.String() + " at most"
		}
	case s.Level.Requests == 0:
		total = -1 // bounded by time
		what += ", for " + s.Level.Duration.String()
	case s.Level.Duration > 0: // by whichever comes first
		what += ", for " + s.Level.Duration.String() + " at most"
	}
	if p.terminal {
		p.line = &statusLine{out: os.Stderr, width: terminalWidth, what: what,
			total: total, bound: s.Level.Duration, rest: p.restOfAll}
		return p.line.observer()
	}
	fmt.Fprintln(os.Stderr, what+load(s.Level))
	lines := time.Duration(0)
	return loadgen.Observer{Tick: func(p loadgen.Progress) {
		if n := p.Elapsed / lineEvery; n > lines {
			lines = n
			fmt.Fprintf(os.Stderr, "%s: %s over\n", what, share(p.Completed+p.Failed+p.Cancelled, total))
		}
	}}
}

// runOf names the run of a step.
func runOf(s protocol.Step) string {
	if s.Run == 0 {
		return "priming start"
	}
	return fmt.Sprintf("run %d", s.Run)
}

// load says how many requests a level has, those that lead it in apart.
func load(l loadgen.Level) string {
	s := ""
	if l.Requests > 0 {
		s += fmt.Sprintf(", %d requests", l.Requests)
	}
	if l.Sessions > 0 {
		s += fmt.Sprintf(", %d sessions", l.Sessions)
	}
	if l.Warmup > 0 {
		s += fmt.Sprintf(" after %d discarded", l.Warmup)
	}
	return s
}

func share(done, total int) string {
	if total < 0 {
		return fmt.Sprintf("%d requests are", done)
	}
	return fmt.Sprintf("%d of %d requests are", done, total)
}

// finish ends the line of the level before.
func (p *progress) finish() {
	if p.line != nil {
		p.line.finish()
		p.line = nil
	}
}

// restOfAll is about how long the experiment will take from now on; 0: not known.
func (p *progress) restOfAll() time.Duration {
	if p.restAt.IsZero() {
		return 0
	}
	return max(p.rest-time.Since(p.restAt), 0)
}

// terminalWidth is that of the terminal now, which may be made wider or narrower at any time.
func terminalWidth() int {
	if width, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && width > 0 {
		return width
	}
	return 80
}
