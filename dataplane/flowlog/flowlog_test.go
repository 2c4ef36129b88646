package flowlog

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
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
		{"SYN and FIN in one segment", []packet.Flags{syn, syn | fin, ack}, syn | impossible},
		{"RST and FIN in one segment", []packet.Flags{rst | fin | ack}, impossible},
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
	const want = "10 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK" +
		" vpc-1 subnet-1 i-1 19 IPv4 172.31.16.139 172.31.16.21 eu-central-1 euc1-az2 - - - - ingress -" +
		" - - - - - - - - - - - - -" // ECS, reject-reason, resource-id, encryption-status
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
		{"tcp-flags", func(r *Record) { r.Flags = syn | impossible }, "-"}, // F4.12
		{"plsim-guard", func(r *Record) {
			r.Action, r.Why, r.Interface.Groups = Reject, drop.SecurityGroupIngress, []string{"a/x", "a/y"}
		}, "a/x,a/y"},
		{"plsim-guard", func(r *Record) { r.Action, r.Why, r.Guard = Reject, drop.NetworkACLEgress, "a/acl" }, "a/acl"},
		{"plsim-guard", func(r *Record) { r.Action, r.Why = Reject, drop.UnknownFlow }, "-"},
		{"plsim-reason", func(r *Record) { r.Why = drop.NoListener }, "no_listener"},
		{"plsim-flow", func(r *Record) { r.FlowID = 255 }, "ff"},
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
		2:  {"srcaddr", "nonsense"},
		3:  {"srcaddr", "tcp-flags"},
		4:  {"region", "vpc-id"},
		5:  {"flow-direction", "version"},
		7:  {"ecs-task-id", "region"},
		8:  {"reject-reason"},
		9:  {"resource-id"},
		10: {"version", "encryption-status"},
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

// put hands over what a counter saw.
func put(a *Aggregator, k Key, c Counter) {
	b := NewBuffer(0)
	b.Add(&Entry{Key: k, Counter: c})
	a.Add(b.Take())
}

func ssh(iface flow.Scope, port uint16) Key {
	return Key{Flow: flow.Key{
		Scope: iface, Src: addr(139), Dst: addr(21), SrcPort: port, DstPort: 22, Proto: packet.TCP,
	}}
}

func TestWindows(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch, 0)
	if end := a.End(at(0)); end != at(60) {
		t.Errorf("the first window ends at %v", end)
	}
	if end := a.End(at(60)); end != at(120) {
		t.Errorf("the window of its end ends at %v", end)
	}
	put(a, ssh(1, 1), counter(10, 59.9))
	put(a, ssh(1, 1), counter(5, 7))
	put(a, ssh(1, 2), counter(58, 60.1)) // handed over a little late: of its first packet's window
	put(a, ssh(1, 1), counter(60, 61))
	put(a, ssh(1, 1), Counter{})
	if got := a.Close(at(59.999), describe, nil); len(got) != 0 {
		t.Fatalf("an open window has records: %v", got)
	}
	if got := a.Snapshot(describe); len(got) != 3 {
		t.Errorf("a snapshot has %d records", len(got))
	}
	got := a.Close(at(60), describe, nil)
	// Lab time 5 s is 1418530005.9 s, and 59.9 s is 1418530060.8 s.
	if len(got) != 2 || got[0].Packets != 2 || got[0].Bytes != 80 || got[0].Start != 1418530005 || got[0].End != 1418530060 || got[1].End != 1418530061 {
		t.Fatalf("first window: %+v", got)
	}
	if got = a.Close(at(119), describe, nil); len(got) != 0 {
		t.Errorf("records come twice: %+v", got)
	}
	if got = a.Flush(describe); len(got) != 1 || got[0].Start != 1418530060 {
		t.Errorf("flushed: %+v", got)
	}
	if got = a.Flush(describe); len(got) != 0 {
		t.Errorf("flushed again: %+v", got)
	}
	if end := NewAggregator(0, epoch, 0).End(0); end != at(600) { // F4.2
		t.Errorf("the default window ends at %v", end)
	}
}

// F4.1: each direction, action, tuple and interface is a record of its own.
func TestRecordsAreApart(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch, 0)
	base := ssh(1, 20641)
	keys := []Key{base, base, base, base, base}
	keys[1].Way = flow.Egress
	keys[2].Action = Reject
	keys[3].Flow.SrcPort++
	keys[4].Flow.Scope = 2
	for _, k := range append(keys, keys...) {
		put(a, k, counter(1, 1))
	}
	put(a, ssh(3, 1), counter(1, 1)) // an interface that nobody knows
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
		a := NewAggregator(ShortWindow, epoch, 0)
		put(a, Key{Flow: flow.Key{Scope: tt.iface, Src: tt.src, Dst: tt.dst}, Way: tt.way}, counter(1, 1))
		r := a.Flush(describe)[0]
		if r.Src != tt.wantSrc || r.Dst != tt.wantDst || r.PktSrc != tt.wantPSrc || r.PktDst != tt.wantPDst {
			t.Errorf("%s: %s > %s, packets %s > %s", tt.name, r.Src, r.Dst, r.PktSrc, r.PktDst)
		}
	}
}

// F4.6, F4.10: a ping is two records without ports, whatever its identifiers.
func TestPing(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch, 0)
	for id := range uint16(3) {
		k := Key{Flow: flow.Key{
			Scope: 1, Src: addr(139), Dst: addr(21), SrcPort: id, DstPort: id, Proto: packet.ICMP,
		}}
		put(a, k, counter(1, 1))
		k.Flow, k.Way, k.Action = k.Flow.Reverse(), flow.Egress, Reject
		put(a, k, counter(1, 1))
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
			a := NewAggregator(ShortWindow, epoch, 0)
			for _, p := range parts {
				put(a, p.k, p.c)
			}
			return append(a.Close(at(120), describe, nil), a.Flush(describe)...)
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

// F4.8: an interface that was silent in a window, and one for whose traffic there
// was no room, of which one record may stand for many flows.
func TestIncompleteWindows(t *testing.T) {
	a := NewAggregator(ShortWindow, epoch, 2)
	for port := range uint16(5) {
		put(a, ssh(1, port), counter(1+float64(port), 9))
		put(a, ssh(1, port), counter(1+float64(port), 9)) // of what is known there can be more
	}
	text := func(records []Record) (lines []string) {
		for _, r := range records {
			lines = append(lines, r.Text(DefaultFormat))
		}
		return lines
	}
	got := text(a.Close(at(125), describe, []flow.Scope{1, 2, 3}))
	want := []string{
		"2 - eni-1 172.31.16.139 172.31.16.21 0 22 6 2 80 1418530001 1418530009 ACCEPT OK",
		"2 - eni-1 172.31.16.139 172.31.16.21 1 22 6 2 80 1418530002 1418530009 ACCEPT OK",
		"2 - eni-1 - - - - - - - 1418530003 1418530009 - SKIPDATA",
		"2 - eni-2 - - - - - - - 1418530000 1418530059 - NODATA",
		"2 - eni-1 - - - - - - - 1418530060 1418530119 - NODATA",
		"2 - eni-2 - - - - - - - 1418530060 1418530119 - NODATA",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	put(a, ssh(1, 1), counter(50, 59)) // too late for its window, which is gone: it is not lost
	if got := a.Flush(describe); len(got) != 1 || got[0].Start != 1418530050 {
		t.Errorf("late: %+v", got)
	}
}

// What does not fit into a buffer is counted (F4.8), and nothing else is lost.
func TestBuffer(t *testing.T) {
	for _, limit := range []int{1, 64, 65, 5000, 2 * chunkLen} {
		b := NewBuffer(limit)
		for i := range 3 * chunkLen {
			b.Add(&Entry{Key: ssh(1, uint16(i)), Counter: counter(float64(i), float64(i))})
			b.Add(&Entry{Key: ssh(1, uint16(i))}) // nothing was seen
		}
		if b.Len() != limit {
			t.Errorf("%d entries of %d", b.Len(), limit)
		}
		batch := b.Take()
		n := 0
		for _, c := range batch.chunks {
			for i := range c {
				if c[i].Flow.SrcPort != uint16(n) {
					t.Fatalf("entry %d is of port %d", n, c[i].Flow.SrcPort)
				}
				n++
			}
		}
		if s := batch.skipped[1]; n != limit || int(s.Entries) != 3*chunkLen-limit || s.First != at(float64(limit)) || s.Last != at(3*chunkLen-1) {
			t.Errorf("%d of %d entries, %+v", n, limit, s)
		}
		if b.Len() != 0 || len(b.Take().chunks) != 0 {
			t.Error("they can be taken twice")
		}
	}
}

// F4.5, F4.6: custom formats.
func TestParseFormat(t *testing.T) {
	f, wrong := ParseFormat("${version} $${vpc-id}  ${tcp-flags}")
	if !slices.Equal(f, Format{"version", "vpc-id", "tcp-flags"}) || wrong != nil {
		t.Errorf("%v, %v", f, wrong)
	}
	if again, _ := ParseFormat(f.String()); !slices.Equal(again, f) {
		t.Errorf("%s is read as %v", f, again)
	}
	_, wrong = ParseFormat("version ${srcadr} ${end} ${end} ${plsim-flow} ${type")
	if want := []string{"version", "${srcadr}", "${end}", "${plsim-flow}", "${type"}; !slices.Equal(wrong, want) {
		t.Errorf("wrong are %q, want %q", wrong, want)
	}
}

func FuzzParseFormat(f *testing.F) {
	f.Add(DefaultFormat.String())
	f.Add("$${srcaddr} ${x} ${")
	f.Fuzz(func(t *testing.T, text string) {
		format, wrong := ParseFormat(text)
		if len(format)+len(wrong) != len(strings.Fields(text)) {
			t.Errorf("%q: %v, %q", text, format, wrong)
		}
		if again, bad := ParseFormat(format.String()); !slices.Equal(again, format) || bad != nil {
			t.Errorf("%v is read as %v, %q", format, again, bad)
		}
	})
}

// BenchmarkTally counts a packet of a flow.
func BenchmarkTally(b *testing.B) {
	var t Tally
	b.ReportAllocs()
	for now := clock.Time(0); b.Loop(); now++ {
		t.Add(now, 1, 1500, packet.ACK)
	}
}

// BenchmarkBuffer notes what the walk counted of a flow in a minute.
func BenchmarkBuffer(b *testing.B) {
	e := Entry{Key: ssh(1, 1), Counter: counter(1, 2)}
	buffer := NewBuffer(0)
	b.ReportAllocs()
	for b.Loop() {
		if buffer.Len() == DefaultBuffer {
			buffer.Take()
		}
		buffer.Add(&e)
	}
}

// BenchmarkRecords makes records of what was noted, per flow.
func BenchmarkRecords(b *testing.B) {
	for _, flows := range []int{1e2, 1e5} {
		b.Run(fmt.Sprintf("flows=%.0e", float64(flows)), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a, buffer := NewAggregator(time.Minute, time.Unix(0, 0), 0), NewBuffer(0)
				for i := range flows {
					buffer.Add(&Entry{Key: ssh(flow.Scope(1+i>>16), uint16(i)), Counter: counter(1, 2)})
				}
				a.Add(buffer.Take())
				if n := len(a.Flush(describe)); n != flows {
					b.Fatalf("%d records of %d flows", n, flows)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*flows), "ns/flow")
		})
	}
}
