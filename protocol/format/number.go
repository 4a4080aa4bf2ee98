package format

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A num is a number that a file may have or lack: null and a missing member are unknown, and not 0.
type num struct {
	v     float64
	known bool
}

func known(v float64) num { return num{v, true} }

// UnmarshalJSON takes a number, null, or a number as text: vLLM writes "inf" for the rate of a closed loop, and its
// --metadata writes all values as text.
func (n *num) UnmarshalJSON(text []byte) error {
	*n = num{}
	if len(text) == 0 {
		return errors.New("nothing: want a number")
	}
	if string(text) == "null" {
		return nil
	}
	s := string(text)
	if s[0] == '"' {
		if err := json.Unmarshal(text, &s); err != nil {
			return err
		}
		if s = strings.TrimSpace(s); s == "" || strings.EqualFold(s, "nan") || strings.EqualFold(s, "n/a") {
			return nil
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return fmt.Errorf("%s: want a number", text)
	}
	if math.IsNaN(v) {
		return nil
	}
	*n = known(v)
	return nil
}

// or is n where it is known, and else the other.
func (n num) or(other num) num {
	if n.known {
		return n
	}
	return other
}

// plus, times and over are unknown where one of the two is; over also where it would divide by 0.
func (n num) plus(o num) num  { return num{n.v + o.v, n.known && o.known} }
func (n num) minus(o num) num { return num{n.v - o.v, n.known && o.known} }
func (n num) times(o num) num { return num{n.v * o.v, n.known && o.known} }
func (n num) over(o num) num {
	if !n.known || !o.known || o.v == 0 {
		return num{}
	}
	return known(n.v / o.v)
}

// positive is unknown for 0 and below, which tools write for what was not asked for: -1, or 0.
func (n num) positive() num {
	if n.v <= 0 {
		return num{}
	}
	return n
}

// finite is unknown for an infinity, which tools write for no bound.
func (n num) finite() num {
	if math.IsInf(n.v, 0) {
		return num{}
	}
	return n
}

// Bounds on what a file may say, far beyond what any machine does: a value past one is a mistake of the file or in the
// reading of its units, and is refused rather than shown.
const (
	maxCount   = 1e12 // requests or tokens
	maxRate    = 1e12 // a second
	maxSeconds = 1e9  // 31 years
)

// A checker takes numbers out of a file, and keeps the first that cannot be one.
type checker struct {
	where string
	err   error
}

func (c *checker) fail(key string, value any, want string) num {
	if c.err == nil {
		c.err = &FileError{c.where, key, value, want}
	}
	return num{}
}

func (c *checker) within(key string, n num, most float64, want string) num {
	if n.known && !(n.v >= 0 && n.v <= most) {
		return c.fail(key, n.v, want)
	}
	return n
}

// count is a number of requests or tokens. Sums of means come out a little beside whole numbers.
func (c *checker) count(key string, n num) num {
	if n.known && math.Abs(n.v-math.Round(n.v)) > 1e-6*max(1, math.Abs(n.v)) {
		return c.fail(key, n.v, "a whole number")
	}
	n.v = math.Round(n.v)
	return c.within(key, n, maxCount, "a number from 0 to 10¹²")
}

func (c *checker) rate(key string, n num) num {
	return c.within(key, n, maxRate, "a rate from 0 to 10¹² a second")
}

// milliseconds is a time that the file has in a unit of so many milliseconds.
func (c *checker) milliseconds(key string, n num, unit float64) num {
	return c.within(key, n.times(known(unit)), maxSeconds*1000, "a time from 0 to 10⁹ seconds")
}

// unitMS is how many milliseconds a unit of time is, by the names that tools have for it; of a time a token, as llm-d's
// reports have it, too.
func (c *checker) unitMS(key, unit string) float64 {
	name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(unit)), "/")
	switch name {
	case "s", "sec", "seconds":
		return 1000
	case "ms", "milliseconds":
		return 1
	case "us", "µs", "microseconds":
		return 1e-3
	case "ns", "nanoseconds":
		return 1e-6
	}
	c.fail(key, strconv.Quote(unit), "s, ms, us or ns")
	return 1
}
