package openai

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/servegauge/servegauge/loadgen"
	"github.com/servegauge/servegauge/loadgen/internal/jsontext"
)

// Servers refuse what we ask in words of their own, and their users cannot know which setting of ours is the way out.
// So an error that looks like one of the usual ones is given advice, in front, because a long complaint loses its end.
// A complaint about something else may look like one; so it is kept as it is.

// advise gives the error of a request the advice that is known to help.
func (p *payload) advise(err error) error {
	e, ok := err.(*loadgen.Error)
	if !ok {
		return err
	}
	advice := ""
	switch said := strings.ToLower(e.Err.Error()); {
	case e.Class == loadgen.ClassDial || strings.Contains(said, alerted):
		advice = connectionAdvice(e.Err)
	case e.Class == loadgen.ClassProtocol || e.Status == http.StatusBadRequest && saysHTTPS(said):
		if !p.secure && saysHTTPS(said) {
			advice = adviceHTTPS
		}
	case e.Class == loadgen.ClassServer, e.Status == http.StatusBadRequest, e.Status == http.StatusUnprocessableEntity,
		// in a stream, after a status of 200, vLLM says that an id is unknown
		e.Status == http.StatusInternalServerError:
		advice = p.contentAdvice(said, e.Status == http.StatusInternalServerError)
	case e.Status/100 == 3 && !p.secure && strings.Contains(said, "redirected to https://"):
		advice = "use https:// in the URL"
	case e.Status == http.StatusNotFound && p.further != "":
		advice = fmt.Sprintf("the server, or its model, may not have the endpoint %s; check the URL too", p.further)
	case e.Status == http.StatusNotFound && !strings.Contains(said, "model"):
		other := map[bool]Endpoint{false: Chat, true: Completions}[p.chat]
		advice = fmt.Sprintf("check the URL, or ask for %s (Config.Endpoint, or -endpoint %s)", other, other)
	}
	if advice != "" {
		e.Err = fmt.Errorf("%s: %w", advice, e.Err)
	}
	return err
}

// contentAdvice is about what a server said, in lower case, of what was sent. Of a server's own fault (crashed) only
// what it says of token ids is believed: one that does not know an id may well fall over it.
func (p *payload) contentAdvice(said string, crashed bool) string {
	switch {
	case p.ids && unknownID.MatchString(said):
		return "token ids must lie inside the model's vocabulary (RandomTokens.Low and High, or -vocabulary)"
	case crashed:
		return ""
	case refusal.MatchString(said):
		if advice := p.fieldAdvice(said); advice != "" {
			return advice
		}
	}
	if p.ids && textAlone.MatchString(said) {
		return "a server that takes no token ids needs text (RandomWords with a Calibration, or -text)"
	}
	return ""
}

// unknownID is how servers say that they do not know a token id:
//
//	Token id 128256 is out of vocabulary                                         vLLM
//	The input_ids [...] contains values greater than the vocab size (32000)      SGLang
//	Prompt contains invalid tokens                                               llama.cpp
//	Token ID out of range                                                        TensorRT-LLM
//	index out of range in self                                                   transformers, and all else of torch
//	token index 5 is out of bounds; invalid token id 7; unknown token ids        others
//
// A prompt that is too long is refused in other words: length, context, maximum.
var unknownID = regexp.MustCompile(`vocab|index out of range in self|\btokens? out of (range|bounds)|` +
	`\b(invalid|unknown|illegal) (input |prompt )?(tokens\b|token[ _-]?(ids?|index)\b)|` +
	`\b(token[ _-]?(ids?|index|indices)|input[ _-]?ids?)\b.{0,80}?` +
	`(out[ -]of[ -](range|bounds)|(not|outside|beyond) .{0,12}\brange\b|(is|are) (invalid|unknown|too large)|` +
	`must be less than)`)

// textAlone is how servers say that they take no array of token ids:
//
//	json: cannot unmarshal array into Go struct field .prompt of type string                    Ollama
//	{"loc":["body","prompt"],"msg":"Input should be a valid string"}                            validators
//	Failed to deserialize the JSON body: prompt: invalid type: sequence, expected a string      serde: TGI
var textAlone = regexp.MustCompile(`string|str type|array|sequence|list of int`)

// refusal is how servers say that they do not take a field:
//
//	Unrecognized request argument supplied: ignore_eos                                             OpenAI
//	property 'ignore_eos' is unsupported                                                           Groq
//	{"type":"extra_forbidden","loc":["body","ignore_eos"],"msg":"Extra inputs are not permitted"}  validators
//	unknown field `ignore_eos`, expected one of …                                                  serde
//	Invalid JSON payload received. Unknown name "ignore_eos"                                       Google
//	Additional properties are not allowed ('ignore_eos' was unexpected)                            JSON Schema
var refusal = regexp.MustCompile(`unrecogni[sz]ed|unknown|unsupported|unexpected|forbidden|additional propert|` +
	`(not|n't) (be )?(permitted|allowed|supported?|recogni[sz]ed|expected|accept)|extra[ _](inputs?|fields?|keys?)|` +
	`invalid (field|param|argument|key)`)

// someField is how they say it where they do not say which.
var someField = regexp.MustCompile(`extra[ _](inputs?|fields?|forbidden|keys?)|additional propert|` +
	`(unknown|unrecogni[sz]ed|unexpected|unsupported) (request )?(body )?(field|param|argument|propert|keyword|key)`)

// fieldAdvice is about a field that a server does not take, where it is to be made out which.
func (p *payload) fieldAdvice(said string) string {
	const longest = 1 << 20 // bytes of a body that is looked through; it may be one of many that are refused
	fields, err := jsontext.Fields(p.json[:min(len(p.json), longest)])
	if err != nil {
		return ""
	}
	sent := map[string]string{}
	var names []string
	for _, f := range fields {
		sent[f.Name], names = string(f.Value), append(names, f.Name)
	}
	leaveOut := func(name string) string {
		return fmt.Sprintf("leave out what the server does not take (Config.Body %q: nil, or -body '{%q:null}')", name,
			name)
	}
	switch {
	case sent["max_tokens"] != "" && strings.Contains(said, "max_completion_tokens"):
		const says = `use the server's own name for it (Config.Body, or -body '{"max_tokens":null,"max_completion_tokens":%s}')`
		return fmt.Sprintf(says, sent["max_tokens"])
	case strings.Contains(said, "continuous_usage_stats"):
		return "ask for the usage at the end alone (Config.ContinuousUsage, or no -continuous-usage)"
	}
	for _, name := range []string{"ignore_eos", "stream_options", "temperature"} { // ours, the likeliest first
		if sent[name] != "" && strings.Contains(said, name) {
			return leaveOut(name)
		}
	}
	if sent["stream"] == "true" && regexp.MustCompile(`\bstream(ing)?\b`).MatchString(said) {
		return "ask for answers in one piece (Config.Whole, or -stream=false)"
	}
	for _, name := range names { // the user's, which may be words that stand in any complaint
		quoted := func(q string) bool { return strings.Contains(said, q+strings.ToLower(name)+q) }
		if !slices.Contains([]string{"model", "prompt", "messages", "stream", "max_tokens"}, name) &&
			(quoted("'") || quoted(`"`) || quoted("`")) {
			return leaveOut(name)
		}
	}
	// Of all that we send of ourselves, OpenAI's own documents do not know ignore_eos alone.
	if sent["ignore_eos"] != "" && someField.MatchString(said) {
		return leaveOut("ignore_eos")
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
	switch text := err.Error(); {
	case strings.Contains(text, alerted+"no application protocol"):
		return "the server does not speak HTTP/2 (leave out Config.HTTP2, or -http2)"
	case strings.Contains(text, alerted) && strings.Contains(text, "certificate"):
		return "the server wants a certificate of the client, or another (Config.TLS with Certificates)"
	case refused(err):
		return "is the server running there?"
	}
	return ""
}

// alerted is in the text of an error that the server sent as an alert of TLS, whose type is none of crypto/tls's own
// that others could name. With TLS 1.3 it may come when the client has done with the handshake.
const alerted = "remote error: tls: "

// plainToTLS is what comes of HTTP at a port that speaks TLS: words, or the alert that net/http takes for a bad answer.
//
//	Client sent an HTTP request to an HTTPS server.            Go
//	The plain HTTP request was sent to HTTPS port              nginx
//	You're speaking plain HTTP to an SSL-enabled server port.  Apache
//	malformed HTTP response "\x15\x03\x01\x00\x02\x02F"
var plainToTLS = regexp.MustCompile(`http request (was sent )?to (an )?https|plain http to an ssl|` +
	`https required|malformed http response "\\x15\\x03`)

// saysHTTPS reports whether a text is what comes of HTTP where HTTPS is spoken.
func saysHTTPS(text string) bool { return plainToTLS.MatchString(strings.ToLower(text)) }

// schemeAdvice finds out whether the server speaks the other of HTTP and HTTPS, where it did not say so itself: uvicorn
// closes a connection whose first bytes are not TLS, and llama.cpp's server waits for the end of a line that TLS does
// not have. Nothing is sent that could be secret.
func schemeAdvice(ctx context.Context, u *url.URL, connected bool) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	switch {
	case u.Scheme == "http" && connected:
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} // it is only greeted
		if conn, err := dialer.DialContext(ctx, "tcp", hostPort(u)); err == nil {
			_ = conn.Close()
			return adviceHTTPS
		}
	case u.Scheme == "https" && !connected:
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostPort(u))
		if err != nil {
			return ""
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
		answer := make([]byte, len("HTTP/"))
		if _, err := io.WriteString(conn, "HEAD / HTTP/1.0\r\n\r\n"); err != nil {
			return ""
		}
		if _, err := io.ReadFull(conn, answer); err == nil && string(answer) == "HTTP/" {
			return adviceHTTP
		}
	}
	return ""
}

// hostPort is where the server of u listens.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
