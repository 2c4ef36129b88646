package dataplane

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/conntrack"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
)

// What CloudWatch counts. Events are counted where they are decided, and packets as
// they follow their paths.

// Metrics returns what was counted up to now at the load balancers' nodes and the
// endpoints' interfaces.
func (w *Walk) Metrics(now clock.Time) []metrics.Series {
	w.measureDrops()
	w.meter.Advance(now)
	return w.meter.Snapshot()
}

// measureDrops counts what died at endpoints, before a slot of the meter ends.
func (w *Walk) measureDrops() {
	w.settle()
	w.bury()
	for id := range w.prog.Interfaces {
		if w.prog.Interfaces[id].Kind != Endpoint {
			continue
		}
		var sum uint64
		for why, n := range w.drops[id] {
			if !onLink(drop.Reason(why)) { // beyond the endpoint
				sum += n
			}
		}
		w.meter.Add(metrics.Place{Node: metrics.None, Endpoint: flow.Scope(id)}, metrics.Dropped, sum-w.died[id])
		w.died[id] = sum
	}
}

// measure makes the packets of a path be counted, and their bytes, that a load balancer
// processes. Health checks are no bytes of its flows (F2.69).
func (w *Walk) measure(p *path) {
	if !p.measured {
		return
	}
	p.traffic = w.meter.Traffic(p.place)
	if !p.balanced.Valid() {
		p.bytes = noBytes
	}
}

// begins counts a new flow of a load balancer, which is sent to a target; t is nil
// where the node answers itself. A client and its target are one flow (F2.69).
func (d *decision) begins(t *Target) {
	f := d.w.flows.At(d.path.balanced)
	if f == nil || f.Called() || f.Masquerades() {
		return // a probe, or counted already, or none of a load balancer's
	}
	f.Active = true
	count, active := activity(f)
	d.w.meter.Add(d.path.place, count, 1)
	d.w.meter.Change(d.path.place, active, 1)
	if t != nil && t.FailOpen {
		d.w.meter.Add(d.path.place, metrics.FailOpen, 1) // F2.56
	}
}

// ends takes a flow from those that are active. It may be over already.
func (w *Walk) ends(f *nlb.Flow) {
	if !f.Active {
		return
	}
	f.Active = false
	_, active := activity(f)
	w.meter.Change(placeOf(f), active, -1)
}

// activity returns what a flow counts as.
func activity(f *nlb.Flow) (metrics.Counter, metrics.Gauge) {
	switch {
	case f.Answers():
		return metrics.NewTLS, metrics.ActiveTLS
	case f.Proto == packet.UDP:
		return metrics.NewUDP, metrics.ActiveUDP
	}
	return metrics.NewTCP, metrics.ActiveTCP
}

// turns counts what a FIN or RST means to a load balancer's flow: nobody who is
// about to close is active (F1.54), and AWS counts who reset it (F2.62).
func (w *Walk) turns(p *path, dir flow.Dir, v *packet.View) {
	f := w.flows.At(p.balanced)
	if f == nil || f.Called() {
		return
	}
	w.meter.Advance(p.last)
	if v.Flags&packet.RST != 0 {
		from := metrics.ClientResets
		switch {
		case dir == flow.Reply && f.Answers():
			from = metrics.BalancerResets
		case dir == flow.Reply:
			from = metrics.TargetResets
		}
		w.meter.Add(p.place, from, 1)
	}
	if p.life.State() >= conntrack.Closing {
		w.ends(f)
	}
}

// rejects counts a flow that a load balancer refuses on its own account.
func (d *decision) rejects(why drop.Reason) {
	if !d.commit {
		return
	}
	switch why {
	case drop.PortAllocation:
		d.w.meter.Add(d.path.place, metrics.PortErrors, 1) // F2.30
	case drop.NoListener, drop.NoTarget:
	default:
		return
	}
	count := metrics.RejectedTCP
	if d.v.Proto == packet.UDP {
		count = metrics.RejectedUDP
	}
	d.w.meter.Add(d.path.place, count, 1)
}

// blocks counts what the security groups of a load balancer's node refuse: new
// flows, and every message of ICMP (F2.66), each of which is therefore judged anew.
func (d *decision) blocks(at InterfaceID, way flow.Way) {
	if !d.commit || d.w.prog.Interfaces[at].Kind != Node || d.v.Proto == packet.TCP && d.midway() {
		return
	}
	count := metrics.BlockedInICMP
	if way == flow.Egress {
		count = metrics.BlockedOutICMP
	}
	switch d.v.Proto {
	case packet.TCP:
		count += metrics.BlockedInTCP - metrics.BlockedInICMP
	case packet.UDP:
		count += metrics.BlockedInUDP - metrics.BlockedInICMP
	default:
		d.passing = true
	}
	d.w.meter.Add(d.path.place, count, 1)
}

// Misnegotiated counts a TLS handshake of a node's server that failed, as one of
// metrics.ClientTLSErrors and metrics.TargetTLSErrors.
func (w *Walk) Misnegotiated(now clock.Time, node InterfaceID, with metrics.Counter) {
	w.meter.Advance(now)
	w.meter.Add(metrics.Place{Node: flow.Scope(node), Endpoint: metrics.None}, with, 1)
}

// noBytes stands for those of the connections that a TLS listener makes: its flows
// are counted at the client's side.
const noBytes = metrics.NumCounters

// bytesOfFlow corrects what bytesOf says of the packets of a flow.
func bytesOfFlow(f *nlb.Flow, as metrics.Counter) metrics.Counter {
	switch {
	case f.Called():
		return noBytes
	case f.Answers() && as == metrics.BytesTCP:
		return metrics.BytesTLS
	}
	return as
}

// placeOf returns where a flow is counted.
func placeOf(f *nlb.Flow) metrics.Place {
	if f.Masquerades() {
		return metrics.Nowhere
	}
	return metrics.Place{Node: f.Node, Endpoint: f.Via}
}

// bytesOf returns which bytes a packet's are.
func bytesOf(proto packet.Proto) metrics.Counter {
	switch proto {
	case packet.TCP:
		return metrics.BytesTCP
	case packet.UDP:
		return metrics.BytesUDP
	}
	return metrics.BytesOther
}
