package state

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// throttleOffsets says where the status of throttling is in the tables of format 1, by the revision of their content
// (kgd_pp_interface.h of the Linux kernel: gpu_metrics_v1_1 to v1_5). Other tables have none, or have it as counters of
// residency.
var throttleOffsets = map[byte]int{1: 68, 2: 68, 3: 68, 4: 40, 5: 104}

// parseThrottle returns the status of throttling in a table of the driver, a bit for each cause. Which cause a bit
// stands for depends on the card. The table's head is its size (16 bits), its format and the revision of its content (8
// bits each).
func parseThrottle(b []byte) (status uint32, revision string, err error) {
	if len(b) < 4 {
		return 0, "", fmt.Errorf("of %d bytes, without a head", len(b))
	}
	revision = fmt.Sprintf("%d.%d", b[2], b[3])
	at, ok := throttleOffsets[b[3]]
	size := int(binary.LittleEndian.Uint16(b))
	switch {
	case b[2] != 1 || !ok:
		return 0, "", fmt.Errorf("of format %s: no status of throttling is known in it", revision)
	case size > len(b) || size < at+4:
		return 0, "", fmt.Errorf("of format %s: %d bytes, and its head says %d", revision, len(b), size)
	}
	// what the driver fills a table with at first
	if status = binary.LittleEndian.Uint32(b[at:]); status == math.MaxUint32 {
		return 0, "", fmt.Errorf("of format %s: the card does not tell", revision)
	}
	return status, revision, nil
}

// throttle reads whether a card is being throttled, and the bits that say by what.
func (c *capture) throttle(m monitor) (throttled fact.Value[bool], status fact.Value[string]) {
	name := m.device + "/gpu_metrics"
	b, err := c.File(name, source.SmallFile)
	if err != nil {
		return fact.Unknown[bool]("", fact.ScopeHost,
			err.Error()), fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	bits, revision, err := parseThrottle(b)
	if err != nil {
		reason := source.Abs(name) + ": " + err.Error()
		return fact.Unknown[bool]("", fact.ScopeHost, reason), fact.Unknown[string]("", fact.ScopeHost, reason)
	}
	source := fmt.Sprintf("%s: throttle_status of format %s", source.Abs(name), revision)
	return fact.Known(bits != 0, "", fact.ScopeHost,
		source), fact.Known(fmt.Sprintf("0x%x", bits), "", fact.ScopeHost, source)
}
