package gpu

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// pciAddress is domain, bus, device and function; nvidia-smi writes the domain with eight digits.
var pciAddress = regexp.MustCompile(`^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-7])$`)

// PCILocation writes a PCI address as the kernel does: "0000:47:00.0". It is "" for what is not one.
func PCILocation(s string) string {
	m := pciAddress.FindStringSubmatch(strings.ToLower(strings.TrimSpace(s)))
	if m == nil {
		return ""
	}
	domain, err := strconv.ParseUint(m[1], 16, 32)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%04x:%s:%s.%s", domain, m[2], m[3], m[4])
}

// PCIDevice is a PCI address without the function.
func PCIDevice(s string) string {
	device, _, _ := strings.Cut(PCILocation(s), ".")
	return device
}
