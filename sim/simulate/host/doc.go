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
package host
