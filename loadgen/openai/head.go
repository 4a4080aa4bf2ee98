package openai

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// requestHeader is the header of each request.
func requestHeader(c Config) http.Header {
	h := http.Header{}
	for name, values := range c.Header {
		h[http.CanonicalHeaderKey(name)] = values
	}
	h.Set("Content-Type", "application/json")
	if c.APIKey != "" {
		h.Set("Authorization", "Bearer "+c.APIKey)
	}
	return h
}

// requestHead is the head of each request to u as it is written, up to the length of the body. Of header those fields
// are left out that net/http leaves out, because they belong to the message and not to the request.
func requestHead(u *url.URL, header http.Header) []byte {
	host, agent := u.Host, "servegauge"
	// of an IPv6 address: means nothing to the server
	if zone := strings.IndexByte(host, '%'); zone >= 0 && host[0] == '[' {
		host = host[:zone] + host[strings.LastIndexByte(host, ']'):]
	}
	if given := header.Get("Host"); given != "" {
		host = given
	}
	if given, ok := header["User-Agent"]; ok && len(given) > 0 {
		agent = given[0]
	}
	header = maps.Clone(header)
	for _, name := range []string{"Host", "User-Agent", "Content-Length", "Transfer-Encoding", "Trailer"} {
		delete(header, name)
	}
	if user := u.User; user != nil && header.Get("Authorization") == "" {
		password, _ := user.Password()
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "POST %s HTTP/1.1\r\nHost: %s\r\n", u.RequestURI(), host)
	if agent != "" {
		fmt.Fprintf(&b, "User-Agent: %s\r\n", agent)
	}
	_ = header.Write(&b) // a Buffer takes all
	b.WriteString("Content-Length: ")
	return b.Bytes()
}

// saysClose reports whether the header asks for the connection to be closed after the answer.
func saysClose(header http.Header) bool {
	return slices.ContainsFunc(header["Connection"], func(value string) bool {
		return slices.ContainsFunc(strings.Split(value, ","), func(option string) bool {
			return strings.EqualFold(strings.TrimSpace(option), "close")
		})
	})
}

// plain reports whether a server's name goes onto the wire as it is.
func plain(host string) bool {
	return !strings.ContainsFunc(host, func(c rune) bool { return c >= utf8.RuneSelf })
}
