package format

import (
	"encoding/csv"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// CSV is two tidy tables, a figure a line: levels.csv across the runs, with mean, interval and spread, and runs.csv
// with the value of each run. A figure that must not be used has the codes of the warnings that forbid it in
// spoiled_by, and what is unknown is empty. Text that a spreadsheet would take for a formula begins with an apostrophe.
var CSV = Format{Name: "csv", Write: writeCSV}

// loadColumns tell what a line is of.
var loadColumns = []string{"arm", "input_tokens", "output_tokens", "concurrency", "rate_per_s", "arrivals", "requests"}

func loadCells(l protocol.Load, requests int) []string {
	return []string{
		cell(l.Arm), strconv.Itoa(l.Input), strconv.Itoa(l.Output), someInt(l.Concurrency), someFloat(l.Rate),
		cell(string(l.Arrivals)),
		someInt(requests),
	}
}

func writeCSV(create func(string) (io.WriteCloser, error), e *protocol.Experiment, a *protocol.Analysis) error {
	err := writeFile(create, "levels.csv", func(w io.Writer) error { return writeLevels(w, a) })
	if err != nil {
		return err
	}
	return writeFile(create, "runs.csv", func(w io.Writer) error { return writeRuns(w, e) })
}

func writeLevels(w io.Writer, a *protocol.Analysis) error {
	out := csv.NewWriter(w)
	_ = out.Write(append(append([]string{}, loadColumns...), // errors are kept, and Error tells
		"figure", "unit", "better", "n", "mean", "low", "high", "sd", "cov", "replicate", "method", "spoiled_by",
		"marked_by"))
	for _, p := range a.Points {
		load := loadCells(p.Load, p.Requests)
		for _, f := range p.Estimates {
			_ = out.Write(append(load[:len(load):len(load)],
				cell(f.Name), cell(f.Unit), f.Better.String(), strconv.Itoa(len(f.Values)),
				machine(f.Summary.Mean), machine(f.Interval.Low), machine(f.Interval.High), machine(f.Summary.SD),
				machine(f.Summary.CoV),
				cell(a.Unit), cell(f.Method), cell(strings.Join(f.SpoiledBy, " ")), cell(strings.Join(f.MarkedBy,
					" "))))
		}
	}
	out.Flush()
	return out.Error()
}

func writeRuns(w io.Writer, e *protocol.Experiment) error {
	out := csv.NewWriter(w)
	_ = out.Write(append(append([]string{"run", "seq", "time", "instance", "model"}, loadColumns...),
		"figure", "unit", "better", "value", "samples", "method", "spoiled_by"))
	for _, m := range kept(e) {
		s := m.Step
		when := ""
		if !m.Time.IsZero() {
			when = m.Time.UTC().Format(time.RFC3339)
		}
		start := []string{strconv.Itoa(s.Run), strconv.Itoa(s.Seq), when, cell(m.Instance), cell(modelOf(m))}
		load := protocol.Load{
			Arm: s.Arm, Input: s.Input, Output: s.Output, Concurrency: s.Level.Concurrency,
			Rate: s.Level.Arrivals.Rate, Arrivals: s.Level.Arrivals.Process,
		}
		start = append(start, loadCells(load, s.Level.Requests)...)
		warnings := warningsOf(m)
		for _, f := range figuresOf(m) {
			_ = out.Write(append(start[:len(start):len(start)], cell(f.Name), cell(f.Unit), f.Better.String(),
				machine(f.Value), someInt(f.N), cell(f.Method), cell(strings.Join(spoilers(warnings, f.Name), " "))))
		}
	}
	out.Flush()
	return out.Error()
}

// cell keeps text from being a formula: spreadsheets run what begins with one of these, and model names, labels and
// instances are written by others.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r\n", rune(text[0])) {
		return "'" + text
	}
	return text
}

// machine writes a number for a program to read: empty for what is not known, such as the interval of one run.
func machine(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

func someInt(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func someFloat(x float64) string {
	if x == 0 {
		return ""
	}
	return machine(x)
}
