package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo"
	captured "github.com/servegauge/servegauge/envinfo/container"
	"github.com/servegauge/servegauge/envinfo/serving"
	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/protocol"
)

// WarnImageDiffers says that another image runs than the one that is pinned, or that nobody can tell.
const WarnImageDiffers = "image-differs"

// Inspect returns what a [protocol.Runner] asks at each start for the server's evidence: its container, where it has
// one, and what the server says of itself (version, models, cache). client and header are those of its requests; both
// may be nil.
func Inspect(
	client *http.Client, header http.Header,
) func(context.Context, *protocol.Instance) (*envinfo.Environment, error) {
	return func(ctx context.Context, i *protocol.Instance) (*envinfo.Environment, error) {
		e := &envinfo.Environment{Schema: envinfo.Schema}
		server, err := serving.Capture(ctx, client, i.URL, serving.Options{Header: header})
		if err != nil {
			return nil, fmt.Errorf("what the server says of itself: %w", err)
		}
		e.Server = server
		if i.Identity == nil {
			return e, nil
		}
		id, err := i.Identity(ctx)
		if err != nil {
			return nil, err
		}
		runtime := id.Kind
		switch runtime {
		case "compose":
			runtime = "docker"
		case "docker", "podman":
		default:
			return e, nil
		}
		for _, name := range strings.Fields(id.Container) {
			c, err := captured.Capture(ctx, runtime, name, captured.Options{})
			if err != nil {
				return nil, fmt.Errorf("the container %.12s: %w", name, err)
			}
			e.Containers = append(e.Containers, *c)
			i.Warnings = append(i.Warnings, imageWarnings(i.Pinned, c)...)
		}
		return e, nil
	}
}

// imageWarnings compares the digests of the image that runs with the one that is pinned, or its beginning.
func imageWarnings(pinned string, c *captured.Container) []loadgen.Warning {
	if pinned == "" {
		return nil
	}
	var have []string
	for _, d := range c.RepoDigests {
		if text, ok := d.Get(); ok {
			_, digest, _ := strings.Cut(text, "@")
			have = append(have, digest)
		}
	}
	if slices.ContainsFunc(have, func(d string) bool { return strings.HasPrefix(d, pinned) }) {
		return nil
	}
	runs := strings.Join(have, ", ")
	if runs == "" {
		runs = "an image without a digest of a registry"
	}
	message := fmt.Sprintf("%s is pinned, and what runs is %s", pinned, runs)
	return []loadgen.Warning{{Code: WarnImageDiffers, Message: message}}
}
