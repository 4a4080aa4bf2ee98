package nvidia

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

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/envinfo/gpu"
	"github.com/servegauge/servegauge/envinfo/internal/source"
)

// nvidiaFields is what nvidia-smi is asked for.
var nvidiaFields = []string{
	"index", "name", "uuid", "driver_version", "memory.total", "compute_cap", "pci.bus_id", "pci.device_id",
	"vbios_version", "power.limit",
	"clocks.max.sm", "clocks.max.memory", "mig.mode.current", "ecc.mode.current", "persistence_mode",
	"pcie.link.gen.current", "pcie.link.width.current", "pcie.link.gen.max", "pcie.link.width.max",
}

var nvidiaBadField = regexp.MustCompile(`Field "([a-z._]+)" is not a valid field`)

// nvidiaRenamed is the later names of fields.
var nvidiaRenamed = map[string]string{"clocks_throttle_reasons.active": "clocks_event_reasons.active"}

// Query runs nvidia-smi. A release that does not know one of the fields answers none of them and names it: it is asked
// again with the field's other name, or without.
func Query(b *source.Toolbox, want []string) ([]byte, error) {
	want = slices.Clone(want)
	for {
		out, err := b.Run("nvidia-smi", "--query-gpu="+strings.Join(want, ","), "--format=csv")
		m := nvidiaBadField.FindSubmatch(out[:min(len(out), source.MaxTail)])
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

// Row is what nvidia-smi says of one card, or why it says nothing.
type Row struct {
	name   string // of the tool
	Values map[string]string
	err    error
}

// ParseCSV parses the table that nvidia-smi --query-gpu prints, with a row for each card.
func ParseCSV(name string, b []byte) ([]Row, error) {
	return ParseTable(name, "pci.bus_id", b)
}

// ParseTable parses a table of nvidia-smi: a header of "name [unit]", one of them key, and rows.
func ParseTable(name, key string, b []byte) ([]Row, error) {
	if len(b) > source.MaxToolOutput {
		return nil, source.TooLarge{Bound: source.MaxToolOutput, Unit: "bytes"}
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
			return nil, fmt.Errorf("%q is twice in the header", fact.Clip(header[i]))
		}
		seen[header[i]] = true
	}
	if !seen[key] {
		return nil, fmt.Errorf("the header %q has no %s", fact.Clip(strings.Join(header, ", ")), key)
	}
	var rows []Row
	for {
		record, err := r.Read()
		if err == io.EOF {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		// a comma in a name that is not quoted shifts the rest: nothing in the row can be trusted
		if len(record) != len(header) {
			return nil, fmt.Errorf("a row has %d fields, and the header %d", len(record), len(header))
		}
		if len(rows) == source.MaxObjects {
			return nil, source.TooLarge{Bound: source.MaxObjects, Unit: "rows"}
		}
		values := make(map[string]string, len(header))
		for i, h := range header {
			values[h] = strings.TrimSpace(record[i])
		}
		rows = append(rows, Row{name: name, Values: values})
	}
}

// Field is one field of the row. What is not there is written in brackets: [N/A], [Not Supported], [Unknown Error].
func (r Row) Field(name string) (string, error) {
	v, ok := r.Values[name]
	switch {
	case !ok && r.err != nil:
		return "", r.err
	case !ok:
		return "", fmt.Errorf("%s: no %s", r.name, name)
	case source.NoAnswer(v):
		return "", fmt.Errorf("%s: %s is %q", r.name, name, fact.Clip(v))
	}
	return v, nil
}

// Source is where a field of the row was read.
func (r Row) Source(field string) string { return r.name + ": " + field }

func (r Row) text(field string) fact.Value[string] {
	v, err := r.Field(field)
	if err != nil {
		return fact.Unknown[string]("", fact.ScopeHost, err.Error())
	}
	return fact.Known(v, "", fact.ScopeHost, r.Source(field))
}

// version is a field that has the shape of a version.
func (r Row) version(field string) fact.Value[string] { return r.shaped(field, nvidiaVersion) }

// What fields look like. Whatever else nvidia-smi prints in their place is no value.
var (
	capability = regexp.MustCompile(`^[0-9]{1,2}\.[0-9]{1,2}$`)
	cardUUID   = regexp.MustCompile(`^GPU-[0-9A-Za-z-]+$`)
	vbios      = regexp.MustCompile(`^[0-9A-Fa-f]{2}(\.[0-9A-Fa-f]{2})*$`)
)

// shaped is a field that must match shape.
func (r Row) shaped(field string, shape *regexp.Regexp) fact.Value[string] {
	v := r.text(field)
	if s, ok := v.Get(); ok && !shape.MatchString(s) {
		what := field
		if shape == nvidiaVersion {
			what = "version"
		}
		return fact.Unknown[string]("", fact.ScopeHost,
			fmt.Sprintf("%s: %q is not a %s", v.Source(), fact.Clip(s), what))
	}
	return v
}

// Location is the PCI address of the card.
func (r Row) Location() fact.Value[string] {
	v := r.text("pci.bus_id")
	s, ok := v.Get()
	if !ok {
		return v
	}
	if l := gpu.PCILocation(s); l != "" {
		return fact.Known(l, "", fact.ScopeHost, v.Source())
	}
	return fact.Unknown[string]("", fact.ScopeHost,
		fmt.Sprintf("%s: %q is not a PCI address", v.Source(), fact.Clip(s)))
}

// quantity is a number with its unit: "81559 MiB".
func (r Row) quantity(field, unit string) (float64, error) {
	v, err := r.Field(field)
	if err != nil {
		return 0, err
	}
	digits, own, _ := strings.Cut(v, " ")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || own != unit || !(x > 0 && x < 1e12) {
		return 0, fmt.Errorf("%s: %q is not a number of %s", r.Source(field), fact.Clip(v), unit)
	}
	return x, nil
}

func (r Row) float(field, unit string) fact.Value[float64] {
	x, err := r.quantity(field, unit)
	if err != nil {
		return fact.Unknown[float64](unit, fact.ScopeHost, err.Error())
	}
	return fact.Known(x, unit, fact.ScopeHost, r.Source(field))
}

func (r Row) megahertz(field string) fact.Value[int64] {
	x, err := r.quantity(field, "MHz")
	if err == nil && x != math.Trunc(x) {
		err = fmt.Errorf("%s: %v is not a whole number", r.Source(field), x)
	}
	if err != nil {
		return fact.Unknown[int64]("MHz", fact.ScopeHost, err.Error())
	}
	return fact.Known(int64(x), "MHz", fact.ScopeHost, r.Source(field))
}

func (r Row) bytes(field string) fact.Value[int64] {
	x, err := r.quantity(field, "MiB")
	if err != nil {
		return fact.Unknown[int64]("B", fact.ScopeHost, err.Error())
	}
	return fact.Known(int64(x*(1<<20)), "B", fact.ScopeHost, r.Source(field))
}

func (r Row) enabled(field string) fact.Value[bool] {
	v, err := r.Field(field)
	if err == nil && v != "Enabled" && v != "Disabled" {
		err = fmt.Errorf("%s: %q is neither Enabled nor Disabled", r.Source(field), fact.Clip(v))
	}
	if err != nil {
		return fact.Unknown[bool]("", fact.ScopeHost, err.Error())
	}
	return fact.Known(v == "Enabled", "", fact.ScopeHost, r.Source(field))
}

// First is the first of the names that the row has, or the last of them.
func (r Row) First(names ...string) string {
	for _, name := range names {
		if _, ok := r.Values[name]; ok {
			return name
		}
	}
	return names[len(names)-1]
}

// Level is a number from 0 up, printed with the unit own, and named by the first of fields that is there.
func (r Row) Level(unit, own string, fields ...string) fact.Value[float64] {
	field := r.First(fields...)
	x, err := r.fromZero(field, own)
	if err != nil {
		return fact.Unknown[float64](unit, fact.ScopeHost, err.Error())
	}
	return fact.Known(x, unit, fact.ScopeHost, r.Source(field))
}

// Count is a whole number from 0 to limit, printed with the unit own, times scale.
func (r Row) Count(unit, own string, limit, scale int64, field string) fact.Value[int64] {
	x, err := r.fromZero(field, own)
	if err == nil && (x > float64(limit) || x != float64(int64(x))) {
		err = fmt.Errorf("%s: %v is not a whole number from 0 to %d", r.Source(field), x, limit)
	}
	if err != nil {
		return fact.Unknown[int64](unit, fact.ScopeHost, err.Error())
	}
	return fact.Known(int64(x)*scale, unit, fact.ScopeHost, r.Source(field))
}

func (r Row) fromZero(field, unit string) (float64, error) {
	v, err := r.Field(field)
	if err != nil {
		return 0, err
	}
	digits, own, _ := strings.Cut(v, " ")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || own != unit || !(x >= 0 && x <= 1<<53) {
		return 0, fmt.Errorf("%s: %q is not a number%s", r.Source(field), fact.Clip(v),
			strings.TrimSuffix(" of "+unit, " of "))
	}
	return x, nil
}
