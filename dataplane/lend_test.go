package dataplane_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestLent compares a walk that lends what it can to two couriers with one that does all
// by itself: no byte of what comes out differs, nor anything that can be asked, whenever it
// is asked.
func TestLent(t *testing.T) {
	carried := 0
	rapid.Check(t, func(rt *rapid.T) {
		p := newPair(t, rt, rapid.Bool().Draw(rt, "v6"), rapid.Uint64().Draw(rt, "seed"))
		rt.Repeat(map[string]func(*rapid.T){
			"open": p.open, "stream": p.stream, "stream2": p.stream, "stream3": p.stream, "odd": p.odd,
			"complain": p.complain, "pause": p.pause, "edit": p.edit, "ask": p.ask, "watch": p.watch,
		})
		carried += p.carried
	})
	if carried == 0 {
		t.Error("couriers carried nothing")
	}
}

// pair is two walks that are given the same.
type pair struct {
	t            rapid.TB
	l            *lab
	alone, lends *dataplane.Walk
	couriers     [2]*dataplane.Courier // of devices with even and odd numbers
	lenders      [2]*dataplane.Lender
	logs         map[*dataplane.Walk]*flowlog.Aggregator
	captures     [2]*dataplane.Capture
	now          clock.Time
	flows        []*opened
	carried      int
	a, b         *packet.Frame
}

func newPair(t *testing.T, rt rapid.TB, v6 bool, seed uint64) *pair {
	p := &pair{t: rt, l: newLab(t, v6, recipeLab), logs: map[*dataplane.Walk]*flowlog.Aggregator{}, a: packet.NewFrame(), b: packet.NewFrame()}
	s := dataplane.DefaultSettings()
	s.Seed, s.Accounts, s.LogHidden = seed, true, true
	p.alone, p.lends = dataplane.New(p.l.prog, s), dataplane.New(p.l.prog, s)
	for i := range p.couriers {
		p.couriers[i], p.lenders[i] = p.lends.Hire(func() {})
	}
	for _, w := range []*dataplane.Walk{p.alone, p.lends} {
		p.logs[w] = flowlog.NewAggregator(flowlog.ShortWindow, time.Time{}, 0)
	}
	return p
}

// TestLentFlowEnds: what one side says of the end of its flow holds for what the other side
// sends, which a courier has carried up to then.
func TestLentFlowEnds(t *testing.T) {
	for _, flags := range []packet.Flags{packet.RST, packet.FIN | packet.ACK} {
		p := newPair(t, t, false, 1)
		f := p.dial("shop/ep", packet.TCP, 40000)
		p.exchange(f, 40)
		if p.carried < 40 {
			t.Fatalf("couriers carried %d packets", p.carried)
		}
		for _, way := range []int{1, 0} {
			last := f.sends[way]
			last.Flags = flags
			p.send(f.from[way], &last)
			p.exchange(f, 1)
			p.now = p.now.Add(11 * time.Second) // longer than anybody remembers what is closed
			p.exchange(f, 1)
		}
	}
}

// TestLentIsKnown: who asks where a packet would go knows when couriers saw the flow last.
func TestLentIsKnown(t *testing.T) {
	p := newPair(t, t, false, 1)
	f := p.dial("shop/ep", packet.TCP, 40000)
	p.exchange(f, 40)
	for range 3 {
		p.now = p.now.Add(200 * time.Second)
		p.send(f.from[0], &f.sends[0])
	}
	p.now = p.now.Add(200 * time.Second)
	f.sends[0].Build(p.a)
	for _, w := range []*dataplane.Walk{p.alone, p.lends} {
		if to, why := w.Probe(p.now, f.from[0], p.a, nil); to != f.from[1] || why != drop.None {
			t.Errorf("it would go to %s: %v", p.l.name(to), why)
		}
	}
}

// TestLentIsHeardOf: what an end says of a flow by ICMP is heard for as long as the flow goes
// on, though the load balancer has seen none of its packets since it was lent: couriers know
// when the last one passed.
func TestLentIsHeardOf(t *testing.T) {
	for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
		for _, v6 := range []bool{false, true} {
			p := newPair(t, t, v6, 1)
			f := p.dial("shop/ep", proto, 40000)
			p.exchange(f, 40)
			for range 8 { // longer than any flow may be idle
				p.now = p.now.Add(60 * time.Second)
				p.exchange(f, 1)
			}
			carried := p.carried
			for way := range f.from {
				if to, got := p.send(f.from[way], unreachable(&f.sends[way])); to != f.from[1-way] || !isUnreachable(&got) {
					t.Errorf("proto %d, IPv6 %v: what %s says goes to %s", proto, v6, p.l.name(f.from[way]), p.l.name(to))
				}
			}
			if p.exchange(f, 1); p.carried != carried+2 {
				t.Errorf("proto %d, IPv6 %v: the flow is no longer lent", proto, v6)
			}
		}
	}
}

func isUnreachable(v *packet.View) bool {
	return v.Proto == packet.ICMP && v.Type == 3 || v.Proto == packet.ICMPv6 && v.Type == 1
}

// opened is a flow: what its two ends send, from where.
type opened struct {
	from  [2]dataplane.InterfaceID
	sends [2]packet.Spec
}

// send gives a packet to both walks, and returns where it came out and as what.
func (p *pair) send(in dataplane.InterfaceID, s *packet.Spec) (to dataplane.InterfaceID, got packet.View) {
	s.Build(p.a)
	s.Build(p.b)
	to, why := p.alone.Process(p.now, in, p.a)
	i := in % 2
	lent := []dataplane.Passage{{In: in, Frame: p.b}}
	if p.couriers[i].Carry(p.now, lent); lent[0].Out != dataplane.NoInterface {
		p.carried++
	} else {
		noted := p.lenders[i].Consider(&lent[0])
		if p.lends.ProcessBatch(p.now, lent); noted {
			p.lenders[i].Lend()
		}
	}
	lentTo, lentWhy := lent[0].Out, lent[0].Why
	if to != lentTo || why != lentWhy || to != dataplane.NoInterface && !bytes.Equal(p.a.Bytes(), p.b.Bytes()) {
		p.t.Fatalf("%s %v > %v flags %v: to %s, %v; lent: to %s, %v\n%x\n%x",
			p.l.name(in), s.Src, s.Dst, s.Flags, p.l.name(to), why, p.l.name(lentTo), lentWhy, p.a.Bytes(), p.b.Bytes())
	}
	if to != dataplane.NoInterface && why == drop.None {
		if why := got.Decode(p.a); why != drop.None {
			p.t.Fatal(why)
		}
		return to, got
	}
	return dataplane.NoInterface, got
}

// open opens a flow, as far as it gets.
func (p *pair) open(rt *rapid.T) {
	to := rapid.SampledFrom([]string{"shop/web", "shop/ep"}).Draw(rt, "to")
	proto := rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(rt, "proto")
	if f := p.dial(to, proto, uint16(rapid.IntRange(40000, 40001).Draw(rt, "port"))); f != nil {
		p.flows = append(p.flows, f)
	}
}

// dial opens a flow; it returns nil where nobody answers.
func (p *pair) dial(to string, proto packet.Proto, port uint16) *opened {
	s := dial(p.l, "shop/app", to, proto)
	s.Src = netip.AddrPortFrom(s.Src.Addr(), port)
	s.Dst = netip.AddrPortFrom(s.Dst.Addr(), 80)
	f := &opened{from: [2]dataplane.InterfaceID{p.l.id("shop/app")}}
	f.sends[0] = *s
	at, got := p.send(f.from[0], s)
	if at == dataplane.NoInterface {
		return nil
	}
	f.from[1], f.sends[1] = at, *answerTo(&got)
	p.send(at, &f.sends[1])
	for i := range f.sends {
		f.sends[i].Flags, f.sends[i].Seq = packet.ACK, f.sends[i].Seq+1
	}
	return f
}

// exchange sends packets of a flow both ways.
func (p *pair) exchange(f *opened, n int) {
	for range n {
		p.send(f.from[0], &f.sends[0])
		p.send(f.from[1], &f.sends[1])
	}
}

// stream sends packets of a flow one way, or both.
func (p *pair) stream(rt *rapid.T) {
	if len(p.flows) == 0 {
		return
	}
	f := rapid.SampledFrom(p.flows).Draw(rt, "flow")
	ways := rapid.SampledFrom([][]int{{0}, {1}, {0, 1}}).Draw(rt, "ways")
	size := rapid.SampledFrom([]int{0, 7, 1000, 5000}).Draw(rt, "size")
	for range rapid.SampledFrom([]int{1, 20, 40}).Draw(rt, "packets") {
		for _, way := range ways {
			s := f.sends[way]
			s.Payload = make([]byte, size)
			if size > 1400 {
				s.GSOSize = 1400
			}
			p.send(f.from[way], &s)
		}
	}
}

// odd sends a packet of a flow that is not plain.
func (p *pair) odd(rt *rapid.T) {
	if len(p.flows) == 0 {
		return
	}
	f, way := rapid.SampledFrom(p.flows).Draw(rt, "flow"), rapid.IntRange(0, 1).Draw(rt, "way")
	s := f.sends[way]
	switch rapid.IntRange(0, 5).Draw(rt, "what") {
	case 0:
		s.Flags |= packet.FIN
	case 1:
		s.Flags |= packet.RST
	case 2:
		s.Flags = packet.SYN
	case 3:
		s.TTL = 1
	case 4:
		s.Payload = make([]byte, 9100)
	case 5:
		s.SrcMAC[5]++
	}
	p.send(f.from[way], &s)
}

// complain has an end say something of a flow by ICMP.
func (p *pair) complain(rt *rapid.T) {
	if len(p.flows) > 0 {
		f, way := rapid.SampledFrom(p.flows).Draw(rt, "flow"), rapid.IntRange(0, 1).Draw(rt, "way")
		p.send(f.from[way], unreachable(&f.sends[way]))
	}
}

// pause lets time pass. Whoever forwards looks for what is idle.
func (p *pair) pause(rt *rapid.T) {
	p.now = p.now.Add(rapid.SampledFrom([]time.Duration{
		time.Millisecond, 4 * time.Second, 11 * time.Second, 61 * time.Second, 130 * time.Second, 200 * time.Second, 360 * time.Second,
	}).Draw(rt, "time"))
	if rapid.Bool().Draw(rt, "expire") {
		p.alone.Expire(p.now, p.alone.Slots())
		p.lends.Expire(p.now, p.lends.Slots())
	}
}

func (p *pair) edit(rt *rapid.T) {
	line := rapid.SampledFrom(recipeEdits).Draw(rt, "line")
	if err := p.l.edit("- " + line); err != nil {
		if err := p.l.edit("+ " + line); err != nil {
			rt.Fatal(err)
		}
	}
	p.alone.Load(p.l.prog)
	p.lends.Load(p.l.prog)
}

// watch begins a capture, or ends the one that there is.
func (p *pair) watch(rt *rapid.T) {
	if p.captures[0] == nil {
		p.captures = [2]*dataplane.Capture{watchAll(p.alone), watchAll(p.lends)}
		return
	}
	p.alone.Unwatch(p.captures[0])
	p.lends.Unwatch(p.captures[1])
	if a, b := fmt.Sprint(p.captures[0].Packets), fmt.Sprint(p.captures[1].Packets); a != b {
		rt.Fatalf("captured: %s; lent: %s", a, b)
	}
	p.captures = [2]*dataplane.Capture{}
}

// ask wants to know something of both walks.
func (p *pair) ask(rt *rapid.T) {
	what := rapid.SampledFrom([]string{"flows", "metrics", "drops", "log", "whole log"}).Draw(rt, "what")
	if a, b := p.known(p.alone, what), p.known(p.lends, what); a != b {
		rt.Fatalf("%s: %s\nlent: %s", what, a, b)
	}
}

func (p *pair) known(w *dataplane.Walk, what string) string {
	switch what {
	case "flows":
		var all []string
		for slot := 0; slot >= 0; {
			slot = w.ViewFlows(p.now, slot, 64, func(v *dataplane.FlowView) { all = append(all, fmt.Sprintf("%+v\n", *v)) })
		}
		slices.Sort(all)
		return strings.Join(all, "") + fmt.Sprint(w.Delivered())
	case "metrics":
		return fmt.Sprintf("%+v", w.Metrics(p.now))
	case "drops":
		var b strings.Builder
		for _, id := range p.l.all() {
			fmt.Fprintln(&b, id, w.Drops(id))
		}
		return b.String()
	case "whole log":
		p.logs[w].Add(w.LogSoFar())
	default:
		p.logs[w].Add(w.TakeLog())
	}
	return fmt.Sprint(p.logs[w].Snapshot(p.l.describe))
}
