package filter

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

// plain reads the rules one after the other, as people do.
func plain(rules []Rule, q *Query) (RuleID, bool) {
	for i := range rules {
		if r := &rules[i]; r.allowsTraffic(q) && r.allowsPeer(q.Peer) && (r.Group == nil || !q.NoGroups) {
			return r.ID, true
		}
	}
	return NoRule, false
}

// drawRules draws rules that overlap: nested prefixes, ranges that share ports,
// groups that share members.
func drawRules(t *rapid.T) []Rule {
	groups := make([]*Group, 3)
	for i := range groups {
		groups[i] = &Group{Members: map[packet.Addr]struct{}{}}
		for range rapid.IntRange(0, 4).Draw(t, "members") {
			groups[i].Members[packet.AddrFrom(drawAddr(t, "member"))] = struct{}{}
		}
	}
	rules := make([]Rule, rapid.IntRange(0, 40).Draw(t, "rules"))
	for i := range rules {
		r := Rule{
			ID: RuleID(1000 + i), Proto: rapid.SampledFrom([]int{AnyProto, 6, 6, 6, 17, 1, 58, 47}).Draw(t, "proto"),
			From: rapid.IntRange(-1, 12).Draw(t, "from"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "ports") {
		case 0:
			r.To = r.From
		case 1:
			r.To = 65535
		default:
			r.To = rapid.IntRange(-1, 12).Draw(t, "to") // perhaps before from
		}
		if rapid.IntRange(0, 3).Draw(t, "is group") == 0 {
			r.Group = rapid.SampledFrom(groups).Draw(t, "group")
		} else {
			r.Prefix = PrefixFrom(drawPrefix(t))
		}
		rules[i] = r
	}
	return rules
}

func drawQuery(t *rapid.T, rules []Rule) Query {
	q := Query{
		Proto: packet.Proto(rapid.SampledFrom([]int{6, 6, 6, 17, 1, 58, 47, 50}).Draw(t, "of")),
		Port:  uint16(rapid.SampledFrom([]int{0, 1, 2, 3, 5, 8, 11, 12, 13, 65534, 65535}).Draw(t, "port")),
		Type:  uint8(rapid.IntRange(0, 13).Draw(t, "type")), Code: uint8(rapid.IntRange(0, 13).Draw(t, "code")),
		Peer: packet.AddrFrom(drawAddr(t, "peer")), NoGroups: rapid.Bool().Draw(t, "no groups"),
	}
	if len(rules) > 0 && rapid.Bool().Draw(t, "at home") { // in a rule's prefix, or just beside it
		p := rapid.SampledFrom(rules).Draw(t, "whose").Prefix
		if next, ok := p.masked().next(); ok && rapid.Bool().Draw(t, "beside") {
			p.Addr = next
		}
		q.Peer = p.Addr
	}
	return q
}

// TestIndexAsPlain compares what finds a rule fast with reading them all: it must
// be the very same rule, also of those that decide what is tracked (F3.10); order
// decides which rule is named, and never whether one allows (F3.1).
func TestIndexAsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rules := drawRules(t)
		set := NewRuleSet(rules)
		for range 20 {
			q := drawQuery(t, rules)
			id, ok := set.Match(q)
			want, wantOK := plain(rules, &q)
			if id != want || ok != wantOK {
				t.Fatalf("%+v: rule %d, %t; read one by one, %d, %t", q, int32(id), ok, int32(want), wantOK)
			}
			var open []Rule
			whole := false
			for _, r := range rules {
				everyone := r.Group == nil && (r.Prefix == prefix("0.0.0.0/0") || r.Prefix == prefix("::/0"))
				if everyone {
					open = append(open, r)
				}
				if everyone && r.Prefix.is4() == q.Peer.Is4() {
					ports := r.Proto == int(q.Proto) && len(r.ranges()) == 1 && r.ranges()[0] == portRange{0, 65535}
					whole = whole || r.Proto == AnyProto || ports
				}
			}
			id, ok = set.MatchOpen(q)
			if want, wantOK := plain(open, &q); id != want || ok != wantOK {
				t.Fatalf("%+v: of the open rules %d, %t; read one by one, %d, %t", q, int32(id), ok, int32(want), wantOK)
			}
			if got := set.OpensAll(q); got != whole {
				t.Fatalf("%+v: all ports open: %t", q, got)
			}
		}
	})
}

// TestACLAsPlain is the same for network ACLs, whose entries deny, too.
func TestACLAsPlain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var entries []Entry
		rules := drawRules(t)
		for i := range rules {
			if rules[i].Group == nil {
				rules[i].ID = RuleID(len(entries))
				entries = append(entries, Entry{Number: i + 1, Allow: rapid.Bool().Draw(t, "allow"), Traffic: rules[i]})
			}
		}
		acl := NewACL("", "", entries)
		for range 20 {
			q := drawQuery(t, rules)
			q.NoGroups = true
			number, ok := acl.Match(q)
			want := Entry{Number: LastNumber}
			if id, found := plain(rules, &q); found {
				want = entries[id]
			}
			if number != want.Number || ok != want.Allow {
				t.Fatalf("%+v: entry %d, %t; read one by one, %d, %t", q, number, ok, want.Number, want.Allow)
			}
		}
	})
}

// manyRules returns n rules for one address or a few, and for a few ports.
func manyRules(n int) []Rule {
	rnd := rand.New(rand.NewPCG(1, 2))
	rules := make([]Rule, n)
	for i := range rules {
		a := packet.AddrFrom(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 10<<24|rnd.Uint32()>>8))))
		port := 1 + rnd.IntN(2000)
		rules[i] = Rule{ID: RuleID(i), Proto: 6, From: port, To: port + rnd.IntN(10), Prefix: Prefix{Addr: a, Bits: uint8(112 + rnd.IntN(17))}}
	}
	return rules
}

// BenchmarkMatch measures how long a new flow waits for its verdict: rules for one
// address each, of which the last one matches or none. They are looked up in the index, or
// read one by one.
func BenchmarkMatch(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		rules := manyRules(n)
		set := NewRuleSet(rules)
		last := &rules[n-1]
		hit := Query{Proto: packet.TCP, Port: uint16(last.From), Peer: last.Prefix.Addr}
		miss := Query{Proto: packet.TCP, Port: 60000, Peer: last.Prefix.Addr}
		for _, q := range []struct {
			name string
			Query
		}{{"last", hit}, {"none", miss}} {
			b.Run(fmt.Sprintf("rules=%d/match=%s/by=index", n, q.name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					set.Match(q.Query)
				}
			})
			b.Run(fmt.Sprintf("rules=%d/match=%s/by=reading", n, q.name), func(b *testing.B) {
				for b.Loop() {
					plain(rules, &q.Query)
				}
			})
		}
	}
}

// BenchmarkCompile makes the index of so many rules.
func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rules := manyRules(n)
			for b.Loop() {
				NewRuleSet(rules)
			}
		})
	}
}
