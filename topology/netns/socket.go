package netns

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Sockets keep the system's defaults: no TCP keep-alive, whose packets would
// stop the idle timeouts that a lab is there to show, and no multipath TCP.

// Dial connects from inside the namespace. The address is a literal IP address
// with a numeric port: no name is ever resolved here. While the connection is
// being made no thread is taken up.
func (n *Namespace) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return n.DialFrom(ctx, netip.AddrPort{}, network, address)
}

// DialFrom is Dial from one of eth0's addresses, which must be of the
// destination's family. Where it is not valid the system chooses; where its port
// is 0, the port. Towards several destinations a port may be used at once; the error
// is EADDRINUSE or EADDRNOTAVAIL where it cannot be used towards this one now.
func (n *Namespace) DialFrom(ctx context.Context, from netip.AddrPort, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, &net.AddrError{Err: "not a literal address with a port", Addr: address}
	}
	var conn net.Conn
	err := onGoroutine(func() error {
		v, err := n.enter()
		if err != nil {
			return err
		}
		defer v.leave()
		d := net.Dialer{
			KeepAlive: -1,
			// The socket exists and belongs to the namespace: what remains
			// may happen on any thread.
			Control: func(network, _ string, c syscall.RawConn) error {
				if v.home { // net tries again, but where?
					return unix.EADDRNOTAVAIL
				}
				v.leave()
				return errors.Join(n.setWindow(network, c), share(from, c))
			},
		}
		if from.IsValid() {
			d.LocalAddr = net.TCPAddrFromAddrPort(from)
			if strings.HasPrefix(network, "udp") {
				d.LocalAddr = net.UDPAddrFromAddrPort(from)
			}
		}
		conn, err = d.DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, err // already a *net.OpError that names both ends
	}
	return conn, nil
}

// share lets a socket that is bound to a port be one of several.
func share(from netip.AddrPort, c syscall.RawConn) error {
	if from.Port() == 0 {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	return errors.Join(err, failed)
}

// Exchange is what a TCP socket has exchanged with its peer, all as of one moment. What
// comes while Sent, Unacked and State stay what they are, with nothing unacknowledged, nobody
// has asked for: it is data, or else a keepalive.
type Exchange struct {
	Bare    uint32 // segments received without data, keepalives included; none that says that data came twice
	Sent    uint32 // segments with data sent, those that were repeated included
	Unacked uint32 // of these, those that are not acknowledged yet
	State   uint8  // the kernel's number for the connection's state
}

// ExchangeOf returns what a TCP socket has exchanged.
func ExchangeOf(c *net.TCPConn) (Exchange, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return Exchange{}, err
	}
	var info *unix.TCPInfo
	var failed error
	err = raw.Control(func(fd uintptr) {
		info, failed = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	})
	if err = errors.Join(err, failed); err != nil {
		return Exchange{}, fmt.Errorf("read a connection's state: %w", err)
	}
	return Exchange{info.Segs_in - info.Data_segs_in - info.Dsack_dups, info.Data_segs_out, info.Unacked, info.State}, nil
}

// setWindow gives a TCP socket the namespace's receive window, from its SYN on.
func (n *Namespace) setWindow(network string, c syscall.RawConn) error {
	if n.cfg.Window == 0 || !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var failed error
	err := c.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_WINDOW_CLAMP, n.cfg.Window)
	})
	return errors.Join(err, failed)
}

// Listen listens inside the namespace for a stream network. The host is a
// literal IP address or empty.
func (n *Namespace) Listen(network, address string) (l net.Listener, err error) {
	err = n.bind(address, func(c *net.ListenConfig) error {
		l, err = c.Listen(context.Background(), network, address)
		return err
	})
	return l, err
}

// ListenPacket opens a datagram socket inside the namespace. The host is a
// literal IP address or empty.
func (n *Namespace) ListenPacket(network, address string) (c net.PacketConn, err error) {
	err = n.bind(address, func(lc *net.ListenConfig) error {
		c, err = lc.ListenPacket(context.Background(), network, address)
		return err
	})
	return c, err
}

func (n *Namespace) bind(address string, listen func(*net.ListenConfig) error) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(host); err != nil && host != "" {
		return &net.AddrError{Err: "not a literal address with a port", Addr: address}
	}
	lc := &net.ListenConfig{KeepAlive: -1}
	lc.SetMultipathTCP(false)
	if err := n.Do(func() error { return listen(lc) }); err != nil {
		return fmt.Errorf("%s: %w", n.cfg.Name, err)
	}
	return nil
}
