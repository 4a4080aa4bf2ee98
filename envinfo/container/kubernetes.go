package container

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
	"github.com/servegauge/servegauge/envinfo/serving"
	"github.com/servegauge/servegauge/internal/secret"
)

// kubePod is the fields of a pod that are read.
type kubePod struct {
	Metadata struct{ Name, Namespace, CreationTimestamp string }
	Spec     struct {
		NodeName, RuntimeClassName    string
		Resources                     kubeResources
		ResourceClaims                []kubeClaim
		HostNetwork, HostIPC, HostPID bool
		Containers                    []kubeContainer
		Volumes                       []struct {
			Name     string
			EmptyDir *struct{ Medium, SizeLimit string }
			HostPath *struct{ Path string }
			Claim    *struct{ ClaimName string } `json:"persistentVolumeClaim"`
			Secret   *struct{ SecretName string }
			Map      *struct{ Name string } `json:"configMap"`
		}
	}
	Status struct {
		ContainerStatuses []struct {
			Name, Image, ImageID, ContainerID string
			State                             map[string]struct{ StartedAt string }
		}
	}
}

// kubeClaim is a claim of devices of a pod. Kubernetes before 1.31 has what it is made of one level down.
type kubeClaim struct {
	Name string
	kubeClaimSource
	Source kubeClaimSource
}

type kubeClaimSource struct{ ResourceClaimName, ResourceClaimTemplateName string }

// kubeResources is what a container, or a pod as a whole, is given.
type kubeResources struct {
	Limits map[string]json.RawMessage // a quantity is a string, or a bare number
	Claims []struct{ Name, Request string }
}

type kubeContainer struct {
	Name, Image, WorkingDir string
	Command, Args           []string
	Env                     []struct {
		Name, Value string
		ValueFrom   *struct{}
	}
	Resources    kubeResources
	VolumeMounts []struct {
		Name, MountPath string
		ReadOnly        bool
	}
	SecurityContext *struct{ Privileged *bool }
}

// kubernetes reads a container of a pod. The error is that no container was named where there are several.
func (c *capture) kubernetes(name string) error {
	parts := strings.Split(name, "/")
	if len(parts) > 3 || slices.Contains(parts, "") ||
		slices.ContainsFunc(parts, func(p string) bool { return p[0] == '-' }) {
		return fmt.Errorf("envinfo: the container is %q; give POD, NAMESPACE/POD or NAMESPACE/POD/CONTAINER",
			fact.Clip(name))
	}
	args, container := []string{"get", "pod", parts[0], "-o", "json"}, ""
	if len(parts) > 1 {
		args = []string{"get", "pod", parts[1], "-n", parts[0], "-o", "json"}
	}
	if len(parts) == 3 {
		container = parts[2]
	}
	c.scope = fact.Scope("container:" + name)
	b, source, err := c.tool("kubectl", args...)
	var pod kubePod
	if err == nil {
		if pod, err = parseKubePod(b); err != nil {
			err = fmt.Errorf("%s: %w", source, err)
		}
	}
	if err != nil {
		c.blank(err.Error())
		return nil
	}
	var names []string
	var chosen *kubeContainer
	for i := range pod.Spec.Containers {
		names = append(names, pod.Spec.Containers[i].Name)
		if pod.Spec.Containers[i].Name == container || container == "" && len(pod.Spec.Containers) == 1 {
			chosen = &pod.Spec.Containers[i]
		}
	}
	if chosen == nil {
		return fmt.Errorf("envinfo: the container is %q and the pod has %s; give NAMESPACE/POD/CONTAINER",
			fact.Clip(name), fact.Clip(strings.Join(names, ", ")))
	}
	c.fillKube(pod, *chosen, source)
	c.kubeNode(pod.Spec.NodeName)
	if state, _ := c.out.State.Get(); state == "running" {
		c.exec = []string{"kubectl", "exec", pod.Metadata.Name, "-c", chosen.Name}
		if pod.Metadata.Namespace != "" {
			c.exec = append(c.exec, "-n", pod.Metadata.Namespace)
		}
		c.exec = append(c.exec, "--")
	}
	return nil
}

func parseKubePod(b []byte) (kubePod, error) {
	var pod kubePod
	if len(b) > source.MaxContainerOutput {
		return pod, source.TooLarge{Bound: source.MaxContainerOutput, Unit: "bytes"}
	}
	if err := json.Unmarshal(b, &pod); err != nil {
		return kubePod{}, fmt.Errorf("not the JSON that is expected: %s", fact.Clip(err.Error()))
	}
	if len(pod.Spec.Containers) == 0 {
		return kubePod{}, fmt.Errorf("no pod with containers")
	}
	return pod, nil
}

func (c *capture) fillKube(pod kubePod, in kubeContainer, origin string) {
	at := func(field string) string { return origin + ": " + field }
	text := func(s, field string) fact.Value[string] { return source.Recorded(s, c.scope, at(field)) }
	var image, digests, started, state, full fact.Value[string]
	status := slices.IndexFunc(pod.Status.ContainerStatuses, func(s struct {
		Name, Image, ImageID, ContainerID string
		State                             map[string]struct{ StartedAt string }
	}) bool {
		return s.Name == in.Name
	})
	if status < 0 {
		c.blank(at("no status of the container " + fact.Clip(in.Name)))
	} else {
		s := pod.Status.ContainerStatuses[status]
		if _, id, ok := strings.Cut(s.ContainerID, "://"); ok && containerID.MatchString(id) {
			c.id, c.scope = id, containerScope(id)
		}
		c.blank(at("does not say"))
		full = text(s.ContainerID, "status.containerStatuses.containerID")
		if c.id != "" {
			full = text(c.id, "status.containerStatuses.containerID")
		}
		image, digests = kubeImageID(s.ImageID, c.scope, at("status.containerStatuses.imageID"))
		for _, name := range slices.Sorted(maps.Keys(s.State)) { // it has one
			state = text(name, "status.containerStatuses.state")
			started = text(s.State[name].StartedAt, "status.containerStatuses.state."+fact.Clip(name)+".startedAt")
		}
		c.out.ID, c.out.ImageID, c.out.State, c.out.Started = full, image, state, started
		c.out.RepoDigests = []fact.Value[string]{digests}
	}
	o := &c.out
	o.Name = text(strings.Trim(pod.Metadata.Namespace+"/"+pod.Metadata.Name+"/"+in.Name, "/"),
		"metadata.namespace, metadata.name, spec.containers.name")
	o.Image = text(in.Image, "spec.containers.image")
	o.Created = text(pod.Metadata.CreationTimestamp, "metadata.creationTimestamp")
	c.workdir = in.WorkingDir
	c.command(append(slices.Clone(in.Command), in.Args...), at("spec.containers.command, args"))
	if len(in.Command) == 0 && len(in.Args) > 0 {
		c.warn("command", "the pod gives arguments alone; the entry point is the image's own and is not in it")
		if c.out.Engine == nil && strings.Contains(in.Image, "vllm") {
			serve := []string{"vllm"}
			if in.Args[0] != "serve" {
				serve = append(serve, "serve")
			}
			c.out.Engine = serving.ParseEngine(append(serve, in.Args...), c.scope,
				at("spec.containers.args, taking the entry point for vLLM's server"))
		}
	}
	var environ []string
	var from []fact.Setting
	for _, e := range in.Env[:min(len(in.Env), source.MaxList)] {
		if e.ValueFrom == nil {
			environ = append(environ, e.Name+"="+e.Value)
		} else if source.HasPrefix(e.Name, source.AllowedVariables) {
			from = append(from, fact.Setting{Name: fact.Clean(e.Name),
				Value: fact.Unknown[string]("", c.scope, at("spec.containers.env: it is taken from elsewhere "+
					"(valueFrom)"))})
		}
	}
	c.variables(environ, at("spec.containers.env"))
	o.Environment = append(o.Environment, from...)
	o.IPC = kubeShared(pod.Spec.HostIPC, c.scope, at("spec.hostIPC"))
	o.Network = kubeShared(pod.Spec.HostNetwork, c.scope, at("spec.hostNetwork"))
	// The field is left out where it is false.
	privileged := in.SecurityContext != nil && in.SecurityContext.Privileged != nil && *in.SecurityContext.Privileged
	o.Privileged = fact.Known(privileged, "", c.scope, at("spec.containers.securityContext.privileged"))
	o.CPUSet = fact.Unknown[string]("", c.scope, "a pod does not say; the kubelet's CPU manager decides")
	o.CPULimit = c.kubeLimit(pod, in, "cpu", "CPU", at)
	o.MemoryLimit = c.kubeLimit(pod, in, "memory", "B", at)
	o.Devices = c.kubeDevices(pod, in, at)
	c.kubeMounts(pod, in, at)
}

// kubeMounts records the mounts, and the size of /dev/shm, which a pod makes larger by a volume in memory.
func (c *capture) kubeMounts(pod kubePod, in kubeContainer, at func(string) string) {
	c.out.Mounts = []fact.Value[string]{}
	c.out.ShmSize = fact.Unknown[int64]("B", c.scope,
		at("no volume at /dev/shm, so it is as large as the runtime makes it"))
	for _, m := range in.VolumeMounts[:min(len(in.VolumeMounts), source.MaxList)] {
		kind, from := "volume", m.Name
		for _, v := range pod.Spec.Volumes {
			if v.Name != m.Name {
				continue
			}
			switch {
			case v.HostPath != nil:
				kind, from = "hostPath", v.HostPath.Path
			case v.Claim != nil:
				kind, from = "persistentVolumeClaim", v.Claim.ClaimName
			case v.Secret != nil:
				kind, from = "secret", ""
			case v.Map != nil:
				kind, from = "configMap", v.Map.Name
			case v.EmptyDir != nil:
				kind = strings.TrimSpace("emptyDir " + v.EmptyDir.Medium)
				if m.MountPath == "/dev/shm" {
					source := at("spec.volumes.emptyDir.sizeLimit of /dev/shm")
					n, err := parseQuantity(v.EmptyDir.SizeLimit)
					if err == nil && n < 1<<62 {
						c.out.ShmSize = fact.Known(int64(n), "B", c.scope, source)
					} else {
						c.out.ShmSize = fact.Unknown[int64]("B", c.scope, source+": none that can be read")
					}
				}
			}
		}
		c.out.Mounts = append(c.out.Mounts,
			source.Recorded(mount(kind, from, m.MountPath, m.ReadOnly), c.scope, at("spec.containers.volumeMounts")))
	}
}

func kubeShared(host bool, scope fact.Scope, source string) fact.Value[string] {
	if host {
		return fact.Known("host", "", scope, source)
	}
	return fact.Known("pod", "", scope, source) // the field is left out where it is false
}

// kubeImageID splits a status' imageID: after "docker://" and alone a digest is that of the image's configuration, its
// id; after a repository it is the one by which the registry knows the image.
func kubeImageID(s string, scope fact.Scope, origin string) (id, repoDigest fact.Value[string]) {
	config, isConfig := strings.CutPrefix(s, "docker://")
	config, s = imageID(config), strings.TrimPrefix(s, "docker-pullable://")
	const notBoth = ": the runtime tells one of the image's id and its digest of a registry, and this is the other"
	repo, d, isRepo := strings.Cut(s, "@")
	switch {
	case isRepo && repo != "" && !isConfig && digest.MatchString(d):
		return fact.Unknown[string]("", scope, origin+notBoth), source.Recorded(s, scope, origin)
	case digest.MatchString(config):
		return fact.Known(config, "", scope, origin), fact.Unknown[string]("", scope, origin+notBoth)
	}
	reason := fmt.Sprintf("%s: %q is no image id", origin, fact.Clip(secret.Scrub(s)))
	return fact.Unknown[string]("", scope, reason), fact.Unknown[string]("", scope, reason)
}

// kubeLimit is a limit of the container, or where it has none that of its pod, which all containers of the pod share.
func (c *capture) kubeLimit(
	pod kubePod,
	in kubeContainer,
	name, unit string,
	at func(string) string,
) fact.Value[fact.Limit] {
	raw, origin := in.Resources.Limits[name], at("spec.containers.resources.limits."+name)
	if raw == nil && pod.Spec.Resources.Limits[name] != nil {
		raw, origin = pod.Spec.Resources.Limits[name], at("spec.resources.limits."+name+", of the whole pod")
	}
	if raw == nil {
		return fact.Known(fact.NoLimit(), unit, c.scope, origin+" is not set")
	}
	n, err := parseQuantity(strings.Trim(string(raw), `"`))
	if err != nil {
		return fact.Unknown[fact.Limit](unit, c.scope, origin+": "+err.Error())
	}
	return fact.Known(fact.Limit(n), unit, c.scope, origin)
}

// quantityUnits are the suffixes of a Kubernetes quantity.
var quantityUnits = map[string]float64{
	"n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15, "E": 1e18,
	"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50, "Ei": 1 << 60,
}

// parseQuantity parses a Kubernetes quantity: "1500m", "64Gi", "1e3".
func parseQuantity(s string) (float64, error) {
	number := strings.TrimRight(s, "numkKMGTPEi")
	if unit, ok := quantityUnits[s[len(number):]]; ok {
		// ParseFloat also takes "inf", "nan", and hexadecimal and grouped digits.
		if n, err := strconv.ParseFloat(number, 64); err == nil && n >= 0 && !math.IsInf(n*unit, 0) &&
			!strings.ContainsAny(number, "xXpP_nN") {
			return n * unit, nil
		}
	}
	return 0, fmt.Errorf("%q is not a quantity", fact.Clip(s))
}

// kubeNode reads the versions of the kubelet and of its runtime.
func (c *capture) kubeNode(node string) {
	unknown := func(reason string) {
		c.out.Versions = []fact.Component{{Name: "kubelet", Version: fact.Unknown[string]("", fact.ScopeHost, reason)}}
	}
	if node == "" || strings.HasPrefix(node, "-") {
		unknown("the pod is on no node")
		return
	}
	b, origin, err := c.tool("kubectl", "get", "node", node, "-o", "json")
	if err != nil {
		unknown(err.Error())
		return
	}
	var in struct {
		Status struct {
			NodeInfo struct{ KubeletVersion, ContainerRuntimeVersion string }
		}
	}
	if err := json.Unmarshal(b, &in); err != nil {
		unknown(fmt.Sprintf("%s: not the JSON that is expected: %s", origin, fact.Clip(err.Error())))
		return
	}
	info := in.Status.NodeInfo
	c.out.Versions = []fact.Component{
		{
			Name:    "kubelet",
			Version: source.Recorded(info.KubeletVersion, fact.ScopeHost, origin+": status.nodeInfo.kubeletVersion"),
		},
	}
	if name, version, ok := strings.Cut(info.ContainerRuntimeVersion, "://"); ok && fact.Clean(name) != "" {
		c.out.Versions = append(
			c.out.Versions,
			fact.Component{
				Name:    fact.Clean(name),
				Version: source.Recorded(version, fact.ScopeHost, origin+": status.nodeInfo.containerRuntimeVersion"),
			},
		)
	}
}
