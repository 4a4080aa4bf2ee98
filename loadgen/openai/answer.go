package openai

import (
	"io"
	"net/http"
	"slices"
)

// An answerBody is what follows the head of an answer on a line. It is read where it is wanted, without a buffer
// between, so that what one read returns is of one read of the connection, and has its stamp.
type answerBody struct {
	chunked bool
	chunks  dechunker
	left    int64 // bytes of a body of a stated length, -1: the body says where it ends, or its connection does
	ended   error // why there is no more: io.EOF at its end; nil: there is

	// again says that the connection carries another request once the body has been read: it has an end of its own, the
	// server did not say that this was the last, and nothing comes after it.
	again bool
}

func newBody(response *http.Response, again bool) answerBody {
	b := answerBody{left: response.ContentLength, again: again && !response.Close}
	switch {
	case response.Body == http.NoBody:
		b.ended = io.EOF
	case slices.Equal(response.TransferEncoding, []string{"chunked"}):
		b.chunked = true
	case b.left < 0:
		b.again = false
	case b.left == 0:
		b.ended = io.EOF
	}
	return b
}

func (b *answerBody) read(l *line, p []byte) (int, error) {
	for b.ended == nil {
		if !b.chunked && b.left >= 0 {
			p = p[:min(int64(len(p)), b.left)]
		}
		if len(p) == 0 {
			return 0, nil
		}
		n, err := l.raw(p, b.left < 0) // whose end is not in sight
		data := n
		switch {
		case b.chunked:
			var used int
			if data, used, b.ended = b.chunks.decode(p[:n]); b.ended == nil && b.chunks.at == atEnd {
				b.ended = io.EOF
				b.again = b.again && used == n
			}
		case b.left >= 0:
			if b.left -= int64(n); b.left == 0 {
				b.ended = io.EOF
			}
		case err == io.EOF:
			b.ended = io.EOF
		}
		if b.ended == nil && err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		if b.ended == nil {
			b.ended = err
		}
		if b.ended == io.EOF {
			b.again = b.again && err == nil
		}
		if data > 0 {
			return data, nil
		}
	}
	return 0, b.ended
}
