package nvidia

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// links fills in how the cards are connected with each other: the matrix of nvidia-smi topo, and the links that
// nvidia-smi nvlink counts. index has the place of each card in the list by nvidia-smi's number.
func (c *capture) links(index map[int]int) {
	c.nvlinks()
	if len(c.out.Cards) < 2 {
		return
	}
	t := c.smi.topology
	out, err := t.Wait()
	var matrix map[[2]int]string
	if err == nil {
		if matrix, err = parseTopology(out); err != nil {
			err = fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if source.NoTool(err) {
		return
	}
	ways, lost := map[[2]int]string{}, 0
	for pair, way := range matrix {
		from, ok := index[pair[0]]
		to, ok2 := index[pair[1]]
		if !ok || !ok2 {
			lost++
			continue
		}
		ways[[2]int{from, to}] = way
	}
	if lost > 0 {
		c.Warn("nvidia.links", "%s has %d ways of which not both ends are among the cards", t.Name, lost)
	}
	for from := range c.out.Cards {
		for to := range c.out.Cards {
			if from == to {
				continue
			}
			reason := t.Name + ": no way between the two"
			if err != nil {
				reason = err.Error()
			}
			l := gpu.UnknownLink(reason)
			if way, ok := ways[[2]int{from, to}]; ok {
				l = linkOf(way, t.Name)
			}
			l.From, l.To = from, to
			c.out.Links = append(c.out.Links, l)
		}
	}
}

// linkOf is the link that a word of the matrix stands for: NV18 is 18 NVLinks side by side, and the others are ways
// over PCI Express ("PIX" by one bridge, "PXB" by several, "PHB" by the processor's, "NODE" and "SYS" by the links
// between processors).
func linkOf(way, origin string) gpu.Link {
	l := gpu.UnknownLink(origin + ": it does not say")
	l.Via = fact.Known(way, "", fact.ScopeHost, origin)
	if n, ok := strings.CutPrefix(way, "NV"); ok {
		if count, err := strconv.ParseInt(n, 10, 16); err == nil && count > 0 {
			l.Type = fact.Known("NVLink", "", fact.ScopeHost, origin+": "+way)
			l.Count = fact.Known(count, "", fact.ScopeHost, origin+": "+way)
			return l
		}
	}
	if slices.Contains([]string{"PIX", "PXB", "PHB", "NODE", "SYS", "SOC"}, way) {
		l.Type = fact.Known("PCIe", "", fact.ScopeHost, origin+": "+way)
	} else {
		l.Type = fact.Unknown[string]("", fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a way that is known", origin, fact.Clip(way)))
	}
	return l
}

// escape is how terminals are told to underline the head of the matrix.
var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// parseTopology returns the words between GPUs in the matrix of nvidia-smi topo -m, by their numbers. Its columns are
// separated by tabs:
//
//	        GPU0    GPU1    NIC0    CPU Affinity    NUMA Affinity   GPU NUMA ID
//	GPU0     X      NV18    PXB     0-63,128-191    0               N/A
func parseTopology(b []byte) (map[[2]int]string, error) {
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
	}
	number := func(s string) (int, bool) {
		digits, ok := strings.CutPrefix(strings.TrimSpace(s), "GPU")
		n, err := strconv.Atoi(digits)
		return n, ok && err == nil && n >= 0
	}
	out := map[[2]int]string{}
	var columns []string
	for line := range strings.Lines(escape.ReplaceAllString(string(b), "")) {
		cells := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if columns == nil {
			if slices.ContainsFunc(cells, func(s string) bool { _, ok := number(s); return ok }) {
				if _, ok := number(cells[0]); ok { // the corner is empty, and some copies lack it
					cells = slices.Insert(cells, 0, "")
				}
				columns = cells
			}
			continue
		}
		from, ok := number(cells[0])
		if !ok {
			continue // a network card's row, or the legend
		}
		for i, column := range columns {
			to, ok := number(column)
			if !ok || to == from || i >= len(cells) {
				continue
			}
			if way := strings.TrimSpace(cells[i]); way != "" && way != "X" {
				out[[2]int{from, to}] = way
			}
		}
		if len(out) > source.MaxObjects*source.MaxObjects/16 {
			return nil, source.TooLarge{Bound: source.MaxObjects * source.MaxObjects / 16, Unit: "pairs"}
		}
	}
	if columns == nil {
		return nil, fmt.Errorf("no matrix in it: %s", source.LastLine(b))
	}
	return out, nil
}

// nvlinks fills in how many NVLinks of each card are active, and how fast.
func (c *capture) nvlinks() {
	t := c.smi.nvlink
	out, err := t.Wait()
	var said map[string][]float64
	if err == nil {
		if said, err = parseNVLink(out); err != nil {
			err = fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	for i := range c.out.Cards {
		n := &c.out.Cards[i]
		uuid, ok := n.UUID.Get()
		speeds, listed := said[uuid]
		reason := ""
		switch {
		case err != nil:
			reason = err.Error()
		case !ok:
			reason = n.UUID.Reason()
		case !listed:
			reason = t.Name + " does not list the card"
		}
		if reason != "" {
			n.NVLinks, n.NVLinkSpeed = fact.Unknown[int64]("", fact.ScopeHost, reason), fact.Unknown[float64]("GB/s",
				fact.ScopeHost, reason)
			continue
		}
		active := slices.DeleteFunc(speeds, func(x float64) bool { return x == 0 })
		n.NVLinks = fact.Known(int64(len(active)), "", fact.ScopeHost, t.Name+": active links")
		switch {
		case len(active) == 0:
			n.NVLinkSpeed = fact.Unknown[float64]("GB/s", fact.ScopeHost, t.Name+": no active link")
		case slices.Min(active) != slices.Max(active):
			n.NVLinkSpeed = fact.Unknown[float64]("GB/s", fact.ScopeHost,
				fmt.Sprintf("%s: links of %v to %v GB/s", t.Name, slices.Min(active), slices.Max(active)))
		default:
			n.NVLinkSpeed = fact.Known(active[0], "GB/s", fact.ScopeHost, t.Name)
		}
	}
}

// parseNVLink returns the speeds of the links in nvidia-smi nvlink --status by the UUID of their card, in GB/s, 0 for
// one that is not active. A card without links is there without any:
//
//	GPU 0: NVIDIA H100 80GB HBM3 (UUID: GPU-0123)
//	         Link 0: 26.562 GB/s
//	         Link 1: <inactive>
func parseNVLink(b []byte) (map[string][]float64, error) {
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
	}
	out, card, n := map[string][]float64{}, "", 0
	for line := range strings.Lines(string(b)) {
		line = strings.TrimSpace(line)
		if m := listedGPU.FindStringSubmatch(line); m != nil {
			card = m[3]
			out[card] = nil
		}
		rest, ok := strings.CutPrefix(line, "Link ")
		_, value, ok2 := strings.Cut(rest, ": ")
		if !ok || !ok2 || card == "" {
			continue
		}
		digits, unit, _ := strings.Cut(value, " ")
		speed, err := strconv.ParseFloat(digits, 64)
		switch {
		case strings.Contains(strings.ToLower(value), "inactive"):
			speed = 0
		case err != nil || unit != "GB/s" || !(speed >= 0 && speed < 1e6):
			return nil, fmt.Errorf("%q is not the speed of a link", fact.Clip(line))
		}
		out[card] = append(out[card], speed)
		if n++; n > source.MaxObjects {
			return nil, source.TooLarge{Bound: source.MaxObjects, Unit: "links"}
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no card in it: %s", source.LastLine(b))
	}
	return out, nil
}
