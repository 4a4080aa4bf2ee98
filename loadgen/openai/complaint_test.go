package openai

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/servegauge/servegauge/loadgen"
)

func TestComplaint(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`{"error":{"message":"The model ` + "`x`" +
			` does not exist.","type":"NotFoundError","param":"model","code":404}}`, "The model `x` does not exist."},
		{`{"object":"error","message":"too long","type":"BadRequestError","code":400}`, "too long"},
		{`{"detail":"Not Found"}`, "Not Found"},
		{`{"code":500,"msg":"no GPU"}`, "no GPU"},
		{`{"text":"no GPU","error_code":50001}`, "no GPU"},
		{`{"error":{"code":500,"msg":"no GPU"}}`, "no GPU"},
		{`{"detail":[{"loc":["body"],"msg":"Field required"}]}`, `[{"loc":["body"],"msg":"Field required"}]`},
		{`{"error":"overloaded","error_type":"overloaded"}`, "overloaded"},
		{`{"error":null,"detail":"busy"}`, "busy"},
		{`{"error":{"message":"","code":7}}`, `{"message":"","code":7}`},
		{`{"error":""}`, `{"error":""}`},
		{`{"error":{"message":null}}`, `{"message":null}`},
		{`{"message":{"en":"no"}}`, `{"message":{"en":"no"}}`},
		{`{"message":" \n ","detail":"busy"}`, "busy"},
		{`"plain"`, "plain"},
		{`Internal Server Error`, "Internal Server Error"},
		{"<html>\r\n  <body>\r\n\t502 Bad Gateway\r\n", "<html> <body> 502 Bad Gateway"},
		{`{"message":"a\u001b[31mb\u0000c\u009bd\u202ee\u2028f"}`, "a [31mb c d e f"},
		{"\xff\xfea", "�a"},
		{`null`, "null"},
		{`""`, `""`},
		{``, ""},
	} {
		if got := complaint([]byte(test.text)); got != test.want {
			t.Errorf("%s: got %q, want %q", test.text, got, test.want)
		}
	}
}

// What a server sends must neither flood an error nor be passed off as the whole of it.
func TestExcerptIsBounded(t *testing.T) {
	long := strings.Repeat("ż ", mostQuoted)
	if got := excerpt([]byte(long)); len(got) > mostQuoted+len("…") || !strings.HasSuffix(got, "…") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-10:])
	}
	number := strings.Repeat("1", 1<<20)
	for name, read := range map[string]func(io.Reader, http.Header, *loadgen.Record) error{"stream": readStream,
		"whole": readWhole} {
		body := `{"usage":{"prompt_tokens":` + number + `}}`
		if name == "stream" {
			body = "data: " + body + "\n\n"
		}
		err := read(strings.NewReader(body), nil, new(loadgen.Record))
		if err == nil || len(err.Error()) > 3*mostQuoted {
			t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
		}
		if text := (secrets{}).clean(err).Error(); len([]rune(text)) > longestError+1 {
			t.Errorf("%s: cleaned, %d bytes", name, len(text))
		}
	}
}
