package loadgen

import "slices"

// Texts counts what the answers of the completed measured requests looked like that came in good order, and that nobody
// would call answers all the same. How much of it is usual is the model's affair (a healthy small one says the same to
// different prompts, again and again), so that these are to be held against another level of the same server, and not
// against a limit.
type Texts struct {
	OneToken int `json:"one_token,omitempty"` // were one token, where more were asked for
	Short    int `json:"short,omitempty"`     // were fewer tokens than were asked for; with those of one token
	Texts    int `json:"texts,omitempty"`     // had a text that was looked at
	Replaced int `json:"replaced,omitempty"`  // of these, had a U+FFFD in it, which stands where bytes were no text

	// Repeats are how many texts were ones that another prompt had got before, of the first 1, 2, 4 … that came: the
	// more answers there are the more of them are alike, so that only numbers of the same are to be compared. At most
	// 65,536 answers are looked at. Of merged results they are sums of each one's first.
	Repeats []Share `json:"repeats,omitempty"`

	// SquaredOutput is Σ output tokens² of the requests that were counted: with Tokens.Output the spread of lengths.
	SquaredOutput float64 `json:"squared_output,omitempty"`
}

// A Share is so many of so many.
type Share struct {
	Count int `json:"count"` // that are so
	Of    int `json:"of"`    // of these
}

// Add adds the counts of more.
func (t *Texts) Add(more Texts) {
	t.OneToken += more.OneToken
	t.Short += more.Short
	t.Texts += more.Texts
	t.Replaced += more.Replaced
	t.SquaredOutput += more.SquaredOutput
	t.Repeats = slices.Clone(t.Repeats)
	for i, s := range more.Repeats {
		if i == len(t.Repeats) {
			t.Repeats = append(t.Repeats, Share{})
		}
		t.Repeats[i].Count += s.Count
		t.Repeats[i].Of += s.Of
	}
}

// mostTexts bounds how many answers are remembered, some 40 bytes each.
const mostTexts = 1 << 16

// reading reads the answers of a level. The zero reading is ready for use.
type reading struct {
	texts   Texts
	prompts map[uint64]uint64 // by the text that was answered, the first prompt; both by their hashes
	seen    int
	repeats int
}

// add reads the answer of a completed request.
func (t *reading) add(r *Record) {
	if r.Counted {
		t.texts.SquaredOutput += float64(r.Output) * float64(r.Output)
		if r.Output < r.AskedOutput {
			t.texts.Short++
			if r.Output == 1 {
				t.texts.OneToken++
			}
		}
	}
	if r.Text == 0 {
		return
	}
	t.texts.Texts++
	if r.Replaced {
		t.texts.Replaced++
	}
	if t.seen == mostTexts {
		return
	}
	if t.prompts == nil {
		t.prompts = map[uint64]uint64{}
	}
	if before, known := t.prompts[r.Text]; !known {
		t.prompts[r.Text] = r.Prompt
	} else if before != r.Prompt {
		t.repeats++
	}
	if t.seen++; t.seen&(t.seen-1) == 0 {
		t.texts.Repeats = append(t.texts.Repeats, Share{t.repeats, t.seen})
	}
}
