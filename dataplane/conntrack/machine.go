// Package conntrack follows connections. [Machine] is the life of one
// connection, shared by all who track; [Table] is what the security groups of
// an interface remember, which is not the load balancer's flow table: their
// keys, timers and rules about change differ.
package conntrack

import (
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// State is how far a connection has come.
type State uint8

// The states.
const (
	// None: no packet was seen.
	None State = iota
	// New: TCP before both sides acknowledged each other's SYN; UDP in one
	// direction or in a single exchange; ICMP without a reply.
	New
	// Established: TCP after the handshake, ICMP with a reply.
	Established
	// Stream: UDP with more than one request and more than one response (F3.14).
	Stream
	// Closing: TCP after one side's FIN; the other may go on sending.
	Closing
	// Closed: TCP after both FINs, or a RST. Last acknowledgements and
	// retransmissions still belong to the connection.
	Closed
)

// String returns the state's name in lower case.
func (s State) String() string {
	switch s {
	case None:
		return "none"
	case New:
		return "new"
	case Established:
		return "established"
	case Stream:
		return "stream"
	case Closing:
		return "closing"
	case Closed:
		return "closed"
	}
	return "invalid"
}

// Machine follows one connection by its packets. The zero Machine has seen
// none. It looks at flags only, not at sequence numbers: the hosts judge those.
type Machine struct {
	state State
	marks [2]mark // by flow.Dir: what that side has sent
}

// mark is a set of what one side of a connection has sent.
type mark uint8

const (
	any1 mark = 1 << iota // a packet
	any2                  // another
	syn
	ack // an acknowledgement after the other side's SYN
	fin
	rst
)

// State returns where the connection is.
func (m *Machine) State() State { return m.state }

// Turned returns the same connection as seen from its other end: what was
// Forward is Reply.
func (m Machine) Turned() Machine {
	m.marks[0], m.marks[1] = m.marks[1], m.marks[0]
	return m
}

// Answered reports whether the side that was called has sent anything.
func (m *Machine) Answered() bool { return m.marks[flow.Reply] != 0 }

// Reset reports whether a RST ended the connection: neither side remembers it.
func (m *Machine) Reset() bool { return (m.marks[0]|m.marks[1])&rst != 0 }

// Reopens reports whether a packet asks for a new connection in the place of
// this one, which has closed.
func (m *Machine) Reopens(proto packet.Proto, flags packet.Flags) bool {
	return m.state == Closed && Opens(proto, flags)
}

// Opens reports whether a packet may begin a connection: for TCP a SYN without
// ACK, FIN and RST.
func Opens(proto packet.Proto, flags packet.Flags) bool {
	const mask = packet.SYN | packet.ACK | packet.FIN | packet.RST
	return proto != packet.TCP || flags&mask == packet.SYN
}

// Observe takes in the next packet of the connection and returns the new state.
// Flags matter for TCP only. The first packet goes Forward; if it is a TCP
// segment without SYN, the connection counts as established: it was picked up
// midway. Nothing leaves Closed.
func (m *Machine) Observe(dir flow.Dir, proto packet.Proto, flags packet.Flags) State {
	dir &= 1
	switch proto {
	case packet.TCP:
		m.tcp(dir, flags)
	default:
		m.marks[dir] |= any1 | m.marks[dir]&any1<<1
		m.state = m.exchange(proto)
	}
	return m.state
}

// exchange is the state of a connection without a handshake.
func (m *Machine) exchange(proto packet.Proto) State {
	both := m.marks[flow.Forward] & m.marks[flow.Reply]
	switch {
	case proto == packet.UDP && both&any2 != 0:
		return Stream
	case proto != packet.UDP && both&any1 != 0:
		return Established
	}
	return New
}

func (m *Machine) tcp(dir flow.Dir, flags packet.Flags) {
	const turns = packet.SYN | packet.FIN | packet.RST
	if m.state == Established && flags&turns == 0 || m.state == Closed {
		return
	}
	own, peer := &m.marks[dir], &m.marks[dir.Flip()]
	if m.state == None && flags&turns == 0 {
		*own, *peer = syn|ack, syn|ack
		m.state = Established
		return
	}
	*own |= any1
	if flags&packet.SYN != 0 {
		*own |= syn
		if flags&packet.ACK != 0 {
			*peer |= syn // seen or not: this answers it
		}
	}
	if flags&packet.ACK != 0 && *peer&syn != 0 {
		*own |= ack
	}
	if flags&packet.FIN != 0 {
		*own |= fin
	}
	if flags&packet.RST != 0 {
		*own |= rst
	}
	m.state = m.handshake()
}

// handshake is the state of a TCP connection by what both sides have sent. It
// holds for simultaneous opening and closing too (RFC 9293 section 3.5, 3.6).
func (m *Machine) handshake() State {
	both := m.marks[flow.Forward] & m.marks[flow.Reply]
	either := m.marks[flow.Forward] | m.marks[flow.Reply]
	switch {
	case either&rst != 0 || both&fin != 0:
		return Closed
	case either&fin != 0:
		return Closing
	case both&syn != 0 && both&ack != 0:
		return Established
	}
	return New
}
