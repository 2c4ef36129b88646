package topology

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

// variable is a part of the lab as scenario variables see it: attributes, each a
// value or, where it has one for each zone, values by the zone's name.
type variable struct {
	values map[string]string
	zonal  map[string]map[string]string
}

// Variable resolves the text inside ${…}: KIND.NAME.ATTRIBUTE, with .ZONE after
// an attribute that each zone has one of. The kinds are vpc_endpoint,
// load_balancer, target_group, endpoint_service, instance (NAME may be VPC/NAME, or NETWORK/NAME of a
// host on premises or on the internet), vpc, on_premises, eip, nat_gateway, transit_gateway
// and transit_gateway_vpc_attachment. The error says what there is.
func (l *Lab) Variable(ref string) (string, error) {
	words := strings.Split(ref, ".")
	kinds := map[string]func(name string) (variable, error){
		"vpc_endpoint":     l.endpointVariable,
		"load_balancer":    l.balancerVariable,
		"target_group":     l.poolVariable,
		"endpoint_service": l.offerVariable,
		"instance":         l.hostVariable,
		"vpc":              l.networkVariable,
		"on_premises":      l.siteVariable,
		"eip":              l.addressVariable,
		"nat_gateway":      l.natVariable,
		"transit_gateway":  l.transitVariable,

		"transit_gateway_vpc_attachment": l.attachmentVariable,
	}
	fail := func(err error) (string, error) { return "", fmt.Errorf("${%s}: %w", ref, err) }
	resolve, err := find("kind of variable", kinds, words[0])
	if err != nil {
		return fail(err)
	}
	if len(words) < 3 {
		return fail(fmt.Errorf("write ${%s.NAME.ATTRIBUTE}", words[0]))
	}
	v, err := resolve(words[1])
	if err != nil {
		return fail(err)
	}
	attribute, zone := words[2], words[3:]
	if whole := strings.Join(words[2:], "."); v.values[whole] != "" {
		return v.values[whole], nil
	}
	if zones, ok := v.zonal[attribute]; ok {
		known := slices.Sorted(maps.Keys(zones))
		if len(zone) != 1 {
			return fail(fmt.Errorf("%s has one value a zone: add .ZONE, one of %s", attribute, strings.Join(known, ", ")))
		}
		value, err := find("zone", zones, zone[0])
		if err != nil {
			return fail(err)
		}
		return value, nil
	}
	value, ok := v.values[attribute]
	switch {
	case !ok:
		known := slices.Collect(maps.Keys(v.values))
		for name := range v.zonal {
			known = append(known, name+".ZONE")
		}
		return fail(fmt.Errorf("%s %s has no attribute %q%s", words[0], words[1], attribute, hint(attribute, known)))
	case len(zone) > 0:
		return fail(fmt.Errorf("%s is one value: remove .%s", attribute, strings.Join(zone, ".")))
	case value == "":
		return fail(fmt.Errorf("%s %s has no %s", words[0], words[1], attribute))
	}
	return value, nil
}

func (l *Lab) endpointVariable(name string) (variable, error) {
	e, err := l.Endpoint(name)
	if err != nil {
		return variable{}, err
	}
	return variable{
		values: map[string]string{"id": e.ID, "dns_name": e.DNSName(), "private_dns_name": cmp.Or(e.private, e.offer.PrivateDNSName)},
		zonal:  zonal(e.NICs, e.ZonalDNSName),
	}, nil
}

func (l *Lab) balancerVariable(name string) (variable, error) {
	lb, err := find("load balancer", l.find.balancers, name)
	if err != nil {
		return variable{}, err
	}
	return variable{
		values: map[string]string{"id": lb.ID, "dns_name": lb.dnsName, "arn": l.arnOf(lb), "arn_suffix": lb.arnSuffix()},
		zonal:  zonal(lb.nodes, lb.zonalDNSName),
	}, nil
}

func (l *Lab) poolVariable(name string) (variable, error) {
	p, err := find("target group", l.find.pools, name)
	if err != nil {
		return variable{}, err
	}
	return variable{values: map[string]string{
		"arn": l.elasticLoadBalancing(p.network, p.arnSuffix()), "arn_suffix": p.arnSuffix(),
	}}, nil
}

// zonal returns what each of the interfaces has of its own.
func zonal(nics []*NIC, dnsName func(zone string) string) map[string]map[string]string {
	v := map[string]map[string]string{
		"zonal_dns_name": {}, "private_ip": {}, "ipv6_address": {}, "network_interface": {},
	}
	for _, n := range nics {
		z := n.Zone.Name
		v["zonal_dns_name"][z], v["network_interface"][z] = dnsName(z), n.ID
		if a := n.Addr(); a.IsValid() {
			v["private_ip"][z] = a.String()
		}
		if a := n.addr(ipv6); a.IsValid() {
			v["ipv6_address"][z] = a.String()
		}
	}
	for _, name := range []string{"private_ip", "ipv6_address"} {
		if len(v[name]) == 0 {
			delete(v, name)
		}
	}
	return v
}

func (l *Lab) offerVariable(name string) (variable, error) {
	o, err := find("endpoint service", l.find.offers, name)
	if err != nil {
		return variable{}, err
	}
	v := variable{values: map[string]string{
		"id": o.ID, "service_name": o.serviceName, "private_dns_name": o.PrivateDNSName,
		"base_endpoint_dns_name": o.hostName(l.Region),
	}}
	if p := o.PrivateDNSProof; p != nil {
		v.values["private_dns_name_configuration.name"] = p.Name
		v.values["private_dns_name_configuration.value"] = p.Value
	}
	return v, nil
}

func (l *Lab) hostVariable(name string) (variable, error) {
	h, err := l.Instance(name)
	if err != nil {
		return variable{}, err
	}
	return variable{values: map[string]string{
		"id":                h.ID,
		"private_ip":        h.PrivateIP,
		"public_ip":         h.PublicIP,
		"ipv6_address":      text(h.NIC.addr(ipv6)),
		"network_interface": h.NIC.ID,
		"private_dns":       h.fullName,
	}}, nil
}

func (l *Lab) networkVariable(name string) (variable, error) {
	n, err := find("VPC", l.find.networks, name)
	if err != nil {
		return variable{}, err
	}
	return variable{values: map[string]string{"id": n.ID, "resolver": text(n.dnsAt), "cidr_block": n.CIDRBlock}}, nil
}

func (l *Lab) siteVariable(name string) (variable, error) {
	n, err := find("network on premises", l.find.sites, name)
	if err != nil {
		return variable{}, err
	}
	return variable{values: map[string]string{"resolver": text(n.dnsAt), "cidr_block": n.CIDRBlock}}, nil
}

func (l *Lab) addressVariable(name string) (variable, error) {
	a, err := find("elastic IP address", l.eips, name)
	return variable{values: map[string]string{"public_ip": text(a)}}, err
}

func (l *Lab) natVariable(name string) (variable, error) {
	g, err := find("NAT gateway", l.find.nat, name)
	if err != nil {
		return variable{}, err
	}
	n := g.nics[0]
	return variable{values: map[string]string{
		"id": g.id, "private_ip": text(n.Addr()), "public_ip": text(n.Public), "network_interface": n.ID,
	}}, nil
}

func (l *Lab) transitVariable(name string) (variable, error) {
	t, err := find("transit gateway", l.find.transits, name)
	if err != nil {
		return variable{}, err
	}
	return variable{values: map[string]string{"id": t.ID}}, nil
}

func (l *Lab) attachmentVariable(name string) (variable, error) {
	a, err := find("attachment", l.find.attachments, name)
	if err != nil {
		return variable{}, err
	}
	v := variable{values: map[string]string{"id": a.ID}, zonal: zonal(a.nics, func(string) string { return "" })}
	delete(v.zonal, "zonal_dns_name")
	return v, nil
}

// text writes an address, and none as "".
func text(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
