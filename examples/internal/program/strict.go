package program

import (
	"fmt"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/internal/nearest"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/format"
	"github.com/servegauge/servegauge/protocol/probe"
	"github.com/servegauge/servegauge/protocol/server"
)

// codes are those of all warnings that a program can give.
func codes() []string {
	all := slices.Concat(loadgen.Codes(), fleet.Codes(), openai.Codes(), protocol.Codes(), probe.Codes(),
		server.Codes(),
		format.Codes())
	slices.Sort(all)
	return all
}

// knownCode is an error for what no warning has as its code, which would never be given, and be taken for a check that
// held.
func knownCode(flag, code string) error {
	all := codes()
	if slices.Contains(all, code) {
		return nil
	}
	if near := nearest.Name(code, all); near != "" {
		return Usagef("-%s: no warning has the code %q; want %s?", flag, code, near)
	}
	if near := nearest.Names(code, all, 5); near != nil {
		return Usagef("-%s: no warning has the code %q; want %s?", flag, code, strings.Join(near, ", "))
	}
	return Usagef("-%s: no warning has the code %q; want one of those in docs/method.md, such as %s", flag, code,
		loadgen.WarnFailedRequests)
}

// strict says which warnings are fatal, as one list: codes, or words for many of them, and codes with a minus in front
// that are not. The last that fits a warning decides.
type strict string

// Words for many codes.
const (
	strictAll     = "all"     // every warning but few-samples
	strictSpoiled = "spoiled" // every warning that spoils a figure
)

const strictUsage = "warnings that are fatal (exit code 1), with commas between them: `codes`; spoiled, for all that " +
	"spoil a figure; all, for all but few-samples, which marks the tails of most short levels and spoils nothing; " +
	"-CODE, for all but that one"

// validate refuses what would never be given.
func (s strict) validate() error {
	for i, word := range s.words() {
		code, taken := strings.CutPrefix(word, "-")
		if taken && i == 0 {
			return Usagef("-strict %s: want what %s is taken out of before it, such as all,%[2]s", s, word)
		}
		if !taken && (word == strictAll || word == strictSpoiled) {
			continue
		}
		if err := knownCode("strict", code); err != nil {
			return err
		}
	}
	return nil
}

func (s strict) words() []string {
	if s == "" {
		return nil
	}
	return strings.Split(string(s), ",")
}

// fatal reports whether a warning is.
func (s strict) fatal(w loadgen.Warning) (is bool) {
	for _, word := range s.words() {
		switch word {
		case strictAll:
			is = is || w.Code != protocol.WarnFewSamples
		case strictSpoiled:
			is = is || len(w.Spoils) > 0
		case w.Code:
			is = true
		case "-" + w.Code:
			is = false
		}
	}
	return is
}

// any is an error where one of the warnings is fatal.
func (s strict) any(warnings []loadgen.Warning) error {
	var found []string
	for _, w := range warnings {
		if s.fatal(w) && !slices.Contains(found, w.Code) {
			found = append(found, w.Code)
		}
	}
	switch len(found) {
	case 0:
		return nil
	case 1:
		return fmt.Errorf("-strict: the warning %s was given", found[0])
	}
	return fmt.Errorf("-strict: the warnings %s were given", strings.Join(found, ", "))
}

// check is an error where the analysis has one of them, or the client has given one.
func (s strict) check(a *protocol.Analysis, clients []loadgen.Warning) error {
	warnings := slices.Concat(a.Warnings, clients)
	for _, p := range a.Points {
		for _, w := range p.Warnings {
			warnings = append(warnings, w.Warning)
		}
	}
	return s.any(warnings)
}
