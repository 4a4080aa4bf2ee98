package openai

import (
	"cmp"
	"container/heap"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/audit"
)

// An Audit says which answers of a level are kept, to be checked after it.
type Audit struct {
	// Answers is how many are kept, chosen at random by Seed among those that the level's measured requests got: 640 at
	// most. Each has up to 32,768 token ids with its prompt, and 64 KiB of text, and of sessions up to 256 KiB of
	// request, so that they take 300 MB at the very most; of 2,048 tokens in and 512 out, 300 take 4 MB. Longer ones are
	// left out, and counted. 0: 300.
	Answers int
	Seed    uint64

	// Examples has the outcome show the beginnings of two wrong answers. Zero: texts may be private, and none is shown.
	Examples bool

	// Questions have known answers. They are asked beside a level's requests, in none of its figures, in turn, one at a
	// time, by the first model; Share is how many there are for each of its measured requests, at most. They check a
	// server by which the level's own answers cannot be checked. None: none is asked. Zero Share: 0.01; at most 0.05.
	Questions []audit.Question
	Share     float64
}

func (a *Audit) validate() error {
	if a == nil {
		return nil
	}
	if a.Answers < 0 || a.Answers > audit.Most {
		return &loadgen.InvalidError{Field: "audit", Value: a.Answers, Want: "how many answers to keep, 1 to 640, or 0: 300"}
	}
	return a.validateQuestions()
}

const (
	tokenIDs     = "return_token_ids" // asks vLLM to tell the ids of prompt and answer
	mostKeptIDs  = 1 << 15
	mostKeptText = 64 << 10

	mostKeptAsked = 256 << 10 // of a session's request: 32,768 tokens are some 130 kB of English
)

// A kept answer is what is kept of one, while it comes and after.
type kept struct {
	chance  uint64 // the smallest are kept
	index   int    // of its request, or of its session
	request int    // which of that session's it is, from 1; 0: it is of none

	// asked is the body of a session's request, which cannot be made again, as that of any other can: it depends on the
	// answers before it.
	asked []byte

	prompt, answer []int32
	text           []byte  // as it came, JSON between its quotes
	ends           []int32 // where in it each chunk's text ends
	tooLong        bool    // it has more ids than are kept
	several        bool    // it has several choices, which are not told apart
}

// add keeps what a chunk says.
func (k *kept) add(c *chunk) {
	k.several = k.several || c.begun > 1
	if c.promptIDs != nil {
		k.prompt = k.ids(k.prompt[:0], c.promptIDs, mostKeptIDs-len(k.answer))
	}
	if c.saidIDs != nil {
		k.answer = k.ids(k.answer, c.saidIDs, mostKeptIDs-len(k.prompt))
	}
	if len(c.said) == 0 || len(k.text) > mostKeptText {
		return
	}
	for _, raw := range c.said {
		k.text = append(k.text, raw...)
	}
	if len(k.text) <= mostKeptText {
		k.ends = append(k.ends, int32(len(k.text)))
	}
}

// ids appends the numbers of an array, up to so many in all. What is no token id leaves nothing to be checked by.
func (k *kept) ids(to []int32, array []byte, most int) []int32 {
	for at := 1; at < len(array)-1; {
		n, end := digits(array, at)
		if end == 0 || n > 1<<31-1 {
			k.several = true
			return to
		}
		if len(to) >= most {
			k.tooLong = true
			return to
		}
		to = append(to, int32(n))
		for at = end; at < len(array)-1 && (array[at] == ',' || array[at] <= ' '); at++ {
		}
	}
	return to
}

// ask keeps what a session's request asked.
func (k *kept) ask(body []byte) {
	if k == nil {
		return
	}
	if len(body) > mostKeptAsked {
		k.tooLong = true
		return
	}
	k.asked = append(k.asked, body...)
}

// reset makes k ready for another answer.
func (k *kept) reset() {
	*k = kept{prompt: k.prompt[:0], answer: k.answer[:0], text: k.text[:0], ends: k.ends[:0], asked: k.asked[:0]}
}

// A keeper keeps so many of a level's answers, each with the same chance, however many there are and in whatever order
// they end: those whose request has one of the smallest random numbers, which is known when it is sent. So an answer that
// cannot be one of them is not even listened to. nil keeps none.
type keeper struct {
	n    int
	seed uint64
	room atomic.Uint64 // an answer with a chance beyond is not kept any more

	mu      sync.Mutex
	all     keptHeap
	free    []*kept
	next    int // beyond the largest index that was seen
	tooLong int
}

func newKeeper(c *Config) *keeper {
	a := c.Audit
	if a == nil || c.Endpoint.uncheckable() != "" {
		return nil
	}
	k := &keeper{n: a.Answers, seed: a.Seed}
	if k.n == 0 {
		k.n = audit.Usual
	}
	k.reset()
	return k
}

// reset drops what is kept.
func (k *keeper) reset() {
	if k == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.free = append(k.free, k.all...)
	k.all, k.next, k.tooLong = nil, 0, 0
	k.room.Store(1<<64 - 1)
}

// chance is the random number of a request (splitmix64).
func (k *keeper) chance(i, request int) uint64 {
	x := k.seed + (uint64(i)+1)*0x9e3779b97f4a7c15 + uint64(request)*0xd1b54a32d192ed03
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// begin is what the answer of request i, or of a request of session i, may be kept in, nil where it will not be.
func (k *keeper) begin(i, request int, warmup bool) *kept {
	if k == nil || warmup {
		return nil
	}
	chance := k.chance(i, request)
	if chance > k.room.Load() {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = max(k.next, i+1)
	var a *kept
	if n := len(k.free); n > 0 {
		a, k.free = k.free[n-1], k.free[:n-1]
		a.reset()
	} else {
		a = new(kept)
	}
	a.index, a.request, a.chance = i, request, chance
	return a
}

// end keeps the answer, if it is whole and still one of those to keep.
func (k *keeper) end(a *kept, whole bool) {
	if a == nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tooLong += boolean(whole && a.tooLong)
	if !whole || a.tooLong {
		k.free = append(k.free, a)
		return
	}
	heap.Push(&k.all, a)
	if len(k.all) > k.n {
		k.free = append(k.free, heap.Pop(&k.all).(*kept))
	}
	if len(k.all) == k.n {
		k.room.Store(k.all[0].chance)
	}
}

func boolean(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sample is what is kept, in an order that is random, but always the same.
func (k *keeper) sample() (all []*kept, next, tooLong int) {
	if k == nil {
		return nil, 0, 0
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	all = slices.SortedFunc(slices.Values(k.all), func(a, b *kept) int { return cmp.Compare(a.chance, b.chance) })
	return all, k.next, k.tooLong
}

// A keptHeap has the largest chance first.
type keptHeap []*kept

func (h keptHeap) Len() int           { return len(h) }
func (h keptHeap) Less(i, j int) bool { return h[i].chance > h[j].chance }
func (h keptHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *keptHeap) Push(a any)        { *h = append(*h, a.(*kept)) }
func (h *keptHeap) Pop() any {
	last := len(*h) - 1
	a := (*h)[last]
	*h = (*h)[:last]
	return a
}
