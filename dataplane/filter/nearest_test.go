package filter

import (
	"testing"

	"github.com/plsim/plsim/dataplane/packet"
)

// TestNearest: which rule the author of a refused packet most likely had in mind.
func TestNearest(t *testing.T) {
	group := &Group{map[packet.Addr]struct{}{addr("10.0.0.5"): {}}}
	set := NewRuleSet([]Rule{
		{ID: 1, Proto: int(packet.UDP), From: 80, To: 80, Prefix: prefix("0.0.0.0/0")},
		{ID: 2, Proto: int(packet.TCP), From: 80, To: 80, Prefix: prefix("10.1.0.0/16")},
		{ID: 3, Proto: int(packet.TCP), From: 443, To: 443, Prefix: prefix("10.0.0.0/16")},
		{ID: 4, Proto: int(packet.TCP), From: 8080, To: 8080, Group: group},
		{ID: 5, Proto: int(packet.ICMP), From: 8, To: -1, Prefix: prefix("10.0.0.0/16")},
		{ID: 6, Proto: AnyProto, Prefix: prefix("fd00::/16")},
	})
	for _, tt := range []struct {
		name string
		q    Query
		id   RuleID
		how  Miss
	}{
		{"the port before the peer", Query{Proto: packet.TCP, Port: 80, Peer: addr("10.0.0.9")}, 3, OtherPort},
		{"the peer", Query{Proto: packet.TCP, Port: 443, Peer: addr("10.2.0.9")}, 3, OtherPeer},
		{"the peer before the protocol", Query{Proto: packet.TCP, Port: 80, Peer: addr("192.168.0.9")}, 2, OtherPeer},
		{"the group", Query{Proto: packet.TCP, Port: 8080, Peer: addr("192.168.0.9")}, 4, OtherPeer},
		{"a group that does not count", Query{Proto: packet.TCP, Port: 8080, Peer: addr("10.0.0.5"), NoGroups: true}, 4, OtherGroup},
		{"the protocol", Query{Proto: 132, Port: 80, Peer: addr("192.168.0.9")}, 1, OtherProtocol},
		{"the type", Query{Proto: packet.ICMP, Type: 13, Peer: addr("10.0.0.9")}, 5, OtherPort},
		{"no type is a port", Query{Proto: packet.ICMPv6, Type: 8, Peer: addr("10.0.0.9")}, NoRule, NoMiss},
		{"the other family does not count", Query{Proto: packet.TCP, Port: 22, Peer: addr("192.168.0.9")}, NoRule, NoMiss},
	} {
		if id, how := set.Nearest(tt.q); id != tt.id || how != tt.how {
			t.Errorf("%s: rule %d, %d, want %d, %d", tt.name, int32(id), how, int32(tt.id), tt.how)
		}
	}
	acl := NewACL("acl-1", "", []Entry{
		{Number: 90, Traffic: Rule{Proto: int(packet.TCP), From: 80, To: 80, Prefix: prefix("10.0.0.0/16")}},
		{Number: 100, Allow: true, Traffic: Rule{Proto: int(packet.TCP), From: 443, To: 443, Prefix: prefix("10.0.0.0/16")}, Path: "lab.yaml:7"},
	})
	number, how := acl.Nearest(Query{Proto: packet.TCP, Port: 8080, Peer: addr("10.0.0.9")})
	if number != 100 || how != OtherPort || acl.Path(number) != "lab.yaml:7" || acl.Path(90) != "" {
		t.Errorf("entry %d, %d, %s", number, how, acl.Path(number))
	}
}
