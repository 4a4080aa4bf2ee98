package openai

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
)

// Servers refuse what we ask in words of their own, and their users cannot know which setting of ours is the way out. So an
// error that looks like one of the usual ones is given advice, in front, because a long complaint loses its end. A complaint
// about something else may look like one; so it is kept as it is.

// advise gives the error of a request the advice that is known to help.
func (p *payload) advise(err error) error {
	e, ok := err.(*loadgen.Error)
	if !ok {
		return err
	}
	advice := ""
	switch said := strings.ToLower(e.Err.Error()); {
	case e.Class == loadgen.ClassDial:
		advice = connectionAdvice(e.Err)
	case e.Class == loadgen.ClassProtocol || e.Status == http.StatusBadRequest && saysHTTPS(said):
		if !p.secure && saysHTTPS(said) {
			advice = adviceHTTPS
		}
	case e.Class == loadgen.ClassServer, e.Status == http.StatusBadRequest, e.Status == http.StatusUnprocessableEntity,
		e.Status == http.StatusInternalServerError: // in a stream, after a status of 200, vLLM says that an id is unknown
		advice = p.contentAdvice(said, e.Status == http.StatusInternalServerError)
	case e.Status == http.StatusNotFound && !p.chat && !strings.Contains(said, "model"):
		advice = "a server without /completions may have /chat/completions (Config.Endpoint Chat, or -endpoint chat)"
	}
	if advice != "" {
		e.Err = fmt.Errorf("%s: %w", advice, e.Err)
	}
	return err
}

// contentAdvice is about what a server said, in lower case, of what was sent. Of a server's own fault (crashed) only what it
// says of token ids is believed: what does not know one of them may well fall over it.
func (p *payload) contentAdvice(said string, crashed bool) string {
	switch {
	case p.ids && unknownID.MatchString(said):
		return "token ids must lie inside the model's vocabulary (RandomTokens.Low and High, or -vocabulary)"
	case crashed:
		return ""
	}
	if field := p.refusedField(said); field != "" {
		return fmt.Sprintf("leave out what the server does not know (Config.Body %q: nil, or -body '{%q:null}')", field, field)
	}
	about := func(words ...string) bool {
		return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(said, word) })
	}
	if p.ids && about("string", "str type", "array", "sequence", "list of int") {
		return "a server that takes no token ids needs text (RandomWords with a Calibration, or -text)"
	}
	return ""
}

// unknownID is how servers say that they do not know a token id:
//
//	Token id 128256 is out of vocabulary                                        vLLM
//	The input_ids [...] contains values greater than the vocab size (32000)      SGLang
//	Prompt contains invalid tokens                                               llama.cpp
//	Token ID out of range                                                        TensorRT-LLM
//	index out of range in self                                                   transformers, and whatever is built on torch
//	token index 5 is out of bounds; invalid token id 7; unknown token ids        others
//
// A prompt that is too long is refused in other words: length, context, maximum.
var unknownID = regexp.MustCompile(`vocab|(invalid|unknown|illegal) (input |prompt )?token(s|[ _-]?ids?)\b|index out of range in self|` +
	`(token[ _-]?(ids?|index)|input[ _-]?ids?|tokens?)\b.{0,80}?(out[ -]of[ -](range|bounds)|(not|outside|beyond) .{0,12}\brange\b|is invalid|greater than|must be less than)`)

// ours are the fields of our requests that not every server knows, the likeliest to be refused first.
var ours = []string{"ignore_eos", "stream_options", "continuous_usage_stats", "temperature"}

// refusal is how servers say that they do not take a field:
//
//	Unrecognized request argument supplied: ignore_eos                  OpenAI
//	property 'ignore_eos' is unsupported                                Groq
//	{"type":"extra_forbidden","loc":["body","ignore_eos"],"msg":"Extra inputs are not permitted"}  validators
//	unknown field `ignore_eos`, expected one of …                       serde
//	Invalid JSON payload received. Unknown name "ignore_eos"            Google
//	Additional properties are not allowed ('ignore_eos' was unexpected) JSON Schema
var refusal = regexp.MustCompile(`unrecogni[sz]ed|unknown|unsupported|unexpected|not (be )?(permitted|allowed|supported|recogni[sz]ed|expected)|` +
	`does(n't| not) support|extra[ _](inputs?|fields?|forbidden|keys?)|forbidden|additional propert|invalid (field|param|argument|key)`)

// extra is how they say it where they do not say which.
var extra = regexp.MustCompile(`extra[ _](inputs?|fields?|forbidden|keys?)|additional propert|(unknown|unrecogni[sz]ed|unexpected) (request )?(field|param|argument|propert|keyword|key)`)

// refusedField is the field of ours that a server refuses, "" where none is to be made out.
func (p *payload) refusedField(said string) string {
	if !refusal.MatchString(said) {
		return ""
	}
	for _, field := range ours {
		if strings.Contains(said, field) && strings.Contains(string(p.json), `"`+field+`"`) {
			if field == "continuous_usage_stats" {
				return "stream_options"
			}
			return field
		}
	}
	// Which one is not said. Of all that we send, only ignore_eos is unknown to OpenAI's own documents.
	if extra.MatchString(said) && strings.Contains(string(p.json), `"ignore_eos"`) {
		return "ignore_eos"
	}
	return ""
}

const (
	adviceHTTPS = "the server speaks TLS: use https:// in the URL"
	adviceHTTP  = "the server does not speak TLS: use http:// in the URL"
)

// connectionAdvice is about a connection that could not be made.
func connectionAdvice(err error) string {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return adviceHTTP
	}
	if record, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		if string(record.RecordHeader[:]) == "HTTP/" {
			return adviceHTTP
		}
		return "what answers there does not speak TLS; check scheme and port of the URL"
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "use a name in the URL that the certificate is for (or Config.TLS with its ServerName)"
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		return "the certificate is not valid now; renew it, or set the clock right"
	}
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, unverified := errors.AsType[*tls.CertificateVerificationError](err)
	if unknown || unverified {
		return "trust the certificate, or who signed it (Config.TLS with RootCAs, or -ca-file FILE)"
	}
	if alert, ok := errors.AsType[tls.AlertError](err); ok && (strings.Contains(alert.Error(), "certificate")) {
		return "the server wants a certificate of the client (Config.TLS with Certificates)"
	}
	if refused(err) {
		return "is the server running there?"
	}
	return ""
}

// plainToTLS is what comes of HTTP at a port that speaks TLS: words, or the alert that net/http takes for a bad answer.
//
//	Client sent an HTTP request to an HTTPS server.            Go
//	The plain HTTP request was sent to HTTPS port              nginx
//	You're speaking plain HTTP to an SSL-enabled server port.  Apache
//	malformed HTTP response "\x15\x03\x01\x00\x02\x02F"
var plainToTLS = regexp.MustCompile(`http request (was sent )?to (an )?https|plain http to an ssl|https required|malformed http response "\\x15\\x03`)

// saysHTTPS reports whether a text is what comes of HTTP where HTTPS is spoken.
func saysHTTPS(text string) bool { return plainToTLS.MatchString(strings.ToLower(text)) }

// speaksTLS finds out whether the server does, where it closed the connection without a word, as uvicorn does. Nothing is sent but
// the greeting, so that whom it trusts does not matter.
func speaksTLS(ctx context.Context, u *url.URL) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	port := u.Port()
	if port == "" {
		port = "80"
	}
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}
