package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// listener gives a load balancer a listener for the packet.
func (m *mender) listener(s *dataplane.TraceStep) (all []change) {
	name := m.lab.Around(m.nic(s)).LoadBalancer
	lb := m.spec.LoadBalancers[name]
	protocol := map[packet.Proto]string{packet.TCP: "TCP", packet.UDP: "UDP"}[s.Proto]
	if s.Why != drop.NoListener || lb == nil || protocol == "" {
		return nil
	}
	port := int(s.Tuple.DstPort)
	if i := slices.IndexFunc(lb.Listeners, func(l *topology.Listener) bool { return l.Port == port }); i >= 0 {
		return m.bothProtocols(name, i)
	}
	for _, group := range sortedKeys(m.spec.TargetGroups) {
		all = append(all, change{
			text: fmt.Sprintf("add to load balancer %s: listeners { port: %d, protocol: %s, default_action: { target_group_arn: %s } }", name, port, protocol, group),
			spec: func(spec *topology.Spec) error {
				lb := spec.LoadBalancers[name]
				lb.Listeners = append(slices.Clone(lb.Listeners), &topology.Listener{Port: port, Protocol: protocol, DefaultAction: &topology.Action{TargetGroup: group}})
				return nil
			},
		})
	}
	used := groupsOf(lb)
	slices.SortStableFunc(all, func(a, b change) int { return mentions(b, used) - mentions(a, used) })
	return all
}

// mentions reports whether a change names one of the target groups, as 1 or 0.
func mentions(c change, groups []string) int {
	for _, g := range groups {
		if strings.Contains(c.text, "target_group_arn: "+g+" }") {
			return 1
		}
	}
	return 0
}

// groupsOf returns the target groups of a load balancer's listeners.
func groupsOf(lb *topology.LoadBalancer) (all []string) {
	for _, l := range lb.Listeners {
		a := l.DefaultAction
		if a.TargetGroup != "" {
			all = append(all, a.TargetGroup)
		}
		if a.Forward != nil {
			for _, g := range a.Forward.TargetGroups {
				all = append(all, g.ARN)
			}
		}
	}
	return all
}

// bothProtocols makes a listener and its target group serve TCP and UDP.
func (m *mender) bothProtocols(name string, i int) []change {
	group := m.spec.LoadBalancers[name].Listeners[i].DefaultAction.TargetGroup
	if group == "" {
		return nil
	}
	return []change{{
		text: fmt.Sprintf("set of load balancer %s's listener on port %d, and of its target group %s: protocol: TCP_UDP", name, m.spec.LoadBalancers[name].Listeners[i].Port, group),
		spec: func(spec *topology.Spec) error {
			spec.LoadBalancers[name].Listeners[i].Protocol = "TCP_UDP"
			spec.TargetGroups[group].Protocol = "TCP_UDP"
			return nil
		},
	}}
}

// target brings targets into reach of a load balancer's node.
func (m *mender) target(s *dataplane.TraceStep) (all []change) {
	if s.Why == drop.PreservedAddress {
		return m.unpreserve()
	}
	if s.Why != drop.NoTarget {
		return nil
	}
	name := m.lab.Around(m.nic(s)).LoadBalancer
	lb := m.spec.LoadBalancers[name]
	if lb == nil {
		return nil
	}
	cross := true
	all = append(all, change{
		text: fmt.Sprintf("set of load balancer %s: enable_cross_zone_load_balancing: true", name),
		lab: func(l *topology.Lab) error {
			return l.ModifyLoadBalancerAttributes(name, &topology.LoadBalancerAttributes{CrossZone: &cross})
		},
	})
	groups := groupsOf(lb)
	for _, group := range groups {
		all = append(all, change{
			text: fmt.Sprintf("set of target group %s: load_balancing_cross_zone_enabled: \"true\"", group),
			lab: func(l *topology.Lab) error {
				return l.ModifyTargetGroupAttributes(group, &topology.TargetGroupAttributes{CrossZone: "true"})
			},
		})
	}
	for _, group := range groups {
		all = append(all, m.register(group, m.nic(s).Zone.ID)...)
	}
	return all
}

// register adds a target to a group: an instance of its VPC that listens on its port,
// those in the node's zone first.
func (m *mender) register(group, zone string) (all []change) {
	g := m.spec.TargetGroups[group]
	if g == nil || g.TargetType == "alb" {
		return nil
	}
	hosts := slices.Clone(m.lab.Hosts)
	slices.SortStableFunc(hosts, func(a, b *topology.Host) int { return far(a, zone) - far(b, zone) })
	for _, h := range hosts {
		if h.Network.Name != g.VPCID || listens(h.Instance, m.q.protocol(), uint16(g.Port)) == "refused" {
			continue
		}
		_, id, _ := strings.Cut(h.Name, "/")
		if g.TargetType == "ip" {
			id = h.NIC.Addr().String()
		}
		all = append(all, change{
			text: fmt.Sprintf("register with target group %s: targets: [%s]", group, id),
			lab: func(l *topology.Lab) error {
				return l.RegisterTarget(group, &topology.Target{TargetID: id})
			},
		})
	}
	return all
}

// far is 0 for what is in a zone.
func far(h *topology.Host, zone string) int {
	if h.NIC.Zone.ID == zone {
		return 0
	}
	return 1
}

// chosenGroups are the target groups of the load balancers on the packet's way.
func (m *mender) chosenGroups() (all []string) {
	for i := range m.walked.Trace.Steps {
		s := &m.walked.Trace.Steps[i]
		if s.Stage != dataplane.StageTarget {
			continue
		}
		if lb := m.spec.LoadBalancers[m.lab.Around(m.nic(s)).LoadBalancer]; lb != nil {
			all = append(all, groupsOf(lb)...)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unpreserve lets targets see the load balancer's address, where the client's does not
// work.
func (m *mender) unpreserve() (all []change) {
	preserve := false
	for _, group := range m.chosenGroups() {
		all = append(all, change{
			text: fmt.Sprintf("set of target group %s: preserve_client_ip: false", group),
			lab: func(l *topology.Lab) error {
				return l.ModifyTargetGroupAttributes(group, &topology.TargetGroupAttributes{PreserveClientIP: &preserve})
			},
		})
	}
	return all
}

// morePorts gives the nodes of a load balancer more source ports towards targets.
func (m *mender) morePorts(s *dataplane.TraceStep) []change {
	name := m.lab.Around(m.nic(s)).LoadBalancer
	lb := m.spec.LoadBalancers[name]
	if s.Why != drop.PortAllocation || lb == nil {
		return nil
	}
	more := 1
	if lb.SecondaryIPs != nil {
		more += *lb.SecondaryIPs
	}
	return []change{{
		text: fmt.Sprintf("set of load balancer %s: secondary_ips_auto_assigned_per_subnet: %d", name, more),
		lab: func(l *topology.Lab) error {
			return l.ModifyLoadBalancerAttributes(name, &topology.LoadBalancerAttributes{SecondaryIPs: &more})
		},
	}}
}

// revive brings back what should listen in an instance, and has failed.
func (m *mender) revive(host *topology.Host, port int) []change {
	text := fmt.Sprintf("bring back what listened on %s port %d of instance %s: heal: { instance: %s, port: %d }", strings.ToUpper(m.q.word()), port, host.Name, host.Name, port)
	if len(host.Command) > 0 {
		text = fmt.Sprintf("let the program of instance %s run, and listen on %s port %d", host.Name, strings.ToUpper(m.q.word()), port)
	}
	return []change{{text: text, heal: &scenario.Heal{Instance: host.Name, Port: port}}}
}

// listen has something listen where the packet arrives, or the packet arrive where
// something listens.
func (m *mender) listen() (all []change) {
	host, err := m.lab.Instance(m.fate.mute)
	if err != nil {
		return nil
	}
	at := int(m.fate.port)
	if listens(host.Instance, m.q.protocol(), m.fate.port) != explain.Refused {
		return m.revive(host, at)
	}
	_, short, _ := strings.Cut(host.Name, "/")
	for _, group := range m.chosenGroups() {
		g := m.spec.TargetGroups[group]
		targets := slices.ContainsFunc(g.Targets, func(t *topology.Target) bool {
			return (t.TargetID == short || t.TargetID == host.Name || t.TargetID == host.NIC.Addr().String()) && t.Port == 0
		})
		for _, s := range host.Services {
			if targets && g.Port == at && listens(host.Instance, m.q.protocol(), uint16(s.Port)) != "refused" {
				all = append(all, change{
					text: fmt.Sprintf("set of target group %s: port: %d, where %s listens", group, s.Port, host.Name),
					spec: func(spec *topology.Spec) error { spec.TargetGroups[group].Port = s.Port; return nil },
				})
			}
		}
	}
	kind := "http"
	if m.q.udp {
		kind = "udp_echo"
	}
	return append(all, change{
		text: fmt.Sprintf("let a server listen on %s port %d of instance %s, such as services { type: %s, port: %d }", strings.ToUpper(m.q.word()), at, host.Name, kind, at),
		spec: func(spec *topology.Spec) error {
			for _, h := range hosts(spec) {
				if h.name == host.Name {
					h.Services = append(slices.Clone(h.Services), &topology.Service{Type: kind, Port: at})
				}
			}
			return nil
		},
	})
}
