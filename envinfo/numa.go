package envinfo

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// NUMA is how memory and processors belong together.
type NUMA struct {
	// Count is the number of nodes that are online. A kernel without NUMA lists none, and then it is unknown.
	Count Value[int64] `json:"count"`
	// Balancing is whether the kernel moves pages between nodes by itself: 0 is off, 1 on, 2 moves them between tiers of memory
	// (kernel.numa_balancing). The stalls it makes are why makers of GPUs advise to turn it off.
	Balancing Value[int64] `json:"balancing"`
	Nodes     []NUMANode   `json:"nodes,omitempty"`
}

// NUMANode is one node. One without processors, or without memory, is a normal case.
type NUMANode struct {
	Index     int           `json:"index"`
	CPUs      Value[string] `json:"cpus"` // "0-63,128-191"; unknown where there is none
	CPUCount  Value[int64]  `json:"cpu_count"`
	Memory    Value[int64]  `json:"memory"`    // B
	Distances Value[string] `json:"distances"` // to the nodes in their order, 10 is to itself: "10 32"
}

func (c *hostCapture) numa() {
	n := &c.out.NUMA
	const dir = "sys/devices/system/node"
	n.Balancing = c.integer("proc/sys/kernel/numa_balancing", "", ScopeHost)
	names, err := c.dir(dir)
	if err != nil {
		n.Count = Unknown[int64]("", ScopeHost, err.Error())
		return
	}
	for _, i := range numbered(names, "node") {
		n.Nodes = append(n.Nodes, c.numaNode(fmt.Sprintf("%s/node%d/", dir, i), i))
	}
	if len(n.Nodes) == 0 {
		n.Count = Unknown[int64]("", ScopeHost, abs(dir)+": no node")
		return
	}
	n.Count = Known(int64(len(n.Nodes)), "", ScopeHost, abs(dir))
	if on, ok := n.Balancing.Get(); ok && on != 0 && len(n.Nodes) > 1 {
		c.Warn("host.numa.balancing", "NUMA balancing is on, of which RCCL itself warns: pages that move between nodes stall whoever uses them")
	}
}

func (c *hostCapture) numaNode(dir string, i int) NUMANode {
	node := NUMANode{Index: i}
	b, err := c.file(dir+"cpulist", smallFile)
	node.CPUs = c.list(dir+"cpulist", b, err, ScopeHost)
	node.CPUCount = Unknown[int64]("", ScopeHost, node.CPUs.Reason())
	if count, bad := parseList(string(b)); err == nil && bad == nil {
		node.CPUCount = Known(count, "", ScopeHost, abs(dir+"cpulist")+", counted")
	}
	node.Distances = c.text(dir+"distance", ScopeHost)
	b, err = c.file(dir+"meminfo", smallFile)
	if err != nil {
		node.Memory = Unknown[int64]("B", ScopeHost, err.Error())
		return node
	}
	total, err := parseNodeMemory(b, i)
	if err != nil {
		node.Memory = Unknown[int64]("B", ScopeHost, abs(dir+"meminfo")+": "+err.Error())
		return node
	}
	node.Memory = Known(total, "B", ScopeHost, abs(dir+"meminfo")+": MemTotal")
	return node
}

// parseNodeMemory returns the bytes of MemTotal in a node's meminfo, "Node 0 MemTotal: 12 kB". A node may have none.
func parseNodeMemory(b []byte, node int) (int64, error) {
	for _, line := range lines(b) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "Node" || f[1] != strconv.Itoa(node) || f[2] != "MemTotal:" {
			continue
		}
		if len(f) == 5 && f[4] == "kB" {
			if kb, err := strconv.ParseInt(f[3], 10, 64); err == nil && kb >= 0 && kb <= math.MaxInt64/1024 {
				return kb * 1024, nil
			}
		}
		return 0, fmt.Errorf("MemTotal is %q, want a number of kB", clip(line))
	}
	return 0, fmt.Errorf("no MemTotal of node %d", node)
}
