package openai

import (
	"bytes"
	"encoding/json"
	"errors"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object with the order of its members, as encoding/json tokenizes it.
type object []member

type member struct {
	name  string
	value any // object, []any, string, json.Number, bool or nil
}

// parse reads text by encoding/json.
func parse(text []byte) (any, error) {
	if !json.Valid(text) {
		return nil, errors.New("no JSON")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value func() any
	value = func() any {
		token, _ := d.Token()
		switch token {
		case json.Delim('{'):
			o := object{}
			for d.More() {
				name, _ := d.Token()
				o = append(o, member{name.(string), value()})
			}
			_, _ = d.Token()
			return o
		case json.Delim('['):
			a := []any{}
			for d.More() {
				a = append(a, value())
			}
			_, _ = d.Token()
			return a
		}
		return token
	}
	return value(), nil
}

var errType = errors.New("of another type")

// oracle is what the scanner is to say of text: the same rules, written to be read, over what encoding/json makes of
// it.
func oracle(text []byte) (c chunk, err error) {
	tree, err := parse(text)
	if err != nil {
		return c, err
	}
	defer func() {
		if recover() != nil {
			err = errType
		}
	}()
	if tree == nil {
		return c, nil
	}
	var says, notice bool
	for _, m := range tree.(object) {
		switch m.name {
		case "choices":
			failed, failure := c.failed, c.failure
			c.choices, c.begun, c.finished, c.content, c.answer, c.texts, c.finish = 0, 0, 0, false, false, 0, nil
			c.failed, c.failure = failed, failure
			for _, one := range list(m.value) {
				oracleChoice(&c, one)
			}
		case "usage":
			oracleUsage(&c, m.value)
		case "metrics":
			if m.value == nil {
				c.draft, c.draftAccepted = count{}, count{}
			}
			for _, u := range ifObject(m.value) {
				if u.name != "speculative_decoding" {
					continue
				}
				if u.value == nil {
					c.draft, c.draftAccepted = count{}, count{}
				}
				oracleCounts(u.value, map[string]*count{"num_draft_tokens": &c.draft,
					"num_accepted_draft_tokens": &c.draftAccepted})
			}
		case "error", "errors", "error_code":
			c.failed = c.failed || complains(m.value)
		case "object", "type", "status", "event":
			word, _ := m.value.(string)
			lower := strings.ToLower(word)
			bad := strings.HasSuffix(lower, "error") || strings.HasSuffix(lower, "exception")
			if m.name == "status" || m.name == "event" {
				bad = irregular([]byte(word))
			}
			c.failed = c.failed || bad
			notice = notice || word != "" && !bad
		case "x_groq":
			for _, u := range ifObject(m.value) {
				c.failed = c.failed || u.name == "error" && complains(u.value)
				if u.name == "usage" {
					oracleUsage(&c, u.value)
				}
			}
		case "code":
			if n, ok := m.value.(json.Number); ok && n[0] != '-' {
				n := number2count(n).n
				notice = notice || n == 0 || n/100 == 2
			}
		case "message", "detail", "msg", "error_message", "error_msg":
			says = says || complains(m.value)
		case "success", "ok":
			says = says || m.value == false
		case "servegauge":
			if m.value == nil {
				c.stamped, c.stamp = false, stamp{}
				continue
			}
			c.stamped = true
			for _, u := range m.value.(object) {
				switch u.name {
				case "received":
					integer(&c.stamp.received, u.value)
				case "sent":
					integer(&c.stamp.sent, u.value)
				}
			}
		default:
			says = says || namesError.MatchString(m.name) && len(m.name) <= 32 && complains(m.value)
		}
	}
	c.failed = c.failed || says && c.choices == 0 && !c.completion.known && !notice
	return c, nil
}

// oracleMedia adds up the tokens of images, sounds and frames.
func oracleMedia(details any, all *count) {
	add := func(value any) {
		if n := number2count(value); n.possible() {
			*all = count{all.n + n.n, true}
		}
	}
	for _, d := range ifObject(details) {
		kinds, several := d.value.(object)
		switch {
		case d.name == "multimodal_tokens" && several:
			for _, kind := range kinds {
				add(kind.value)
			}
		case d.name == "multimodal_tokens" || d.name == "image_tokens" || d.name == "audio_tokens" ||
			d.name == "video_tokens":
			add(d.value)
		}
	}
}

func oracleUsage(c *chunk, value any) {
	if value == nil {
		c.prompt, c.completion, c.cached, c.accepted, c.rejected = count{}, count{}, count{}, count{}, count{}
		c.media = count{}
	}
	for _, u := range ifObject(value) {
		switch u.name {
		case "prompt_tokens":
			c.prompt = number2count(u.value)
		case "completion_tokens":
			c.completion = number2count(u.value)
		case "prompt_tokens_details":
			if u.value == nil {
				c.cached, c.media = count{}, count{}
			}
			oracleMedia(u.value, &c.media)
			oracleCounts(u.value, map[string]*count{"cached_tokens": &c.cached})
		case "completion_tokens_details":
			if u.value == nil {
				c.accepted, c.rejected = count{}, count{}
			}
			oracleCounts(u.value, map[string]*count{"accepted_prediction_tokens": &c.accepted,
				"rejected_prediction_tokens": &c.rejected})
		}
	}
}

func oracleChoice(c *chunk, value any) {
	index, finish := int64(0), ""
	var answer, reasoning, text bool
	said := func(value any, thinking bool) bool {
		a, r := heard(value, thinking)
		answer, reasoning = answer || a, reasoning || r
		return a || r
	}
	told := func(value any, thinking bool) {
		switch value.(type) {
		case json.Number, bool:
			panic(errType)
		}
		text = said(value, thinking) || text
	}
	failure := func(value any) {
		if complains(value) {
			c.failed = true
		}
	}
	for _, m := range fields(value) {
		switch m.name {
		case "index":
			integer(&index, m.value)
		case "text":
			told(m.value, false)
		case "finish_reason":
			if m.value != nil {
				finish = m.value.(string)
				switch strings.ToLower(finish) {
				case "null", "none", "nil", "unfinished", "not_finished", "unspecified", "finish_reason_unspecified":
					finish = ""
				}
			}
		case "error":
			failure(m.value)
		case "delta", "message":
			for _, d := range fields(m.value) {
				switch d.name {
				case "role":
				case "content":
					told(d.value, false)
				case "reasoning", "reasoning_content":
					told(d.value, true)
				case "tool_calls":
					if calls, ok := d.value.([]any); ok {
						answer = len(calls) > 0 || answer
					} else {
						said(d.value, false)
					}
				case "error":
					failure(d.value)
				case "refusal":
					_, isText := d.value.(string)
					text = said(d.value, false) && isText || text
				default:
					text = said(d.value, isThought(d.name)) && isThought(d.name) || text
				}
			}
		}
	}
	bit := uint64(1) << (index & 63)
	c.choices++
	c.begun |= bit
	c.content = c.content || answer || reasoning
	c.answer = c.answer || answer
	if text {
		c.texts++
	}
	if finish != "" {
		c.finished |= bit
		if !irregular(c.finish) {
			quoted, _ := json.Marshal(finish)
			c.finish = quoted[1 : len(quoted)-1]
		}
	}
}

// heard reports whether there is an answer and whether there is reasoning in a value.
func heard(value any, thinking bool) (answer, reasoning bool) {
	switch v := value.(type) {
	case []any:
		for _, one := range v {
			a, r := heard(one, thinking)
			answer, reasoning = answer || a, reasoning || r
		}
	case object:
		for _, m := range v {
			switch m.name {
			case "type":
				word, _ := m.value.(string)
				thinking = thinking || isThought(word)
			case "index", "id", "role":
			default:
				a, r := heard(m.value, isThought(m.name))
				answer, reasoning = answer || a, reasoning || r
			}
		}
		if thinking {
			answer, reasoning = false, answer || reasoning
		}
	default:
		found := something(value)
		return found && !thinking, found && thinking
	}
	return answer, reasoning
}

func isThought(name string) bool {
	return slices.ContainsFunc([]string{"reasoning", "thinking", "thought"},
		func(start string) bool { return strings.HasPrefix(name, start) })
}

// namesError are the names by which gateways say what went wrong.
var namesError = regexp.MustCompile(`^([eE][rR][rR][A-Za-z_-]*|[A-Za-z_-]*[eE][rR][rR][oO][rR]|` +
	`[A-Za-z_-]*[eE][xX][cC][eE][pP][tT][iI][oO][nN]|[fF][aA][uU][lL][tT])$`)

// complains is something, where a text may also say that there is nothing.
func complains(value any) bool {
	switch v := value.(type) {
	case string:
		return v != "" && !slices.Contains([]string{"null", "none", "nil", "0", "ok", "success", "false"},
			strings.ToLower(v))
	case []any:
		return slices.ContainsFunc(v, complains)
	case object:
		return slices.ContainsFunc(v, func(m member) bool { return complains(m.value) })
	}
	return something(value)
}

// something reports whether there is anything in a value.
func something(value any) bool {
	switch v := value.(type) {
	case string:
		return v != ""
	case bool:
		return v
	case json.Number:
		mantissa, _, _ := strings.Cut(strings.ToLower(string(v)), "e")
		return strings.Trim(mantissa, "-.0") != ""
	case []any:
		return slices.ContainsFunc(v, something)
	case object:
		return slices.ContainsFunc(v, func(m member) bool { return something(m.value) })
	}
	return false
}

// fields are those of an object or of null, and nothing else will do.
func fields(value any) object {
	if value == nil {
		return nil
	}
	return value.(object)
}

func list(value any) []any {
	if value == nil {
		return nil
	}
	return value.([]any)
}

func ifObject(value any) object {
	o, _ := value.(object)
	return o
}

func oracleCounts(value any, into map[string]*count) {
	for _, m := range ifObject(value) {
		if p := into[m.name]; p != nil {
			*p = number2count(m.value)
		}
	}
}

// number2count is a count by exact arithmetic.
func number2count(value any) count {
	if value == nil {
		return count{}
	}
	n, ok := value.(json.Number)
	if !ok || len(n) > 32 {
		return count{-1, true}
	}
	// so that no exponent is too large for what follows
	if f, err := n.Float64(); err != nil || f > mostTokens || f < 0 {
		return count{-1, true}
	}
	r, ok := new(big.Rat).SetString(string(n))
	if !ok || !r.IsInt() || r.Sign() < 0 || r.Cmp(big.NewRat(mostTokens, 1)) > 0 {
		return count{-1, true}
	}
	return count{int(r.Num().Int64()), true}
}

func integer(p *int64, value any) {
	if value == nil {
		return
	}
	n, err := strconv.ParseInt(string(value.(json.Number)), 10, 64)
	if err != nil {
		panic(errType)
	}
	*p = n
}
