package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/servegauge/servegauge/envinfo/fact"
	"github.com/servegauge/servegauge/internal/secret"
)

// Get returns the body of the answer to GET path below root, within a bound. Errors have neither the URL nor what was
// sent.
func Get(
	ctx context.Context,
	client *http.Client,
	root *url.URL,
	path string,
	header http.Header,
	limit int,
) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, root.JoinPath(path).String(), nil)
	if err != nil {
		return nil, errors.New("GET " + path + ": the request could not be made")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := client.Do(r)
	if err != nil {
		// The URL is in it, and what a transport adds.
		if ue, ok := errors.AsType[*url.Error](err); ok {
			err = ue.Err
		}
		return nil, errors.New("GET " + path + ": " + fact.Clip300(secret.Scrub(err.Error())))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d", path, resp.StatusCode) // the body may quote what was sent
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, int64(limit)+1))
	if err != nil {
		return nil, errors.New("GET " + path + ": " + fact.Clip300(secret.Scrub(err.Error())))
	}
	if len(b) > limit {
		return nil, fmt.Errorf("GET %s: %w", path, TooLarge{limit, "bytes"})
	}
	return b, nil
}
