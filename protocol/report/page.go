package report

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/internal/number"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// A part is one section of the page, of one subject.
type part struct {
	id, title string
	write     func(*section, *subject)
}

// The page's sections in the order of the methodology page, then what that page lacks.
var pageParts = []part{
	{"client", "Client validation", clientPart},
	{"hardware", "Hardware", hardwarePart},
	{"software", "Software", softwarePart},
	{"images", "Container images and digests", imagesPart},
	{"models", "Model revisions", modelsPart},
	{"protocol", "Benchmark protocol", protocolPart},
	{"statistics", "Statistics", statisticsPart},
	{"configuration", "Configuration of the server", configurationPart},
	{"results", "Results", resultsPart},
	{"findings", "Findings", findingsPart},
	{"knee", "Saturation knee", kneePart},
	{"latency", "Latency", latencyPart},
	{"variance", "Variance and order of the runs", variancePart},
	{"server", "The server’s own view, and the GPUs", serverPart},
	{"energy", "Energy", energyPart},
	{"answers", "Answers", answersPart},
	{"levels", "Each level", levelsPart},
	{"warnings", "Warnings", warningsPart},
	{"unread", "What could not be read, and why", unreadPart},
	{"repeat", "How to repeat it", repeatPart},
}

// A subject is a Subject with what several parts need of it.
type subject struct {
	Subject
	*protocol.Analysis
	e *protocol.Experiment

	prefix string // of its anchors: "" where it is the only one
	lead   *Chart // that stands beside the answers, and not in its section; nil: none does
	plan   *protocol.Plan
	gpus   GPUs
}

func newSubject(given Subject) *subject {
	s := &subject{Subject: given, e: given.Experiment, Analysis: given.Analysis}
	if s.e == nil {
		s.e = &protocol.Experiment{}
	}
	if s.Analysis == nil {
		s.Analysis = protocol.Analyze(s.e)
	}
	s.plan, s.gpus = planOf(s.e.Design), CountGPUs(s.e)
	return s
}

func newDocument(all []Subject) *document {
	var subjects []*subject
	for i, given := range all {
		s := newSubject(given)
		s.prefix = Prefix(i, len(all))
		subjects = append(subjects, s)
	}
	if len(subjects) == 0 {
		return &document{Title: "Nothing was measured"}
	}
	name(subjects)
	first := subjects[0]
	d := &document{Title: title(subjects), Subtitle: subtitle(first)}
	if len(subjects) == 1 {
		d.Answers = []answersOf{{Answers: answers(first)}}
		first.lead = leadOf(first.Charts)
		d.Lead = first.lead
	} else {
		d.Subtitle = nil
		for _, s := range subjects {
			d.Subtitle = append(d.Subtitle, s.Name+": "+strings.Join(subtitle(s), ", "))
			d.Answers = append(d.Answers, answersOf{s.Name, answers(s)})
		}
		d.Sections = append(d.Sections, sideBySide(subjects))
	}
	for _, p := range pageParts {
		out := section{ID: p.id, Title: p.title}
		for _, s := range subjects {
			own := section{ID: p.id}
			p.write(&own, s)
			if len(own.Blocks) == 0 {
				continue
			}
			if len(subjects) > 1 {
				out.heading(s.prefix+p.id, s.Name)
			}
			out.add(own.Blocks...)
		}
		if len(out.Blocks) > 0 {
			d.Sections = append(d.Sections, out)
		}
	}
	for _, s := range subjects {
		for _, c := range s.Charts {
			for _, v := range c.Drawings {
				d.Scales, d.Bases = d.Scales || v.Scale == "linear", d.Bases || v.Basis == "gpu"
			}
		}
	}
	d.clean()
	return d
}

// Prefix is what stands before the names of charts and anchors of the i-th of n subjects, counted from 0.
func Prefix(i, n int) string {
	if n == 1 {
		return ""
	}
	return strconv.Itoa(i+1) + "-"
}

// Names are those by which a page tells its subjects apart: their own, else those of their plans or models.
func Names(all []Subject) (out []string) {
	var subjects []*subject
	for _, s := range all {
		subjects = append(subjects, newSubject(s))
	}
	name(subjects)
	for _, s := range subjects {
		out = append(out, s.Name)
	}
	return out
}

// name gives each subject a name that no other has.
func name(subjects []*subject) {
	taken := map[string]int{}
	for _, s := range subjects {
		if s.Name == "" {
			s.Name = cmp.Or(planName(s.plan), "experiment")
			if len(subjects) > 1 && len(s.Models) > 0 {
				s.Name = s.Models[0]
			}
		}
		s.Name = plain(s.Name)
		if taken[s.Name]++; taken[s.Name] > 1 {
			s.Name += " (" + strconv.Itoa(taken[s.Name]) + ")"
		}
	}
}

func title(subjects []*subject) string {
	if len(subjects) > 1 {
		var names []string
		for _, s := range subjects {
			names = append(names, s.Name)
		}
		return strings.Join(names, " and ")
	}
	s := subjects[0]
	what := "Inference server"
	if len(s.Models) > 0 {
		what = plain(strings.Join(s.Models, ", "))
	}
	if v := s.engine(); v != "" {
		what += " on " + v
	}
	return what
}

// subtitle are the conditions in a few words.
func subtitle(s *subject) []string {
	var out []string
	if s.gpus.Words != "" {
		out = append(out, s.gpus.Words)
	}
	if len(s.Points) > 0 {
		out = append(out, shapes(s.Analysis))
	}
	out = append(out, number.Sprintf("%d %s", s.Runs, plural(s.Runs, "run")))
	if !s.Time.IsZero() {
		out = append(out, s.Time.UTC().Format("2 January 2006, 15:04 UTC"))
	}
	if s.plan != nil {
		out = append(out, "plan "+plain(s.plan.Name))
	}
	return out
}

// shapes are the tokens in and out: of all levels, where they are of one shape.
func shapes(a *protocol.Analysis) string {
	if own := ownLengths(a); own != "" {
		return own
	}
	p := a.Points[0]
	same := !slices.ContainsFunc(a.Points, func(q protocol.Point) bool {
		return q.Input != p.Input ||
			q.Output != p.Output
	})
	if !same {
		return "several shapes"
	}
	if !a.Generates() {
		return number.Sprintf("%s tokens in", decimal(float64(p.Input), 0))
	}
	return number.Sprintf("%s tokens in, %s out", decimal(float64(p.Input), 0), decimal(float64(p.Output), 0))
}

// leads are the charts of which the first that there is stands beside the answers: what an experiment is about.
var leads = []string{"effect", "throughput", "client-throughput"}

func leadOf(charts []Chart) *Chart {
	for _, name := range leads {
		for i := range charts {
			if c := &charts[i]; c.Name == name && len(c.Drawings) > 0 {
				return c
			}
		}
	}
	return nil
}

// charts writes those of a place.
func (s *subject) charts(out *section, place Place) {
	for i := range s.Charts {
		if s.Charts[i].Place == place && len(s.Charts[i].Drawings) > 0 {
			c := s.Charts[i]
			if s.lead != nil && s.lead.Name == c.Name {
				out.text(c.Title + ": at the top of this page.")
				continue
			}
			if place != PlaceCompare {
				c.Name = s.prefix + c.Name
			}
			out.add(block{Chart: &c})
		}
	}
}

// anchor is the id of a level's part of the page.
func (s *subject) anchor(p *protocol.Point) string {
	return s.prefix + "level-" + anchorOf(p.Load.String())
}

// anchorOf is a text as a part of an id: its letters and digits.
func anchorOf(s string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			out.WriteRune(r)
		default:
			if t := out.String(); t != "" && !strings.HasSuffix(t, "-") {
				out.WriteByte('-')
			}
		}
	}
	return strings.Trim(out.String(), "-")
}

// levelCell is a level's name, which leads to its part of the page.
func (s *subject) levelCell(p *protocol.Point) Cell {
	c := textCell(levelOf(p))
	c.Link = s.anchor(p)
	if !p.Open() && p.Arm == "" {
		c.Number, c.Is = float64(p.Concurrency), true
	}
	return c
}

// estimateCell is the mean of a figure, with why it must not be used.
func estimateCell(p *protocol.Point, figure string) Cell {
	e, err := p.Figure(figure)
	if e.Name == "" {
		return Cell{Text: "–"}
	}
	return flagged(numberCell(e.Summary.Mean, sized(e.Summary.Mean)), e, err)
}

func flagged(c Cell, e protocol.Estimate, err error) Cell {
	switch {
	case err != nil:
		c.Flag, c.Bad = strings.Join(e.SpoiledBy, ", "), true
	case len(e.MarkedBy) > 0:
		c.Flag = strings.Join(e.MarkedBy, ", ")
	}
	return c
}

// sized writes a number with three or more digits that count.
func sized(x float64) string {
	switch size := max(x, -x); {
	case size >= 100:
		return decimal(x, 0)
	case size >= 10:
		return decimal(x, 1)
	case size >= 1 || size == 0:
		return decimal(x, 2)
	case size >= 0.1:
		return decimal(x, 3)
	default:
		return decimal(x, 4)
	}
}

// sizedLike writes how wide an interval around a mean is, to the same digit as the mean, below which nothing is told of
// it; to more where that would be nothing.
func sizedLike(half, mean float64) string {
	_, fraction, _ := strings.Cut(sized(mean), ".")
	if s := decimal(half, len(fraction)); strings.Trim(s, "0.,") != "" {
		return s
	}
	return sized(half)
}

// flagsCell are the codes of a point's warnings.
func flagsCell(p *protocol.Point) Cell {
	if s := flags(p); s != "" {
		return textCell(s)
	}
	return textCell("none")
}

// usable is whether a figure of a point may be used.
func usable(p *protocol.Point, figure string) bool {
	_, err := p.Figure(figure)
	return err == nil
}

// best is the point with the highest value of a figure that may be used; where none may, the highest, and false.
func best(a *protocol.Analysis, figure string) (most *protocol.Point, ok bool) {
	for _, all := range []bool{false, true} {
		top := 0.0
		for i := range a.Points {
			p := &a.Points[i]
			e, err := p.Figure(figure)
			if e.Name != "" && (err == nil || all) && e.Summary.Mean > top {
				most, top = p, e.Summary.Mean
			}
		}
		if most != nil {
			return most, !all
		}
	}
	return nil, false
}

// headline is the figure that a page leads with: the steady throughput, or that of the makespan where no level had a
// steady window that may be used.
func headline(a *protocol.Analysis) (figure string, p *protocol.Point, ok bool) {
	for _, figure := range []string{loadgen.SteadyInputThroughput, loadgen.InputThroughput, loadgen.SteadyTotalThroughput, loadgen.TotalThroughput, loadgen.RequestThroughput} {
		if p, ok := best(a, figure); ok {
			return figure, p, true
		}
	}
	p, _ = best(a, loadgen.TotalThroughput)
	return loadgen.TotalThroughput, p, false
}

// Conditions are what a picture of an experiment must say of it when it is cut out of its page: the model and the
// server, the hardware, the tokens in and out, how many runs, and when.
func Conditions(e *protocol.Experiment, a *protocol.Analysis) []string {
	d := newSubject(Subject{Experiment: e, Analysis: a})
	out := []string{title([]*subject{d})}
	for _, line := range subtitle(d) {
		if !strings.HasPrefix(line, "plan ") {
			out = append(out, line)
		}
	}
	return out
}
