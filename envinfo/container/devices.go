package container

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// visible are the variables by which a maker's container runtime is told which devices to give: names or numbers with
// commas between them, "all", or "none" and "void". The runtimes have the maker's name in their own.
var visible = []struct{ maker, variable string }{
	{"nvidia", "NVIDIA_VISIBLE_DEVICES"},
	{"amd", "AMD_VISIBLE_DEVICES"},
	{"habana", "HABANA_VISIBLE_DEVICES"},
	{"ascend", "ASCEND_VISIBLE_DEVICES"},
}

// mountedDevices is where NVIDIA's runtime takes a mount of /dev/null for the device that the rest of the path names
// ("0", "all", "cdi/nvidia.com/gpu/0"), where it is set up not to believe variables.
const mountedDevices = "/var/run/nvidia-container-devices/"

// plainRuntimes give a container nothing that its variables name.
var plainRuntimes = []string{"runc", "crun", "youki", "runsc", "io.containerd.runc.v2"}

// devicesOfRuntime is what a runtime gives by the container's variables, or by the mounts with these destinations,
// without a list of devices in what the engine says. Images with CUDA set NVIDIA_VISIBLE_DEVICES to all, whoever runs
// them, so that the variable alone says nothing. plain tells that a runtime with a name of its own heeds none.
func (c *capture) devicesOfRuntime(
	runtime string,
	plain bool,
	mounts []string,
	at func(string) string,
) (out []fact.Value[string]) {
	ask := func(maker, by, value string) {
		switch {
		case value == "" || value == "none" || value == "void":
		case strings.Contains(strings.ToLower(runtime), maker):
			out = append(out,
				source.Recorded(maker+" "+value, c.scope, at("the runtime "+fact.Clip(runtime)+" and "+by)))
		case plain && slices.Contains(plainRuntimes, runtime):
		default:
			name := fact.Clip(runtime)
			if name == "" {
				name = "that is the engine's own"
			}
			out = append(out, fact.Unknown[string]("", c.scope, at(fmt.Sprintf(
				"%s is %s, and whether the runtime %s gives what it names is not known", by, fact.Clip(value), name))))
		}
	}
	for _, v := range visible {
		ask(v.maker, v.variable, strings.TrimSpace(c.environ[v.variable]))
	}
	for _, to := range mounts[:min(len(mounts), source.MaxList)] {
		if device, ok := strings.CutPrefix(to, mountedDevices); ok {
			ask("nvidia", "a mount in "+mountedDevices, device)
		}
	}
	return out
}

// dockerDevices is the devices of a container of docker or podman.
func (c *capture) dockerDevices(program string, in dockerInspect, at func(string) string) []fact.Value[string] {
	out, h := []fact.Value[string]{}, in.HostConfig
	add := func(s, field string) { out = append(out, source.Recorded(s, c.scope, at(field))) }
	for _, d := range h.Devices[:min(len(h.Devices), source.MaxList)] {
		s := d.PathOnHost
		if d.PathInContainer != "" && d.PathInContainer != d.PathOnHost {
			s += " → " + d.PathInContainer
		}
		add(s, "HostConfig.Devices")
	}
	for _, d := range h.DeviceRequests[:min(len(h.DeviceRequests), source.MaxList)] {
		s := d.Driver + " " + strings.Join(d.DeviceIDs, ",")
		if len(d.DeviceIDs) == 0 {
			s = fmt.Sprintf("%s count %d", d.Driver, d.Count)
			if d.Count == -1 {
				s = d.Driver + " all"
			}
		}
		for _, all := range d.Capabilities {
			s += " [" + strings.Join(all, " ") + "]"
		}
		add(s, "HostConfig.DeviceRequests")
	}
	// c 226:* rwm: with a mount of /dev/dri
	for _, rule := range h.DeviceCgroupRules[:min(len(h.DeviceCgroupRules), source.MaxList)] {
		add("rule "+rule, "HostConfig.DeviceCgroupRules")
	}
	if h.Privileged != nil && *h.Privileged {
		add("all of the host's", "HostConfig.Privileged")
		return out
	}
	runtime := in.OCIRuntime // podman's; its HostConfig.Runtime is always "oci"
	if runtime == "" {
		runtime = h.Runtime
	}
	if len(h.DeviceRequests) == 0 {
		var mounts []string
		for _, m := range in.Mounts {
			mounts = append(mounts, m.Destination)
		}
		// Podman runs the hooks of a maker's toolkit under any runtime.
		out = append(out, c.devicesOfRuntime(runtime, program == "docker", mounts, at)...)
	}
	return out
}

// kubeDevices is the devices of a container of a pod: resources with the name of a maker's plugin (amd.com/gpu: 8),
// claims of devices (dynamic resource allocation), and what the runtime of the pod's class gives by variables.
func (c *capture) kubeDevices(pod kubePod, in kubeContainer, at func(string) string) []fact.Value[string] {
	out := []fact.Value[string]{}
	add := func(s, field string) { out = append(out, source.Recorded(s, c.scope, at(field))) }
	for _, from := range []struct {
		resources kubeResources
		field     string
	}{{in.Resources, "spec.containers.resources"}, {pod.Spec.Resources, "spec.resources, of the whole pod"}} {
		for _, name := range slices.Sorted(maps.Keys(from.resources.Limits)) {
			if strings.Contains(name, "/") {
				add(name+": "+strings.Trim(string(from.resources.Limits[name]), `"`), from.field+": limits")
			}
		}
		for _, claim := range from.resources.Claims[:min(len(from.resources.Claims), source.MaxList)] {
			add(pod.claim(claim.Name, claim.Request), from.field+": claims")
		}
	}
	var mounts []string
	for _, m := range in.VolumeMounts {
		mounts = append(mounts, m.MountPath)
	}
	switch privileged, _ := c.out.Privileged.Get(); {
	case privileged:
		add("all of the host's", "spec.containers.securityContext.privileged")
	case pod.Spec.RuntimeClassName == "":
		// The node's own runtime can be a maker's, and then it gives what the pod asks for past the scheduler.
		if len(out) == 0 {
			out = append(out, c.devicesOfRuntime("", false, mounts, at)...)
		}
	default:
		out = append(out, c.devicesOfRuntime(pod.Spec.RuntimeClassName, false, mounts, at)...)
		// A variable that the pod does not give can be the image's, or come from elsewhere.
		for _, v := range visible {
			_, given := c.environ[v.variable]
			if !given && len(out) == 0 && strings.Contains(pod.Spec.RuntimeClassName, v.maker) {
				out = append(out, fact.Unknown[string]("", c.scope,
					at("spec.runtimeClassName gives what "+v.variable+" names, whose value is not in the pod")))
			}
		}
	}
	return out
}

// claim is a claim of devices by its name in the pod, with what it is made of: "claim gpus (template eight-gpus),
// request half".
func (p kubePod) claim(name, request string) string {
	text := "claim " + name
	for _, c := range p.Spec.ResourceClaims {
		from := c.kubeClaimSource
		if from == (kubeClaimSource{}) {
			from = c.Source
		}
		switch {
		case c.Name != name:
		case from.ResourceClaimName != "":
			text += " (" + from.ResourceClaimName + ")"
		case from.ResourceClaimTemplateName != "":
			text += " (template " + from.ResourceClaimTemplateName + ")"
		}
	}
	if request != "" {
		text += ", request " + request
	}
	return text
}
