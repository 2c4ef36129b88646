package topology

// A lab has no internet. Its gateways exist for the routes that name them: what takes
// such a route is on record as on AWS, and goes no further.

// The kinds of exit.
const (
	internetGateway = "internet gateway"
	natGateway      = "NAT gateway"
)

// exit is an internet gateway or a NAT gateway of the lab.
type exit struct {
	kind    string
	name    string
	id      string
	network *Network
}

// addExits resolves the gateways to the internet.
func (b *builder) addExits() {
	b.find.internet, b.find.nat = map[string]*exit{}, map[string]*exit{}
	attached := map[*Network]string{}
	each(&b.problems, "internet_gateways", b.spec.InternetGateways, func(path, name string, spec *InternetGateway) {
		b.ids.given(&b.problems, "igw", path, &spec.ID)
		e := &exit{internetGateway, name, spec.ID, b.vpcRef(at(path, "vpc_id"), spec.VPCID)}
		if other := attached[e.network]; e.network != nil && other != "" {
			b.problems.add(at(path, "vpc_id"), "VPC %s has internet gateway %s already: it can have one", spec.VPCID, other)
		}
		attached[e.network] = name
		b.find.internet[name] = e
	})
	each(&b.problems, "nat_gateways", b.spec.NATGateways, func(path, name string, spec *NATGateway) {
		b.ids.given(&b.problems, "nat", path, &spec.ID)
		e := &exit{kind: natGateway, name: name, id: spec.ID}
		if s, err := b.find.subnets.find("", spec.SubnetID); err != nil {
			b.problems.add(at(path, "subnet_id"), "%v", err)
		} else {
			e.network = s.network
		}
		b.find.nat[name] = e
	})
}

// exitRef resolves a gateway to the internet that a route table of a VPC names.
func (b *builder) exitRef(path string, n *Network, known map[string]*exit, kind, name string) *exit {
	e, err := find(kind, known, name)
	switch {
	case err != nil:
		b.problems.add(path, "%v", err)
	case e.network == nil: // said already
	case e.network != n:
		b.problems.add(path, "%s %s is in VPC %s: routes of VPC %s cannot use it", kind, name, e.network.Name, n.Name)
	default:
		return e
	}
	return nil
}
