package container

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// digest is one of an image or a manifest.
var digest = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)

// dockerInspect is the fields of docker inspect and podman inspect that are read. Pointers, where 0 or "" must not pass
// for a reading.
type dockerInspect struct {
	ID      string `json:"Id"`
	Name    string
	Created string
	Path    string
	Args    []string
	Image   string // the id of the image
	State   struct {
		Status    string
		Pid       int
		StartedAt string
	}
	ImageName  string // podman: the reference
	OCIRuntime string // podman
	Config     *struct {
		Image      string
		Env        []string
		WorkingDir string
	}
	HostConfig *struct {
		Devices []struct{ PathOnHost, PathInContainer, CgroupPermissions string }
		// Docker's way to ask for GPUs by a driver, and not by their device files.
		DeviceRequests []struct {
			Driver       string
			Count        int
			DeviceIDs    []string
			Capabilities [][]string
		}
		DeviceCgroupRules []string
		Runtime           string
		ShmSize           *int64
		IpcMode           *string
		NetworkMode       *string
		Privileged        *bool
		CpusetCpus        *string
		NanoCpus          *int64
		CpuQuota          *int64
		CpuPeriod         *int64
		Memory            *int64
	}
	Mounts []struct {
		Type, Name, Source, Destination string
		RW                              bool
	}
}

// docker reads a container of docker or of podman, which answers the same commands.
func (c *capture) docker(program, name string) error {
	c.scope = fact.Scope("container:" + name)
	b, source, err := c.tool(program, "inspect", "--type", "container", name)
	var in dockerInspect
	if err == nil {
		if in, err = parseDockerInspect(b); err != nil {
			err = fmt.Errorf("%s: %w", source, err)
		}
	}
	if err != nil {
		c.blank(err.Error())
		c.dockerVersions(program)
		return nil
	}
	c.id, c.pid = in.ID, in.State.Pid
	c.scope = containerScope(in.ID)
	c.blank(source + ": does not say")
	c.fillDocker(program, in, source)
	c.dockerVersions(program)
	c.dockerImage(program, in)
	if in.State.Status == "running" {
		c.exec = []string{program, "exec", in.ID}
	}
	return nil
}

// parseDockerInspect returns the one container of an inspect.
func parseDockerInspect(b []byte) (dockerInspect, error) {
	var all []dockerInspect
	if len(b) > source.MaxContainerOutput {
		return dockerInspect{}, source.TooLarge{Bound: source.MaxContainerOutput, Unit: "bytes"}
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return dockerInspect{}, fmt.Errorf("not the JSON that is expected: %s", fact.Clip(err.Error()))
	}
	if len(all) != 1 {
		return dockerInspect{}, fmt.Errorf("%d containers", len(all))
	}
	if !containerID.MatchString(all[0].ID) {
		return dockerInspect{}, fmt.Errorf("the id is %q", fact.Clip(all[0].ID))
	}
	return all[0], nil
}

var containerID = regexp.MustCompile(`^[0-9a-f]{12,64}$`)

// fillDocker records what an inspect says.
func (c *capture) fillDocker(program string, in dockerInspect, origin string) {
	o, at := &c.out, func(field string) string { return origin + ": " + field }
	text := func(s, field string) fact.Value[string] { return source.Recorded(s, c.scope, at(field)) }
	o.ID = text(in.ID, "Id")
	o.Name = text(strings.TrimPrefix(in.Name, "/"), "Name")
	o.ImageID = text(imageID(in.Image), "Image")
	o.State = text(in.State.Status, "State.Status")
	o.Created = text(in.Created, "Created")
	if strings.HasPrefix(in.State.StartedAt, "0001-") { // Go's zero time
		o.Started = fact.Unknown[string]("", c.scope, at("State.StartedAt: it has not been started"))
	} else {
		o.Started = text(in.State.StartedAt, "State.StartedAt")
	}
	if in.Path != "" {
		c.command(append([]string{in.Path}, in.Args...), at("Path, Args"))
	}
	if in.Config != nil {
		o.Image = text(in.Config.Image, "Config.Image")
		c.variables(in.Config.Env, at("Config.Env"))
		c.workdir = in.Config.WorkingDir
	}
	if _, ok := o.Image.Get(); !ok && in.ImageName != "" {
		o.Image = text(in.ImageName, "ImageName")
	}
	o.Mounts = []fact.Value[string]{}
	for _, m := range in.Mounts[:min(len(in.Mounts), source.MaxList)] {
		from := m.Source
		if m.Type == "volume" && m.Name != "" {
			from = m.Name
		}
		o.Mounts = append(o.Mounts, text(mount(m.Type, from, m.Destination, !m.RW), "Mounts"))
	}
	h := in.HostConfig
	if h == nil {
		return
	}
	o.Devices = c.dockerDevices(program, in, at)
	if h.ShmSize != nil && *h.ShmSize > 0 {
		o.ShmSize = fact.Known(*h.ShmSize, "B", c.scope, at("HostConfig.ShmSize"))
	}
	for _, f := range []struct {
		to    *fact.Value[string]
		from  *string
		field string
	}{{&o.IPC, h.IpcMode, "HostConfig.IpcMode"}, {&o.Network, h.NetworkMode, "HostConfig.NetworkMode"},
		{&o.CPUSet, h.CpusetCpus, "HostConfig.CpusetCpus"}} {
		if f.from != nil {
			*f.to = text(*f.from, f.field)
		}
	}
	if h.CpusetCpus != nil && *h.CpusetCpus == "" {
		o.CPUSet = fact.Known("all", "", c.scope, at("HostConfig.CpusetCpus names none"))
	}
	if h.Privileged != nil {
		o.Privileged = fact.Known(*h.Privileged, "", c.scope, at("HostConfig.Privileged"))
	}
	o.CPULimit = c.dockerCPUs(h.NanoCpus, h.CpuQuota, h.CpuPeriod, at)
	if h.Memory != nil && *h.Memory >= 0 {
		limit := fact.Limit(*h.Memory)
		if *h.Memory == 0 {
			limit = fact.NoLimit()
		}
		o.MemoryLimit = fact.Known(limit, "B", c.scope, at("HostConfig.Memory"))
	}
}

// dockerCPUs is the processor time a container may use. 0 is no limit in NanoCpus and in CpuQuota, and so is -1 in the
// second; a period of 0 is the kernel's 100 ms.
func (c *capture) dockerCPUs(nano, quota, period *int64, at func(string) string) fact.Value[fact.Limit] {
	switch {
	case nano != nil && *nano > 0:
		return fact.Known(fact.Limit(float64(*nano)/1e9), "CPU", c.scope, at("HostConfig.NanoCpus"))
	case quota != nil && *quota > 0:
		p := int64(100_000)
		if period != nil && *period > 0 {
			p = *period
		}
		return fact.Known(fact.Limit(float64(*quota)/float64(p)), "CPU", c.scope, at("HostConfig.CpuQuota, CpuPeriod"))
	case nano != nil || quota != nil:
		return fact.Known(fact.NoLimit(), "CPU", c.scope, at("HostConfig.NanoCpus, CpuQuota"))
	}
	return fact.Unknown[fact.Limit]("CPU", c.scope, at("does not say"))
}

// mount writes one mount.
func mount(kind, from, to string, readOnly bool) string {
	if from != "" {
		kind += " " + from
	}
	s := kind + " → " + to
	if readOnly {
		s += " (ro)"
	}
	return s
}

// imageID writes an image's id as docker does; podman leaves the algorithm out.
func imageID(id string) string {
	if len(id) == 64 && digest.MatchString("sha256:"+id) {
		return "sha256:" + id
	}
	return id
}

// dockerImage reads the digests of the image that runs, by its id: a tag may have moved since the container was
// created.
func (c *capture) dockerImage(program string, in dockerInspect) {
	if in.Image == "" {
		return
	}
	b, origin, err := c.tool(program, "image", "inspect", in.Image)
	var digests []string
	if err == nil {
		if _, digests, err = parseImageInspect(b); err != nil {
			err = fmt.Errorf("%s: %w", origin, err)
		}
	}
	if err != nil {
		c.out.RepoDigests = []fact.Value[string]{fact.Unknown[string]("", c.scope, err.Error())}
		return
	}
	c.out.RepoDigests = []fact.Value[string]{}
	for _, d := range digests[:min(len(digests), source.MaxList)] {
		c.out.RepoDigests = append(c.out.RepoDigests, source.Recorded(d, c.scope, origin+": RepoDigests"))
	}
	image, ok := c.out.Image.Get()
	if !ok || strings.HasPrefix(image, "-") || strings.HasPrefix(in.Image, image) ||
		imageID(image) == imageID(in.Image) {
		return
	}
	// That the name is gone, as after a pull that moved it and a prune, is no reason to warn: the container is what
	// counts.
	if b, _, err := c.tool(program, "image", "inspect", image); err == nil {
		if now, _, err := parseImageInspect(b); err == nil && now != "" && imageID(now) != imageID(in.Image) {
			c.warn("image", "%s now names %s; the container runs %s, as the name did when it was created", image,
				imageID(now), imageID(in.Image))
		}
	}
}

// parseImageInspect returns the id and the digests of the one image of an image inspect.
func parseImageInspect(b []byte) (id string, digests []string, err error) {
	var all []struct {
		ID          string `json:"Id"`
		RepoDigests []string
	}
	if len(b) > source.MaxContainerOutput {
		return "", nil, source.TooLarge{Bound: source.MaxContainerOutput, Unit: "bytes"}
	}
	if err := json.Unmarshal(b, &all); err != nil {
		return "", nil, fmt.Errorf("not the JSON that is expected: %s", fact.Clip(err.Error()))
	}
	if len(all) != 1 {
		return "", nil, fmt.Errorf("%d images", len(all))
	}
	return all[0].ID, all[0].RepoDigests, nil
}

// dockerVersions reads the versions of the runtime. Docker before 23.0.5 printed the word json for --format json.
// Docker's daemon lists its parts; podman has no daemon, and is its own client.
func (c *capture) dockerVersions(program string) {
	b, source, err := c.tool(program, "version", "--format", "{{json .}}")
	var found []fact.Component
	if err == nil {
		if found, err = parseDockerVersion(b, program, source); err != nil {
			err = fmt.Errorf("%s: %w", source, err)
		}
	}
	if err != nil {
		found = []fact.Component{{Name: program, Version: fact.Unknown[string]("", fact.ScopeHost, err.Error())}}
	}
	c.out.Versions = found
}

func parseDockerVersion(b []byte, program, origin string) ([]fact.Component, error) {
	var in struct {
		Client struct{ Version string }
		Server *struct {
			Version    string
			Components []struct{ Name, Version string }
		}
	}
	if len(b) > source.MaxContainerOutput {
		return nil, source.TooLarge{Bound: source.MaxContainerOutput, Unit: "bytes"}
	}
	if err := json.Unmarshal(b, &in); err != nil {
		return nil, fmt.Errorf("not the JSON that is expected: %s", fact.Clip(err.Error()))
	}
	version, field := in.Client.Version, "Client.Version"
	if program == "docker" {
		if in.Server == nil {
			return nil, fmt.Errorf("no Server in it, so the daemon did not answer")
		}
		version, field = in.Server.Version, "Server.Version"
	}
	out := []fact.Component{{Name: program, Version: source.Recorded(version, fact.ScopeHost, origin+": "+field)}}
	if in.Server == nil {
		return out, nil
	}
	for _, part := range in.Server.Components[:min(len(in.Server.Components), source.MaxList)] {
		// which is the version above
		if part.Name != "Engine" && part.Name != "Podman Engine" && fact.Clean(part.Name) != "" {
			out = append(
				out,
				fact.Component{
					Name:    fact.Clean(part.Name),
					Version: source.Recorded(part.Version, fact.ScopeHost, origin+": Server.Components"),
				},
			)
		}
	}
	return out, nil
}
