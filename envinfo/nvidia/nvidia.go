package nvidia

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

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
	// Nominal is of the whole card, also where MIG divides it.
	Nominal gpu.Nominal `json:"nominal"`
}

// MIGInstance is a part of a card that programs see as a device.
type MIGInstance struct {
	Profile fact.Value[string] `json:"profile"` // "1g.10gb"
	UUID    fact.Value[string] `json:"uuid"`
}

const (
	nvidiaDir    = "proc/driver/nvidia"
	nvidiaVendor = 0x10de
)

// nvidiaFigures is by PCI device id: the data sheets of NVIDIA, without sparsity.
var nvidiaFigures = map[uint64]*gpu.Figures{
	0x2330: {Vram: 80, Memory: "HBM3", Bandwidth: 3.35, Fp16: 989.4, Fp8: 1978.9},  // H100 SXM
	0x2335: {Vram: 141, Memory: "HBM3e", Bandwidth: 4.8, Fp16: 989.4, Fp8: 1978.9}, // H200 SXM
}

// Tools are runs of nvidia-smi.
type Tools struct{ gpus, instances, about *source.Tool }

// StartTools starts them; they run while files are read.
func StartTools(b *source.Toolbox) Tools {
	return Tools{
		gpus:      b.Spawn("nvidia-smi --query-gpu", func() ([]byte, error) { return Query(b, nvidiaFields) }),
		instances: b.Start("nvidia-smi", "-L"),
		about:     b.Start("nvidia-smi", "--version"),
	}
}

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
		g.Count = fact.Unknown[int64]("", c.userland, nvidiaReason(dirErr, err))
	}
	c.nvidiaInstances()
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

// DamagedROM tells whether nvidia-smi only warns: the card's information ROM is damaged, and what is printed holds
// (nvidia-smi(1), return value).
func DamagedROM(err error) bool {
	code, ok := source.ExitCode(err)
	return ok && code == 14
}

// nvidiaReason is why something is unknown that neither a file nor a tool said. Without a driver the files are missing,
// which is the normal case; that there is no tool either adds nothing.
func nvidiaReason(file, tool error) string {
	reason := file.Error()
	if source.Missing(file) {
		reason += ": the NVIDIA driver is not loaded, or is hidden"
	}
	if !source.NoTool(tool) {
		reason = fact.JoinReasons(reason, tool.Error())
	}
	return reason
}

// CUDA is the version of the CUDA that the driver offers, by nvidia-smi. ok is false where there is no nvidia-smi to
// ask.
func (n Tools) CUDA() (v fact.Value[string], ok bool) {
	out, err := n.about.Wait()
	if source.NoTool(err) {
		return v, false
	}
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error()), true
	}
	return aboutVersion(out, n.about.Name, "CUDA UMD version", "CUDA version"), true
}

// kernelDriver is the version of the kernel driver by nvidia-smi --version, which is there where no card answers.
func (n Tools) kernelDriver() fact.Value[string] {
	out, err := n.about.Wait()
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return aboutVersion(out, n.about.Name, "KMD version", "DRIVER version")
}

// aboutVersion returns the version in the line of nvidia-smi --version with the first of the keys that has one. Up to driver 580 the
// lines are "DRIVER version      : 580.82.07" and "CUDA Version        : 13.0"; from 610 on "KMD version : 610.43.02" and "CUDA UMD
// version : 13.3", beside a "CUDA version : Deprecated, see CUDA UMD version".
func aboutVersion(b []byte, name string, keys ...string) fact.Value[string] {
	reason := name + ": no " + strings.Join(keys, " or ")
	for _, key := range keys {
		for _, line := range source.Lines(b[:min(len(b), source.SmallFile)]) {
			k, value, _ := strings.Cut(line, ":")
			if !strings.EqualFold(strings.TrimSpace(k), key) {
				continue
			}
			if value = strings.TrimSpace(value); nvidiaVersion.MatchString(value) {
				return fact.Known(value, "", fact.ScopeHost, name+": "+strings.TrimSpace(k))
			}
			reason = fmt.Sprintf("%s: %s is %q", name, key, fact.Clip(value))
		}
	}
	return fact.Unknown[string]("", fact.ScopeHost, reason)
}

// nvidiaDriver reads the version of the kernel driver.
func (c *capture) nvidiaDriver(rows []Row, absent Row) {
	row := absent
	if len(rows) > 0 {
		row = rows[0]
	}
	const name = nvidiaDir + "/version"
	tool := row.version("driver_version")
	if _, ok := tool.Get(); !ok {
		if v := c.smi.kernelDriver(); v.Source() != "" {
			tool = v
		}
	}
	b, err := c.File(name, source.SmallFile)
	if err == nil {
		version, err := parseNVIDIAVersion(b)
		file := fact.Known(version, "", fact.ScopeHost, source.Abs(name))
		if err != nil {
			file = fact.Unknown[string]("", fact.ScopeHost, source.Abs(name)+": "+err.Error())
		}
		c.driver = fact.Cross(&c.Warnings, "software", file, tool, func(a, b string) bool { return a == b })
		return
	}
	if _, ok := tool.Get(); ok {
		c.driver = tool
		return
	}
	c.driver = fact.Unknown[string]("", fact.ScopeHost, nvidiaReason(err, absent.err))
}

var nvidiaVersion = regexp.MustCompile(`^[0-9]{1,4}(\.[0-9]{1,4}){1,3}$`)

// parseNVIDIAVersion returns the version of the driver in proc/driver/nvidia/version, whose first line has it between
// the kind of the module, which differs in length, and the date.
func parseNVIDIAVersion(b []byte) (string, error) {
	for _, line := range source.Lines(b) {
		rest, ok := strings.CutPrefix(line, "NVRM version:")
		if !ok {
			continue
		}
		for _, f := range strings.Fields(rest) {
			if nvidiaVersion.MatchString(f) {
				return f, nil
			}
		}
		return "", fmt.Errorf("%q has no version", fact.Clip(line))
	}
	return "", errors.New("no NVRM version")
}

// nvidiaCard puts together what the driver's folder of a card (its name is the PCI address, "" for no folder) and
// nvidia-smi say.
func (c *capture) nvidiaCard(at, folder string, row Row) GPU {
	same := func(a, b string) bool { return strings.EqualFold(a, b) }
	info := nvidiaInfo{err: errors.New(source.Abs(nvidiaDir) + "/gpus has no such card")}
	location := row.Location()
	if folder != "" {
		info = c.nvidiaInfo(nvidiaDir + "/gpus/" + folder + "/information")
		location = fact.Unknown[string](
			"",
			fact.ScopeHost,
			fmt.Sprintf("%s/gpus: %q is not a PCI address", source.Abs(nvidiaDir), fact.Clip(folder)),
		)
		if l := gpu.PCILocation(folder); l != "" {
			location = fact.Known(l, "", fact.ScopeHost, source.Abs(nvidiaDir)+"/gpus")
		}
	}
	n := GPU{
		Model:             fact.Cross(&c.Warnings, at+"model", info.text("Model"), row.text("name"), same),
		ComputeCapability: row.text("compute_cap"),
		Location:          location,
		UUID:              fact.Cross(&c.Warnings, at+"uuid", info.text("GPU UUID"), row.text("uuid"), same),
		VRAM:              row.bytes("memory.total"),
		VBIOS: fact.Cross(
			&c.Warnings,
			at+"vbios",
			info.text("Video BIOS"),
			row.text("vbios_version"),
			same,
		),
		PowerLimit:      row.float("power.limit", "W"),
		MaxClock:        row.megahertz("clocks.max.sm"),
		MemoryClock:     row.megahertz("clocks.max.memory"),
		ECC:             row.enabled("ecc.mode.current"),
		PersistenceMode: row.enabled("persistence_mode"),
		MIG:             row.enabled("mig.mode.current"),
	}
	n.PCIID = fact.Cross(&c.Warnings, at+"pci_id", c.sysfsPCIID(location), row.pciID(), same)
	n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, n.MIG.Reason())
	n.Nominal = nvidiaNominal(n)
	return n
}

// sysfsPCIID is the PCI id of the device at location.
func (c *capture) sysfsPCIID(location fact.Value[string]) fact.Value[string] {
	l, ok := location.Get()
	if !ok {
		return fact.Unknown[string]("", fact.ScopeHost, location.Reason())
	}
	dir := "sys/bus/pci/devices/" + l
	var ids [2]uint64
	for i, file := range []string{"/vendor", "/device"} {
		v := c.Text(dir+file, fact.ScopeHost)
		s, ok := v.Get()
		if !ok {
			return v
		}
		id, err := strconv.ParseUint(strings.TrimPrefix(s, "0x"), 16, 16)
		if err != nil {
			return fact.Unknown[string](
				"",
				fact.ScopeHost,
				fmt.Sprintf("%s: %q is not an id", v.Source(), fact.Clip(s)),
			)
		}
		ids[i] = id
	}
	return fact.Known(fmt.Sprintf("%04x:%04x", ids[0], ids[1]), "", fact.ScopeHost, source.Abs(dir)+": vendor, device")
}

// pciID is the PCI id, which nvidia-smi writes as one number, with the vendor in its lower half.
func (r Row) pciID() fact.Value[string] {
	v := r.text("pci.device_id")
	s, ok := v.Get()
	if !ok {
		return v
	}
	id, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s), "0x"), 16, 32)
	if err != nil || id&0xffff != nvidiaVendor {
		return fact.Unknown[string](
			"",
			fact.ScopeHost,
			fmt.Sprintf("%s: %q is not an id of NVIDIA", v.Source(), fact.Clip(s)),
		)
	}
	return fact.Known(fmt.Sprintf("%04x:%04x", id&0xffff, id>>16), "", fact.ScopeHost, v.Source())
}

// nvidiaNominal returns the published figures of a card, unless its memory shows that it is a part of one, such as a
// virtual GPU.
func nvidiaNominal(n GPU) gpu.Nominal {
	id, ok := n.PCIID.Get()
	if !ok {
		return gpu.UnknownNominal(n.PCIID.Reason())
	}
	vendor, digits, _ := strings.Cut(id, ":")
	device, err := strconv.ParseUint(digits, 16, 16)
	f := nvidiaFigures[device]
	if err != nil || vendor != fmt.Sprintf("%04x", nvidiaVendor) || f == nil {
		return gpu.UnknownNominal("PCI id " + id + " is not in the table of published figures")
	}
	return f.Nominal("table: PCI id "+id, fact.Value[int64]{}, n.VRAM)
}

// nvidiaInfo is a file that the driver keeps of a card.
type nvidiaInfo struct {
	path   string
	values map[string]string
	err    error
}

func (c *capture) nvidiaInfo(path string) nvidiaInfo {
	b, err := c.File(path, source.SmallFile)
	return nvidiaInfo{path, parseNVIDIAInformation(b), err}
}

// parseNVIDIAInformation parses lines of a name, a colon and a value.
func parseNVIDIAInformation(b []byte) map[string]string {
	values := map[string]string{}
	for _, line := range source.Lines(b) {
		if key, value, ok := strings.Cut(line, ":"); ok {
			values[strings.TrimSpace(key)] = strings.TrimSpace(value)
		}
	}
	return values
}

// text is one line of the file. The driver writes question marks for what it has not read from the card yet.
func (i nvidiaInfo) text(key string) fact.Value[string] {
	if i.err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, i.err.Error())
	}
	v, ok := i.values[key]
	switch {
	case !ok:
		return fact.Unknown[string]("", fact.ScopeHost, fmt.Sprintf("%s: no %s", source.Abs(i.path), key))
	case strings.Contains(v, "??") || strings.EqualFold(v, "unknown") || strings.EqualFold(v, "N/A"):
		return fact.Unknown[string](
			"",
			fact.ScopeHost,
			fmt.Sprintf("%s: %s is %q", source.Abs(i.path), key, fact.Clip(v)),
		)
	}
	return fact.Known(v, "", fact.ScopeHost, source.Abs(i.path)+": "+key)
}

// nvidiaInstances fills in the instances of the cards that MIG divides.
func (c *capture) nvidiaInstances() {
	t := c.smi.instances
	out, err := t.Wait()
	var said map[string][]migLine
	if err == nil {
		if said, err = parseNVIDIAList(out); err != nil {
			err = fmt.Errorf("%s: %w", t.Name, err)
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
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, "MIG is off")
		case err != nil:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, err.Error())
		case !haveUUID:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, n.UUID.Reason())
		case !listed:
			n.InstanceCount = fact.Unknown[int64]("", fact.ScopeHost, t.Name+" does not list the card")
		default:
			n.InstanceCount = fact.Known(int64(len(instances)), "", fact.ScopeHost, t.Name)
			for _, m := range instances {
				n.Instances = append(n.Instances, MIGInstance{
					Profile: fact.Known(
						m.profile,
						"",
						fact.ScopeHost,
						t.Name,
					), UUID: fact.Known(m.uuid, "", fact.ScopeHost, t.Name)})
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
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
	}
	out, card, n := map[string][]migLine{}, "", 0
	for line := range bytes.Lines(b) {
		s := strings.TrimSpace(string(line))
		if m := nvidiaListGPU.FindStringSubmatch(s); m != nil {
			card = m[1]
			if _, ok := out[card]; ok {
				return nil, fmt.Errorf("%q is listed twice", fact.Clip(card))
			}
			out[card] = nil
		} else if m := nvidiaListMIG.FindStringSubmatch(s); m != nil && card != "" {
			out[card] = append(out[card], migLine{m[1], m[2]})
		} else if strings.HasPrefix(s, "GPU ") || strings.HasPrefix(s, "MIG ") {
			// what follows would be counted to another card
			return nil, fmt.Errorf("%q is not a GPU or an instance with its UUID", fact.Clip(s))
		}
		if n++; n > source.MaxObjects {
			return nil, source.TooLarge{Bound: source.MaxObjects, Unit: "lines"}
		}
	}
	return out, nil
}
