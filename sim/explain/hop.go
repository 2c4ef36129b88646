package explain

import (
	"fmt"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// Hop is one decision about a packet. Its JSON form is part of plsim's contract with
// users.
type Hop struct {
	Direction Direction `json:"direction"`
	Check     Check     `json:"check"`
	Component Component `json:"component"` // where it was made
	Dropped   bool      `json:"dropped"`
	Decider   *Decider  `json:"decider,omitempty"` // what decided
	// Before and After are the packet's source and destination, where they are
	// translated.
	Before string   `json:"before,omitempty"`
	After  string   `json:"after,omitempty"`
	Text   string   `json:"text"`
	Notes  []string `json:"notes,omitempty"`
}

// Direction says of which packet a decision is.
type Direction string

// The directions.
const (
	There Direction = "there" // the first packet
	Back  Direction = "back"  // what answers it
)

// Check is what is looked at, of what people look at one after the other.
type Check string

// The checks, in the order in which AWS's support goes through them.
const (
	CheckState    Check = "state"           // of endpoints and links
	CheckZone     Check = "zone"            // Availability Zones
	CheckDNS      Check = "dns"             // names
	CheckListener Check = "listener"        // of load balancers
	CheckGroups   Check = "security_groups" // of interfaces
	CheckACLs     Check = "network_acls"    // of subnets
	CheckRoutes   Check = "routes"          // of subnets and transit gateways
	CheckHealth   Check = "health"          // of targets, and which of them is chosen
	CheckDelivery Check = "delivery"        // translation, and who gets the packet
)

// Checks are all of them, in their order.
var Checks = []Check{CheckState, CheckZone, CheckDNS, CheckListener, CheckGroups, CheckACLs, CheckRoutes, CheckHealth, CheckDelivery}

// Component is a network interface as people know it.
type Component struct {
	Label string `json:"label"` // consumer/app
	ID    string `json:"id"`    // eni-…
}

// Decider is what decided.
type Decider struct {
	Kind  string `json:"kind"`           // security_group_rule, network_acl_rule, route, target or link
	Name  string `json:"name"`           // consumer/endpoint
	ID    string `json:"id,omitempty"`   // sg-…
	Rule  string `json:"rule,omitempty"` // tcp 80 from 10.0.0.0/16; 100
	Place string `json:"place,omitempty"`
}

// Hops describes every decision.
func (k *Walked) Hops() []Hop {
	w := writer{prog: k.Prog}
	var hops []Hop
	at := k.Packet
	stop := k.Stop()
	for i := range k.Trace.Steps {
		s := &k.Trace.Steps[i]
		h := Hop{Direction: There, Check: check(s), Component: w.component(s.Interface), Decider: w.decider(s), Dropped: s == stop}
		if s.Answer {
			h.Direction = Back
		}
		w.hop = &h
		w.step(s)
		if s.Stage == dataplane.StageTranslate && s.Why == drop.None || s.Stage == dataplane.StagePublic {
			if at != (packet.Tuple{}) && !s.Answer {
				h.Before = tuple(at)
			}
			h.After, at = tuple(s.Tuple), s.Tuple
		}
		if h.Text != "" {
			hops = append(hops, h)
		}
	}
	return hops
}

func (w *writer) component(id dataplane.InterfaceID) Component {
	if id == dataplane.NoInterface {
		return Component{Label: "nothing"}
	}
	n := &w.prog.Interfaces[id]
	return Component{n.Label, n.ID}
}

// check says which check a decision belongs to.
func check(s *dataplane.TraceStep) Check {
	switch s.Stage {
	case dataplane.StageZone:
		return CheckZone
	case dataplane.StageFilter:
		return CheckGroups
	case dataplane.StageEdge:
		return CheckACLs
	case dataplane.StageRoute, dataplane.StageTransit:
		return CheckRoutes
	case dataplane.StageEndpoint:
		if s.Why == drop.EndpointNoZone {
			return CheckZone
		}
		return CheckState
	case dataplane.StageLink:
		return CheckState
	case dataplane.StageListener, dataplane.StageAnswer:
		return CheckListener
	case dataplane.StageTarget:
		if s.Why == drop.NoTarget {
			return CheckZone
		}
		return CheckHealth
	}
	return CheckDelivery
}

// decider says what decided, nil where nothing has a name.
func (w *writer) decider(s *dataplane.TraceStep) *Decider {
	switch {
	case s.Stage == dataplane.StageFilter && s.Result != dataplane.NoRule && int(s.Rule) < len(w.prog.Rules):
		if s.Result == dataplane.Exempt || s.Result == dataplane.NotEnforced || s.Result == dataplane.Related {
			return nil
		}
		r := &w.prog.Rules[s.Rule]
		return &Decider{Kind: "security_group_rule", Name: r.Label, ID: r.Group, Rule: r.Text, Place: r.Path}
	case s.Stage == dataplane.StageEdge:
		number := fmt.Sprint(s.Number)
		if s.Number == filter.LastNumber {
			number = "*"
		}
		return &Decider{Kind: "network_acl_rule", Name: s.ACL.Label, ID: s.ACL.ID, Rule: number, Place: s.ACL.Path(s.Number)}
	case s.Route != nil:
		return &Decider{Kind: "route", Name: s.Route.Text}
	case s.Stage == dataplane.StageTarget && s.Why == drop.None:
		c := w.component(s.To)
		return &Decider{Kind: "target", Name: c.Label, ID: c.ID}
	case s.Link != nil:
		return &Decider{Kind: "link", Name: s.Link.Label}
	}
	return nil
}

// Return describes how the answer of a packet that was delivered comes back, as far as
// it is not decided anew: by what groups and load balancers remember of the flow.
func (k *Walked) Return() (hops []Hop) {
	to := k.Delivery()
	if lost, _ := k.Lost(); to == nil || lost != drop.None || k.Packet == (packet.Tuple{}) {
		return nil
	}
	w := writer{prog: k.Prog}
	add := func(s *dataplane.TraceStep, check Check, format string, args ...any) *Hop {
		hops = append(hops, Hop{Direction: Back, Check: check, Component: w.component(s.Interface), Text: w.name(s.Interface) + ": " + fmt.Sprintf(format, args...)})
		return &hops[len(hops)-1]
	}
	at := to.Tuple.Reversed()
	add(to, CheckDelivery, "answers as %s", tuple(at))
	before := make([]packet.Tuple, len(k.Trace.Steps)) // what the packet was when it came to a step
	now := k.Packet
	for i := range k.Trace.Steps {
		before[i] = now
		if s := &k.Trace.Steps[i]; s.Stage == dataplane.StageTranslate || s.Stage == dataplane.StagePublic {
			now = s.Tuple
		}
	}
	for i := len(k.Trace.Steps) - 1; i >= 0; i-- {
		s := &k.Trace.Steps[i]
		switch {
		case s.Answer:
		case s.Stage == dataplane.StageFilter && s.Result == dataplane.Allowed:
			way := "egress"
			if s.Way == flow.Egress {
				way = "ingress"
			}
			add(s, CheckGroups, "%s of the answer allowed, since its flow is tracked", way)
		case s.Stage == dataplane.StageTranslate || s.Stage == dataplane.StagePublic:
			back := before[i].Reversed()
			h := add(s, CheckDelivery, "the answer is translated back to %s", tuple(back))
			h.Before, h.After, at = tuple(at), tuple(back), back
		}
	}
	hops = append(hops, Hop{Direction: Back, Check: CheckDelivery, Component: w.component(k.sender()), Text: w.name(k.sender()) + ": gets the answer as " + tuple(at)})
	return hops
}

// sender is the interface where the packet began.
func (k *Walked) sender() dataplane.InterfaceID {
	if len(k.Trace.Steps) == 0 {
		return dataplane.NoInterface
	}
	return k.Trace.Steps[0].Interface
}
