package emulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

// serveDNS starts a VPC's resolver over UDP and TCP, and returns when it listens.
func (w *World) serveDNS(vpc string, addr netip.Addr, ns *netns.Namespace) (stop func(), err error) {
	at := netip.AddrPortFrom(addr, 53).String()
	pc, err := ns.ListenPacket("udp", at)
	if err != nil {
		return nil, fmt.Errorf("resolver of VPC %s: %w", vpc, err)
	}
	l, err := ns.Listen("tcp", at)
	if err != nil {
		pc.Close()
		return nil, fmt.Errorf("resolver of VPC %s: %w", vpc, err)
	}
	h := answering{w.Resolver(vpc)}
	servers := []*dns.Server{{PacketConn: pc, Handler: h}, {Listener: l, Handler: h}}
	for _, s := range servers {
		w.wg.Go(func() { _ = s.ActivateAndServe() }) // it ends when its socket is closed
	}
	return func() { pc.Close(); l.Close() }, nil
}

// answering answers DNS queries as a VPC's resolver.
type answering struct{ *live.Resolver }

// ServeDNS implements [dns.Handler].
func (a answering) ServeDNS(rw dns.ResponseWriter, q *dns.Msg) {
	asker, udp := addrPort(rw.RemoteAddr()).Addr(), rw.LocalAddr().Network() == "udp"
	_ = rw.WriteMsg(a.Answer(q, asker, udp)) // who asked may be gone
}

// queryTimeout is how long the built-in client waits for one answer before it
// asks again.
const queryTimeout = time.Second

// resolve looks up a name at the VPC's resolver with real queries, as any program
// on the instance would. The answer's order is kept.
func (h *host) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	if a, ok := live.Literal(name); ok {
		return []netip.Addr{a}, nil
	}
	types := []uint16{dns.TypeA}
	if slices.ContainsFunc(h.NIC.Addrs, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
		types = append(types, dns.TypeAAAA)
	}
	var all []netip.Addr
	for _, t := range types {
		addrs, err := h.query(ctx, name, t)
		if err != nil {
			return nil, err
		}
		all = append(all, addrs...)
	}
	if len(all) == 0 {
		return nil, sim.NoAddress(name)
	}
	return all, nil
}

// query asks for one type of record until an answer comes or ctx ends.
func (h *host) query(ctx context.Context, name string, t uint16) ([]netip.Addr, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), t)
	m.SetEdns0(1232, false)
	at := netip.AddrPortFrom(h.ResolverAddr(), 53).String()
	network := "udp"
	for {
		resp, err := h.ask(ctx, network, at, m)
		switch {
		case ctx.Err() != nil:
			return nil, sim.ResolverSilent(name, at)
		case err != nil && errors.Is(err, context.DeadlineExceeded), isTimeout(err):
			continue
		case err != nil:
			return nil, sim.ResolverError(name, at, innermost(err))
		case resp.Truncated && network == "udp":
			network = "tcp"
			continue
		case resp.Rcode == dns.RcodeNameError:
			return nil, sim.NoSuchName(name, at)
		case resp.Rcode != dns.RcodeSuccess:
			return nil, sim.ResolverFailed(name, dns.RcodeToString[resp.Rcode], at)
		}
		return live.Addresses(resp), nil
	}
}

func (h *host) ask(ctx context.Context, network, at string, m *dns.Msg) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, queryTimeout)
	defer cancel()
	c, err := h.ns.Dial(ctx, network, at)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	client := dns.Client{Net: network, Timeout: queryTimeout}
	resp, _, err := client.ExchangeWithConnContext(ctx, m, &dns.Conn{Conn: c})
	return resp, err
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout()
}

// Resolve implements [sim.World].
func (w *World) Resolve(ctx context.Context, r *scenario.Resolve) (sim.Answer, error) {
	h, err := w.host(r.From)
	if err != nil {
		return sim.Answer{}, err
	}
	limit, cancel := context.WithTimeout(ctx, r.Timeout.Duration())
	defer cancel()
	addrs, err := h.query(limit, r.Host, dns.StringToType[strings.ToUpper(cmp.Or(r.Type, "A"))])
	if err := ctx.Err(); err != nil {
		return sim.Answer{}, err
	}
	if err == nil && len(addrs) == 0 {
		err = sim.NoRecord(r.Host, cmp.Or(r.Type, "A"))
	}
	if err != nil {
		return sim.Answer{Failure: sim.Failure{Kind: sim.DNS, Detail: err.Error()}}, nil
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return sim.Answer{Addresses: addrs}, nil
}
