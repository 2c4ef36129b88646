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
	"sync/atomic"
	"time"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

// dnsTTL is what load balancer names live (F2.3), and here all others too.
const dnsTTL = 60

// resolver is the DNS server at a VPC's base+2. It answers from the lab's names
// as they are at the moment of the query.
type resolver struct {
	world *World
	vpc   string
	turn  atomic.Uint32 // rotates the addresses of a name (F1.25)
	drawn atomic.Uint32 // counts the queries, of which a policy is for a share (F2.5)
}

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
	h := &resolver{world: w, vpc: vpc}
	servers := []*dns.Server{{PacketConn: pc, Handler: h}, {Listener: l, Handler: h}}
	for _, s := range servers {
		w.wg.Go(func() { _ = s.ActivateAndServe() }) // it ends when its socket is closed
	}
	return func() { pc.Close(); l.Close() }, nil
}

// ServeDNS implements [dns.Handler].
func (r *resolver) ServeDNS(rw dns.ResponseWriter, q *dns.Msg) {
	m := new(dns.Msg)
	m.SetReply(q)
	m.RecursionAvailable = true
	if len(q.Question) != 1 || q.Opcode != dns.OpcodeQuery {
		m.Rcode = dns.RcodeNotImplemented
	} else {
		r.answer(m, q.Question[0], addrPort(rw.RemoteAddr()).Addr())
	}
	if opt := q.IsEdns0(); opt != nil {
		m.SetEdns0(opt.UDPSize(), false)
	}
	if rw.LocalAddr().Network() == "udp" {
		size := dns.MinMsgSize
		if opt := q.IsEdns0(); opt != nil {
			size = max(size, int(opt.UDPSize()))
		}
		m.Truncate(size)
	}
	_ = rw.WriteMsg(m) // who asked may be gone
}

func (r *resolver) answer(m *dns.Msg, q dns.Question, asker netip.Addr) {
	names := r.world.names.Load()
	found := names.Lookup(r.vpc, q.Name)
	if !found.Found {
		m.Rcode = dns.RcodeNameError
		return
	}
	if q.Qclass != dns.ClassINET && q.Qclass != dns.ClassANY {
		return
	}
	owner := q.Name
	if found.CNAME != "" {
		target := dns.Fqdn(found.CNAME)
		m.Answer = append(m.Answer, &dns.CNAME{Hdr: header(owner, dns.TypeCNAME), Target: target})
		owner = target
	}
	if q.Qtype == dns.TypeTXT || q.Qtype == dns.TypeANY {
		for _, text := range found.Texts {
			m.Answer = append(m.Answer, &dns.TXT{Hdr: header(owner, dns.TypeTXT), Txt: []string{text}})
		}
	}
	// 37 has no divisor in common with 100: each hundred queries draw every number.
	addrs := slices.Clone(found.Near(names.ZoneOf(r.vpc, asker), int(37*r.drawn.Add(1)%100)))
	if n := len(addrs); n > 1 {
		k := int(r.turn.Add(1)) % n
		addrs = slices.Concat(addrs[k:], addrs[:k])
	}
	for _, a := range addrs {
		switch {
		case a.Is4() && (q.Qtype == dns.TypeA || q.Qtype == dns.TypeANY):
			m.Answer = append(m.Answer, &dns.A{Hdr: header(owner, dns.TypeA), A: a.AsSlice()})
		case a.Is6() && (q.Qtype == dns.TypeAAAA || q.Qtype == dns.TypeANY):
			m.Answer = append(m.Answer, &dns.AAAA{Hdr: header(owner, dns.TypeAAAA), AAAA: a.AsSlice()})
		}
	}
}

func header(name string, t uint16) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: t, Class: dns.ClassINET, Ttl: dnsTTL}
}

// nameError is a name that could not be resolved.
type nameError struct{ msg string }

func (e *nameError) Error() string { return e.msg }

// queryTimeout is how long the built-in client waits for one answer before it
// asks again.
const queryTimeout = time.Second

// resolve looks up a name at the VPC's resolver with real queries, as any program
// on the instance would. The answer's order is kept.
func (h *host) resolve(ctx context.Context, name string) ([]netip.Addr, error) {
	if a, ok := literal(name); ok {
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
		return nil, &nameError{fmt.Sprintf("%s has no address", name)}
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
			return nil, &nameError{fmt.Sprintf("no answer for %s from the resolver at %s", name, at)}
		case err != nil && errors.Is(err, context.DeadlineExceeded), isTimeout(err):
			continue
		case err != nil:
			return nil, &nameError{fmt.Sprintf("ask the resolver at %s for %s: %s", at, name, innermost(err))}
		case resp.Truncated && network == "udp":
			network = "tcp"
			continue
		case resp.Rcode == dns.RcodeNameError:
			return nil, &nameError{fmt.Sprintf("%s does not exist (NXDOMAIN from %s)", name, at)}
		case resp.Rcode != dns.RcodeSuccess:
			return nil, &nameError{fmt.Sprintf("%s: %s from %s", name, dns.RcodeToString[resp.Rcode], at)}
		}
		return addresses(resp), nil
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

func addresses(m *dns.Msg) []netip.Addr {
	var list []netip.Addr
	for _, rr := range m.Answer {
		var ip net.IP
		switch rr := rr.(type) {
		case *dns.A:
			ip = rr.A
		case *dns.AAAA:
			ip = rr.AAAA
		default:
			continue
		}
		if a, ok := netip.AddrFromSlice(ip); ok {
			list = append(list, a.Unmap())
		}
	}
	return list
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
		err = &nameError{fmt.Sprintf("%s exists but has no %s record", r.Host, cmp.Or(r.Type, "A"))}
	}
	if err != nil {
		return sim.Answer{Failure: sim.Failure{Kind: sim.DNS, Detail: err.Error()}}, nil
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return sim.Answer{Addresses: addrs}, nil
}
