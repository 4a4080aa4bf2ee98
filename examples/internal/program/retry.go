package program

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
)

// A retryFlag says which levels are measured again, and how often: "server-died,failed-requests", or
// "2:server-died,failed-requests".
type retryFlag struct{ protocol.Retry }

func (r *retryFlag) String() string {
	if r.Times == 0 {
		return ""
	}
	return strconv.Itoa(r.Times) + ":" + strings.Join(r.Causes, ",")
}

// Set reads it.
func (r *retryFlag) Set(s string) error {
	times, causes, counted := strings.Cut(s, ":")
	n := 1
	if counted {
		var err error
		if n, err = strconv.Atoi(times); err != nil || n < 1 || n > 100 {
			return fmt.Errorf("%q: want CODES, or N:CODES with a number of tries from 1 to 100", s)
		}
	} else {
		causes = s
	}
	r.Retry = protocol.Retry{Times: n, Causes: strings.Split(causes, ",")}
	return nil
}

// knownCauses refuses causes that no warning has as its code, for which nothing would ever be measured again.
func knownCauses(r protocol.Retry) error {
	for _, code := range r.Causes {
		if err := knownCode("retry", code); err != nil {
			return err
		}
	}
	return nil
}
