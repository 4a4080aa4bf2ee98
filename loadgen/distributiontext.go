package loadgen

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Distribution as text is a word for how it is written, a colon, and base64. Which word:
const (
	textMicro  = "exact6" // a varint of the number of samples and one for each difference, in millionths of the unit
	textFloats = "exactf" // the same, of the floating-point numbers' places in their order
	textHDR    = "hdr"    // minimum, maximum and sum; then the counts at or above 0, and those below, as HDR's V2 text
)

// maxDistributionText is more than any Distribution needs.
const maxDistributionText = 4 << 20

// perUnit is the resolution of textMicro: nanoseconds, of milliseconds.
const perUnit = 1e6

var hdrBase64 = base64.StdEncoding

// MarshalText writes the distribution, without loss, as one line of ASCII: so it is in JSON. Times in milliseconds that
// were whole nanoseconds take about 4 bytes a sample (varints of the differences between one and the next), any other
// samples 8 to 10, and a histogram some kilobytes, for any number of samples.
func (d *Distribution) MarshalText() ([]byte, error) {
	if d.histogram != nil {
		return d.histogram.text()
	}
	d.sort()
	word, places := textMicro, d.places(micros)
	if places == nil {
		word, places = textFloats, d.places(func(x float64) (uint64, bool) { return floatPlace(x), true })
	}
	data := binary.AppendUvarint(nil, uint64(len(places)))
	var before uint64
	for _, place := range places {
		data = binary.AppendUvarint(data, place-before)
		before = place
	}
	return []byte(word + ":" + hdrBase64.EncodeToString(data)), nil
}

// places turns the sorted samples into integers in the same order, and is nil where one cannot be turned back.
func (d *Distribution) places(place func(float64) (uint64, bool)) []uint64 {
	out := make([]uint64, 0, len(d.samples))
	for _, x := range d.samples {
		p, ok := place(x)
		if !ok {
			return nil
		}
		out = append(out, p)
	}
	return out
}

// microsOffset is added to the number of millionths, so that it is never below 0.
const microsOffset = 1 << 53

func micros(x float64) (uint64, bool) {
	n := math.Round(x * perUnit)
	if !(math.Abs(n) < microsOffset) || n/perUnit != x {
		return 0, false
	}
	return uint64(int64(n) + microsOffset), true
}

func fromMicros(place uint64) (float64, bool) {
	n := int64(place) - microsOffset
	return float64(n) / perUnit, place < 2*microsOffset
}

// floatPlace is the place of x among all floating-point numbers.
func floatPlace(x float64) uint64 {
	b := math.Float64bits(x)
	if b>>63 != 0 {
		return ^b
	}
	return b | 1<<63
}

func fromFloatPlace(place uint64) (float64, bool) {
	b := place &^ (1 << 63)
	if place>>63 == 0 {
		b = ^place
	}
	x := math.Float64frombits(b)
	return x + 0, !math.IsNaN(x) && !math.IsInf(x, 0)
}

// UnmarshalText reads what [Distribution.MarshalText] writes. Anything else is an [*InvalidError], and leaves d as it
// was. Whatever the text says, no more memory is used than a Distribution may have.
func (d *Distribution) UnmarshalText(text []byte) error {
	read, err := readDistribution(text)
	if err != nil {
		return &InvalidError{"distribution", fmt.Sprintf("%.20q", text),
			"what Distribution.MarshalText writes: " + err.Error()}
	}
	*d = *read
	return nil
}

func readDistribution(text []byte) (*Distribution, error) {
	if len(text) > maxDistributionText {
		return nil, fmt.Errorf("%d bytes are too many", len(text))
	}
	word, rest, _ := strings.Cut(string(text), ":")
	from := fromMicros
	switch word {
	case textMicro:
	case textFloats:
		from = fromFloatPlace
	case textHDR:
		h, err := readHistogram(rest)
		return &Distribution{histogram: h}, err
	default:
		return nil, errors.New("it begins with neither exact6, exactf nor hdr and a colon")
	}
	data, err := hdrBase64.DecodeString(rest)
	if err != nil {
		return nil, err
	}
	number := func() (uint64, error) {
		x, size := binary.Uvarint(data)
		if size <= 0 {
			return 0, errors.New("it ends early, or has a number over 64 bits")
		}
		data = data[size:]
		return x, nil
	}
	n, err := number()
	if err != nil {
		return nil, err
	}
	if n > MaxExact || n > uint64(len(data)) {
		return nil, fmt.Errorf("%d samples are more than it holds, or than are kept", n)
	}
	d := &Distribution{samples: make([]float64, 0, n), sorted: true}
	var place uint64
	for range n {
		step, err := number()
		if err != nil {
			return nil, err
		}
		if place+step < place {
			return nil, errors.New("its samples go beyond the numbers")
		}
		place += step
		x, ok := from(place)
		if !ok {
			return nil, errors.New("one of its samples is no finite number")
		}
		d.samples = append(d.samples, x)
	}
	if len(data) > 0 {
		return nil, fmt.Errorf("%d bytes too many", len(data))
	}
	return d, nil
}

// text is [Distribution.MarshalText].
func (h *histogram) text() ([]byte, error) {
	var ends []byte
	for _, x := range []float64{h.min, h.max, h.sum} {
		ends = binary.BigEndian.AppendUint64(ends, math.Float64bits(x))
	}
	out := []byte(textHDR + ":" + hdrBase64.EncodeToString(ends))
	for _, part := range []*hdrhistogram.Histogram{h.positive, h.negative} {
		out = append(out, ':')
		if part == nil {
			continue
		}
		counts, err := part.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			return nil, err
		}
		out = append(out, counts...)
	}
	return out, nil
}

// maxHistogramLen is the most samples that a histogram is read with: far more than can be taken, and few enough that
// many can be merged.
const maxHistogramLen = 1 << 48

func readHistogram(text string) (*histogram, error) {
	fields := strings.Split(text, ":")
	if len(fields) != 3 {
		return nil, fmt.Errorf("a histogram has 3 parts, and this %d", len(fields))
	}
	ends, err := hdrBase64.DecodeString(fields[0])
	if err != nil {
		return nil, err
	}
	if len(ends) != 3*8 {
		return nil, errors.New("the minimum, the maximum and the sum are not there")
	}
	end := func(i int) float64 { return math.Float64frombits(binary.BigEndian.Uint64(ends[8*i:])) }
	h := &histogram{min: end(0), max: end(1), sum: end(2)}
	if h.positive, err = readHDR(fields[1]); err != nil {
		return nil, err
	}
	if h.negative, err = readHDR(fields[2]); err != nil {
		return nil, err
	}
	return h, h.check()
}

// readHDR reads counts of our geometry. Of another, they could not be merged, and might need much memory: they are
// refused before the library sees them.
func readHDR(text string) (*hdrhistogram.Histogram, error) {
	if text == "" {
		return nil, nil
	}
	data, err := hdrBase64.DecodeString(text)
	if err != nil {
		return nil, err
	}
	const outer, inner = 8, 40 // lengths of the headers around and inside what is compressed
	if len(data) < outer {
		return nil, io.ErrUnexpectedEOF
	}
	z, err := zlib.NewReader(bytes.NewReader(data[outer:]))
	if err != nil {
		return nil, err
	}
	var header [inner]byte
	if _, err := io.ReadFull(z, header[:]); err != nil {
		return nil, err
	}
	digits := binary.BigEndian.Uint32(header[12:])
	lowest, highest := binary.BigEndian.Uint64(header[16:]), binary.BigEndian.Uint64(header[24:])
	if digits != histogramDigits || lowest != 1 || highest != histogramMax {
		return nil, fmt.Errorf("a histogram of %d digits from %d to %d", digits, lowest, highest)
	}
	read, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	if n := read.TotalCount(); n < 1 || n > maxHistogramLen {
		return nil, fmt.Errorf("a histogram of %d samples", n)
	}
	// What else the header may say is none of ours.
	own := newHDR()
	own.Merge(read)
	return own, nil
}

// check returns an error unless the minimum, the maximum and the sum can be those of the samples counted.
func (h *histogram) check() error {
	n := h.len()
	if n == 0 {
		return errors.New("a histogram without samples")
	}
	if !(h.min <= h.max) || math.IsInf(h.min, 0) || math.IsInf(h.max, 0) {
		return fmt.Errorf("samples from %v to %v", h.min, h.max)
	}
	h.tabulate()
	for i, x := range [2]float64{h.min, h.max} {
		told := h.bars[i*(len(h.bars)-1)].value
		held := min(max(x, -histogramMax*histogramUnit), histogramMax*histogramUnit)
		if math.Abs(held-told) > 1e-3*math.Abs(told)+histogramUnit {
			return fmt.Errorf("an extreme of %v, where the counts say %v", x, told)
		}
	}
	if mean := h.sum / float64(n); mean < h.min-1e-6*math.Abs(h.min) || mean > h.max+1e-6*math.Abs(h.max) {
		if !math.IsInf(h.sum, 0) { // which it is where it was too great
			return fmt.Errorf("a mean of %v of samples from %v to %v", mean, h.min, h.max)
		}
	}
	return nil
}
