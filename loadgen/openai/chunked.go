package openai

import "errors"

// A dechunker takes the framing of HTTP's chunked transfer coding out of bytes as they come:
//
//	2d\r\n
//	data: {"choices":[{"index":0,"text":" a"}]}\n\n\r\n
//	0\r\n
//	\r\n
//
// net/http has one, for which this one stands in because a chunk must be known to have come in the read that brought
// it: net/http's waits for the next chunk's data where that chunk's size is there already, and then hands out both as
// one. It also needs a buffer of its own for each stream. In what it takes and what it refuses this one follows it; a
// fuzz test holds them against each other.
type dechunker struct {
	at     place
	left   uint64 // of the chunk's data
	digits int    // of its size
	line   int    // bytes of the framing's line so far
	excess int64  // bytes of framing beyond what data excuse
}

// A place is where in a chunk the next byte belongs.
type place uint8

const (
	inSize place = iota
	inSpace
	inExtension
	atSizeEnd // behind the CR
	inData
	atDataEnd
	behindDataEnd // behind its CR
	atTrailer     // at the start of a line of it
	inTrailer
	atLastEnd // behind the CR of the empty line that ends the answer
	atEnd
)

const (
	mostFraming = 4 << 10  // bytes in a line of it
	mostExcess  = 16 << 10 // bytes
)

var (
	errChunk       = errors.New("malformed chunked encoding")
	errFramingLong = errors.New("chunked encoding contains too much that is not data")
)

// decode moves the data in p to its front. It returns how many bytes of data there are, and how many of p's bytes
// belong to the answer: fewer than all only at its end.
func (d *dechunker) decode(p []byte) (data, used int, err error) {
	for used < len(p) && d.at != atEnd {
		if d.at == inData {
			n := len(p) - used
			if uint64(n) > d.left {
				n = int(d.left)
			}
			copy(p[data:], p[used:used+n])
			data, used = data+n, used+n
			if d.left -= uint64(n); d.left == 0 {
				d.at = atDataEnd
			}
			continue
		}
		if err := d.frame(p[used]); err != nil {
			return data, used, err
		}
		used++
	}
	return data, used, nil
}

// frame takes a byte of the framing.
func (d *dechunker) frame(c byte) error {
	if d.line++; d.line > mostFraming {
		return errFramingLong
	}
	switch d.at {
	case inSize:
		switch {
		case hexDigit(c) < 16 && d.digits < 16:
			d.left = d.left<<4 | uint64(hexDigit(c))
			d.digits++
			return nil
		case d.digits == 0:
			return errChunk
		}
		fallthrough
	case inSpace:
		switch c {
		case ' ', '\t':
			d.at = inSpace
		case ';':
			if d.at == inSpace { // as net/http has it, where the standard would let it pass
				return errChunk
			}
			d.at = inExtension
		case '\r':
			d.at = atSizeEnd
		default:
			return errChunk
		}
	case inExtension:
		switch c {
		case '\r':
			d.at = atSizeEnd
		case '\n':
			return errChunk
		}
	case atSizeEnd:
		if c != '\n' {
			return errChunk
		}
		return d.begin()
	case atDataEnd:
		if c != '\r' {
			return errChunk
		}
		d.at = behindDataEnd
	case behindDataEnd:
		if c != '\n' {
			return errChunk
		}
		d.at, d.line, d.digits = inSize, 0, 0
	case atTrailer:
		if d.at = inTrailer; c == '\r' {
			d.at = atLastEnd
		} else if c == '\n' {
			return errChunk
		}
	case inTrailer:
		if c == '\n' {
			d.at = atTrailer // d.line goes on: it bounds the trailer as a whole
		}
	case atLastEnd:
		if c != '\n' {
			return errChunk
		}
		d.at = atEnd
	}
	return nil
}

// begin begins a chunk, whose size has been read.
func (d *dechunker) begin() error {
	d.excess += int64(d.line) - 16 - 2*int64(min(d.left, 1<<32)) // 16 bytes a chunk, and twice its data, are excused
	if d.excess = max(d.excess, 0); d.excess > mostExcess {
		return errFramingLong
	}
	d.at, d.line = inData, 0
	if d.left == 0 {
		d.at = atTrailer
	}
	return nil
}

func hexDigit(c byte) byte {
	switch {
	case '0' <= c && c <= '9':
		return c - '0'
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10
	}
	return 16
}
