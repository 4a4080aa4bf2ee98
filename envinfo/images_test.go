package envinfo

import (
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/table"
)

// The images table of the same page.
func TestPublishedImages(t *testing.T) {
	row := func(name, version, digest string) image {
		const source = "docker image inspect: RepoDigests"
		return image{
			name,
			fact.Known(version, "", fact.ScopeHost, source),
			fact.Known(digest+strings.Repeat("0", 54), "", fact.ScopeHost, source),
		}
	}
	var out strings.Builder
	tab := table.New(&out)
	writeImages(tab, []image{
		row("vllm/vllm-openai-rocm:latest", "0.14.1", "sha256:236900d573"),
		row("rocm/vllm-dev:nightly", "0.16.0rc1", "sha256:e8ce7f6d74"),
		{
			name:    "local",
			version: fact.Unknown[string]("", fact.ScopeHost, "x"),
			digest:  fact.Unknown[string]("", fact.ScopeHost, "built here"),
		},
	})
	if err := tab.Flush(); err != nil {
		t.Fatal(err)
	}
	const want = `Image                         vLLM Version  Digest
vllm/vllm-openai-rocm:latest  0.14.1        sha256:236900d573...
rocm/vllm-dev:nightly         0.16.0rc1     sha256:e8ce7f6d74...
local                         unknown       unknown
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
	for in, want := range map[string]string{"sha256:1234567890": "sha256:1234567890", "latest": "latest", "": ""} {
		if got := shortDigest(in); got != want {
			t.Errorf("shortDigest(%q) = %q, want %q", in, got, want)
		}
	}
}

// The rows come from the containers: what runs, and the vLLM that is inside.
func TestImagesOfContainers(t *testing.T) {
	text := func(s string) fact.Value[string] { return fact.Known(s, "", fact.ScopeContainer, "docker inspect") }
	e := &Environment{Containers: []container.Container{
		{
			Image:        text("vllm/vllm-openai-rocm:latest"),
			RepoDigests:  []fact.Value[string]{text("vllm/vllm-openai-rocm@sha256:236900d573")},
			PinnedDigest: text("sha256:1"),
			Software: []fact.Component{
				{Name: "ROCm", Version: text("7.0.0")},
				{Name: "vllm", Version: text("0.14.1")},
			},
		},
		{Image: text("local"), PinnedDigest: fact.Unknown[string]("", fact.ScopeContainer, "none is pinned")},
	}}
	rows := e.images()
	if len(rows) != 2 || rows[0].name != "vllm/vllm-openai-rocm:latest" || rows[0].version.String() != "0.14.1" ||
		rows[0].digest.String() != "sha256:236900d573" {
		t.Errorf("%+v", rows)
	}
	for _, v := range []fact.Value[string]{rows[1].version, rows[1].digest} {
		if _, known := v.Get(); known {
			t.Errorf("%v", v)
		}
	}
}
