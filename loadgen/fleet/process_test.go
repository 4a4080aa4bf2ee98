package fleet

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// roleVariable makes the test binary a worker or a coordinator, so that one can be killed.
const roleVariable = "SERVEGAUGE_FLEET_TEST_ROLE"

// A role is what a process is to be.
type role struct {
	Worker  string // its name; "": a coordinator
	URL     string
	Workers int
	Job     Job
	Takes   time.Duration
}

func TestMain(m *testing.M) {
	if text := os.Getenv(roleVariable); text != "" {
		if err := play(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if config := os.Getenv(serverVariable); config != "" {
		fmt.Fprintln(os.Stderr, serveNATS(config))
		os.Exit(1)
	}
	flag.Parse()
	if flag.Lookup("test.parallel").Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		_ = flag.Set("test.parallel", sideBySide) // they mostly wait: for somebody to be missed, for a lease to lapse
	}
	os.Exit(m.Run())
}

func play(text string) error {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() { // the test may go first
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
		time.Sleep(10 * time.Second)
		os.Exit(2)
	}()
	conn, err := Connect(ctx, Server{URL: r.URL})
	if err != nil {
		return err
	}
	defer conn.Close()
	if r.Worker != "" {
		w := &Worker{Conn: conn, Name: r.Worker, Allow: []string{testURL},
			Target: func(context.Context, Job, Files) (loadgen.Target, error) { return takes(r.Takes), nil }}
		return w.Run(ctx)
	}
	c := &Coordinator{Conn: conn, Workers: r.Workers, InMemory: true, Gather: 30 * time.Second}
	defer c.Close()
	result, err := c.Measure(ctx, r.Job, nil)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// A process is one that plays a role.
type process struct {
	*exec.Cmd
	out, complaint bytes.Buffer
	stdin          io.Closer
	done           chan struct{}
}

func (f *field) process(r role) *process {
	f.Helper()
	r.URL, r.Job.URL = f.broker.URL(), testURL
	text, err := json.Marshal(r)
	if err != nil {
		f.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		f.Fatal(err)
	}
	p := &process{Cmd: exec.Command(self), done: make(chan struct{})}
	p.Env = append(os.Environ(), roleVariable+"="+string(text))
	p.Stdout, p.Stderr = &p.out, &p.complaint
	if p.stdin, err = p.StdinPipe(); err == nil {
		err = p.Start()
	}
	if err != nil {
		f.Fatal(err)
	}
	f.wait.Go(func() { _ = p.Wait(); close(p.done) })
	f.Cleanup(func() { _ = p.Process.Kill(); _ = p.stdin.Close() })
	return p
}

// kill is kill −9.
func (p *process) kill() {
	_ = p.Process.Kill()
	<-p.done
}

// result is what a coordinator printed.
func (p *process) result(t *testing.T, limit time.Duration) *loadgen.Result {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		t.Fatalf("the coordinator hangs: %s", p.complaint.String())
	}
	var r loadgen.Result
	if err := json.Unmarshal(p.out.Bytes(), &r); err != nil {
		t.Fatalf("%v: %s", err, p.complaint.String())
	}
	return &r
}
