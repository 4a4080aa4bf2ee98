package program

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/servegauge/servegauge/protocol"
	"github.com/servegauge/servegauge/protocol/design"
	"github.com/servegauge/servegauge/protocol/format"
	"github.com/servegauge/servegauge/protocol/report"
	"github.com/servegauge/servegauge/protocol/report/chart"
)

// A Report is what the report program does: it reads experiments and writes them in the formats that are asked for.
type Report struct {
	formats string
	out     string
	json    bool
}

// Register registers the flags.
func (r *Report) Register(flags *flag.FlagSet) {
	var names []string
	for _, f := range Formats {
		names = append(names, f.Name)
	}
	flags.StringVar(&r.formats, "format", "", "`formats` with commas between them, of "+strings.Join(names, ", ")+
		"; not given: text to stdout, or all of them with -out")
	flags.StringVar(&r.out, "out", "", "`directory` for the files; it is made, and files of these names in it are "+
		"written anew; "+
		"not given: stdout, which takes one format")
	flags.BoolVar(&r.json, "json", false, "print the analysis as JSON, of several experiments as a list")
}

// Run reports the experiments in dirs, on w or into -out.
func (r *Report) Run(w io.Writer, dirs []string) error {
	if len(dirs) == 0 {
		return Usagef("report: want the -out directory of an experiment, or several")
	}
	if r.json && (r.formats != "" || r.out != "") {
		return Usagef("-json with -format or -out: want one of them; with -out the analysis is in results.json")
	}
	formats, err := r.chosen()
	if err != nil {
		return err
	}
	var subjects []report.Subject
	charts := map[string][]*chart.Chart{} // by the prefix of their names
	for i, dir := range dirs {
		s, drawn, err := readSubject(dir, len(dirs) > 1)
		if err != nil {
			return err
		}
		subjects = append(subjects, s)
		charts[report.Prefix(i, len(dirs))] = drawn
	}
	if r.json && len(dirs) == 1 {
		return WriteJSON(w, subjects[0].Analysis)
	} else if r.json {
		var all []*protocol.Analysis
		for _, s := range subjects {
			all = append(all, s.Analysis)
		}
		return WriteJSON(w, all)
	}
	if len(dirs) > 1 {
		charts[""] = chart.Compare(subjects)
		drawn, err := chart.Charts(charts[""])
		if err != nil {
			return err
		}
		subjects[0].Charts = append(drawn, subjects[0].Charts...)
	}
	if r.out == "" && formats[0].Other != nil {
		return Usagef("-format %s: want -out DIR with it, for its files", formats[0].Name)
	}
	if r.out == "" {
		return formats[0].Write(w, subjects...)
	}
	if err := os.MkdirAll(r.out, 0o777); err != nil {
		return err
	}
	for prefix, drawn := range charts {
		if err := chart.Save(r.out, prefix, drawn); err != nil {
			return err
		}
	}
	if err := SaveReports(r.out, formats, subjects...); err != nil {
		return err
	}
	for _, f := range formats {
		if f.File != "" {
			fmt.Fprintln(w, filepath.Join(r.out, f.File))
		}
	}
	return nil
}

// chosen are the formats that -format names.
func (r *Report) chosen() ([]Format, error) {
	if r.formats == "" {
		if r.out == "" {
			return Formats[:1], nil
		}
		return Formats, nil
	}
	var out []Format
	for name := range strings.SplitSeq(r.formats, ",") {
		found := false
		for _, f := range Formats {
			if f.Name == strings.TrimSpace(name) {
				out, found = append(out, f), true
			}
		}
		if !found {
			var names []string
			for _, f := range Formats {
				names = append(names, f.Name)
			}
			return nil, Usagef("-format %s: want some of %s, with commas between them", name, strings.Join(names, ", "))
		}
	}
	if r.out == "" && len(out) > 1 {
		return nil, Usagef("-format %s: stdout takes one format; give -out DIR for several", r.formats)
	}
	return out, nil
}

// readSubject reads one experiment and draws its charts. Among several it is named by its directory.
func readSubject(dir string, named bool) (report.Subject, []*chart.Chart, error) {
	e, err := protocol.ReadExperiment(dir)
	if errors.Is(err, fs.ErrNotExist) { // not ours: perhaps another tool's
		e, err = format.Open(dir)
	}
	if err != nil {
		return report.Subject{}, nil, Usagef("%s: want the -out directory of an experiment, or a folder of "+
			"another tool's "+
			"results: %v", dir, err)
	}
	a := concluded(e)
	charts := chart.Draw(e, a)
	drawn, err := chart.Charts(charts)
	s := report.Subject{Experiment: e, Analysis: a, Charts: drawn}
	if named {
		s.Name = filepath.Base(filepath.Clean(dir))
	}
	return s, charts, err
}

// concluded is the analysis of an experiment that was read, with what its design finds, where that can be read too.
func concluded(e *protocol.Experiment) *protocol.Analysis {
	d, err := design.Read(bytes.NewReader(e.Design))
	if err != nil {
		return protocol.Analyze(e)
	}
	return protocol.Conclude(e, d)
}
