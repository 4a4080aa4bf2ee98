package envinfo_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/internal/secret/secrettest"
)

// Each kind in each place that is read, one at a time, so that one does not hide another.
func TestNoSecretLeaves(t *testing.T) {
	if len(secrettest.Planted) < 40 {
		t.Fatalf("only %d kinds", len(secrettest.Planted))
	}
	for i, p := range secrettest.Planted {
		places := tree{
			"proc/cmdline": "BOOT_IMAGE=/vmlinuz iommu=pt " + p.Text + " quiet -- " + p.Text + "\n",
			"proc/self/environ": "HOME=" + p.Secret + "\x00SECRET=" + p.Secret + "\x00HF_TOKEN=" + p.Secret +
				"\x00VLLM_API_KEY=" + p.Secret +
				"\x00NCCL_DEBUG=INFO\x00VLLM_ARGS=--max-model-len 8192 " + p.Text + "\x00HF_ENDPOINT=" + p.Text +
				"\x00VLLM_" + p.Text + "=1",
		}
		if p.Shaped {
			for name := range mi325x() {
				if strings.HasPrefix(name, nodesDir) && !strings.HasPrefix(name, nodesDir+"2/") {
					continue // they are alike, and the fewer the faster
				}
				places[name] = p.Text + "\n"
			}
			places["proc/cmdline"] = p.Text
			places["etc/os-release"] = fmt.Sprintf("NAME=%s\nPRETTY_NAME=\"%s\"\n", p.Text, p.Text)
			places["proc/cpuinfo"] = "processor : 0\nmodel name : " + p.Text + "\n"
			places["proc/self/limits"] = "Max open files " + p.Text
			places["sys/module/amdgpu/version"] = p.Text
			places["opt/rocm/.info/version"] = "6.4.2-" + p.Text
		}
		for _, tr := range []tree{mi325x().with(places), {"proc/self/environ": places["proc/self/environ"]}} {
			env, err := envinfo.Capture(t.Context(), envinfo.Options{FS: tr.fs(), ReadTimeout: patient})
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(env)
			if err != nil {
				t.Fatal(err)
			}
			for form, out := range map[string]string{"JSON": string(b), "text": text(t, env)} {
				if at := strings.Index(out, p.Secret); at >= 0 {
					t.Errorf("%d: %q leaves in %s: …%.150s…", i, p.Text, form, out[max(0, at-60):])
				}
			}
		}
	}
}

// What is a secret by the name before it alone, in files that hold one text.
func TestNoSecretOfAText(t *testing.T) {
	for _, p := range secrettest.Planted {
		dmi := "sys/class/dmi/id/"
		env := capture(
			t,
			cpuHost().with(tree{dmi + "sys_vendor": p.Text, dmi + "product_name": p.Text,
				dmi + "bios_version": p.Text}).
				fs(),
		)
		b, err := json.Marshal(env)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), p.Secret) {
			t.Errorf("%q leaves", p.Text)
		}
	}
}

func TestVariables(t *testing.T) {
	env := capture(
		t,
		cpuHost().with(tree{"proc/self/environ": "PATH=/bin\x00NCCL_DEBUG=INFO\x00" +
			"HF_TOKEN=x\x00NCCL_DEBUG=WARN\x00VLLM_PORT=\x00" +
			"VLLM_MAX_TOKENS_PER_EXPERT=65536\x00NCCL_\x00"}).
			fs(),
	)
	known(t, "count", env.Variables.Count, 4)
	list := env.Variables.List
	known(t, list[0].Name, list[0].Value, "INFO")
	unknown(t, list[1].Name, list[1].Value, "withheld")
	unknown(t, list[2].Name, list[2].Value, "empty")
	known(t, list[3].Name, list[3].Value, "65536")
	env = capture(t, tree{}.fs())
	unknown(t, "count", env.Variables.Count, "/proc/self/environ: no such file")
}
