package envinfo_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/fact"
)

func lines(differences []envinfo.Difference) string {
	var out strings.Builder
	for _, d := range differences {
		fmt.Fprintln(&out, d.Matters, d)
	}
	return out.String()
}

func TestDiff(t *testing.T) {
	host := mi325x().with(tree{"proc/self/environ": "NCCL_DEBUG=INFO\x00VLLM_USE_V1=1\x00"})
	without := func(name string) tree { out := host.with(); delete(out, name); return out }
	moved := host.with()
	for i := range 8 {
		file := fmt.Sprintf("%s%d/properties", nodesDir, 2+i)
		moved[file] = strings.ReplaceAll(moved[file], fmt.Sprint("location_id ", (5+i)<<8),
			fmt.Sprint("location_id ", (0x85+i)<<8))
	}
	for _, test := range []struct {
		name string
		b    tree
		want string
	}{
		{"the same", host, ""},
		{"another name", host.with(tree{"proc/sys/kernel/hostname": "gpu-02"}), "false changed: host.hostname: " +
			"gpu-01 → gpu-02\n"},
		{"another kernel", host.with(tree{"proc/sys/kernel/osrelease": "6.11.0"}), "true changed: host.kernel: " +
			"6.8.0-60-generic → 6.11.0\n" +
			"true changed: software[amdgpu@host].version: in-tree, kernel 6.8.0-60-generic → in-tree, kernel 6.11.0\n"},
		{"no RCCL", without("opt/rocm/include/rccl/rccl.h"), "true not comparable: software[RCCL@host].version: " +
			"2.22.3 → unknown " +
			"(no include/rccl/rccl.h or include/rccl.h in /opt/rocm, /opt/rocm/core; no lib/librccl.so.1 in " +
			"/opt/rocm, /opt/rocm/core)\n"},
		{"another variable", host.with(tree{"proc/self/environ": "NCCL_DEBUG=INFO\x00NCCL_ALGO=Ring\x00"}),
			"true only in the first: variables.list[VLLM_USE_V1]: 1 → –\ntrue only in the second: " +
				"variables.list[NCCL_ALGO]: – → Ring\n"},
		{"variables unread", without("proc/self/environ"), "false not comparable: variables.count: 2 → unknown " +
			"(/proc/self/environ: no such file)\n" +
			"true not comparable: variables.list[NCCL_DEBUG]: INFO → unknown (/proc/self/environ: no such file)\n" +
			"true not comparable: variables.list[VLLM_USE_V1]: 1 → unknown (/proc/self/environ: no such file)\n"},
		{"a mode", host.with(tree{"sys/class/drm/renderD129/device/current_memory_partition": "NPS4"}),
			"true changed: amd.cards[0000:06:00.0].memory_partition: NPS1 → NPS4\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			a, b := capture(t, host.fs()), capture(t, test.b.fs())
			if diff := cmp.Diff(test.want, lines(envinfo.Diff(a, b))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if n := len(envinfo.Diff(b, a)); n != len(envinfo.Diff(a, b)) {
				t.Errorf("%d differences the other way round", n)
			}
		})
	}

	// Cards in other slots are compared in their order, and differ in nothing but the addresses.
	for _, d := range envinfo.Diff(capture(t, host.fs()), capture(t, moved.fs())) {
		if d.Matters || d.Kind != envinfo.Changed || !strings.HasSuffix(d.Path, "location") {
			t.Errorf("cards in other slots: %v", d)
		}
	}
	// A card less.
	less := host.with()
	for name := range less {
		if strings.HasPrefix(name, nodesDir+"9/") {
			delete(less, name)
		}
	}
	got := lines(envinfo.Diff(capture(t, host.fs()), capture(t, less.fs())))
	if !strings.Contains(got, "true changed: amd.count: 8 → 7\n") ||
		!strings.Contains(got, "true only in the first: amd.cards[0000:0c:00.0]: AMD Instinct MI325X → –\n") {
		t.Errorf("a card less:\n%s", got)
	}
	// Nothing known of one: nothing has changed.
	for _, d := range envinfo.Diff(capture(t, host.fs()), nil) {
		if d.Kind == envinfo.Changed {
			t.Errorf("to nothing: %v", d)
		}
	}
	if d := envinfo.Diff(nil, nil); d != nil {
		t.Errorf("nothing and nothing: %v", d)
	}
}

// An image that was pulled again has another digest, and a driver that could not be read is not another driver; neither
// is a list that could not be read an empty one.
func TestDiffOfContainers(t *testing.T) {
	v := func(s string) fact.Value[string] {
		return fact.Known(s, "", "container:1", "docker image inspect")
	}
	denied := fact.Unknown[string]("", "container:1", "permission denied")
	host := func(driver fact.Value[string], c container.Container) *envinfo.Environment {
		c.Name = v("vllm")
		return &envinfo.Environment{
			Software:   []fact.Component{{Name: "amdgpu", Version: driver}},
			Containers: []container.Container{c},
		}
	}
	first := host(fact.Known("6.16.6", "", fact.ScopeHost, "/sys/module/amdgpu/version"), container.Container{
		RepoDigests: []fact.Value[string]{
			v("vllm@sha256:1"),
		}, Software: []fact.Component{{Name: "vllm", Version: v("0.14.1")}}})
	second := host(fact.Unknown[string]("", fact.ScopeHost, "permission denied"), container.Container{
		RepoDigests: []fact.Value[string]{
			v("vllm@sha256:2"),
		}, Software: []fact.Component{{Name: "vllm", Version: v("0.14.1")}}})
	if diff := cmp.Diff("true not comparable: software[amdgpu@host].version: 6.16.6 → unknown (permission denied)\n"+
		"true changed: containers[vllm].repo_digests[0]: vllm@sha256:1 → vllm@sha256:2\n",
		lines(envinfo.Diff(first, second))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if first.Hash() == second.Hash() {
		t.Error("the hash of another digest is the same")
	}
	for what, c := range map[string]container.Container{
		"digests": {RepoDigests: []fact.Value[string]{denied},
			Software: []fact.Component{{Name: "vllm", Version: v("0.14.1")}}},
		"software": {RepoDigests: []fact.Value[string]{v("vllm@sha256:1")},
			Software: []fact.Component{{Name: "software", Version: denied}}},
	} {
		unread := host(fact.Known("6.16.6", "", fact.ScopeHost, "/sys/module/amdgpu/version"), c)
		for _, d := range [][]envinfo.Difference{envinfo.Diff(first, unread), envinfo.Diff(unread, first)} {
			if len(d) != 1 || d[0].Kind != envinfo.NotComparable {
				t.Errorf("%s that could not be read: %v", what, d)
			}
		}
	}
}

func TestWriteDiff(t *testing.T) {
	a, b := capture(t, mi325x().fs()), capture(t,
		mi325x().with(tree{"proc/sys/kernel/hostname": "b", "proc/cmdline": "quiet"}).fs())
	var out strings.Builder
	if err := envinfo.WriteDiff(&out, envinfo.Diff(a, b)); err != nil {
		t.Fatal(err)
	}
	const want = `Matters for performance
Difference  Where              First                                                Second
changed     host.command_line  BOOT_IMAGE=/vmlinuz iommu=pt numa_balancing=disable  quiet

Does not matter for performance
Difference  Where          First   Second
changed     host.hostname  gpu-01  b
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	full := errors.New("disk full")
	if err := envinfo.WriteDiff(writerFunc(func([]byte) (int, error) { return 0, full }), nil); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	bytes, err := json.Marshal(envinfo.Diff(a, b)[0])
	if err != nil ||
		!strings.HasPrefix(
			string(bytes),
			`{"path":"host.hostname","kind":"changed","matters":false,"a":"gpu-01","b":"b"`,
		) {
		t.Errorf("%s, %v", bytes, err)
	}
}

func squeeze(s string) string {
	var out []string
	for line := range strings.Lines(s) {
		out = append(out, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(out, "\n")
}

// Two runs of the same server: the image was pulled anew in between, and the second time the driver's version could not
// be read.
func ExampleDiff() {
	capture := func(driver fstest.MapFile, digest string) *envinfo.Environment {
		env, err := envinfo.Capture(context.Background(), envinfo.Options{FS: fstest.MapFS{
			"proc/sys/kernel/osrelease": {Data: []byte("6.8.0-60-generic")},
			"sys/module/amdgpu/version": &driver,
		}, ReadTimeout: patient})
		if err != nil {
			fmt.Println(err)
		}
		env.Software = append(env.Software, fact.Component{
			Name:    "vllm",
			Version: fact.Known(digest, "", "container:4f1c", "docker image inspect: RepoDigests"),
		})
		return env
	}
	before := capture(fstest.MapFile{Data: []byte("6.12.12")}, "sha256:236900d573")
	after := capture(fstest.MapFile{Data: nil}, "sha256:e8ce7f6d74")
	if err := envinfo.WriteDiff(os.Stdout, envinfo.Diff(before, after)); err != nil {
		fmt.Println(err)
	}
	fmt.Println("same configuration:", before.Hash() == after.Hash())
	// Output:
	// Matters for performance
	// Difference      Where                             First              Second
	// not comparable  software[amdgpu@host].version     6.12.12            unknown (/sys/module/amdgpu/version: empty)
	// changed         software[vllm@container].version  sha256:236900d573  sha256:e8ce7f6d74
	// same configuration: false
}
