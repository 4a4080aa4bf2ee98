package fleet

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// A Status is what is to be seen of a fleet from outside.
type Status struct {
	Coordinator string         `json:"coordinator,omitempty"` // who coordinates; "": nobody was heard
	Workers     []WorkerStatus `json:"workers"`               // by their names
}

// A WorkerStatus is a worker as it presents itself.
type WorkerStatus struct {
	Name      string  `json:"name"`
	Instance  string  `json:"instance"` // of this start of it
	Version   string  `json:"version"`
	Build     string  `json:"build"`
	CPUs      float64 `json:"cpus"`
	State     string  `json:"state"` // "idle", "prepared", "running", …
	Why       string  `json:"why,omitempty"`
	Completed int     `json:"completed"` // requests of its present level
	InFlight  int     `json:"in_flight"`
}

// Look listens to a fleet for so long (workers speak twice a second) and says who is there. It disturbs nobody.
func Look(ctx context.Context, conn *nats.Conn, fleet string, d time.Duration) (Status, error) {
	n, err := namesOf(fleet)
	if err != nil {
		return Status{}, err
	}
	var mu sync.Mutex
	s := Status{Workers: []WorkerStatus{}}
	latest := map[string]beat{}
	beats, err := conn.Subscribe(n.beat("*"), func(m *nats.Msg) {
		var b beat
		if decode(m.Data, &b) != nil || !b.valid(m.Subject, n) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if len(latest) < mostWorkers {
			latest[b.Instance] = b
		}
	})
	if err != nil {
		return Status{}, err
	}
	defer beats.Unsubscribe()
	orders, err := conn.Subscribe(n.order(), func(m *nats.Msg) {
		var o order
		if decode(m.Data, &o) != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		s.Coordinator = cutText(o.Holder, mostName)
	})
	if err != nil {
		return Status{}, err
	}
	defer orders.Unsubscribe()
	select {
	case <-time.After(d):
	case <-ctx.Done():
		return Status{}, context.Cause(ctx)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, b := range latest {
		if !b.Left {
			s.Workers = append(s.Workers, WorkerStatus{Name: b.Name, Instance: b.Instance, Version: b.Program,
				Build: b.Build,
				CPUs:  b.CPUs, State: string(b.Phase), Why: b.Why, Completed: b.Progress.Completed,
				InFlight: b.Progress.InFlight})
		}
	}
	slices.SortFunc(s.Workers, func(a, b WorkerStatus) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Instance, b.Instance))
	})
	return s, nil
}
