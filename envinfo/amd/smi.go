package amd

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// Tools are runs of amd-smi and rocm-smi.
type Tools struct{ version, static, rocm *source.Tool }

// StartTools starts them; they run while files are read.
func StartTools(b *source.Toolbox) Tools {
	return Tools{
		version: b.Start("amd-smi", "version", "--json"),
		static:  b.Start("amd-smi", "static", "--json"),
		rocm: b.Start(
			"rocm-smi",
			"--showproductname",
			"--showmeminfo",
			"vram",
			"--showvbios",
			"--showuniqueid",
			"--showbus",
			"--showdriverversion",
			"--json",
		),
	}
}

// smiCard is what a tool of AMD says of one GPU. What it did not say is unknown.
type smiCard struct {
	device                            string // PCI address without the function, which partitions share
	model, pciDevice, vbios, uniqueID fact.Value[string]
	driver                            fact.Value[string]
	vram                              fact.Value[int64]
}

// Versions is what amd-smi says of software. What it did not say is unknown.
type Versions struct{ SMI, ROCm, Driver fact.Value[string] }

// Versions returns what amd-smi version says, of the root filesystem of the scope userland. It warns where the tool
// failed.
func (t Tools) Versions(userland fact.Scope) (out []Versions, warnings fact.Warnings) {
	b, err := t.version.Wait()
	if err != nil {
		if !source.NoTool(err) {
			warnings.Warn("software", "nothing was checked by a tool that failed: %v", err)
		}
		return nil, warnings
	}
	name := t.version.Name
	objects, err := smiObjects(b)
	if err != nil {
		warnings.Warn("software", "nothing was checked by %s: %v", name, err)
	}
	for _, o := range objects {
		get := func(key string, scope fact.Scope) fact.Value[string] {
			return o.text(key).version(scope, name+": "+key)
		}
		v := Versions{ROCm: get("rocm_version", userland), Driver: get("amdgpu_version", fact.ScopeHost)}
		if o.has("version") {
			v.SMI = get("version", userland)
		}
		out = append(out, v)
	}
	return out, warnings
}

// SameROCm tells whether the version in a file of ROCm is the one that a tool says: the file has the build too,
// 6.4.2-120 is 6.4.2.
func SameROCm(file, tool string) bool {
	release, _, _ := strings.Cut(file, "-")
	return file == tool || release == tool
}

// SameDriver compares versions of the driver. Of the driver that comes with the kernel the tools say the kernel.
func SameDriver(file, tool string) bool {
	return file == tool || strings.HasPrefix(file, "in-tree") && strings.Contains(file, tool)
}

// Check fills gaps in the cards, and checks them, by what amd-smi says of each. It returns what the tool says of the
// driver, and warns where it failed or contradicts the files.
func (g *GPUs) Check(t Tools) (drivers []fact.Value[string], warnings fact.Warnings) {
	return g.check(t.static, parseAMDStatic)
}

// CheckROCmSMI does the same by rocm-smi, which is older and asked last.
func (g *GPUs) CheckROCmSMI(t Tools) (drivers []fact.Value[string], warnings fact.Warnings) {
	return g.check(t.rocm, parseROCmSMI)
}

func (g *GPUs) check(
	t *source.Tool,
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
		warnings.Warn(
			"amd.count",
			"%s lists %d devices, %d of which are among the cards read from files",
			t.Name,
			len(byDevice),
			len(matched),
		)
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
	fact.Cross(
		warnings,
		at+"pci_id",
		card.PCIID,
		first.pciDevice,
		func(a, b string) bool { return strings.HasSuffix(a, ":"+b) },
	)
	// Of a partition, or of one die, tools give a part of the memory or all of it, and an id of its own or the card's,
	// and do not say which.
	if len(rows) > 1 || len(card.Nodes) > 1 {
		return
	}
	card.UniqueID = fact.Cross(
		warnings,
		at+"unique_id",
		card.UniqueID,
		first.uniqueID,
		func(a, b string) bool { return a == b },
	)
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

// smiObject is one object of a tool's JSON: of one GPU, or of the whole.
type smiObject map[string]json.RawMessage

// smiText is what one field says.
type smiText struct {
	text, unit string
	err        error
}

func (o smiObject) has(key string) bool { _, ok := o[key]; return ok }

// section is an object in the object, empty where a tool writes "N/A" for the whole.
func (o smiObject) section(key string) smiObject {
	var in smiObject
	if json.Unmarshal(o[key], &in) != nil {
		return nil
	}
	return in
}

// text is a field in any of its forms: "x", 32, {"value": 32, "unit": "GT/s"}, "N/A". The first of the keys that is
// there counts: keys changed between releases.
func (o smiObject) text(keys ...string) smiText {
	for _, key := range keys {
		raw, ok := o[key]
		if !ok {
			continue
		}
		var with struct {
			Value json.RawMessage `json:"value"`
			Unit  string          `json:"unit"`
		}
		if bytes.HasPrefix(raw, []byte("{")) {
			if err := json.Unmarshal(raw, &with); err != nil || with.Value == nil {
				return smiText{err: fmt.Errorf("%s is %q, not a value with its unit", key, fact.Clip(string(raw)))}
			}
			raw = with.Value
		}
		var s string
		var n json.Number
		switch {
		case json.Unmarshal(raw, &s) == nil && len(raw) > 0 && raw[0] == '"':
		case json.Unmarshal(raw, &n) == nil && n != "":
			s = n.String()
		default:
			return smiText{err: fmt.Errorf("%s is %q, not a text or a number", key, fact.Clip(string(raw)))}
		}
		if s = strings.TrimSpace(s); source.NoAnswer(s) {
			return smiText{err: fmt.Errorf("%s is %q", key, fact.Clip(s))}
		}
		return smiText{text: s, unit: with.Unit}
	}
	return smiText{err: fmt.Errorf("no %s", strings.Join(keys, " or "))}
}

// value is the field as a value of a scope.
func (s smiText) value(scope fact.Scope, source string) fact.Value[string] {
	if s.err != nil {
		return fact.Unknown[string]("", scope, source+": "+s.err.Error())
	}
	return fact.Known(s.text, "", scope, source)
}

// version is the field as a version of a scope.
func (s smiText) version(scope fact.Scope, at string) fact.Value[string] {
	if s.err != nil {
		return s.value(scope, at)
	}
	return source.Version(kernelOfDriver(s.text), scope, at)
}

// kernelOfDriver is the version of the driver as its own tools print it. Of the driver that comes with the kernel some releases print
// the beginning of /proc/version without its spaces: "Linuxversion6.8.0-60-generic(buildd@lcy02-amd64-059)(x86_64-linux-gnu-gcc…".
func kernelOfDriver(s string) string {
	rest, ok := strings.CutPrefix(strings.ReplaceAll(s, " ", ""), "Linuxversion")
	if !ok {
		return s
	}
	kernel, _, _ := strings.Cut(rest, "(")
	return kernel
}

// hex is the field as digits of a hexadecimal number without 0x, at least so many.
func (s smiText) hex(width int, source string) fact.Value[string] {
	if s.err != nil {
		return s.value(fact.ScopeHost, source)
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.ToLower(s.text), "0x"), 16, 64)
	if err != nil || n == 0 {
		return fact.Unknown[string]("", fact.ScopeHost, fmt.Sprintf("%s: %q is not an id", source, fact.Clip(s.text)))
	}
	return fact.Known(fmt.Sprintf("%0*x", width, n), "", fact.ScopeHost, source)
}

// bytes is the field as a size, in the unit that it has with it, or in unit where it has none. MB are MiB in these
// tools.
func (s smiText) bytes(unit, source string) fact.Value[int64] {
	if s.err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, source+": "+s.err.Error())
	}
	digits, own, _ := strings.Cut(s.text, " ")
	for _, u := range []string{s.unit, strings.TrimSpace(own)} {
		if u != "" {
			unit = u
		}
	}
	shift, ok := map[string]uint{"B": 0, "KB": 10, "KiB": 10, "MB": 20, "MiB": 20, "GB": 30, "GiB": 30}[unit]
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || !ok || n == 0 || n > math.MaxInt64>>shift {
		return fact.Unknown[int64](
			"B",
			fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a size", source, fact.Clip(s.text+" "+s.unit)),
		)
	}
	return fact.Known(int64(n<<shift), "B", fact.ScopeHost, source)
}

// parseAMDStatic parses amd-smi static --json. Keys of ROCm 6.0, where they differ, come second.
func parseAMDStatic(name string, b []byte) ([]smiCard, error) {
	objects, err := smiObjects(b)
	if err != nil {
		return nil, err
	}
	var cards []smiCard
	for _, o := range objects {
		if !o.has("gpu") { // processors, and a legend that is JSON
			continue
		}
		asic, vram, driver := o.section("asic"), o.section("vram"), o.section("driver")
		vbios := o.section("vbios")
		if vbios == nil {
			vbios = o.section("ifwi")
		}
		cards = append(cards, smiCard{
			device:    gpu.PCIDevice(o.section("bus").text("bdf").text),
			model:     asic.text("market_name").value(fact.ScopeHost, name+": market_name"),
			pciDevice: asic.text("device_id").hex(4, name+": device_id"),
			uniqueID:  asic.text("asic_serial").hex(16, name+": asic_serial"),
			vbios:     vbios.text("part_number", "vbios_part_number").value(fact.ScopeHost, name+": vbios part_number"),
			driver:    driver.text("version", "driver_version").version(fact.ScopeHost, name+": driver version"),
			vram:      vram.text("size", "vram_size_mb", "vram_size").bytes("MB", name+": vram size"),
		})
	}
	if len(cards) == 0 {
		return nil, errors.New("no GPU in it")
	}
	return cards, nil
}

// parseROCmSMI parses rocm-smi --json: an object with one of each card, and of the system. Keys of ROCm 5 come second.
func parseROCmSMI(name string, b []byte) ([]smiCard, error) {
	objects, err := smiObjects(b)
	if err != nil {
		return nil, err // with no data it exits with 0 and says so in a line that is not JSON
	}
	var cards []smiCard
	for _, all := range objects {
		driver := all.section("system").text("Driver version").version(fact.ScopeHost, name+": Driver version")
		var keys []string
		for key := range all {
			if strings.HasPrefix(key, "card") {
				keys = append(keys, key)
			}
		}
		slices.Sort(keys)
		for _, key := range keys {
			o := all.section(key)
			if o == nil {
				continue
			}
			cards = append(cards, smiCard{
				device: gpu.PCIDevice(o.text("PCI Bus").text),
				model: o.text("Card Series", "Card series", "Device Name").
					value(fact.ScopeHost, name+": Card Series"),
				pciDevice: o.text("Device ID", "GPU ID").hex(4, name+": Device ID"),
				uniqueID:  o.text("Unique ID").hex(16, name+": Unique ID"),
				vbios:     o.text("VBIOS version").value(fact.ScopeHost, name+": VBIOS version"),
				driver:    driver,
				vram:      o.text("VRAM Total Memory (B)").bytes("B", name+": VRAM Total Memory"),
			})
		}
	}
	if len(cards) == 0 {
		return nil, errors.New("no card in it")
	}
	return cards, nil
}

const maxTries = 64 // lines that begin like JSON and are not: each costs reading to the end

// smiObjects returns the objects in what a tool of AMD printed: alone, in an array, in an object of arrays
// ("gpu_data"), in several arrays after each other, with lines of text before, between and after them.
func smiObjects(b []byte) ([]smiObject, error) {
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
	}
	var out []smiObject
	whole := b
	for tries := 0; len(b) > 0; {
		if line := bytes.TrimLeft(b, " \t\r"); len(line) > 0 && (line[0] == '{' || line[0] == '[') {
			d := json.NewDecoder(bytes.NewReader(line))
			var raw json.RawMessage
			if err := d.Decode(&raw); err == nil {
				if out = appendObjects(out, raw); len(out) > source.MaxObjects {
					return nil, source.TooLarge{Bound: source.MaxObjects, Unit: "objects"}
				}
				// Arrays that follow each other may share a line.
				b = line[d.InputOffset():]
				continue
			}
			if tries++; tries >= maxTries {
				break
			}
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		b = b[i+1:]
	}
	if len(out) == 0 {
		if text := source.LastLine(whole[max(0, len(whole)-source.MaxTail):]); text != "" {
			return nil, fmt.Errorf("no JSON object in it: %s", text)
		}
		return nil, errors.New("no JSON object in it")
	}
	return out, nil
}

// appendObjects adds the objects of one JSON value, and those of its gpu_data in place of itself.
func appendObjects(out []smiObject, raw json.RawMessage) []smiObject {
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) == nil {
		for _, e := range list[:min(len(list), source.MaxObjects+1)] {
			var o smiObject
			if json.Unmarshal(e, &o) == nil && o != nil {
				out = append(out, o)
			}
		}
		return out
	}
	var o smiObject
	if json.Unmarshal(raw, &o) != nil {
		return out
	}
	if inner, ok := o["gpu_data"]; ok {
		if bytes.HasPrefix(inner, []byte("[")) {
			return appendObjects(out, inner)
		}
		return out
	}
	return append(out, o)
}
