package conntrack

import (
	"time"

	"github.com/plsim/plsim/dataplane/packet"
)

// Timeouts are how long security groups remember an idle connection.
type Timeouts struct {
	TCPEstablished time.Duration // 60–432000 s (F3.14)
	UDP            time.Duration // one direction or a single exchange: 30–60 s (F3.14)
	UDPStream      time.Duration // 60–180 s (F3.14)
	Other          time.Duration // ICMP and everything else (F3.14)

	// AWS does not publish these (F2.49 says so of the load balancer, and no
	// page has them for security groups): they are settings.
	TCPNew     time.Duration // before the handshake is complete
	TCPClosing time.Duration // half closed
	TCPClosed  time.Duration // after both FINs or a RST
}

// DefaultTimeouts returns AWS's defaults where they are known, and otherwise
// values near those of common stateful firewalls.
func DefaultTimeouts() Timeouts {
	return Timeouts{
		TCPEstablished: 432000 * time.Second,
		UDP:            30 * time.Second,
		UDPStream:      180 * time.Second,
		Other:          600 * time.Second,
		TCPNew:         60 * time.Second,
		TCPClosing:     120 * time.Second,
		TCPClosed:      10 * time.Second,
	}
}

// For returns how long a connection may be idle in a state.
func (t *Timeouts) For(s State, proto packet.Proto) time.Duration {
	switch {
	case proto == packet.UDP && s == Stream:
		return t.UDPStream
	case proto == packet.UDP:
		return t.UDP
	case proto != packet.TCP:
		return t.Other
	}
	switch s {
	case Established:
		return t.TCPEstablished
	case Closing:
		return t.TCPClosing
	case Closed:
		return t.TCPClosed
	}
	return t.TCPNew
}
