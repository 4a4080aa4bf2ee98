package openai

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/png"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// What is sent are images and sounds that the server can read, as many as it should be, no two alike.
func TestMediaAreCounted(t *testing.T) {
	made := func(m workload.Media, err error) workload.Media {
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	var picture bytes.Buffer
	one := image.NewGray(image.Rect(0, 0, 56, 56))
	one.SetGray(1, 1, color.Gray{9})
	if err := png.Encode(&picture, one); err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{"a/frame1.png": {Data: picture.Bytes()}, "a/frame2.PNG": {Data: picture.Bytes()},
		"readme.txt": {}}
	for name, test := range map[string]struct {
		media  workload.Media
		each   int
		tokens int // of a request
		least  int // bytes
	}{
		"png": {made(workload.MakeImages(1, 40, 100, 60, "png")), 1, loadgentest.ImageTokens(100, 60), 100 * 60 * 3},
		"jpeg": {made(workload.MakeImages(1, 40, 100, 60, "jpeg")), 3, 3 * loadgentest.ImageTokens(100, 60),
			3 * 1000},
		"sound":  {made(workload.MakeSounds(1, 12, 0.4)), 1, 10, 12_800},
		"frames": {made(workload.ReadMedia(folder, "folder")), 2, 2 * 4, 2 * picture.Len()},
		"urls":   {made(workload.MediaURLs("https://h/a.png", "http://h/b.png")), 1, 256, 10},
	} {
		sim := caching()
		server := httptest.NewServer(sim)
		w := workload.WithMedia{Text: workload.RandomWords{Input: 10, Output: 2}, Media: test.media, Each: test.each}
		target, err := New(Config{URL: server.URL, Model: "simulated", Endpoint: Chat, Workload: w})
		if err != nil {
			t.Fatal(err)
		}
		r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 12}, target)
		if err != nil || r.Accounting.Completed != 12 {
			t.Fatalf("%s: %v, %v", name, err, r.Errors)
		}
		if r.Tokens.Input != 12*(10+test.tokens) {
			t.Errorf("%s: %d input tokens, want %d", name, r.Tokens.Input, 12*(10+test.tokens))
		}
		if f, _ := r.Figure("media_tokens_mean"); f.Value != float64(test.tokens) || f.N != 12 {
			t.Errorf("%s: media tokens %+v", name, f)
		}
		if f, _ := r.Figure("request_bytes_mean"); f.Value < float64(test.least) {
			t.Errorf("%s: requests of %v bytes, want %d at least", name, f.Value, test.least)
		}
		if f, ok := r.Figure("upload_p50"); !ok || f.Value < 0 {
			t.Errorf("%s: upload %+v", name, f)
		}
		// Of made images no two are alike: what the cache finds is nothing.
		if found := sim.Counts().PrefixHits; (name == "png" || name == "jpeg" || name == "sound") && found != 0 {
			t.Errorf("%s: %d tokens were cached", name, found)
		}
		_ = target.Close()
		server.Close()
	}
}

// Servers tell what images and sounds come to by the kind, as vLLM does, or in one.
func TestMediaTokensAsServersTellThem(t *testing.T) {
	for details, want := range map[string]int{
		`{"cached_tokens":0,"multimodal_tokens":{"image":64}}`: 64,
		`{"multimodal_tokens":{"image":64,"audio":12}}`:        76,
		`{"multimodal_tokens":9}`:                              9,
		`{"image_tokens":4,"audio_tokens":3}`:                  7,
		`{"multimodal_tokens":null}`:                           -1,
		`{"multimodal_tokens":{}}`:                             -1,
		`{"multimodal_tokens":{"image":900}}`:                  -1, // more than the prompt has
	} {
		var r loadgen.Record
		usage := `data: {"choices":[],"usage":{"prompt_tokens":90,"completion_tokens":1,"prompt_tokens_details":` +
			details + "}}\n\n"
		if err := readStream(strings.NewReader(text+usage+done), nil, &r); err != nil {
			t.Fatal(err)
		}
		if got := r.MediaTokens; r.MediaTold != (want >= 0) || r.MediaTold && got != want {
			t.Errorf("%s: %v, %d tokens, want %d", details, r.MediaTold, got, want)
		}
	}
}

func TestMediaThatAreNone(t *testing.T) {
	var bad *workload.MediaError
	for name, data := range map[string]string{"a.png": "not a picture", "b.wav": "RIFF", "c.jpg": "\x89PNG\r\n\x1a\n"} {
		_, err := workload.ReadMedia(fstest.MapFS{name: {Data: []byte(data)}}, "f")
		if !errors.As(err, &bad) || bad.Name != name {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := workload.ReadMedia(fstest.MapFS{"x.txt": {}}, "f"); !errors.As(err, &bad) {
		t.Errorf("an empty folder: %v", err)
	}
	if _, err := workload.MediaURLs("ftp://h/a"); !errors.As(err, &bad) {
		t.Error(err)
	}
	var invalid *loadgen.InvalidError
	if _, err := workload.MakeImages(1, 1, 10, 10, "webp"); !errors.As(err, &invalid) {
		t.Error(err)
	}
	if _, err := workload.MakeImages(1, 1, 0, 10, "png"); !errors.As(err, &invalid) {
		t.Error(err)
	}
	// The server refuses what is no image, and says which it is about.
	server := httptest.NewServer(&loadgentest.Simulated{})
	defer server.Close()
	lines := `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGVsbG8="}}]}],"max_tokens":2}`
	set, err := workload.ReadDataset(strings.NewReader(lines), workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	target, err := New(Config{URL: server.URL, Model: "simulated", Endpoint: Chat, Workload: set})
	if err != nil {
		t.Fatal(err)
	}
	defer target.Close()
	r, err := loadgen.Measure(t.Context(), loadgen.Level{Concurrency: 1, Requests: 1}, target)
	if err != nil || r.Accounting.Failed != 1 || !strings.Contains(r.Errors[0].Example, "an image that is none") {
		t.Errorf("%v, %+v", err, r.Errors)
	}
}
