package nlb

import "github.com/plsim/plsim/dataplane/packet"

// Splice keeps the numbers of a TCP stream in which a header was put before the
// client's first byte (F2.42). To the target the header has the sequence numbers
// where the client's bytes begin, and all these come later by its length; the
// client never hears of it. The zero Splice puts in nothing and shifts nothing.
//
// It holds no copy of anything sent: what the client repeats gets the header
// again, until the target has acknowledged the header.
type Splice struct {
	start uint32 // sequence number of the client's first byte
	size  uint32 // of the header; 0: there is none
	early bool   // it goes with the first segment after the SYN, payload or not
	stage stage
}

type stage uint8

const (
	waiting stage = iota // the target does not have all of the header yet
	through              // it has: every number is shifted from now on
	unsaid               // the client ended without a byte, so no header went out
)

// NewSplice returns the splice of a header of size bytes into the stream of a
// SYN's sequence number. Early: the header goes out with the client's first
// segment after its SYN, else with the first that has payload (F2.40).
func NewSplice(isn uint32, size int, early bool) Splice {
	return Splice{start: isn + 1, size: uint32(size), early: early}
}

// Size returns how long the header is; 0 if there is none.
func (s *Splice) Size() int { return int(s.size) }

// Forward takes a client's segment with a payload of n bytes. It returns the
// sequence number to send it on with, and whether the header goes before its
// payload.
func (s *Splice) Forward(seq uint32, flags packet.Flags, n int) (uint32, bool) {
	const ends = packet.FIN | packet.RST
	first := seq == s.start && flags&packet.SYN == 0 || seq+1 == s.start && flags&packet.SYN != 0
	switch {
	case s.size == 0 || s.stage == unsaid:
		return seq, false
	case s.stage == through:
		return seq + s.size, false
	case first && flags&packet.RST == 0 && (n > 0 || s.early && flags&packet.SYN == 0):
		return seq, true
	case seq == s.start && flags&ends == packet.FIN:
		s.stage = unsaid
		return seq, false
	case int32(seq-s.start) > 0: // the first byte was lost, or is still on its way
		return seq + s.size, false
	}
	// What names no byte of the client's: its handshake, a keepalive before its
	// first byte, an acknowledgement of the target's words.
	return seq, false
}

// Reply takes the acknowledgement number of a target's segment, and returns the
// one to tell the client: never of a byte that it has not sent.
func (s *Splice) Reply(ack uint32) uint32 {
	if s.size == 0 || s.stage == unsaid {
		return ack
	}
	if s.stage == waiting {
		got := ack - s.start
		switch {
		case int32(got) <= 0:
			return ack
		case got < s.size:
			return s.start // the header in part
		}
		s.stage = through
	}
	return ack - s.size
}

// Quoted returns the client's own sequence number of a segment that the target got
// and quotes.
func (s *Splice) Quoted(seq uint32) uint32 {
	switch at := seq - s.start; {
	case !s.Shifts():
		return seq
	case s.stage == through:
		return seq - s.size
	case int32(at) <= 0:
		return seq
	case at < s.size:
		return s.start // within the header, which is not the client's
	default:
		return seq - s.size
	}
}

// Shifts reports whether acknowledgements need a change.
func (s *Splice) Shifts() bool { return s.size != 0 && s.stage != unsaid }

// Edge returns what to tell the client of an edge of a block that the target
// acknowledges selectively, in a segment whose acknowledgement number is ack. A
// block that the client could read as its very first byte, while the header is
// missing, begins one byte later: it is by this byte that the client sends the
// header again.
func (s *Splice) Edge(ack, edge uint32, left bool) uint32 {
	at := edge - s.start
	switch {
	case !s.Shifts():
		return edge
	case s.stage == through && int32(edge-ack) > 0:
		return edge - s.size
	case s.stage == waiting && int32(at) <= 0:
		return edge
	case s.stage == waiting && left && at <= s.size:
		return s.start + 1
	case at < s.size:
		return s.start // within the header, which is not the client's
	}
	return edge - s.size
}
