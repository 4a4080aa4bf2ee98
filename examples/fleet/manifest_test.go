package main

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/servegauge/servegauge/protocol"
)

var update = flag.Bool("update", false, "write the golden files anew")

func usual() deployment {
	return deployment{Workers: 4, Name: "servegauge-fleet", Namespace: "default", Image: "servegauge-fleet:latest",
		NATSImage: "nats:2.15-alpine", Allow: servers{"http://vllm.models.svc:8000"}, ServerLabel: "app",
		ServerValue: "vllm",
		CPU:         "2", Memory: "1Gi", Lifetime: 24 * time.Hour}
}

// The manifests are those of the golden files, which the test of tools/manifest decodes into Kubernetes' own types.
func TestManifests(t *testing.T) {
	full := usual()
	full.Workers, full.Name, full.Namespace = 100, "true", "on" // what YAML takes for something else
	full.Allow = append(full.Allow, `https://[2001:db8::1]:8443/v1?x="y"#z`)
	full.APIKeySecret, full.APIKeyKey = "vllm-key", "api.key"
	full.ServerLabel, full.ServerValue = "app.kubernetes.io/name", "1.5"
	plan := protocol.Plan{Levels: []int{1, 16, 4096}, Budget: 90 * time.Minute}
	if warnings := full.fit(&plan, func(string) bool { return false }); len(warnings) != 1 ||
		!strings.Contains(warnings[0], "level of 1 in flight") {
		t.Errorf("%q", warnings)
	}
	for name, d := range map[string]deployment{"usual": usual(), "full": full} {
		if err := d.validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got bytes.Buffer
		if err := d.write(&got); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name+".yaml")
		if *update {
			if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Nothing that is given ends a line, a value or the comment that it stands in.
func TestManifestRefuses(t *testing.T) {
	for what, change := range map[string]func(*deployment){
		"-workers":        func(d *deployment) { d.Workers = 0 },
		"-name":           func(d *deployment) { d.Name = "a\nb" },
		"-namespace":      func(d *deployment) { d.Namespace = "a: b" },
		"-image":          func(d *deployment) { d.Image = "a b" },
		"-nats-image":     func(d *deployment) { d.NATSImage = "" },
		"-server-label":   func(d *deployment) { d.ServerLabel, d.ServerValue = "app", "" },
		"-api-key-secret": func(d *deployment) { d.APIKeySecret = "only-a-name" },
		"-cpu":            func(d *deployment) { d.CPU = "two" },
		"-memory":         func(d *deployment) { d.Memory = "1Gi}" },
		"-lifetime":       func(d *deployment) { d.Lifetime = 0 },
		"-allow":          func(d *deployment) { d.Allow = servers{"http://a\n- b"} },
		"-allow \"http":   func(d *deployment) { d.Allow = servers{"http://$(NATS_TOKEN)"} },
		"-allow \"ftp":    func(d *deployment) { d.Allow = servers{"ftp://a"} },
		"-allow: want":    func(d *deployment) { d.Allow = nil },
	} {
		d := usual()
		change(&d)
		if err := d.validate(); err == nil || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
