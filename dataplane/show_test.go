package dataplane_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// send puts a packet on its way and says what became of it. Beside what it
// prints it demands of every packet: that a probe foretells what happens, and
// changes nothing in a second walk where every packet is probed first; that what
// arrives is well-formed to another decoder, that all of it but the
// addresses, ports, TTL and MSS is as it was sent (F1.37), and that every source
// port belongs to one flow.
func (e *env) send(t *testing.T, d *datadriven.TestData, out *strings.Builder, p sent) {
	p.build(e.frame)
	var tr dataplane.Trace
	before := blank(e.frame)
	wantTo, wantWhy := e.probed.Probe(e.now, p.in, e.frame, &tr)
	seen := e.watch()
	out0, why0 := e.probed.Process(e.now, p.in, e.frame)
	after := bytes.Clone(e.frame.Bytes())
	e.checkSeen(t, d, p, seen, out0, why0)

	p.build(e.frame)
	to, why := e.walk.Process(e.now, p.in, e.frame)
	if chance := why == drop.LinkLoss || why == drop.LinkQueue; !chance && (to != wantTo || why != wantWhy) {
		t.Errorf("%s: the probe said %d, %v; the packet says %d, %v", d.Pos, int32(wantTo), wantWhy, int32(to), why)
	}
	if !bytes.Equal(after, e.frame.Bytes()) {
		t.Errorf("%s: the probe changed the packet's way", d.Pos)
	}
	e.count(t, d)
	if p.trace {
		e.trace(out, &tr)
	}
	if why != drop.None {
		fmt.Fprintf(out, "dropped: %v\n", why)
	}
	if p.captured {
		defer func() { e.captured(t, d, out, seen) }()
	}
	if to == dataplane.NoInterface {
		return
	}
	got, err := decode(e.frame)
	if err != nil {
		d.Fatalf(t, "what came out to %s: %v", e.lab.name(to), err)
	}
	proxy, size := e.proxy(got)
	if why == drop.None {
		after := blank(e.frame)
		if before[0]>>4 != after[0]>>4 {
			before, after = common(before), common(after)
		}
		if e.spliced {
			before, after = unsplice(before, 0), unsplice(after, size)
		}
		if !bytes.Equal(before, after) {
			t.Errorf("%s: more has changed than addresses, ports, TTL and MSS (F1.37)\nsent %x\ngot  %x", d.Pos, before, after)
		}
		e.last.SetLen(copy(e.last.Room(), e.frame.Bytes()))
		e.lastAt = to
	}
	e.checkMACs(t, d, p, to, why, got)
	fmt.Fprint(out, e.show(t, to, got), proxy)
	if p.whole {
		fmt.Fprintf(out, " len=%d", len(e.frame.Ethernet())-14)
		if vnet := e.frame.Vnet(); size > 0 && vnet[1] != 0 {
			fmt.Fprintf(out, " gso=%d", p.headers()+(int(vnet[4])|int(vnet[5])<<8))
		}

	} else if n := len(p.Payload); n > 0 && why == drop.None && got.TransportLayer() != nil {
		fmt.Fprintf(out, " data=%d", n)
	}
	e.arrives(out)
	fmt.Fprintln(out)
}

// checkMACs wants a frame to be addressed to its receiver, and to come from the
// neighbour that sent it, else from the receiver's router: a VPC is no Ethernet
// segment.
func (e *env) checkMACs(t *testing.T, d *datadriven.TestData, p sent, to dataplane.InterfaceID, why drop.Reason, got gopacket.Packet) {
	eth := got.LinkLayer().(*layers.Ethernet)
	nic := &e.lab.prog.Interfaces[to]
	if packet.MAC(eth.DstMAC) != nic.MAC {
		t.Errorf("%s: the frame goes to %v, not to %s", d.Pos, eth.DstMAC, nic.Label)
	}
	want := nic.RouterMAC
	src, _ := netip.AddrFromSlice(got.NetworkLayer().NetworkFlow().Src().Raw())
	for id, n := range e.lab.prog.Interfaces {
		if n.Kind != dataplane.Absent && dataplane.InterfaceID(id) != to && n.VPC == nic.VPC && n.Subnet == nic.Subnet && has(&n, src.Unmap()) {
			want = n.MAC
		}
	}
	if why != drop.None {
		want = p.DstMAC // an answer comes from whom the packet went to
	}
	if packet.MAC(eth.SrcMAC) != want {
		t.Errorf("%s: the frame comes from %v, want %v", d.Pos, eth.SrcMAC, want)
	}
}

// show prints a packet that came out of an interface, as gopacket reads it.
func (e *env) show(t *testing.T, to dataplane.InterfaceID, p gopacket.Packet) string {
	var b strings.Builder
	var ttl uint8
	var src, dst netip.Addr
	switch ip := p.NetworkLayer().(type) {
	case *layers.IPv4:
		ttl = ip.TTL
		src, _ = netip.AddrFromSlice(ip.SrcIP.To4())
		dst, _ = netip.AddrFromSlice(ip.DstIP.To4())
	case *layers.IPv6:
		ttl = ip.HopLimit
		src, _ = netip.AddrFromSlice(ip.SrcIP)
		dst, _ = netip.AddrFromSlice(ip.DstIP)
	}
	fmt.Fprintf(&b, "%s gets ", e.lab.name(to))
	var v packet.View
	if v.Decode(e.frame) == drop.None && v.Fragment {
		return e.showFragment(t, to, &v)
	}
	switch l := p.TransportLayer().(type) {
	case *layers.TCP:
		fmt.Fprintf(&b, "%s > %s tcp %s seq=%d", e.node(t, src, uint16(l.SrcPort)), e.side(dst, uint16(l.DstPort)), letters(l), l.Seq)
		if l.ACK {
			fmt.Fprintf(&b, " ack=%d", l.Ack)
		}
		for _, o := range l.Options {
			if o.OptionType == layers.TCPOptionKindMSS {
				fmt.Fprintf(&b, " mss=%d", e.shift(int(o.OptionData[0])<<8|int(o.OptionData[1]), 20))
			}
			if o.OptionType == layers.TCPOptionKindSACK {
				fmt.Fprintf(&b, " sack=%d-%d", binary.BigEndian.Uint32(o.OptionData), binary.BigEndian.Uint32(o.OptionData[4:]))
			}
		}
	case *layers.UDP:
		fmt.Fprintf(&b, "%s > %s udp", e.node(t, src, uint16(l.SrcPort)), e.side(dst, uint16(l.DstPort)))
	default:
		fmt.Fprintf(&b, "%s > %s icmp %s", e.lab.show(src), e.lab.show(dst), kind(p))
		if kind(p) == "unreachable" {
			quoted, proto, _ := v.Quoted()
			fmt.Fprintf(&b, " of %s > %s", e.side(quoted.Src.IP(), quoted.SrcPort), e.side(quoted.Dst.IP(), quoted.DstPort))
			if e.spliced && proto == packet.TCP {
				v.ShiftQuoted(func(seq uint32) uint32 {
					fmt.Fprintf(&b, " seq=%d", seq)
					return seq
				})
			}
		}
	}
	fmt.Fprintf(&b, " ttl=%d", ttl)
	return b.String()
}

// showFragment prints a fragment: the first has ports.
func (e *env) showFragment(t *testing.T, to dataplane.InterfaceID, v *packet.View) string {
	src, dst := e.lab.show(v.Src.IP()), e.lab.show(v.Dst.IP())
	if v.Offset == 0 && (v.Proto == packet.TCP || v.Proto == packet.UDP) {
		src, dst = e.node(t, v.Src.IP(), v.SrcPort), e.side(v.Dst.IP(), v.DstPort)
	}
	proto := map[packet.Proto]string{packet.TCP: "tcp", packet.UDP: "udp", packet.ICMP: "icmp", packet.ICMPv6: "icmp"}[v.Proto]
	more := ""
	if v.More {
		more = "+"
	}
	return fmt.Sprintf("%s gets %s > %s %s piece=%d-%d%s id=%d ttl=%d", e.lab.name(to), src, dst, proto,
		v.Offset, v.Offset+len(v.Transport()), more, v.ID, v.TTL)
}

// proxy prints the PROXY protocol header with which a packet's payload begins, as
// another implementation reads it, and returns its length.
func (e *env) proxy(p gopacket.Packet) (string, int) {
	l, ok := p.TransportLayer().(*layers.TCP)
	if !ok || !bytes.HasPrefix(l.Payload, proxyproto.SIGV2) {
		return "", 0
	}
	r := bufio.NewReader(bytes.NewReader(l.Payload))
	h, err := proxyproto.Read(r)
	if err != nil {
		return " " + err.Error(), 0
	}
	src, dst, _ := h.TCPAddrs()
	rest, _ := io.ReadAll(r)
	s := fmt.Sprintf(" proxy(%d %s %s", len(l.Payload)-len(rest),
		e.side(src.AddrPort().Addr(), uint16(src.Port)), e.side(dst.AddrPort().Addr(), uint16(dst.Port)))
	tlvs, _ := h.TLVs()
	if id := tlvparse.FindAWSVPCEndpointID(tlvs); id != "" {
		s += " " + id
	}
	return s + ")", len(l.Payload) - len(rest)
}

func letters(l *layers.TCP) string {
	var s string
	for i, set := range []bool{l.SYN, l.FIN, l.RST, l.PSH, l.ACK} {
		if set {
			s += "SFRPA"[i : i+1]
		}
	}
	return s
}

func kind(p gopacket.Packet) string {
	if l, ok := p.Layer(layers.LayerTypeICMPv4).(*layers.ICMPv4); ok {
		switch l.TypeCode.Type() {
		case layers.ICMPv4TypeEchoRequest:
			return "echo"
		case layers.ICMPv4TypeEchoReply:
			return "answer"
		case layers.ICMPv4TypeDestinationUnreachable:
			return "unreachable"
		}
	}
	if l, ok := p.Layer(layers.LayerTypeICMPv6).(*layers.ICMPv6); ok {
		switch l.TypeCode.Type() {
		case layers.ICMPv6TypeEchoRequest:
			return "echo"
		case layers.ICMPv6TypeEchoReply:
			return "answer"
		case layers.ICMPv6TypeDestinationUnreachable, layers.ICMPv6TypePacketTooBig:
			return "unreachable"
		}
	}
	return "other"
}

// node prints the source of a packet. A port of a node that no listener has is a
// random one: it must lie in the range of F2.31, and goes by a name.
func (e *env) node(t *testing.T, a netip.Addr, port uint16) string {
	ap := netip.AddrPortFrom(a, port)
	for _, n := range e.lab.prog.Interfaces {
		if n.Kind != dataplane.Node || !has(&n, a) || e.ports[ap] != "" {
			continue
		}
		listens := false
		for k := range e.lab.prog.Balancers[n.Balancer].Listeners {
			listens = listens || k.Port == port
		}
		if !listens {
			if port < 1024 {
				t.Errorf("the node sends from port %d (F2.31)", port)
			}
			e.ports[ap] = fmt.Sprintf("P%d", len(e.ports)+1)
		}
	}
	return e.side(a, port)
}

// side prints an address and a port.
func (e *env) side(a netip.Addr, port uint16) string {
	if name := e.ports[netip.AddrPortFrom(a, port)]; name != "" {
		return e.lab.show(a) + ":" + name
	}
	return fmt.Sprintf("%s:%d", e.lab.show(a), port)
}

var results = map[dataplane.FilterResult]string{
	dataplane.Allowed: "allowed", dataplane.NoRule: "no rule", dataplane.Tracked: "tracked", dataplane.Untracked: "untracked, allowed", dataplane.Related: "related",
	dataplane.Exempt: "exempt", dataplane.TableFull: "table full, though allowed", dataplane.NotEnforced: "not enforced",
}

// trace prints the decisions of a probe.
func (e *env) trace(out *strings.Builder, tr *dataplane.Trace) {
	for _, s := range tr.Steps {
		fmt.Fprintf(out, "  %s%s", pick(s.Answer, "answer: ", ""), e.lab.name(s.Interface))
		switch s.Stage {
		case dataplane.StageFilter:
			fmt.Fprintf(out, " %v: %s", s.Way, results[s.Result])
			if s.Rule != filter.NoRule && s.Result != dataplane.NoRule {
				r := e.lab.prog.Rules[s.Rule]
				fmt.Fprintf(out, " by %s %s", r.Group, r.Text)
			}
		case dataplane.StageEdge:
			fmt.Fprintf(out, " %v at the subnet's edge: entry %s", s.Way, pick(s.Number == filter.LastNumber, "*", strconv.Itoa(s.Number)))
		case dataplane.StageRoute:
			fmt.Fprintf(out, " route to %s", e.lab.name(s.To))
			if s.Route != nil {
				fmt.Fprintf(out, " by %s", s.Route.Text)
			}
		case dataplane.StageEndpoint:
			fmt.Fprintf(out, " endpoint on %s", e.lab.name(s.To))
		case dataplane.StageListener:
			fmt.Fprint(out, " listener")
		case dataplane.StageAnswer:
			fmt.Fprint(out, " answers")
		case dataplane.StageTarget:
			fmt.Fprintf(out, " target %s:%d", e.lab.name(s.To), s.Target.Port)
		case dataplane.StageTranslate:
			fmt.Fprintf(out, " translates to %s > %s", e.lab.show(s.Tuple.Src.IP()), e.lab.show(s.Tuple.Dst.IP()))
		case dataplane.StageTransit:
			fmt.Fprintf(out, " transit gateway leads to %s by %s", e.lab.name(s.To), s.Route.Text)
		case dataplane.StagePublic:
			fmt.Fprintf(out, " internet gateway makes it %s > %s", e.lab.show(s.Tuple.Src.IP()), e.lab.show(s.Tuple.Dst.IP()))
		case dataplane.StageDeliver:
			fmt.Fprint(out, " delivered")
		case dataplane.StageLink:
			fmt.Fprintf(out, " to %s over link %s", e.lab.name(s.To), s.Link.Label)
		}
		if s.Why != drop.None {
			fmt.Fprintf(out, ": %v", s.Why)
		}
		fmt.Fprintln(out)
	}
}

// ask sends an ARP request or a neighbour solicitation: INTERFACE for ADDRESS
// [from ADDRESS].
func (e *env) ask(t *testing.T, d *datadriven.TestData, out *strings.Builder, line string) {
	f := strings.Fields(line)
	in := e.lab.id(f[0])
	nic := &e.lab.prog.Interfaces[in]
	src, target := nic.Addrs[0], e.lab.addr(f[2])
	if len(f) > 4 {
		src = e.lab.addr(f[4])
	}
	solicit(e.frame, nic.MAC, src, target)
	to, why := e.walk.Process(e.now, in, e.frame)
	if why != drop.None {
		fmt.Fprintf(out, "dropped: %v\n", why)
		return
	}
	p, err := decode(e.frame)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	eth := p.LinkLayer().(*layers.Ethernet)
	if packet.MAC(eth.DstMAC) != nic.MAC || to != in {
		t.Errorf("%s: the answer goes to %v", d.Pos, eth.DstMAC)
	}
	who, mac, for_ := answered(p)
	if who != target.IP() || for_ != src.IP() || mac != packet.MAC(eth.SrcMAC) {
		t.Errorf("%s: the answer says %v is at %v, to %v, from %v", d.Pos, who, mac, for_, eth.SrcMAC)
	}
	fmt.Fprintf(out, "%s is at %s\n", e.lab.show(who), e.owner(nic, mac))
}

// owner names whom a MAC address belongs to.
func (e *env) owner(nic *dataplane.Interface, mac packet.MAC) string {
	if mac == nic.RouterMAC {
		return "the router"
	}
	for i := range e.lab.prog.Interfaces {
		if e.lab.prog.Interfaces[i].MAC == mac {
			return e.lab.prog.Interfaces[i].Label
		}
	}
	return mac.String()
}

// answered returns what an ARP reply or a neighbour advertisement says, and to
// whom.
func answered(p gopacket.Packet) (who netip.Addr, mac packet.MAC, to netip.Addr) {
	if l, ok := p.Layer(layers.LayerTypeARP).(*layers.ARP); ok && l.Operation == layers.ARPReply {
		who, _ = netip.AddrFromSlice(l.SourceProtAddress)
		to, _ = netip.AddrFromSlice(l.DstProtAddress)
		return who, packet.MAC(l.SourceHwAddress), to
	}
	if l, ok := p.Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement); ok {
		who, _ = netip.AddrFromSlice(l.TargetAddress)
		to, _ = netip.AddrFromSlice(p.NetworkLayer().NetworkFlow().Dst().Raw())
		for _, o := range l.Options {
			if o.Type == layers.ICMPv6OptTargetAddress {
				mac = packet.MAC(o.Data)
			}
		}
	}
	return who, mac, to
}

// drops prints what died so far, by the interface where it died.
func (e *env) drops(out *strings.Builder) {
	for _, id := range e.lab.all() {
		for why, n := range e.walk.Drops(id) {
			if n > 0 {
				fmt.Fprintf(out, "%s %v %d\n", e.lab.name(id), drop.Reason(why), n)
			}
		}
	}
}

// flowlog prints the records since the last one. The bytes are those of IPv4,
// whose headers are 20 bytes shorter. A complete log goes flow by flow, hop by hop.
func (e *env) flowlog(out *strings.Builder) {
	all := records(e.walk, e.lab)
	if e.complete {
		for _, r := range all {
			if e.flowNames[r.FlowID] == 0 {
				e.flowNames[r.FlowID] = len(e.flowNames) + 1
			}
		}
		slices.SortStableFunc(all, func(a, b flowlog.Record) int {
			return cmp.Or(cmp.Compare(e.flowNames[a.FlowID], e.flowNames[b.FlowID]), cmp.Compare(a.Hop, b.Hop))
		})
	}
	for _, r := range all {
		bytes := r.Bytes
		if e.v6 && !e.own {
			bytes -= 20 * r.Packets
		}
		proto := map[packet.Proto]string{packet.TCP: "tcp", packet.UDP: "udp", packet.ICMP: "icmp", packet.ICMPv6: "icmp"}[r.Proto]
		way := "in "
		if r.Way == flow.Egress {
			way = "out"
		}
		flags, _ := r.Field("tcp-flags")
		if e.complete {
			fmt.Fprintf(out, "#%d.%d ", e.flowNames[r.FlowID], r.Hop)
		}
		fmt.Fprintf(out, "%s %s %v %s %s > %s packets=%d bytes=%d flags=%s", r.Interface.ID, way, r.Action, proto,
			e.side(r.Src.IP(), r.SrcPort), e.side(r.Dst.IP(), r.DstPort), r.Packets, bytes, flags)
		if r.PktSrc != r.Src || r.PktDst != r.Dst {
			fmt.Fprintf(out, " pkt %s > %s", e.lab.show(r.PktSrc.IP()), e.lab.show(r.PktDst.IP()))
		}
		if r.Path > flowlog.WithinVPC {
			fmt.Fprintf(out, " path=%d", r.Path)
		}
		if e.complete && r.Hidden {
			fmt.Fprint(out, " hidden")
		}
		if e.complete && r.Why != drop.None {
			fmt.Fprintf(out, " %v", r.Why)
		}
		fmt.Fprintln(out)
	}
}
