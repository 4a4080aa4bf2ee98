package amd

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/envinfo/fact"
)

func FuzzProperties(f *testing.F) {
	f.Add(
		[]byte(
			"simd_count 1216\nsimd_per_cu 4\ngfx_target_version 90402\nunique_id 4376936076086227261\nlocation_id " +
				"18176\ndomain 0\n",
		),
	)
	f.Add([]byte("simd_count\r\n\x00 1\nsimd_count -1\nsimd_count 99999999999999999999\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		p := parseProperties("x", b)
		for name, text := range p.values {
			if name == "" || !bytes.Contains(b, []byte(name)) || !bytes.Contains(b, []byte(text)) {
				t.Errorf("property %q = %q is not in the file", name, text)
			}
			n, err := p.number(name)
			if err == nil && !strings.ContainsAny(text, "0123456789") {
				t.Errorf("%q reads as %d", text, n)
			}
			if _, err := p.positive(name); err == nil && n == 0 {
				t.Errorf("%q is positive", text)
			}
		}
		n := kfdNode{properties: p}
		if v, ok := n.computeUnits().Get(); ok && v <= 0 {
			t.Errorf("%d compute units", v)
		}
		if v, ok := n.target().Get(); ok && !strings.HasPrefix(v, "gfx") {
			t.Errorf("target %q", v)
		}
		if l, err := n.location(); err == nil && !strings.Contains(l, ":") {
			t.Errorf("location %q", l)
		}
		if n.card() == "" {
			t.Error("a node without a card")
		}
	})
}

func FuzzTarget(f *testing.F) {
	f.Add(uint64(90402))
	f.Add(uint64(math.MaxUint64))
	f.Fuzz(func(t *testing.T, v uint64) {
		s, err := target(v)
		if (err == nil) == (s == "") {
			t.Errorf("target(%d) = %q, %v", v, s, err)
		}
		if err == nil && v > 999999 {
			t.Errorf("target(%d) = %q", v, s)
		}
	})
}

func TestTarget(t *testing.T) {
	for version, want := range map[uint64]string{
		90402: "gfx942", 90010: "gfx90a", 90500: "gfx950", 90008: "gfx908", 100300: "gfx1030", 110001: "gfx1101",
		120000: "gfx1200",
		0:      "", 942: "", 90416: "", 91602: "", 1000000: "", math.MaxUint64: "",
	} {
		if got, err := target(version); got != want || (err == nil) != (want != "") {
			t.Errorf("target(%d) = %q, %v; want %q", version, got, err, want)
		}
	}
}

func FuzzLink(f *testing.F) {
	f.Add([]byte("type 11\nnode_from 2\nnode_to 3\nweight 15\nmin_bandwidth 50000\nmax_bandwidth 50000\n"))
	f.Add([]byte("type 18446744073709551615\nnode_from 2\nnode_to -1\r\nnode_to 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		to, l, err := parseLink(parseProperties("x", b), 2)
		if err != nil {
			return
		}
		if to < 0 || to == 2 {
			t.Errorf("a link from 2 to %d", to)
		}
		if s, ok := l.Type.Get(); ok && s == "" {
			t.Error("a type without a name")
		}
		for _, v := range []fact.Value[int64]{l.Weight, l.MinBandwidth, l.MaxBandwidth} {
			if n, ok := v.Get(); ok && n <= 0 {
				t.Errorf("%d is positive", n)
			}
		}
	})
}
