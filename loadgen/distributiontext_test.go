package loadgen

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// As text, nothing is lost, and it is short.
func TestDistributionText(t *testing.T) {
	for shape := range shapes {
		for _, n := range []int{0, 1, 2, 10_000} {
			x := samplesOf(shape, n)
			for _, d := range []*Distribution{distributionOf(x), asHistogram(x)} {
				if n == 0 && !d.Exact() {
					continue
				}
				text, err := json.Marshal(d)
				if err != nil {
					t.Fatal(err)
				}
				var back Distribution
				if err := json.Unmarshal(text, &back); err != nil {
					t.Fatalf("%s, %d: %v", shape, n, err)
				}
				sameDistribution(t, &back, d)
				if !slices.Equal(back.samples, d.samples) {
					t.Errorf("%s, %d: other samples came back", shape, n)
				}
				a, _ := d.Mean()
				if b, _ := back.Mean(); a != b {
					t.Errorf("%s, %d: the mean was %v and is %v", shape, n, a, b)
				}
				if n == 10_000 && shape == "whole ns" && d.Exact() && len(text) > 40_000 {
					t.Errorf("%d bytes", len(text))
				}
			}
		}
	}
}

func TestDistributionTextRefused(t *testing.T) {
	encode := func(word string, numbers ...uint64) string {
		var data []byte
		for _, n := range numbers {
			data = binary.AppendUvarint(data, n)
		}
		return word + ":" + hdrBase64.EncodeToString(data)
	}
	hdr := func(min, max, sum float64, counts string) string {
		h := &histogram{min: min, max: max, sum: sum}
		text, _ := h.text()
		return string(text[:len(text)-1]) + counts + ":"
	}
	wide := hdrhistogram.New(1, math.MaxInt64, 5)
	_ = wide.RecordValue(5)
	wideText, _ := wide.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	two := newHDR()
	_ = two.RecordValues(2e9, 2)
	twoText, _ := two.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	many := newHDR()
	_ = many.RecordValues(2e9, 1<<60)
	manyText, _ := many.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	if err := new(Distribution).UnmarshalText([]byte(hdr(2, 2, 4, string(twoText)))); err != nil {
		t.Fatalf("what is right is refused: %v", err)
	}
	for name, text := range map[string]string{
		"nothing":            "",
		"another word":       "exact7:AA==",
		"no base64":          "exact6:*",
		"no count":           "exact6:",
		"too few":            encode("exact6", 3, 1, 1),
		"too many":           encode("exact6", 1, 1, 1),
		"more than are kept": encode("exact6", MaxExact+1) + strings.Repeat("A", 4*MaxExact),
		"memory bomb":        encode("exact6", 1<<62),
		"a number of 11 bytes": "exact6:" + hdrBase64.EncodeToString(append([]byte{1},
			bytes.Repeat([]byte{0xff}, 11)...)),
		"wraps around":        encode("exactf", 2, 1<<63, 1<<63),
		"not a number":        encode("exactf", 1, math.MaxUint64),
		"an infinity":         encode("exactf", 1, floatPlace(math.Inf(1))),
		"over 2⁵³":            encode("exact6", 1, 1<<54),
		"too long":            "exact6:" + strings.Repeat("A", maxDistributionText),
		"hdr of nothing":      "hdr:",
		"hdr without counts":  hdr(1, 2, 3, ""),
		"hdr, another shape":  hdr(5e-9, 5e-9, 5e-9, string(wideText)),
		"hdr, too many":       hdr(2, 2, 2<<60, string(manyText)),
		"hdr, other extremes": hdr(1, 2, 4, string(twoText)),
		"hdr, maximum below":  hdr(2, 1, 4, string(twoText)),
		"hdr, infinite":       hdr(2, math.Inf(1), 4, string(twoText)),
		"hdr, no number":      hdr(math.NaN(), 2, 4, string(twoText)),
		"hdr, another mean":   hdr(2, 2, 40, string(twoText)),
		"hdr, cut":            hdr(2, 2, 4, string(twoText[:len(twoText)/2])),
		"hdr, four parts":     hdr(2, 2, 4, string(twoText)) + ":",
	} {
		d := distributionOf([]float64{7})
		err := d.UnmarshalText([]byte(text))
		var invalid *InvalidError
		if !errors.As(err, &invalid) || invalid.Field != "distribution" || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
		if got, _ := d.Quantile(50); got != 7 || d.Len() != 1 {
			t.Errorf("%s: the distribution is no longer what it was", name)
		}
	}
}

// Whatever is read, it can be written and read again, and is the same.
func FuzzDistributionText(f *testing.F) {
	for shape := range shapes {
		for _, d := range []*Distribution{distributionOf(samplesOf(shape, 20)), asHistogram(samplesOf(shape, 20))} {
			text, err := d.MarshalText()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d, again Distribution
		if err := d.UnmarshalText(text); err != nil {
			return
		}
		if least, ok := d.Quantile(0); ok {
			most, _ := d.Quantile(100)
			if median, _ := d.Quantile(50); !(least <= median && median <= most) {
				t.Fatalf("a median of %v between %v and %v", median, least, most)
			}
		}
		text, err := d.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		if err := again.UnmarshalText(text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		sameDistribution(t, &again, &d)
	})
}
