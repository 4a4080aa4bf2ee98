//go:build unix

package nvidia

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// A release of nvidia-smi that does not know a field answers none, and is asked again without it.
func TestNVIDIAUnknownField(t *testing.T) {
	dir := t.TempDir()
	script := `#!/bin/sh
case "$1" in
*compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2;;
*mig.mode.current*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2;;
*) echo "$1";;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	b := source.Config{Tools: source.ToolConfig{Path: dir, Timeout: time.Minute}}.Toolbox(t.Context())
	defer b.Stop()
	out, err := Query(b, nvidiaFields)
	want := "--query-gpu=index,name,uuid,driver_version,memory.total,pci.bus_id,pci.device_id,vbios_version," +
		"power.limit,clocks.max.sm," +
		"clocks.max.memory,ecc.mode.current,persistence_mode," +
		"pcie.link.gen.current,pcie.link.width.current,pcie.link.gen.max,pcie.link.width.max\n"
	if string(out) != want || err != nil {
		t.Errorf("got %q, %v; want %q", out, err, want)
	}
	// One that goes on complaining about a field that it was not asked for is not asked forever.
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\necho 'Field \"x\" is not a valid "+
		"field to query.'; exit 2\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Query(b, nvidiaFields); !errors.As(err, new(*exec.ExitError)) {
		t.Errorf("got %v", err)
	}
}

// Of a driver that does not know --version, the head of its summary tells.
func TestCUDAOfOldDrivers(t *testing.T) {
	dir := t.TempDir()
	script := `#!/bin/sh
case "$*" in
--version) echo "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help."; exit 1;;
"") echo '| NVIDIA-SMI 470.57.02    Driver Version: 470.57.02    CUDA Version: 11.4     |';;
*) exit 9;;
esac
`
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	b := source.Config{Tools: source.ToolConfig{Path: dir, Timeout: time.Minute}}.Toolbox(t.Context())
	defer b.Stop()
	v, ok := StartTools(b).CUDA()
	if got, _ := v.Get(); !ok || got != "11.4" || v.Source() != "nvidia-smi: CUDA Version" {
		t.Errorf("CUDA is %v from %q, %v", v, v.Source(), ok)
	}
}
