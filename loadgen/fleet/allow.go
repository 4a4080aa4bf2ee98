package fleet

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/servegauge/servegauge/loadgen"
)

// origin is the scheme, host and port of a server's URL. Two URLs of one origin reach the same server.
func origin(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil: // where there is a user in it is not known
		return "", &loadgen.InvalidError{Field: "url", Value: "(not shown)",
			Want: "a URL of a server, http://HOST:PORT"}
	case u.User != nil:
		return "", &loadgen.InvalidError{Field: "url", Value: fmt.Sprintf("%.200q", hidden(u)),
			Want: "one without a user and a password: what lets a worker in is in its own environment"}
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		if strings.Contains(text, "@") { // user:password@host has no user, but a scheme that is called user
			text = "(not shown)"
		}
		return "", &loadgen.InvalidError{Field: "url", Value: fmt.Sprintf("%.200q", text),
			Want: "http:// or https://, and a host"}
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return strings.ToLower(u.Scheme + "://" + u.Hostname() + ":" + port), nil
}

// hidden is a URL as it may be printed. A name alone may be a token.
func hidden(u *url.URL) string {
	shown := *u
	if u.User != nil {
		shown.User = url.User("xxxxx")
	}
	return shown.String()
}

// AnyServer, in [Worker.Allow], is every server there is: for the coordinator's own child processes, whose owner it is.
const AnyServer = "*"

// allowed is an error for a server that is not on the list.
func allowed(list []string, server string) error {
	asked, err := origin(server)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(list, func(entry string) bool {
		if entry == AnyServer {
			return true
		}
		o, err := origin(entry)
		return err == nil && o == asked
	}) {
		return &loadgen.InvalidError{Field: "url", Value: fmt.Sprintf("%.200q", server),
			Want: fmt.Sprintf("a server that this worker's owner allows (%d are)", len(list))}
	}
	return nil
}
