package program

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/fleet"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// workerVariable tells a program that it is to be a worker of a fleet on this machine, and how.
const workerVariable = "SERVEGAUGE_FLEET_WORKER"

// A childWorker is a worker that the program itself is when it is started again. It stands in the environment of the
// child, which nobody but its user can read.
type childWorker struct {
	URL       string
	Name      string
	APIKeyEnv string
	CAFile    string
	Headers   []string
}

// workChild is the child: it works until its standard input ends, which it does when the parent does.
func workChild(configuration string) error {
	var c childWorker
	if err := json.Unmarshal([]byte(configuration), &c); err != nil {
		return Usagef("%s: %v", workerVariable, err)
	}
	collectLess()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	conn, err := fleet.Connect(ctx, fleet.Server{URL: c.URL, Name: c.Name})
	switch {
	case ctx.Err() != nil: // the parent has gone, and says why itself
		return nil
	case err != nil:
		return err
	}
	defer conn.Close()
	targets := &Targets{access: &Access{apiKeyEnv: c.APIKeyEnv, caFile: c.CAFile, headers: c.Headers}}
	return (&fleet.Worker{Conn: conn, Name: c.Name, Allow: []string{fleet.AnyServer}, Target: targets.Target}).Run(ctx)
}

// children are the workers that this program has started.
type children struct {
	stopping chan struct{}
	wait     sync.WaitGroup
}

const (
	childGrace = 10 * time.Second
	childAgain = time.Second // until one is started in the place of one that ended
)

// startWorkers starts n workers, and another one in the place of one that ends.
func startWorkers(n int, url string, load *Load) (*children, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("workers are this program itself, which cannot be found: %w", err)
	}
	c := &children{stopping: make(chan struct{})}
	for i := range n {
		configuration, err := json.Marshal(childWorker{URL: url,
			Name:      fmt.Sprintf("worker-%0*d", len(fmt.Sprint(n-1)), i),
			APIKeyEnv: load.access.apiKeyEnv, CAFile: load.access.caFile, Headers: load.access.headers})
		if err != nil {
			return nil, err
		}
		c.wait.Go(func() {
			for {
				err := c.run(self, string(configuration))
				select {
				case <-c.stopping:
					return
				case <-time.After(childAgain):
					fmt.Fprintf(os.Stderr, "fleet: a worker ended and is started again: %v\n", cmp.Or(err, io.EOF))
				}
			}
		})
	}
	return c, nil
}

// run runs one worker until it ends, or until all are to stop.
func (c *children) run(self, configuration string) error {
	command := exec.Command(self)
	command.Env = append(os.Environ(), workerVariable+"="+configuration)
	command.Stderr = os.Stderr
	stdin, err := command.StdinPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-c.stopping:
	}
	_ = stdin.Close()
	select {
	case err = <-ended:
	case <-time.After(childGrace):
		_ = command.Process.Kill()
		err = <-ended
	}
	return err
}

// stop ends them all.
func (c *children) stop() {
	close(c.stopping)
	c.wait.Wait()
}

// sustainedFor is how long a worker measures itself.
const sustainedFor = 2 * time.Second

// Sustained is how many requests/s and chunks/s this machine's client does against a server beside it that answers at
// once: lower bounds, since the two share the machine.
func Sustained(ctx context.Context, concurrency int) (requests, chunks float64, err error) {
	instance, err := (&Simulation{Echo: true, FlushEach: true}).Start(ctx)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _, _ = instance.Stop(context.WithoutCancel(ctx)) }()
	client := &openai.Client{Warn: func(loadgen.Warning) {}}
	ready, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	if err := client.Ready(ready, instance.URL); err != nil {
		return 0, 0, err
	}
	target, err := client.Target(ctx, instance.URL, workload.Spec{Input: 64, Output: 16, Seed: 1})
	if err != nil {
		return 0, 0, err
	}
	if closer, ok := target.(io.Closer); ok {
		defer closer.Close()
	}
	r, err := loadgen.Measure(ctx, loadgen.Level{Concurrency: concurrency, Duration: sustainedFor, Warmup: concurrency,
		Timeout: time.Minute}, target)
	if err != nil {
		return 0, 0, err
	}
	seconds := r.Makespan.Seconds()
	if r.Accounting.Completed == 0 || seconds <= 0 {
		return 0, 0, fmt.Errorf("against a server that is no limit no request completed: %v", r.Errors)
	}
	return float64(r.Accounting.Completed) / seconds, float64(r.Stamps.Chunks()) / seconds, nil
}
