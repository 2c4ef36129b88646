package topology

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// New completes spec in place, as AWS would fill in what its author left out,
// checks all of it against AWS's rules and returns the lab. The error is of type
// [Problems] and holds every mistake; one cause gives one message. The same name
// and spec always give the same identifiers and addresses.
func New(name string, spec *Spec) (*Lab, error) { return construct(name, spec, nil) }

// construct makes a lab. What the document leaves open stays as it is in a lab that runs,
// if there is one.
func construct(name string, spec *Spec, running *Lab) (*Lab, error) {
	if spec == nil {
		spec = &Spec{}
	}
	b := &builder{Lab: &Lab{Name: name, spec: spec, ids: newIDs(name)}, running: running}
	b.keepIDs()
	b.find.subnets.kind, b.find.groups.kind, b.find.hosts.kind = "subnet", "security group", "instance"
	b.find.acls.kind, b.find.tables.kind = "network ACL", "route table"
	if b.setRegion() {
		// Each step resolves and checks one kind of part, and may rely on the
		// steps before it. A part with a mistake is left out of what follows, so
		// that its mistake is told once.
		b.setSettings()
		b.addRecords()
		b.addNetworks()
		b.addSites()
		b.addInternet()
		b.addSubnets()
		b.addACLs()
		b.addPrefixLists()
		b.addPeerings()
		b.addGateways()
		b.addInternetGateways()
		b.addNATGateways()
		b.addTransitGateways()
		b.addTables()
		b.addGroups()
		b.addHosts()
		b.addCertificates()
		b.addPools()
		b.addBalancers()
		b.addOffers()
		b.addEndpoints()
		b.addResolvers()
		b.addAddresses()
		b.addNames()
		b.addFlowLogs()
		b.addLinks()
		for _, e := range b.Endpoints {
			b.record(EventConnect, e)
		}
	}
	if len(b.problems) == 0 {
		b.checkQuotas()
	}
	b.problems.sort()
	if err := b.problems.err(); err != nil {
		return nil, err
	}
	return b.Lab, nil
}

// builder makes a lab from a spec, or a part that comes to a lab later.
type builder struct {
	*Lab
	zones    *zones
	problems Problems
	running  *Lab // what the lab is to take the place of, if anything
}

// refuse records what AWS's API would refuse, in its words and in ours.
func (b *builder) refuse(path, aws, format string, args ...any) {
	b.problems = append(b.problems, Problem{path, fmt.Sprintf(format, args...), aws})
}

func (b *builder) setRegion() bool {
	if b.spec.Region == "" {
		b.spec.Region = "us-east-1"
	}
	b.Region = b.spec.Region
	if azPrefix(b.Region) == "" {
		b.problems.add("region", "%q is not an AWS Region%s", b.Region, near(b.Region, regions))
		return false
	}
	b.zones = &zones{region: b.Region, accounts: map[string]map[string]string{}}
	return true
}

// choice checks that a word is one of a few; empty means the first of them.
func (b *builder) choice(path string, word *string, kind string, choices ...string) bool {
	if *word == "" {
		*word = choices[0]
	}
	for _, c := range choices {
		if *word == c {
			return true
		}
	}
	b.problems.add(path, "%q is not %s%s", *word, kind, hint(*word, choices))
	return false
}

// port checks a port number of the document.
func (b *builder) port(path string, port int) bool {
	switch {
	case port == 0:
		b.problems.add(path, "is missing: give a port from 1 to 65535")
	case port < 1 || port > 65535:
		b.problems.add(path, "%d is not a port: give one from 1 to 65535", port)
	default:
		return true
	}
	return false
}

// groupRefs resolves the names of an interface's security groups.
func (b *builder) groupRefs(path string, n *Network, names []string) []*group {
	var groups []*group
	for i, name := range names {
		g, err := b.find.groups.find(n.Name, name)
		switch {
		case err != nil:
			b.problems.add(item(path, i), "%v", err)
			continue
		case g.network != n:
			b.problems.add(item(path, i), "security group %s is in another VPC; an interface in VPC %s needs groups of its own VPC", name, n.Name)
			continue
		}
		for _, other := range groups {
			if other == g {
				b.problems.add(item(path, i), "security group %s is listed twice", name)
			}
		}
		groups = append(groups, g)
	}
	if most := b.spec.Settings.GroupsPerInterface; len(names) > most {
		b.problems.add(path, "%d security groups: an interface takes %d at most%s", len(names), most, raise("security_groups_per_network_interface", most, maxGroups))
	}
	return groups
}

// subnetRefs resolves the names of the subnets of a load balancer or an
// endpoint, of which each zone can have one (F1.1, F2.1). Where network is nil
// the first subnet decides on the VPC.
func (b *builder) subnetRefs(path, owner string, network *Network, names []string) []*subnet {
	if len(names) == 0 {
		b.problems.add(path, "is missing: name at least one subnet")
	}
	sameZone := "InvalidConfigurationRequest: A load balancer cannot be attached to multiple subnets in the same Availability Zone"
	switch kind, _, _ := strings.Cut(owner, " "); kind {
	case "endpoint":
		sameZone = "DuplicateSubnetsInSameZone: Found another VPC endpoint subnet in the availability zone of the subnet"
	case "attachment":
		sameZone = "DuplicateSubnetsInSameZone: Duplicate Subnets for same AZ"
	}
	var subnets []*subnet
	for i, name := range names {
		from, p := "", item(path, i)
		if network != nil {
			from = network.Name
		}
		s, err := b.find.subnets.find(from, name)
		switch {
		case err != nil:
			b.problems.add(p, "%v", err)
			continue
		case network != nil && s.network != network:
			b.problems.add(p, "subnet %s is in VPC %s, but %s is in VPC %s", name, s.network.Name, owner, network.Name)
			continue
		}
		network = s.network
		clash := false
		for _, other := range subnets {
			if s.zone.ID != "" && other.zone.ID == s.zone.ID {
				b.refuse(p, sameZone, "subnets %s and %s are both in %s: %s takes one subnet a zone", other.name, s.name, s.zone.Name, owner)
				clash = true
				break
			}
		}
		if !clash {
			subnets = append(subnets, s)
		}
	}
	return subnets
}

// addNIC gives the lab one more interface.
func (b *builder) addNIC(n *NIC, path string) *NIC {
	n.Index, n.path = dataplane.InterfaceID(len(b.NICs)), path
	n.ID = b.ids.hex("eni", path)
	n.MAC = b.ids.mac(path)
	if n.MTU == 0 {
		n.MTU = 9001
	}
	b.NICs = append(b.NICs, n)
	return n
}

var accountForm = regexp.MustCompile(`^[0-9]{12}$`)

// AWS's quotas that a lab can meet (F1.7, F2.7, F3.9, F3.20), and how many VPCs it can have.
const (
	maxVPCs      = 250
	maxSubnets   = 200  // in a VPC
	maxGroups    = 16   // of an interface, where raised (F3.9)
	maxRules     = 1000 // of all groups of an interface, by the quotas (F3.9)
	maxAllGroups = 2500 // in a Region (F3.9)
	maxListeners = 50
	maxACLs      = 200  // in a VPC (F3.20)
	maxEntries   = 40   // where raised, of a network ACL, in each direction (F3.20)
	maxPrefixes  = 1000 // of a prefix list
	maxRoutes    = 50   // of a route table
	maxEndpoints = 50   // in a VPC (F1.7)
)
