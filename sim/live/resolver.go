package live

import (
	"net"
	"net/netip"
	"slices"
	"sync/atomic"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/service"
)

// dnsTTL is what load balancer names live (F2.3), and here all others too.
const dnsTTL = 60

// Resolver is the DNS server at a VPC's base+2. It answers from the lab's names as they
// are at the moment of the query.
type Resolver struct {
	lab   *Lab
	vpc   string
	turn  atomic.Uint32 // rotates the addresses of a name (F1.25)
	drawn atomic.Uint32 // counts the queries, of which a policy is for a share (F2.5)
}

// Resolver returns the DNS server of a VPC.
func (l *Lab) Resolver(vpc string) *Resolver { return &Resolver{lab: l, vpc: vpc} }

// Answer implements [service.DNS].
func (r *Resolver) Answer(q *dns.Msg, asker netip.Addr, udp bool) *dns.Msg {
	return service.Reply(q, udp, func(m *dns.Msg, q dns.Question) { r.answer(m, q, asker) })
}

func (r *Resolver) answer(m *dns.Msg, q dns.Question, asker netip.Addr) {
	m.RecursionAvailable = true
	names := r.lab.Names()
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

// Addresses returns the addresses in an answer, in their order.
func Addresses(m *dns.Msg) []netip.Addr {
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
