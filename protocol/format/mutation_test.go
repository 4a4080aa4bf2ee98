package format

import (
	"math/rand"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/protocol"
)

// Values that a file cannot mean, and files that are cut or garbled: nothing of them panics, and what is taken over
// is a number that can be. (30,000 of these found a mean of 9·10¹⁵ tokens that made as many in flight.)
func TestMutatedFiles(t *testing.T) {
	seeds := []string{
		vllmFile, rustFile, sglangFile, aiperfFile, guidellmFile, genaiFile, inferencePerfFile, evalscopeFile, llmdFile,
	}
	r := rand.New(rand.NewSource(1))
	subs := []string{
		"null", "-1", "0", "1e400", "NaN", "[]", "{}", `"x"`, "true", "Infinity", `""`, "1e-300", "9e15",
		",", "}", "{", `"`, "\\",
	}
	reads, errs := 0, 0
	for n := range 1000 {
		text := seeds[r.Intn(len(seeds))]
		for range 1 + r.Intn(3) {
			switch r.Intn(4) {
			case 0:
				i := r.Intn(len(text))
				text = text[:i] + string(rune(r.Intn(128))) + text[min(i+1, len(text)):]
			case 1, 2: // replace a value
				idx := []int(nil)
				for i := range text {
					if text[i] == ':' {
						idx = append(idx, i)
					}
				}
				if len(idx) == 0 {
					continue
				}
				i := idx[r.Intn(len(idx))]
				j := i + 1 + strings.IndexAny(text[i+1:]+",", ",}\n")
				j = min(j, len(text))
				text = text[:i+1] + " " + subs[r.Intn(len(subs))] + text[j:]
			case 3:
				text = text[:r.Intn(len(text))+1]
			}
			if len(text) == 0 {
				text = " "
			}
		}
		files := map[string]string{}
		for _, name := range []string{
			"a.json", "b.yaml", "stage_0_lifecycle_metrics.json", "benchmark_percentile.json", "config.yaml",
			"experiment_metadata.json", "benchmark_args.json",
		} {
			files[name] = text
		}
		e, err := read(folder(files), "", tools...)
		if err != nil {
			errs++
			continue
		}
		reads++
		for _, m := range e.Measurements {
			for _, g := range m.Result.Figures {
				if !(g.Value >= 0 && g.Value <= maxRate) {
					t.Fatalf("%s is %g of %s", g.Name, g.Value, text)
				}
			}
			if a := m.Result.Accounting; a.Check() != nil || a.Issued < 0 {
				t.Fatalf("%+v of %s", a, text)
			}
		}
		if n%10 == 0 {
			protocol.Analyze(e)
		}
	}
	if reads < 50 || errs < 50 {
		t.Errorf("%d were read and %d refused: the test does not try both", reads, errs)
	}
}
