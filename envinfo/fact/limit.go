package fact

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/servegauge/servegauge/internal/number"
)

// Limit is an upper bound that may be absent: +Inf is no limit, so that the tightest of several is their minimum. As
// JSON it is a number, or "max" as the kernel writes it. The zero Limit allows nothing.
type Limit float64

// NoLimit returns the Limit that bounds nothing.
func NoLimit() Limit { return Limit(math.Inf(1)) }

// Unlimited tells whether l bounds nothing.
func (l Limit) Unlimited() bool { return math.IsInf(float64(l), 1) }

// String is "no limit", or the number.
func (l Limit) String() string {
	if l.Unlimited() {
		return "no limit"
	}
	return number.Short(float64(l), 2)
}

// MarshalJSON implements [json.Marshaler].
func (l Limit) MarshalJSON() ([]byte, error) {
	if l.Unlimited() {
		return []byte(`"max"`), nil
	}
	return json.Marshal(float64(l))
}

// UnmarshalJSON implements [json.Unmarshaler]. Anything but a number or "max" is an error.
func (l *Limit) UnmarshalJSON(b []byte) error {
	if string(b) == `"max"` {
		*l = NoLimit()
		return nil
	}
	var f float64
	if err := json.Unmarshal(b, &f); err != nil {
		return fmt.Errorf(`envinfo: a limit is %s; want a number or "max"`, b)
	}
	*l = Limit(f)
	return nil
}
