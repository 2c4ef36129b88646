package emulate

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/story"
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
	w.answerDNS(w.Resolver(vpc), pc, l)
	return func() { pc.Close(); l.Close() }, nil
}

// answerDNS lets a server answer what comes to a socket for datagrams and to one for
// streams, until they are closed.
func (w *World) answerDNS(s service.DNS, pc net.PacketConn, l net.Listener) {
	answer := dns.HandlerFunc(func(rw dns.ResponseWriter, q *dns.Msg) {
		asker, udp := addrPort(rw.RemoteAddr()).Addr(), rw.LocalAddr().Network() == "udp"
		_ = rw.WriteMsg(s.Answer(q, asker, udp)) // who asked may be gone
	})
	for _, server := range []*dns.Server{{PacketConn: pc, Handler: answer}, {Listener: l, Handler: answer}} {
		w.wg.Go(func() { _ = server.ActivateAndServe() }) // it ends when its socket is closed
	}
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
		addrs, err := h.query(ctx, question{name, t, h.resolver(), "udp"})
		if err != nil {
			return nil, err
		}
		all = append(all, addrs...)
	}
	if len(all) == 0 {
		return nil, story.NoAddress(name)
	}
	return all, nil
}

// question is what to ask which DNS server.
type question struct {
	name    string
	kind    uint16
	server  string // address and port
	network string // udp, where what is cut short is asked for again by tcp; or tcp
}

// query asks until an answer comes or ctx ends.
func (h *host) query(ctx context.Context, q question) ([]netip.Addr, error) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(q.name), q.kind)
	m.SetEdns0(1232, false)
	for {
		resp, err := h.ask(ctx, q.network, q.server, m)
		switch {
		case ctx.Err() != nil:
			return nil, story.ResolverSilent(q.name, q.server)
		case err != nil && errors.Is(err, context.DeadlineExceeded), isTimeout(err):
			continue
		case err != nil:
			return nil, story.ResolverError(q.name, q.server, innermost(err))
		case resp.Truncated && q.network == "udp":
			q.network = "tcp"
			continue
		case resp.Rcode == dns.RcodeNameError:
			return nil, story.NoSuchName(q.name, q.server)
		case resp.Rcode != dns.RcodeSuccess:
			return nil, story.ResolverFailed(q.name, dns.RcodeToString[resp.Rcode], q.server)
		}
		return live.Addresses(resp), nil
	}
}

// resolver returns the address and port of the VPC's resolver.
func (h *host) resolver() string { return netip.AddrPortFrom(h.ResolverAddr(), 53).String() }

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

// Resolve implements [story.World].
func (w *World) Resolve(ctx context.Context, r *scenario.Resolve) (story.Answer, error) {
	h, err := w.host(r.From)
	if err != nil {
		return story.Answer{}, err
	}
	limit, cancel := context.WithTimeout(ctx, r.Timeout.Duration())
	defer cancel()
	addrs, err := h.consult(limit, r)
	if err := ctx.Err(); err != nil {
		return story.Answer{}, err
	}
	if err == nil && len(addrs) == 0 {
		err = story.NoRecord(r.Host, r.Type)
	}
	if err != nil {
		return story.Answer{Failure: story.Failure{Kind: story.DNS, Detail: err.Error()}}, nil
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return story.Answer{Addresses: addrs}, nil
}

// consult asks the VPC's resolver, or the server that the step names.
func (h *host) consult(ctx context.Context, r *scenario.Resolve) ([]netip.Addr, error) {
	q := question{r.Host, dns.StringToType[r.Type], h.resolver(), r.Protocol}
	if r.Server == "" {
		return h.query(ctx, q)
	}
	name, port, err := net.SplitHostPort(r.Server)
	if err != nil {
		return nil, err
	}
	addrs, err := h.resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	q.server = net.JoinHostPort(addrs[0].String(), port)
	return h.query(ctx, q)
}
