package service

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/topology"
)

// DNS answers queries. It may be asked by several goroutines at once.
type DNS interface {
	// Answer answers a query that came from an address, over UDP or TCP.
	Answer(q *dns.Msg, asker netip.Addr, udp bool) *dns.Msg
}

// Reply returns a server's reply to a query, which answer completes. What came by UDP
// gets no more than the asker has room for, and is told to ask again by TCP (RFC 1035,
// section 4.2.1; RFC 6891, section 6.2.5).
func Reply(query *dns.Msg, udp bool, answer func(*dns.Msg, dns.Question)) *dns.Msg {
	m := new(dns.Msg)
	m.SetReply(query)
	if len(query.Question) != 1 || query.Opcode != dns.OpcodeQuery {
		m.Rcode = dns.RcodeNotImplemented
	} else {
		answer(m, query.Question[0])
	}
	size := dns.MinMsgSize
	if opt := query.IsEdns0(); opt != nil {
		m.SetEdns0(opt.UDPSize(), false)
		size = max(size, int(opt.UDPSize()))
	}
	if udp {
		m.Truncate(size)
	}
	return m
}

// Zone is a built-in service of type dns: it knows the records of its file, and no
// one else to ask.
type Zone struct {
	records map[string][]dns.RR // by lower-case name
}

// NewZone returns the server of some records, whose references have been replaced.
func NewZone(records []*topology.DNSRecord) (*Zone, error) {
	z := &Zone{records: map[string][]dns.RR{}}
	for _, r := range records {
		name := dns.CanonicalName(r.Name)
		for _, value := range r.Records {
			rr, err := record(dns.Fqdn(r.Name), r, value)
			if err != nil {
				return nil, fmt.Errorf("record %s: %w", r.Name, err)
			}
			z.records[name] = append(z.records[name], rr)
		}
	}
	return z, nil
}

// record returns one value of a record.
func record(owner string, r *topology.DNSRecord, value string) (dns.RR, error) {
	switch ttl := uint32(r.TTL); r.Type {
	case "A", "AAAA":
		addr, err := netip.ParseAddr(value)
		if err != nil || addr.Is4() != (r.Type == "A") {
			return nil, fmt.Errorf("%q is no address of type %s", value, r.Type)
		}
		if addr.Is4() {
			return &dns.A{Hdr: header(owner, dns.TypeA, ttl), A: addr.AsSlice()}, nil
		}
		return &dns.AAAA{Hdr: header(owner, dns.TypeAAAA, ttl), AAAA: addr.AsSlice()}, nil
	case "CNAME":
		if _, ok := dns.IsDomainName(value); !ok || value == "" {
			return nil, fmt.Errorf("%q is no domain name", value)
		}
		return &dns.CNAME{Hdr: header(owner, dns.TypeCNAME, ttl), Target: dns.Fqdn(value)}, nil
	case "TXT":
		return &dns.TXT{Hdr: header(owner, dns.TypeTXT, ttl), Txt: []string{value}}, nil
	}
	return nil, fmt.Errorf("%q is no type of record here", r.Type)
}

// Answer implements [DNS].
func (z *Zone) Answer(q *dns.Msg, _ netip.Addr, udp bool) *dns.Msg { return Reply(q, udp, z.answer) }

// answer follows an alias as far as the zone knows (RFC 1034, section 4.3.2).
func (z *Zone) answer(m *dns.Msg, q dns.Question) {
	m.Authoritative = true
	name := dns.CanonicalName(q.Name)
	if !z.exists(name) {
		m.Rcode = dns.RcodeNameError
		return
	}
	for range len(z.records) + 1 { // an alias of itself has an end, too
		next := ""
		for _, rr := range z.records[name] {
			alias, isAlias := rr.(*dns.CNAME)
			if isAlias && !asks(q, rr) {
				m.Answer = append(m.Answer, rr)
				next = dns.CanonicalName(alias.Target)
			} else if asks(q, rr) {
				m.Answer = append(m.Answer, rr)
			}
		}
		if next == "" {
			return
		}
		name = next
	}
}

// exists reports whether there are records of a name, or below it.
func (z *Zone) exists(name string) bool {
	if len(z.records[name]) > 0 {
		return true
	}
	for known := range z.records {
		if strings.HasSuffix(known, "."+name) {
			return true
		}
	}
	return false
}

// asks reports whether a record is of the type that a question wants.
func asks(q dns.Question, rr dns.RR) bool {
	return q.Qtype == rr.Header().Rrtype || q.Qtype == dns.TypeANY
}

func header(name string, t uint16, ttl uint32) dns.RR_Header {
	return dns.RR_Header{Name: name, Rrtype: t, Class: dns.ClassINET, Ttl: ttl}
}
