package topology

import (
	"fmt"
	"net/netip"
	"slices"
)

// RouteEdit is a route for a table.
type RouteEdit struct {
	RouteTableID string `yaml:"route_table_id" doc:"Route table: VPC/NAME, or NAME where it is unique."`
	Route        `yaml:",inline"`
}

// RouteRef names a route of a table by its destination.
type RouteRef struct {
	RouteTableID  string `yaml:"route_table_id" doc:"Route table: VPC/NAME, or NAME where it is unique."`
	CIDRBlock     string `yaml:"cidr_block,omitempty" doc:"Its IPv4 destination. Either this, ipv6_cidr_block or destination_prefix_list_id."`
	IPv6CIDRBlock string `yaml:"ipv6_cidr_block,omitempty" doc:"Its IPv6 destination."`
	PrefixListID  string `yaml:"destination_prefix_list_id,omitempty" doc:"Its prefix list, by name."`
}

// PrefixListChange is what becomes of a prefix list.
type PrefixListChange struct {
	PrefixListID  string             `yaml:"prefix_list_id" doc:"Prefix list, by name."`
	AddEntries    []*PrefixListEntry `yaml:"add_entries,omitempty" doc:"Entries that come."`
	RemoveEntries []*PrefixListEntry `yaml:"remove_entries,omitempty" doc:"Entries that go, by cidr."`
}

// CreateRoute adds a route to a table. The error is of type [Problems], with paths
// relative to the edit, where the edit is at fault, and a *[Refusal] where AWS says no.
func (l *Lab) CreateRoute(e *RouteEdit) error {
	t, r, err := l.routeEdit(e)
	if err != nil {
		return err
	}
	switch {
	case t.find(r) >= 0:
		return &Refusal{
			"RouteAlreadyExists: The route identified by " + r.destination() + " already exists.",
			fmt.Sprintf("route table %s has a route to %s; replace_route changes it", t, r.destination()),
		}
	case t.size()+r.weight() > maxRoutes:
		return &Refusal{
			"RouteLimitExceeded: The maximum number of routes has been reached.",
			fmt.Sprintf("route table %s has %d routes, and takes %d at most", t, t.size(), maxRoutes),
		}
	}
	t.routes = append(slices.Clone(t.routes), r)
	return nil
}

// ReplaceRoute puts a route in the place of the one with its destination. The error is a
// *[Refusal] where there is none.
func (l *Lab) ReplaceRoute(e *RouteEdit) error {
	t, r, err := l.routeEdit(e)
	if err != nil {
		return err
	}
	i := t.find(r)
	if i < 0 {
		return &Refusal{
			"InvalidParameterValue: There is no route defined for '" + r.destination() + "' in the route table. Use CreateRoute instead.",
			t.lacks(r),
		}
	}
	t.routes = slices.Clone(t.routes)
	t.routes[i] = r
	return nil
}

// DeleteRoute removes the route with a destination. The error is a *[Refusal] where there
// is none.
func (l *Lab) DeleteRoute(e *RouteRef) error {
	t, err := l.find.tables.find("", e.RouteTableID)
	if err != nil {
		return Problems{{Path: "route_table_id", Msg: err.Error()}}
	}
	b := &builder{Lab: l}
	r := b.destination("", &Route{CIDRBlock: e.CIDRBlock, IPv6CIDRBlock: e.IPv6CIDRBlock, PrefixListID: e.PrefixListID})
	if r == nil {
		return b.problems.err()
	}
	i := t.find(*r)
	if i < 0 {
		return &Refusal{
			"InvalidRoute.NotFound: no route with destination-cidr-block " + r.destination() + " in route table " + t.ID,
			t.lacks(*r),
		}
	}
	t.routes = slices.Delete(slices.Clone(t.routes), i, i+1)
	return nil
}

// routeEdit resolves a table and a route for it.
func (l *Lab) routeEdit(e *RouteEdit) (*table, route, error) {
	t, err := l.find.tables.find("", e.RouteTableID)
	if err != nil {
		return nil, route{}, Problems{{Path: "route_table_id", Msg: err.Error()}}
	}
	b := &builder{Lab: l}
	own := e.Route // Its canonical form is ours alone.
	r, ok := b.route("", t.network, &own)
	if !ok {
		b.problems.sort()
		return nil, route{}, b.problems.verdict("")
	}
	return t, r, nil
}

// ModifyManagedPrefixList changes the entries of a prefix list, for all rules and routes
// that name it. The error is of type [Problems], with paths relative to the change, where
// the change is at fault, and a *[Refusal] where AWS says no.
func (l *Lab) ModifyManagedPrefixList(e *PrefixListChange) error {
	list, err := find("prefix list", l.find.prefixes, e.PrefixListID)
	if err != nil {
		return Problems{{Path: "prefix_list_id", Msg: err.Error()}}
	}
	b := &builder{Lab: l}
	if len(e.AddEntries)+len(e.RemoveEntries) == 0 {
		b.problems.add("", "changes nothing: give add_entries or remove_entries")
	}
	resolve := func(key string, entries []*PrefixListEntry) (all []netip.Prefix) {
		elements(&b.problems, key, entries, func(path string, e *PrefixListEntry) {
			p, msg := list.family.block(e.CIDR, "another list, whose address_family is "+other(list.family).name)
			if msg != "" {
				b.problems.add(at(path, "cidr"), "%s", msg)
			}
			all = append(all, p)
		})
		return all
	}
	added, removed := resolve("add_entries", e.AddEntries), resolve("remove_entries", e.RemoveEntries)
	if b.problems.sort(); len(b.problems) > 0 {
		return b.problems
	}
	entries := slices.Clone(list.entries)
	for _, p := range removed {
		i := slices.Index(entries, p)
		if i < 0 {
			return &Refusal{
				"InvalidPrefixListModification: The request contains entries (" + p.String() + ") that do not exist in prefix list " + list.ID + ".",
				fmt.Sprintf("%s has no entry %s", list, p),
			}
		}
		entries = slices.Delete(entries, i, i+1)
	}
	for _, p := range added {
		if !slices.Contains(entries, p) { // else its description changes
			entries = append(entries, p)
		}
	}
	if len(entries) > list.MaxEntries {
		return &Refusal{
			"PrefixListMaxEntriesExceeded: You've reached the maximum number of entries for the prefix list.",
			fmt.Sprintf("max_entries lets %s have %d entries, and these would be %d", list, list.MaxEntries, len(entries)),
		}
	}
	list.entries = entries
	return nil
}

func (t *table) String() string { return t.network.Name + "/" + t.name }

// destination is where a route leads to, as AWS writes it.
func (r route) destination() string {
	if r.list != nil {
		return r.list.ID
	}
	return r.to.String()
}

// weight is how many routes a route counts as.
func (r route) weight() int {
	if r.list != nil {
		return r.list.weight
	}
	return 1
}

// size is how many routes a table counts as.
func (t *table) size() (n int) {
	for _, r := range t.routes {
		n += r.weight()
	}
	return n
}

// find returns which route of a table has the destination of another one, or -1.
func (t *table) find(r route) int {
	return slices.IndexFunc(t.routes, func(o route) bool { return o.to == r.to && o.list == r.list })
}

// lacks says that there is no route to a destination, and which there are.
func (t *table) lacks(r route) string {
	var has []string
	for _, o := range t.routes {
		has = append(has, o.destination())
	}
	why := fmt.Sprintf("route table %s has no route to %s", t, r.destination())
	if len(has) == 0 {
		return why + ", nor any other"
	}
	return why + "; it has routes to " + list(has)
}
