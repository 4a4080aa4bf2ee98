package server

import (
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/protocol"
)

// Systemd is a unit of the system's service manager. How long it may take to stop is the unit's own TimeoutStopSec.
func Systemd(unit string, o Options) Control {
	o = o.withDefaults()
	return Control{
		Kind: "systemd", Name: unit, URL: o.URL, Probe: o.Probe, Grace: o.Grace,
		Start: []string{"systemctl", "start", unit},
		Stop:  []string{"systemctl", "stop", unit},
		Kill:  []string{"systemctl", "kill", "--signal=SIGKILL", unit},
		Inspect: []string{"systemctl", "show", unit,
			"--property=LoadState,ActiveState,InvocationID,MainPID,Result,ExecMainStatus"},
		Logs:     []string{"journalctl", "--unit", unit, "--lines=50", "--no-pager", "--output=cat"},
		Identity: unitIdentity,
		Asked:    asked(map[string]string{"unit": unit}),
	}
}

// unitIdentity reads what systemctl show says, a property a line. Each start of a unit has an invocation id of its own:
//
//	MainPID=4711
//	Result=success
//	ExecMainStatus=0
//	LoadState=loaded
//	ActiveState=active
//	InvocationID=9f0c6d2c4fb04c1f8f3f5d7e7a0b1c2d
func unitIdentity(text []byte) (protocol.Identity, error) {
	p := map[string]string{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		p[name] = value
	}
	switch p["ActiveState"] {
	case "active", "reloading", "activating", "deactivating":
	default:
		state := p["ActiveState"]
		if p["LoadState"] == "not-found" || state == "" {
			state = absent
		}
		ended := &EndedError{State: state, OOMKilled: p["Result"] == "oom-kill"}
		if code, err := strconv.Atoi(p["ExecMainStatus"]); err == nil {
			ended.ExitCode = &code
		}
		if result := p["Result"]; result != "success" {
			ended.Reason = result
		}
		return protocol.Identity{}, ended
	}
	id := protocol.Identity{Kind: "systemd"}
	if invocation := p["InvocationID"]; invocation != "" {
		id.Proof = "invocation " + invocation
	}
	if pid, err := strconv.Atoi(p["MainPID"]); err == nil && pid > 0 {
		id.PIDs = []int{pid}
	}
	return id, nil
}
