package loadgen

import (
	"maps"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
)

// A Warning says what is doubtful about a result, and which of its figures must not be used. Warnings are data:
// they travel with the result into every format.
type Warning struct {
	Code    string   `json:"code"`    // stable, to be tested for: "prompt-capped"
	Message string   `json:"message"` // what happened, with the numbers, and what to do
	Spoils  []string `json:"spoils"`  // names of the figures that must not be used; All for every one of them
}

// All in [Warning.Spoils] stands for every figure, [Steady] for those of the steady window, and "*{turn=2}" for those
// of a group. What spoils a figure of the level spoils it of its groups too.
const (
	All    = "*"
	Steady = "steady_*"
)

// SpoilsFigure reports whether the figure called name must not be used.
func (w Warning) SpoilsFigure(name string) bool {
	of, _, _, group := GroupOf(name)
	return slices.ContainsFunc(w.Spoils, func(s string) bool {
		prefix, wild := strings.CutSuffix(s, "*")
		if suffix, all := strings.CutPrefix(s, All); all && group && suffix != "" {
			return strings.HasSuffix(name, suffix)
		}
		return s == name || wild && strings.HasPrefix(name, prefix) || group && s == of
	})
}

// Invalidates reports whether the level was not measured at all, rather than under conditions that spoil some figures.
func (w Warning) Invalidates() bool {
	return w.Code == WarnCutShort || w.Code == WarnFailedRequests && len(w.Spoils) > 0
}

func (w Warning) String() string { return w.Code + ": " + w.Message }

// Codes of the warnings that a level's own records can give rise to.
const (
	WarnPromptCapped = "prompt-capped" // fewer requests than the concurrency: it was never reached
	// The mean of measured requests in their slots was below 95 % of the concurrency, or over 1 % of them were issued
	// during the ramp-up.
	WarnRampDominated = "ramp-dominated"

	WarnNoSteadyWindow        = "no-steady-window"        // the last request was issued before the first wave had gone
	WarnShortWindow           = "short-window"            // too few completions in the steady window
	WarnConcurrencyNotReached = "concurrency-not-reached" // never in flight, or below 95 % inside the steady window
	WarnFailedRequests        = "failed-requests"         // some requests failed
	WarnTooLong               = "context-too-long"        // some requests have more tokens than the server can take
	WarnRetried               = "retried"                 // some requests were tried more than once
	WarnTokensUnknown         = "tokens-unknown"          // the server did not count tokens
	WarnTokenMismatch         = "token-mismatch"          // the server's counts are not what was asked for
	WarnMultiTokenChunks      = "multi-token-chunks"      // chunks hold several tokens: ITL is between chunks, not tokens
	// Results were merged, and there is no steady window that all share, or none that is known.
	WarnMergedWindow = "merged-window"
	WarnCutShort     = "cut-short" // the level was stopped or cancelled before its end

	WarnRateNotReached = "rate-not-reached" // open loop: sent below 95 % of the offered rate, or too late
	WarnDelayed        = "delayed"          // open loop: arrivals were held back, because the most allowed were in flight
	WarnOverloaded     = "overloaded"       // open loop: the requests outstanding kept growing

	WarnNoFinishReason    = "no-finish-reason"   // completed requests that did not say why they ended
	WarnNoContent         = "no-content"         // completed requests in which nothing was known as content
	WarnUsageContradicted = "usage-contradicted" // token counts that cannot be true of what came
	WarnSeveralChoices    = "several-choices"    // answers of several choices, whose chunks come between one another
	WarnTPOTEstimated     = "tpot-estimated"     // TPOT divides by output tokens − 1, for want of better knowledge
	WarnTokensUnmatched   = "tokens-unmatched"   // tokens that may have been generated before the first chunk, unseen
	WarnBunched           = "bunched-arrivals"   // chunks were held back on the way and came together
	WarnChunksTogether    = "chunks-together"    // chunks come several at a time: ITL is how they are sent
	WarnArrivalsUnsure    = "arrivals-unsure"    // chunks came in one read with later data, and perhaps earlier
	WarnCensored          = "censored-tail"      // percentiles of the completed requests are not those of all issued
)

const (
	inFlightFloor       = 0.95 // of the concurrency; below it a level did not hold the load that it is named after
	windowCompletions   = 3    // × the concurrency, that a steady window needs
	tokensPerChunkLimit = 1.05 // above it ITL is no longer the time between tokens
	failureLimit        = 0.01 // share of failed requests above which the rest is not a measurement of this load
)

var makespanThroughputs = []string{RequestThroughput, InputThroughput, OutputThroughput, TotalThroughput, GoodputThroughput}

var tokenThroughputs = []string{InputThroughput, OutputThroughput, TotalThroughput, SteadyInputThroughput,
	SteadyOutputThroughput, SteadyTotalThroughput}

// recomputed reports whether the warning is one that the warnings method below gives rise to.
func (w Warning) recomputed() bool {
	return slices.Contains([]string{
		WarnPromptCapped, WarnRampDominated, WarnNoSteadyWindow, WarnShortWindow, WarnConcurrencyNotReached,
		WarnFailedRequests, WarnRetried, WarnTokensUnknown, WarnTokenMismatch, WarnMultiTokenChunks, WarnMergedWindow,
		WarnCutShort,
		WarnRateNotReached, WarnDelayed, WarnOverloaded, WarnLateEnd, WarnBursty,
		WarnNoFinishReason, WarnNoContent, WarnUsageContradicted, WarnSeveralChoices, WarnTPOTEstimated,
		WarnTokensUnmatched, WarnBunched, WarnChunksTogether,
		WarnArrivalsUnsure, WarnCensored, WarnSessionsBroken, WarnTooLong}, w.Code)
}

// warnings holds the gates over a level's result: what the conditions that it really had have spoiled.
func (r *Result) warnings() []Warning {
	var out []Warning
	warn := func(code string, spoils []string, format string, args ...any) {
		out = append(out, Warning{Code: code, Message: number.Sprintf(format, args...), Spoils: spoils})
	}
	if r.Open != nil {
		r.openWarnings(warn)
	} else {
		r.closedWarnings(warn)
	}
	a := r.Accounting
	if failed, issued := a.Failed+r.Warmup.Failed, a.Issued+r.Warmup.Issued; failed > 0 {
		var spoils []string
		share := float64(failed) / float64(issued)
		long := r.tooLong(warn)
		if float64(failed-long)/float64(issued) > failureLimit || float64(long)/float64(issued) > tooLongLimit {
			spoils = []string{All}
		}
		example := ""
		if len(r.Errors) > 0 {
			example = ", such as: " + r.Errors[0].Example
		}
		warn(WarnFailedRequests, spoils,
			"%d of %d requests (%.3g %%, warmup included) failed%s; over 1 %% (those that are too long for the server "+
				"apart, which may be 10 %%) no figure must be used",
			failed, issued, 100*share, example)
	}
	r.sessionWarning(warn)
	r.retryWarning(warn)
	r.lateEndWarning(warn)
	if r.Tokens.Uncounted > 0 {
		spoils := slices.Clone(tokenThroughputs)
		// Those requests cannot be shown to meet an objective of these, or not to.
		spoils = append(spoils, r.Level.goodputOf(TPOT, Interactivity)...)
		warn(WarnTokensUnknown, spoils,
			"how many tokens %d of %d requests had was not told (Record.Counted), which is not 0",
			r.Tokens.Uncounted, a.Completed)
	}
	if r.Tokens.Mismatch > 0 {
		off := ""
		for _, d := range []struct {
			name string
			Deviation
		}{{"input", r.Tokens.InputOff}, {"output", r.Tokens.OutputOff}} {
			if d.Requests > 0 {
				off += number.Sprintf(" (%s: in %d, by %+.1f tokens on average and %d at most)", d.name, d.Requests,
					float64(d.Sum)/float64(d.Requests), d.Most)
			}
		}
		warn(WarnTokenMismatch, nil,
			"in %d of %d requests the server's token counts are not what was asked for%s; figures use the "+
				"server's counts",
			r.Tokens.Mismatch, a.Completed, off)
	}
	if c := r.Tokens.Chunking; c.manyTokens() {
		warn(WarnMultiTokenChunks, nil,
			"the server sent %.2f tokens a chunk (%d in %d): ITL is the gap between chunks, not between tokens; "+
				"TPOT is the time a token",
			float64(c.Tokens)/float64(c.Chunks), c.Tokens, c.Chunks)
	}
	r.answerWarnings(warn)
	r.tpotWarnings(warn)
	r.bunchingWarning(warn)
	r.unsureWarning(warn)
	r.censoredWarning(warn)
	if r.CutShort {
		warn(WarnCutShort, []string{All}, "the level was cut short: %d requests were issued, %d of them cancelled",
			a.Issued, a.Cancelled)
	}
	return out
}

// tooLongLimit is the share of requests that are too long for the server from which on what is left is another load. They
// are refused at once, and are no work for it; a trace of another server has some.
const tooLongLimit = 0.1

// tooLong counts the requests that the server cannot do, which were sent all the same.
func (r *Result) tooLong(warn func(code string, spoils []string, format string, args ...any)) (n int) {
	for _, e := range r.Errors {
		if e.Class == ClassTooLong {
			n += e.Count
		}
	}
	if n > 0 {
		warn(WarnTooLong, nil, "%d of %d requests have more tokens than the server takes, which refused them: they are among "+
			"the failed ones, and the load and all figures are of the others", n, r.Accounting.Issued+r.Warmup.Issued)
	}
	return n
}

// closedWarnings are the gates that only a closed loop can fail.
func (r *Result) closedWarnings(warn func(code string, spoils []string, format string, args ...any)) {
	level := r.Level.own()
	c := level.Concurrency
	want := inFlightFloor * float64(c)
	a, h := r.Accounting, r.held()

	capped := h.asked > 0 && h.asked < c
	unreached := !capped && h.peak < c
	if capped {
		warn(WarnPromptCapped, []string{All},
			"%d %s cannot keep %d in flight, at most %d were: this is not a measurement at concurrency %d; "+
				"use at least %d %s",
			r.arrivals(), h.what, c, min(h.peak, r.arrivals()), c, 10*c, h.what)
	}
	if unreached {
		why := "because " + h.what + " were over sooner than the client could send others"
		if level.RampUp > 0 {
			why += ", or all of them before the ramp-up was"
		}
		warn(WarnConcurrencyNotReached, []string{All},
			"at most %d of %d were ever in flight, %s: this is not a measurement at concurrency %d",
			h.peak, c, why, c)
	}
	if !capped && !unreached {
		var spoils, why []string
		if h.measured < want {
			spoils = append(spoils, makespanThroughputs...)
			because := "its throughput is that of the start and the drain as well; use the steady figures, or more requests"
			if r.Steady != nil && h.steady < want {
				because = "its throughput is that of fewer in flight, in the steady window too"
			}
			why = append(why, number.Sprintf("%.1f measured %s of %d were in their slots on average over the "+
				"makespan, below 95 %%: %s",
				h.measured, h.what, c, because))
		}
		if n := r.InFlight.InRamp; float64(n) > rampLimit*float64(a.Issued) {
			spoils = append(spoils, r.perRequestFigures()...)
			why = append(why, number.Sprintf("%d of %d measured requests were issued before all %d slots had started, "+
				"in the ramp-up over %v: latencies are those of fewer in flight as well; use at least %d more warmup requests",
				n, a.Issued, c, level.RampUp, n))
		}
		if len(why) > 0 {
			warn(WarnRampDominated, spoils, "%s", strings.Join(why, "; and "))
		}
	}
	switch w := r.Steady; {
	case unreached:
		// said already
	case w == nil && r.Generators > 1:
		warn(WarnMergedWindow, []string{Steady},
			"the results of %d generators were merged, and no whole bin of their timeline is in the steady "+
				"window of each: use the figures over the makespan, or more requests",
			r.Generators)
	case w == nil:
		warn(WarnNoSteadyWindow, []string{Steady},
			"the last of %d %s was issued before the first wave of %d had gone, so the load was never "+
				"steady; use at least %d %s",
			r.arrivals()+level.Warmup, h.what, max(c, level.Warmup), 10*c, h.what)
	case w.Completions < windowCompletions*c:
		warn(WarnShortWindow, []string{Steady},
			"%d requests completed in the steady window, and %d (3 × the concurrency) are needed; use at least %d requests",
			w.Completions, windowCompletions*c, 10*c)
	case h.steady < want:
		warn(WarnConcurrencyNotReached, []string{Steady},
			"%.1f of %d slots were taken inside the steady window, below 95 %%: the client did not keep the "+
				"server loaded; it, or a machine that the two share, was the limit",
			h.steady, c)
	}
}

// perRequestFigures are the names of the figures that requests or their chunks are behind one by one, those of the
// user's metrics and of the goodput included.
func (r *Result) perRequestFigures() []string {
	metrics := slices.Sorted(maps.Keys(r.Distributions))
	return r.Level.spoiledWith(metrics...)
}
