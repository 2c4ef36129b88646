package diagnose

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology"
)

// protocols are the words of rules.
var protocols = map[packet.Proto]string{packet.TCP: "tcp", packet.UDP: "udp", packet.ICMP: "icmp", packet.ICMPv6: "icmpv6"}

// single is the block of one address, and the key that takes it.
func single(a netip.Addr) (key, block string) {
	if a.Is4() {
		return "cidr_block", a.String() + "/32"
	}
	return "ipv6_cidr_block", a.String() + "/128"
}

// groups lets one of the interface's security groups allow the packet.
func (m *mender) groups(s *dataplane.TraceStep) (all []change) {
	if s.Result != dataplane.NoRule {
		return nil
	}
	q := s.Query
	peer := q.Peer.IP()
	key, block := single(peer)
	for _, group := range m.lab.Around(m.nic(s)).SecurityGroups {
		r := &topology.Rule{Protocol: protocols[q.Proto]}
		from, to := int(q.Port), int(q.Port)
		if q.Proto != packet.TCP && q.Proto != packet.UDP {
			from, to = int(q.Type), -1
		}
		r.FromPort, r.ToPort = &from, &to
		if peer.Is4() {
			r.CIDRBlocks = []string{block}
		} else {
			r.IPv6CIDRBlocks = []string{block}
		}
		way, authorize := "ingress", (*topology.Lab).AuthorizeIngress
		if s.Way == flow.Egress {
			way, authorize = "egress", (*topology.Lab).AuthorizeEgress
		}
		all = append(all, change{
			text: fmt.Sprintf("add to security group %s: %s { protocol: %s, from_port: %d, to_port: %d, %ss: [%s] }", group, way, r.Protocol, from, to, key, quoted(block)),
			lab:  func(l *topology.Lab) error { return authorize(l, group, r) },
		})
	}
	return all
}

// quoted puts what YAML would misread into quotes.
func quoted(s string) string {
	if strings.Contains(s, ":") {
		return `"` + s + `"`
	}
	return s
}

// The ports that clients and load balancers send from: what answers them must get
// there (F3.21).
const firstEphemeral, lastEphemeral = 1024, 65535

// acl lets the network ACL of the interface's subnet allow the packet: by an entry with
// a free number before the one that denies it, or else without that one.
func (m *mender) acl(s *dataplane.TraceStep) (all []change) {
	name := m.lab.Around(m.nic(s)).NetworkACL
	outbound, way := s.Way == flow.Egress, "ingress"
	if outbound {
		way = "egress"
	}
	q := s.Query
	e := topology.NetworkACLEntry{Action: "allow", Protocol: protocols[q.Proto]}
	key, block := single(q.Peer.IP())
	if q.Peer.Is4() {
		e.CIDRBlock = block
	} else {
		e.IPv6CIDRBlock = block
	}
	var about string
	switch {
	case q.Proto != packet.TCP && q.Proto != packet.UDP:
		kind := int(q.Type)
		e.ICMPType = &kind
		about = fmt.Sprintf("icmp_type: %d", kind)
	default:
		from, to := int(q.Port), int(q.Port)
		if s.Answer {
			from, to = firstEphemeral, lastEphemeral
		}
		e.FromPort, e.ToPort = &from, &to
		about = fmt.Sprintf("from_port: %d, to_port: %d", from, to)
	}
	if e.RuleNo = free(s); e.RuleNo != 0 {
		all = append(all, change{
			text: fmt.Sprintf("add to network ACL %s: %s { rule_no: %d, action: allow, protocol: %s, %s: %s, %s }", name, way, e.RuleNo, e.Protocol, key, quoted(block), about),
			lab: func(l *topology.Lab) error {
				own := e
				return l.CreateNetworkACLEntry(name, outbound, &own)
			},
		})
	}
	if number := s.Number; number != filter.LastNumber {
		all = append(all, change{
			text: fmt.Sprintf("remove from network ACL %s: %s rule_no %d", name, way, number),
			lab:  func(l *topology.Lab) error { return l.DeleteNetworkACLEntry(name, outbound, number) },
		})
	}
	return all
}

// free returns a free number before the entry that denies, 0 if there is none. People
// leave gaps of ten or a hundred.
func free(s *dataplane.TraceStep) int {
	for _, gap := range []int{100, 10, 1} {
		for n := gap; n < s.Number; n += gap {
			if !s.ACL.Has(n) {
				return n
			}
		}
	}
	return 0
}
