package openai

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/servegauge/servegauge/loadgen"
)

// mostQuoted bounds, in bytes, what an error quotes of an answer. It is more than anybody wants to read, because
// secrets are taken out afterwards (secrets.clean), and one that was cut in two would not be found.
const mostQuoted = 32 << 10

// complaint is what the server says went wrong, in the chunk that was scanned from text; nil: nothing did.
func (c *chunk) complaint(text []byte) error {
	said := ""
	switch {
	case c.failure != nil:
		said = complaint(c.failure)
	case c.failed:
		said = complaint(text)
	case irregular(c.finish):
		return serverError(fmt.Sprintf("the answer ended with finish_reason %q", finishText(c.finish)))
	default:
		return nil
	}
	if irregular(c.finish) {
		said += fmt.Sprintf(" (finish_reason %q)", finishText(c.finish))
	}
	return serverError(said)
}

func serverError(said string) error {
	return &loadgen.Error{Class: loadgen.ClassServer, Err: errors.New(said)}
}

func protocolError(format string, args ...any) error {
	return &loadgen.Error{Class: loadgen.ClassProtocol, Err: fmt.Errorf(format, args...)}
}

// unexpected is an answer or an event that could not be scanned.
func unexpected(what string, err error, text []byte) error {
	return protocolError("%s is not what was expected: %s: %s", what, excerpt([]byte(err.Error())), excerpt(text))
}

// encoded is an answer in an encoding, which nobody asked for; nil: it is in none. Some servers say so in words that
// are no encodings: none, where a proxy is to leave the stream alone, or the character set.
func encoded(head http.Header, text []byte) error {
	encoding := strings.Trim(strings.Join(head.Values("Content-Encoding"), ", "), ", ")
	switch strings.ToLower(encoding) {
	case "", "identity", "none", "utf-8", "utf8":
		return nil
	}
	return protocolError("the answer is encoded, which this client neither asks for nor reads: Content-Encoding %s, %s",
		oneLine(encoding), beginning(head, text))
}

// noStream is what an answer is that is no event stream: a complaint, or something else that is quoted.
func noStream(head http.Header, text []byte) error {
	var s scanner
	var c chunk
	if s.scan(text, &c) {
		if err := c.complaint(text); err != nil {
			return err
		}
		if c.choices > 0 {
			return protocolError("the answer is one JSON body and no event stream, although one was asked for: %s",
				beginning(head, text))
		}
	}
	return protocolError("the answer is no event stream: %s", beginning(head, text))
}

// beginning says of what type an answer is said to be, and how it begins.
func beginning(head http.Header, text []byte) string {
	kind := head.Get("Content-Type")
	if kind == "" {
		kind = "none"
	}
	kind = "Content-Type " + oneLine(kind)
	text = text[:min(len(text), mostQuoted)]
	if unreadable(text) {
		return fmt.Sprintf("%s, its bytes begin with % x", kind, text[:min(len(text), 16)])
	}
	if said := excerpt(text); said != "" {
		return kind + ", it begins with " + said
	}
	return kind + ", it is empty"
}

// unreadable reports whether text is rather bytes.
func unreadable(text []byte) bool {
	for start := text[:min(len(text), 64)]; len(start) > 0; {
		c, size := utf8.DecodeRune(start)
		if c == utf8.RuneError && size == 1 && utf8.FullRune(start) || c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return true
		}
		start = start[size:]
	}
	return false
}

// complaint finds the message in an error as servers shape it: {"error":{"message":…}}, {"message":…},
// {"detail":…}, {"code":…,"msg":…}, {"text":…,"error_code":…}, a string, or anything else. It is empty only where there
// is none.
func complaint(text []byte) string {
	whole := text
	for range 2 { // the error, and what it may be wrapped in
		var shape struct {
			Error   json.RawMessage `json:"error"`
			Message string          `json:"message"`
			Msg     string          `json:"msg"`
			Text    string          `json:"text"`
			Detail  json.RawMessage `json:"detail"`
		}
		if json.Unmarshal(text, &shape) != nil {
			break
		}
		if said := excerpt([]byte(shape.Message)); said != "" && !nothing([]byte(said)) {
			return said
		}
		switch {
		case len(shape.Error) > 0 && string(shape.Error) != "null":
			text = shape.Error
		case len(shape.Detail) > 0:
			text = shape.Detail
		default: // {"code":500,"msg":"…"}, {"text":"…","error_code":50001}
			if said := excerpt([]byte(cmp.Or(shape.Msg, shape.Text))); said != "" {
				return said
			}
		}
	}
	var plain string
	if json.Unmarshal(text, &plain) == nil {
		if said := excerpt([]byte(plain)); said != "" {
			return said
		}
		text = whole
	}
	return excerpt(text)
}

// excerpt is the start of what a server sent, fit for an error.
func excerpt(text []byte) string {
	if len(text) <= mostQuoted {
		return oneLine(string(text))
	}
	return oneLine(string(text[:mostQuoted])) + "…"
}

// oneLine is s without what could break a line, colour a terminal or turn the direction of the text.
func oneLine(s string) string {
	s = strings.ToValidUTF8(s, "�")
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return c == ' ' || !unicode.IsPrint(c) }), " ")
}
