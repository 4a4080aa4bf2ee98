package gpu

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
)

// PCIe is how a card is connected to the host; of a card with several devices, its first. The link that is reported is
// that of the card's own function: behind a switch on the board, as Radeon cards have, the slot's may be slower, and
// cards lower the current speed when they are idle.
type PCIe struct {
	Speed    fact.Value[float64] `json:"speed"`     // GT/s a lane, now
	Width    fact.Value[int64]   `json:"width"`     // lanes, now
	MaxSpeed fact.Value[float64] `json:"max_speed"` // GT/s a lane, of the card
	MaxWidth fact.Value[int64]   `json:"max_width"` // lanes, of the card
	NUMANode fact.Value[int64]   `json:"numa_node"` // of the memory that is nearest
}

// ReadPCIe reads the link from the files of a PCI device in sysfs, of which file returns one by its name.
func ReadPCIe(file func(name string) fact.Value[string]) PCIe {
	return PCIe{
		Speed:    fact.Parsed(file("current_link_speed"), "GT/s", ParseLinkSpeed),
		Width:    fact.Parsed(file("current_link_width"), "", ParseLinkWidth),
		MaxSpeed: fact.Parsed(file("max_link_speed"), "GT/s", ParseLinkSpeed),
		MaxWidth: fact.Parsed(file("max_link_width"), "", ParseLinkWidth),
		NUMANode: fact.Parsed(file("numa_node"), "", ParseNUMANode),
	}
}

// Speeds are the transfers of a lane, in GT/s, by the generation of PCI Express.
var Speeds = map[int64]float64{1: 2.5, 2: 5, 3: 8, 4: 16, 5: 32, 6: 64}

// ParseLinkSpeed reads "32.0 GT/s PCIe", and "8 GT/s" of older kernels. A function without a link of its own, such as a
// virtual one, has "Unknown" or "Unknown speed".
func ParseLinkSpeed(s string) (float64, error) {
	number, rest, _ := strings.Cut(s, " ")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || !(v > 0) || math.IsInf(v, 0) || !strings.HasPrefix(rest, "GT/s") {
		return 0, fmt.Errorf("%q is not a speed", fact.Clip(s))
	}
	return v, nil
}

// ParseLinkWidth reads a number of lanes. 0 is a link that is down, and 63 and 255 are what functions without a link
// have.
func ParseLinkWidth(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || v < 1 || v > 32 {
		return 0, fmt.Errorf("%q is not a number of lanes", fact.Clip(s))
	}
	return v, nil
}

// ParseNUMANode reads the number of a node; the kernel writes -1 where the firmware did not say, or where there is but
// one.
func ParseNUMANode(s string) (int64, error) {
	v, err := strconv.ParseInt(s, 10, 32)
	if err != nil || v < -1 {
		return 0, fmt.Errorf("%q is not a NUMA node", fact.Clip(s))
	}
	if v < 0 {
		return 0, fmt.Errorf("%d: the firmware assigned none", v)
	}
	return v, nil
}
