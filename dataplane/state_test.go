package dataplane_test

import (
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
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// edits are changes of twoConsumers that come and go.
var edits = []string{
	"allow ep in - - 10.0.0.0/16",
	"allow app out - - 0.0.0.0/0",
	"listener nlb udp 53 web",
	"targets web provider/web-1:8080 provider/web-2:8080",
	"endpoint blue/ep blue/a 10.0.1.50 provider/nlb groups=ep",
}

// instead is what stands in the lab while an edit's line does not.
var instead = map[string]string{
	"targets web provider/web-1:8080 provider/web-2:8080":      "targets web provider/web-2:8080",
	"endpoint blue/ep blue/a 10.0.1.50 provider/nlb groups=ep": "endpoint blue/ep blue/a 10.0.1.50 provider/nlb pending groups=ep",
}

// machine is a walk that gets random packets, time and edits.
type machine struct {
	l      *lab
	w      *dataplane.Walk
	f      *packet.Frame
	now    clock.Time
	tables dataplane.Tables

	seen    []*packet.Spec // answers to what was delivered
	at      []dataplane.InterfaceID
	sent    map[dataplane.InterfaceID]uint64 // packets that left an interface's device
	got     map[dataplane.InterfaceID]uint64 // and those that were delivered to one
	dropped uint64
	gone    map[string]bool
}

// TestState plays random packets, pauses and edits, in both families, and wants
// after every step that each source port belongs to exactly one flow (F2.21); and in the
// end that the flow logs have every packet, on the interface that sent it and on
// the one that got it, and that after long silence nothing is left: no flow, no
// tracked connection, no source port (F2.30).
func TestState(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		t.Run(pick(v6, "ipv6", "ipv4"), func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := newMachine(t, rt, v6)
				rt.Repeat(map[string]func(*rapid.T){
					"open":    m.open,
					"answer":  m.answer,
					"answer2": m.answer, // more often than the rest
					"pause":   m.pause,
					"edit":    m.edit,
					"expire":  func(*rapid.T) { m.w.Expire(m.now, 64) },
					"":        m.check,
				})
				m.end(rt)
			})
		})
	}
}

func newMachine(t *testing.T, rt *rapid.T, v6 bool) *machine {
	m := &machine{
		l: newLab(t, v6, twoConsumers), f: packet.NewFrame(), gone: map[string]bool{},
		sent: map[dataplane.InterfaceID]uint64{}, got: map[dataplane.InterfaceID]uint64{},
	}
	s := dataplane.DefaultSettings()
	s.Seed = rapid.Uint64().Draw(rt, "seed")
	s.SourcePorts = rapid.SampledFrom([]int{1, 3, 0}).Draw(rt, "source ports")
	s.TrackedFlows = rapid.SampledFrom([]int{4, 0}).Draw(rt, "tracked flows")
	m.w = dataplane.New(m.l.prog, s)
	return m
}

// send puts a packet on its way, and notes what its receiver would answer.
func (m *machine) send(rt *rapid.T, in dataplane.InterfaceID, s *packet.Spec) {
	s.Build(m.f)
	to, why := m.w.Process(m.now, in, m.f)
	m.sent[in]++
	if why != drop.None {
		m.dropped++
	}
	if to == dataplane.NoInterface {
		return
	}
	if _, err := decode(m.f); err != nil {
		rt.Fatal(err)
	}
	m.got[to]++
	if why != drop.None {
		return // an answer: it was not sent by anyone
	}
	var v packet.View
	if why := v.Decode(m.f); why != drop.None {
		rt.Fatal(why)
	}
	m.seen, m.at = append(m.seen, answerTo(&v)), append(m.at, to)
}

// open sends what may begin a flow, on one of few ports, so that they meet again.
func (m *machine) open(rt *rapid.T) {
	way := rapid.SampledFrom([]string{
		"red/app red/ep", "blue/app blue/ep", "red/near red/ep", "red/app red/near", "red/app red/far",
		"red/near red/app", "provider/web-1 provider/nlb", "provider/nlb provider/web-2",
	}).Draw(rt, "way")
	from, to, _ := strings.Cut(way, " ")
	proto := rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP, m.l.proto("icmp")}).Draw(rt, "proto")
	s := dial(m.l, from, to, proto)
	s.Src = netip.AddrPortFrom(s.Src.Addr(), rapid.Uint16Range(40000, 40002).Draw(rt, "port"))
	s.Type = pick[uint8](m.l.v6, 128, 8)
	s.Seq = rapid.Uint32Range(1, 3).Draw(rt, "seq")
	s.Payload = pattern(rapid.IntRange(0, 100).Draw(rt, "length"))
	s.Flags = rapid.SampledFrom([]packet.Flags{packet.SYN, packet.SYN, packet.ACK, packet.RST, packet.FIN | packet.ACK}).Draw(rt, "flags")
	m.send(rt, m.l.id(from), s)
}

// answer sends what a receiver answers to something that it got, perhaps long ago.
func (m *machine) answer(rt *rapid.T) {
	if len(m.seen) == 0 {
		rt.Skip("nothing was delivered")
	}
	i := rapid.IntRange(max(0, len(m.seen)-8), len(m.seen)-1).Draw(rt, "which")
	s := *m.seen[i]
	s.Flags |= rapid.SampledFrom([]packet.Flags{0, 0, 0, packet.FIN, packet.RST}).Draw(rt, "flags")
	m.send(rt, m.at[i], &s)
}

func (m *machine) pause(rt *rapid.T) {
	seconds := rapid.SampledFrom([]int{1, 10, 29, 30, 31, 60, 119, 120, 180, 349, 350, 600}).Draw(rt, "seconds")
	m.now = m.now.Add(time.Duration(seconds) * time.Second)
}

func (m *machine) edit(rt *rapid.T) {
	line := rapid.SampledFrom(edits).Draw(rt, "line")
	without, with := "+ "+line, ""
	if other := instead[line]; other != "" {
		with = "\n- " + other
	}
	if !m.gone[line] {
		without, with = "- "+line, strings.Replace(with, "- ", "+ ", 1)
	}
	m.gone[line] = !m.gone[line]
	if err := m.l.edit(without + with); err != nil {
		rt.Fatal(err)
	}
	m.w.Load(m.l.prog)
}

func (m *machine) check(rt *rapid.T) {
	if err := m.tables.Count(m.w); err != nil {
		rt.Fatal(err)
	}
	var dropped uint64
	for _, id := range m.l.all() {
		for _, n := range m.w.Drops(id) {
			dropped += n
		}
	}
	if dropped != m.dropped {
		rt.Fatalf("%d packets were dropped, and %d are counted", m.dropped, dropped)
	}
}

func (m *machine) end(rt *rapid.T) {
	for range 3 {
		m.now = m.now.Add(500000 * time.Second)
		m.w.Expire(m.now, 1<<20)
	}
	m.check(rt)
	if !m.tables.Empty() {
		rt.Fatalf("left behind: %v", &m.tables)
	}
	type seen struct {
		at  string
		way flow.Way
	}
	logged := map[seen]uint64{}
	for _, r := range records(m.w, m.l) {
		if r.Way == flow.Egress || r.Action == flowlog.Accept {
			logged[seen{r.Interface.ID, r.Way}] += r.Packets
		}
	}
	for _, id := range m.l.all() {
		name := m.l.name(id)
		if m.l.prog.Interfaces[id].Kind != dataplane.Instance {
			continue // endpoints and nodes pass on what others send
		}
		if got := logged[seen{name, flow.Egress}]; got != m.sent[id] {
			rt.Errorf("%s sent %d packets, and its log has %d", name, m.sent[id], got)
		}
		if got := logged[seen{name, flow.Ingress}]; got != m.got[id] {
			rt.Errorf("%s got %d packets, and its log has %d", name, m.got[id], got)
		}
	}
}

// TestTargets spreads flows over targets: evenly (F2.14, F2.15), by sequence
// number where it is TCP, and always alike where it is UDP.
func TestTargets(t *testing.T) {
	const n = 2000
	for _, v6 := range []bool{false, true} {
		l := newLab(t, v6, twoConsumers)
		in := l.id("red/app")
		for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
			t.Run(fmt.Sprintf("%s/%d", pick(v6, "ipv6", "ipv4"), proto), func(t *testing.T) {
				f := packet.NewFrame()
				land := func(w *dataplane.Walk, port uint16, seq uint32) dataplane.InterfaceID {
					s := dial(l, "red/app", "red/ep", proto)
					s.Src, s.Seq = netip.AddrPortFrom(s.Src.Addr(), port), seq
					s.Build(f)
					to, why := w.Process(0, in, f)
					if why != drop.None {
						t.Fatal(why)
					}
					return to
				}
				w := dataplane.New(l.prog, dataplane.DefaultSettings())
				ports, seqs, again := map[dataplane.InterfaceID]int{}, map[dataplane.InterfaceID]int{}, map[dataplane.InterfaceID]int{}
				for i := range n {
					ports[land(w, uint16(10000+i), 1)]++
					seqs[land(w, 9999, uint32(i))]++
					if i < 20 {
						fresh := dataplane.New(l.prog, dataplane.DefaultSettings())
						again[land(fresh, 9999, 7)]++
					}
				}
				for _, web := range []string{"provider/web-1", "provider/web-2"} {
					// Half of them, give or take six standard deviations.
					if got := ports[l.id(web)]; got < n/2-134 || got > n/2+134 {
						t.Errorf("%s gets %d of %d flows", web, got, n)
					}
					if got := seqs[l.id(web)]; proto == packet.TCP && (got < n/2-134 || got > n/2+134) {
						t.Errorf("%s gets %d of %d connections of the same ports", web, got, n)
					}
				}
				if proto == packet.UDP && len(seqs) != 1 {
					t.Errorf("datagrams of one flow go to %d targets", len(seqs))
				}
				if len(again) != 1 {
					t.Errorf("the same seed chooses %d targets", len(again))
				}
			})
		}
	}
}

// twoBalancers is a service of two load balancers, each with a target of its own.
const twoBalancers = `
vpc red 10.0.0.0/16
vpc provider 10.9.0.0/16
subnet red/a az1 10.0.1.0/24
subnet provider/a az1 10.9.1.0/24
balancer one
balancer two
targets first provider/web-1:8080
targets second provider/web-2:8080
listener one tcp 80 first
listener two tcp 80 second
instance red/app red/a 10.0.1.10
endpoint red/ep red/a 10.0.1.50 provider/one,provider/two
node provider/one provider/a 10.9.1.5 one
node provider/two provider/a 10.9.1.6 two
instance provider/web-1 provider/a 10.9.1.21
instance provider/web-2 provider/a 10.9.1.22
`

// TestBinding (F1.47): an endpoint's interface stays with one of its zone's load
// balancers, whichever it met at first.
func TestBinding(t *testing.T) {
	l, f := newLab(t, false, twoBalancers), packet.NewFrame()
	chosen := map[dataplane.InterfaceID]int{}
	for seed := range uint64(40) {
		s := dataplane.DefaultSettings()
		s.Seed = seed
		w := dataplane.New(l.prog, s)
		met := map[dataplane.InterfaceID]bool{}
		for i := range 20 {
			p := dial(l, "red/app", "red/ep", packet.TCP)
			p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(40000+i))
			p.Build(f)
			to, why := w.Process(0, l.id("red/app"), f)
			if why != drop.None {
				t.Fatal(why)
			}
			met[to] = true
			if i == 0 {
				chosen[to]++
			}
		}
		if len(met) != 1 {
			t.Errorf("seed %d: one interface used %d load balancers", seed, len(met))
		}
	}
	if len(chosen) != 2 {
		t.Errorf("40 endpoints chose among two load balancers: %v", chosen)
	}
}

// TestHashInputs (F2.17): the hash takes the addresses that meet at the endpoint:
// two consumers' equal ones choose the same target, another client's others.
func TestHashInputs(t *testing.T) {
	l, f := newLab(t, false, twoConsumers), packet.NewFrame()
	w := dataplane.New(l.prog, dataplane.DefaultSettings())
	differ := map[string]int{}
	for i := range 100 {
		land := map[string]dataplane.InterfaceID{}
		for client, ep := range map[string]string{"red/app": "red/ep", "red/near": "red/ep", "blue/app": "blue/ep"} {
			p := dial(l, client, ep, packet.UDP)
			p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(10000+i))
			p.Build(f)
			to, why := w.Process(0, l.id(client), f)
			if why != drop.None {
				t.Fatalf("%s: %v", client, why)
			}
			land[client] = to
		}
		for client, to := range land {
			if to != land["red/app"] {
				differ[client]++
			}
		}
	}
	if differ["blue/app"] != 0 || differ["red/near"] < 20 || differ["red/near"] > 80 {
		t.Errorf("of 100 flows chose another target: %v", differ)
	}
}

// TestOneSeedOneWalk plays the same packets into two walks of one seed, and into
// one of another: the first two do the same to the byte.
func TestOneSeedOneWalk(t *testing.T) {
	l := newLab(t, false, twoConsumers)
	play := func(seed uint64) (all []byte) {
		s := dataplane.DefaultSettings()
		s.Seed = seed
		w, f := dataplane.New(l.prog, s), packet.NewFrame()
		for i := range 50 {
			p := dial(l, "red/app", "red/ep", packet.TCP)
			p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(40000+i))
			p.Build(f)
			if _, why := w.Process(0, l.id("red/app"), f); why != drop.None {
				t.Fatal(why)
			}
			all = append(all, f.Ethernet()...)
		}
		return all
	}
	if !slices.Equal(play(1), play(1)) {
		t.Error("the same seed does different things")
	}
	if slices.Equal(play(1), play(2)) {
		t.Error("the seed does nothing")
	}
}
