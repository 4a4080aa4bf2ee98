package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// watch watches the level until every member has kept its result or is lost, and stops it where one is. It returns the
// cause of a ctx that was done before.
func (m *measuring) watch(ctx context.Context) (cut error) {
	stopped := (<-chan time.Time)(nil)
	asked := m.g.Stop
	done := ctx.Done()
	began := time.Unix(0, m.level.At)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	halt := func() {
		if stopped == nil {
			stopped = time.After(stopLimit)
			m.want(func(o *order) { o.Phase = stop })
		}
	}
	for {
		m.mu.Lock()
		over, lost := m.look()
		deposed, woken := m.err, m.woken
		m.mu.Unlock()
		switch {
		case deposed != nil: // nobody here says any more what is done, nor knows what was
			return deposed
		case over:
			return cut
		case lost:
			halt()
		}
		select {
		case <-woken:
		case <-ticker.C:
			m.tick(m.clock().Sub(began))
		case <-asked:
			asked = nil
			m.want(func(o *order) {
				if o.Phase == run {
					o.Phase = drain
				}
			})
		case <-done:
			done, cut = nil, context.Cause(ctx)
			halt()
		case <-stopped:
			m.mu.Lock()
			for _, w := range m.level.Members {
				if m.level.lost[w.Instance] == "" && !m.done(m.workers[w.Instance]) {
					m.level.lost[w.Instance] = fmt.Sprintf("it was asked to stop, and had no result after %v",
						stopLimit)
				}
			}
			m.mu.Unlock()
		}
	}
}

// look reports whether nothing more is to come, and whether a member is lost. What is lost stays so, whatever comes
// later. m.mu is held.
func (m *measuring) look() (over, lost bool) {
	over = true
	for _, w := range m.level.Members {
		if m.level.lost[w.Instance] != "" {
			lost = true
			continue
		}
		s := m.workers[w.Instance]
		switch {
		case s != nil && s.Session == m.level.Session && s.Phase == stored:
			continue
		case !s.alive():
			m.level.lost[w.Instance] = fmt.Sprintf("nothing was heard of it for %v", Lost)
		case s.Session == m.level.Session && s.Phase == failed:
			m.level.lost[w.Instance] = s.Why
		case s.Session != m.level.Session:
			m.level.lost[w.Instance] = "it has left the level"
		default:
			over = false
			continue
		}
		lost = true
	}
	return over, lost
}

// tick tells the observers how far the level has come, as the workers said last.
func (m *measuring) tick(elapsed time.Duration) {
	all := loadgen.Progress{Elapsed: max(elapsed, 0)}
	m.mu.Lock()
	for _, w := range m.level.Members {
		if s := m.workers[w.Instance]; s != nil && s.Session == m.level.Session {
			p := s.Progress
			all.Issued += p.Issued
			all.InFlight += p.InFlight
			all.Completed += p.Completed
			all.Failed += p.Failed
			all.Cancelled += p.Cancelled
			all.Tokens += p.Tokens
		}
	}
	m.mu.Unlock()
	for i := range m.g.Observers {
		if tick := m.g.Observers[i].Tick; tick != nil {
			guarded(func() { tick(all) })
		}
	}
}
