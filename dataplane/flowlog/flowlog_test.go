package flowlog

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

const (
	syn, ack, fin, rst, psh = packet.SYN, packet.ACK, packet.FIN, packet.RST, packet.PSH
)

// F4.12, F4.13.
func TestTCPFlags(t *testing.T) {
	for _, tt := range []struct {
		name     string
		segments []packet.Flags
		want     packet.Flags
	}{
		{"SYN", []packet.Flags{syn}, 2},
		{"SYN-ACK", []packet.Flags{syn | ack}, 18},
		{"ACK", []packet.Flags{ack}, 0},
		{"data", []packet.Flags{ack | psh, ack | psh, packet.URG}, 0},
		{"FIN", []packet.Flags{fin | ack}, 1},
		{"RST", []packet.Flags{rst}, 4},
		{"RST with ACK", []packet.Flags{rst | ack}, 4},
		{"SYN with ECE and CWR", []packet.Flags{syn | 0xc0}, 2},
		{"whole connection, client", []packet.Flags{syn, ack, psh | ack, fin | ack, ack}, 3},
		{"whole connection, server", []packet.Flags{syn | ack, ack, fin | ack}, 19},
		{"refused", []packet.Flags{syn, rst}, 6},
		{"nothing", nil, 0},
	} {
		var c Counter
		for _, f := range tt.segments {
			c.Add(1, 1, 40, f)
		}
		if c.Flags != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, c.Flags, tt.want)
		}
	}
}

func TestCounter(t *testing.T) {
	var c Counter
	c.Add(10, 1, 60, syn)
	c.Add(20, 45, 64000, ack) // a superframe
	if want := (Counter{Packets: 46, Bytes: 64060, First: 10, Last: 20, Flags: syn}); c != want {
		t.Errorf("got %+v, want %+v", c, want)
	}
	d := Counter{Packets: 1, Bytes: 40, First: 5, Last: 15, Flags: fin}
	want := Counter{Packets: 47, Bytes: 64100, First: 5, Last: 20, Flags: syn | fin}
	for _, pair := range [][2]Counter{{c, d}, {d, c}} {
		sum := pair[0]
		if sum.Merge(pair[1]); sum != want {
			t.Errorf("merged: %+v, want %+v", sum, want)
		}
	}
	for _, pair := range [][2]Counter{{c, {}}, {{}, c}} {
		sum := pair[0]
		if sum.Merge(pair[1]); sum != c {
			t.Errorf("merged with nothing: %+v", sum)
		}
	}
	if n := testing.AllocsPerRun(100, func() { c.Add(30, 1, 40, ack) }); n != 0 {
		t.Errorf("Add allocates %.0f times", n)
	}
}

func addr(last byte) packet.Addr {
	return packet.Addr{10: 0xff, 11: 0xff, 12: 172, 13: 31, 14: 16, 15: last}
}

func v6(last byte) packet.Addr { return packet.Addr{0: 0xfd, 15: last} }

func sshRecord() Record {
	return Record{
		Interface: Interface{
			AccountID: "123456789010", ID: "eni-1235b8ca123456789", VPCID: "vpc-1", SubnetID: "subnet-1",
			InstanceID: "i-1", Region: "eu-central-1", AZID: "euc1-az2",
		},
		Way: flow.Ingress,
		Src: addr(139), Dst: addr(21), PktSrc: addr(139), PktDst: addr(21),
		SrcPort: 20641, DstPort: 22, Proto: packet.TCP, Packets: 20, Bytes: 4249,
		Start: 1418530010, End: 1418530070, Flags: 19,
	}
}

// F4.7: AWS's sample line.
func TestDefaultFormat(t *testing.T) {
	r := sshRecord()
	const want = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK"
	if got := r.Text(DefaultFormat); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	r.Action = Reject
	if got := r.Text(DefaultFormat); got != strings.Replace(want, "ACCEPT", "REJECT", 1) {
		t.Errorf("got %s", got)
	}
}

// F4.6.
func TestAllFields(t *testing.T) {
	r := sshRecord()
	const want = "5 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK" +
		" vpc-1 subnet-1 i-1 19 IPv4 172.31.16.139 172.31.16.21 eu-central-1 euc1-az2 - - - - ingress -"
	if got := r.Text(Fields()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if !slices.Equal(Fields()[:14], DefaultFormat) {
		t.Errorf("the default format is not the first 14 fields: %v", Fields()[:14])
	}
}

func TestFields(t *testing.T) {
	for _, tt := range []struct {
		field  string
		change func(*Record)
		want   string
	}{
		{"instance-id", func(r *Record) { r.Interface.InstanceID = "" }, "-"}, // F4.6: endpoint, load balancer
		{"account-id", func(r *Record) { r.Interface.AccountID = "unknown" }, "unknown"},
		{"type", func(r *Record) { r.PktSrc = v6(1) }, "IPv6"},
		{"srcaddr", func(r *Record) { r.Src = v6(1) }, "fd00::1"},
		{"flow-direction", func(r *Record) { r.Way = flow.Egress }, "egress"},
		{"traffic-path", func(r *Record) { r.Way, r.Path = flow.Egress, WithinVPC }, "1"}, // F4.15
		{"traffic-path", func(r *Record) { r.Way, r.Path = flow.Egress, Peering }, "4"},
		{"traffic-path", func(r *Record) { r.Way = flow.Egress }, "-"}, // it leads nowhere
		{"traffic-path", func(*Record) {}, "-"},
		{"tcp-flags", func(r *Record) { r.Flags = 0 }, "0"},
		{"version", func(*Record) {}, "2"},
	} {
		r := sshRecord()
		tt.change(&r)
		if got, ok := r.Field(tt.field); got != tt.want || !ok {
			t.Errorf("%s is %q, %t, want %q", tt.field, got, ok, tt.want)
		}
	}
	r := sshRecord()
	if got, ok := r.Field("srcadr"); ok || got != "" {
		t.Errorf("an unknown field is %q", got)
	}
	for _, name := range Fields() { // F4.4
		if got, ok := (&Record{}).Field(name); !ok || got == "" || strings.Contains(got, " ") {
			t.Errorf("%s of an empty record is %q, %t", name, got, ok)
		}
	}
}

// F4.5.
func TestVersion(t *testing.T) {
	for want, f := range map[int]Format{
		2: {"srcaddr", "nonsense"},
		3: {"srcaddr", "tcp-flags"},
		4: {"region", "vpc-id"},
		5: {"flow-direction", "version"},
	} {
		if got := f.Version(); got != want {
			t.Errorf("%v has version %d, want %d", f, got, want)
		}
	}
	r := sshRecord()
	if got := r.Text(Format{"version", "nonsense", "tcp-flags"}); got != "3 - 19" {
		t.Errorf("got %q", got)
	}
	if got := r.Text(nil); got != "" {
		t.Errorf("without fields: %q", got)
	}
}

var epoch = time.Unix(1418530000, 900_000_000)

// describe knows the interfaces 1 and 2.
func describe(s flow.Scope) (Interface, bool) {
	switch s {
	case 1:
		return Interface{ID: "eni-1", Addrs: []packet.Addr{addr(21), v6(21), addr(22)}}, true
	case 2:
		return Interface{ID: "eni-2"}, true
	}
	return Interface{}, false
}

func at(s float64) clock.Time { return clock.Time(s * 1e9) }

func counter(first, last float64) Counter {
	return Counter{Packets: 1, Bytes: 40, First: at(first), Last: at(last)}
}

func ssh(iface flow.Scope, port uint16) Key {
	return Key{Flow: flow.Key{
		Scope: iface, Src: addr(139), Dst: addr(21), SrcPort: port, DstPort: 22, Proto: packet.TCP,
	}}
}

func TestWindows(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch)
	if end := a.End(at(0)); end != at(60) {
		t.Errorf("the first window ends at %v", end)
	}
	if end := a.End(at(60)); end != at(120) {
		t.Errorf("the window of its end ends at %v", end)
	}
	a.Add(ssh(1, 1), counter(10, 59.9))
	a.Add(ssh(1, 1), counter(5, 7))
	a.Add(ssh(1, 1), counter(58, 60)) // handed over too late: the window of its last packet
	a.Add(ssh(1, 1), Counter{})
	if got := a.Close(at(59.999), describe); len(got) != 0 {
		t.Fatalf("an open window has records: %v", got)
	}
	if got := a.Snapshot(describe); len(got) != 2 {
		t.Errorf("a snapshot has %d records", len(got))
	}
	got := a.Close(at(60), describe)
	// Lab time 5 s is 1418530005.9 s, and 59.9 s is 1418530060.8 s.
	if len(got) != 1 || got[0].Packets != 2 || got[0].Bytes != 80 || got[0].Start != 1418530005 || got[0].End != 1418530060 {
		t.Fatalf("first window: %+v", got)
	}
	if got = a.Close(at(119), describe); len(got) != 0 {
		t.Errorf("records come twice: %+v", got)
	}
	if got = a.Flush(describe); len(got) != 1 || got[0].Start != 1418530058 {
		t.Errorf("flushed: %+v", got)
	}
	if got = a.Flush(describe); len(got) != 0 {
		t.Errorf("flushed again: %+v", got)
	}
	if end := NewAggregator(0, epoch).End(0); end != at(600) { // F4.2
		t.Errorf("the default window ends at %v", end)
	}
}

// F4.1: each direction, action, tuple and interface is a record of its own.
func TestRecordsAreApart(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch)
	base := ssh(1, 20641)
	keys := []Key{base, base, base, base, base}
	keys[1].Way = flow.Egress
	keys[2].Action = Reject
	keys[3].Flow.SrcPort++
	keys[4].Flow.Scope = 2
	for _, k := range append(keys, keys...) {
		a.Add(k, counter(1, 1))
	}
	a.Add(ssh(3, 1), counter(1, 1)) // an interface that nobody knows
	got := a.Flush(describe)
	if len(got) != len(keys) {
		t.Fatalf("%d records of %d", len(got), len(keys))
	}
	for _, r := range got {
		if r.Packets != 2 {
			t.Errorf("not summed: %+v", r)
		}
	}
}

// F4.16, F4.17: the interface's own side is its primary address.
func TestPrimaryAddress(t *testing.T) {
	for _, tt := range []struct {
		name               string
		iface              flow.Scope
		way                flow.Way
		src, dst           packet.Addr
		wantSrc, wantDst   packet.Addr
		wantPSrc, wantPDst packet.Addr
	}{
		{"to the primary", 1, flow.Ingress, addr(139), addr(21), addr(139), addr(21), addr(139), addr(21)},
		{"to a secondary", 1, flow.Ingress, addr(139), addr(22), addr(139), addr(21), addr(139), addr(22)},
		{"from a secondary", 1, flow.Egress, addr(22), addr(139), addr(21), addr(139), addr(22), addr(139)},
		{"IPv6", 1, flow.Ingress, v6(9), v6(30), v6(9), v6(21), v6(9), v6(30)},
		{"unknown addresses", 2, flow.Egress, addr(22), addr(139), addr(22), addr(139), addr(22), addr(139)},
	} {
		a := NewAggregator(ShortWindow, epoch)
		a.Add(Key{Flow: flow.Key{Scope: tt.iface, Src: tt.src, Dst: tt.dst}, Way: tt.way}, counter(1, 1))
		r := a.Flush(describe)[0]
		if r.Src != tt.wantSrc || r.Dst != tt.wantDst || r.PktSrc != tt.wantPSrc || r.PktDst != tt.wantPDst {
			t.Errorf("%s: %s > %s, packets %s > %s", tt.name, r.Src, r.Dst, r.PktSrc, r.PktDst)
		}
	}
}

// F4.6, F4.10: a ping is two records without ports, whatever its identifiers.
func TestPing(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch)
	for id := range uint16(3) {
		k := Key{Flow: flow.Key{
			Scope: 1, Src: addr(139), Dst: addr(21), SrcPort: id, DstPort: id, Proto: packet.ICMP,
		}}
		a.Add(k, counter(1, 1))
		k.Flow, k.Way, k.Action = k.Flow.Reverse(), flow.Egress, Reject
		a.Add(k, counter(1, 1))
	}
	var got []string
	for _, r := range a.Flush(describe) {
		got = append(got, r.Text(Format{"srcaddr", "dstaddr", "srcport", "dstport", "protocol", "packets", "action"}))
	}
	want := []string{
		"172.31.16.21 172.31.16.139 0 0 1 3 REJECT",
		"172.31.16.139 172.31.16.21 0 0 1 3 ACCEPT",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The order in which counters come changes nothing, and no packet is lost.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type part struct {
			k Key
			c Counter
		}
		parts := make([]part, rapid.IntRange(0, 30).Draw(t, "parts"))
		var packets uint64
		for i := range parts {
			k := ssh(flow.Scope(rapid.IntRange(1, 2).Draw(t, "iface")), uint16(rapid.IntRange(1, 3).Draw(t, "port")))
			k.Way = flow.Way(rapid.IntRange(0, 1).Draw(t, "way"))
			k.Action = Action(rapid.IntRange(0, 1).Draw(t, "action"))
			first := float64(rapid.IntRange(0, 200).Draw(t, "first"))
			c := counter(first, first+float64(rapid.IntRange(0, 30).Draw(t, "long")))
			c.Packets = uint64(rapid.IntRange(1, 9).Draw(t, "packets"))
			packets += c.Packets
			parts[i] = part{k, c}
		}
		records := func() []Record {
			a := NewAggregator(ShortWindow, epoch)
			for _, p := range parts {
				a.Add(p.k, p.c)
			}
			return append(a.Close(at(120), describe), a.Flush(describe)...)
		}
		want := records()
		for i, r := range want {
			packets -= r.Packets
			if i > 0 && r.Interface.ID == want[i-1].Interface.ID && r.End < want[i-1].Start {
				t.Fatal("records are out of order")
			}
		}
		if packets != 0 {
			t.Fatalf("%d packets were lost", packets)
		}
		seed := rapid.Uint64().Draw(t, "shuffle")
		rand.New(rand.NewPCG(seed, 0)).Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		if got := records(); !reflect.DeepEqual(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}
