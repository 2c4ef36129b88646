// Package diagnose explains which way a first packet takes in a scenario's lab, and
// what answers it; finds the changes that mend a way that fails, and makes sure of them
// in a copy of the lab; and proves what it says with packets that are sent. The lab of a
// file is simulated, and needs no privilege; one that runs is asked itself.
package diagnose

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// Question is what somebody wants to know.
type Question struct {
	From string // an instance, or its interface
	To   string // HOST, HOST:PORT, [IPv6]:PORT: what HOST can be says Parse
	UDP  bool
}

// question is a question about a lab.
type question struct {
	from string // the instance, in full
	to   string // as the user says it, without the port
	host string // a name or an address
	part bool   // to is a part of the lab, which host stands for
	port uint16 // 0: ping
	udp  bool
}

// parse finds what a question names. HOST is an address, a domain name, an instance, an
// endpoint or a load balancer, or what a scenario could write between ${ and }.
func parse(lab *topology.Lab, q Question) (*question, error) {
	out := &question{udp: q.UDP}
	nic, err := lab.NetworkInterface(q.From)
	switch {
	case err != nil:
		return nil, fmt.Errorf("FROM: %w", err)
	case nic.Host == nil:
		return nil, fmt.Errorf("FROM: nobody's packets begin at %s: name an instance", nic.Label)
	}
	out.from = nic.Host.Name
	host, port, err := splitPort(q.To)
	if err != nil {
		return nil, fmt.Errorf("TO: %w", err)
	}
	out.to, out.port = host, port
	if out.udp && port == 0 {
		return nil, fmt.Errorf("--udp: TO needs a port: write %s:53", q.To)
	}
	if out.host, err = meant(lab, host); err != nil {
		return nil, fmt.Errorf("TO: %w", err)
	}
	out.part = out.host != host
	if a, err := netip.ParseAddr(out.host); err == nil && slices.ContainsFunc(nic.Addrs, func(p netip.Prefix) bool { return p.Addr() == a }) {
		return nil, &UsageError{fmt.Errorf("TO: %s is an address of %s itself: what it sends there never leaves it", a, nic.Label)}
	}
	return out, nil
}

// splitPort takes the port from the end, if there is one.
func splitPort(to string) (host string, port uint16, err error) {
	if a, err := netip.ParseAddr(strings.Trim(to, "[]")); err == nil {
		return a.String(), 0, nil
	}
	host, text, ok := cutLast(to, ":")
	if !ok {
		return to, 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q is not a port: give one from 1 to 65535, or leave it out for a ping", text)
	}
	return strings.Trim(host, "[]"), uint16(n), nil
}

func cutLast(s, sep string) (before, after string, ok bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// meant returns the address or domain name that a user means.
func meant(lab *topology.Lab, host string) (string, error) {
	if _, err := netip.ParseAddr(host); err == nil {
		return host, nil
	}
	kind, rest, dotted := strings.Cut(host, ".")
	switch kind {
	case "vpc_endpoint", "load_balancer":
		if dotted && !strings.Contains(rest, ".") {
			return lab.Variable(host + ".dns_name")
		}
		return lab.Variable(host)
	case "instance", "eip", "nat_gateway", "vpc", "on_premises", "endpoint_service":
		return lab.Variable(host)
	}
	h, err := lab.Instance(host)
	switch {
	case err == nil && h.NIC.Addr().IsValid():
		return h.NIC.Addr().String(), nil
	case err == nil:
		return h.NIC.Addrs[0].Addr().String(), nil
	case strings.Contains(host, "."):
		return host, nil // a domain name: who knows it is for the resolver to say
	}
	if e, err := lab.Endpoint(host); err == nil && e.State != topology.Deleted {
		return e.DNSName(), nil
	}
	msg := fmt.Sprintf("there is no instance or endpoint %q, and it is neither an address nor a domain name", host)
	if near := topology.Suggest(host, lab.Destinations()); near != "" {
		msg += "; did you mean " + near + "?"
	}
	return "", fmt.Errorf("%s", msg)
}

// port is the one that is asked about, 0 if there is none.
func (d *diagnosis) port() uint16 {
	_, port, _ := splitPort(d.ask.To)
	return port
}

// hostIn is what a question's host is in a copy of the lab, in which a part may have got
// another name.
func (q *question) hostIn(c *copied) string {
	if q.part {
		if host, err := meant(c.loaded.Lab, q.to); err == nil {
			return host
		}
	}
	return q.host
}

// protocol is what a question's packet is.
func (q *question) protocol() packet.Proto {
	switch {
	case q.port == 0:
		return packet.ICMP
	case q.udp:
		return packet.UDP
	}
	return packet.TCP
}

// word is the protocol as rules and listeners have it.
func (q *question) word() string {
	return map[packet.Proto]string{packet.ICMP: "icmp", packet.UDP: "udp", packet.TCP: "tcp"}[q.protocol()]
}

// standIns puts built-in servers in the place of what a simulated instance cannot run:
// programs, and servers of TLS. It returns what is assumed with that.
func standIns(spec *topology.Spec, q Question) (assumed []string) {
	_, asked, _ := splitPort(q.To)
	for _, h := range hosts(spec) {
		var ports []int
		has := map[int]bool{}
		for _, s := range h.Services {
			has[s.Port] = has[s.Port] || s.Type != "udp_echo" && s.Type != "udp_sink"
			if s.Type == "https" {
				s.Type, s.Names, s.ProxyProtocol, s.Routes = "tcp_echo", nil, false, nil
				assumed = append(assumed, fmt.Sprintf("%s speaks TLS on port %d, which is not simulated: that it takes connections is all that counts here", h.name, s.Port))
			}
		}
		if len(h.Command) == 0 {
			continue
		}
		for _, g := range spec.TargetGroups {
			for _, t := range g.Targets {
				if g.Protocol != "UDP" && (t.TargetID == h.short || t.TargetID == h.name || t.TargetID == h.PrivateIP && h.PrivateIP != "") {
					ports = append(ports, cmp.Or(t.Port, g.Port))
				}
			}
		}
		if !q.UDP {
			ports = append(ports, int(asked))
		}
		for _, port := range append(ports, h.WaitForPort) {
			if port != 0 && !has[port] {
				has[port] = true
				h.Services = append(h.Services, &topology.Service{Type: "http", Port: port})
				assumed = append(assumed, fmt.Sprintf("%s runs a program of its own, which is not simulated and is taken to listen on TCP port %d", h.name, port))
			}
		}
	}
	for _, g := range spec.TargetGroups {
		switch c := g.HealthCheck; {
		case c == nil || c.Protocol != "HTTPS":
		case g.TargetType == "alb" || g.Protocol == "HTTP":
			c.Protocol = "HTTP"
		default:
			c.Protocol, c.Path, c.Matcher = "TCP", "", ""
		}
	}
	return assumed
}

// host is an instance as its author wrote it.
type host struct {
	*topology.Instance
	name, short string
}

// hosts returns all instances, and hosts outside AWS.
func hosts(spec *topology.Spec) (all []host) {
	for _, vpc := range sortedKeys(spec.VPCs) {
		for _, name := range sortedKeys(spec.VPCs[vpc].Instances) {
			all = append(all, host{spec.VPCs[vpc].Instances[name], vpc + "/" + name, name})
		}
	}
	for _, site := range sortedKeys(spec.OnPremises) {
		for _, name := range sortedKeys(spec.OnPremises[site].Hosts) {
			all = append(all, host{spec.OnPremises[site].Hosts[name], site + "/" + name, name})
		}
	}
	if spec.Internet != nil {
		for _, name := range sortedKeys(spec.Internet.Hosts) {
			all = append(all, host{spec.Internet.Hosts[name], "internet/" + name, name})
		}
	}
	return all
}

// speaksTLS reports whether the packet's way ends at a listener of TLS, behind which
// the simulation has no server.
func (s *sighting) speaksTLS() bool {
	for i := range s.walked.Trace.Steps {
		if s.walked.Trace.Steps[i].Stage == dataplane.StageAnswer {
			return true
		}
	}
	return false
}

// upTo returns a scenario that ends after so many steps.
func upTo(l *scenario.Loaded, after int) *scenario.Scenario {
	cut := *l.Scenario
	cut.Steps = cut.Steps[:after]
	return &cut
}
