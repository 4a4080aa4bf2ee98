// Package manifest shows that what fleet manifest prints is what Kubernetes takes.
package manifest

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	apps "k8s.io/api/apps/v1"
	batch "k8s.io/api/batch/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// Every document of the golden files is of a kind of Kubernetes', with no field that its type does not have, none
// twice, and of the types that its fields have.
func TestManifestsAreOfKubernetesTypes(t *testing.T) {
	files, err := filepath.Glob("../../examples/fleet/testdata/*.yaml")
	if err != nil || len(files) < 2 {
		t.Fatalf("%d golden files: %v", len(files), err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var kinds []string
		documents := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
		for {
			document, err := documents.Read()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			var kind struct {
				APIVersion string `json:"apiVersion"`
				Kind       string `json:"kind"`
			}
			if err := yaml.Unmarshal(document, &kind); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			into := map[string]any{
				"v1 ConfigMap": &core.ConfigMap{}, "apps/v1 Deployment": &apps.Deployment{},
				"v1 Service":                         &core.Service{},
				"networking.k8s.io/v1 NetworkPolicy": &networking.NetworkPolicy{}, "batch/v1 Job": &batch.Job{},
			}[kind.APIVersion+" "+kind.Kind]
			if into == nil {
				t.Errorf("%s: a %s of %s", name, kind.Kind, kind.APIVersion)
				continue
			}
			kinds = append(kinds, kind.Kind)
			if err := yaml.UnmarshalStrict(document, into); err != nil {
				t.Errorf("%s: %s: %v", name, kind.Kind, err)
			}
			switch o := into.(type) {
			case *batch.Job:
				checkPod(t, name, o.Spec.Template)
				if *o.Spec.CompletionMode != batch.IndexedCompletion || *o.Spec.Completions != *o.Spec.Parallelism ||
					o.Spec.TTLSecondsAfterFinished == nil ||
					o.Spec.Template.Spec.RestartPolicy != core.RestartPolicyNever ||
					o.Spec.PodFailurePolicy == nil || *o.Spec.PodReplacementPolicy != batch.Failed {
					t.Errorf("%s: %+v", name, o.Spec)
				}
			case *apps.Deployment:
				checkPod(t, name, o.Spec.Template)
			}
		}
		slices.Sort(kinds)
		if want := []string{"ConfigMap", "Deployment", "Job", "NetworkPolicy", "NetworkPolicy",
			"Service"}; !slices.Equal(kinds, want) {
			t.Errorf("%s has %v, want %v", name, kinds, want)
		}
	}
}

// checkPod is what holds of all pods: they keep away from the servers, ask for what they need, and may do nothing more.
func checkPod(t *testing.T, name string, pod core.PodTemplateSpec) {
	t.Helper()
	apart := pod.Spec.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(apart) != 1 || len(apart[0].LabelSelector.MatchLabels) != 1 || apart[0].NamespaceSelector == nil ||
		len(apart[0].NamespaceSelector.MatchLabels)+len(apart[0].NamespaceSelector.MatchExpressions) > 0 {
		t.Errorf("%s: not apart from the servers of every namespace: %+v", name, apart)
	}
	if pod.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] != "false" || *pod.Spec.EnableServiceLinks {
		t.Errorf("%s: %+v", name, pod)
	}
	for _, c := range pod.Spec.Containers {
		if c.Resources.Requests.Cpu().IsZero() || c.Resources.Requests.Memory().IsZero() ||
			!c.Resources.Limits.Cpu().IsZero() ||
			!*c.SecurityContext.ReadOnlyRootFilesystem || *c.SecurityContext.AllowPrivilegeEscalation {
			t.Errorf("%s: %+v", name, c)
		}
		for _, e := range c.Env { // secrets are referred to, and never values
			if e.Value != "" {
				t.Errorf("%s: %+v", name, e)
			}
		}
	}
	if !*pod.Spec.SecurityContext.RunAsNonRoot || *pod.Spec.AutomountServiceAccountToken {
		t.Errorf("%s: %+v", name, pod.Spec)
	}
}
