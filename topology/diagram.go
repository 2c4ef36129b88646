package topology

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// Diagram is what a drawing of a lab shows, without where and how: boxes in boxes, and
// what joins them. It is a copy, which nobody changes.
type Diagram struct {
	Name  string
	Boxes []*Box // the outermost
	Edges []Edge
}

// Box is a part of the lab.
type Box struct {
	ID    string // ASCII letters and digits, and unique; the same for the same file
	Kind  BoxKind
	Title string
	Text  []string // further lines
	State string   // in the API's words; "" where it has none
	Side  Side     // of an outermost box, and of all in it
	Inner []*Box
}

// Edge joins two boxes, in the direction in which connections are opened.
type Edge struct {
	From, To *Box
	Via      *Box   // what stands in between and is everywhere, such as a target group; may be nil
	Label    string // of the edge to Via, or to To without one
	State    string // of the edge to To, in the API's words; "" where it has none
}

// Side is where a drawing has a box.
type Side uint8

// The sides.
const (
	Consumers Side = iota // left
	Between               // what joins networks
	Providers             // right: networks with load balancers
)

// BoxKind is what a box stands for, as people call it.
type BoxKind string

// The kinds. The first four hold others.
const (
	AccountBox    BoxKind = "account"
	NetworkBox    BoxKind = "VPC"
	ZoneBox       BoxKind = "Availability Zone"
	SubnetBox     BoxKind = "subnet"
	OutsideBox    BoxKind = "network" // on premises, or the internet; it holds its hosts
	HostBox       BoxKind = "instance"
	InterfaceBox  BoxKind = "endpoint interface"
	NodeBox       BoxKind = "load balancer node"
	EndpointBox   BoxKind = "endpoint"
	ServiceBox    BoxKind = "endpoint service"
	BalancerBox   BoxKind = "load balancer"
	GroupBox      BoxKind = "target group"
	GatewayBox    BoxKind = "gateway"
	AttachmentBox BoxKind = "attachment"
	PeeringBox    BoxKind = "peering connection"
	TunnelBox     BoxKind = "VPN connection"
)

// Diagram returns what there is to draw of the lab as it stands now.
func (l *Lab) Diagram() *Diagram {
	d := &drawing{
		Lab: l, Diagram: &Diagram{Name: l.Name}, count: map[string]int{},
		networks: map[*Network]*Box{}, nics: map[*NIC]*Box{}, gateways: map[*gateway]*Box{},
		offers: map[*offer]*Box{}, balancers: map[*balancer]*Box{}, pools: map[*pool]*Box{},
	}
	d.drawNetworks()
	d.drawServices()
	d.drawJoints()
	for _, lb := range l.balancers {
		d.drawForwards(lb)
	}
	return d.Diagram
}

// drawing is a diagram that is being made.
type drawing struct {
	*Lab
	*Diagram
	count     map[string]int // of IDs, by their beginning
	networks  map[*Network]*Box
	nics      map[*NIC]*Box
	gateways  map[*gateway]*Box
	offers    map[*offer]*Box
	balancers map[*balancer]*Box
	pools     map[*pool]*Box
}

// box makes a box within another, or an outermost one. IDs are counted, since names may
// be anything.
func (d *drawing) box(in *Box, kind BoxKind, short, title string, text ...string) *Box {
	d.count[short]++
	b := &Box{ID: fmt.Sprintf("%s%d", short, d.count[short]), Kind: kind, Title: title}
	for _, line := range text {
		if line != "" {
			b.Text = append(b.Text, line)
		}
	}
	if in == nil {
		d.Boxes = append(d.Boxes, b)
	} else {
		b.Side = in.Side
		in.Inner = append(in.Inner, b)
	}
	return b
}

// joint makes a box between the sides.
func (d *drawing) joint(kind BoxKind, short, title string, text ...string) *Box {
	b := d.box(nil, kind, short, title, text...)
	b.Side = Between
	return b
}

func (d *drawing) join(e Edge) {
	if e.From != nil && e.To != nil {
		d.Edges = append(d.Edges, e)
	}
}

// drawServices draws the endpoint services, and the connections of endpoints to them.
func (d *drawing) drawServices() {
	for _, o := range d.Lab.offers {
		acceptance := "acceptance not required"
		if *o.AcceptanceRequired {
			acceptance = "acceptance required"
		}
		b := d.joint(ServiceBox, "service", "endpoint service "+o.name, o.ID, acceptance, prefixed("private name ", o.PrivateDNSName))
		b.State = string(o.State)
		d.offers[o] = b
		for _, lb := range o.balancers {
			for _, n := range lb.nodes {
				if lb.serves(n.Zone) {
					d.join(Edge{From: b, To: d.nics[n], Via: d.balancers[lb], State: string(o.State)})
				}
			}
		}
	}
	for _, e := range d.Endpoints {
		via := d.box(d.networks[e.Network], EndpointBox, "endpoint", "endpoint "+e.Name, e.ID, "to "+e.offer.name, prefixed("private name ", e.private), d.groupsOf(e.groups))
		via.State = string(e.State)
		joined := false
		for _, n := range e.NICs {
			if n.Kind != dataplane.Absent {
				joined = true
				d.join(Edge{From: d.nics[n], To: d.offers[e.offer], Via: via, State: string(e.State)})
			}
		}
		if !joined {
			d.join(Edge{From: via, To: d.offers[e.offer], State: string(e.State)})
		}
	}
}

// drawForwards draws which targets a load balancer's nodes may choose, and how they are.
func (d *drawing) drawForwards(lb *balancer) {
	used := d.used()
	for i, listener := range lb.Listeners {
		groups := slices.Clone(lb.forwards[i].shares)
		for _, r := range lb.forwards[i].rules {
			groups = append(groups, r.shares...)
		}
		told := map[*pool]bool{}
		for _, s := range groups {
			if told[s.pool] {
				continue
			}
			told[s.pool] = true
			for _, n := range lb.nodes {
				if n.Kind == dataplane.Absent {
					continue
				}
				led := false
				for _, m := range s.members {
					to := d.nics[d.holder(s.pool, m)]
					if to == nil || !lb.uses(s.pool, m, n.Zone) {
						continue
					}
					led = true
					d.join(Edge{From: d.nics[n], To: to, Via: d.pools[s.pool], Label: portOf(listener), State: string(d.healthOf(s.pool, m, used).State)})
				}
				if !led {
					d.join(Edge{From: d.nics[n], To: d.pools[s.pool], Label: portOf(listener)})
				}
			}
		}
	}
}

// holder finds the interface that a target is, nil where the lab has none: in the VPC of
// its group, or else in one that is joined with it.
func (d *drawing) holder(p *pool, m member) *NIC {
	a := m.address()
	var best *NIC
	least := 3
	for _, n := range d.NICs {
		rank := 2
		switch {
		case !slices.ContainsFunc(n.Addrs, func(own netip.Prefix) bool { return own.Addr() == a }) || n.Kind == dataplane.Absent:
			continue
		case n.Network == p.network:
			rank = 0
		case d.joined(p.network, n.Network):
			rank = 1
		}
		if rank < least {
			best, least = n, rank
		}
	}
	return best
}

// portOf is how a listener is called: TCP:80.
func portOf(l *Listener) string { return fmt.Sprintf("%s:%d", l.Protocol, l.Port) }

// groupsOf lists security groups, which are labels of what they guard.
func (d *drawing) groupsOf(groups []*group) string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	return prefixed("sg ", strings.Join(names, ", "))
}

// prefixed is "" where there is nothing to say.
func prefixed(before, text string) string {
	if text == "" {
		return ""
	}
	return before + text
}

// byZone sorts subnets by their zones, and by their names in each.
func byZone(a, b *subnet) int {
	return cmp.Or(cmp.Compare(a.zone.ID, b.zone.ID), cmp.Compare(a.name, b.name))
}
