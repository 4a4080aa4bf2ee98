package host

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// NUMA is how memory and processors belong together.
type NUMA struct {
	// Count is the number of nodes that are online. A kernel without NUMA lists none, and then it is unknown.
	Count fact.Value[int64] `json:"count"`
	// Balancing is whether the kernel moves pages between nodes by itself: 0 is off, 1 on, 2 moves them between tiers
	// of memory (kernel.numa_balancing). The stalls it makes are why makers of GPUs advise to turn it off.
	Balancing fact.Value[int64] `json:"balancing"`
	Nodes     []NUMANode        `json:"nodes,omitempty"`
}

// NUMANode is one node. One without processors, or without memory, is a normal case.
type NUMANode struct {
	Index     int                `json:"index"`
	CPUs      fact.Value[string] `json:"cpus"` // "0-63,128-191"; unknown where there is none
	CPUCount  fact.Value[int64]  `json:"cpu_count"`
	Memory    fact.Value[int64]  `json:"memory"`    // B
	Distances fact.Value[string] `json:"distances"` // to the nodes in their order, 10 is to itself: "10 32"
	// GPU is what says that the memory is that of a GPU, which the kernel manages with the host's: the PCI address of
	// the GPU, or "unknown GPU". It is left out where nothing says so.
	GPU fact.Value[string] `json:"gpu,omitzero"`
}

func (c *capture) numa() {
	n := &c.out.NUMA
	const dir = "sys/devices/system/node"
	n.Balancing = c.Integer("proc/sys/kernel/numa_balancing", "", fact.ScopeHost)
	names, err := c.Dir(dir)
	if err != nil {
		n.Count = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		return
	}
	for _, i := range source.Numbered(names, "node") {
		n.Nodes = append(n.Nodes, c.numaNode(fmt.Sprintf("%s/node%d/", dir, i), i))
	}
	if len(n.Nodes) == 0 {
		n.Count = fact.Unknown[int64]("", fact.ScopeHost, source.Abs(dir)+": no node")
		return
	}
	n.Count = fact.Known(int64(len(n.Nodes)), "", fact.ScopeHost, source.Abs(dir))
	c.gpuMemory(n.Nodes)
	if on, ok := n.Balancing.Get(); ok && on != 0 && len(n.Nodes) > 1 {
		c.Warn("host.numa.balancing",
			"NUMA balancing is on, of which RCCL itself warns: pages that move between nodes stall whoever uses them")
	}
}

func (c *capture) numaNode(dir string, i int) NUMANode {
	node := NUMANode{Index: i}
	name := dir + "cpulist"
	b, err := c.File(name, source.SmallFile)
	if source.Missing(err) { // old kernels have the mask alone
		if mask, bad := c.File(dir+"cpumap", source.SmallFile); bad == nil {
			name, b, err = dir+"cpumap", mask, nil
		}
	}
	node.CPUs = c.List(name, b, err, fact.ScopeHost)
	node.CPUCount = fact.Unknown[int64]("", fact.ScopeHost, node.CPUs.Reason())
	if list, bad := source.ListOf(name, b); err == nil && bad == nil {
		count, _ := source.ParseList(list)
		node.CPUCount = fact.Known(count, "", fact.ScopeHost, source.Abs(name)+", counted")
	}
	node.Distances = c.Text(dir+"distance", fact.ScopeHost)
	b, err = c.File(dir+"meminfo", source.SmallFile)
	if err != nil {
		node.Memory = fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
		return node
	}
	total, err := parseNodeMemory(b, i)
	if err != nil {
		node.Memory = fact.Unknown[int64]("B", fact.ScopeHost, source.Abs(dir+"meminfo")+": "+err.Error())
		return node
	}
	node.Memory = fact.Known(total, "B", fact.ScopeHost, source.Abs(dir+"meminfo")+": MemTotal")
	return node
}

// gpuMemory finds the nodes whose memory is that of GPUs. The NVIDIA driver names the node of each GPU that has one, in
// a file with lines such as "Node: 255" and "Status: online" (proc/driver/nvidia/gpus/0004:04:00.0/numa_status). Where
// that is not there, the processors tell, on hosts that are not known to be without a GPU of NVIDIA: POWER9 numbers the
// nodes of its GPUs from 255 down, and a Grace has no other memory without processors. Its cores alone say too little:
// other makers' hosts have them too (Graviton4, Axion), with memory behind CXL perhaps.
func (c *capture) gpuMemory(nodes []NUMANode) {
	const gpus = "proc/driver/nvidia/gpus"
	names, _ := c.Dir(gpus)
	owners := map[int]fact.Value[string]{}
	for _, name := range names {
		file := gpus + "/" + name + "/numa_status"
		b, err := c.File(file, source.SmallFile)
		if err != nil {
			continue
		}
		if node, ok := parseNUMAStatus(b); ok {
			owners[node] = fact.Known(name, "", fact.ScopeHost, source.Abs(file)+": Node")
		}
	}
	model, _ := c.out.CPUModel.Get()
	for i := range nodes {
		n := &nodes[i]
		cpus, ok := n.CPUCount.Get()
		memory, known := n.Memory.Get()
		if cpus != 0 || known && memory == 0 {
			continue
		}
		switch {
		case owners[n.Index].Source() != "":
			n.GPU = owners[n.Index]
		case !ok || !known || c.withoutNVIDIA():
		case strings.HasPrefix(model, "POWER9") && n.Index >= 128, model == "Arm Neoverse-V2":
			n.GPU = fact.Known("unknown GPU", "", fact.ScopeHost,
				fmt.Sprintf("%s, of which node %d has memory and no processors", c.out.CPUModel.Source(), n.Index))
		}
	}
}

// withoutNVIDIA tells whether the PCI devices are listed, and no GPU of NVIDIA is among them.
func (c *capture) withoutNVIDIA() bool {
	const dir = "sys/bus/pci/devices"
	names, err := c.Dir(dir)
	for _, name := range names {
		vendor, _ := c.Text(dir+"/"+name+"/vendor", fact.ScopeHost).Get()
		class, ok := c.Text(dir+"/"+name+"/class", fact.ScopeHost).Get()
		if vendor == "0x10de" && (!ok || strings.HasPrefix(class, "0x03")) {
			return false
		}
	}
	return err == nil && len(names) > 0
}

// parseNUMAStatus returns the node in the driver's file: "Node: 255".
func parseNUMAStatus(b []byte) (node int, ok bool) {
	for _, line := range source.Lines(b) {
		key, value, _ := strings.Cut(line, ":")
		if strings.TrimSpace(key) != "Node" {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(value))
		return n, err == nil && n >= 0
	}
	return 0, false
}

// parseNodeMemory returns the bytes of MemTotal in a node's meminfo, "Node 0 MemTotal: 12 kB". A node may have none.
func parseNodeMemory(b []byte, node int) (int64, error) {
	for _, line := range source.Lines(b) {
		f := strings.Fields(line)
		if len(f) < 3 || f[0] != "Node" || f[1] != strconv.Itoa(node) || f[2] != "MemTotal:" {
			continue
		}
		if len(f) == 5 && f[4] == "kB" {
			if kb, err := strconv.ParseInt(f[3], 10, 64); err == nil && kb >= 0 && kb <= math.MaxInt64/1024 {
				return kb * 1024, nil
			}
		}
		return 0, fmt.Errorf("MemTotal is %q, want a number of kB", fact.Clip(line))
	}
	return 0, fmt.Errorf("no MemTotal of node %d", node)
}
