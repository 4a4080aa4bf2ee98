package loadgen

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Answers counts what the answers of the completed measured requests lacked, or had too much of.
type Answers struct {
	// NoFinish gave no reason for their end, although they came in chunks that had choices, or other answers of the
	// level gave one.
	NoFinish int `json:"no_finish_reason,omitempty"`

	NoContent    int `json:"no_content,omitempty"`         // had nothing in them that is known as content
	Contradicted int `json:"usage_contradicted,omitempty"` // counted tokens that cannot be true of what came
	NoInput      int `json:"no_input,omitempty"`           // counted no input tokens, where some were sent
	Several      int `json:"several_choices,omitempty"`    // came in a stream of several choices
}

// Add adds the counts of more.
func (a *Answers) Add(more Answers) {
	a.NoFinish += more.NoFinish
	a.NoContent += more.NoContent
	a.Contradicted += more.Contradicted
	a.NoInput += more.NoInput
	a.Several += more.Several
}

// OtherReasons is the key in [Result.FinishReasons] of those beyond the first few distinct ones.
const OtherReasons = "(others)"

const (
	finishReasons = 16 // distinct ones that are counted; what a server says has no bound
	finishLength  = 64 // bytes of one
)

// An ending counts how answers ended. The zero ending is ready for use.
type ending struct {
	answers Answers
	reasons map[string]int

	untold int // answers without a reason and without choices: whether servers here tell is not known until one has
}

// add counts a completed request.
func (e *ending) add(r *Record) {
	switch {
	case r.Finish != "":
		e.reasons = addReason(e.reasons, r.Finish, 1)
	case r.Choices > 0:
		e.answers.NoFinish++
	default:
		e.untold++
	}
	if r.NoContent {
		e.answers.NoContent++
	}
	if r.Contradicted {
		e.answers.Contradicted++
	}
	if r.Counted && r.Input == 0 && r.AskedInput > 0 {
		e.answers.NoInput++
	}
	if r.Several && r.chunks.n > 0 {
		e.answers.Several++
	}
}

// disbelieve takes back a count of no tokens beside chunks of content, which no target should have told: it would be a
// throughput of 0.
func (r *Record) disbelieve() {
	if r.Counted && r.Output == 0 && r.chunks.seen > 0 {
		r.Counted, r.Contradicted = false, true
	}
}

// counts is what was counted.
func (e *ending) counts() (Answers, map[string]int) {
	a := e.answers
	if len(e.reasons) > 0 {
		a.NoFinish += e.untold
	}
	return a, e.reasons
}

func addReason(reasons map[string]int, reason string, n int) map[string]int {
	if reasons == nil {
		reasons = map[string]int{}
	}
	if len(reason) > finishLength {
		reason = reason[:finishLength]
	}
	reason = strings.ToValidUTF8(reason, "�")
	if _, known := reasons[reason]; !known && len(reasons) >= finishReasons {
		reason = OtherReasons
	}
	reasons[reason] += n
	return reasons
}

// mergeReasons adds up the reasons of all parts, and keeps the most frequent ones, whichever part they are of.
func mergeReasons(parts []*Result) map[string]int {
	all := map[string]int{}
	for _, part := range parts {
		for reason, n := range part.FinishReasons {
			all[reason] += n
		}
	}
	others := all[OtherReasons]
	delete(all, OtherReasons)
	frequent := slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		return cmp.Or(all[b]-all[a], strings.Compare(a, b))
	})
	for _, reason := range frequent[min(len(frequent), finishReasons):] {
		others += all[reason]
		delete(all, reason)
	}
	if others > 0 {
		all[OtherReasons] = others
	}
	if len(all) == 0 {
		return nil
	}
	return all
}

// answerWarnings say what the answers lacked, and what that leaves unknown.
func (r *Result) answerWarnings(warn func(code string, spoils []string, format string, args ...any)) {
	a, completed := r.Answers, r.Accounting.Completed
	if a.NoFinish > 0 {
		warn(WarnNoFinishReason, nil,
			"%d of %d completed requests gave no reason for their end (finish_reason), though they ended in good "+
				"order: whether the model had finished is not known",
			a.NoFinish, completed)
	}
	if a.NoContent > 0 {
		var spoils []string
		if float64(a.NoContent) > failureLimit*float64(completed) {
			spoils = r.Level.spoiledWith(TTFT, FirstAnswer, TPOT, Interactivity, ITL)
		}
		warn(WarnNoContent, spoils,
			"%d of %d completed requests had nothing in their answer that is known as content: they have no "+
				"first token, and count as not having met an objective of one; over 1 %% no figure of tokens over "+
				"time must be used",
			a.NoContent, completed)
	}
	if a.Several > 0 {
		var spoils []string
		if float64(a.Several) > failureLimit*float64(completed) {
			spoils = r.Level.spoiledWith(TPOT, Interactivity, ITL)
		}
		warn(WarnSeveralChoices, spoils,
			"%d of %d completed requests had several choices (n above 1), which come at the same time: the time "+
				"between two chunks, and that of a token of all of them, is not what a user of one waits for; ask for "+
				"one choice, or have as many more requests in flight",
			a.Several, completed)
	}
	if a.NoInput > 0 {
		warn(WarnUsageContradicted, []string{InputThroughput, TotalThroughput, SteadyInputThroughput,
			SteadyTotalThroughput},
			"in %d of %d completed requests the server's usage has no input tokens, though some were sent, as "+
				"where it "+
				"counts only those that it had not cached: how many there were is not known",
			a.NoInput, completed)
	}
	if a.Contradicted > 0 {
		spoils := append(slices.Clone(tokenThroughputs), TokensPerChunk)
		spoils = append(spoils, r.Level.goodputOf(TPOT, Interactivity)...)
		warn(WarnUsageContradicted, spoils,
			"in %d of %d completed requests the server's usage contradicts the chunks that came, as fewer tokens "+
				"than chunks of content do; it is not believed, and their tokens are not known",
			a.Contradicted, completed)
	}
}
