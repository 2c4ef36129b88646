package flowlogs

import (
	"fmt"
	"strings"

	"github.com/plsim/plsim/dataplane/drop"
)

// Why says in a sentence why packets went no further, and which rule was missing where
// that is it; "" where they did go on, or the file does not tell.
func Why(r *Row) string {
	reason, ok := drop.Parse(r.Get("plsim-reason"))
	if !ok {
		return ""
	}
	guard := r.Get("plsim-guard")
	switch {
	case guard == none:
	case reason == drop.SecurityGroupIngress, reason == drop.LoadBalancerSecurityGroup:
		return fmt.Sprintf("no inbound rule of %s allows %s from %s", groups(guard), traffic(r), r.Get("srcaddr"))
	case reason == drop.SecurityGroupEgress:
		return fmt.Sprintf("no outbound rule of %s allows %s to %s", groups(guard), traffic(r), r.Get("dstaddr"))
	case reason == drop.NetworkACLIngress:
		return fmt.Sprintf("network ACL %s denies %s from %s into the subnet", guard, traffic(r), r.Get("srcaddr"))
	case reason == drop.NetworkACLEgress:
		return fmt.Sprintf("network ACL %s denies %s to %s out of the subnet", guard, traffic(r), r.Get("dstaddr"))
	}
	return strings.TrimSuffix(reason.Explain(), ".")
}

func groups(guard string) string {
	if strings.Contains(guard, ",") {
		return "security groups " + strings.ReplaceAll(guard, ",", ", ")
	}
	return "security group " + guard
}

// traffic is what a rule would have to name: tcp 80.
func traffic(r *Row) string {
	name := protocol(r)
	if name == "tcp" || name == "udp" {
		return name + " " + r.Get("dstport")
	}
	return name
}

// protocol is the name of a row's protocol, or its number.
func protocol(r *Row) string {
	number := r.Get("protocol")
	if name, ok := map[string]string{"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6"}[number]; ok {
		return name
	}
	return number
}
