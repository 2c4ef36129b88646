package filter

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

func addr(s string) packet.Addr { return packet.AddrFrom(netip.MustParseAddr(s)) }

func prefix(s string) Prefix { return PrefixFrom(netip.MustParsePrefix(s)) }

func TestContains(t *testing.T) {
	for _, tt := range []struct {
		prefix, addr string
		want         bool
	}{
		{"0.0.0.0/0", "10.0.0.1", true},
		{"0.0.0.0/0", "fd00::1", false},
		{"0.0.0.0/0", "::", false},
		{"0.0.0.0/0", "::fffe:0:1", false}, // one bit from the mapped form
		{"::/0", "fd00::1", true},
		{"::/0", "::", true},
		{"::/0", "10.0.0.1", false},
		{"::/1", "10.0.0.1", false},
		{"::/64", "0.0.0.0", false},
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"10.0.0.7/8", "10.1.2.3", true}, // host bits do not count
		{"10.0.9.5/32", "10.0.9.5", true},
		{"10.0.9.5/32", "10.0.9.4", false},
		{"10.0.8.0/23", "10.0.9.255", true},
		{"10.0.8.0/23", "10.0.10.0", false},
		{"fd00::/7", "fc00::1", true},
		{"fd00::1/128", "fd00::1", true},
		{"fd00::1/128", "fd00::2", false},
	} {
		if got := prefix(tt.prefix).Contains(addr(tt.addr)); got != tt.want {
			t.Errorf("%s contains %s: %t", tt.prefix, tt.addr, got)
		}
	}
	if (Prefix{Addr: addr("10.0.0.0"), Bits: 64}).Contains(addr("10.0.0.1")) {
		t.Error("an IPv6 prefix around the IPv4-mapped addresses contains one")
	}
	for _, p := range []Prefix{PrefixFrom(netip.Prefix{}), {Bits: 129}} {
		if p.Contains(addr("0.0.0.0")) || p.Contains(addr("::")) {
			t.Errorf("%v is no prefix, but contains something", p)
		}
	}
}

// drawAddr draws an address close to others: few bits differ, at the front or
// at the end.
func drawAddr(t *rapid.T, name string) netip.Addr {
	v := rapid.Uint32().Draw(t, name) >> rapid.IntRange(0, 31).Draw(t, name+" shift")
	if rapid.Bool().Draw(t, name+" reverse") {
		v = ^v
	}
	var b [16]byte
	if rapid.Bool().Draw(t, name+" v6") {
		i := rapid.SampledFrom([]int{0, 6, 12}).Draw(t, name+" place")
		binary.BigEndian.PutUint32(b[i:], v)
		return netip.AddrFrom16(b).Unmap()
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, v)))
}

func drawPrefix(t *rapid.T) netip.Prefix {
	a := drawAddr(t, "prefix")
	return netip.PrefixFrom(a, rapid.IntRange(0, a.BitLen()).Draw(t, "bits"))
}

func TestContainsAsNetip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPrefix(t)
		a := drawAddr(t, "addr")
		if rapid.Bool().Draw(t, "near") { // flips one bit of the prefix's own address
			b := p.Addr().AsSlice()
			i := rapid.IntRange(0, p.Addr().BitLen()-1).Draw(t, "bit")
			b[i/8] ^= 0x80 >> (i % 8)
			a, _ = netip.AddrFromSlice(b)
		}
		if a.Is4In6() {
			t.Skip("the lab has no such addresses") // netip holds them apart from IPv4
		}
		if got, want := PrefixFrom(p).Contains(packet.AddrFrom(a)), p.Contains(a); got != want {
			t.Fatalf("%s contains %s: %t, want %t", p, a, got, want)
		}
	})
}

func TestMatch(t *testing.T) {
	any4, any6 := prefix("0.0.0.0/0"), prefix("::/0")
	group := &Group{map[packet.Addr]struct{}{addr("10.0.0.5"): {}, addr("fd00::5"): {}}}
	set := NewRuleSet([]Rule{
		{ID: 10, Proto: int(packet.TCP), From: 80, To: 90, Prefix: prefix("10.0.0.0/16")},
		{ID: 11, Proto: int(packet.TCP), From: 85, To: 85, Prefix: any4},
		{ID: 12, Proto: int(packet.UDP), From: 53, To: 53, Group: group},
		{ID: 13, Proto: int(packet.ICMP), From: 8, To: -1, Prefix: any4},
		{ID: 14, Proto: int(packet.ICMP), From: 3, To: 4, Prefix: any4},
		{ID: 15, Proto: int(packet.ICMPv6), From: -1, To: -1, Prefix: any6},
		{ID: 16, Proto: AnyProto, From: 1, To: 0, Prefix: prefix("192.168.0.0/24")},
		{ID: 17, Proto: int(packet.TCP), From: 0, To: 0, Prefix: any6},
		{ID: 18, Proto: int(packet.TCP), From: 65535, To: 65535, Prefix: any6, Group: &Group{}},
		{ID: 19, Proto: 47, From: 5, To: 5, Prefix: any4},
	})
	for _, tt := range []struct {
		name string
		q    Query
		want RuleID
	}{
		{"first port", Query{Proto: packet.TCP, Port: 80, Peer: addr("10.0.1.1")}, 10},
		{"last port", Query{Proto: packet.TCP, Port: 90, Peer: addr("10.0.1.1")}, 10},
		{"below", Query{Proto: packet.TCP, Port: 79, Peer: addr("10.0.1.1")}, NoRule},
		{"above", Query{Proto: packet.TCP, Port: 91, Peer: addr("10.0.1.1")}, NoRule},
		{"first of two", Query{Proto: packet.TCP, Port: 85, Peer: addr("10.0.1.1")}, 10},
		{"second of two", Query{Proto: packet.TCP, Port: 85, Peer: addr("10.1.1.1")}, 11},
		{"other protocol", Query{Proto: packet.UDP, Port: 85, Peer: addr("10.0.1.1")}, NoRule},
		{"other family", Query{Proto: packet.TCP, Port: 85, Peer: addr("fd00::1")}, NoRule},
		{"group", Query{Proto: packet.UDP, Port: 53, Peer: addr("10.0.0.5")}, 12}, // F3.6
		{"group, IPv6", Query{Proto: packet.UDP, Port: 53, Peer: addr("fd00::5")}, 12},
		{"not in the group", Query{Proto: packet.UDP, Port: 53, Peer: addr("10.0.0.6")}, NoRule},
		{"any code", Query{Proto: packet.ICMP, Type: 8, Code: 77, Peer: addr("10.0.1.1")}, 13},
		{"type and code", Query{Proto: packet.ICMP, Type: 3, Code: 4, Peer: addr("10.0.1.1")}, 14},
		{"other code", Query{Proto: packet.ICMP, Type: 3, Code: 3, Peer: addr("10.0.1.1")}, NoRule},
		{"port is no type", Query{Proto: packet.ICMP, Type: 0, Port: 8, Peer: addr("10.0.1.1")}, NoRule},
		{"ICMPv6", Query{Proto: packet.ICMPv6, Type: 128, Peer: addr("fd00::1")}, 15},
		{"ICMPv6 is not ICMP", Query{Proto: packet.ICMP, Type: 128, Peer: addr("fd00::1")}, NoRule},
		{"everything", Query{Proto: packet.TCP, Port: 22, Peer: addr("192.168.0.9")}, 16},
		{"everything, ICMP", Query{Proto: packet.ICMP, Type: 5, Peer: addr("192.168.0.9")}, 16},
		{"port 0", Query{Proto: packet.TCP, Port: 0, Peer: addr("fd00::1")}, 17},
		{"port 0 is not any", Query{Proto: packet.TCP, Port: 1, Peer: addr("fd00::1")}, NoRule},
		{"empty group", Query{Proto: packet.TCP, Port: 65535, Peer: addr("fd00::1")}, NoRule},
		{"without ports", Query{Proto: 47, Peer: addr("10.0.1.1")}, 19},
	} {
		id, ok := set.Match(tt.q)
		if id != tt.want || ok != (tt.want != NoRule) {
			t.Errorf("%s: rule %d, %t, want %d", tt.name, int32(id), ok, int32(tt.want))
		}
	}
}

func TestNoRules(t *testing.T) {
	q := Query{Proto: packet.TCP, Port: 80, Peer: addr("10.0.0.1")}
	if id, ok := (*RuleSet)(nil).Match(q); id != NoRule || !ok {
		t.Errorf("without a set: %d %t", id, ok) // F2.63
	}
	if id, ok := NewRuleSet(nil).Match(q); id != NoRule || ok {
		t.Errorf("with an empty set: %d %t", id, ok) // F3.1
	}
}

func TestRulesAreCopied(t *testing.T) {
	rules := []Rule{{ID: 1, Proto: AnyProto, Prefix: prefix("0.0.0.0/0")}}
	set := NewRuleSet(rules)
	rules[0] = Rule{}
	if _, ok := set.Match(Query{Proto: packet.TCP, Peer: addr("10.0.0.1")}); !ok {
		t.Error("the set changed with the caller's slice")
	}
}

// The oracle says the same in net/netip's words.
func TestMatchAsOracle(t *testing.T) {
	protos := []int{AnyProto, int(packet.TCP), int(packet.UDP), int(packet.ICMP), int(packet.ICMPv6)}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "rules")
		rules := make([]Rule, n)
		prefixes := make([]netip.Prefix, n)
		for i := range rules {
			prefixes[i] = drawPrefix(t)
			rules[i] = Rule{
				ID:    RuleID(100 + i),
				Proto: rapid.SampledFrom(protos).Draw(t, "proto"),
				From:  rapid.IntRange(-1, 3).Draw(t, "from"), To: rapid.IntRange(-1, 4).Draw(t, "to"),
				Prefix: PrefixFrom(prefixes[i]),
			}
		}
		peer := drawAddr(t, "peer")
		if n > 0 && rapid.Bool().Draw(t, "at home") {
			peer = prefixes[0].Addr()
		}
		q := Query{
			Proto: packet.Proto(rapid.SampledFrom(protos[1:]).Draw(t, "proto")),
			Port:  uint16(rapid.IntRange(0, 5).Draw(t, "port")),
			Type:  uint8(rapid.IntRange(0, 4).Draw(t, "type")), Code: uint8(rapid.IntRange(0, 4).Draw(t, "code")),
			Peer: packet.AddrFrom(peer),
		}
		want := NoRule
		for i := n - 1; i >= 0; i-- {
			r := rules[i]
			icmp := r.Proto == 1 || r.Proto == 58
			in := int(q.Port) >= r.From && int(q.Port) <= r.To
			if icmp {
				in = (r.From < 0 || r.From == int(q.Type)) && (r.To < 0 || r.To == int(q.Code))
			}
			if (r.Proto < 0 || r.Proto == int(q.Proto) && in) && prefixes[i].Contains(peer) {
				want = r.ID
			}
		}
		if id, ok := NewRuleSet(rules).Match(q); id != want || ok != (want != NoRule) {
			t.Fatalf("rule %d, %t, want %d", int32(id), ok, int32(want))
		}
	})
}
