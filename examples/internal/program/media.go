package program

import (
	"flag"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// mediaFlags say which images and sounds stand beside the text of a chat. Those of a folder are named elsewhere, as a
// file is ([sending.Files]).
type mediaFlags struct {
	Images int     `json:"images,omitempty"`
	Size   string  `json:"size,omitempty"`
	Format string  `json:"format,omitempty"`
	Sound  float64 `json:"sound,omitempty"`
	URLs   string  `json:"urls,omitempty"`
	Each   int     `json:"each,omitempty"`
}

func (m *mediaFlags) register(flags *flag.FlagSet, folder flag.Value) {
	flags.IntVar(&m.Images, "images", 0, "by chat: make so many `images` for each level, no two alike, encoded before its "+
		"clock starts, and send them in turn")
	flags.StringVar(&m.Size, "image-size", "512x512", "with -images: `WIDTHxHEIGHT` in pixels")
	flags.StringVar(&m.Format, "image-format", "jpeg", "with -images: jpeg or png")
	flags.Float64Var(&m.Sound, "sound", 0, "by chat: 64 sounds of so many `seconds`, as WAV, in turn")
	flags.Var(folder, "media", "by chat: the images (PNG, JPEG; frames of a video are images in their "+
		"order) and sounds (WAV) of a `folder`, in turn")
	flags.StringVar(&m.URLs, "image-urls", "", "by chat: `URLs` of images, with commas between them, that the server "+
		"fetches, in turn")
	flags.IntVar(&m.Each, "media-each", 1, "`images` or sounds in each request")
}

const soundsMade = 64

// apply has a client send media, and returns what makes those of a level; nil: there are none.
func (m mediaFlags) apply(c *openai.Client, folder file, from source) (media levelMedia, err error) {
	if media, err = m.of(folder, from); err != nil || media == nil {
		return nil, err
	}
	c.MediaEach, c.Media = m.Each, media
	return media, nil
}

// levelMedia makes what stands beside the text of a level.
type levelMedia func(workload.Spec) (workload.Media, error)

func (m mediaFlags) of(folder file, from source) (levelMedia, error) {
	always := func(media workload.Media, err error) (levelMedia, error) {
		return func(workload.Spec) (workload.Media, error) { return media, nil }, err
	}
	switch {
	case m.Images != 0:
		var width, height int
		if n, err := fmt.Sscanf(m.Size, "%dx%d", &width, &height); err != nil || fmt.Sprintf("%dx%d", width, height) != m.Size {
			return nil, Usagef("-image-size %q: want WIDTHxHEIGHT, such as 512x512 (%d numbers were read)", m.Size, n)
		}
		return onceEach(func(seed uint64) (workload.Media, error) {
			return workload.MakeImages(seed, m.Images, width, height, m.Format)
		}), nil
	case m.Sound != 0:
		return onceEach(func(seed uint64) (workload.Media, error) { return workload.MakeSounds(seed, soundsMade, m.Sound) }), nil
	case m.URLs != "":
		media, err := workload.MediaURLs(strings.Split(m.URLs, ",")...)
		if err != nil {
			err = Usagef("-image-urls: %w", err)
		}
		return always(media, err)
	case folder.Name == "":
		return nil, nil
	}
	shown := folder.path
	if shown == "" {
		shown = folder.Name
	}
	var there fs.FS
	there, err := from.folder(folder)
	var media workload.Media
	if err == nil {
		media, err = workload.ReadMedia(there, folder.Name)
	}
	if err != nil {
		err = Usagef("-media %s: %w", shown, err)
	}
	return always(media, err)
}

// onceEach makes what follows from a level's seed, once where the same level asks again.
func onceEach(make func(seed uint64) (workload.Media, error)) levelMedia {
	var mu sync.Mutex
	var known *workload.Media
	var of uint64
	return func(s workload.Spec) (workload.Media, error) {
		mu.Lock()
		defer mu.Unlock()
		if known != nil && of == s.Seed {
			return *known, nil
		}
		media, err := make(s.Seed)
		if err == nil {
			known, of = &media, s.Seed
		}
		return media, err
	}
}
