package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
)

// Kubectl is a deployment or a stateful set of a cluster, which is scaled to 0 to stop it and back to what it had. (A
// rolling update would start the new pods before the old ones free their GPUs, and wait for ever.) The kind is "deploy"
// or "sts"; replicas is how many it has.
func Kubectl(namespace, kind, name string, replicas int, o Options) Control {
	o = o.withDefaults()
	with := func(args ...string) []string { return append([]string{"kubectl", "--namespace", namespace}, args...) }
	set := kind + "/" + name
	return Control{
		Kind: "kubectl", Name: namespace + "/" + set, URL: o.URL, Probe: o.Probe, Grace: o.Grace,
		Start:   with("scale", set, "--replicas="+strconv.Itoa(replicas)),
		Stop:    with("scale", set, "--replicas=0"),
		Inspect: with("get", "pods", "--output=json"),
		Logs:    with("logs", set, "--tail=50", "--all-containers"),
		Identity: func(text []byte) (protocol.Identity, error) {
			return podIdentity(text, kind, name, replicas)
		},
		Asked: asked(map[string]string{"namespace": namespace, kind: name, "replicas": strconv.Itoa(replicas)}),
	}
}

// podIdentity is that of the pods of a deployment or stateful set, all of which must run. It is among what we need of
// kubectl get pods:
//
//	{"items": [{"metadata": {"name": "vllm-6c9f7d-x2x", "uid": "0b8a…", "labels": {"pod-template-hash": "6c9f7d"},
//	  "ownerReferences": [{"kind": "ReplicaSet", "name": "vllm-6c9f7d"}]}, "spec": {"nodeName": "gpu-1"},
//	  "status": {"containerStatuses": [{"containerID": "containerd://5f…", "state": {"running": {}}}]}}]}
func podIdentity(text []byte, kind, name string, replicas int) (protocol.Identity, error) {
	var list struct {
		Items []pod
	}
	if err := json.Unmarshal(text, &list); err != nil {
		return protocol.Identity{}, fmt.Errorf("what kubectl says of the pods cannot be read: %w", err)
	}
	id := protocol.Identity{Kind: "kubectl"}
	var names, hosts, proofs []string
	running := 0
	for _, p := range list.Items {
		if !p.of(kind, name) {
			continue
		}
		ids, all := p.containers()
		if all {
			running++
		}
		names = append(names, p.Metadata.Name)
		if host := p.Spec.NodeName; host != "" && !slices.Contains(hosts, host) {
			hosts = append(hosts, host)
		}
		proofs = append(proofs, fmt.Sprintf("pod %s %s", p.Metadata.UID, strings.Join(ids, " ")))
	}
	switch {
	case len(names) == 0:
		return protocol.Identity{}, &EndedError{State: absent}
	case running == 0 || running < replicas:
		return protocol.Identity{}, &EndedError{State: pending,
			Reason: fmt.Sprintf("%d of %d pods run", running, replicas)}
	}
	slices.Sort(names)
	slices.Sort(hosts)
	slices.Sort(proofs)
	id.Container, id.Host, id.Proof = strings.Join(names, " "), strings.Join(hosts, " "), strings.Join(proofs, ", ")
	return id, nil
}

type pod struct {
	Metadata struct {
		Name            string
		UID             string
		Labels          map[string]string
		OwnerReferences []struct{ Kind, Name string }
	}
	Spec   struct{ NodeName string }
	Status struct {
		ContainerStatuses []struct {
			ContainerID string
			State       struct{ Running *struct{} }
		}
	}
}

// of reports whether a pod is of a stateful set, or of a replica set of a deployment.
func (p pod) of(kind, name string) bool {
	for _, owner := range p.Metadata.OwnerReferences {
		switch {
		case kind == "deploy" && owner.Kind == "ReplicaSet" &&
			owner.Name == name+"-"+p.Metadata.Labels["pod-template-hash"]:
			return true
		case kind == "sts" && owner.Kind == "StatefulSet" && owner.Name == name:
			return true
		}
	}
	return false
}

// containers are the ids of a pod's containers, and whether all of them run.
func (p pod) containers() (ids []string, all bool) {
	all = len(p.Status.ContainerStatuses) > 0
	for _, c := range p.Status.ContainerStatuses {
		ids = append(ids, c.ContainerID)
		all = all && c.State.Running != nil
	}
	return ids, all
}

// A workload is a deployment or stateful set as -server names it. How many replicas it has is asked once, before it is
// scaled to 0 for the first time.
type workload struct {
	namespace, kind, name string
	options               Options
	replicas              int // 0: not asked yet
}

// Start implements [protocol.Server].
func (w *workload) Start(ctx context.Context) (*protocol.Instance, error) {
	if w.replicas == 0 {
		text, err := output(ctx, []string{"kubectl", "--namespace", w.namespace, "get", w.kind + "/" + w.name,
			"--output=jsonpath={.spec.replicas}"})
		if err == nil {
			w.replicas, err = strconv.Atoi(strings.TrimSpace(string(text)))
		}
		if err != nil {
			return nil, serverError("start", w.kind+"/"+w.name, err)
		}
		if w.replicas == 0 {
			return nil, serverError("start", w.kind+"/"+w.name, errors.New(
				"it is scaled to 0, so that nobody knows how many replicas it should have; "+
					"say it: kubectl:NS/deploy/NAME=REPLICAS"))
		}
	}
	return Kubectl(w.namespace, w.kind, w.name, w.replicas, w.options).Server().Start(ctx)
}
