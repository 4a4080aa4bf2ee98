// Package netstamp has network connections that know when a request was written and when the kernel received what was
// read.
//
// A client that stamps data when its goroutine wakes up measures its own scheduler along with the server: on a busy
// machine that is milliseconds. Linux stamps each TCP segment as it arrives, without privileges, and hands the stamp
// out with the data. So what the network brought and what the client made of it can be told apart.
//
// A [Dialer] takes the place of a [net.Dialer], in http.Transport's DialContext for instance. The [Conn] behind a
// request is then what httptrace.GotConnInfo.Conn holds, and [Conn.Begin] starts to stamp a request on it.
//
// What a stamp is worth: a read that spans several segments carries the stamp of the last of them, and an interval in
// which the others came ([Arrival.Since]). Smaller reads do not narrow it: where segments wait, Linux joins them in
// the queue and keeps the last one's stamp alone. (Twelve writes of 200 bytes, 2 ms apart, had one stamp in reads of
// 128 bytes, by recvmsg and by recvmmsg alike; so had writes of 1,000 bytes.) What narrows it is to read soon. Under
// TLS the reader of the connection is the TLS layer, and a stamp is that of a record's last segment. The kernel's
// clock is the wall clock; it is paired with the monotonic one at each read, so that a step of the clock spoils one
// stamp and not those after it. On systems other than Linux there are no stamps of the kernel, and [Arrival.Known] is
// false. Linux begins to stamp in the background when the first connection asks for it, so that the first arrivals of
// all may be without one.
package netstamp
