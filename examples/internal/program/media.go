package program

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// mediaFlags say which images and sounds stand beside the text of a chat.
type mediaFlags struct {
	images, each         int
	size, format, folder string
	urls                 string
	sound                float64
}

func (m *mediaFlags) register(flags *flag.FlagSet) {
	flags.IntVar(&m.images, "images", 0, "by chat: make so many `images`, no two alike, encoded before the clock "+
		"starts, and send them in turn")
	flags.StringVar(&m.size, "image-size", "512x512", "with -images: `WIDTHxHEIGHT` in pixels")
	flags.StringVar(&m.format, "image-format", "jpeg", "with -images: jpeg or png")
	flags.Float64Var(&m.sound, "sound", 0, "by chat: 64 sounds of so many `seconds`, as WAV, in turn")
	flags.StringVar(&m.folder, "media", "", "by chat: the images (PNG, JPEG; frames of a video are images in their "+
		"order) and sounds (WAV) of a `folder`, in turn")
	flags.StringVar(&m.urls, "image-urls", "", "by chat: `URLs` of images, with commas between them, that the server "+
		"fetches, in turn")
	flags.IntVar(&m.each, "media-each", 1, "`images` or sounds in each request")
}

func (m *mediaFlags) set(c *openai.Client, l *Load) error {
	n := 0
	for _, asked := range []bool{m.images != 0, m.sound != 0, m.folder != "", m.urls != ""} {
		if asked {
			n++
		}
	}
	switch {
	case n == 0:
		return nil
	case n > 1:
		return Usagef("-images, -sound, -media, -image-urls: want one of them")
	case l.endpoint != "" && l.endpoint != string(openai.Chat) || l.dataset != "":
		return Usagef("images and sounds: want -endpoint chat, and random prompts beside them")
	case m.each < 1:
		return Usagef("-media-each %d: want 1 or more", m.each)
	}
	var err error
	c.MediaEach = m.each
	switch {
	case m.images != 0:
		var width, height int
		if _, err := fmt.Sscanf(m.size, "%dx%d", &width, &height); err != nil {
			return Usagef("-image-size %q: want WIDTHxHEIGHT, such as 512x512", m.size)
		}
		c.Media, err = workload.MakeImages(l.Seed, m.images, width, height, m.format)
	case m.sound != 0:
		c.Media, err = workload.MakeSounds(l.Seed, 64, m.sound)
	case m.folder != "":
		c.Media, err = workload.ReadMedia(os.DirFS(m.folder), filepath.Base(m.folder))
	default:
		c.Media, err = workload.MediaURLs(strings.Split(m.urls, ",")...)
	}
	if err != nil {
		if m.folder != "" {
			return Usagef("-media %s: %v", m.folder, err)
		}
		return Usagef("%v", err)
	}
	return nil
}
