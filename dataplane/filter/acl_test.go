package filter

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

// TestACL is about the rules of AWS: the first match decides, whether it allows or
// denies, the end denies, and the families do not meet (F3.17).
func TestACL(t *testing.T) {
	any4, any6 := prefix("0.0.0.0/0"), prefix("::/0")
	tcp := func(from, to int, p Prefix) Rule { return Rule{Proto: int(packet.TCP), From: from, To: to, Prefix: p} }
	acl := NewACL("acl-1", "lab/a", []Entry{
		{Number: 90, Traffic: tcp(22, 22, prefix("10.0.9.0/24"))},
		{Number: 100, Allow: true, Traffic: tcp(0, 1023, any4)},
		{Number: 110, Traffic: tcp(80, 80, any4)}, // too late for IPv4
		{Number: 120, Allow: true, Traffic: Rule{Proto: int(packet.ICMP), From: 8, To: -1, Prefix: any4}},
		{Number: 130, Traffic: Rule{Proto: AnyProto, Prefix: prefix("fd00:1::/32")}},
		{Number: 140, Allow: true, Traffic: Rule{Proto: AnyProto, Prefix: any6}},
	})
	for _, tt := range []struct {
		name   string
		q      Query
		number int
		ok     bool
	}{
		{"denied first", Query{Proto: packet.TCP, Port: 22, Peer: addr("10.0.9.7")}, 90, false},
		{"allowed, from elsewhere", Query{Proto: packet.TCP, Port: 22, Peer: addr("10.0.8.7")}, 100, true},
		{"allowed before it is denied", Query{Proto: packet.TCP, Port: 80, Peer: addr("10.0.8.7")}, 100, true},
		{"no match", Query{Proto: packet.TCP, Port: 1024, Peer: addr("10.0.8.7")}, LastNumber, false},
		{"no match, UDP", Query{Proto: packet.UDP, Port: 80, Peer: addr("10.0.8.7")}, LastNumber, false},
		{"echo", Query{Proto: packet.ICMP, Type: 8, Peer: addr("10.0.8.7")}, 120, true},
		{"echo reply", Query{Proto: packet.ICMP, Type: 0, Peer: addr("10.0.8.7")}, LastNumber, false},
		{"IPv6 denied", Query{Proto: packet.TCP, Port: 80, Peer: addr("fd00:1::5")}, 130, false},
		{"IPv6 allowed", Query{Proto: packet.TCP, Port: 1024, Peer: addr("fd00:2::5")}, 140, true},
	} {
		if number, ok := acl.Match(tt.q); number != tt.number || ok != tt.ok {
			t.Errorf("%s: entry %d, %t, want %d, %t", tt.name, number, ok, tt.number, tt.ok)
		}
	}
	if number, ok := NewACL("acl-2", "", nil).Match(Query{Peer: addr("10.0.0.1")}); number != LastNumber || ok {
		t.Errorf("an empty ACL: entry %d, %t", number, ok) // F3.18
	}
}

// An ACL of allow entries alone allows what a security group of the same rules does.
func TestACLAsRuleSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 5).Draw(t, "entries")
		entries, rules := make([]Entry, n), make([]Rule, n)
		for i := range entries {
			rules[i] = Rule{
				ID: RuleID(i + 1), Proto: rapid.SampledFrom([]int{AnyProto, 6, 17, 1}).Draw(t, "proto"),
				From: rapid.IntRange(-1, 3).Draw(t, "from"), To: rapid.IntRange(-1, 4).Draw(t, "to"),
				Prefix: PrefixFrom(drawPrefix(t)),
			}
			entries[i] = Entry{Number: i + 1, Allow: true, Traffic: rules[i]}
		}
		q := Query{
			Proto: packet.Proto(rapid.SampledFrom([]int{6, 17, 1}).Draw(t, "of")), Port: uint16(rapid.IntRange(0, 5).Draw(t, "port")),
			Type: uint8(rapid.IntRange(0, 4).Draw(t, "type")), Peer: packet.AddrFrom(drawAddr(t, "peer")),
		}
		number, ok := NewACL("", "", entries).Match(q)
		id, want := NewRuleSet(rules).Match(q)
		if ok != want || ok && number != int(id) {
			t.Fatalf("entry %d, %t; the rule set says %d, %t", number, ok, id, want)
		}
	})
}
