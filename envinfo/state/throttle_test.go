package state

import (
	"encoding/binary"
	"strings"
	"testing"
)

// metricsTable is a table of the driver's, of the size that its head says, with a status at a place.
func metricsTable(format, content byte, size, at int, status uint32) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = 0xff
	}
	binary.LittleEndian.PutUint16(b, uint16(size))
	b[2], b[3] = format, content
	if at > 0 {
		binary.LittleEndian.PutUint32(b[at:], status)
	}
	return b
}

// The sizes and places are those that a C compiler gives the structures of the kernel.
func TestParseThrottle(t *testing.T) {
	for _, test := range []struct {
		table  []byte
		status uint32
		says   string // "": it is known
	}{
		{metricsTable(1, 1, 96, 68, 0), 0, ""},
		{metricsTable(1, 2, 104, 68, 1), 1, ""},
		{metricsTable(1, 3, 120, 68, 0x8000_0001), 0x8000_0001, ""},
		{metricsTable(1, 4, 288, 40, 0x10), 0x10, ""},
		{metricsTable(1, 5, 352, 104, 3), 3, ""},
		{metricsTable(1, 5, 352, 0, 0), 0, "does not tell"},
		{metricsTable(1, 0, 80, 68, 1), 0, "format 1.0: no status"},
		{metricsTable(1, 6, 500, 0, 0), 0, "format 1.6: no status"},
		{metricsTable(2, 3, 200, 68, 1), 0, "format 2.3: no status"},
		{metricsTable(1, 3, 70, 0, 0), 0, "its head says 70"},
		{metricsTable(1, 3, 120, 68, 1)[:100], 0, "100 bytes, and its head says 120"},
		{[]byte{1, 2, 3}, 0, "of 3 bytes"},
		{nil, 0, "of 0 bytes"},
	} {
		status, _, err := parseThrottle(test.table)
		if status != test.status || (err == nil) != (test.says == "") ||
			err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("% x…: %x, %v; want %x, %q", test.table[:min(4, len(test.table))], status, err, test.status,
				test.says)
		}
	}
}

func FuzzThrottle(f *testing.F) {
	f.Add(metricsTable(1, 3, 120, 68, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if status, revision, err := parseThrottle(b); err == nil && (len(b) < 44 || revision == "") ||
			err != nil && status != 0 {
			t.Errorf("%x, %q, %v", status, revision, err)
		}
	})
}
