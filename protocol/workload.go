package protocol

import "net/url"

// PublicURL is a server's URL without what may be secret in it: user, password and query. It is "" for what is no URL.
func PublicURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
