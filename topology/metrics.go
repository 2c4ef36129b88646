package topology

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// tracked is a state of the lab that metrics follow: of a target group in a zone of a
// load balancer, of the zone, or of an endpoint service.
type tracked struct {
	level cloudwatch.Level
	lb    *balancer
	pool  *pool
	zone  Zone
	offer *offer
}

// Observe notes the state of the lab for its metrics: how many targets are healthy,
// which zones are, how many endpoints are available. The owner of the lab calls it
// whenever that may have changed.
func (l *Lab) Observe(now clock.Time) {
	seen := map[tracked]uint64{}
	for lb := range l.networkBalancers() {
		for _, s := range lb.zones {
			seen[tracked{level: cloudwatch.ZoneHealthy, lb: lb, zone: s.zone}] = oneIf(lb.healthyIn(s.zone))
		}
		for p := range lb.hostPools() {
			for _, z := range append(lb.placed(), allZones) {
				healthy := tracked{level: cloudwatch.Healthy, lb: lb, pool: p, zone: z}
				unhealthy := tracked{level: cloudwatch.Unhealthy, lb: lb, pool: p, zone: z}
				seen[healthy], seen[unhealthy] = 0, 0
				for _, m := range p.members {
					if m.place().Num == z.Num {
						seen[healthy] += oneIf(m.health.now == TargetHealthy)
						seen[unhealthy] += oneIf(m.health.now == TargetUnhealthy)
					}
				}
			}
		}
	}
	for _, o := range l.offers {
		t := tracked{level: cloudwatch.Endpoints, offer: o}
		seen[t] = 0
		for _, e := range l.Endpoints {
			seen[t] += oneIf(e.offer == o && e.State == Available)
		}
	}
	if l.tracks == nil {
		l.tracks = map[tracked]*metrics.Track{}
	}
	for t := range seen {
		if l.tracks[t] == nil {
			l.tracks[t] = new(metrics.Track)
		}
	}
	for t, track := range l.tracks {
		track.Set(now, seen[t]) // 0 for a target group that stands behind no listener any more
	}
}

// hostPools visits the target groups whose targets are counted as hosts: an
// Application Load Balancer is none (F2.69).
func (lb *balancer) hostPools() iter.Seq[*pool] {
	return func(yield func(*pool) bool) {
		for p := range lb.pools() {
			if p.TargetType != "alb" && !yield(p) {
				return
			}
		}
	}
}

func oneIf(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// Metrics returns every metric that CloudWatch would have of the lab, in all its
// dimensions, up to now; those of which nothing is reported have no points. counted is
// what the packet path has counted.
func (l *Lab) Metrics(now clock.Time, counted []metrics.Series) []cloudwatch.Series {
	c := &collector{lab: l, groups: map[string]*cloudwatch.Group{}}
	for lb := range l.networkBalancers() {
		for _, n := range lb.nodes {
			c.ofNode(n)
		}
		for p := range lb.hostPools() {
			for _, n := range lb.nodes {
				c.ofHosts(lb, p, n.Zone)
			}
		}
	}
	for _, e := range l.Endpoints {
		for _, n := range e.NICs {
			c.ofEndpoint(n)
			for _, lb := range e.offer.balancers {
				for _, node := range lb.nodes {
					if node.Zone.ID == n.Zone.ID {
						c.ofService(n, node)
					}
				}
			}
		}
	}
	for _, o := range l.offers {
		c.group(cloudwatch.PrivateLinkServices, o.dimension())
	}
	for _, s := range counted {
		for _, g := range c.at(s.Place) {
			g.Count(s)
		}
	}
	for t, track := range l.tracks {
		for _, g := range c.of(t) {
			g.Follow(t.level, track, now)
		}
	}
	var all []cloudwatch.Series
	for _, key := range slices.Sorted(maps.Keys(c.groups)) {
		all = append(all, c.groups[key].Series(now)...)
	}
	slices.SortStableFunc(all, func(a, b cloudwatch.Series) int {
		return cmp.Or(
			strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name),
			cmp.Compare(len(a.Dimensions), len(b.Dimensions)), // sums before their parts
		)
	})
	return all
}

// collector sums counts by dimensions.
type collector struct {
	lab    *Lab
	groups map[string]*cloudwatch.Group
}

// group returns the group of some dimensions.
func (c *collector) group(namespace string, dimensions ...cloudwatch.Dimension) *cloudwatch.Group {
	g := cloudwatch.NewGroup(namespace, dimensions...)
	if known := c.groups[g.Key()]; known != nil {
		return known
	}
	c.groups[g.Key()] = g
	return g
}

// at returns the groups to which a place of the packet path belongs.
func (c *collector) at(p metrics.Place) []*cloudwatch.Group {
	var all []*cloudwatch.Group
	if p.Node != metrics.None {
		all = c.ofNode(c.lab.NICs[p.Node])
	}
	if p.Endpoint != metrics.None {
		all = append(all, c.ofEndpoint(c.lab.NICs[p.Endpoint])...)
	}
	if p.Node != metrics.None && p.Endpoint != metrics.None {
		all = append(all, c.ofService(c.lab.NICs[p.Endpoint], c.lab.NICs[p.Node])...)
	}
	return all
}

// of returns the groups to which a state of the lab belongs.
func (c *collector) of(t tracked) []*cloudwatch.Group {
	switch {
	case t.offer != nil:
		return []*cloudwatch.Group{c.group(cloudwatch.PrivateLinkServices, t.offer.dimension())}
	case t.pool != nil:
		if t.zone == allZones { // a host in each, and one of the load balancer's
			return c.ofHosts(t.lb, t.pool, t.lb.placed()...)
		}
		return c.ofHosts(t.lb, t.pool, t.zone)
	default:
		return []*cloudwatch.Group{c.group(cloudwatch.NetworkELB, t.lb.dimension(), t.zone.dimension())}
	}
}

func (c *collector) ofNode(n *NIC) []*cloudwatch.Group {
	return []*cloudwatch.Group{
		c.group(cloudwatch.NetworkELB, n.balancer.dimension()),
		c.group(cloudwatch.NetworkELB, n.balancer.dimension(), n.Zone.dimension()),
	}
}

func (c *collector) ofHosts(lb *balancer, p *pool, zones ...Zone) []*cloudwatch.Group {
	group := cloudwatch.Dimension{Name: cloudwatch.TargetGroup, Value: p.arnSuffix(), Alias: p.name}
	all := []*cloudwatch.Group{c.group(cloudwatch.NetworkELB, lb.dimension(), group)}
	for _, z := range zones {
		all = append(all, c.group(cloudwatch.NetworkELB, lb.dimension(), group, z.dimension()))
	}
	return all
}

func (c *collector) ofEndpoint(n *NIC) []*cloudwatch.Group {
	e := n.Endpoint
	whole := func() []cloudwatch.Dimension {
		return []cloudwatch.Dimension{
			{Name: cloudwatch.EndpointType, Value: "Interface"},
			{Name: cloudwatch.ServiceName, Value: e.offer.serviceName, Alias: e.offer.name},
			e.dimension(),
			{Name: cloudwatch.VPCID, Value: e.Network.ID, Alias: e.Network.Name},
		}
	}
	subnet := cloudwatch.Dimension{Name: cloudwatch.SubnetID, Value: n.SubnetID}
	for _, s := range c.lab.subnets {
		if s.ID == n.SubnetID {
			subnet.Alias = s.String()
		}
	}
	return []*cloudwatch.Group{
		c.group(cloudwatch.PrivateLinkEndpoints, whole()...),
		c.group(cloudwatch.PrivateLinkEndpoints, append(whole(), subnet)...),
	}
}

func (c *collector) ofService(via, node *NIC) []*cloudwatch.Group {
	service := via.Endpoint.offer.dimension()
	zone := cloudwatch.Dimension{Name: cloudwatch.AZ, Value: node.Zone.Name}
	lb := cloudwatch.Dimension{Name: cloudwatch.LoadBalancerARN, Value: c.lab.arnOf(node.balancer), Alias: node.balancer.name}
	group := func(more ...cloudwatch.Dimension) *cloudwatch.Group {
		return c.group(cloudwatch.PrivateLinkServices, append(more, service)...)
	}
	return []*cloudwatch.Group{group(), group(zone), group(lb), group(zone, lb), group(via.Endpoint.dimension())}
}

func (lb *balancer) dimension() cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: cloudwatch.LoadBalancer, Value: lb.arnSuffix(), Alias: lb.name}
}

func (o *offer) dimension() cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: cloudwatch.ServiceID, Value: o.ID, Alias: o.name}
}

func (e *Endpoint) dimension() cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: cloudwatch.VPCEndpointID, Value: e.ID, Alias: e.Name}
}

func (z Zone) dimension() cloudwatch.Dimension {
	return cloudwatch.Dimension{Name: cloudwatch.AvailabilityZone, Value: z.Name}
}

// arnSuffix is the end of the load balancer's ARN, as CloudWatch has it.
func (lb *balancer) arnSuffix() string {
	if lb.application() {
		return "app/" + lb.name + "/" + lb.ID
	}
	return "net/" + lb.name + "/" + lb.ID
}

// arnSuffix is the end of the target group's ARN, as CloudWatch has it.
func (p *pool) arnSuffix() string { return "targetgroup/" + p.name + "/" + p.id }

func (l *Lab) arnOf(lb *balancer) string {
	return l.elasticLoadBalancing(lb.network, "loadbalancer/"+lb.arnSuffix())
}

// elasticLoadBalancing is the ARN of something in a VPC's account.
func (l *Lab) elasticLoadBalancing(n *Network, resource string) string {
	partition := "aws"
	for prefix, other := range map[string]string{"cn-": "aws-cn", "us-gov-": "aws-us-gov"} {
		if strings.HasPrefix(l.Region, prefix) {
			partition = other
		}
	}
	return strings.Join([]string{"arn", partition, "elasticloadbalancing", l.Region, n.OwnerID, resource}, ":")
}
