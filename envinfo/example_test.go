package envinfo_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing/fstest"
	"time"

	"github.com/servegauge/servegauge/envinfo"
)

// The environment of the running host, as tables. A tree copied from another host is read with FS:
// os.DirFS("that/tree").
func ExampleCapture() {
	env, err := envinfo.Capture(context.Background(), envinfo.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := env.WriteText(os.Stdout); err != nil {
		fmt.Println(err)
	}
}

// A reading comes with its unit, scope and source, and what could not be read with the reason.
func ExampleValue() {
	env, err := envinfo.Capture(context.Background(), envinfo.Options{FS: fstest.MapFS{
		"proc/meminfo":           {Data: []byte("MemTotal:       1585227012 kB\n")},
		"opt/rocm/.info/version": {Data: []byte("6.4.2-120\n")},
	}, ReadTimeout: time.Minute})
	if err != nil {
		fmt.Println(err)
		return
	}
	if memory, ok := env.Host.Memory.Get(); ok {
		fmt.Println("memory:", memory, env.Host.Memory.Unit(), "from", env.Host.Memory.Source())
	}
	if _, ok := env.Host.Kernel.Get(); !ok {
		fmt.Println("kernel:", env.Host.Kernel)
	}
	for _, c := range env.Software {
		if _, ok := c.Version.Get(); ok {
			b, err := json.Marshal(c)
			fmt.Println(string(b), err)
		}
	}
	// Output:
	// memory: 1623272460288 B from /proc/meminfo: MemTotal
	// kernel: unknown (/proc/sys/kernel/osrelease: no such file)
	// {"name":"ROCm","version":{"value":"6.4.2-120","scope":"host","source":"/opt/rocm/.info/version"}} <nil>
}
