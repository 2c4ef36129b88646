package emulate

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// echo is what differs between the families in an ICMP echo.
type echo struct {
	network        string
	proto          int
	request, reply icmp.Type
	unreachable    icmp.Type
}

var (
	echo4 = echo{"ip4:icmp", 1, ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, ipv4.ICMPTypeDestinationUnreachable}
	echo6 = echo{"ip6:ipv6-icmp", 58, ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, ipv6.ICMPTypeDestinationUnreachable}
)

// Ping implements [story.World].
func (w *World) Ping(ctx context.Context, p *scenario.Ping) (story.Failure, error) {
	h, err := w.host(p.From)
	if err != nil {
		return story.Failure{}, err
	}
	limit, cancel := context.WithTimeout(ctx, p.Timeout.Duration())
	defer cancel()
	addrs, err := h.resolve(limit, p.To)
	if err != nil {
		return story.Failure{Kind: story.DNS, Detail: err.Error()}, ctx.Err()
	}
	f, err := h.ping(limit, addrs[0], p.Timeout.Duration())
	if cerr := ctx.Err(); cerr != nil {
		return story.Failure{}, cerr
	}
	return f, err
}

// ping sends an echo request and waits for its reply.
func (h *host) ping(ctx context.Context, to netip.Addr, limit time.Duration) (story.Failure, error) {
	kind := echo4
	if to.Is6() {
		kind = echo6
	}
	own := slices.IndexFunc(h.NIC.Addrs, func(p netip.Prefix) bool { return p.Addr().Is4() == to.Is4() })
	if own < 0 {
		return story.NotReachable(to.String(), story.NoAddressOfFamily(h.Name)), nil
	}
	var c net.PacketConn
	err := h.ns.Do(func() (err error) {
		c, err = net.ListenPacket(kind.network, h.NIC.Addrs[own].Addr().String())
		return err
	})
	if err != nil {
		return story.Failure{}, err
	}
	defer c.Close()
	// The end of ctx, whether by its deadline or not, ends the wait.
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })()
	id := int(time.Now().UnixNano() & 0xffff)
	msg := icmp.Message{Type: kind.request, Body: &icmp.Echo{ID: id, Seq: 1, Data: []byte("plsim")}}
	b, err := msg.Marshal(nil)
	if err != nil {
		return story.Failure{}, err
	}
	if kind.proto == echo6.proto {
		// The kernel fills in the checksum of ICMPv6.
		b[2], b[3] = 0, 0
	}
	silence := story.NoEcho(to.String(), limit)
	if _, err := c.WriteTo(b, &net.IPAddr{IP: to.AsSlice()}); err != nil {
		return story.NotReachable(to.String(), innermost(err)), nil
	}
	buf := make([]byte, 1500)
	for {
		n, peer, err := c.ReadFrom(buf)
		if err != nil {
			return silence, nil // the deadline: nothing came
		}
		m, err := icmp.ParseMessage(kind.proto, buf[:n])
		if err != nil {
			continue // not for us
		}
		switch body := m.Body.(type) {
		case *icmp.Echo:
			if m.Type == kind.reply && body.ID == id && peer.String() == to.String() {
				return story.Failure{}, nil
			}
		case *icmp.DstUnreach:
			return story.EchoUnreachable(peer.String(), to.String()), nil
		}
	}
}
