package workload

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"math"
	"net/url"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
)

// Media are images, frames of a video, or sounds, each encoded as it is sent, before any clock starts.
type Media struct {
	name  string
	parts []string // of a message's content, as JSON
	bytes int      // of all, as they are sent
	made  bool     // by a seed
}

// sum is a hash of all that are sent; "" of those that were made.
func (m Media) sum() string {
	if m.made {
		return ""
	}
	h := sha256.New()
	for _, part := range m.parts {
		_, _ = io.WriteString(h, part) // of a hash, which takes everything
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Len is how many there are.
func (m Media) Len() int { return len(m.parts) }

// A MediaError says which file is not what it should be.
type MediaError struct {
	Name string
	Err  error
}

func (e *MediaError) Error() string { return fmt.Sprintf("media %q: %v", e.Name, e.Err) }
func (e *MediaError) Unwrap() error { return e.Err }

const (
	mostMedia      = 100_000
	mostMediaBytes = 1 << 30 // kept in memory
	mostPixels     = 1 << 26
)

// MakeImages makes n images of so many pixels, "png" or "jpeg", of colours by chance and the seed, so that no two are
// alike and no cache of a server's knows them. They are as hard to compress as images get.
func MakeImages(seed uint64, n, width, height int, format string) (Media, error) {
	if n < 1 || n > mostMedia || width < 1 || height < 1 || width > mostPixels/height {
		return Media{}, &loadgen.InvalidError{Field: "images", Value: fmt.Sprintf("%d of %dx%d", n, width, height),
			Want: "1 to 100,000, each of at most 2²⁶ pixels"}
	}
	m := Media{name: fmt.Sprintf("%d images of %dx%d, %s", n, width, height, format), made: true}
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range n {
		var from source
		from.Seed(seed, uint64(i))
		for at := 0; at < len(picture.Pix); at += 8 {
			x := from.Uint64()
			for k := at; k < min(at+8, len(picture.Pix)); k++ {
				picture.Pix[k] = byte(x)
				x >>= 8
			}
		}
		for at := 3; at < len(picture.Pix); at += 4 {
			picture.Pix[at] = 0xff
		}
		picture.SetRGBA(0, 0, color.RGBA{byte(i), byte(i >> 8), byte(i >> 16), 0xff})
		var out bytes.Buffer
		var err error
		switch format {
		case "png":
			err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, picture)
		case "jpeg":
			err = jpeg.Encode(&out, picture, nil)
		default:
			return Media{}, &loadgen.InvalidError{Field: "image format", Value: format, Want: "png or jpeg"}
		}
		if err != nil {
			return Media{}, err
		}
		if err := m.addImage(format, out.Bytes()); err != nil {
			return Media{}, err
		}
	}
	return m, nil
}

// MakeSounds makes n sounds of so many seconds, as WAV of 16 kHz, 16 bits and one channel, of noise by the seed.
func MakeSounds(seed uint64, n int, seconds float64) (Media, error) {
	if n < 1 || n > mostMedia || !(seconds > 0 && seconds <= 3600) {
		return Media{}, &loadgen.InvalidError{Field: "sounds", Value: fmt.Sprintf("%d of %v s", n, seconds),
			Want: "1 to 100,000, of up to 3,600 s"}
	}
	const rate = 16_000
	m := Media{name: fmt.Sprintf("%d sounds of %g s, wav", n, seconds), made: true}
	samples := max(1, int(math.Round(seconds*rate)))
	for i := range n {
		var from source
		from.Seed(seed, uint64(i))
		b := []byte("RIFF")
		b = binary.LittleEndian.AppendUint32(b, uint32(36+2*samples))
		b = append(b, "WAVEfmt "...)
		for _, x := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(2 * rate), uint16(2), uint16(16)} {
			b, _ = binary.Append(b, binary.LittleEndian, x) // numbers: cannot fail
		}
		b = binary.LittleEndian.AppendUint32(append(b, "data"...), uint32(2*samples))
		for range samples {
			b = binary.LittleEndian.AppendUint16(b, uint16(from.Uint64()>>50))
		}
		if err := m.addSound(b); err != nil {
			return Media{}, err
		}
	}
	return m, nil
}

// ReadMedia reads all PNG, JPEG and WAV files of a folder, by their names' order; frames of a video are images in
// order. Each is looked at: a file that is not what its name says is a [*MediaError]. Other files are passed over.
func ReadMedia(folder fs.FS, name string) (Media, error) {
	m := Media{name: name}
	err := fs.WalkDir(folder, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !IsMedia(path) {
			return nil
		}
		kind := kindOf(path)
		data, err := fs.ReadFile(folder, path)
		if err != nil {
			return err
		}
		if kind == "wav" {
			if len(data) < 44 || string(data[:4]) != "RIFF" || string(data[8:12]) != "WAVE" {
				return &MediaError{path, errors.New("it is no WAV")}
			}
			return m.addSound(data)
		}
		if _, found, err := image.DecodeConfig(bytes.NewReader(data)); err != nil || found != kind {
			return &MediaError{path, fmt.Errorf("it is no %s: %w", kind, cmpErr(err, "it is a "+found))}
		}
		return m.addImage(kind, data)
	})
	if err == nil && m.Len() == 0 {
		err = &MediaError{name, errors.New("there are no .png, .jpg or .wav files in it")}
	}
	if err != nil {
		return Media{}, err
	}
	return m, nil
}

// IsMedia reports whether [ReadMedia] reads a file of that name.
func IsMedia(name string) bool {
	kind := kindOf(name)
	return kind == "png" || kind == "jpeg" || kind == "wav"
}

// kindOf is the kind of a file, by the end of its name.
func kindOf(name string) string {
	kind := strings.ToLower(name[strings.LastIndexByte(name, '.')+1:])
	if kind == "jpg" {
		return "jpeg"
	}
	return kind
}

func cmpErr(err error, otherwise string) error {
	if err == nil {
		return errors.New(otherwise)
	}
	return err
}

// MediaURLs are images that the server has to fetch itself, by http:// or https://.
func MediaURLs(urls ...string) (Media, error) {
	m := Media{name: fmt.Sprintf("%d URLs", len(urls))}
	for _, text := range urls {
		if u, err := url.Parse(text); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return Media{}, &MediaError{text, errors.New("want an http:// or https:// URL")}
		}
		m.parts = append(m.parts, `{"type":"image_url","image_url":{"url":`+string(jsontext.AppendString(nil, text))+`}}`)
	}
	return m, nil
}

func (m *Media) addImage(kind string, data []byte) error {
	return m.add(`{"type":"image_url","image_url":{"url":"data:image/`+kind+`;base64,`, data, `"}}`)
}

func (m *Media) addSound(data []byte) error {
	return m.add(`{"type":"input_audio","input_audio":{"format":"wav","data":"`, data, `"}}`)
}

func (m *Media) add(before string, data []byte, after string) error {
	part := before + base64.StdEncoding.EncodeToString(data) + after
	if m.bytes += len(part); m.bytes > mostMediaBytes || len(m.parts) == mostMedia {
		return &MediaError{m.name, fmt.Errorf("they are more than %d, or %d MiB as they are sent", mostMedia, mostMediaBytes>>20)}
	}
	m.parts = append(m.parts, part)
	return nil
}

// WithMedia has each prompt of a workload of text begin with images or sounds, for chat. Request i has Each of them,
// beginning with number i·Each; when there are no more they begin again, and a cache may know them.
type WithMedia struct {
	Text  Workload // whose prompts are a Text each
	Media Media
	Each  int // of a request; zero: 1
}

// Prompt implements [Workload].
func (w WithMedia) Prompt(i int, p *Prompt) error {
	if len(w.Media.parts) == 0 {
		return &loadgen.InvalidError{Field: "media", Value: "none", Want: "images or sounds"}
	}
	if err := w.Text.Prompt(i, p); err != nil {
		return err
	}
	if p.Text == "" {
		return &loadgen.InvalidError{Field: "text", Value: `""`, Want: "a workload of texts, beside which the media stand"}
	}
	each := max(1, w.Each)
	size := len(p.Text) + 128
	for k := range each {
		size += len(w.Media.parts[(i*each+k)%len(w.Media.parts)]) + 1
	}
	b := append(make([]byte, 0, size), `[{"role":"user","content":[`...)
	for k := range each {
		b = append(append(b, w.Media.parts[(i*each+k)%len(w.Media.parts)]...), ',')
	}
	b = jsontext.AppendString(append(b, `{"type":"text","text":`...), p.Text)
	p.Messages = append(b, "}]}]"...)
	p.Text, p.Tokens, p.Input, p.Media = "", nil, 0, each
	return nil
}

// Describe says what the prompts are, for [Describe].
func (w WithMedia) Describe(d *Description) {
	*d = Describe(w.Text)
	d.Media = &MediaShape{Kind: w.Media.name, Number: w.Media.Len(), Each: max(1, w.Each), SHA256: w.Media.sum()}
}
