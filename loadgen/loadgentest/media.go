package loadgentest

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	_ "image/gif"  // what an image may be
	_ "image/jpeg" //
	_ "image/png"  //
	"strings"
)

// ImageTokens is how many tokens an image of so many pixels is: one for each 28 x 28 of them, as of some real models,
// parts of such counted whole.
func ImageTokens(width, height int) int { return ((width + 27) / 28) * ((height + 27) / 28) }

// soundTokens is how many tokens a second of sound is.
const soundTokens = 25

// medium reads an image or a sound of a message, and counts and notes its tokens. What is none is refused. Those at
// a URL are taken for images of 448 x 448: nothing is fetched.
//
//	{"url":"data:image/png;base64,iVBORw0KGgo…"}
//	{"format":"wav","data":"UklGRg…"}
func (q *request) medium(s *scanner) (tokens int, err error) {
	var content []byte
	err = s.object(func(key []byte) error {
		if name := string(unquote(key)); (name != "url" && name != "data") || s.peek() != '"' {
			return s.skip()
		}
		raw, err := s.str()
		if err != nil {
			return err
		}
		text := string(unquote(raw))
		content = []byte(text)
		head, encoded, data := strings.Cut(text, ";base64,")
		switch {
		case strings.HasPrefix(text, "http://"), strings.HasPrefix(text, "https://"):
			tokens = ImageTokens(448, 448)
			return nil
		case !data:
			encoded = text
		case !strings.HasPrefix(head, "data:"):
			return errors.New("a URL of neither http:// nor data")
		}
		content, err = base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			return fmt.Errorf("an image or a sound: %w", err)
		}
		if len(content) > 44 && string(content[:4]) == "RIFF" && string(content[8:12]) == "WAVE" {
			perSecond := int(binary.LittleEndian.Uint32(content[28:]))
			tokens = max(1, (len(content)-44)*soundTokens/max(1, perSecond))
			return nil
		}
		picture, _, err := image.DecodeConfig(bytes.NewReader(content))
		if err != nil {
			return fmt.Errorf("an image that is none: %w", err)
		}
		tokens = ImageTokens(picture.Width, picture.Height)
		return nil
	})
	h := hashOf(content)
	for k := range tokens {
		q.note(mix(h+uint64(k)) % uint64(cmp.Or(q.vocab, defaultVocab)))
	}
	q.media += tokens
	return tokens, err
}
