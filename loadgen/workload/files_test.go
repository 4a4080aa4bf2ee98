package workload_test

import (
	"bytes"
	"image"
	"image/png"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/servegauge/servegauge/loadgen/workload"
)

// What a workload comes from is told by the SHA-256 of each file, of whatever kind: another content is another workload.
func TestDescriptionsNameTheirFiles(t *testing.T) {
	picture := func(width int) []byte {
		var out bytes.Buffer
		if err := png.Encode(&out, image.NewGray(image.Rect(0, 0, width, 4))); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	numbers := func(text string) workload.Distribution {
		d, err := workload.ReadDistribution(strings.NewReader(text), "n.txt")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	media := func(width int) workload.Workload {
		m, err := workload.ReadMedia(fstest.MapFS{"a.png": {Data: picture(width)}}, "folder")
		if err != nil {
			t.Fatal(err)
		}
		return workload.WithMedia{Text: workload.RandomWords{Seed: 1, Input: 4, Output: 2}, Media: m}
	}
	pairs := func(text string) workload.Lengths {
		l, err := workload.ReadPairs(strings.NewReader(text), "p.txt")
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	one := workload.Fixed(1)
	for name, c := range map[string][2]any{
		"turns":  {workload.Talks{Turns: numbers("2\n3\n"), Input: one, Output: one}, workload.Talks{Turns: numbers("3\n2\n"), Input: one, Output: one}},
		"tree":   {workload.Tree{Own: numbers("2\n"), Output: one}, workload.Tree{Own: numbers("3\n"), Output: one}},
		"pairs":  {workload.RandomTokens{Lengths: pairs("1 2\n")}, workload.RandomTokens{Lengths: pairs("2 1\n")}},
		"folder": {media(3), media(5)},
	} {
		a, b := workload.Describe(c[0]), workload.Describe(c[1])
		sum := func(d workload.Description) string {
			switch {
			case d.Media != nil:
				return d.Media.SHA256
			case len(d.Files) == 1:
				return d.Files[0].SHA256
			}
			return ""
		}
		if len(sum(a)) != 64 || sum(a) == sum(b) || !strings.Contains(a.String(), "SHA-256 "+sum(a)[:12]) {
			t.Errorf("%s: %s and %s", name, a, b)
		}
	}
	made, err := workload.MakeImages(1, 2, 4, 4, "png")
	if err != nil {
		t.Fatal(err)
	}
	text := workload.RandomWords{Seed: 1, Input: 4, Output: 2}
	if d := workload.Describe(workload.WithMedia{Text: text, Media: made}); d.Media.SHA256 != "" { // they are the seed's
		t.Errorf("%+v", d.Media)
	}
}

// Numbers of turns and of tokens are 1 or more: a distribution that cannot be one of them is refused, and none that can.
func TestDistributionsOfCounts(t *testing.T) {
	for text, ok := range map[string]bool{
		"0": false, "0.5": false, "1": true, "0-8": false, "1-8": true, "normal:0,1": false, "normal:5,9": true,
		"exponential:0.2": false, "exponential:20": true, "lognormal:300,0.8": true, "zipf:1.2,9": true,
		"normal:0,1@1-9": true, "normal:5,1@0-0.5": false, "zipf:1.2,9@0-0.5": false,
	} {
		d, err := workload.ParseDistribution(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Counts(); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	zero, err := workload.ReadDistribution(strings.NewReader("4\n0\n"), "n")
	if err != nil || zero.Counts() == nil {
		t.Errorf("%v: a file with a 0 in it can be one of tokens", err)
	}
	one, none := workload.Fixed(1), workload.Fixed(0)
	for _, invalid := range []interface{ Validate() error }{
		workload.Talks{Turns: none, Input: one, Output: one}, workload.Talks{Input: none, Output: one},
		workload.Tree{Levels: []workload.TreeLevel{{1, 1}}, Own: none, Output: one},
		workload.RandomTokens{Lengths: workload.Lengths{Input: one, Output: none}},
	} {
		if invalid.Validate() == nil {
			t.Errorf("%+v is taken", invalid)
		}
	}
}

// Each level has the conversations of a file in an order of its own, each of them as often as another.
func TestTalksAreShuffled(t *testing.T) {
	var text strings.Builder
	for i := range 20 {
		text.WriteString(`{"messages":[{"role":"user","content":"` + strings.Repeat("x", i+1) + `"}],"max_tokens":3}` + "\n")
	}
	file, err := workload.ReadTalks(strings.NewReader(text.String()), workload.DatasetLimits{})
	if err != nil {
		t.Fatal(err)
	}
	order := func(f workload.TalkFile) (sizes []int) {
		for i := range 20 {
			c, err := f.Conversation(i)
			if err != nil {
				t.Fatal(err)
			}
			turns, err := c.Next(-1, "")
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, len(turns[0].Prompt.Messages))
		}
		return sizes
	}
	a, b, again := order(file.Shuffled(1)), order(file.Shuffled(2)), order(file.Shuffled(1))
	if slices.Equal(a, b) || !slices.Equal(a, again) || slices.Equal(a, order(file)) {
		t.Errorf("%v, %v, %v", a, b, again)
	}
	slices.Sort(a)
	slices.Sort(b)
	if !slices.Equal(a, b) || len(slices.Compact(a)) != 20 {
		t.Errorf("%v, %v", a, b)
	}
}
