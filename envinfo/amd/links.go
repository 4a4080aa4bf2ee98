package amd

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// What the links of a host may cost. The largest hosts have eight cards; a card in eight partitions has 64 links a
// node.
const (
	maxLinked    = 64  // devices of which the matrix is made
	maxNodeLinks = 512 // files of links of one node
)

// linkTypes is CRAT_IOLINK_TYPE_* of drivers/gpu/drm/amd/amdkfd/kfd_crat.h in the Linux kernel.
var linkTypes = map[uint64]string{
	1: "HyperTransport", 2: "PCIe", 3: "AMBA", 4: "MIPI", 5: "QPI", 8: "RapidIO", 9: "InfiniBand", 11: "XGMI",
	12: "XGOP", 13: "GZ",
	14: "Ethernet RDMA", 15: "RDMA", 16: "other",
}

// Link returns how the device with the node from reaches that with the node to, and whether the two are in the matrix.
func (g *GPUs) Link(from, to int) (gpu.Link, bool) {
	i := slices.IndexFunc(g.Links, func(l gpu.Link) bool { return l.From == from && l.To == to })
	if i < 0 {
		return gpu.Link{}, false
	}
	return g.Links[i], true
}

// deviceLinks is the matrix between the devices of nodes, row by row, each row with its links to processors at its end.
func (c *capture) deviceLinks(nodes []kfdNode) []gpu.Link {
	devices := firstNodes(nodes)
	if len(devices) > maxLinked {
		c.Warn("amd.links", "%d devices are more than the %d of which the links are read", len(devices), maxLinked)
		return nil
	}
	gpus := map[int]bool{}
	for _, n := range nodes {
		gpus[n.index] = true
	}
	names, _ := c.Dir(kfdNodes)
	there := source.Numbered(names, "")
	var out []gpu.Link
	var lost []string // links to nodes that are not there
	for _, from := range devices {
		found, err := c.nodeLinks(from.index)
		reason := fmt.Sprintf("no link to it in %s/%d/io_links and p2p_links", source.Abs(kfdNodes), from.index)
		if err != nil {
			reason = err.Error()
		}
		for _, to := range devices {
			if to.index == from.index {
				continue
			}
			l, ok := found[to.index]
			if !ok {
				l = gpu.UnknownLink(reason)
			}
			l.From, l.To = from.index, to.index
			out = append(out, l)
		}
		var processors []int
		for to := range found {
			if !gpus[to] {
				processors = append(processors, to)
			}
		}
		slices.Sort(processors)
		for _, to := range processors {
			if !slices.Contains(there, to) {
				lost = append(lost, fmt.Sprintf("from %d to %d", from.index, to))
			}
			l := found[to]
			l.From, l.To = from.index, to
			out = append(out, l)
		}
	}
	if len(lost) > 0 {
		c.Warn("amd.links", "%d links lead to nodes that %s does not have, the first %s: the topology is not whole",
			len(lost), source.Abs(kfdNodes), lost[0])
	}
	return out
}

// firstNodes is the first node of each PCI device. A node whose device is not known is taken for one of its own.
func firstNodes(nodes []kfdNode) []kfdNode {
	var out []kfdNode
	seen := map[[3]uint64]bool{}
	for _, n := range nodes {
		if domain, bus, device, err := n.pciDevice(); err == nil {
			key := [3]uint64{domain, bus, device}
			if seen[key] {
				continue
			}
			seen[key] = true
		}
		out = append(out, n)
	}
	return out
}

// nodeLinks reads the links of one node by where they lead. io_links are those of the hardware, p2p_links the ways
// through others that current kernels list beside them; where both lead to the same node the former are nearer. The
// error says why a link may be missing.
func (c *capture) nodeLinks(node int) (map[int]gpu.Link, error) {
	out := map[int]gpu.Link{}
	var wrong error
	for _, kind := range []string{"io_links", "p2p_links"} {
		dir := fmt.Sprintf("%s/%d/%s", kfdNodes, node, kind)
		names, err := c.Dir(dir)
		if err == nil && len(names) > maxNodeLinks {
			err = &source.ReadError{Name: dir, Err: source.TooLarge{Bound: maxNodeLinks, Unit: "links"}}
		}
		if err != nil {
			if wrong == nil && !(kind == "p2p_links" && source.Missing(err)) {
				wrong = err
			}
			continue
		}
		for _, name := range names {
			file := dir + "/" + name + "/properties"
			b, err := c.File(file, source.SmallFile)
			var to int
			var l gpu.Link
			if err == nil {
				to, l, err = parseLink(parseProperties(file, b), node)
			}
			if err != nil {
				if wrong == nil {
					wrong = err
				}
				continue
			}
			if old, ok := out[to]; !ok || (kind == "io_links" && l.Nearer(old)) {
				out[to] = l
			}
		}
	}
	return out, wrong
}

// parseLink returns where a link from node leads, and what it is. The error is that it is not a link of that node.
func parseLink(p properties, node int) (to int, l gpu.Link, err error) {
	from, err := p.number("node_from")
	if err == nil && from != uint64(node) {
		err = fmt.Errorf("%s: node_from is %d, in the folder of node %d", source.Abs(p.path), from, node)
	}
	if err != nil {
		return 0, gpu.Link{}, err
	}
	n, err := p.number("node_to")
	if err == nil && (n > 1<<31-1 || int(n) == node) {
		err = fmt.Errorf("%s: node_to is %d, from node %d", source.Abs(p.path), n, node)
	}
	if err != nil {
		return 0, gpu.Link{}, err
	}
	k := kfdNode{properties: p}
	l = gpu.Link{
		Weight:       k.count("weight", ""),
		MinBandwidth: k.count("min_bandwidth", "MB/s"),
		MaxBandwidth: k.count("max_bandwidth", "MB/s"),
	}
	switch kind, err := p.number("type"); {
	case err != nil:
		l.Type = fact.Unknown[string]("", fact.ScopeHost, err.Error())
	case linkTypes[kind] == "":
		l.Type = fact.Unknown[string]("", fact.ScopeHost,
			p.source("type")+" is "+strconv.FormatUint(kind, 10)+", not in the table of link types")
	default:
		l.Type = fact.Known(linkTypes[kind], "", fact.ScopeHost, p.source("type"))
	}
	return int(n), l, nil
}
