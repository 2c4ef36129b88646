package topology

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// Names is what the resolvers of the lab answer at one moment. It never changes,
// so servers may share it.
type Names struct {
	public map[string]Answer
	own    map[string]map[string]Answer // by VPC
	askers map[string]map[netip.Addr]dataplane.ZoneID
	health zoneHealth // what they follow from
}

// Answer is what a resolver knows about a name.
type Answer struct {
	// Found reports whether the name exists. A name that exists without an
	// address of the family asked for is NODATA, not NXDOMAIN (RFC 2308
	// section 2.2).
	Found bool
	// CNAME is the canonical name, without a final dot, where the name asked for
	// is an alias; Addrs are then those of the canonical name.
	CNAME string
	// Addrs are the addresses of both families, IPv4 first and zones in the
	// order of their names. To rotate them is up to the server (F1.25).
	Addrs []netip.Addr

	// Texts are what a TXT record of the name says.
	Texts []string

	affinity int                // in so many of a hundred answers only the asker's zone counts (F2.5)
	zones    []dataplane.ZoneID // of Addrs
}

// Near returns the addresses for an asker in a zone, and draw from 0 to 99 says
// which of a hundred answers this is: all, or by the client routing policy those of
// the asker's own zone where it has some (F2.5).
func (a Answer) Near(zone dataplane.ZoneID, draw int) []netip.Addr {
	if draw >= a.affinity {
		return a.Addrs
	}
	var near []netip.Addr
	for i, addr := range a.Addrs {
		if a.zones[i] == zone {
			near = append(near, addr)
		}
	}
	if len(near) == 0 {
		return a.Addrs
	}
	return near
}

// ZoneOf returns the zone of the interface that asks from an address in a VPC; 0 if
// there is none.
func (n *Names) ZoneOf(vpc string, asker netip.Addr) dataplane.ZoneID { return n.askers[vpc][asker] }

// Names returns the lab's names as they are now:
//
//   - an endpoint's regional and zonal names (F1.22), for every VPC (F1.24), in
//     any state but deleted: as long as there are interfaces, packets to them
//     meet silence, not a failed lookup. The regional name leaves out zones where
//     the load balancers are not healthy (F1.25), unless none is;
//   - the private name of its service, as an alias of the regional name, in the
//     VPC of an available endpoint with private_dns_enabled (F1.26);
//   - a service's host name (F1.21), which stands above those of its endpoints and has
//     no address of its own;
//   - a load balancer's regional and zonal names (F2.3), for every VPC; its regional
//     name, too, leaves out zones that are not healthy (F2.57, F2.58), and may prefer
//     the asker's own (F2.5);
//   - public TXT records (F1.27), for every VPC;
//   - instances' names, in their own VPC if it has enable_dns_hostnames.
func (l *Lab) Names() *Names {
	names := &Names{public: map[string]Answer{}, own: map[string]map[string]Answer{}, askers: map[string]map[netip.Addr]dataplane.ZoneID{}}
	for _, n := range l.Networks {
		names.own[n.Name], names.askers[n.Name] = map[string]Answer{}, map[netip.Addr]dataplane.ZoneID{}
	}
	health := zoneHealth{}
	names.health = health
	for _, lb := range l.balancers {
		regional := answer("", health.nodes(lb)...)
		regional.affinity = routingPolicies[lb.RoutingPolicy]
		names.public[lb.dnsName] = regional
		for _, n := range lb.nodes {
			names.public[lb.zonalDNSName(n.Zone.Name)] = answer("", n)
		}
	}
	for _, e := range l.Endpoints {
		if e.State == Deleted {
			continue
		}
		nics := health.nics(e)
		names.public[e.DNSName()] = answerIn(e.records(false), "", nics...)
		for _, n := range e.NICs {
			names.public[e.ZonalDNSName(n.Zone.Name)] = answerIn(e.records(false), "", n)
		}
		if e.private != "" && slices.ContainsFunc(e.NICs, l.carries) {
			names.own[e.Network.Name][e.private] = answerIn(e.records(true), e.DNSName(), nics...)
		}
	}
	for name, says := range l.texts {
		names.public[name] = Answer{Found: true, Texts: says}
	}
	for _, o := range l.offers {
		if o.State != ServiceDeleted {
			names.public[o.hostName(l.Region)] = Answer{Found: true}
		}
	}
	for _, h := range l.Hosts {
		for _, p := range h.NIC.Addrs {
			names.askers[h.Network.Name][p.Addr()] = h.NIC.Zone.Num
		}
		if *h.Network.EnableHosts {
			names.own[h.Network.Name][h.fullName] = answer("", h.NIC)
		}
	}
	return names
}

// NamesHealth returns the lab's names as they are now, if nothing but health checks has
// changed the lab since it made the last ones: others only where the zone of a load balancer
// has become healthy, or is so no more.
func (l *Lab) NamesHealth(last *Names) *Names {
	for of, was := range last.health {
		if of.lb.healthyIn(Zone{Num: of.zone}) != was {
			return l.Names()
		}
	}
	return last
}

func answer(cname string, nics ...*NIC) Answer {
	return answerIn([]*family{ipv4, ipv6}, cname, nics...)
}

// answerIn is the answer with the interfaces' addresses of some families.
func answerIn(families []*family, cname string, nics ...*NIC) Answer {
	a := Answer{Found: true, CNAME: cname}
	for _, f := range families {
		for _, n := range nics {
			for _, p := range n.Addrs {
				if f.holds(p.Addr()) {
					a.Addrs, a.zones = append(a.Addrs, p.Addr()), append(a.zones, n.Zone.Num)
				}
			}
		}
	}
	return a
}

// zonalDNSName returns the name of one zone's node (F2.3).
func (lb *balancer) zonalDNSName(zone string) string { return zone + "." + lb.dnsName }

// Lookup answers a question asked in a VPC. Case and a final dot do not count.
// The caller must not change the answer's Addrs.
func (n *Names) Lookup(vpc, name string) Answer {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	own := n.own[vpc]
	for _, zone := range []map[string]Answer{own, n.public} {
		if a, ok := zone[name]; ok {
			return a
		}
	}
	// A wildcard stands for any name below it that does not exist, and so for
	// none that an existing name lies below (RFC 4592 section 2.2).
	if parentOf(own, name) || parentOf(n.public, name) {
		return Answer{Found: true}
	}
	for rest := name; rest != ""; {
		_, rest, _ = strings.Cut(rest, ".")
		if a, ok := own["*."+rest]; ok {
			return a
		}
		if _, ok := own[rest]; ok {
			break // The closest existing name shadows wildcards further up.
		}
	}
	return Answer{}
}

// parentOf reports whether a zone has a name below name.
func parentOf(zone map[string]Answer, name string) bool {
	for other := range zone {
		if strings.HasSuffix(other, "."+name) {
			return true
		}
	}
	return false
}

// All returns every name that a VPC's instances can resolve, sorted.
func (n *Names) All(vpc string) []string {
	var all []string
	for _, zone := range []map[string]Answer{n.own[vpc], n.public} {
		for name := range zone {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}
