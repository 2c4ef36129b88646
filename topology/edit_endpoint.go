package topology

import (
	"fmt"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
)

// EndpointState is the state of an interface endpoint, in the API's spelling (F1.9).
type EndpointState string

// The states.
const (
	PendingAcceptance EndpointState = "pendingAcceptance" // waiting for the provider
	Pending           EndpointState = "pending"           // accepted or modified, being set up
	Available         EndpointState = "available"         // usable
	Rejected          EndpointState = "rejected"          // refused by the provider, perhaps after having been available
	Deleted           EndpointState = "deleted"           // removed by the consumer
)

// The events that the two sides of an endpoint are notified of (F1.13).
const (
	EventConnect = "Connect" // the consumer has created it
	EventAccept  = "Accept"
	EventReject  = "Reject"
	EventDelete  = "Delete"
)

// Event is a notification about an endpoint (F1.13).
type Event struct {
	At       clock.Time `json:"at_ns"` // the lab's time
	Event    string     `json:"event"`
	Endpoint string     `json:"vpc_endpoint"`
	ID       string     `json:"vpc_endpoint_id"`
	Service  string     `json:"service_id"`
}

func (l *Lab) record(event string, e *Endpoint) {
	if e.offer != nil {
		l.Events = append(l.Events, Event{l.now, event, e.Name, e.ID, e.offer.ID})
	}
}

// initialState is the state of a new endpoint, but for the time that setting up
// one takes which nobody has to accept.
func (e *Endpoint) initialState() EndpointState {
	if *e.offer.AcceptanceRequired && !e.AutoAccept {
		return PendingAcceptance
	}
	return Available
}

// move changes the endpoint's state, if it is one of from.
func (l *Lab) move(name, verb string, to EndpointState, from ...EndpointState) (*Endpoint, error) {
	e, err := l.Endpoint(name)
	if err != nil {
		return nil, err
	}
	if err := e.must(verb, from...); err != nil {
		return nil, err
	}
	e.State = to
	return e, nil
}

// must refuses what cannot be done with the endpoint in its state.
func (e *Endpoint) must(verb string, be ...EndpointState) error {
	if slices.Contains(be, e.State) {
		return nil
	}
	words := make([]string, len(be))
	for i, s := range be {
		words[i] = string(s)
	}
	aws := fmt.Sprintf("InvalidState: Endpoint %s is in state %s", e.ID, e.State)
	if e.State == Deleted {
		aws = fmt.Sprintf("InvalidVpcEndpointId.NotFound: The Vpc Endpoint Id '%s' does not exist", e.ID)
	}
	return &Refusal{aws, fmt.Sprintf("cannot %s endpoint %s: it is %s, and must be %s", verb, e.Name, e.State, orList(words))}
}

// Accept is the provider's consent to an endpoint, which is set up then.
func (l *Lab) Accept(endpoint string) error {
	e, err := l.move(endpoint, "accept", Pending, PendingAcceptance)
	if err != nil {
		return err
	}
	l.record(EventAccept, e)
	l.setUp(e, e.NICs)
	return nil
}

// setUp makes an endpoint pending, and some of its interfaces useless, until
// they are set up. The others carry on.
func (l *Lab) setUp(e *Endpoint, nics []*NIC) {
	e.State, e.settles = Pending, l.now.Add(seconds(l.spec.Settings.SetupDelay))
	for _, n := range nics {
		n.ready = e.settles
	}
	l.settle()
}

// settle makes those endpoints available that are set up by now.
func (l *Lab) settle() {
	for _, e := range l.Endpoints {
		if e.State == Pending && e.settles <= l.now {
			e.State = Available
		}
	}
}

// carries reports whether an endpoint's interface passes packets on.
func (l *Lab) carries(n *NIC) bool {
	return (n.Endpoint.State == Available || n.Endpoint.State == Pending) && n.ready <= l.now
}

// Reject is the provider's refusal, of a request or of an endpoint in use
// (F1.11). The interfaces stay until the consumer deletes the endpoint.
func (l *Lab) Reject(endpoint string) error {
	e, err := l.move(endpoint, "reject", Rejected, PendingAcceptance, Pending, Available)
	if err == nil {
		l.record(EventReject, e)
	}
	return err
}

// Delete removes an endpoint and its interfaces (F1.17). Its addresses and names
// are gone; the interfaces' numbers are never used again.
func (l *Lab) Delete(endpoint string) error {
	e, err := l.move(endpoint, "delete", Deleted, PendingAcceptance, Pending, Available, Rejected)
	if err != nil {
		return err
	}
	for _, n := range e.NICs {
		l.remove(n)
	}
	l.record(EventDelete, e)
	return nil
}

// remove deletes an interface, and frees its addresses.
func (l *Lab) remove(n *NIC) {
	for _, b := range l.subnets[n.subnet].blocks {
		for _, a := range n.Addrs {
			b.free(a.Addr())
		}
	}
	n.Kind = dataplane.Absent
}

// CreateVPCEndpoint makes an endpoint while the lab runs. The error is of type
// *[Refusal] where AWS says no, and of type [Problems], with paths relative to the
// request, where something in it is a mistake.
func (l *Lab) CreateVPCEndpoint(r *NewEndpoint) error {
	path := at("vpc_endpoints", r.Name)
	b := &builder{Lab: l}
	if other, ok := l.find.endpoints[r.Name]; ok && other.State != Deleted {
		b.problems.add("name", "there is an endpoint %s already: choose another name", r.Name)
		return b.problems.verdict(path)
	}
	if !nameForm.MatchString(r.Name) {
		b.problems.add("name", "%q is not a name: use 1 to 63 letters, digits, - and _, a letter or digit first", r.Name)
	}
	spec := r.VPCEndpoint // what is filled in is ours alone
	e := &Endpoint{VPCEndpoint: &spec, Name: r.Name, path: path}
	b.resolveEndpoint(e)
	if err := b.problems.verdict(path); err != nil {
		return err
	}
	before := len(l.NICs)
	for _, s := range sortedByZone(e.zones) {
		e.NICs = append(e.NICs, b.addEndpointNIC(e, s))
	}
	if err := b.address(e, e.NICs, before); err != nil {
		return err
	}
	l.Endpoints = append(slices.DeleteFunc(slices.Clone(l.Endpoints), func(o *Endpoint) bool { return o.Name == e.Name }), e)
	slices.SortFunc(l.Endpoints, func(a, b *Endpoint) int { return strings.Compare(a.Name, b.Name) })
	l.find.endpoints[e.Name] = e
	l.record(EventConnect, e)
	if e.State == Available {
		l.setUp(e, e.NICs)
	}
	return nil
}

// address gives addresses to the new among an endpoint's interfaces. If that cannot
// be done, the lab's interfaces are again those before.
func (b *builder) address(e *Endpoint, nics []*NIC, before int) error {
	b.designateEndpoint(e, nics)
	if len(b.problems) == 0 {
		b.allotEndpoint(e, nics)
	}
	err := b.problems.verdict(e.path)
	if err != nil {
		for _, n := range b.NICs[before:] {
			b.remove(n)
		}
		b.NICs = b.NICs[:before]
	}
	return err
}

// ModifyVPCEndpoint changes an endpoint, which is pending while it is set up anew.
// Interfaces that stay carry on meanwhile (F1.4, F1.9). Errors are those of
// [Lab.CreateVPCEndpoint].
func (l *Lab) ModifyVPCEndpoint(c *EndpointChange) error {
	e, err := l.Endpoint(c.VPCEndpoint)
	if err != nil {
		return err
	}
	if err := e.must("modify", PendingAcceptance, Pending, Available); err != nil {
		return err
	}
	b := &builder{Lab: l}
	spec := *e.VPCEndpoint
	spec.SubnetIDs = b.changed(e.path, "subnet_ids", spec.SubnetIDs, c.AddSubnets, c.RemoveSubnets)
	spec.SecurityGroups = b.changed(e.path, "security_group_ids", spec.SecurityGroups, c.AddGroups, c.RemoveGroups)
	spec.PrivateIPs = c.PrivateIPs
	if c.PrivateDNS != nil {
		spec.PrivateDNS = *c.PrivateDNS
	}
	if len(spec.SecurityGroups) == 0 {
		b.problems.add(at(e.path, "remove_security_group_ids"), "an endpoint keeps one security group at least")
	}
	draft := *e
	draft.VPCEndpoint = &spec
	b.endpointPlaces(&draft)
	b.offered(&draft)
	if err := b.problems.verdict(e.path); err != nil {
		return err
	}
	before := len(l.NICs)
	draft.NICs = b.newPlaces(e, &draft, c.PrivateIPs)
	if err := b.address(&draft, draft.NICs, before); err != nil {
		return err
	}
	for _, n := range e.NICs {
		if !slices.Contains(draft.NICs, n) {
			l.remove(n)
		}
	}
	*e = draft
	for _, n := range e.NICs {
		n.Endpoint, n.groups = e, e.groups
	}
	if e.State != PendingAcceptance {
		l.setUp(e, l.NICs[before:])
	}
	return nil
}

// newPlaces returns the interfaces of a changed endpoint: those that stay, and new
// ones without addresses where it has none or designates another address.
func (b *builder) newPlaces(e, draft *Endpoint, designated map[string]string) []*NIC {
	var nics []*NIC
	for _, s := range sortedByZone(draft.zones) {
		i := slices.IndexFunc(e.NICs, func(n *NIC) bool { return n.subnet == s.number })
		another := false
		for name, a := range designated {
			if baseName(name) == s.name {
				another = i >= 0 && e.NICs[i].Addr().String() != a
			}
		}
		if i >= 0 && !another {
			nics = append(nics, e.NICs[i])
			continue
		}
		nics = append(nics, b.addEndpointNIC(draft, s))
	}
	return nics
}

// changed returns a list of names after some have come and gone.
func (b *builder) changed(path, key string, names, add, remove []string) []string {
	names = slices.Clone(names)
	find := func(name string) int {
		return slices.IndexFunc(names, func(n string) bool { return baseName(n) == baseName(name) })
	}
	for i, name := range add {
		if find(name) >= 0 {
			b.problems.add(item(at(path, "add_"+key), i), "%s is there already; it has %s", name, list(names))
			continue
		}
		names = append(names, name)
	}
	for i, name := range remove {
		at := item(at(path, "remove_"+key), i)
		if j := find(name); j < 0 {
			b.problems.add(at, "%s is not there; it has %s", name, list(names))
		} else {
			names = slices.Delete(names, j, j+1)
		}
	}
	return names
}

// baseName returns a name without its VPC's.
func baseName(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }
