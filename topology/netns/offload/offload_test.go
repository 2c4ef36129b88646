package offload

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.RunTests(m)) }

// client is the interface from which packets come, at the device lo; server the one that
// gets them.
const (
	client dataplane.InterfaceID = iota
	server
	lo = 1
)

func newTable(tb testing.TB) *Table {
	netns.RequireSandbox(tb)
	t, err := New(0, 1)
	if err != nil {
		if os.Getenv("PLSIM_PRIVILEGED") == "require" {
			tb.Fatal(err)
		}
		tb.Skip(err)
	}
	tb.Cleanup(func() {
		if err := t.Close(); err != nil {
			tb.Error(err)
		}
	})
	t.Attach(client, lo)
	t.Attach(server, 2)
	return t
}

// skb is struct __sk_buff, as far as a test may set it.
type skb struct {
	_       [10]uint32
	Ifindex uint32
	_       [30]uint32
	GSOSegs uint32
	_       uint64
	GSOSize uint32
	_       uint32
	_       uint64
}

// run gives the program a frame, and returns what became of it.
func (t *Table) run(tb rapid.TB, frame []byte, gso int) []byte {
	tb.Helper()
	opts := ebpf.RunOptions{Data: frame, DataOut: make([]byte, len(frame)+256), Context: &skb{Ifindex: lo, GSOSize: uint32(gso)}}
	verdict, err := t.in.Run(&opts)
	if err != nil {
		tb.Fatal(err)
	}
	const redirect = 7
	if verdict != redirect {
		tb.Fatalf("the verdict is %d; every packet goes somewhere", verdict)
	}
	return opts.DataOut
}

// end ends a loan, and returns what has passed.
func (t *Table) end(k *flow.Key) flowlog.Tally {
	passed, _ := t.Collect(k)
	t.Return(k)
	return passed
}

var addresses = map[bool][4]netip.Addr{
	false: {netip.MustParseAddr("10.0.1.2"), netip.MustParseAddr("10.0.1.99"), netip.MustParseAddr("192.168.255.254"), netip.MustParseAddr("172.16.0.1")},
	true:  {netip.MustParseAddr("2001:db8::2"), netip.MustParseAddr("2001:db8::99"), netip.MustParseAddr("2001:db8:ffff::fe"), netip.MustParseAddr("2001:db8:1::1")},
}

// A lent flow, and a packet of it.
type lent struct {
	key  flow.Key
	loan dataplane.Loan
	spec packet.Spec
}

func drawLent(t *rapid.T) lent {
	v6 := rapid.Bool().Draw(t, "IPv6")
	proto := rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP}).Draw(t, "protocol")
	port := rapid.Uint16()
	a := addresses[v6]
	from := netip.AddrPortFrom(a[0], port.Draw(t, "source port"))
	to := netip.AddrPortFrom(a[1], port.Draw(t, "destination port"))
	spec := packet.Spec{
		SrcMAC: packet.MAC{2, 1}, DstMAC: packet.MAC{2, 2}, Src: from, Dst: to, Proto: proto, TTL: rapid.Uint8Range(1, 255).Draw(t, "TTL"),
		Payload: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "payload"), Seq: rapid.Uint32().Draw(t, "sequence number"),
	}
	if proto == packet.TCP {
		spec.Flags = packet.Flags(rapid.Uint8Range(0, 63).Draw(t, "flags"))
	}
	before := packet.Tuple{Src: packet.AddrFrom(from.Addr()), Dst: packet.AddrFrom(to.Addr()), SrcPort: from.Port(), DstPort: to.Port()}
	after := before
	if rapid.Bool().Draw(t, "NAT") {
		after = packet.Tuple{Src: packet.AddrFrom(a[2]), Dst: packet.AddrFrom(a[3]), SrcPort: port.Draw(t, "node's port"), DstPort: port.Draw(t, "target's port")}
	}
	l := dataplane.Loan{Rewrite: packet.NewRewrite(before, after), Out: server, Sender: spec.SrcMAC, MTU: rapid.Int32Range(60, 300).Draw(t, "MTU"), Idle: time.Hour, Place: metrics.Nowhere}
	l.Rewrite.SrcMAC, l.Rewrite.DstMAC, l.Rewrite.TTL = packet.MAC{2, 3}, packet.MAC{2, 4}, rapid.Uint8Range(0, 2).Draw(t, "hops")
	return lent{
		flow.Key{Src: before.Src, Dst: before.Dst, Scope: flow.Scope(client), SrcPort: before.SrcPort, DstPort: before.DstPort, Proto: proto}, l, spec,
	}
}

// TestProgramIsTheWalk: the kernel does to a packet what the walk does, byte by byte, or
// leaves it as it is, if it is one that the walk has to see.
func TestProgramIsTheWalk(t *testing.T) {
	table := newTable(t)
	rapid.Check(t, func(t *rapid.T) {
		x := drawLent(t)
		f := packet.NewFrame()
		x.spec.Build(f)
		sent := bytes.Clone(f.Ethernet())
		if !table.Lend(&x.key, &x.loan) {
			t.Fatal("the flow cannot be lent")
		}
		got := table.run(t, sent, 0)
		passed := table.end(&x.key)

		var v packet.View
		if why := v.Decode(f); why != drop.None {
			t.Fatal(why)
		}
		if v.Flags&(packet.SYN|packet.FIN|packet.RST) != 0 || v.TTL <= x.loan.Rewrite.TTL || v.Len > int(x.loan.MTU) {
			if passed.Packets != 0 || !bytes.Equal(got, sent) {
				t.Fatalf("a packet that the walk must see passed, %d times:\n%x\n%x", passed.Packets, sent, got)
			}
			return
		}
		v.Apply(&x.loan.Rewrite)
		if passed.Packets != 1 || passed.Bytes != uint64(v.WireLen) {
			t.Fatalf("passed: %+v, not 1 packet of %d bytes", passed, v.WireLen)
		}
		if !bytes.Equal(got, f.Ethernet()) {
			t.Fatalf("the packet\n%x became\n%x, not\n%x", sent, got, f.Ethernet())
		}
	})
}

// TestWhatIsNotPlain: what could be read in two ways, or is no whole packet, is the walk's,
// and so is everything about which it has not decided.
func TestWhatIsNotPlain(t *testing.T) {
	table := newTable(t)
	for _, v6 := range []bool{false, true} {
		base := packet.Spec{
			SrcMAC: packet.MAC{2, 1}, DstMAC: packet.MAC{2, 2}, Proto: packet.UDP, TTL: 64, Payload: make([]byte, 32),
			Src: netip.AddrPortFrom(addresses[v6][0], 1000), Dst: netip.AddrPortFrom(addresses[v6][1], 2000),
		}
		k := flow.Key{Src: packet.AddrFrom(base.Src.Addr()), Dst: packet.AddrFrom(base.Dst.Addr()), Scope: flow.Scope(client), SrcPort: 1000, DstPort: 2000, Proto: packet.UDP}
		tuple := packet.Tuple{Src: k.Src, Dst: k.Dst, SrcPort: 1000, DstPort: 2000}
		loan := dataplane.Loan{Rewrite: packet.NewRewrite(tuple, tuple.Reversed()), Out: server, Sender: base.SrcMAC, MTU: 1500, Idle: time.Hour, Place: metrics.Nowhere}
		build := func(change func(*packet.Spec)) []byte {
			s, f := base, packet.NewFrame()
			if change != nil {
				change(&s)
			}
			s.Build(f)
			return bytes.Clone(f.Ethernet())
		}
		plain := build(nil)
		for _, c := range []struct {
			name    string
			prepare func()
			frame   []byte
			passes  bool
		}{
			{"plain", nil, plain, true},
			{"another port", nil, build(func(s *packet.Spec) { s.Src = netip.AddrPortFrom(s.Src.Addr(), 1001) }), false},
			{"padding", nil, append(bytes.Clone(plain), 0, 0), false},
			{"cut short", nil, plain[:len(plain)-1], false},
			{"another protocol", nil, build(func(s *packet.Spec) { s.Proto = packet.TCP; s.Flags = packet.ACK }), false},
			{"fragment", nil, func() []byte {
				s, f := base, packet.NewFrame()
				s.ID = 7
				s.BuildFragment(f, 0, 24)
				return bytes.Clone(f.Ethernet())
			}(), false},
			{"lapsed", table.Suspend, plain, false},
			{"idle", func() {
				l := loan
				l.Idle = time.Nanosecond
				table.Lend(&k, &l)
			}, plain, false},
			{"another sender", nil, build(func(s *packet.Spec) { s.SrcMAC[5] = 9 }), false},
			{"another sender's first byte", nil, build(func(s *packet.Spec) { s.SrcMAC[0] = 6 }), false},
			{"to a group", nil, build(func(s *packet.Spec) { s.DstMAC[0] = 3 }), false},
			{"no time to live", func() {
				l := loan
				l.Rewrite.TTL = 64
				table.Lend(&k, &l)
			}, plain, false},
		} {
			table.Lend(&k, &loan)
			if c.prepare != nil {
				c.prepare()
			}
			got := table.run(t, c.frame, 0)
			passed := table.end(&k)
			if want := map[bool]uint32{true: 1}[c.passes]; passed.Packets != want {
				t.Errorf("IPv6 %v, %s: passed %d times, not %d", v6, c.name, passed.Packets, want)
			}
			if !c.passes && !bytes.Equal(got, c.frame) {
				t.Errorf("IPv6 %v, %s: changed, although it did not pass", v6, c.name)
			}
		}
	}
	garbage := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		frame := make([]byte, 14+garbage.IntN(80))
		for i := range frame {
			frame[i] = byte(garbage.Uint32())
		}
		if got := table.run(t, frame, 0); !bytes.Equal(got, frame) {
			t.Fatalf("%x became %x", frame, got)
		}
	}
}

// TestSuperframesCount: a superframe counts as the packets that it stands for, and is as
// long as the longest of them.
func TestSuperframesCount(t *testing.T) {
	table := newTable(t)
	rapid.Check(t, func(t *rapid.T) {
		x := drawLent(t)
		x.spec.TTL, x.loan.Rewrite.TTL = 64, 1
		x.spec.Flags &= packet.ACK | packet.PSH
		x.spec.Payload = make([]byte, rapid.IntRange(1, 1400).Draw(t, "bytes"))
		size := rapid.IntRange(1, 300).Draw(t, "segment size")
		x.spec.GSOSize = uint16(size)
		f := packet.NewFrame()
		x.spec.Build(f)
		table.Lend(&x.key, &x.loan)
		table.run(t, f.Ethernet(), size)
		passed := table.end(&x.key)

		var v packet.View
		if why := v.Decode(f); why != drop.None {
			t.Fatal(why)
		}
		want := flowlog.Tally{Packets: uint32(v.Segments), Bytes: uint64(v.WireLen)}
		if v.MaxLen > int(x.loan.MTU) {
			want = flowlog.Tally{}
		}
		if passed.Packets != want.Packets || passed.Bytes != want.Bytes {
			t.Fatalf("%d bytes of payload by %d each: %d packets of %d bytes, not %d of %d",
				len(x.spec.Payload), size, passed.Packets, passed.Bytes, want.Packets, want.Bytes)
		}
	})
}

// plainFlow returns a packet, its key, and a loan by which it passes.
func plainFlow(t *Table) (*packet.Frame, flow.Key, dataplane.Loan) {
	spec := packet.Spec{
		SrcMAC: packet.MAC{2, 1}, DstMAC: packet.MAC{2, 2}, Proto: packet.UDP, TTL: 64,
		Src: netip.MustParseAddrPort("10.0.0.1:1"), Dst: netip.MustParseAddrPort("10.0.0.2:2"),
	}
	f := packet.NewFrame()
	spec.Build(f)
	var v packet.View
	v.Decode(f)
	loan := dataplane.Loan{Out: server, Sender: spec.SrcMAC, MTU: 1500, Idle: time.Hour, Last: t.began, Place: metrics.Nowhere}
	return f, flow.KeyOf(flow.Scope(client), &v), loan
}

// TestTimes: what passed is told by the lab's clock, which may run faster than the
// kernel's; a period has a first packet of its own.
func TestTimes(t *testing.T) {
	table := newTable(t)
	table.began, table.scale = 1000, 60
	f, k, loan := plainFlow(table)
	table.Lend(&k, &loan)
	table.run(t, f.Ethernet(), 0)
	one, last := table.Collect(&k)
	if one.Packets != 1 || one.First != one.Last || one.First <= 1000 || last != one.Last {
		t.Fatalf("of the first packet: %+v, at %d", one, last)
	}
	table.run(t, f.Ethernet(), 0)
	table.run(t, f.Ethernet(), 0)
	two, _ := table.Collect(&k)
	if two.Packets != 2 || two.First < one.Last || two.Last <= two.First {
		t.Fatalf("of two more packets: %+v, and of the first %+v", two, one)
	}
	if none, last := table.Collect(&k); none.Packets != 0 || last != two.Last {
		t.Fatalf("of none: %+v, at %d", none, last)
	}
	table.run(t, f.Ethernet(), 0)
	m := metrics.NewMeter()
	table.Settle(m)
	table.run(t, f.Ethernet(), 0)
	table.run(t, f.Ethernet(), 0)
	three := table.end(&k)
	if three.Packets != 3 || three.First < two.Last || three.Last <= three.First {
		t.Fatalf("over the end of a period: %+v", three)
	}
}

// TestMetrics: packets count in the period in which they passed, once.
func TestMetrics(t *testing.T) {
	table := newTable(t)
	f, k, loan := plainFlow(table)
	loan.Place, loan.Bytes = metrics.Place{Node: 7, Endpoint: metrics.None}, metrics.BytesUDP
	table.Lend(&k, &loan)
	m := metrics.NewMeter()
	for _, want := range []uint64{2, 0, 1} {
		for range want {
			table.run(t, f.Ethernet(), 0)
		}
		before := sum(m)
		table.Settle(m)
		if got := sum(m) - before; got != want*uint64(len(f.Ethernet())-ethLen) {
			t.Errorf("%d packets count as %d bytes", want, got)
		}
	}
}

func sum(m *metrics.Meter) (bytes uint64) {
	for _, s := range m.Snapshot() {
		for _, slot := range s.Slots {
			bytes += slot.Sums[metrics.BytesUDP]
		}
	}
	return bytes
}
