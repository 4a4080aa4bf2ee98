package protocol

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/servegauge/servegauge/envinfo"
	"github.com/servegauge/servegauge/internal/number"
)

// A StartRecord is what one start of a server was like, beside the others of the same configuration.
type StartRecord struct {
	Run   int           `json:"run"`           // that it was made for
	Arm   string        `json:"arm,omitempty"` // of a comparison; "": there is one server
	Ready time.Duration `json:"ready_ns"`      // from the start to readiness: the load of the model and all that goes with it

	// KVBlocks is how many blocks of KV cache it has, over all its engines, and KVTokens how many tokens they hold
	// where the server says that instead. 0: it does not say.
	KVBlocks int64 `json:"kv_blocks,omitempty"`
	KVTokens int64 `json:"kv_tokens,omitempty"`
}

// What servers call the room of their KV cache. Each start of vLLM takes what the GPU's memory has left, so that it
// differs by a little between starts of one configuration; the rest of a cache's configuration is asked for.
const (
	factKVBlocks = "num_gpu_blocks"       // vLLM's, of each engine
	factKVTokens = "max_total_num_tokens" // SGLang's
)

// kvFacts are the facts of a server that follow from the room of its KV cache.
var kvFacts = []string{factKVBlocks, factKVTokens, "num_cpu_blocks", "kv_cache_size_tokens", "kv_cache_max_concurrency"}

// kvFact reports whether a difference of two environments is one of the room of the KV cache:
//
//	changed: server.facts[num_gpu_blocks].value: 9271 → 9268
func kvFact(d envinfo.Difference) bool {
	return slices.ContainsFunc(kvFacts, func(name string) bool {
		return strings.HasPrefix(d.Path, "server.facts["+name+"]")
	})
}

// kvTolerance is by how much the KV cache may differ between starts, relative to the least: what a level is to be known
// to ([Spread.Precision]).
const kvTolerance = spreadPrecision

// WarnKVCacheDiffers is the code of the warning that starts of one configuration had KV caches of different sizes: what
// was measured after each is another capacity.
const WarnKVCacheDiffers = "kv-cache-differs"

// record is what there is to compare of a start.
func (s Start) record() StartRecord {
	r := StartRecord{Run: s.Run, Arm: s.Arm, Ready: s.Ready}
	r.KVBlocks, r.KVTokens = kvRoom(s.Server)
	return r
}

// kvRoom is how many blocks, or tokens, of KV cache a server says that it has; 0: it does not.
func kvRoom(e *envinfo.Environment) (blocks, tokens int64) {
	if e == nil || e.Server == nil {
		return 0, 0
	}
	for _, fact := range e.Server.Facts {
		text, _ := fact.Value.Get()
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n <= 0 {
			continue
		}
		switch fact.Name {
		case factKVBlocks:
			blocks += n
		case factKVTokens:
			tokens += n
		}
	}
	return blocks, tokens
}

// kvChange says that a start's KV cache has another size than that of the start before it; "": it has not, or nobody
// knows.
func kvChange(before, now *Start) string {
	of := func(s *Start) (size int64, unit string) {
		if blocks, tokens := kvRoom(s.Server); blocks > 0 {
			return blocks, "blocks"
		} else if tokens > 0 {
			return tokens, "tokens"
		}
		return 0, ""
	}
	a, unitA := of(before)
	b, unitB := of(now)
	if unitA != unitB || !kvDiffer(a, b) {
		return ""
	}
	return fmt.Sprintf("KV cache: %s → %s %s", number.Fixed(float64(a), 0), number.Fixed(float64(b), 0), unitA)
}

func kvDiffer(a, b int64) bool { return float64(max(a, b)) > float64(min(a, b))*(1+kvTolerance) }

// compareStarts keeps what the starts were like, and warns where servers that were to be the same had KV caches of
// different sizes.
func (a *Analysis) compareStarts(starts []Start) {
	var arms []string
	for _, s := range starts {
		a.Starts = append(a.Starts, s.record())
		if !slices.Contains(arms, s.Arm) {
			arms = append(arms, s.Arm)
		}
	}
	for _, arm := range arms {
		for _, room := range []struct {
			what string
			of   func(StartRecord) int64
		}{
			{"blocks", func(r StartRecord) int64 { return r.KVBlocks }},
			{"tokens", func(r StartRecord) int64 { return r.KVTokens }},
		} {
			if text := kvDifference(a.Starts, arm, room.of); text != "" {
				a.warn(WarnKVCacheDiffers,
					"starts of one configuration%s had KV caches of different sizes, in %s: %s; what "+
						"was measured after each is another capacity, and their mean is of none", ofArm(arm), room.what,
					text)
			}
		}
	}
}

func ofArm(arm string) string {
	if arm == "" {
		return ""
	}
	return " (arm " + arm + ")"
}

// kvDifference says which starts of an arm had how much: "9,271 in run 1 and 2; 4,711 in run 3". "": all had the same,
// within the tolerance.
func kvDifference(starts []StartRecord, arm string, of func(StartRecord) int64) string {
	runs := map[int64][]int{}
	var sizes []int64
	for _, s := range starts {
		n := of(s)
		if s.Arm != arm || n == 0 || s.Run < 1 { // what primes is thrown away
			continue
		}
		if runs[n] == nil {
			sizes = append(sizes, n)
		}
		if !slices.Contains(runs[n], s.Run) {
			runs[n] = append(runs[n], s.Run)
		}
	}
	if len(sizes) < 2 || !kvDiffer(slices.Min(sizes), slices.Max(sizes)) {
		return ""
	}
	slices.SortStableFunc(sizes, func(x, y int64) int { return cmp.Compare(y, x) })
	var each []string
	for i, n := range sizes {
		if i >= mostSizes-1 && i < len(sizes)-1 { // the least is told, however many there are
			continue
		}
		each = append(each, fmt.Sprintf("%s in run %s", number.Fixed(float64(n), 0), numberList(runs[n])))
	}
	if more := len(sizes) - len(each); more > 0 {
		each = append(each, fmt.Sprintf("and %d sizes between them", more))
	}
	return strings.Join(each, "; ")
}

// mostSizes is how many sizes a warning lists.
const mostSizes = 6
