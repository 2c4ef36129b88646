package diagnose

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/topology"
)

// name makes the resolver of the client's VPC know the name.
func (m *mender) name() (all []change) {
	h, err := m.lab.Instance(m.q.from)
	if err != nil {
		return nil
	}
	vpc := h.Network.Name
	for _, name := range sortedKeys(m.spec.VPCEndpoints) {
		e := m.spec.VPCEndpoints[name]
		if live, err := m.lab.Endpoint(name); err != nil || e.VPCID != vpc || live.State == topology.Deleted {
			continue
		}
		enable := true
		all = append(all, change{
			text: fmt.Sprintf("set of VPC endpoint %s: private_dns_enabled: true", name),
			lab: func(l *topology.Lab) error {
				return l.ModifyVPCEndpoint(&topology.EndpointChange{VPCEndpoint: name, PrivateDNS: &enable})
			},
		}, accept(name))
	}
	return all
}

// accept lets the provider accept an endpoint.
func accept(endpoint string) change {
	return change{
		text: fmt.Sprintf("accept VPC endpoint %s, as its service's provider", endpoint),
		lab:  func(l *topology.Lab) error { return l.Accept(endpoint) },
	}
}

// endpoint makes an endpoint carry packets.
func (m *mender) endpoint(s *dataplane.TraceStep) (all []change) {
	nic := m.nic(s)
	e := nic.Endpoint
	switch {
	case e == nil:
		return nil
	case s.Why == drop.EndpointNoZone:
		return m.balancerZone(nic)
	case s.Why != drop.EndpointNotAvailable:
		return nil
	case e.State == topology.PendingAcceptance:
		return []change{accept(e.Name)}
	case e.State == topology.Rejected:
		spec, name := *e.VPCEndpoint, e.Name
		spec.ID = "" // AWS gives another one
		text := "delete VPC endpoint %s, and create it again"
		service := m.spec.EndpointServices[e.ServiceName]
		waits := service != nil && *service.AcceptanceRequired
		if waits {
			text = "delete VPC endpoint %s, create it again, and accept it, as its service's provider"
		}
		return []change{{
			text: fmt.Sprintf(text, name),
			lab: func(l *topology.Lab) error {
				if err := l.Delete(name); err != nil {
					return err
				}
				if err := l.CreateVPCEndpoint(&topology.NewEndpoint{Name: name, VPCEndpoint: spec}); err != nil || !waits {
					return err
				}
				return l.Accept(name)
			},
		}}
	}
	return nil
}

// balancerZone gives the service's load balancers a node in the zone of an endpoint's
// interface.
func (m *mender) balancerZone(nic *topology.NIC) (all []change) {
	service := m.spec.EndpointServices[nic.Endpoint.ServiceName]
	if service == nil {
		return nil
	}
	for _, name := range service.LoadBalancers {
		for _, vpc := range sortedKeys(m.spec.VPCs) {
			for _, sub := range sortedKeys(m.spec.VPCs[vpc].Subnets) {
				if m.spec.VPCs[vpc].Zones[m.spec.VPCs[vpc].Subnets[sub].AvailabilityZone] != nic.Zone.ID {
					continue
				}
				ref := vpc + "/" + sub
				all = append(all, change{
					text: fmt.Sprintf("add to load balancer %s: subnets: [%s], which is in %s", name, ref, nic.Zone.ID),
					spec: func(spec *topology.Spec) error {
						lb := spec.LoadBalancers[name]
						lb.Subnets = append(slices.Clone(lb.Subnets), ref)
						return nil
					},
				})
			}
		}
	}
	return all
}

// zone ends the fault of a zone.
func (m *mender) zone(s *dataplane.TraceStep) []change {
	id := m.nic(s).Zone.ID
	return []change{{
		text: fmt.Sprintf("heal Availability Zone %s: heal: { availability_zone: %s }", id, id),
		lab:  func(l *topology.Lab) error { return l.RestoreZone(id) },
	}}
}

// link lets a link carry the packet.
func (m *mender) link(s *dataplane.TraceStep) []change {
	c := topology.LinkChange{Link: s.Link.Label}
	up, mtu, what := false, 9001, "down: false"
	switch s.Why {
	case drop.LinkDown:
		c.Down = &up
	case drop.LinkMTU:
		c.MTU, what = &mtu, "mtu: 9001"
	default:
		return nil
	}
	return []change{{
		text: fmt.Sprintf("set of link %s: %s", c.Link, what),
		lab:  func(l *topology.Lab) error { return l.ModifyLink(&c) },
	}}
}

// route leads the packet on from an interface.
func (m *mender) route(s *dataplane.TraceStep) (all []change) {
	nic := m.nic(s)
	around := m.lab.Around(nic)
	if nic.Host != nil && s.Why == drop.NoPublicAddress {
		all = append(all, m.publicAddress(nic)...)
	}
	vpc, _, _ := strings.Cut(around.RouteTable, "/")
	if s.Why == drop.TransitZone || s.Why == drop.TransitRoute {
		all = append(all, m.transit(s, vpc, around)...)
	}
	if around.RouteTable == "" {
		return all
	}
	for _, to := range m.blocks(s) {
		for _, r := range m.exits(vpc) {
			if r.internet && to.Bits() > 0 {
				continue // nobody lists the internet's networks
			}
			route := r.Route
			key := "cidr_block"
			if to.Addr().Is4() {
				route.CIDRBlock = to.String()
			} else {
				key, route.IPv6CIDRBlock = "ipv6_cidr_block", to.String()
			}
			e := topology.RouteEdit{RouteTableID: around.RouteTable, Route: route}
			text := fmt.Sprintf("route table %s: route { %s: %s, %s }", around.RouteTable, key, quoted(to.String()), r.text)
			all = append(all, change{
				text: "add to " + text,
				lab:  func(l *topology.Lab) error { own := e; return l.CreateRoute(&own) },
			}, change{
				text: "replace in " + text,
				lab:  func(l *topology.Lab) error { own := e; return l.ReplaceRoute(&own) },
			})
		}
	}
	return all
}

// blocks are what a route could be to: the networks that have where the packet goes, or
// everything.
func (m *mender) blocks(s *dataplane.TraceStep) (all []netip.Prefix) {
	to := m.bound(s)
	for _, n := range m.lab.Networks {
		for _, p := range n.CIDRs {
			if p.Contains(to) && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	everything := netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	if !to.Is4() {
		everything = netip.PrefixFrom(netip.IPv6Unspecified(), 0)
	}
	return append(all, everything)
}

// bound is where the packet, or its answer, goes at a decision.
func (m *mender) bound(s *dataplane.TraceStep) netip.Addr {
	at := m.walked.Packet
	for i := range m.walked.Trace.Steps {
		t := &m.walked.Trace.Steps[i]
		if t == s {
			break
		}
		switch t.Stage {
		case dataplane.StageTranslate, dataplane.StagePublic, dataplane.StageDeliver:
			at = t.Tuple
		}
	}
	if s.Answer {
		return at.Src.IP()
	}
	return at.Dst.IP()
}

// exit is a way out of a VPC.
type exit struct {
	topology.Route
	text     string
	internet bool
}

// exits are the ways out of a VPC that it has.
func (m *mender) exits(vpc string) (all []exit) {
	add := func(key, name string, r topology.Route) {
		_, internet := m.spec.InternetGateways[r.GatewayID]
		all = append(all, exit{r, key + ": " + name, internet || r.NATGatewayID != ""})
	}
	for _, name := range sortedKeys(m.spec.PeeringConnections) {
		if p := m.spec.PeeringConnections[name]; p.VPCID == vpc || p.PeerVPCID == vpc {
			add("vpc_peering_connection_id", name, topology.Route{PeeringID: name})
		}
	}
	for _, name := range sortedKeys(m.spec.TransitGatewayAttachments) {
		if a := m.spec.TransitGatewayAttachments[name]; a.VPCID == vpc {
			add("transit_gateway_id", a.TransitGatewayID, topology.Route{TransitID: a.TransitGatewayID})
		}
	}
	for _, name := range sortedKeys(m.spec.VPNGateways) {
		if m.spec.VPNGateways[name].VPCID == vpc {
			add("gateway_id", name, topology.Route{GatewayID: name})
		}
	}
	for _, name := range sortedKeys(m.spec.InternetGateways) {
		if m.spec.InternetGateways[name].VPCID == vpc {
			add("gateway_id", name, topology.Route{GatewayID: name})
		}
	}
	for _, name := range sortedKeys(m.spec.NATGateways) {
		add("nat_gateway_id", name, topology.Route{NATGatewayID: name})
	}
	return all
}

// publicAddress gives an instance a public address.
func (m *mender) publicAddress(nic *topology.NIC) []change {
	name := nic.Host.Name
	return []change{{
		text: fmt.Sprintf("set of instance %s: associate_public_ip_address: true", name),
		spec: func(spec *topology.Spec) error {
			for _, h := range hosts(spec) {
				if h.name == name {
					h.AssociatePublicIP = true
				}
			}
			return nil
		},
	}}
}

// transit lets a transit gateway be reached, or know the way.
func (m *mender) transit(s *dataplane.TraceStep, vpc string, around topology.Surroundings) (all []change) {
	for _, name := range sortedKeys(m.spec.TransitGatewayAttachments) {
		a := m.spec.TransitGatewayAttachments[name]
		if s.Why == drop.TransitZone && a.VPCID == vpc {
			_, sub, _ := strings.Cut(around.Subnet, "/")
			all = append(all, change{
				text: fmt.Sprintf("add to transit gateway attachment %s: subnet_ids: [%s]", name, sub),
				spec: func(spec *topology.Spec) error {
					at := spec.TransitGatewayAttachments[name]
					at.SubnetIDs = append(slices.Clone(at.SubnetIDs), sub)
					return nil
				},
			})
		}
		if s.Why != drop.TransitRoute {
			continue
		}
		for _, to := range m.blocks(s) {
			all = append(all, change{
				text: fmt.Sprintf("add to transit gateway %s: route { destination_cidr_block: %s, transit_gateway_attachment_id: %s }", a.TransitGatewayID, quoted(to.String()), name),
				spec: func(spec *topology.Spec) error {
					gw := spec.TransitGateways[a.TransitGatewayID]
					gw.Routes = append(slices.Clone(gw.Routes), &topology.TransitGatewayRoute{DestinationCIDRBlock: to.String(), AttachmentID: name})
					return nil
				},
			})
		}
	}
	return all
}
