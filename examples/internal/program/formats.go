package program

import (
	"bytes"
	"io"

	"github.com/servegauge/servegauge/internal/wholefile"
	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/format"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/report/chart"
)

// A Format is one form in which experiments are reported, and its file in an experiment's directory.
type Format struct {
	Name, File string
	Write      func(io.Writer, ...report.Subject) error

	// Other writes the files that other tools read, of one experiment, in the place of File and Write.
	Other *format.Format
}

// Formats are all of them, in the order in which -help names them.
var Formats = func() []Format {
	out := []Format{
		{Name: "text", File: "report.txt", Write: texts},
		{Name: "md", File: "report.md", Write: report.Markdown},
		{Name: "html", File: "report.html", Write: report.HTML},
	}
	for _, f := range format.All() {
		if f.Write != nil {
			out = append(out, Format{Name: f.Name, Other: &f})
		}
	}
	return out
}()

// texts are the tables for a terminal, of one experiment after the other.
func texts(w io.Writer, subjects ...report.Subject) error {
	for i, s := range subjects {
		if i > 0 {
			if _, err := io.WriteString(w, "\n\n"); err != nil {
				return err
			}
		}
		if err := report.Text(w, s.Analysis); err != nil {
			return err
		}
	}
	return nil
}

// Save writes the results of an experiment, its charts and its reports into its directory. "": nothing.
func Save(dir string, e *protocol.Experiment, a *protocol.Analysis, charts []*chart.Chart) error {
	if dir == "" {
		return nil
	}
	if err := a.Save(dir); err != nil {
		return err
	}
	if err := chart.Save(dir, "", charts); err != nil {
		return err
	}
	drawn, err := chart.Charts(charts)
	if err != nil {
		return err
	}
	return SaveReports(dir, Formats, report.Subject{Experiment: e, Analysis: a, Charts: drawn})
}

// SaveReports writes the reports of experiments into a directory. What other tools read is of one experiment: of
// several it is left out, and of one in which nothing was measured.
func SaveReports(dir string, formats []Format, subjects ...report.Subject) error {
	for _, f := range formats {
		if f.Other != nil {
			if len(subjects) == 1 && len(subjects[0].Analysis.Points) > 0 {
				if err := format.Write(dir, subjects[0].Experiment, subjects[0].Analysis, *f.Other); err != nil {
					return err
				}
			}
			continue
		}
		var out bytes.Buffer
		if err := f.Write(&out, subjects...); err != nil {
			return err
		}
		if err := wholefile.WriteIn(dir, f.File, out.Bytes()); err != nil {
			return err
		}
	}
	return nil
}
