package dataplane_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// FuzzProcess injects arbitrary bytes at any interface of labs of three VPCs,
// through which connections run. The walk must not fail; nothing may reach
// another VPC but by way of an endpoint; and whatever comes out is well-formed.
//
// The lowest bit of how gives the frame right checksums, so that it gets beyond
// them, the next one the right MAC addresses; the others choose the interface.
func FuzzProcess(f *testing.F) {
	labs := []*lab{newLab(f, false, twoConsumers), newLab(f, true, twoConsumers), newLab(f, false, twoFamilies), newLab(f, false, chained)}
	for i, l := range labs {
		for _, b := range seeds(l) {
			f.Add(byte(i), byte(3|l.id("red/app")<<2), byte(0), b)
			f.Add(byte(i), byte(3|l.id("provider/web-1")<<2), byte(0), b)
			f.Add(byte(i), byte(1|l.id("provider/nlb")<<2), byte(1), b)
		}
	}
	frame := packet.NewFrame()
	f.Fuzz(func(t *testing.T, which, how, vnet byte, b []byte) {
		l := labs[int(which)%len(labs)]
		w := busyWalk(l)
		in := dataplane.InterfaceID(int(how>>2) % len(l.prog.Interfaces))
		if how&2 != 0 && len(b) >= 12 {
			nic := &l.prog.Interfaces[in]
			copy(b, nic.RouterMAC[:])
			copy(b[6:], nic.MAC[:])
		}
		if how&1 != 0 {
			mend(b)
		}
		if first := beginning(b); first != nil {
			frame.SetEthernet(first) // of a fragment that would be an orphan
			w.Process(1, in, frame)
		}
		frame.SetEthernet(b)
		frame.Vnet()[0], frame.Vnet()[1] = vnet&3, vnet>>2
		var v packet.View
		asks := v.Decode(frame) == drop.None && v.Kind != packet.KindIP
		var tr dataplane.Trace
		probedTo, probedWhy := w.Probe(1, in, frame, &tr)
		seen := watchAll(w)
		to, why := w.Process(1, in, frame)
		// The packet of a flow that is known goes its way whomever its frame is addressed to.
		if !asks && probedWhy != drop.DestinationMAC && (to != probedTo || why != probedWhy) {
			t.Errorf("the probe said %v, %v; the packet says %v, %v", l.name(probedTo), probedWhy, l.name(to), why)
		}
		if err := new(dataplane.Tables).Count(w); err != nil {
			t.Error(err)
		}
		if to == dataplane.NoInterface {
			if why == drop.None {
				t.Error("it vanished without a reason")
			}
			return
		}
		wellFormed(t, l, to, frame)
		if last := seen.Packets[len(seen.Packets)-1]; why == drop.None && l.prog.Interfaces[to].Kind != dataplane.Node && (last.At != to || last.Way != flow.Ingress) {
			t.Errorf("it was last seen at %s, %v, and came out at %s", l.name(last.At), last.Way, l.name(to))
		}
		crosses(t, l, in, to, frame)
	})
}

// wellFormed wants what came out to be a frame to its receiver that can be
// decoded, and its checksums to hold unless the sender's device vouched for them.
func wellFormed(t *testing.T, l *lab, to dataplane.InterfaceID, f *packet.Frame) {
	t.Helper()
	var v packet.View
	if why := v.Decode(f); why != drop.None && why != drop.BadARP { // a reply to ARP is no request
		t.Errorf("what came out is no packet: %v", why)
	}
	if v.DstMAC != l.prog.Interfaces[to].MAC {
		t.Errorf("the frame goes to %v, not to %s", v.DstMAC, l.name(to))
	}
	if f.Vnet()[0] == 0 {
		if err := checkSums(f.Ethernet()); err != nil {
			t.Error(err)
		}
	}
}

// crosses wants a packet that reaches another VPC to have come by an endpoint:
// from a consumer to a target it comes from the node, from the provider to a
// consumer from the consumer's endpoint.
func crosses(t *testing.T, l *lab, in, to dataplane.InterfaceID, f *packet.Frame) {
	t.Helper()
	from, at := &l.prog.Interfaces[in], &l.prog.Interfaces[to]
	if from.VPC == at.VPC {
		return
	}
	var v packet.View
	if why := v.Decode(f); why != drop.None {
		t.Fatalf("what came out is no packet: %v", why)
	}
	door := "provider/nlb"
	if v, ok := map[dataplane.VPCID]string{0: "red/ep", 1: "blue/ep"}[at.VPC]; ok {
		door = v
	}
	if !slices.Contains(l.nics[door].Addrs, v.Src) || at.Kind != dataplane.Instance {
		t.Errorf("%v came out at %s without having passed %s", v.Src, at.Label, door)
	}
	if from.VPC != 2 && at.VPC != 2 {
		t.Errorf("%s reached %s", from.Label, at.Label)
	}
}

// seeds are packets of every kind that the lab knows.
func seeds(l *lab) [][]byte {
	var all [][]byte
	f := packet.NewFrame()
	nic := l.nics["red/app"]
	for _, to := range []string{"10.0.1.50", "10.0.1.60", "10.0.1.11", "10.0.2.20", "10.9.1.5", "10.9.1.21", "224.0.0.1"} {
		for _, s := range []packet.Spec{
			{Proto: packet.TCP, Flags: packet.SYN, MSS: 8961, Options: []byte{1, 3, 3, 7, 4, 2}},
			{Proto: packet.TCP, Flags: packet.PSH | packet.ACK, Payload: pattern(40)},
			{Proto: packet.UDP, Payload: pattern(40)},
			{Proto: l.proto("icmp"), Type: pick[uint8](l.v6, 128, 8), Payload: pattern(40)},
			{Proto: l.proto("icmp"), Type: pick[uint8](l.v6, 1, 3), Payload: pattern(60)},
		} {
			s.SrcMAC, s.DstMAC = nic.MAC, nic.RouterMAC
			s.Src = netip.AddrPortFrom(l.ip("10.0.1.10"), 40000)
			s.Dst = netip.AddrPortFrom(l.ip(to), pick[uint16](s.Proto == packet.UDP, 53, 80))
			s.Build(f)
			all = append(all, append([]byte{}, f.Ethernet()...))
			s.ID = 7
			s.BuildFragment(f, 0, 16)
			all = append(all, append([]byte{}, f.Ethernet()...))
			s.BuildFragment(f, 24, 48)
			all = append(all, append([]byte{}, f.Ethernet()...))
		}
	}
	solicit(f, nic.MAC, nic.Addrs[0], l.addr("10.0.1.11"))
	return append(all, append([]byte{}, f.Ethernet()...), nil, []byte{0})
}

// beginning returns the first fragment of a datagram to port 53, of which a frame
// holds a later one; nil if it does not.
func beginning(b []byte) []byte {
	first := append([]byte{}, b...)
	switch {
	case len(b) >= 34+24 && b[12] == 8 && b[14] == 0x45 && b[21] >= 2 && b[21] < 8:
		first[20], first[21], first[16], first[17] = 0x20, 0, 0, 20+16
		first = append(first[:34], 0x9c, 0x40, 0, 53, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		mend(first)
	case len(b) >= 62+24 && b[12] == 0x86 && b[20] == 44 && b[57] >= 16 && b[57] < 64:
		first[56], first[57], first[18], first[19] = 0, 1, 0, 8+16
		first = append(first[:62], 0x9c, 0x40, 0, 53, 1, 0, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0)
	default:
		return nil
	}
	return first
}

// busyWalk returns a walk with a connection from each consumer, and one within a
// VPC.
func busyWalk(l *lab) *dataplane.Walk {
	w := dataplane.New(l.prog, dataplane.DefaultSettings())
	f := packet.NewFrame()
	for _, c := range [][2]string{{"red/app", "red/ep"}, {"blue/app", "blue/ep"}, {"red/app", "red/near"}, {"red/app", "red/edge"}} {
		if l.nics[c[1]] == nil {
			continue
		}
		in := l.id(c[0])
		dial(l, c[0], c[1], packet.TCP).Build(f)
		for range 2 { // the SYN, and its answer
			to, why := w.Process(clock.Time(0), in, f)
			if why != drop.None {
				return w
			}
			var v packet.View
			v.Decode(f)
			back := answerTo(&v)
			in = to
			back.Build(f)
		}
	}
	return w
}

// dial describes the first packet of a flow from one interface to another.
func dial(l *lab, from, to string, proto packet.Proto) *packet.Spec {
	a, b := l.nics[from], l.nics[to]
	s := &packet.Spec{
		SrcMAC: a.MAC, DstMAC: b.MAC, Proto: proto,
		Src: netip.AddrPortFrom(a.Addrs[0].IP(), 40000), Dst: netip.AddrPortFrom(b.Addrs[0].IP(), 80),
	}
	if proto == packet.TCP {
		s.Flags, s.Seq = packet.SYN, 1000
	} else {
		s.Dst = netip.AddrPortFrom(b.Addrs[0].IP(), 53)
	}
	if a.Subnet != b.Subnet {
		s.DstMAC = a.RouterMAC
	}
	return s
}

// answerTo describes what a host answers to a packet that it got: to a SYN
// another one, to all else an acknowledgement or a datagram.
func answerTo(v *packet.View) *packet.Spec {
	s := &packet.Spec{
		SrcMAC: v.DstMAC, DstMAC: v.SrcMAC, Proto: v.Proto,
		Src: netip.AddrPortFrom(v.Dst.IP(), v.DstPort), Dst: netip.AddrPortFrom(v.Src.IP(), v.SrcPort),
		Flags: packet.ACK, Ack: v.Seq + 1, Seq: 9000,
	}
	if v.Flags&(packet.SYN|packet.ACK) == packet.SYN {
		s.Flags |= packet.SYN
	}
	if v.Proto == packet.ICMPv6 {
		s.Type = 129
	}
	return s
}

// unreachable is how whoever sends a packet says, instead, that the one which it answers has
// no receiver.
func unreachable(answer *packet.Spec) *packet.Spec {
	got, quote := packet.Spec{Src: answer.Dst, Dst: answer.Src, Proto: answer.Proto, Flags: packet.ACK, Seq: 7}, packet.NewFrame()
	got.Build(quote)
	s := &packet.Spec{
		SrcMAC: answer.SrcMAC, DstMAC: answer.DstMAC, Src: netip.AddrPortFrom(answer.Src.Addr(), 0), Dst: netip.AddrPortFrom(answer.Dst.Addr(), 0),
		Proto: packet.ICMP, Type: 3, Code: 3, Payload: quote.Ethernet()[14:],
	}
	if !answer.Src.Addr().Is4() {
		s.Proto, s.Type, s.Code = packet.ICMPv6, 1, 4
	}
	return s
}
