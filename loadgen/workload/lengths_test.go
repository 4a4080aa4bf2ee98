package workload_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/loadgentest"
	"github.com/servegauge/servegauge/loadgen/openai"
	"github.com/servegauge/servegauge/loadgen/workload"
)

// Means and quantiles of what is drawn are those of the distribution, within six standard errors.
func TestDistributions(t *testing.T) {
	const n = 40_000
	for text, want := range map[string]struct{ mean, sd, median float64 }{
		"512":             {512, 0, 512},
		"10-20":           {15, math.Sqrt(120. / 12), 15},
		"7-7":             {7, 0, 7},
		"normal:500,50":   {500, 50, 500},
		"lognormal:300,1": {300 * math.Exp(.5), 300 * math.Sqrt((math.E-1)*math.E), 300},
		"exponential:20":  {20, 20, 20 * math.Ln2},
		"zipf:1,4":        {4 / (1 + 1./2 + 1./3 + 1./4), 1.2, 1},
	} {
		d, err := workload.ParseDistribution(text)
		if err != nil {
			t.Fatal(err)
		}
		from := rand.NewPCG(1, 2)
		var all []float64
		sum := 0.0
		for range n {
			x := d.Draw(from)
			all = append(all, x)
			sum += x
		}
		slices.Sort(all)
		if mean := sum / n; math.Abs(mean-want.mean) > 6*want.sd/math.Sqrt(n)+1e-9 {
			t.Errorf("%s: mean %v, want %v", text, mean, want.mean)
		}
		if mean := d.Mean(); math.Abs(mean-want.mean) > 1e-9*want.mean {
			t.Errorf("%s: it says its mean is %v, want %v", text, mean, want.mean)
		}
		if median := all[n/2]; math.Abs(median-want.median) > 8*want.sd/math.Sqrt(n)+1e-9 && text != "zipf:1,4" {
			t.Errorf("%s: median %v, want %v", text, median, want.median)
		}
	}
	bounded, err := workload.ParseDistribution("lognormal:300,2@100-400")
	if err != nil {
		t.Fatal(err)
	}
	from, low, high := rand.NewPCG(1, 2), 0, 0
	for range 1000 {
		switch x := bounded.Draw(from); {
		case x < 100 || x > 400:
			t.Fatalf("%v is out of bounds", x)
		case x == 100:
			low++
		case x == 400:
			high++
		}
	}
	if low < 200 || high < 200 {
		t.Errorf("%d at the lower bound and %d at the upper one", low, high)
	}
}

func TestDistributionsThatCannotBe(t *testing.T) {
	for _, text := range []string{"", "x", "-1", "5-", "9-4", "normal:5", "normal:5,x", "zipf:1,0", "zipf:1,1.5",
		"lognormal:0,1",
		"exponential:1,2", "beta:1,2", "NaN", "1e99", "normal:5,1@9-4", "normal:5,1@3", "5@1-9"} {
		var invalid *loadgen.InvalidError
		if d, err := workload.ParseDistribution(text); !errors.As(err, &invalid) {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "# only\n", "1\n2 3\n", "1\n-4\n"} {
		var line *workload.DatasetError
		if _, err := workload.ReadDistribution(strings.NewReader(text), "f"); !errors.As(err, &line) {
			t.Errorf("file %q: %v", text, err)
		}
	}
	for text, line := range map[string]int{"": 0, "1,2\n3\n": 2, "a,b\n1,2\nx,y\n": 3, "1,0\n": 1} {
		var at *workload.DatasetError
		if _, err := workload.ReadPairs(strings.NewReader(text), "f"); !errors.As(err, &at) || at.Line != line {
			t.Errorf("pairs %q: %v", text, err)
		}
	}
}

// Lengths that belong together are drawn together.
func TestPairs(t *testing.T) {
	pairs, err := workload.ReadPairs(strings.NewReader("input,output\n100,1\n5,50\n"), "f")
	if err != nil {
		t.Fatal(err)
	}
	w := workload.RandomTokens{Seed: 1, Lengths: pairs}
	seen := map[[2]int]int{}
	for i := range 1000 {
		p := prompt(t, w, i)
		if len(p.Tokens) != p.Input {
			t.Fatalf("%d tokens, says %d", len(p.Tokens), p.Input)
		}
		seen[[2]int{p.Input, p.Output}]++
	}
	if len(seen) != 2 || seen[[2]int{100, 1}] < 400 || seen[[2]int{5, 50}] < 400 {
		t.Errorf("%v", seen)
	}
	file, err := workload.ReadDistribution(strings.NewReader("3\n4 # four\n\n9\n"), "f")
	if err != nil || file.Mean() != 16./3 {
		t.Fatalf("%v, %v", file.Mean(), err)
	}
	words := workload.RandomWords{Seed: 1, Lengths: workload.Lengths{Input: file, Output: workload.Fixed(2)}}
	lengths := map[int]bool{}
	for i := range 100 {
		p := prompt(t, words, i)
		lengths[len(strings.Fields(p.Text))] = true
	}
	if len(lengths) != 3 || !lengths[3] || !lengths[4] || !lengths[9] {
		t.Errorf("%v", lengths)
	}
}

// What a tree says that a cache can find is what the server's cache finds, by its own counters and by what it tells.
func TestTreeIsFoundAsItSays(t *testing.T) {
	levels, err := workload.ParseTree("40x1,24x3,9x5")
	if err != nil {
		t.Fatal(err)
	}
	tree := workload.Tree{Seed: 5, Levels: levels, Own: workload.Fixed(10), Output: workload.Fixed(2)}
	for _, block := range []int{1, 4, 16} {
		sim := &loadgentest.Simulated{MaxSequences: 1, DecodeRate: 1e6, KVBlocks: 1 << 20, BlockTokens: block,
			PrefixCache: true}
		server := httptest.NewServer(sim)
		target, err := openai.New(openai.Config{URL: server.URL, Model: "simulated", Workload: tree})
		if err != nil {
			t.Fatal(err)
		}
		const n = 200
		r, err := loadgen.Measure(context.Background(), loadgen.Level{Concurrency: 1, Requests: n}, target)
		if err != nil {
			t.Fatal(err)
		}
		shared, input := tree.Shared(n, block)
		c := sim.Counts()
		if c.PrefixQueries != input || r.Tokens.Input != input || c.PrefixHits < shared {
			t.Errorf("block %d: the server looked %d tokens up and found %d; %d of %d are shared", block,
				c.PrefixQueries, c.PrefixHits, shared, input)
		}
		// Own tokens are the same by chance in 1 of 3,000.
		if r.Tokens.Cached.Cached != c.PrefixHits || float64(c.PrefixHits-shared) > 0.002*float64(input) {
			t.Errorf("block %d: found %d, told of %d, and said beforehand %d", block, c.PrefixHits,
				r.Tokens.Cached.Cached, shared)
		}
		_ = target.Close()
		server.Close()
	}
	for _, text := range []string{"", "x", "10x", "10x0", "0x1", "5x1,"} {
		if _, err := workload.ParseTree(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

func TestConversationFilesThatCannotBeUsed(t *testing.T) {
	const good = `{"messages":[{"role":"user","content":"a"}]}` + "\n"
	for text, want := range map[string]struct {
		line int
		say  string
	}{
		good + `{"messages":[{"role":"system","content":"a"}]}`:                       {2, "no turn of a user"},
		good + `{"messages":[]}`:                                                      {2, "no turn of a user"},
		good + `{"conversations":[{"from":"gpt","value":"a"}]}`:                       {2, "no turn of a user"},
		good + `{"conversations":[{"from":"me","value":"a"}]}`:                        {2, "no role"},
		good + "\n" + `{"messages":[{"content":"a"}]}`:                                {3, "no role"},
		good + `{"messages":[{"role":"user"`:                                          {2, "unexpected end"},
		good + `{}`:                                                                   {2, "want one of"},
		good + `{"max_tokens":0,"messages":[{"role":"user","content":"a"}]}`:          {2, "max_tokens"},
		good + `{"requests":[]}`:                                                      {2, "no requests"},
		good + `{"requests":[{"id":"a","messages":[{"role":"user"}],"after":["b"]}]}`: {2, "does not stand before it"},
		good + `{"requests":[{"id":"a"}]}`:                                            {2, "no messages"},
		good + `{"requests":[{"messages":[{"role":"user"}]}]}`:                        {2, "an id of its own"},
		`[{"messages":[{"role":"user"}]}, {}]`:                                        {2, "want one of"},
		`[{"messages":[{"role":"user"}]}`:                                             {0, "does not end"},
		"":                                                                            {0, "no conversations"},
	} {
		_, err := workload.ReadTalks(strings.NewReader(text), workload.DatasetLimits{})
		var at *workload.DatasetError
		if !errors.As(err, &at) || !strings.Contains(err.Error(), want.say) || at.Line != want.line {
			t.Errorf("%s: %v, want line %d, %q", text, err, want.line, want.say)
		}
	}
	f, err := workload.ReadTalks(strings.NewReader(good), workload.DatasetLimits{})
	var at *workload.DatasetError
	if err != nil || !errors.As(f.Validate(), &at) || at.Line != 1 {
		t.Errorf("%v, %v: want that it says how many tokens", err, f.Validate())
	}
}

func FuzzReadTalks(f *testing.F) {
	f.Add(`{"messages":[{"role":"user","content":"a"}]}`)
	f.Add(`[{"conversations":[{"from":"human","value":"a"}]}]`)
	f.Add(`{"requests":[{"id":"a","messages":[{"role":"user"}]},{"id":"b","answers":["a"]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		talks, err := workload.ReadTalks(strings.NewReader(text), workload.DatasetLimits{Bytes: 1 << 16})
		if err != nil {
			return
		}
		talks.Output = workload.Fixed(1)
		for i := range talks.Len() {
			c, err := talks.Conversation(i)
			if err != nil {
				t.Fatal(err)
			}
			todo, n := []int{-1}, 0
			for len(todo) > 0 {
				turns, err := c.Next(todo[0], "x")
				if err != nil {
					t.Fatal(err)
				}
				todo = todo[1:]
				for range turns {
					todo = append(todo, n)
					n++
				}
			}
			if n == 0 {
				t.Fatalf("%q: a session without a request", text)
			}
		}
	})
}
