// Package nvidia reads NVIDIA's GPUs: from the files of the driver, and from nvidia-smi, since those say little.
package nvidia

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// GPUs is the NVIDIA GPUs. They have a type of their own: half of what there is to say of an AMD card (targets, XCCs,
// nodes) has no meaning here, and a field that is never known says nothing.
type GPUs struct {
	// Count is how many cards there are. In a container these are the cards that it was given, and the scope is the
	// container's.
	Count fact.Value[int64] `json:"count"`
	VRAM  fact.Value[int64] `json:"vram"` // B, the sum over the cards
	// Cards is in the order of the driver's files, or without those in that of nvidia-smi. Nil: none could be read;
	// Count says why.
	Cards []GPU `json:"cards,omitempty"`
	// Links is how the cards are connected with each other, by their places in Cards. Nil: there are fewer than two, or
	// no nvidia-smi to say.
	Links []gpu.Link `json:"links,omitempty"`
}

// GPU is one card.
type GPU struct {
	Model             fact.Value[string]  `json:"model"` // "NVIDIA H100 80GB HBM3"
	ComputeCapability fact.Value[string]  `json:"compute_capability"`
	PCIID             fact.Value[string]  `json:"pci_id"`   // vendor and device: "10de:2330"
	Location          fact.Value[string]  `json:"location"` // PCI address: "0000:19:00.0"
	UUID              fact.Value[string]  `json:"uuid"`
	VRAM              fact.Value[int64]   `json:"vram"` // B
	VBIOS             fact.Value[string]  `json:"vbios"`
	PowerLimit        fact.Value[float64] `json:"power_limit"`  // W
	MaxClock          fact.Value[int64]   `json:"max_clock"`    // MHz, of the multiprocessors
	MemoryClock       fact.Value[int64]   `json:"memory_clock"` // MHz, maximum
	ECC               fact.Value[bool]    `json:"ecc"`
	PersistenceMode   fact.Value[bool]    `json:"persistence_mode"`
	// MIG tells whether the card is divided into instances; InstanceCount is how many there are, and Instances which.
	MIG           fact.Value[bool]  `json:"mig"`
	InstanceCount fact.Value[int64] `json:"instance_count"`
	Instances     []MIGInstance     `json:"instances,omitempty"`
	PCIe          gpu.PCIe          `json:"pcie"`
	// NVLinks is how many links of the card are active, and NVLinkSpeed what each moves in one direction, in GB/s.
	NVLinks     fact.Value[int64]   `json:"nvlinks"`
	NVLinkSpeed fact.Value[float64] `json:"nvlink_speed"`
	// Nominal is of the whole card, also where MIG divides it.
	Nominal gpu.Nominal `json:"nominal"`
}

const (
	nvidiaDir    = "proc/driver/nvidia"
	nvidiaVendor = 0x10de
)

// Tools are runs of nvidia-smi.
type Tools struct {
	gpus, about, topology, nvlink *source.Tool
	list                          list
	summary                       func() *source.Tool // starts it
}

// StartTools starts them; they run while files are read, and beside each other: without its persistence daemon each of
// them can take half a minute.
func StartTools(b *source.Toolbox) Tools {
	return Tools{
		gpus:     b.Spawn("nvidia-smi --query-gpu", func() ([]byte, error) { return Query(b, nvidiaFields) }),
		list:     list{b.Start("nvidia-smi", "-L")},
		about:    b.Start("nvidia-smi", "--version"),
		topology: b.Start("nvidia-smi", "topo", "-m"),
		nvlink:   b.Start("nvidia-smi", "nvlink", "--status"),
		summary:  func() *source.Tool { return b.Start("nvidia-smi") },
	}
}

// list is a run of nvidia-smi -L.
type list struct{ tool *source.Tool }

// cards are those that it lists.
func (l list) cards() ([]listed, error) {
	out, err := l.tool.Wait()
	if DamagedROM(err) { // the query of the cards warns
		err = nil
	}
	if err != nil {
		return nil, err
	}
	cards, err := parseList(out)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.tool.Name, err)
	}
	return cards, nil
}

// slow is what makes nvidia-smi take long, for the reason of what it did not say in time.
const slow = "; without nvidia-persistenced it can take half a minute"

// capture is the state of one [Read].
type capture struct {
	*source.Reader
	fact.Warnings
	userland fact.Scope
	smi      Tools
	out      GPUs
	driver   fact.Value[string]
}

// Read reads the driver and its cards from the driver's files (proc/driver/nvidia), and what those do not say from
// nvidia-smi. The cards are those that the root filesystem of the scope userland was given.
func Read(
	r *source.Reader,
	userland fact.Scope,
	t Tools,
) (gpus GPUs, driver fact.Value[string], warnings []fact.Warning) {
	c := &capture{Reader: r, userland: userland, smi: t}
	c.nvidia()
	return c.out, c.driver, c.Warnings
}

func (c *capture) nvidia() {
	g := &c.out
	name := c.smi.gpus.Name
	out, err := c.smi.gpus.Wait()
	if DamagedROM(err) {
		c.Warn("nvidia", "%v", err)
		err = nil
	}
	var rows []Row
	if err == nil {
		if rows, err = ParseCSV(name, out); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}
	if err != nil {
		rows = nil
	}
	byLocation := map[string]Row{}
	for _, r := range rows {
		location, _ := r.Location().Get()
		byLocation[location] = r
	}
	toolErr := err
	if err == nil {
		toolErr = errors.New(name + " does not list the card")
	}
	if source.Late(toolErr) {
		toolErr = fmt.Errorf("%w%s", toolErr, slow)
	}
	absent := Row{err: toolErr}

	c.nvidiaDriver(rows, absent)
	locations, dirErr := c.Dir(nvidiaDir + "/gpus")
	switch {
	case dirErr == nil:
		g.Count = fact.Known(int64(len(locations)), "", c.userland, source.Abs(nvidiaDir)+"/gpus")
		for _, l := range locations {
			row, ok := byLocation[gpu.PCILocation(l)]
			if !ok {
				row = absent
			}
			g.Cards = append(g.Cards, c.nvidiaCard(fmt.Sprintf("nvidia.cards[%d].", len(g.Cards)), l, row))
		}
		if err == nil && len(rows) != len(locations) {
			c.Warn("nvidia.count", "%s lists %d, and %s %d", name, len(rows), g.Count.Source(), len(locations))
		}
	case err == nil:
		g.Count = fact.Known(int64(len(rows)), "", c.userland, name)
		for i, r := range rows {
			g.Cards = append(g.Cards, c.nvidiaCard(fmt.Sprintf("nvidia.cards[%d].", i), "", r))
		}
	default:
		// The list is quicker than the query, and there where the query is not.
		list, listErr := c.smi.list.cards()
		if listErr != nil || len(list) == 0 {
			g.Count = fact.Unknown[int64]("", c.userland, nvidiaReason(dirErr, toolErr))
			break
		}
		name := c.smi.list.tool.Name
		g.Count = fact.Known(int64(len(list)), "", c.userland, name)
		for i, l := range list {
			row := Row{
				name:   name,
				Values: map[string]string{"index": l.index, "name": l.name, "uuid": l.uuid},
				err:    toolErr,
			}
			rows = append(rows, row)
			g.Cards = append(g.Cards, c.nvidiaCard(fmt.Sprintf("nvidia.cards[%d].", i), "", row))
		}
	}
	c.nvidiaInstances()
	if len(rows) == 0 { // the list has numbers and UUIDs too
		list, _ := c.smi.list.cards()
		for _, l := range list {
			rows = append(rows, Row{Values: map[string]string{"index": l.index, "uuid": l.uuid}})
		}
	}
	c.links(c.places(rows))
	if len(g.Cards) == 0 {
		reason := "no cards"
		if _, ok := g.Count.Get(); !ok {
			reason = "the number of cards is unknown"
		}
		g.VRAM = fact.Unknown[int64]("B", c.userland, reason)
		return
	}
	vram := fact.Sum(fact.Each(g.Cards, func(n GPU) fact.Value[int64] { return n.VRAM }))
	if v, ok := vram.Get(); ok {
		g.VRAM = fact.Known(v, "B", c.userland, vram.Source())
	} else {
		g.VRAM = fact.Unknown[int64]("B", c.userland, vram.Reason())
	}
}

// places is where in the list the cards are that nvidia-smi numbers.
func (c *capture) places(rows []Row) map[int]int {
	out := map[int]int{}
	for _, r := range rows {
		index, err := strconv.Atoi(r.Values["index"])
		if err != nil {
			continue
		}
		location, known := r.Location().Get()
		uuid, _ := r.text("uuid").Get()
		for i, card := range c.out.Cards {
			at, ok := card.Location.Get()
			id, same := card.UUID.Get()
			if known && ok && at == location || same && id == uuid {
				out[index] = i
			}
		}
	}
	return out
}

// DamagedROM tells whether nvidia-smi only warns: the card's information ROM is damaged, and what is printed holds
// (nvidia-smi(1), return value).
func DamagedROM(err error) bool {
	code, ok := source.ExitCode(err)
	return ok && code == 14
}
