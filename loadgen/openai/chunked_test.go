package openai

import (
	"io"
	"net/http/httputil"
	"strings"
	"testing"
)

// dechunk decodes text, which comes in pieces of so many bytes.
func dechunk(text string, piece int) (data string, rest int, err error) {
	var d dechunker
	for len(text) > 0 && err == nil && d.at != atEnd {
		p := []byte(text[:min(piece, len(text))])
		var n, used int
		n, used, err = d.decode(p)
		data, text = data+string(p[:n]), text[used:]
	}
	if err == nil && d.at != atEnd {
		err = io.ErrUnexpectedEOF
	}
	return data, len(text), err
}

func TestDechunker(t *testing.T) {
	for text, want := range map[string]string{
		"5\r\nhello\r\n0\r\n\r\n":                    "hello",
		"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n":           "hello",
		"05 \t\r\nhello\r\n000\r\n\r\n":              "hello",
		"5;name=\"a value\"\r\nhello\r\n0;x\r\n\r\n": "hello",
		"A\r\n0123456789\r\n1a\r\n" + strings.Repeat("x", 26) + "\r\n0\r\nX-Sum: 1\r\nY: 2\r\n\r\n": "0123456789" +
			strings.Repeat("x", 26),
		"0\r\n\r\n": "",
	} {
		for piece := 1; piece <= len(text); piece++ {
			if data, rest, err := dechunk(text+"more", piece); data != want || rest != 4 || err != nil {
				t.Errorf("%q in pieces of %d: %q, %d bytes over, %v", text, piece, data, rest, err)
			}
		}
	}
	for _, text := range []string{
		"", "\r\n", "g\r\n", "-1\r\n", "5", "5\r\nhel", "5\r\nhello", "5\r\nhello0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
		"5\r\nhello\n0\r\n\r\n", "5\rx",
		"0\r\n", "0\r\n\n", "0\r\n\rx", "11111111111111111\r\n",
		"5;" + strings.Repeat("x", 5000) + "\r\nhello\r\n0\r\n\r\n",
		strings.Repeat("1;"+strings.Repeat("x", 4000)+"\r\na\r\n", 10) + "0\r\n\r\n",
		"0\r\n" + strings.Repeat("X: y\r\n",
			5000) + "\r\n", "5 5\r\nhello",
	} {
		if data, _, err := dechunk(text, 7); err == nil {
			t.Errorf("%.40q: %q, and no error", text, data)
		}
	}
}

// Ours takes and refuses what net/http's own does, up to the trailer, which that leaves to others.
func FuzzDechunker(f *testing.F) {
	f.Add("5\r\nhello\r\n0\r\n\r\n", 3)
	f.Add("a;x=1\r\n0123456789\r\n5 \r\nhello\r\n0\r\nX: y\r\n\r\n", 1)
	f.Add("fffffffffffffffff\r\n", 100)
	f.Add("0 ;\r\n", 27)
	f.Fuzz(func(t *testing.T, text string, piece int) {
		if piece < 1 || len(text) > 3000 { // shorter than any bound on a line
			return
		}
		theirs, wrong := io.ReadAll(httputil.NewChunkedReader(strings.NewReader(text)))
		var d dechunker
		var ours []byte
		var err error
		for left := text; len(left) > 0 && err == nil && d.at < atTrailer; {
			p := []byte(left[:min(piece, len(left))])
			var n, used int
			n, used, err = d.decode(p)
			ours, left = append(ours, p[:n]...), left[used:]
		}
		if string(ours) != string(theirs) {
			t.Errorf("%q and %q", ours, theirs)
		}
		if (d.at >= atTrailer) != (wrong == nil) {
			t.Errorf("%v, place %d, and %v", err, d.at, wrong)
		}
	})
}
