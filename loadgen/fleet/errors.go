package fleet

import (
	"fmt"
	"strings"
	"time"
)

// A DisagreementError says that workers that are to be one generator are not alike, so that nothing was measured.
type DisagreementError struct {
	What string   // "build", "workload", …
	Odd  []string // the workers that are not like most, and what each says
	Most string   // what most say
}

func (e *DisagreementError) Error() string {
	return fmt.Sprintf("the workers are not of one %s: %s; the others have %s", e.What, strings.Join(e.Odd, ", "),
		e.Most)
}

// A MissingError says that there are not as many workers as there should be.
type MissingError struct {
	Have []string // names of those that are there
	Want int
	Gone []string      // of those that were there, and went before the level began
	Deaf []string      // of those that are heard, and do not follow this coordinator
	In   time.Duration // for how long they were waited for
}

func (e *MissingError) Error() string {
	s := fmt.Sprintf("%d of %d workers are there after %v", len(e.Have), e.Want, e.In)
	if len(e.Have) > 0 {
		s += ": " + strings.Join(e.Have, ", ")
	}
	if len(e.Gone) > 0 {
		s += "; lost before the level began: " + strings.Join(e.Gone, ", ")
	}
	if len(e.Deaf) > 0 {
		s += "; heard, but not following (each says why, where it runs): " + strings.Join(e.Deaf, ", ")
	}
	return s + "; start the others, with the same fleet and server of NATS"
}

// A BusyError says that somebody else coordinates the fleet.
type BusyError struct {
	Fleet  string
	Holder string // who, as it says itself
}

func (e *BusyError) Error() string {
	return fmt.Sprintf("fleet %s is coordinated by %s; two cannot drive one fleet: wait for its end, or use "+
		"another fleet",
		e.Fleet, e.Holder)
}

// A WorkerError is what kept a worker from taking part in a level, in its own words.
type WorkerError struct {
	Name string
	Why  string
}

func (e *WorkerError) Error() string { return fmt.Sprintf("worker %s: %s", e.Name, e.Why) }
