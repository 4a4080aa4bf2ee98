package server

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/protocol"
)

// Options are what all kinds of servers have in common. The zero value is good.
type Options struct {
	URL   string        // where the server answers. Zero: [DefaultURL]
	Probe string        // asked instead of URL whether the server has gone, where a gateway answers at URL. Zero: URL
	Grace time.Duration // how long it may take to stop. Zero: 120 s
}

// DefaultURL is where vLLM answers when nobody says otherwise.
const DefaultURL = "http://127.0.0.1:8000"

func (o Options) withDefaults() Options {
	if o.URL == "" {
		o.URL = DefaultURL
	}
	if o.Grace == 0 {
		o.Grace = defaultGrace
	}
	return o
}

// seconds is a grace as the tools want it, of at least one.
func seconds(d time.Duration) string { return strconv.Itoa(max(1, int(d.Seconds()))) }

// Docker is a container that exists, by its name: it is stopped and started, and keeps its id.
func Docker(name string, o Options) Control { return container("docker", name, o) }

// container is one of docker, or of what takes docker's arguments.
func container(tool, name string, o Options) Control {
	o = o.withDefaults()
	return Control{
		Kind: tool, Name: name, URL: o.URL, Probe: o.Probe, Grace: o.Grace,
		Start:    []string{tool, "start", name},
		Stop:     []string{tool, "stop", "-t", seconds(o.Grace), name},
		Kill:     []string{tool, "kill", name},
		Inspect:  []string{tool, "container", "inspect", name},
		Wait:     []string{tool, "wait", name},
		Logs:     []string{tool, "logs", "--tail", "50", name},
		Identity: func(text []byte) (protocol.Identity, error) { return containerIdentity(tool, text) },
		Asked:    asked(map[string]string{"container": name}),
	}
}

func asked(v any) json.RawMessage {
	text, _ := json.Marshal(v) // of strings, which cannot fail
	return text
}

// inspected is what we need of what docker and podman say of a container:
//
//	[{"Id": "b4fd…", "State": {"Status": "running", "Running": true, "Pid": 12351, "ExitCode": 0, "OOMKilled": false,
//	  "Error": "", "StartedAt": "2026-03-11T13:13:10.213031284Z"}, "Config": {"Labels": {"…": "…"}}}]
type inspected struct {
	ID    string `json:"Id"`
	State struct {
		Status    string
		Running   bool
		Pid       int
		ExitCode  int
		OOMKilled bool
		Error     string
		StartedAt string
	}
	Config struct{ Labels map[string]string }
}

func parseInspected(text []byte) ([]inspected, error) {
	var all []inspected
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("what it says of the container cannot be read: %w", err)
	}
	for _, c := range all {
		if c.ID == "" || c.State.Status == "" {
			return nil, errors.New("what it says of the container names no id or no state")
		}
	}
	return all, nil
}

// containerIdentity is that of one container, or of the several of a service. A restart keeps the id, so the proof is
// the start with its process.
func containerIdentity(kind string, text []byte) (protocol.Identity, error) {
	all, err := parseInspected(text)
	if err != nil {
		return protocol.Identity{}, err
	}
	if len(all) == 0 {
		return protocol.Identity{}, &EndedError{State: absent}
	}
	id := protocol.Identity{Kind: kind}
	var proofs, ids []string
	for _, c := range all {
		s := c.State
		if !s.Running || s.Pid == 0 {
			return protocol.Identity{}, &EndedError{
				State: s.Status, ExitCode: &s.ExitCode, OOMKilled: s.OOMKilled, Reason: s.Error,
			}
		}
		ids = append(ids, c.ID)
		id.PIDs = append(id.PIDs, s.Pid)
		proofs = append(proofs, fmt.Sprintf("container %.12s started %s pid %d", c.ID, s.StartedAt, s.Pid))
	}
	id.Container, id.Proof = strings.Join(ids, " "), strings.Join(proofs, ", ")
	return id, nil
}
