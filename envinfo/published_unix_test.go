//go:build unix

package envinfo_test

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/container"
)

// The published tables of the host and of the container that served, with docker and amd-smi as tools on PATH: number
// for number, from what the files and the tools say. The digest of the page has ten digits; the others are made up.
func TestPublishedHost(t *testing.T) {
	const runs = "236900d573" + "000000000000000000000000000000000000000000000000000000"
	host := mi325x().with(tree{"sys/module/amdgpu/version": "6.16.6\n"})
	outputs := amdSMI()
	for command, out := range dockerAnswers("vllm/vllm-openai-rocm:latest") {
		word := map[string]string{"inspect": "--type", "image": "image",
			"version": "--format"}[strings.Fields(command)[1]]
		outputs["docker "+word] = strings.NewReplacer("docker.io/rocm/vllm@"+repoSHA,
			"vllm/vllm-openai-rocm@sha256:"+runs,
			`"28.2.1"`, `"29.1.5"`, "0.14.1+rocm700", "0.14.1").
			Replace(out)
	}
	outputs["docker exec"] = inside(t, tree{
		"opt/rocm/.info/version":                        "6.4.2-120\n",
		"opt/rocm/include/rccl/rccl.h":                  "#define NCCL_VERSION_CODE 22606\n",
		sitePackages + "vllm-0.14.1.dist-info/METADATA": "Name: vllm\nVersion: 0.14.1\n",
	})
	env := captureWith(t, host, outputs)
	t.Setenv("PATH", fakeTools(t, outputs)+":/bin:/usr/bin")
	c, err := container.Capture(t.Context(), "docker", "vllm", container.Options{Pinned: "sha256:" + runs})
	if err != nil {
		t.Fatal(err)
	}
	env.Containers = append(env.Containers, *c)
	got := tables(t, env)
	for _, row := range []string{
		"GPU 8x AMD Instinct MI325X",
		"Architecture CDNA 3 (gfx942)",
		"VRAM per GPU 256 GB HBM3e",
		"Total VRAM 2 TB (2,048 GB)",
		"Memory Bandwidth (per GPU) 6.0 TB/s",
		"Aggregate Bandwidth 48 TB/s",
		"FP16 Compute (per GPU) 1,307 TFLOPS",
		"ROCm (host) 6.4.2-120",
		"RCCL (" + string(inContainer) + ") 2.26.6",
		"docker 29.1.5",
		"vllm/vllm-openai-rocm:latest 0.14.1 sha256:236900d573...",
	} {
		if !strings.Contains(got, "\n"+row+"\n") {
			t.Errorf("no row %q in\n%s", row, got)
		}
	}
}
