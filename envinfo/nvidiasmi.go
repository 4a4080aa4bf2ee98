package envinfo

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// nvidiaFields is what nvidia-smi is asked for.
var nvidiaFields = []string{
	"index", "name", "uuid", "driver_version", "memory.total", "compute_cap", "pci.bus_id", "pci.device_id", "vbios_version", "power.limit",
	"clocks.max.sm", "clocks.max.memory", "mig.mode.current", "ecc.mode.current", "persistence_mode",
}

var nvidiaBadField = regexp.MustCompile(`Field "([a-z._]+)" is not a valid field`)

// nvidiaRenamed is the later names of fields.
var nvidiaRenamed = map[string]string{"clocks_throttle_reasons.active": "clocks_event_reasons.active"}

// queryNVIDIA runs nvidia-smi. A release that does not know one of the fields answers none of them and names it: it is asked again
// with the field's other name, or without.
func queryNVIDIA(b *toolbox, want []string) ([]byte, error) {
	want = slices.Clone(want)
	for {
		out, err := b.run("nvidia-smi", "--query-gpu="+strings.Join(want, ","), "--format=csv")
		m := nvidiaBadField.FindSubmatch(out[:min(len(out), maxTail)])
		if err == nil || m == nil {
			return out, err
		}
		i := slices.Index(want, string(m[1]))
		if i < 0 || len(want) == 1 {
			return out, err
		}
		if other, ok := nvidiaRenamed[want[i]]; ok {
			want[i] = other
		} else {
			want = slices.Delete(want, i, i+1)
		}
	}
}

// nvidiaRow is what nvidia-smi says of one card, or why it says nothing.
type nvidiaRow struct {
	name   string // of the tool
	values map[string]string
	err    error
}

// parseNVIDIACSV parses the table that nvidia-smi --query-gpu prints, with a row for each card.
func parseNVIDIACSV(name string, b []byte) ([]nvidiaRow, error) {
	return parseNVIDIATable(name, "pci.bus_id", b)
}

// parseNVIDIATable parses a table of nvidia-smi: a header of "name [unit]", one of them key, and rows.
func parseNVIDIATable(name, key string, b []byte) ([]nvidiaRow, error) {
	if len(b) > maxToolOutput {
		return nil, tooLarge{maxToolOutput, "bytes"}
	}
	if bytes.HasPrefix(bytes.TrimSpace(b), []byte("No devices were found")) {
		return nil, nil
	}
	r := csv.NewReader(bytes.NewReader(b))
	r.TrimLeadingSpace = true
	r.FieldsPerRecord = -1
	header, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("no header: %w", err)
	}
	seen := map[string]bool{}
	for i, h := range header {
		h, _, _ = strings.Cut(h, " [")
		header[i] = strings.TrimSpace(h)
		if seen[header[i]] {
			return nil, fmt.Errorf("%q is twice in the header", clip(header[i]))
		}
		seen[header[i]] = true
	}
	if !seen[key] {
		return nil, fmt.Errorf("the header %q has no %s", clip(strings.Join(header, ", ")), key)
	}
	var rows []nvidiaRow
	for {
		record, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if len(record) != len(header) { // a comma in a name that is not quoted shifts the rest: nothing in the row can be trusted
			return nil, fmt.Errorf("a row has %d fields, and the header %d", len(record), len(header))
		}
		if len(rows) == maxObjects {
			return nil, tooLarge{maxObjects, "rows"}
		}
		values := make(map[string]string, len(header))
		for i, h := range header {
			values[h] = strings.TrimSpace(record[i])
		}
		rows = append(rows, nvidiaRow{name: name, values: values})
	}
}

// field is one field of the row. What is not there is written in brackets: [N/A], [Not Supported], [Unknown Error].
func (r nvidiaRow) field(name string) (string, error) {
	if r.err != nil {
		return "", r.err
	}
	v, ok := r.values[name]
	switch {
	case !ok:
		return "", fmt.Errorf("%s: no %s", r.name, name)
	case v == "" || strings.HasPrefix(v, "[") || strings.EqualFold(v, "N/A"):
		return "", fmt.Errorf("%s: %s is %q", r.name, name, clip(v))
	}
	return v, nil
}

func (r nvidiaRow) source(field string) string { return r.name + ": " + field }

func (r nvidiaRow) text(field string) Value[string] {
	v, err := r.field(field)
	if err != nil {
		return Unknown[string]("", ScopeHost, err.Error())
	}
	return Known(v, "", ScopeHost, r.source(field))
}

func (r nvidiaRow) location() Value[string] {
	v := r.text("pci.bus_id")
	s, ok := v.Get()
	if !ok {
		return v
	}
	if l := pciLocation(s); l != "" {
		return Known(l, "", ScopeHost, v.Source())
	}
	return Unknown[string]("", ScopeHost, fmt.Sprintf("%s: %q is not a PCI address", v.Source(), clip(s)))
}

// quantity is a number with its unit: "81559 MiB".
func (r nvidiaRow) quantity(field, unit string) (float64, error) {
	v, err := r.field(field)
	if err != nil {
		return 0, err
	}
	digits, own, _ := strings.Cut(v, " ")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || own != unit || !(x > 0 && x < 1e12) {
		return 0, fmt.Errorf("%s: %q is not a number of %s", r.source(field), clip(v), unit)
	}
	return x, nil
}

func (r nvidiaRow) float(field, unit string) Value[float64] {
	x, err := r.quantity(field, unit)
	if err != nil {
		return Unknown[float64](unit, ScopeHost, err.Error())
	}
	return Known(x, unit, ScopeHost, r.source(field))
}

func (r nvidiaRow) megahertz(field string) Value[int64] {
	x, err := r.quantity(field, "MHz")
	if err == nil && x != math.Trunc(x) {
		err = fmt.Errorf("%s: %v is not a whole number", r.source(field), x)
	}
	if err != nil {
		return Unknown[int64]("MHz", ScopeHost, err.Error())
	}
	return Known(int64(x), "MHz", ScopeHost, r.source(field))
}

func (r nvidiaRow) bytes(field string) Value[int64] {
	x, err := r.quantity(field, "MiB")
	if err != nil {
		return Unknown[int64]("B", ScopeHost, err.Error())
	}
	return Known(int64(x*(1<<20)), "B", ScopeHost, r.source(field))
}

func (r nvidiaRow) enabled(field string) Value[bool] {
	v, err := r.field(field)
	if err == nil && v != "Enabled" && v != "Disabled" {
		err = fmt.Errorf("%s: %q is neither Enabled nor Disabled", r.source(field), clip(v))
	}
	if err != nil {
		return Unknown[bool]("", ScopeHost, err.Error())
	}
	return Known(v == "Enabled", "", ScopeHost, r.source(field))
}

// first is the first of the names that the row has, or the last of them.
func (r nvidiaRow) first(names ...string) string {
	for _, name := range names {
		if _, ok := r.values[name]; ok {
			return name
		}
	}
	return names[len(names)-1]
}

// level is a number from 0 up, printed with the unit own, and named by the first of fields that is there.
func (r nvidiaRow) level(unit, own string, fields ...string) Value[float64] {
	field := r.first(fields...)
	x, err := r.fromZero(field, own)
	if err != nil {
		return Unknown[float64](unit, ScopeHost, err.Error())
	}
	return Known(x, unit, ScopeHost, r.source(field))
}

// count is a whole number from 0 to limit, printed with the unit own, times scale.
func (r nvidiaRow) count(unit, own string, limit, scale int64, field string) Value[int64] {
	x, err := r.fromZero(field, own)
	if err == nil && (x > float64(limit) || x != float64(int64(x))) {
		err = fmt.Errorf("%s: %v is not a whole number from 0 to %d", r.source(field), x, limit)
	}
	if err != nil {
		return Unknown[int64](unit, ScopeHost, err.Error())
	}
	return Known(int64(x)*scale, unit, ScopeHost, r.source(field))
}

func (r nvidiaRow) fromZero(field, unit string) (float64, error) {
	v, err := r.field(field)
	if err != nil {
		return 0, err
	}
	digits, own, _ := strings.Cut(v, " ")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || own != unit || !(x >= 0 && x <= 1<<53) {
		return 0, fmt.Errorf("%s: %q is not a number%s", r.source(field), clip(v), strings.TrimSuffix(" of "+unit, " of "))
	}
	return x, nil
}
