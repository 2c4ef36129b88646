// Package host is an IP host that does without a kernel: it speaks ARP or neighbour
// discovery, ICMP, UDP and TCP on both address families, on the virtual time of a
// [event.Queue]. Every frame that it sends is real and complete, and what it receives
// is decoded and its checksums verified like any other frame.
//
// The hosts of a simulation share a [Stack]: the memory of their connections, and a
// frame to build packets in. A connection is a [Conn], a small value, and one
// [Handler] may serve a million of them: a connection has a word of the user's own.
// There is no goroutine, clock or lock in here, and a Stack has one owner. What a host
// does, it does while [Host.Receive] or a method of its own is called, or in an event
// of the queue; handlers are called at such moments and may call everything.
//
// TCP follows RFC 9293 and, where that leaves a choice, Linux: the options and windows of
// a handshake, timestamps (RFC 7323), selective acknowledgements (RFC 2018, RFC 6675),
// the timers and counts of tries, slow start and congestion avoidance (RFC 5681), delayed
// acknowledgements, keep-alive, TIME-WAIT, and when a closed socket answers with a reset. The
// tests let it talk to Linux.
//
// What it does not do: NewReno stands in for CUBIC; there are no tail loss probes, no RACK
// and no undoing of a needless recovery, so that a loss at the end of a stream waits for the timer; no
// quick acknowledgements at first, no Nagle, ECN, urgent data, fast open or SYN cookies, and
// no segmentation offload: each frame is one packet. A host has no link-local address, does
// not look for rivals to its addresses, never asks a neighbour twice that has answered, sends as
// many ICMP errors as there are reasons for, and does not talk to itself.
package host
