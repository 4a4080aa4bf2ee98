package loadgentest

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// Faults of what an answer says, where those of faults.go are of whether it comes.
const (
	// FaultBlank leaves the text out of [Fault.Chunks] content chunks, from number After
	// on: the chunks come when they would, with an empty text, as from a server whose
	// tokens decode to nothing. Usage counts their tokens all the same.
	FaultBlank FaultKind = "blank"

	// FaultSwallow leaves out these chunks themselves, as a parser does that keeps the
	// head or the tail of an answer to itself. One with a finish_reason comes with an
	// empty text.
	FaultSwallow FaultKind = "swallow"

	// FaultMerge has [Fault.Chunks] content chunks, from number After on, come as one,
	// when the last of them would: several tokens in a chunk.
	FaultMerge FaultKind = "merge"

	// FaultFinish ends the answer with the finish_reason [Fault.Text], null where that
	// is empty. With [Fault.Cut] nothing follows it, neither usage nor [DONE].
	FaultFinish FaultKind = "finish"

	// FaultMember says the content in other members of the choice: [Fault.Text] in the
	// place of its text, delta or message, with the content wherever it holds TEXT:
	//
	//	"delta":{"reasoning_details":[{"type":"reasoning.text","text":TEXT}]}
	FaultMember FaultKind = "member"

	// FaultBeside adds the members [Fault.Text] to each chunk: "error":null.
	FaultBeside FaultKind = "beside"

	// FaultUsage has the usage that ends the answer count [Fault.Text] tokens of it,
	// which is put in as it is: 0, 64.0, "many".
	FaultUsage FaultKind = "usage"

	// FaultBody answers with 200 and the body [Fault.Text], of [Fault.Type], in place of a
	// stream; compressed, where [Fault.Encoding] is gzip.
	FaultBody FaultKind = "body"

	// FaultModels answers each request for the list of models with [Fault.Status] and the
	// body [Fault.Text], of [Fault.Type]: as a gateway does that has no such list, or has
	// it otherwise. It needs neither Rate nor Requests, and [FaultCounts] has it in Injected
	// alone.
	FaultModels FaultKind = "models"

	// FaultLineEnds ends the lines of a stream with [Fault.Text], a carriage return with
	// or without a line feed, in place of a line feed.
	FaultLineEnds FaultKind = "line-ends"

	// FaultByteOrderMark puts a byte-order mark before a stream.
	FaultByteOrderMark FaultKind = "byte-order-mark"

	// FaultBuffer holds a stream back until it is complete, as a proxy does that buffers.
	FaultBuffer FaultKind = "buffer"

	// FaultBunch holds content chunks back until there are [Fault.Chunks] of them, or the
	// stream ends, and sends these at once.
	FaultBunch FaultKind = "bunch"
)

// ofContent reports whether a fault is one of what an answer says.
func (k FaultKind) ofContent() bool {
	switch k {
	case FaultBlank, FaultSwallow, FaultMerge, FaultFinish, FaultMember, FaultBeside, FaultUsage, FaultBody,
		FaultLineEnds, FaultByteOrderMark, FaultBuffer, FaultBunch:
		return true
	}
	return false
}

// wrongContent says what has no meaning in a fault of content.
func (o *Fault) wrongContent(wrong func(field string, value any, want string)) {
	switch o.Kind {
	case FaultMerge, FaultBunch:
		if o.Chunks < 2 {
			wrong("Chunks", o.Chunks, "at least 2")
		}
	case FaultMember:
		if members, err := o.members(`""`); err != nil || len(members) == 0 || !strings.Contains(o.Text, "TEXT") {
			wrong("Text", o.Text, `the members of a choice, with TEXT in them: "delta":{"thinking":TEXT}`)
		}
	case FaultBeside:
		if !json.Valid([]byte("{" + o.Text + "}")) {
			wrong("Text", o.Text, `the members of an object: "error":null`)
		}
	case FaultUsage:
		if !json.Valid([]byte(o.Text)) {
			wrong("Text", o.Text, "a JSON value: 64.0")
		}
	case FaultLineEnds:
		if o.Text != "\r" && o.Text != "\r\n" {
			wrong("Text", o.Text, "a carriage return, with or without a line feed")
		}
	}
}

// answerBody is the whole of a [FaultBody].
func (o *Fault) answerBody(w http.ResponseWriter) {
	body := []byte(o.Text)
	if o.Type != "" {
		w.Header().Set("Content-Type", o.Type)
	}
	if o.Encoding != "" {
		w.Header().Set("Content-Encoding", o.Encoding)
	}
	if o.Encoding == "gzip" {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write(body) // a Buffer takes all
		_ = z.Close()
		body = b.Bytes()
	}
	_, _ = w.Write(body) // the client is gone: nobody is left to be told
}

// other answers what is no request for a completion.
func (f *Faults) other(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/models") {
		for i := range f.Order {
			if o := &f.Order[i]; o.Kind == FaultModels {
				f.struck(i)
				if o.Type != "" {
					w.Header().Set("Content-Type", o.Type)
				}
				w.WriteHeader(cmp.Or(o.Status, http.StatusOK))
				_, _ = io.WriteString(w, o.Text) // the client is gone: nobody is left to be told
				return
			}
		}
	}
	f.Handler.ServeHTTP(w, r)
}

// edit passes on an event of a stream, with data as told by read, as a fault of content has it.
func (s *spoiler) edit(e, data []byte, content, end bool) error {
	number := s.chunks // of this content chunk
	if content {
		s.chunks++
	}
	within := content && number >= s.fault.After && (s.fault.Chunks == 0 || number < s.fault.After+s.fault.Chunks)
	switch s.fault.Kind {
	case FaultBlank, FaultSwallow:
		if !within {
			return s.send(e)
		}
		s.strike()
		if s.fault.Kind == FaultSwallow && !end {
			return nil
		}
		return s.data(edited(data, func(one object) { say(one, `""`) }))
	case FaultMerge:
		if !within {
			return s.send(e)
		}
		s.strike()
		s.kept += said(data)
		if !end && number+1 < s.fault.After+s.fault.Chunks {
			return nil
		}
		text := quoted(s.kept)
		return s.data(edited(data, func(one object) { say(one, text) }))
	case FaultFinish:
		if end && !s.counted && string(data) != "[DONE]" {
			s.strike()
			if err := s.data(edited(data, s.fault.finish)); err != nil || !s.fault.Cut {
				return err
			}
			return errSpoiled
		}
	case FaultMember:
		if content {
			s.strike()
			return s.data(edited(data, s.fault.reshape))
		}
	case FaultBeside:
		if string(data) != "[DONE]" {
			s.strike()
			return s.data(s.fault.beside(data))
		}
	case FaultUsage:
		if changed := s.fault.count(data, true); changed != nil {
			s.strike()
			return s.data(changed)
		}
	case FaultLineEnds:
		s.strike()
		return s.send(bytes.ReplaceAll(e, []byte("\n"), []byte(s.fault.Text)))
	case FaultByteOrderMark:
		if !s.counted {
			s.strike()
			return s.send(append([]byte("\ufeff"), e...))
		}
	case FaultBuffer, FaultBunch:
		s.strike()
		s.held = append(s.held, e...)
		full := end && string(data) == "[DONE]"
		if s.fault.Kind == FaultBunch {
			full = end || s.chunks > 0 && s.chunks%s.fault.Chunks == 0
		}
		if !full {
			return nil
		}
		held := s.held
		s.held = nil
		return s.send(held)
	}
	return s.send(e)
}

// editWhole is edit for an answer that is not streamed. It returns body where there is nothing to spoil.
func (s *spoiler) editWhole(body []byte) []byte {
	var changed []byte
	switch s.fault.Kind {
	case FaultBlank:
		changed = edited(body, func(one object) { say(one, `""`) })
	case FaultFinish:
		changed = edited(body, s.fault.finish)
	case FaultMember:
		changed = edited(body, s.fault.reshape)
	case FaultBeside:
		changed = s.fault.beside(body)
	case FaultUsage:
		changed = s.fault.count(body, false)
	}
	if changed == nil {
		return body
	}
	s.strike()
	return changed
}

// data passes on an event of its own.
func (s *spoiler) data(data []byte) error {
	return s.send([]byte("data: " + string(data) + "\n\n"))
}

// object is a JSON object, of which what is not spoiled stays as it was.
type object map[string]json.RawMessage

func parseObject(text []byte) object {
	var o object
	_ = json.Unmarshal(text, &o) // of no object there is none
	return o
}

func (o object) String() string {
	text, _ := json.Marshal(o) // of JSON: cannot fail
	return string(text)
}

// edited is a chunk or a whole answer of which each choice has been edited.
func edited(data []byte, edit func(choice object)) []byte {
	all := parseObject(data)
	var choices []object
	if all == nil || json.Unmarshal(all["choices"], &choices) != nil {
		return data
	}
	for _, one := range choices {
		edit(one)
	}
	all["choices"], _ = json.Marshal(choices) // of JSON: cannot fail
	return []byte(all.String())
}

// say puts text, which is JSON, in the place of what a choice says.
func say(choice object, text string) {
	if choice["text"] != nil {
		choice["text"] = json.RawMessage(text)
	}
	for _, name := range []string{"delta", "message"} {
		if inside := parseObject(choice[name]); inside != nil && inside["content"] != nil {
			inside["content"] = json.RawMessage(text)
			choice[name] = json.RawMessage(inside.String())
		}
	}
}

// said is what a chunk's first choice says.
func said(data []byte) string {
	var chunk struct {
		Choices []struct {
			Text           string
			Delta, Message struct{ Content string }
		}
	}
	if json.Unmarshal(data, &chunk) != nil || len(chunk.Choices) == 0 {
		return ""
	}
	one := chunk.Choices[0]
	return one.Text + one.Delta.Content + one.Message.Content
}

func quoted(text string) string {
	b, _ := json.Marshal(text) // a string: cannot fail
	return string(b)
}

// finish edits the finish_reason of a choice.
func (o *Fault) finish(choice object) {
	choice["finish_reason"] = json.RawMessage("null")
	if o.Text != "" {
		choice["finish_reason"] = json.RawMessage(quoted(o.Text))
	}
}

// reshape says what a choice says in other members.
func (o *Fault) reshape(choice object) {
	text, _ := json.Marshal([]object{choice})
	members, err := o.members(quoted(said([]byte(`{"choices":` + string(text) + `}`))))
	if err != nil {
		return
	}
	for _, name := range []string{"text", "delta", "message"} {
		delete(choice, name)
	}
	for name, value := range members {
		choice[name] = value
	}
}

// members are those that a [FaultMember] puts into a choice that says text, which is JSON.
func (o *Fault) members(text string) (members object, err error) {
	err = json.Unmarshal([]byte("{"+strings.ReplaceAll(o.Text, "TEXT", text)+"}"), &members)
	return members, err
}

// beside adds members to a chunk.
func (o *Fault) beside(data []byte) []byte {
	all := parseObject(data)
	if all == nil {
		return data
	}
	for name, value := range parseObject([]byte("{" + o.Text + "}")) {
		all[name] = value
	}
	return []byte(all.String())
}

// count edits the usage of all, which in a stream has no choices beside it; nil: there is none.
func (o *Fault) count(data []byte, stream bool) []byte {
	all := parseObject(data)
	usage := parseObject(all["usage"])
	if usage["completion_tokens"] == nil || stream && string(all["choices"]) != "[]" {
		return nil
	}
	usage["completion_tokens"] = json.RawMessage(o.Text)
	all["usage"] = json.RawMessage(usage.String())
	return []byte(all.String())
}
