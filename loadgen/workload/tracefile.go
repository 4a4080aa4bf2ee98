package workload

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the lines of traces hold.

func readMooncake(_ int, line string) (traced, bool, error) {
	var l struct {
		Timestamp *float64 `json:"timestamp"`
		Input     *int     `json:"input_length"`
		Output    *int     `json:"output_length"`
		Blocks    []uint64 `json:"hash_ids"`
	}
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return traced{}, false, incomplete(err)
	}
	switch {
	case l.Timestamp == nil || l.Input == nil || l.Output == nil:
		return traced{}, false, errors.New("want timestamp, input_length and output_length")
	case !(*l.Timestamp >= 0 && *l.Timestamp <= 1e12):
		return traced{}, false, fmt.Errorf("timestamp %v: want ms from 0 to 1e12", *l.Timestamp)
	case len(l.Blocks) > 0 && (len(l.Blocks)-1)*mooncakeBlock >= *l.Input:
		return traced{}, false, fmt.Errorf("%d hash_ids for an input of %d tokens: want one for each %d of them",
			len(l.Blocks), *l.Input, mooncakeBlock)
	}
	return traced{at: time.Duration(*l.Timestamp * 1e6), input: *l.Input, output: *l.Output, blocks: l.Blocks}, true,
		nil
}

// A csvTrace is one whose first line names its columns.
type csvTrace struct {
	at     [3]int // the column of the time, of the tokens in, of those out
	header bool
}

func (c *csvTrace) reader(when, in, out string, parse func(string) (time.Duration, error)) func(int, string) (traced,
	bool, error) {
	return func(_ int, line string) (traced, bool, error) {
		fields, err := csv.NewReader(strings.NewReader(line)).Read()
		if err != nil {
			return traced{}, false, errors.New("no line of a CSV file")
		}
		if !c.header {
			c.header = true
			for i, name := range []string{when, in, out} {
				if c.at[i] = slices.Index(fields, name); c.at[i] < 0 {
					return traced{}, false, fmt.Errorf("its columns are %q: want %s, %s and %s", fields, when, in, out)
				}
			}
			return traced{}, false, nil
		}
		if len(fields) <= max(c.at[0], c.at[1], c.at[2]) {
			return traced{}, false, fmt.Errorf("it has %d columns", len(fields))
		}
		var ask traced
		if ask.at, err = parse(fields[c.at[0]]); err != nil {
			return traced{}, false, fmt.Errorf("%s: %w", when, err)
		}
		for i, n := range []*int{&ask.input, &ask.output} {
			if *n, err = strconv.Atoi(strings.TrimSpace(fields[c.at[i+1]])); err != nil {
				return traced{}, false, fmt.Errorf("%s: want a number of tokens, not %.40q", []string{in, out}[i],
					fields[c.at[i+1]])
			}
		}
		return ask, true, nil
	}
}

// parseAzureTime reads a time of day, to 100 ns: "2023-11-16 18:15:46.6805900", and with "+00:00" in later traces.
func parseAzureTime(text string) (time.Duration, error) {
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04:05Z07:00", time.RFC3339} {
		if at, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return time.Duration(at.UnixNano()), nil
		}
	}
	return 0, fmt.Errorf("want a time such as 2023-11-16 18:15:46.6805900, not %.40q", text)
}

func parseSeconds(text string) (time.Duration, error) {
	s, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(s >= 0 && s <= 1e9) {
		return 0, fmt.Errorf("want seconds from 0 to 1e9, not %.40q", text)
	}
	return time.Duration(math.Round(s * 1e9)), nil
}

// An ownTrace is of one step: which, the first measured request tells.
type ownTrace struct {
	known    bool
	run, seq int
}

// read reads a line of a requests file. What the server counted goes before what was asked for, which text may not
// know.
//
//	{"run":1,"seq":0,"index":3,"scheduled_ns":1200,…,"input_tokens":64,"output_tokens":16,"counted":true}
func (t *ownTrace) read(_ int, line string) (traced, bool, error) {
	var l struct {
		Run         int    `json:"run"`
		Seq         int    `json:"seq"`
		Warmup      bool   `json:"warmup"`
		Discard     bool   `json:"discard"`
		Scheduled   *int64 `json:"scheduled_ns"`
		Input       int    `json:"input_tokens"`
		Output      int    `json:"output_tokens"`
		AskedInput  int    `json:"asked_input_tokens"`
		AskedOutput int    `json:"asked_output_tokens"`
	}
	if err := json.Unmarshal([]byte(line), &l); err != nil {
		return traced{}, false, incomplete(err)
	}
	switch {
	case l.Scheduled == nil:
		return traced{}, false, errors.New("want scheduled_ns, as in a requests.jsonl.gz")
	case l.Warmup || l.Discard:
		return traced{}, false, nil
	case t.known && (l.Run != t.run || l.Seq != t.seq):
		return traced{}, false, fmt.Errorf("it is of run %d, step %d, and those before are of run %d, step %d: "+
			"want the "+
			"requests of one step", l.Run, l.Seq, t.run, t.seq)
	}
	t.known, t.run, t.seq = true, l.Run, l.Seq
	ask := traced{at: time.Duration(*l.Scheduled), input: l.Input, output: l.AskedOutput}
	if ask.input == 0 {
		ask.input = l.AskedInput
	}
	if ask.output == 0 {
		ask.output = l.Output
	}
	return ask, true, nil
}

// sortByTime sorts requests that stand in the order in which they were over.
func sortByTime(asks []traced) {
	slices.SortStableFunc(asks, func(a, b traced) int { return int(a.at - b.at) })
}
