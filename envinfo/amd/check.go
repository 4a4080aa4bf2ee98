package amd

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Check fills gaps in the cards, and checks them; where the files showed none, it takes the cards that the tool lists,
// of which those of the root filesystem of the scope userland are seen. It does so by what amd-smi says of each. It
// returns what the tool says of the driver, and warns where it failed or contradicts the files.
func (g *GPUs) Check(t Tools, userland fact.Scope) (drivers []fact.Value[string], warnings fact.Warnings) {
	return g.check(t.static, userland, parseAMDStatic)
}

// CheckROCmSMI does the same by rocm-smi, which is older, where amd-smi has said nothing of the cards.
func (g *GPUs) CheckROCmSMI(t Tools, userland fact.Scope) (drivers []fact.Value[string], warnings fact.Warnings) {
	if out, err := t.static.Wait(); err == nil {
		if _, err := parseAMDStatic(t.static.Name, out); err == nil {
			return nil, nil
		}
	}
	return g.check(t.rocm(), userland, parseROCmSMI)
}

func (g *GPUs) check(
	t *source.Tool,
	userland fact.Scope,
	parse func(name string, b []byte) ([]smiCard, error),
) (drivers []fact.Value[string], warnings fact.Warnings) {
	out, err := t.Wait()
	var said []smiCard
	if err == nil {
		if said, err = parse(t.Name, out); err != nil {
			err = fmt.Errorf("%s: %w", t.Name, err)
		}
	}
	if err != nil {
		if !source.NoTool(err) {
			warnings.Warn("amd", "nothing was checked by a tool that failed: %v", err)
		}
		return nil, warnings
	}
	byDevice := map[string][]smiCard{}
	for _, s := range said {
		if s.device != "" {
			byDevice[s.device] = append(byDevice[s.device], s)
		}
		if !slices.Contains(drivers, s.driver) { // one driver, and one warning, for all cards
			drivers = append(drivers, s.driver)
		}
	}
	if len(byDevice) == 0 {
		return drivers, warnings
	}
	if _, ok := g.Count.Get(); !ok && len(g.Cards) == 0 { // without the topology of the driver, as with nvidia-smi
		g.list(t.Name, said, userland)
		return drivers, warnings
	}
	matched := map[string]bool{}
	for i := range g.Cards {
		for _, n := range g.Cards[i].Nodes { // a card of two dies has two devices
			location, _ := n.Location.Get()
			device := gpu.PCIDevice(location)
			rows, ok := byDevice[device]
			if !ok || matched[device] {
				continue
			}
			matched[device] = true
			g.Cards[i].check(&warnings, fmt.Sprintf("amd.cards[%d].", i), rows)
		}
	}
	if len(matched) != len(byDevice) {
		warnings.Warn("amd.count", "%s lists %d devices, %d of which are among the cards read from files", t.Name,
			len(byDevice), len(matched))
	}
	if len(g.Cards) > 0 {
		g.totals()
	}
	return drivers, warnings
}

// check fills gaps in the card at the JSON path at, and checks it, by what a tool says of one of its devices: one row,
// or one for each partition.
func (card *GPU) check(warnings *fact.Warnings, at string, rows []smiCard) {
	first := rows[0]
	card.Model = fact.Cross(warnings, at+"model", card.Model, first.model, sameModel)
	card.VBIOS = fact.Cross(warnings, at+"vbios", card.VBIOS, first.vbios, strings.EqualFold)
	fact.Cross(warnings, at+"pci_id", card.PCIID, first.pciDevice,
		func(a, b string) bool { return strings.HasSuffix(a, ":"+b) })
	// Of a partition, or of one die, tools give a part of the memory or all of it, and an id of its own or the card's,
	// and do not say which.
	if len(rows) > 1 || len(card.Nodes) > 1 {
		return
	}
	card.UniqueID = fact.Cross(warnings, at+"unique_id", card.UniqueID, first.uniqueID,
		func(a, b string) bool { return a == b })
	card.VRAM = fact.Cross(warnings, at+"vram", card.VRAM, first.vram, func(a, b int64) bool {
		return math.Abs(float64(a)-float64(b)) <= 0.01*float64(a) // tools round, some to MB that are MiB
	})
	card.Nominal = card.Nominal.Confirm(card.VRAM)
}

var designation = regexp.MustCompile(`MI[0-9]{2,3}[A-Z]?`)

// sameModel tells whether two names can be of one model. Names are worded freely ("AMD INSTINCT MI200 (MCM) OAM LC MBA
// HPE C2"), so only designations are compared, of which MI200 and MI300 are families as well.
func sameModel(a, b string) bool {
	in, other := designation.FindAllString(strings.ToUpper(a), -1), designation.FindAllString(strings.ToUpper(b), -1)
	if len(in) == 0 || len(other) == 0 {
		return true
	}
	family := func(f, m string) bool {
		return len(f) == 5 && strings.HasSuffix(f, "00") && strings.HasPrefix(m, f[:3])
	}
	for _, x := range in {
		for _, y := range other {
			if x == y || family(x, y) || family(y, x) {
				return true
			}
		}
	}
	return false
}
