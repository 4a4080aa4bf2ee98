package protocol

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/servegauge/servegauge/internal/nearest"
	"github.com/servegauge/servegauge/loadgen"
)

// ParseLimits reads limits as people write them, with commas between them:
//
//	ttft_p99<500ms, attainment>=99%, output_tokens_per_s@16>1.2k, e2e_p95@20/s<=2s
//
// Each is the name of a figure (of one turn or model: ttft_p99{turn=2}), @ and a load where not every one is meant, one of <, <=, > and >=, and a number with
// its unit. Units are those of the figures: %, tok/s, req/s, J and so on, and for times ns, us, ms, s or min. A number
// may have k or M behind it, for thousands and millions. Figures in percent and times must have their unit, so that
// 0.99 is not taken for 99 % nor 0.5 for half a second; others may go without.
//
// The load is a concurrency (16), a rate of arrivals (20/s), input and output tokens (1024x128), the name of an arm, or
// several of these with colons between them: @b:1024x128:16.
//
// known are the figures that there can be, such as [loadgen.PossibleFigures]: any other name is an error, with the one
// that is most like it. None: every name is taken, and found to be wrong only by [Analysis.Check]. Errors are
// [*LimitError].
func ParseLimits(text string, known ...loadgen.Figure) ([]Limit, error) {
	p := limitParser{text: text, known: known}
	var out []Limit
	for {
		l, err := p.limit()
		if err != nil {
			return nil, err
		}
		out = append(out, l)
		p.space()
		switch {
		case p.at == len(text):
			return out, nil
		case !p.accept(","):
			return nil, p.wrong(p.at, "a comma and another limit, or the end")
		}
	}
}

// limitParser is at a place in a text.
type limitParser struct {
	text  string
	at    int
	known []loadgen.Figure
}

// wrong is an error about what stands at a place: the word there, or the one character.
func (p *limitParser) wrong(at int, want string) *LimitError {
	end := at
	for end < len(p.text) {
		r, size := utf8.DecodeRuneInString(p.text[end:])
		if end > at && !isWord(r) {
			break
		}
		if end += size; !isWord(r) {
			break
		}
	}
	return &LimitError{Text: p.text, Position: at, Found: p.text[at:end], Want: want}
}

func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || r == '_' || r == '.' || r == '-'
}

func (p *limitParser) space() {
	p.at = len(p.text) - len(strings.TrimLeftFunc(p.text[p.at:], unicode.IsSpace))
}

// accept goes over s if it stands here.
func (p *limitParser) accept(s string) bool {
	if !strings.HasPrefix(p.text[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

// take goes over what is in a set of characters, and returns it.
func (p *limitParser) take(in func(rune) bool) string {
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(r rune) bool { return !in(r) })
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end]
}

func (p *limitParser) limit() (l Limit, err error) {
	p.space()
	start := p.at
	l.Figure = p.take(isWord)
	if l.Figure == "" {
		return l, p.wrong(start, "the name of a figure, as in ttft_p99<500ms")
	}
	figure, err := p.figure(start, l.Figure)
	if err != nil {
		return l, err
	}
	if err := p.group(&l.Figure); err != nil {
		return l, err
	}
	p.space()
	if p.accept("@") {
		p.space()
		if l.At, err = p.load(); err != nil {
			return l, err
		}
		p.space()
	}
	upper := false
	switch {
	case p.accept("<=") || p.accept("≤"):
		upper = true
	case p.accept("<"):
		upper, l.Strict = true, true
	case p.accept(">=") || p.accept("≥"):
	case p.accept(">"):
		l.Strict = true
	default:
		return l, p.wrong(p.at, "one of <, <=, > and >=, and a number")
	}
	bound, unit, err := p.bound(figure)
	if upper {
		l.Max = bound
	} else {
		l.Min = bound
	}
	l.Unit = unit
	return l, err
}

// group reads the group of requests that a figure is of, where one follows: {turn=2} of ttft_p99{turn=2}.
func (p *limitParser) group(figure *string) error {
	start := p.at
	if !p.accept("{") {
		return nil
	}
	by := p.take(isWord)
	named := p.accept("=")
	name := p.take(func(r rune) bool { return isWord(r) || strings.ContainsRune("/:+@ ", r) })
	if !named || name == "" || !p.accept("}") || by != loadgen.ByTurn && by != loadgen.ByModel {
		return p.wrong(start, "a group of requests, as in ttft_p99{turn=2} or ttft_p99{model=NAME}")
	}
	*figure = loadgen.GroupName(*figure, by, name)
	return nil
}

// figure finds a figure among those that there can be. Where all names are taken it is one that every level can have,
// of any percentile, and else empty.
func (p *limitParser) figure(at int, name string) (loadgen.Figure, error) {
	find := func(in []loadgen.Figure, name string) (loadgen.Figure, bool) {
		if i := slices.IndexFunc(in, func(f loadgen.Figure) bool { return f.Name == name }); i >= 0 {
			return in[i], true
		}
		return loadgen.Figure{}, false
	}
	if len(p.known) > 0 {
		if f, ok := find(p.known, name); ok {
			return f, nil
		}
		err := p.wrong(at, "the name of a figure that there can be")
		err.Found, err.Figures = name, names(p.known)
		err.Nearest = nearest.Name(name, err.Figures)
		return loadgen.Figure{}, err
	}
	f, ok := find(builtin, name)
	if metric, _, is := loadgen.QuantileOf(name); !ok && is {
		f, _ = find(builtin, loadgen.MeanName(metric))
	}
	return f, nil
}

// builtin are the figures that a level can have without metrics of one's own. Those of its objectives have the
// names of metrics, and are in percent.
var builtin = func() []loadgen.Figure {
	var goals []loadgen.Objective
	for _, metric := range []string{loadgen.TTFT, loadgen.TPOT, loadgen.E2E, loadgen.Interactivity, loadgen.Response} {
		goals = append(goals, loadgen.Objective{Metric: metric, Limit: 1})
	}
	closed := loadgen.Level{Concurrency: 1, Requests: 1, Objectives: goals}
	open := closed
	open.Arrivals = loadgen.Arrivals{Process: loadgen.PoissonArrivals, Rate: 1}
	return slices.Concat(loadgen.PossibleFigures(closed), loadgen.PossibleFigures(open))
}()

// load reads what is between @ and the comparison: "16", "20/s", "1024x128", "b", with colons between them.
func (p *limitParser) load() (l Load, err error) {
	for {
		p.space()
		start := p.at
		word := p.take(func(r rune) bool { return isWord(r) || r == '/' })
		if word == "" {
			return l, p.wrong(start, "a load: a concurrency such as 16, a rate such as 20/s, tokens such as 1024x128, or an arm")
		}
		if !l.say(word) {
			e := p.wrong(start, "each part of a load once, and its numbers above 0")
			e.Found = word
			return l, e
		}
		p.space()
		if !p.accept(":") {
			return l, nil
		}
	}
}

// say takes over one part of a load as it is written, and reports whether it could be.
func (l *Load) say(word string) bool {
	if rate, ok := strings.CutSuffix(word, "/s"); ok {
		r, err := strconv.ParseFloat(rate, 64)
		if err != nil || !(r > 0) || math.IsInf(r, 0) || l.Rate != 0 {
			return false
		}
		l.Rate = r
		return true
	}
	if n, err := strconv.Atoi(word); err == nil {
		if n < 1 || l.Concurrency != 0 {
			return false
		}
		l.Concurrency = n
		return true
	}
	if in, out, ok := strings.Cut(word, "x"); ok {
		input, errIn := strconv.Atoi(in)
		output, errOut := strconv.Atoi(out)
		if errIn == nil && errOut == nil {
			if input < 0 || output < 0 || input == 0 && output == 0 || l.Input != 0 || l.Output != 0 {
				return false
			}
			l.Input, l.Output = input, output
			return true
		}
	}
	switch process := loadgen.Process(word); process {
	case loadgen.ConstantArrivals, loadgen.PoissonArrivals, loadgen.GammaArrivals, loadgen.TraceArrivals:
		if l.Arrivals != "" {
			return false
		}
		l.Arrivals = process
		return true
	}
	if l.Arm != "" || strings.Contains(word, "/") || unicode.IsDigit([]rune(word)[0]) || word[0] == '-' {
		return false
	}
	l.Arm = word
	return true
}

// bound reads a number with its unit, "1.5s", and puts times in ms.
func (p *limitParser) bound(of loadgen.Figure) (x float64, unit string, err error) {
	p.space()
	start := p.at
	digits := p.number()
	x, parseErr := strconv.ParseFloat(digits, 64)
	if parseErr != nil || !(x > 0) || math.IsInf(x, 0) {
		e := p.wrong(start, "a number above 0, with its unit")
		if digits != "" {
			e.Found = digits
		}
		return 0, "", e
	}
	p.space()
	unitAt := p.at
	unit = p.take(func(r rune) bool { return unicode.IsLetter(r) || r == '%' || r == '/' })
	scale := 1.0
	for _, thousands := range []struct {
		letter string
		is     float64
	}{{"k", 1e3}, {"M", 1e6}} {
		if rest, ok := strings.CutPrefix(unit, thousands.letter); ok && (rest == "" || strings.HasSuffix(rest, "/s")) {
			unit, scale = rest, thousands.is
			if unit == "" { // "2k tok/s"
				p.space()
				unit = p.take(func(r rune) bool { return unicode.IsLetter(r) || r == '%' || r == '/' })
			}
			break
		}
	}
	if x *= scale; math.IsInf(x, 0) {
		return 0, "", p.wrong(start, "a number that there is")
	}
	if factor, ok := timeUnits[unit]; ok {
		x, unit = x*factor, "ms"
	}
	if err := p.checkUnit(unitAt, unit, of); err != nil {
		return 0, "", err
	}
	return x, unit, nil
}

// number goes over digits with a point and an exponent.
func (p *limitParser) number() string {
	start := p.at
	isDigit := func(r rune) bool { return r >= '0' && r <= '9' }
	if !p.accept("-") {
		p.accept("+")
	}
	p.take(func(r rune) bool { return isDigit(r) || r == '.' })
	before := p.at
	if p.accept("e") || p.accept("E") {
		if !p.accept("-") {
			p.accept("+")
		}
		if p.take(isDigit) == "" {
			p.at = before // it is the beginning of a unit
		}
	}
	return p.text[start:p.at]
}

// checkUnit refuses a unit that is not the figure's, as far as the figure is known, and none where that misleads.
func (p *limitParser) checkUnit(at int, unit string, of loadgen.Figure) error {
	var want string
	_, isTime := timeUnits[of.Unit]
	switch {
	case of.Name == "" || unit == of.Unit && unit != "":
		return nil
	case unit == "" && of.Unit == "%":
		want = "% behind the number, as in 99%"
	case unit == "" && isTime:
		want = "the unit behind the number: ms, s, us, ns or min"
	case unit == "" || isTime && unit == "ms":
		return nil
	case isTime:
		want = "a unit of time: ms, s, us, ns or min"
	case of.Unit == "":
		want = "no unit, which the figure has not"
	default:
		want = fmt.Sprintf("the figure's unit, %s", of.Unit)
	}
	e := p.wrong(at, want)
	if unit != "" && at < len(p.text) {
		e.Found = strings.TrimSpace(p.text[at:p.at])
	}
	return e
}
