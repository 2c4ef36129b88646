package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/crc32"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestWorkersAgree plays the same story with one worker and with several, packets of all
// devices at the same time: each flow's packets leave as the same bytes in the same order,
// and whatever can be asked about the flows has the same answer.
func TestWorkersAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		story := rapid.SliceOfN(rapid.Custom(drawScene), 2, 10).Draw(t, "story")
		workers := rapid.SampledFrom([]int{2, 4}).Draw(t, "workers")
		alone, several := play(t, story, 1), play(t, story, workers)
		for i := range alone {
			if alone[i] != several[i] {
				t.Fatalf("what is known the %dth time, with one worker and with %d:\n%s", i, workers, differences(alone[i], several[i]))
			}
		}
	})
}

// differences returns the lines that only one of two texts has.
func differences(one, other string) string {
	var b strings.Builder
	print := func(mark, from, without string) {
		lines := strings.Split(without, "\n")
		for line := range strings.SplitSeq(from, "\n") {
			if !slices.Contains(lines, line) {
				fmt.Fprintf(&b, "%s %s\n", mark, line)
			}
		}
	}
	print("-", one, other)
	print("+", other, one)
	return b.String()
}

// stage is an engine whose time stands still until it is told.
type stage struct {
	t       *rapid.T
	engine  *engine.Engine
	ports   [d + 1]*memoryPort
	now     atomic.Int64
	epoch   uint32
	logs    *flowlog.Aggregator
	capture *dataplane.Capture
	got     map[string][]uint32 // checksums of frames, by receiver and flow
	frame   *packet.Frame
	last    [d + 1]uint16     // source port of what came out last
	source  [len(cast)]uint16 // of the flows, as the target sees it
	sent    int
	seen    []string // what was known after each scene
}

// A role is a flow between two hosts, or from one of them to the node.
type role struct {
	from, to dataplane.InterfaceID
	proto    packet.Proto
	v6       bool
	port     uint16 // of the client
}

var cast = [...]role{
	{a, b, packet.TCP, false, 4000},
	{a, b, packet.UDP, false, 4001},
	{a, d, packet.TCP, false, 4002},
	{b, d, packet.UDP, false, 4003},
	{b, a, packet.TCP, true, 4004},
	{b, a, packet.UDP, true, 4005},
	{c, a, packet.UDP, false, 4006},
}

// A scene is something that happens when all packets before have arrived.
type scene struct {
	kind   string
	asks   []string // what somebody wants to know after it
	role   int
	pass   time.Duration
	times  int
	bursts [len(cast)][2][]line
}

// A line is one packet of a flow: what is unusual about it.
type line struct {
	size int
	odd  string
}

func drawScene(t *rapid.T) (s scene) {
	s.kind = rapid.SampledFrom([]string{"burst", "burst", "burst", "burst", "open", "edit", "watch", "pass", "pass", "gone"}).Draw(t, "kind")
	for _, what := range []string{"flows", "metrics", "drops", "log", "all logs"} {
		if rapid.IntRange(0, 3).Draw(t, what) == 0 {
			s.asks = append(s.asks, what)
		}
	}
	switch s.kind {
	case "open":
		s.role = rapid.IntRange(0, len(cast)-1).Draw(t, "role")
	case "pass":
		s.pass = rapid.SampledFrom([]time.Duration{time.Millisecond, 15 * time.Second, 61 * time.Second, 130 * time.Second, 200 * time.Second, 400 * time.Second}).Draw(t, "time")
	case "burst":
		s.times = rapid.IntRange(1, 3).Draw(t, "times")
		for i := range s.bursts {
			for dir := range s.bursts[i] {
				n := rapid.SampledFrom([]int{0, 1, 20, 40}).Draw(t, "packets")
				for range n {
					l := line{size: rapid.SampledFrom([]int{0, 1, 100, 4000}).Draw(t, "size")}
					if rapid.IntRange(0, 40).Draw(t, "odd") == 40 {
						l.odd = rapid.SampledFrom([]string{"fin", "rst", "rst", "ttl", "long", "wrong", "fragments", "push", "stranger"}).Draw(t, "what")
					}
					s.bursts[i][dir] = append(s.bursts[i][dir], l)
				}
			}
		}
	}
	return s
}

// troupe is the program of the stage: groups track what passes c and d.
func troupe(epoch uint32) *dataplane.Program {
	p := program()
	p.Epoch = epoch
	p.Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 53}] = &dataplane.Listener{
		IdleTimeout: 350 * time.Second,
		Forward:     p.Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.UDP, Port: 53}].Forward,
	}
	some := filter.NewRuleSet([]filter.Rule{{Proto: filter.AnyProto, Prefix: filter.PrefixFrom(netip.MustParsePrefix("10.0.0.0/8"))}})
	p.Rules = make([]dataplane.RuleInfo, 1)
	for id := a; id <= d; id++ {
		six := packet.AddrFrom(address6(id))
		p.VPCs[0].Addrs[six] = id
		p.Interfaces[id].Addrs = append(p.Interfaces[id].Addrs, six)
	}
	for _, id := range []dataplane.InterfaceID{c, d} {
		p.Interfaces[id].Ingress, p.Interfaces[id].Egress = some, some
	}
	return p
}

func address6(id dataplane.InterfaceID) netip.Addr {
	return netip.AddrFrom16([16]byte{0: 0xfd, 15: 10 + byte(id)})
}

// play plays a story, and returns what is known after each scene.
func play(t *rapid.T, story []scene, workers int) (seen []string) {
	s := &stage{t: t, epoch: 1, frame: packet.NewFrame(), got: map[string][]uint32{}, logs: flowlog.NewAggregator(flowlog.ShortWindow, time.Time{}, 0)}
	settings := dataplane.DefaultSettings()
	settings.Accounts, settings.LogHidden = true, true
	all := pollers(workers)
	s.engine = engine.New(dataplane.New(troupe(1), settings), all, func() clock.Time { return clock.Time(s.now.Load()) }, asIs, nil)
	for id := a; id <= d; id++ {
		s.ports[id] = newPort(1 << 14)
		if err := s.engine.Attach(id, s.ports[id]); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- s.engine.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}()
	s.open(0, 1, 2, 3, 4, 5, 6)
	for i := range story {
		s.act(&story[i])
		s.look(story[i].asks)
	}
	s.look([]string{"drops", "metrics", "log", "flows", "all logs"})
	return s.seen
}

func (s *stage) do(f func(w *dataplane.Walk, now clock.Time)) {
	if err := s.engine.Do(f); err != nil {
		s.t.Fatal(err)
	}
}

// settle returns when all that was given has been forwarded, and takes what came out.
func (s *stage) settle() {
	for _, p := range s.ports {
		for p.ready() {
			s.do(func(*dataplane.Walk, clock.Time) {})
		}
	}
	for range 5 { // the first worker goes round between them
		s.do(func(*dataplane.Walk, clock.Time) {})
	}
	for id, p := range s.ports {
		for len(p.out) > 0 {
			frame := <-p.out
			s.frame.SetLen(copy(s.frame.Room(), frame))
			var v packet.View
			_ = v.Decode(s.frame)
			s.last[id] = v.SrcPort
			key := fmt.Sprint(id, v.Proto, v.Src.IP(), v.SrcPort, v.Dst.IP(), v.DstPort)
			s.got[key] = append(s.got[key], crc32.ChecksumIEEE(frame))
		}
	}
}

// spec is a packet of a flow.
func (s *stage) spec(i int, dir flow.Dir, l line) (dataplane.InterfaceID, packet.Spec) {
	r := &cast[i]
	at := func(id dataplane.InterfaceID, port uint16) netip.AddrPort {
		if r.v6 {
			return netip.AddrPortFrom(address6(id), port)
		}
		return netip.AddrPortFrom(address(id), port)
	}
	s.sent++
	from, to := r.from, r.to
	spec := packet.Spec{Proto: r.proto, Src: at(from, r.port), Dst: at(to, 53), Flags: packet.ACK, Seq: uint32(s.sent), ID: uint16(s.sent)}
	if dir == flow.Reply {
		from, to = to, from
		spec.Src, spec.Dst = spec.Dst, spec.Src
		if from == d { // the target answers the node
			from, to = c, d
			spec.Src, spec.Dst = at(c, 53), at(d, s.source[i])
		}
	}
	spec.SrcMAC, spec.DstMAC = packet.MAC{2, 0, 0, 0, 0, byte(from)}, packet.MAC{2, 0, 0, 0, 0, byte(to)}
	spec.Payload = bytes.Repeat([]byte{byte(s.sent)}, l.size)
	if l.size > 1400 {
		spec.GSOSize = 1400
	}
	switch l.odd {
	case "fin":
		spec.Flags |= packet.FIN
	case "rst":
		spec.Flags |= packet.RST
	case "push":
		spec.Flags |= packet.PSH | packet.URG
	case "ttl":
		spec.TTL = 1
	case "long":
		spec.GSOSize, spec.Payload = 0, make([]byte, 9100)
	case "stranger":
		spec.Src = netip.AddrPortFrom(spec.Src.Addr(), spec.Src.Port()+1000)
	}
	return from, spec
}

// frames are the frames of a packet.
func (s *stage) frames(i int, dir flow.Dir, l line) (from dataplane.InterfaceID, all [][]byte) {
	from, spec := s.spec(i, dir, l)
	f := s.frame
	if l.odd != "fragments" || cast[i].to == d { // there each gets a number, in the order of all
		spec.Build(f)
		if l.odd == "wrong" {
			f.Ethernet()[len(f.Ethernet())-1] ^= 1
		}
		return from, [][]byte{bytes.Clone(f.Bytes())}
	}
	spec.GSOSize, spec.Payload = 0, make([]byte, 100)
	spec.BuildFragment(f, 0, 48)
	first := bytes.Clone(f.Bytes())
	spec.BuildFragment(f, 48, 1000)
	return from, [][]byte{first, bytes.Clone(f.Bytes())}
}

// open opens flows anew. First packets come one by one: they draw source ports.
func (s *stage) open(roles ...int) {
	for n, flags := range []packet.Flags{packet.SYN, packet.SYN | packet.ACK, packet.ACK, packet.ACK} {
		for _, i := range roles {
			from, spec := s.spec(i, flow.Dir(n%2), line{})
			spec.Flags = flags
			spec.Build(s.frame)
			s.ports[from].giveWhole(bytes.Clone(s.frame.Bytes()))
			if s.last[c] = s.source[i]; n == 0 {
				s.settle()
			}
			if n == 0 && cast[i].to == d {
				s.source[i] = s.last[c]
			}
		}
		s.settle()
	}
}

// remind sends a packet of each flow, and one that answers it: which of a flow's packets is
// the first after an edit is not the engine's to say.
func (s *stage) remind() {
	for _, dir := range []flow.Dir{flow.Forward, flow.Reply} {
		for i := range cast {
			from, frames := s.frames(i, dir, line{})
			s.ports[from].giveWhole(frames...)
		}
		s.settle()
	}
}

// burst sends what a scene says, all devices at the same time.
func (s *stage) burst(x *scene) {
	var given [d + 1][][]byte
	for n := range 40 {
		for i := range x.bursts {
			for dir, lines := range x.bursts[i] {
				if n < len(lines) {
					from, frames := s.frames(i, flow.Dir(dir), lines[n])
					given[from] = append(given[from], frames...)
				}
			}
		}
	}
	for id, frames := range given {
		s.ports[id].giveWhole(frames...)
	}
}

// act does what a scene says.
func (s *stage) act(x *scene) {
	switch x.kind {
	case "burst":
		for range x.times {
			s.burst(x)
			s.settle()
		}
	case "open":
		s.open(x.role)
	case "pass":
		s.now.Add(int64(x.pass))
		for range 3 { // the walk looks for what is idle
			s.ports[a].poller.Wake()
			s.do(func(*dataplane.Walk, clock.Time) {})
		}
		s.remind()
	case "edit":
		s.epoch++
		s.do(func(w *dataplane.Walk, _ clock.Time) { w.Load(troupe(s.epoch)) })
		s.remind()
	case "watch":
		s.do(func(w *dataplane.Walk, _ clock.Time) {
			if s.capture != nil {
				w.Unwatch(s.capture)
				s.describeCapture()
				s.capture = nil
				return
			}
			s.capture = &dataplane.Capture{Room: 1 << 26}
			w.Watch(s.capture, a, d)
		})
	case "gone":
		s.do(func(*dataplane.Walk, clock.Time) { s.engine.Detach(b) })
		port := newPort(1 << 14)
		s.do(func(*dataplane.Walk, clock.Time) {
			if err := s.engine.Attach(b, port); err != nil {
				s.t.Fatal(err)
			}
		})
		s.ports[b] = port
	}
	s.settle()
}

// describeCapture writes down what was captured. Packets of different flows may pass in any
// order.
func (s *stage) describeCapture() {
	var seen []string
	for _, p := range s.capture.Packets {
		seen = append(seen, fmt.Sprintf("captured %v %v %v %v %x", p.Time, p.At, p.Way, p.Why, crc32.ChecksumIEEE(p.Frame)))
	}
	slices.Sort(seen)
	s.seen = append(s.seen, strings.Join(seen, "\n"))
}

// look writes down what came out, and what somebody wants to know beside that.
func (s *stage) look(asks []string) {
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(s.got)) {
		fmt.Fprintf(&b, "%s: %x\n", key, s.got[key])
	}
	clear(s.got)
	for _, what := range asks {
		s.do(func(w *dataplane.Walk, now clock.Time) { s.ask(&b, what, w, now) })
	}
	s.seen = append(s.seen, b.String())
}

// ask writes down one thing that can be known of a walk.
func (s *stage) ask(b *strings.Builder, what string, w *dataplane.Walk, now clock.Time) {
	switch what {
	case "drops":
		for id := a; id <= d; id++ {
			for why, n := range w.Drops(id) {
				if n > 0 {
					fmt.Fprintf(b, "dropped at %d: %d for %v\n", id, n, drop.Reason(why))
				}
			}
		}
	case "flows":
		var flows []string
		for slot := 0; slot >= 0; {
			slot = w.ViewFlows(now, slot, 64, func(v *dataplane.FlowView) { flows = append(flows, fmt.Sprintf("flow %+v\n", *v)) })
		}
		slices.Sort(flows)
		b.WriteString(strings.Join(flows, ""))
		fmt.Fprintf(b, "delivered %v\n", w.Delivered())
	case "metrics":
		for _, series := range w.Metrics(now) {
			fmt.Fprintf(b, "metrics %+v\n", series)
		}
	default:
		s.logs.Add(w.TakeLog())
		if what == "all logs" {
			s.logs.Add(w.LogSoFar())
		}
		for _, r := range s.logs.Snapshot(func(flow.Scope) (flowlog.Interface, bool) { return flowlog.Interface{}, true }) {
			fmt.Fprintf(b, "record %+v\n", r)
		}
	}
}
