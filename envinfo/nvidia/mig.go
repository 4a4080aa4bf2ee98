package nvidia

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// MIGInstance is a part of a card that programs see as a device.
type MIGInstance struct {
	Profile fact.Value[string] `json:"profile"` // "1g.10gb"
	UUID    fact.Value[string] `json:"uuid"`
}

// nvidiaInstances fills in the instances of the cards that MIG divides.
func (c *capture) nvidiaInstances() {
	t := c.smi.list
	list, err := t.cards()
	said := map[string][]migLine{}
	for _, l := range list {
		said[l.uuid] = l.instances
	}
	for i := range c.out.Cards {
		n := &c.out.Cards[i]
		on, ok := n.MIG.Get()
		uuid, haveUUID := n.UUID.Get()
		instances, listed := said[uuid]
		if !ok && err == nil && haveUUID && len(instances) > 0 { // the query of the mode did not come, or is too new
			n.MIG = fact.Known(true, "", fact.ScopeHost, t.tool.Name+": it lists instances")
			on, ok = true, true
		}
		switch {
		case !ok: // the reason is there
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, n.MIG.Reason())
		case !on:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, "MIG is off")
		case err != nil:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		case !haveUUID:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, n.UUID.Reason())
		case !listed:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, t.tool.Name+" does not list the card")
		default:
			n.InstanceCount = fact.Known(int64(len(instances)), "", fact.ScopeHost, t.tool.Name)
			for _, m := range instances {
				n.Instances = append(n.Instances, MIGInstance{
					Profile: fact.Known(m.profile, "", fact.ScopeHost, t.tool.Name),
					UUID:    fact.Known(m.uuid, "", fact.ScopeHost, t.tool.Name),
				})
			}
		}
	}
}

// migLine is one instance as nvidia-smi -L lists it.
type migLine struct{ profile, uuid string }

// listed is a card as nvidia-smi -L lists it: "GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0123)".
type listed struct {
	index, name, uuid string
	instances         []migLine
}

// parseList returns the cards in nvidia-smi -L.
func parseList(b []byte) ([]listed, error) {
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
	}
	var out []listed
	n := 0
	for line := range bytes.Lines(b) {
		s := strings.TrimSpace(string(line))
		if m := listedGPU.FindStringSubmatch(s); m != nil {
			if slices.ContainsFunc(out, func(l listed) bool { return l.uuid == m[3] }) {
				return nil, fmt.Errorf("%q is listed twice", fact.Clip(m[3]))
			}
			out = append(out, listed{index: m[1], name: m[2], uuid: m[3]})
		} else if m := listedMIG.FindStringSubmatch(s); m != nil && len(out) > 0 {
			card := &out[len(out)-1]
			card.instances = append(card.instances, migLine{m[1], m[2]})
		} else if strings.HasPrefix(s, "GPU ") || strings.HasPrefix(s, "MIG ") {
			// what follows would be counted to another card
			return nil, fmt.Errorf("%q is not a GPU or an instance with its UUID", fact.Clip(s))
		}
		if n++; n > source.MaxObjects {
			return nil, source.TooLarge{Bound: source.MaxObjects, Unit: "lines"}
		}
	}
	return out, nil
}

var (
	listedGPU = regexp.MustCompile(`^GPU ([0-9]+): (.*) \(UUID: ([^()\s]+)\)$`)
	listedMIG = regexp.MustCompile(`^MIG (\S+)\s+Device\s+[0-9]+: \(UUID: ([^()\s]+)\)$`)
)
