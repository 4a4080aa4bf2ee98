package loadgentest

// Stamp is when the server says that it worked on a chunk: the truth against
// which a client's own stamps are compared. It is a wire contract. Every content
// chunk of a stream, and every answer that is not streamed, carries one as the
// member "servegauge" of its outermost object, but for those of an Echo that is
// Unstamped:
//
//	data: {"id":"cmpl-1", … ,"choices":[…],"servegauge":{"received":1767225600000000000,"sent":1767225600012345678}}
//
// The chunk with a chat's role, the usage chunk and [DONE] carry none, being no
// tokens. Both times are read from the server's wall clock (CLOCK_REALTIME), in
// nanoseconds since the Unix epoch: comparable with a client's on the same
// machine, and across machines no better than their clocks agree.
//
// Clients that know nothing of the member skip it as an unknown field. White
// space may precede a number, as JSON allows.
type Stamp struct {
	// Received is when the handler was entered, with the request's header read
	// and its body not yet. The same in all chunks of an answer.
	Received int64 `json:"received"`

	// Sent is just before the chunk was handed to the ResponseWriter's Write.
	// Chunks handed over in one Write share it ([Echo] does so).
	Sent int64 `json:"sent"`
}

// stampWidth is the room left for Sent: the digits of the largest int64. A fixed
// width, padded with spaces on the left, lets a whole buffer of chunks be
// rendered first and stamped afterwards, immediately before the Write; digits
// appended while rendering would be older by the time that the rest took.
const stampWidth = 19

// putStamp writes ns right-aligned into room, which has stampWidth bytes.
func putStamp(room []byte, ns int64) {
	i := len(room)
	for {
		i--
		room[i] = byte('0' + ns%10)
		ns /= 10
		if ns == 0 {
			break
		}
	}
	for i--; i >= 0; i-- {
		room[i] = ' '
	}
}
