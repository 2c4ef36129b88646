package host

import (
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
)

// UDPHandler is the application of a UDP socket. Its functions may be nil.
type UDPHandler struct {
	// Received brings a datagram, whose bytes are the handler's until it returns.
	Received func(s *UDPSocket, from, to netip.AddrPort, b []byte)
	// Failed brings what became of a datagram that was sent to an address:
	// [ErrRefused] or an *[Unreachable].
	Failed func(s *UDPSocket, to netip.AddrPort, err error)
}

// UDPSocket sends and receives datagrams.
type UDPSocket struct {
	h  *Host
	at netip.AddrPort
	hd UDPHandler
}

// ListenUDP opens a socket. at may be zero, or have an address or a port only; a port of
// 0 is chosen. Errors are [ErrInUse], [ErrNoPort] and [ErrNoAddress].
func (h *Host) ListenUDP(at netip.AddrPort, hd UDPHandler) (*UDPSocket, error) {
	at, err := h.place(at)
	if err != nil {
		return nil, err
	}
	if at.Port() == 0 {
		p, ok := h.port(func(p uint16) bool { return h.sockets[netip.AddrPortFrom(at.Addr(), p)] == nil })
		if !ok {
			return nil, ErrNoPort
		}
		at = netip.AddrPortFrom(at.Addr(), p)
	} else if h.sockets[at] != nil {
		return nil, ErrInUse
	}
	if h.sockets == nil {
		h.sockets = map[netip.AddrPort]*UDPSocket{}
	}
	s := &UDPSocket{h: h, at: at, hd: hd}
	h.sockets[at] = s
	return s, nil
}

// Local returns the socket's address, which is the zero one if it has all of the host's,
// and its port.
func (s *UDPSocket) Local() netip.AddrPort { return s.at }

// Send sends a datagram from an address of the host; a zero one leaves the choice to the
// socket, or the host. Errors are [ErrNoAddress] and [ErrTooLong]; what becomes of the
// datagram on its way, Failed may tell.
func (s *UDPSocket) Send(from netip.Addr, to netip.AddrPort, b []byte) error {
	h := s.h
	if !from.IsValid() {
		from = s.at.Addr()
	}
	local, err := h.source(from, to.Addr())
	if err != nil {
		return err
	}
	dst := packet.AddrFrom(to.Addr())
	if len(b) > mostDatagram(dst)-8 {
		return ErrTooLong
	}
	h.stack.spec = packet.Spec{
		SrcMAC: h.cfg.MAC, TTL: h.cfg.TTL, DF: true, Proto: packet.UDP,
		Src: addrPort(h.addrs[local], s.at.Port()), Dst: addrPort(dst, to.Port()), Payload: b,
	}
	h.sendDatagram(dst)
	return nil
}

// Close closes the socket.
func (s *UDPSocket) Close() {
	if s.h.sockets[s.at] == s {
		delete(s.h.sockets, s.at)
	}
}

// socket returns who has a port, or nil.
func (h *Host) socket(a packet.Addr, port uint16) *UDPSocket {
	if len(h.sockets) == 0 {
		return nil
	}
	if s := h.sockets[addrPort(a, port)]; s != nil {
		return s
	}
	return h.sockets[netip.AddrPortFrom(netip.Addr{}, port)]
}

// receiveUDP hands a datagram to its socket.
func (h *Host) receiveUDP(v *packet.View, f *packet.Frame) {
	s := h.socket(v.Dst, v.DstPort)
	switch {
	case s == nil:
		h.answerClosed(v, f)
	case s.hd.Received != nil:
		s.hd.Received(s, addrPort(v.Src, v.SrcPort), addrPort(v.Dst, v.DstPort), v.Payload())
	}
}
