package topology

import (
	"cmp"
	"slices"
)

// Surroundings are what the packets of a network interface meet in its subnet, by the
// names that edits of the lab take.
type Surroundings struct {
	Subnet         string   // VPC/NAME; "" of a resolver outside every subnet
	NetworkACL     string   // VPC/NAME; "" outside AWS
	RouteTable     string   // VPC/NAME; "" outside AWS
	SecurityGroups []string // VPC/NAME
	LoadBalancer   string   // of a node; else ""
}

// Around returns what is around a network interface.
func (l *Lab) Around(n *NIC) Surroundings {
	var s Surroundings
	if n.SubnetID != "" && int(n.subnet) < len(l.subnets) { // else it went with its subnet
		sub := l.subnets[n.subnet]
		s.Subnet = sub.String()
		if sub.acl != nil {
			s.NetworkACL, s.RouteTable = sub.acl.String(), sub.table.String()
		}
	}
	for _, g := range n.groups {
		s.SecurityGroups = append(s.SecurityGroups, g.String())
	}
	if n.balancer != nil {
		s.LoadBalancer = n.balancer.name
	}
	return s
}

// Destinations returns the names by which people can mean an instance or an endpoint,
// sorted.
func (l *Lab) Destinations() []string {
	names := l.find.hosts.names("")
	for _, e := range l.Endpoints {
		names = append(names, "vpc_endpoint."+e.Name)
	}
	for _, lb := range l.balancers {
		names = append(names, "load_balancer."+lb.name)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return names
}
