package openai

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// learnt is the pattern of an event, and the chunk that it was learnt from. Loose: after some to which nothing fitted.
func learnt(data, end string, loose bool) (p pattern, s scanner, c chunk) {
	if loose {
		p.missed = 3
	}
	if s.scan([]byte(data), &c) {
		p.learn([]byte("data: "+data+end), len("data: "), 0, &s, &c)
	}
	return p, s, c
}

// comparePattern holds what fits the pattern of one event against a scan of it.
func comparePattern(t *testing.T, one, other string) (fitted bool) {
	t.Helper()
	if strings.ContainsAny(one, "\r\n") {
		return false // it would not be the data of a line
	}
	for i, end := range []string{"\n\n", "\r\n\r\n", "\r\r", "\n\n"} {
		p, s, c := learnt(one, end, i == 3)
		text := "data: " + other + end + "data: more"
		n := p.fits([]byte(text), &s, &c)
		if n == 0 {
			continue
		}
		fitted = true
		line, _, _ := strings.Cut(text, end)
		if n != len(line)+len(end) {
			t.Fatalf("%q has the pattern of %q, for %d of %d bytes", other, one, n, len(line)+len(end))
		}
		var fresh scanner
		var want chunk
		if ok := fresh.scan([]byte(line[len("data: "):]), &want); !ok || flat(c) != flat(want) {
			t.Fatalf("%q has the pattern of %q: got\n%+v, want %t\n%+v", other, one, flat(c), ok, flat(want))
		}
	}
	return fitted
}

const (
	vllmChunk    = `{"id":"cmpl-1","object":"text_completion","model":"m","choices":[{"index":0,"text":"%s","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}`
	thinkChunk   = `{"id":"c","choices":[{"index":0,"delta":{"reasoning_content":"%s"},"finish_reason":null}],"usage":{"prompt_tokens":3,"total_tokens":%d,"completion_tokens":%d}}`
	stampedChunk = `{"choices":[{"index":0,"text":"%s"}],"servegauge":{"received":1767225600000000001,"sent":%s}}`
	llamaChunk   = `{"choices":[{"finish_reason":null,"index":0,"delta":{"content":"%s"}}],"created":1767225600,"id":"c","model":"m","object":"chat.completion.chunk"}`
	partsChunk   = `{"choices":[{"delta":{"content":[{"type":"text","text":"%s"}]}}]}`
)

// Chunks that fit the pattern of those before, and chunks that must not.
func TestPatterns(t *testing.T) {
	for _, test := range []struct {
		one, other string
		fits       bool
	}{
		{fmt.Sprintf(vllmChunk, "a"), fmt.Sprintf(vllmChunk, " longer, żółć \\n \\u00e9 \\\""), true},
		{fmt.Sprintf(vllmChunk, "a"), fmt.Sprintf(vllmChunk, ""), true},
		{fmt.Sprintf(vllmChunk, ""), fmt.Sprintf(vllmChunk, "a"), false},
		{fmt.Sprintf(vllmChunk, "a"), fmt.Sprintf(vllmChunk, "\t"), false},
		{fmt.Sprintf(vllmChunk, "a"), fmt.Sprintf(vllmChunk, "\\x"), false},
		{fmt.Sprintf(vllmChunk, "a"), fmt.Sprintf(vllmChunk, `a","finish_reason":"error","x":"`), false},
		{fmt.Sprintf(vllmChunk, "a"), strings.Replace(fmt.Sprintf(vllmChunk, "a"), "null,", `"stop",`, 1), false},
		{fmt.Sprintf(vllmChunk, "a"), strings.Replace(fmt.Sprintf(vllmChunk, "a"), `"usage":null`, `"error":"no"`, 1),
			false},
		{fmt.Sprintf(vllmChunk, "a"), strings.Replace(fmt.Sprintf(vllmChunk, "a"), `"a"`, ` "a"`, 1), false},
		{fmt.Sprintf(vllmChunk, "a"), strings.Replace(fmt.Sprintf(vllmChunk, "b"), "cmpl-1", "cmpl-2", 1), true},
		{fmt.Sprintf(vllmChunk, "a"), strings.Replace(fmt.Sprintf(vllmChunk, "b"), `"cmpl-1"`, "7", 1), false},
		{fmt.Sprintf(llamaChunk, "a"), strings.Replace(fmt.Sprintf(llamaChunk, "b"), "1767225600", "1767225601", 1),
			true},
		{fmt.Sprintf(thinkChunk, "a", 4, 1), fmt.Sprintf(thinkChunk, "b", 1234, 1231), true},
		{fmt.Sprintf(thinkChunk, "a", 4, 1), fmt.Sprintf(thinkChunk, "b", 3, 0), true},
		{fmt.Sprintf(thinkChunk, "a", 4, 1), fmt.Sprintf(thinkChunk, "b", 3, -1), false},
		{fmt.Sprintf(thinkChunk, "a", 4, 1), fmt.Sprintf(thinkChunk, "b", 3, mostTokens+1), false},
		{fmt.Sprintf(thinkChunk, "a", 4, 1), strings.Replace(fmt.Sprintf(thinkChunk, "b", 5, 2), "5", "05", 1), false},
		{fmt.Sprintf(thinkChunk, "a", 4, 1), strings.Replace(fmt.Sprintf(thinkChunk, "b", 5, 2), "5", "5.0", 1), false},
		{fmt.Sprintf(stampedChunk, "a", "1767225600000000002"), fmt.Sprintf(stampedChunk, "b", "1767225600000000003"),
			true},
		{fmt.Sprintf(stampedChunk, "a", "      1767225600002"), fmt.Sprintf(stampedChunk, "b", "                  0"),
			true},
		{fmt.Sprintf(stampedChunk, "a", "1767225600000000002"), fmt.Sprintf(stampedChunk, "b", "9967225600000000003"),
			false},
		{fmt.Sprintf(stampedChunk, "a", "1767225600000000002"), fmt.Sprintf(stampedChunk, "b", "null"), false},
		{fmt.Sprintf(stampedChunk, "a", "null"), fmt.Sprintf(stampedChunk, "b", "17"), false},
		{fmt.Sprintf(llamaChunk, "a"), fmt.Sprintf(llamaChunk, "{"), true},
		{fmt.Sprintf(partsChunk, "a"), fmt.Sprintf(partsChunk, "b"), true},
		{`{"choices":[{"text":"a"},{"index":1,"text":"b"}]}`, `{"choices":[{"text":"b"},{"index":1,"text":"b"}]}`,
			false},
		{`{"choices":[{"delta":{"content":"a","reasoning":"b"}}]}`,
			`{"choices":[{"delta":{"content":"","reasoning":"b"}}]}`, false},
		{`{"choices":[{"text":"a"}],"choices":[{"text":"a"}]}`, `{"choices":[{"text":"a"}],"choices":[{"text":"a"}]}`,
			false},
		{`{"choices":[{"text":"a"}],"choices":[]}`, `{"choices":[{"text":"a"}],"choices":[]}`, false},
		{`{"choices":[{"text":"a"}],"usage":{"completion_tokens":1},"usage":null}`,
			`{"choices":[{"text":"a"}],"usage":{"completion_tokens":2},"usage":null}`, false},
		{`{"choices":[{"text":"a","finish_reason":"stop"}]}`, `{"choices":[{"text":"a","finish_reason":"stop"}]}`,
			false},
	} {
		if fits := comparePattern(t, test.one, test.other); fits != test.fits {
			t.Errorf("%s\nfits the pattern of\n%s: %t, want %t", test.other, test.one, fits, test.fits)
		}
	}
	for _, one := range documents {
		for _, other := range documents {
			comparePattern(t, one, other)
		}
	}
}

// An event of which the end has not been read yet does not fit; and where each event differs from the one before,
// patterns are soon learnt only now and then.
func TestPatternsAreNotGuessed(t *testing.T) {
	data := fmt.Sprintf(vllmChunk, "a")
	p, s, c := learnt(data, "\n\n", false)
	event := []byte("data: " + data + "\n\n")
	for n := range event {
		if p.fits(event[:n], &s, &c) != 0 {
			t.Errorf("%q is no event", event[:n])
		}
	}
	learned := 0
	for i := range 1000 {
		data := []byte(strings.Replace(fmt.Sprintf(vllmChunk, "a"), `"logprobs":null`,
			fmt.Sprintf(`"logprobs":[%d]`, i), 1))
		s.scan(data, &c)
		p.learn(fmt.Appendf(nil, "data: %s\n\n", data), 6, 0, &s, &c)
		if len(p.event) > 0 {
			learned++
		}
	}
	if learned == 0 || learned > 1000/patience+6 {
		t.Errorf("learnt %d patterns of 1,000 events that all differ", learned)
	}
}

func FuzzPattern(f *testing.F) {
	for _, chunk := range []string{vllmChunk, llamaChunk, partsChunk} {
		f.Add(fmt.Sprintf(chunk, "a"), fmt.Sprintf(chunk, "b"))
	}
	f.Add(fmt.Sprintf(thinkChunk, "a", 4, 1), fmt.Sprintf(thinkChunk, "b", 5, 2))
	f.Add(fmt.Sprintf(stampedChunk, "a", "1"), fmt.Sprintf(stampedChunk, "b", "2"))
	f.Fuzz(func(t *testing.T, one, other string) { comparePattern(t, one, other) })
}

// A stream says the same whether or not its chunks are read by their pattern, wherever the reads end.
func TestPatternsChangeNothing(t *testing.T) {
	var body bytes.Buffer
	for i := range 40 {
		fmt.Fprintf(&body, "data: "+thinkChunk+"\n\n", strings.Repeat("ab", i%3), 4+i, 1+i)
	}
	body.WriteString(stop + done)
	var want []string
	for _, size := range []int{1, 7, 100, 999, 1 << 20} {
		var seen []string
		r := record(t, &fixed{bytes.NewReader(body.Bytes()), size}, nil)
		for c := range r.Chunks() {
			seen = append(seen, fmt.Sprint(c.Tokens, c.Hidden))
		}
		seen = append(seen, fmt.Sprint(r.Choices, r.Finish, r.NoContent, r.FirstAnswer, len(seen)))
		if want == nil {
			want = seen
		}
		if fmt.Sprint(seen) != fmt.Sprint(want) {
			t.Errorf("in reads of %d: %v, want %v", size, seen, want)
		}
	}
	if len(want) != 41 {
		t.Errorf("%d arrivals, want 40", len(want)-1)
	}
}
