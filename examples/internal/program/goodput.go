package program

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// Percentiles is a flag of the percentiles that each metric reports: 50,99,99.9.
type Percentiles []float64

// Register registers the flag.
func (p *Percentiles) Register(flags *flag.FlagSet) {
	flags.Var(p, "percentiles", "`numbers` between 0 and 100 with commas between them, such as 50,99,99.9: the "+
		"percentiles to report, "+
		"beside the median and the 99th; not given: 90 and 95")
}

func (p *Percentiles) String() string {
	var parts []string
	for _, x := range *p {
		parts = append(parts, strconv.FormatFloat(x, 'g', -1, 64))
	}
	return strings.Join(parts, ",")
}

// Set reads the numbers.
func (p *Percentiles) Set(s string) error {
	var read Percentiles
	for part := range strings.SplitSeq(s, ",") {
		x, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(part), "p"), 64)
		if err != nil {
			return fmt.Errorf("%q: want numbers between 0 and 100, such as 50,99,99.9", part)
		}
		read = append(read, x)
	}
	if err := (loadgen.Level{Concurrency: 1, Requests: 1, Percentiles: read}).Validate(); err != nil {
		return err
	}
	*p = read
	return nil
}

// Objectives is a flag of what a request must meet to count in the goodput: ttft:500,tpot:50.
type Objectives []loadgen.Objective

// Register registers the flag.
func (o *Objectives) Register(flags *flag.FlagSet) {
	flags.Var(o, "goodput", "`metric:limit` pairs with commas between them, such as ttft:500,tpot:50 (ms): also "+
		"report "+
		"the requests per second that meet all of them, and what share does")
}

func (o *Objectives) String() string {
	var parts []string
	for _, objective := range *o {
		parts = append(parts, objective.String())
	}
	return strings.Join(parts, ",")
}

// Set reads the pairs, and refuses what could not be measured.
func (o *Objectives) Set(s string) error {
	var read Objectives
	for part := range strings.SplitSeq(s, ",") {
		name, text, ok := strings.Cut(part, ":")
		limit, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if !ok || err != nil {
			return fmt.Errorf("%q: want a metric and its limit in ms, such as ttft:500", part)
		}
		read = append(read, loadgen.Objective{Metric: strings.TrimSpace(name), Limit: limit})
	}
	err := new(loadgen.Generator).Validate(loadgen.Level{Concurrency: 1, Requests: 1, Objectives: read})
	var invalid *loadgen.InvalidError
	if errors.As(err, &invalid) { // the flag's name and value are said already
		return fmt.Errorf("%v: want %s", invalid.Value, invalid.Want)
	}
	*o = read
	return err
}
