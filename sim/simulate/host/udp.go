package host

import (
	"net/netip"
	"time"
)

// UDPHandler is the application of a UDP socket. Its second function may be nil.
type UDPHandler struct {
	// Received brings a datagram, whose bytes are the handler's until it returns.
	Received func(s *UDPSocket, from, to netip.AddrPort, b []byte)
	// Failed brings the error of a datagram that was sent to an address:
	// [ErrRefused] or an [Unreachable].
	Failed func(s *UDPSocket, to netip.AddrPort, err error)
}

// UDPSocket sends and receives datagrams.
type UDPSocket struct {
	h  *Host
	at netip.AddrPort
	hd UDPHandler
}

// ListenUDP opens a socket. at may be zero, or have an address or a port only; a port of
// 0 is chosen. Errors are [ErrInUse] and [ErrNoPort].
func (h *Host) ListenUDP(at netip.AddrPort, hd UDPHandler) (*UDPSocket, error) {
	panic("not yet")
}

// Local returns the address, which may be unspecified, and the port of the socket.
func (s *UDPSocket) Local() netip.AddrPort { return s.at }

// Send sends a datagram, from an address of the host (zero: the socket's, or the host's
// choice). The error is [ErrNoAddress] or [ErrTooLong]; what becomes of the datagram on its way, Failed may tell.
func (s *UDPSocket) Send(from netip.Addr, to netip.AddrPort, b []byte) error { panic("not yet") }

// Close closes the socket.
func (s *UDPSocket) Close() { panic("not yet") }

// Ping sends an ICMP echo request with a payload and calls done once: with the time that the
// reply took, or with [ErrTimeout] after patience or an [Unreachable].
func (h *Host) Ping(from, to netip.Addr, payload []byte, patience time.Duration, done func(rtt time.Duration, err error)) {
	panic("not yet")
}
