package topology

import (
	"maps"
	"slices"
	"strings"
)

// Fate is what becomes of a resource, in the words of Terraform's plans.
type Fate string

// The fates.
const (
	Create  Fate = "create"
	Update  Fate = "update"
	Replace Fate = "replace" // destroyed, and created anew
	Destroy Fate = "delete"
)

// Change is what becomes of one resource. Its JSON form is part of plsim's contract with
// users.
type Change struct {
	Address    string            `json:"address"` // instance.provider/web-1
	Action     Fate              `json:"action"`
	Attributes []AttributeChange `json:"attributes,omitempty"` // by name

	path string
}

// AttributeChange is what becomes of an attribute: it goes from one value to another, or
// some of its values go and others come.
type AttributeChange struct {
	Name   string   `json:"name"`
	Before []string `json:"before,omitempty"`
	After  []string `json:"after,omitempty"`
	Set    bool     `json:"set,omitempty"` // of values that may be several
	// Forces is whether the resource can only be replaced because of it.
	Forces bool `json:"forces_replacement,omitempty"`
}

// Path returns where the resource stands in the document.
func (c *Change) Path() string { return c.path }

// Came and Went return the values that come, and those that go.
func (a *AttributeChange) Came() []string { return without(a.After, a.Before) }

// Went returns the values that go.
func (a *AttributeChange) Went() []string { return without(a.Before, a.After) }

func without(all, those []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(those, s) })
}

// forcing are the attributes that cannot be changed of what exists, by kind: most are
// those of Terraform's AWS provider. An ID is one of every kind's.
var forcing = map[string][]string{
	"vpc":                            {"cidr_block", "owner_id"},
	"subnet":                         {"vpc_id", "cidr_block", "ipv6_native", "availability_zone", "availability_zone_id"},
	"security_group":                 {"vpc_id", "description"},
	"network_acl":                    {"vpc_id"},
	"route_table":                    {"vpc_id"},
	"managed_prefix_list":            {"address_family"},
	"on_premises":                    {"cidr_block"},
	"internet":                       {"cidr_block"},
	"instance":                       {"subnet_id", "private_ip", "ipv6_addresses", "associate_public_ip_address"},
	"target_group":                   {"vpc_id", "port", "protocol", "target_type", "ip_address_type"},
	"load_balancer":                  {"vpc_id", "load_balancer_type", "ip_address_type"},
	"listener":                       {"load_balancer"},
	"vpc_endpoint":                   {"vpc_id", "service_name", "dns_suffix"},
	"vpc_peering_connection":         {"vpc_id", "peer_vpc_id"},
	"vpn_connection":                 {"vpn_gateway_id", "customer_gateway_id"},
	"eip":                            {"public_ip"},
	"nat_gateway":                    {"subnet_id", "connectivity_type", "allocation_id", "private_ip"},
	"transit_gateway_vpc_attachment": {"transit_gateway_id", "vpc_id"},
}

// owners are the attributes that name what a resource cannot outlive, and its kind.
var owners = map[string]string{
	"vpc_id": "vpc", "peer_vpc_id": "vpc", "subnet_id": "subnet", "load_balancer": "load_balancer",
	"transit_gateway_id": "transit_gateway", "vpn_gateway_id": "vpn_gateway", "customer_gateway_id": "on_premises",
	"service_name": "endpoint_service",
}

// Changes tells what has to become of the lab to make it another one: a list by address,
// which is empty where nothing has. complete tells what instances run.
func (l *Lab) Changes(next *Lab, complete Completion) []Change {
	before, after := l.resources(complete), next.resources(complete)
	found := map[string]*Change{}
	for address, r := range after {
		if old := before[address]; old != nil {
			if c := old.change(r); c != nil {
				found[address] = c
			}
		} else if !r.implied {
			found[address] = &Change{Address: address, Action: Create, Attributes: r.come(), path: r.path}
		}
	}
	for address, r := range before {
		if after[address] == nil && !r.implied {
			found[address] = &Change{Address: address, Action: Destroy, Attributes: r.leave(), path: r.path}
		}
	}
	for replaced := true; replaced; { // what belongs to something that is replaced
		replaced = false
		for address, r := range after {
			if before[address] == nil || found[address] != nil && found[address].Action == Replace {
				continue
			}
			for _, name := range slices.Sorted(maps.Keys(owners)) {
				owner := r.owner(name)
				if owner == "" || found[owner] == nil || found[owner].Action != Replace {
					continue
				}
				c := found[address]
				if c == nil {
					c = &Change{Address: address, path: r.path}
					found[address] = c
				}
				c.Action, replaced = Replace, true
				if !slices.ContainsFunc(c.Attributes, func(a AttributeChange) bool { return a.Name == name }) {
					value := r.attributes[name].values
					c.Attributes = append(c.Attributes, AttributeChange{Name: name, Before: value, After: value, Forces: true})
				}
			}
		}
	}
	all := make([]Change, 0, len(found))
	for _, address := range slices.Sorted(maps.Keys(found)) {
		c := found[address]
		slices.SortFunc(c.Attributes, func(a, b AttributeChange) int { return strings.Compare(a.Name, b.Name) })
		all = append(all, *c)
	}
	return all
}

// owner returns the address of the resource that an attribute names, "" if it is none
// that r cannot outlive.
func (r *resource) owner(name string) string {
	a, ok := r.attributes[name]
	if !ok || a.set || !slices.Contains(forcing[r.kind], name) {
		return ""
	}
	kind := owners[name]
	if kind == "subnet" && r.kind == "instance" && !strings.Contains(a.values[0], "/") {
		return "" // of a network outside AWS
	}
	return kind + "." + a.values[0]
}

// forces reports whether a change of an attribute replaces the resource.
func (r *resource) forces(name string, before, after attribute) bool {
	if r.kind == "load_balancer" && name == "security_groups" {
		return len(before.values) == 0 || len(after.values) == 0 // F2.63
	}
	return name == "id" || slices.Contains(forcing[r.kind], name)
}

// change compares two states of a resource; nil: they are the same.
func (r *resource) change(next *resource) *Change {
	c := &Change{Address: r.address, Action: Update, path: next.path}
	names := maps.Clone(r.attributes)
	maps.Copy(names, next.attributes)
	for name := range names {
		before, after := r.attributes[name], next.attributes[name]
		if slices.Equal(before.values, after.values) {
			continue
		}
		a := AttributeChange{name, before.values, after.values, before.set || after.set, r.forces(name, before, after)}
		if a.Forces {
			c.Action = Replace
		}
		c.Attributes = append(c.Attributes, a)
	}
	if len(c.Attributes) == 0 {
		return nil
	}
	return c
}

func (r *resource) come() (all []AttributeChange) {
	for name, a := range r.attributes {
		if len(a.values) > 0 {
			all = append(all, AttributeChange{Name: name, After: a.values, Set: a.set})
		}
	}
	return all
}

func (r *resource) leave() (all []AttributeChange) {
	for name, a := range r.attributes {
		if len(a.values) > 0 {
			all = append(all, AttributeChange{Name: name, Before: a.values, Set: a.set})
		}
	}
	return all
}
