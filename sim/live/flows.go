package live

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology"
)

// Flow is a flow as people see it. Its JSON form is part of plsim's contract with users.
type Flow struct {
	Protocol string `json:"protocol"`
	Client   string `json:"client"` // the interface, by its label
	// What it sends, and what the target gets of that, behind the translation; nil of what
	// is dropped.
	Sent     Ends  `json:"sent"`
	Received *Ends `json:"received,omitempty"`

	Endpoint     string `json:"vpc_endpoint_interface,omitempty"`
	LoadBalancer string `json:"load_balancer_node,omitempty"`
	NATGateway   string `json:"nat_gateway,omitempty"`
	Target       string `json:"target,omitempty"`
	HealthCheck  bool   `json:"health_check,omitempty"`

	State  string `json:"state"`             // new, established, stream, closing, closed, dropped
	Drop   string `json:"drop,omitempty"`    // why its packets are dropped
	DropAt string `json:"drop_at,omitempty"` // and where

	// In seconds of the lab: since its first packet, since its last, and until some
	// state of it is forgotten if no packet comes.
	Age  float64 `json:"age_seconds"`
	Idle float64 `json:"idle_seconds"`
	Left float64 `json:"left_seconds"`

	FromClient Traffic `json:"from_client"`
	ToClient   Traffic `json:"to_client"`
}

// Ends are the ends of a flow, as addresses and ports; without ports where it has none.
type Ends struct {
	Source      string `json:"source"`
	Destination string `json:"destination"`
}

// Traffic is what has gone one way.
type Traffic struct {
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

// Sight is which flows somebody wants to see. What is left empty makes no difference.
type Sight struct {
	VPC          string `json:"vpc,omitempty"`      // they begin, end or pass an endpoint there
	Instance     string `json:"instance,omitempty"` // is the client or the target
	Endpoint     string `json:"endpoint,omitempty"` // they come by it
	Protocol     string `json:"protocol,omitempty"`
	Dropped      bool   `json:"dropped,omitempty"`       // only such
	HealthChecks bool   `json:"health_checks,omitempty"` // also such
	Limit        int    `json:"limit,omitempty"`         // 0: all
}

// Flows are flows of a moment, those that had a packet last first.
type Flows struct {
	At    time.Duration `json:"at_ns"` // of the lab's time
	Flows []Flow        `json:"flows"`
	More  int           `json:"more"` // for which there was no room
}

// stretch is how many slots of the walk's tables are looked at between two packets.
const stretch = 2048

// dropped is the state of a flow whose packets are dropped.
const dropped = "dropped"

// sights calls see for every flow, with what the walk followed then; before that, and
// before packets move on from the first flows, begin, which may be nil.
func (l *Lab) sights(begin func(*dataplane.Walk), see func(*dataplane.FlowView, *dataplane.Program)) (at clock.Time, err error) {
	views := make([]dataplane.FlowView, 0, stretch)
	for next := 0; next >= 0; {
		views = views[:0]
		var prog *dataplane.Program
		err = l.Do(func(walk *dataplane.Walk, now clock.Time) {
			at, prog = now, walk.Program()
			if begin != nil && next == 0 {
				begin(walk)
			}
			next = walk.ViewFlows(now, next, stretch, func(v *dataplane.FlowView) { views = append(views, *v) })
		})
		if err != nil {
			return at, err
		}
		for i := range views {
			see(&views[i], prog)
		}
	}
	return at, nil
}

// Flows returns the flows that somebody wants to see. Packets go on meanwhile, so flows
// that come and go may be missing.
func (l *Lab) Flows(s *Sight) (*Flows, error) {
	wanted, err := l.wanted(s)
	if err != nil {
		return nil, err
	}
	type sight struct {
		dataplane.FlowView
		prog *dataplane.Program
	}
	var all []sight
	n := 0
	latest := func() {
		slices.SortFunc(all, func(a, b sight) int {
			return cmp.Or(cmp.Compare(b.Last, a.Last), cmp.Compare(b.Began, a.Began),
				cmp.Compare(a.Key.Scope, b.Key.Scope), cmp.Compare(a.Key.SrcPort, b.Key.SrcPort), cmp.Compare(a.Key.DstPort, b.Key.DstPort))
		})
		if s.Limit > 0 && len(all) > s.Limit {
			clear(all[s.Limit:])
			all = all[:s.Limit]
		}
	}
	at, err := l.sights(nil, func(v *dataplane.FlowView, prog *dataplane.Program) {
		if !wanted(v, prog) {
			return
		}
		n++
		if all = append(all, sight{*v, prog}); s.Limit > 0 && len(all) >= 2*s.Limit+stretch {
			latest()
		}
	})
	if err != nil {
		return nil, err
	}
	latest()
	flows := &Flows{At: time.Duration(at), Flows: make([]Flow, len(all)), More: n - len(all)}
	for i := range all {
		flows.Flows[i] = flowOf(at, &all[i].FlowView, all[i].prog)
	}
	return flows, nil
}

// wanted returns what decides which flows somebody wants to see. Its error says what the
// lab does not have.
func (l *Lab) wanted(s *Sight) (func(*dataplane.FlowView, *dataplane.Program) bool, error) {
	protocols := map[string][]packet.Proto{"": nil, "tcp": {packet.TCP}, "udp": {packet.UDP}, "icmp": {packet.ICMP, packet.ICMPv6}}
	protos, ok := protocols[s.Protocol]
	if !ok {
		return nil, fmt.Errorf("there are no flows of protocol %q: choose from tcp, udp, icmp", s.Protocol)
	}
	vpc, instance, endpoint := map[dataplane.InterfaceID]bool{}, map[dataplane.InterfaceID]bool{}, map[dataplane.InterfaceID]bool{}
	err := l.Look(func(lab *topology.Lab) error {
		host, err := (*topology.Host)(nil), error(nil)
		if s.Instance != "" {
			if host, err = lab.Instance(s.Instance); err != nil {
				return err
			}
		}
		if s.Endpoint != "" {
			if _, err := lab.Endpoint(s.Endpoint); err != nil {
				return err
			}
		}
		var networks []string
		for _, n := range lab.Networks {
			networks = append(networks, n.Name)
		}
		if s.VPC != "" && !slices.Contains(networks, s.VPC) {
			if meant := topology.Suggest(s.VPC, networks); meant != "" {
				return fmt.Errorf("there is no VPC %q; did you mean %s?", s.VPC, meant)
			}
			return fmt.Errorf("there is no VPC %q; choose from %s", s.VPC, strings.Join(networks, ", "))
		}
		for _, nic := range lab.NICs {
			vpc[nic.Index] = nic.Network != nil && nic.Network.Name == s.VPC
			instance[nic.Index] = nic.Host != nil && nic.Host == host
			endpoint[nic.Index] = nic.Endpoint != nil && nic.Endpoint.Name == s.Endpoint
		}
		return nil
	})
	return func(v *dataplane.FlowView, prog *dataplane.Program) bool {
		return (s.VPC == "" || vpc[v.Client] || vpc[v.Target] || vpc[v.Endpoint]) &&
			(s.Instance == "" || instance[v.Client] || instance[v.Target]) &&
			(s.Endpoint == "" || endpoint[v.Endpoint]) &&
			(protos == nil || slices.Contains(protos, v.Key.Proto)) &&
			(!s.Dropped || v.Verdict != drop.None) &&
			(s.HealthChecks || !isHealthCheck(v, prog))
	}, err
}

// isHealthCheck reports whether a node has begun a flow on its own account.
func isHealthCheck(v *dataplane.FlowView, prog *dataplane.Program) bool {
	kind := prog.Interfaces[v.Client].Kind
	return (kind == dataplane.Node || kind == dataplane.Proxy) && !v.Balanced
}

// flowOf says of a flow what people call its parts.
func flowOf(now clock.Time, v *dataplane.FlowView, prog *dataplane.Program) Flow {
	label := func(id dataplane.InterfaceID) string {
		if id == dataplane.NoInterface {
			return ""
		}
		return prog.Interfaces[id].Label
	}
	sent := packet.Tuple{Src: v.Key.Src, Dst: v.Key.Dst, SrcPort: v.Key.SrcPort, DstPort: v.Key.DstPort}
	f := Flow{
		Protocol: protocolOf(v.Key.Proto), Client: label(v.Client), Sent: endsOf(v.Key.Proto, sent),
		Endpoint: label(v.Endpoint), Target: label(v.Target), HealthCheck: isHealthCheck(v, prog), State: v.State.String(),
		Age: now.Sub(v.Began).Seconds(), Idle: now.Sub(v.Last).Seconds(), Left: max(0, v.Idle-now.Sub(v.Last)).Seconds(),
		FromClient: Traffic(v.Sums[0]), ToClient: Traffic(v.Sums[1]),
	}
	if v.Masquerades {
		f.NATGateway = label(v.Node)
	} else {
		f.LoadBalancer = label(v.Node)
	}
	if v.Verdict != drop.None {
		f.State, f.Drop, f.DropAt = dropped, v.Verdict.String(), label(v.At)
	} else {
		got := endsOf(v.Key.Proto, v.Got)
		f.Received = &got
	}
	return f
}

func protocolOf(p packet.Proto) string {
	names := map[packet.Proto]string{packet.TCP: "tcp", packet.UDP: "udp", packet.ICMP: "icmp", packet.ICMPv6: "icmpv6"}
	return cmp.Or(names[p], fmt.Sprint(uint8(p)))
}

func endsOf(p packet.Proto, t packet.Tuple) Ends {
	text := func(a packet.Addr, port uint16) string {
		if p != packet.TCP && p != packet.UDP {
			return a.IP().String()
		}
		return netip.AddrPortFrom(a.IP(), port).String()
	}
	return Ends{text(t.Src, t.SrcPort), text(t.Dst, t.DstPort)}
}
