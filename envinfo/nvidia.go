package envinfo

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// NVIDIAGPUs is the NVIDIA GPUs. They have a type of their own: half of what there is to say of an AMD card (targets, XCCs, nodes) has no
// meaning here, and a field that is never known says nothing.
type NVIDIAGPUs struct {
	// Count is how many cards there are. In a container these are the cards that it was given, and the scope is the container's.
	Count Value[int64] `json:"count"`
	VRAM  Value[int64] `json:"vram"` // B, the sum over the cards
	// Cards is in the order of the driver's files, or without those in that of nvidia-smi. Nil: none could be read; Count says why.
	Cards []NVIDIAGPU `json:"cards,omitempty"`
}

// NVIDIAGPU is one card.
type NVIDIAGPU struct {
	Model             Value[string]  `json:"model"` // "NVIDIA H100 80GB HBM3"
	ComputeCapability Value[string]  `json:"compute_capability"`
	PCIID             Value[string]  `json:"pci_id"`   // vendor and device: "10de:2330"
	Location          Value[string]  `json:"location"` // PCI address: "0000:19:00.0"
	UUID              Value[string]  `json:"uuid"`
	VRAM              Value[int64]   `json:"vram"` // B
	VBIOS             Value[string]  `json:"vbios"`
	PowerLimit        Value[float64] `json:"power_limit"`  // W
	MaxClock          Value[int64]   `json:"max_clock"`    // MHz, of the multiprocessors
	MemoryClock       Value[int64]   `json:"memory_clock"` // MHz, maximum
	ECC               Value[bool]    `json:"ecc"`
	PersistenceMode   Value[bool]    `json:"persistence_mode"`
	// MIG tells whether the card is divided into instances; InstanceCount is how many there are, and Instances which.
	MIG           Value[bool]   `json:"mig"`
	InstanceCount Value[int64]  `json:"instance_count"`
	Instances     []MIGInstance `json:"instances,omitempty"`
	// Nominal is of the whole card, also where MIG divides it.
	Nominal Nominal `json:"nominal"`
}

// MIGInstance is a part of a card that programs see as a device.
type MIGInstance struct {
	Profile Value[string] `json:"profile"` // "1g.10gb"
	UUID    Value[string] `json:"uuid"`
}

const (
	nvidiaDir    = "proc/driver/nvidia"
	nvidiaVendor = 0x10de
)

// nvidiaFigures is by PCI device id: the data sheets of NVIDIA, without sparsity.
var nvidiaFigures = map[uint64]*figures{
	0x2330: {vram: 80, memory: "HBM3", bandwidth: 3.35, fp16: 989.4, fp8: 1978.9},  // H100 SXM
	0x2335: {vram: 141, memory: "HBM3e", bandwidth: 4.8, fp16: 989.4, fp8: 1978.9}, // H200 SXM
}

// NVIDIATools are runs of nvidia-smi.
type NVIDIATools struct{ gpus, instances, about *tool }

// StartNVIDIATools starts them; they run while files are read.
func StartNVIDIATools(b *toolbox) NVIDIATools {
	return NVIDIATools{
		gpus:      b.spawn("nvidia-smi --query-gpu", func() ([]byte, error) { return queryNVIDIA(b, nvidiaFields) }),
		instances: b.start("nvidia-smi", "-L"),
		about:     b.start("nvidia-smi", "--version"),
	}
}

// nvidiaCapture is the state of one [ReadNVIDIA].
type nvidiaCapture struct {
	*reader
	Warnings
	userland Scope
	smi      NVIDIATools
	out      NVIDIAGPUs
	driver   Value[string]
}

// ReadNVIDIA reads the driver and its cards from the driver's files (proc/driver/nvidia), and what those do not say from nvidia-smi. The
// cards are those that the root filesystem of the scope userland was given.
func ReadNVIDIA(r *reader, userland Scope, t NVIDIATools) (gpus NVIDIAGPUs, driver Value[string], warnings []Warning) {
	c := &nvidiaCapture{reader: r, userland: userland, smi: t}
	c.nvidia()
	return c.out, c.driver, c.Warnings
}

func (c *nvidiaCapture) nvidia() {
	g := &c.out
	name := c.smi.gpus.name
	out, err := c.smi.gpus.wait()
	if nvidiaDamagedROM(err) {
		c.Warn("nvidia", "%v", err)
		err = nil
	}
	var rows []nvidiaRow
	if err == nil {
		if rows, err = parseNVIDIACSV(name, out); err != nil {
			err = fmt.Errorf("%s: %w", name, err)
		}
	}
	if err != nil {
		rows = nil
	}
	byLocation := map[string]nvidiaRow{}
	for _, r := range rows {
		location, _ := r.location().Get()
		byLocation[location] = r
	}
	toolErr := err
	if err == nil {
		toolErr = errors.New(name + " does not list the card")
	}
	absent := nvidiaRow{err: toolErr}

	c.nvidiaDriver(rows, absent)
	locations, dirErr := c.dir(nvidiaDir + "/gpus")
	switch {
	case dirErr == nil:
		g.Count = Known(int64(len(locations)), "", c.userland, abs(nvidiaDir)+"/gpus")
		for _, l := range locations {
			row, ok := byLocation[pciLocation(l)]
			if !ok {
				row = absent
			}
			g.Cards = append(g.Cards, c.nvidiaCard(fmt.Sprintf("nvidia.cards[%d].", len(g.Cards)), l, row))
		}
		if err == nil && len(rows) != len(locations) {
			c.Warn("nvidia.count", "%s lists %d, and %s %d", name, len(rows), g.Count.Source(), len(locations))
		}
	case err == nil:
		g.Count = Known(int64(len(rows)), "", c.userland, name)
		for i, r := range rows {
			g.Cards = append(g.Cards, c.nvidiaCard(fmt.Sprintf("nvidia.cards[%d].", i), "", r))
		}
	default:
		g.Count = Unknown[int64]("", c.userland, nvidiaReason(dirErr, err))
	}
	c.nvidiaInstances()
	if len(g.Cards) == 0 {
		reason := "no cards"
		if _, ok := g.Count.Get(); !ok {
			reason = "the number of cards is unknown"
		}
		g.VRAM = Unknown[int64]("B", c.userland, reason)
		return
	}
	vram := sum(each(g.Cards, func(n NVIDIAGPU) Value[int64] { return n.VRAM }))
	if v, ok := vram.Get(); ok {
		g.VRAM = Known(v, "B", c.userland, vram.Source())
	} else {
		g.VRAM = Unknown[int64]("B", c.userland, vram.Reason())
	}
}

// nvidiaDamagedROM tells whether nvidia-smi only warns: the card's information ROM is damaged, and what is printed holds (nvidia-smi(1),
// return value).
func nvidiaDamagedROM(err error) bool {
	exit, ok := errors.AsType[*exec.ExitError](err)
	return ok && exit.ExitCode() == 14
}

// nvidiaReason is why something is unknown that neither a file nor a tool said. Without a driver the files are missing, which is the
// normal case; that there is no tool either adds nothing.
func nvidiaReason(file, tool error) string {
	reason := file.Error()
	if missing(file) {
		reason += ": the NVIDIA driver is not loaded, or is hidden"
	}
	if !noTool(tool) {
		reason = joinReasons(reason, tool.Error())
	}
	return reason
}

// CUDA is the version of the CUDA that the driver offers, by nvidia-smi. ok is false where there is no nvidia-smi to ask.
func (n NVIDIATools) CUDA() (v Value[string], ok bool) {
	out, err := n.about.wait()
	if noTool(err) {
		return v, false
	}
	if err != nil {
		return Unknown[string]("", ScopeHost, err.Error()), true
	}
	return Known(parseCUDAVersion(out), "", ScopeHost, n.about.name+": CUDA Version"), true
}

// parseCUDAVersion returns the version in the line "CUDA Version : 13.0" of nvidia-smi --version, or "".
func parseCUDAVersion(b []byte) string {
	for _, line := range lines(b[:min(len(b), smallFile)]) {
		key, value, _ := strings.Cut(line, ":")
		if value = strings.TrimSpace(value); strings.EqualFold(strings.TrimSpace(key), "CUDA Version") && nvidiaVersion.MatchString(value) {
			return value
		}
	}
	return ""
}

// nvidiaDriver reads the version of the kernel driver.
func (c *nvidiaCapture) nvidiaDriver(rows []nvidiaRow, absent nvidiaRow) {
	row := absent
	if len(rows) > 0 {
		row = rows[0]
	}
	const name = nvidiaDir + "/version"
	tool := row.text("driver_version")
	b, err := c.file(name, smallFile)
	if err == nil {
		version, err := parseNVIDIAVersion(b)
		file := Known(version, "", ScopeHost, abs(name))
		if err != nil {
			file = Unknown[string]("", ScopeHost, abs(name)+": "+err.Error())
		}
		c.driver = Cross(&c.Warnings, "software", file, tool, func(a, b string) bool { return a == b })
		return
	}
	if _, ok := tool.Get(); ok {
		c.driver = tool
		return
	}
	c.driver = Unknown[string]("", ScopeHost, nvidiaReason(err, absent.err))
}

var nvidiaVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){1,3}$`)

// parseNVIDIAVersion returns the version of the driver in proc/driver/nvidia/version, whose first line has it between the kind of the
// module, which differs in length, and the date.
func parseNVIDIAVersion(b []byte) (string, error) {
	for _, line := range lines(b) {
		rest, ok := strings.CutPrefix(line, "NVRM version:")
		if !ok {
			continue
		}
		for _, f := range strings.Fields(rest) {
			if nvidiaVersion.MatchString(f) {
				return f, nil
			}
		}
		return "", fmt.Errorf("%q has no version", clip(line))
	}
	return "", errors.New("no NVRM version")
}

// nvidiaCard puts together what the driver's folder of a card (its name is the PCI address, "" for no folder) and nvidia-smi say.
func (c *nvidiaCapture) nvidiaCard(at, folder string, row nvidiaRow) NVIDIAGPU {
	same := func(a, b string) bool { return strings.EqualFold(a, b) }
	info := nvidiaInfo{err: errors.New(abs(nvidiaDir) + "/gpus has no such card")}
	location := row.location()
	if folder != "" {
		info = c.nvidiaInfo(nvidiaDir + "/gpus/" + folder + "/information")
		location = Unknown[string]("", ScopeHost, fmt.Sprintf("%s/gpus: %q is not a PCI address", abs(nvidiaDir), clip(folder)))
		if l := pciLocation(folder); l != "" {
			location = Known(l, "", ScopeHost, abs(nvidiaDir)+"/gpus")
		}
	}
	n := NVIDIAGPU{
		Model:             Cross(&c.Warnings, at+"model", info.text("Model"), row.text("name"), same),
		ComputeCapability: row.text("compute_cap"),
		Location:          location,
		UUID:              Cross(&c.Warnings, at+"uuid", info.text("GPU UUID"), row.text("uuid"), same),
		VRAM:              row.bytes("memory.total"),
		VBIOS:             Cross(&c.Warnings, at+"vbios", info.text("Video BIOS"), row.text("vbios_version"), same),
		PowerLimit:        row.float("power.limit", "W"),
		MaxClock:          row.megahertz("clocks.max.sm"),
		MemoryClock:       row.megahertz("clocks.max.memory"),
		ECC:               row.enabled("ecc.mode.current"),
		PersistenceMode:   row.enabled("persistence_mode"),
		MIG:               row.enabled("mig.mode.current"),
	}
	n.PCIID = Cross(&c.Warnings, at+"pci_id", c.sysfsPCIID(location), row.pciID(), same)
	n.InstanceCount = Unknown[int64]("", ScopeHost, n.MIG.Reason())
	n.Nominal = nvidiaNominal(n)
	return n
}

// sysfsPCIID is the PCI id of the device at location.
func (c *nvidiaCapture) sysfsPCIID(location Value[string]) Value[string] {
	l, ok := location.Get()
	if !ok {
		return Unknown[string]("", ScopeHost, location.Reason())
	}
	dir := "sys/bus/pci/devices/" + l
	var ids [2]uint64
	for i, file := range []string{"/vendor", "/device"} {
		v := c.text(dir+file, ScopeHost)
		s, ok := v.Get()
		if !ok {
			return v
		}
		id, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16)
		if err != nil {
			return Unknown[string]("", ScopeHost, fmt.Sprintf("%s: %q is not an id", v.Source(), clip(s)))
		}
		ids[i] = id
	}
	return Known(fmt.Sprintf("%04x:%04x", ids[0], ids[1]), "", ScopeHost, abs(dir)+": vendor, device")
}

// pciID is the PCI id, which nvidia-smi writes as one number, with the vendor in its lower half.
func (r nvidiaRow) pciID() Value[string] {
	v := r.text("pci.device_id")
	s, ok := v.Get()
	if !ok {
		return v
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 32)
	if err != nil || id&0xffff != nvidiaVendor {
		return Unknown[string]("", ScopeHost, fmt.Sprintf("%s: %q is not an id of NVIDIA", v.Source(), clip(s)))
	}
	return Known(fmt.Sprintf("%04x:%04x", id&0xffff, id>>16), "", ScopeHost, v.Source())
}

// nvidiaNominal returns the published figures of a card, unless its memory shows that it is a part of one, such as a virtual GPU.
func nvidiaNominal(n NVIDIAGPU) Nominal {
	id, ok := n.PCIID.Get()
	if !ok {
		return unknownNominal(n.PCIID.Reason())
	}
	vendor, digits, _ := strings.Cut(id, ":")
	device, err := strconv.ParseUint(digits, 16, 16)
	f := nvidiaFigures[device]
	if err != nil || vendor != fmt.Sprintf("%04x", nvidiaVendor) || f == nil {
		return unknownNominal("PCI id " + id + " is not in the table of published figures")
	}
	return f.nominal("table: PCI id "+id, Value[int64]{}, n.VRAM)
}

// nvidiaInfo is a file that the driver keeps of a card.
type nvidiaInfo struct {
	path   string
	values map[string]string
	err    error
}

func (c *nvidiaCapture) nvidiaInfo(path string) nvidiaInfo {
	b, err := c.file(path, smallFile)
	return nvidiaInfo{path, parseNVIDIAInformation(b), err}
}

// parseNVIDIAInformation parses lines of a name, a colon and a value.
func parseNVIDIAInformation(b []byte) map[string]string {
	values := map[string]string{}
	for _, line := range lines(b) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return values
}

// text is one line of the file. The driver writes question marks for what it has not read from the card yet.
func (i nvidiaInfo) text(key string) Value[string] {
	if i.err != nil {
		return Unknown[string]("", ScopeHost, i.err.Error())
	}
	v, ok := i.values[key]
	switch {
	case !ok:
		return Unknown[string]("", ScopeHost, fmt.Sprintf("%s: no %s", abs(i.path), key))
	case strings.Contains(v, "??") || strings.EqualFold(v, "unknown") || strings.EqualFold(v, "N/A"):
		return Unknown[string]("", ScopeHost, fmt.Sprintf("%s: %s is %q", abs(i.path), key, clip(v)))
	}
	return Known(v, "", ScopeHost, abs(i.path)+": "+key)
}

// nvidiaInstances fills in the instances of the cards that MIG divides.
func (c *nvidiaCapture) nvidiaInstances() {
	t := c.smi.instances
	out, err := t.wait()
	var said map[string][]migLine
	if err == nil {
		if said, err = parseNVIDIAList(out); err != nil {
			err = fmt.Errorf("%s: %w", t.name, err)
		}
	}
	for i := range c.out.Cards {
		n := &c.out.Cards[i]
		on, ok := n.MIG.Get()
		uuid, haveUUID := n.UUID.Get()
		instances, listed := said[uuid]
		switch {
		case !ok: // the reason is there
		case !on:
			n.InstanceCount = Unknown[int64]("", ScopeHost, "MIG is off")
		case err != nil:
			n.InstanceCount = Unknown[int64]("", ScopeHost, err.Error())
		case !haveUUID:
			n.InstanceCount = Unknown[int64]("", ScopeHost, n.UUID.Reason())
		case !listed:
			n.InstanceCount = Unknown[int64]("", ScopeHost, t.name+" does not list the card")
		default:
			n.InstanceCount = Known(int64(len(instances)), "", ScopeHost, t.name)
			for _, m := range instances {
				n.Instances = append(n.Instances, MIGInstance{
					Profile: Known(m.profile, "", ScopeHost, t.name), UUID: Known(m.uuid, "", ScopeHost, t.name)})
			}
		}
	}
}

// migLine is one instance as nvidia-smi -L lists it.
type migLine struct{ profile, uuid string }

var (
	nvidiaListGPU = regexp.MustCompile(`^GPU [0-9]+: .* \(UUID: ([^()\s]+)\)$`)
	nvidiaListMIG = regexp.MustCompile(`^MIG (\S+)\s+Device\s+[0-9]+: \(UUID: ([^()\s]+)\)$`)
)

// parseNVIDIAList returns the instances in nvidia-smi -L by the UUID of their card, which is there with none too.
func parseNVIDIAList(b []byte) (map[string][]migLine, error) {
	if len(b) > maxToolOutput {
		return nil, tooLarge{maxToolOutput, "bytes"}
	}
	out, card, n := map[string][]migLine{}, "", 0
	for line := range bytes.Lines(b) {
		s := strings.TrimSpace(string(line))
		if m := nvidiaListGPU.FindStringSubmatch(s); m != nil {
			card = m[1]
			if _, ok := out[card]; ok {
				return nil, fmt.Errorf("%q is listed twice", clip(card))
			}
			out[card] = nil
		} else if m := nvidiaListMIG.FindStringSubmatch(s); m != nil && card != "" {
			out[card] = append(out[card], migLine{m[1], m[2]})
		} else if strings.HasPrefix(s, "GPU ") || strings.HasPrefix(s, "MIG ") { // what follows would be counted to another card
			return nil, fmt.Errorf("%q is not a GPU or an instance with its UUID", clip(s))
		}
		if n++; n > maxObjects {
			return nil, tooLarge{maxObjects, "lines"}
		}
	}
	return out, nil
}
