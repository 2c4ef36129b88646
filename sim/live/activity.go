package live

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/topology"
)

// Activity is what goes on in the lab, counted from its start: whoever wants rates
// compares two of them.
type Activity struct {
	At time.Duration `json:"at_ns"` // of the lab's time
	// States is how many flows are in each state, Connections of load balancers' targets
	// included and their health checks not.
	States  map[string]int   `json:"states"`
	Targets []TargetActivity `json:"targets"`
	Drops   []DropActivity   `json:"drops"`
	Recent  *Flows           `json:"recent"` // the flows that had a packet last
}

// TargetActivity is what goes on at a registered target.
type TargetActivity struct {
	TargetGroup string  `json:"target_group"`
	Target      string  `json:"target"`
	Health      string  `json:"health"`
	Flows       int     `json:"flows"` // that are not closed
	FromClients Traffic `json:"from_clients"`
	ToClients   Traffic `json:"to_clients"`
}

// DropActivity is how many packets have died for a reason, and where most of them did.
type DropActivity struct {
	Reason    string `json:"reason"`
	Packets   uint64 `json:"packets"`
	Interface string `json:"interface"`
}

// Activity returns what goes on, and some of the flows that had a packet last.
func (l *Lab) Activity(recent int) (*Activity, error) {
	a := &Activity{States: map[string]int{}}
	open, sums := map[dataplane.TargetID]int{}, map[dataplane.TargetID][2]dataplane.Sum{}
	var drops []DropActivity
	begin := func(walk *dataplane.Walk) {
		maps.Copy(sums, walk.Delivered())
		drops = dropsOf(walk)
	}
	at, err := l.sights(begin, func(v *dataplane.FlowView, prog *dataplane.Program) {
		switch {
		case isHealthCheck(v, prog):
			return
		case v.Verdict != drop.None:
			a.States[dropped]++
			return
		}
		a.States[v.State.String()]++
		if !v.Balanced {
			return
		}
		if v.State != conntrack.Closed {
			open[v.Of]++
		}
		sum := sums[v.Of]
		for dir := range sum {
			sum[dir].Packets += v.Recent[dir].Packets
			sum[dir].Bytes += v.Recent[dir].Bytes
		}
		sums[v.Of] = sum
	})
	if err != nil {
		return nil, err
	}
	a.At, a.Drops = time.Duration(at), drops
	err = l.Look(func(lab *topology.Lab) error {
		for _, t := range lab.Targets() {
			a.Targets = append(a.Targets, TargetActivity{
				TargetGroup: t.TargetGroup, Target: t.Target, Health: string(t.State), Flows: open[t.ID],
				FromClients: Traffic(sums[t.ID][0]), ToClients: Traffic(sums[t.ID][1]),
			})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	a.Recent, err = l.Flows(&Sight{Limit: recent})
	return a, err
}

// dropsOf sums up what has died everywhere, the most frequent reason first.
func dropsOf(walk *dataplane.Walk) []DropActivity {
	var all [drop.NumReasons]DropActivity
	var most [drop.NumReasons]uint64
	for id, nic := range walk.Program().Interfaces {
		for why, n := range walk.Drops(dataplane.InterfaceID(id)) {
			if n == 0 {
				continue
			}
			all[why].Reason = drop.Reason(why).String()
			if all[why].Packets += n; n > most[why] {
				most[why], all[why].Interface = n, nic.Label
			}
		}
	}
	some := slices.DeleteFunc(all[:], func(d DropActivity) bool { return d.Packets == 0 })
	slices.SortFunc(some, func(a, b DropActivity) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Reason, b.Reason))
	})
	return some
}
