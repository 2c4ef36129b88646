package topology

import "github.com/plsim/plsim/dataplane"

// Condition is the state of a part of the lab, in the words of AWS's API where it has
// some.
type Condition struct {
	Part   string // vpc_endpoint.api, target_group.web web-1
	State  string
	Reason string // of a target's health; else ""
}

// Conditions returns the states of endpoints, endpoint services and targets, and what is
// down: in an order that does not change as long as the parts do not.
func (l *Lab) Conditions() []Condition {
	var all []Condition
	for _, e := range l.Endpoints {
		all = append(all, Condition{"vpc_endpoint." + e.Name, string(e.State), ""})
	}
	for _, o := range l.offers {
		all = append(all, Condition{"endpoint_service." + o.name, string(o.State), ""})
	}
	for _, p := range l.pools {
		health, _ := l.TargetHealth(p.name) // it exists
		for _, h := range health {
			all = append(all, Condition{"target_group." + p.name + " " + h.Target, string(h.State), h.Reason})
		}
	}
	for _, w := range l.wires {
		state := "up"
		if w.down() {
			state = "down"
		}
		all = append(all, Condition{"link." + w.name, state, ""})
	}
	told := map[dataplane.ZoneID]bool{}
	for _, sub := range l.subnets {
		if z := sub.zone; z.ID != "" && !told[z.Num] {
			told[z.Num] = true
			state := "available"
			if l.lost[z.Num] {
				state = "lost"
			}
			all = append(all, Condition{"availability_zone." + z.ID, state, ""})
		}
	}
	return all
}
