package topology

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

var (
	serviceTypes = []string{"http", "https", "tcp_echo", "udp_echo", "tcp_sink", "udp_sink", "dns"}
	recordKinds  = []string{"A", "AAAA", "CNAME", "TXT"}
)

// Seconds that the records of a dns service may be kept.
const (
	standardTTL = 60
	longestTTL  = 604800
)

// Protocols returns what the service listens for: tcp, udp or both.
func (s *Service) Protocols() []string {
	switch s.Type {
	case "udp_echo", "udp_sink":
		return []string{"udp"}
	case "dns":
		return []string{"tcp", "udp"}
	}
	return []string{"tcp"}
}

// services checks the servers of an instance.
func (b *builder) services(path string, services []*Service) {
	ports := map[string]bool{}
	elements(&b.problems, path, services, func(path string, s *Service) {
		if s.Type == "" {
			b.problems.add(at(path, "type"), "is missing: choose from %s", strings.Join(serviceTypes, ", "))
		} else if b.choice(at(path, "type"), &s.Type, "a service", serviceTypes...) && b.port(at(path, "port"), s.Port) {
			for _, protocol := range s.Protocols() {
				port := fmt.Sprintf("%s port %d", strings.ToUpper(protocol), s.Port)
				if ports[port] {
					b.problems.add(at(path, "port"), "%s is taken by another service of this instance", port)
				}
				ports[port] = true
			}
		}
		if web := s.Type == "http" || s.Type == "https"; !web && slices.Contains(serviceTypes, s.Type) {
			if len(s.Routes) > 0 {
				b.problems.add(at(path, "routes"), "is for http and https only")
			}
			if s.ProxyProtocol {
				b.problems.add(at(path, "proxy_protocol"), "is for http and https only")
			}
			if len(s.Names) > 0 {
				b.problems.add(at(path, "names"), "is for https only")
			}
		}
		for _, route := range slices.Sorted(maps.Keys(s.Routes)) {
			if !strings.HasPrefix(route, "/") {
				b.problems.add(at(at(path, "routes"), route), "a route is a path: write /%s", route)
			}
		}
		b.records(path, s)
	})
}

// records checks what a service of type dns knows.
func (b *builder) records(path string, s *Service) {
	switch {
	case s.Type != "dns" && len(s.Records) > 0:
		if slices.Contains(serviceTypes, s.Type) {
			b.problems.add(at(path, "records"), "is for dns only")
		}
		return
	case s.Type == "dns" && len(s.Records) == 0:
		b.problems.add(at(path, "records"), "is missing: a DNS server without records knows no name")
		return
	}
	types := map[string][]string{} // by name
	elements(&b.problems, at(path, "records"), s.Records, func(path string, r *DNSRecord) {
		if r.Type == "" {
			r.Type = "A"
		}
		b.recordValue(at(path, "name"), "CNAME", r.Name)
		switch {
		case r.TTL == 0:
			r.TTL = standardTTL
		case r.TTL < 0 || r.TTL > longestTTL:
			b.problems.add(at(path, "ttl"), "%d is out of range: write 1 to %d seconds", r.TTL, longestTTL)
		}
		if !b.choice(at(path, "type"), &r.Type, "a type of record here", recordKinds...) {
			return
		}
		key := strings.ToLower(strings.TrimSuffix(r.Name, "."))
		if r.Type == "CNAME" && len(types[key]) > 0 || slices.Contains(types[key], "CNAME") {
			b.problems.add(at(path, "name"), "%s is an alias, so it has no other record (RFC 1034, section 3.6.2)", r.Name)
		}
		types[key] = append(types[key], r.Type)
		if n := len(r.Records); n == 0 || n > 1 && r.Type == "CNAME" {
			b.problems.add(at(path, "records"), "has %d values: write %s", n, map[bool]string{true: "the one name that it stands for", false: "one at least"}[r.Type == "CNAME"])
		}
		for i, value := range r.Records {
			b.recordValue(item(at(path, "records"), i), r.Type, value)
		}
	})
}

// recordValue checks a value, unless that is known only when the lab runs.
func (b *builder) recordValue(path, kind, value string) {
	if strings.Contains(value, "${") {
		return
	}
	addr, err := netip.ParseAddr(value)
	switch {
	case kind == "A" && (err != nil || !addr.Is4()):
		b.problems.add(path, "%q is not an IPv4 address", value)
	case kind == "AAAA" && (err != nil || !addr.Is6()):
		b.problems.add(path, "%q is not an IPv6 address", value)
	case kind == "CNAME" && !isDomainName(value):
		b.problems.add(path, "%q is not a domain name such as api.example.com", value)
	case kind == "TXT" && len(value) > 255:
		b.problems.add(path, "a text has 255 bytes at most, this one %d", len(value))
	}
}

// isDomainName reports whether text can be the name of a record, with a final dot or
// without.
func isDomainName(text string) bool {
	text = strings.ToLower(strings.TrimSuffix(text, "."))
	if len(text) > 253 {
		return false
	}
	for label := range strings.SplitSeq(text, ".") {
		if !dnsLabel.MatchString(label) {
			return false
		}
	}
	return true
}
