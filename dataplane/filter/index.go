package filter

import (
	"bytes"
	"cmp"
	"math"
	"slices"

	"github.com/plsim/plsim/dataplane/packet"
)

// index finds the first of many rules that matches, without asking each: the
// peer's address leads to the few peers of rules that hold it, and there protocol
// and port lead to the first rule. It may be shared between goroutines.
type index struct {
	four, six tree                    // the prefixes that rules name
	groups    map[packet.Addr][]*peer // the groups that rules name, by member
}

// tree finds the prefixes of one family that hold an address. Prefixes nest, so the
// innermost leads to the others.
type tree struct {
	starts []packet.Addr // ascending: from each on,
	inner  []*peer       // this prefix is the innermost, nil where there is none
	all    *peer         // the prefix of every address, if rules name it
}

// peer is whom rules are about: a prefix, or a group.
type peer struct {
	prefix Prefix
	outer  *peer // the next larger prefix, of those that rules name
	any    int32 // the first rule for every protocol
	protos []spans
}

// spans are the rules of one peer for one protocol, by port.
type spans struct {
	proto  int
	starts []uint16 // ascending, the first is 0: from each on,
	first  []int32  // this rule is the first
	whole  int32    // the first rule for all ports
}

// never is the place of a rule that there is none of.
const never = math.MaxInt32

// newIndex returns the index of rules, whose order it keeps.
func newIndex(rules []Rule) index {
	var (
		x        = index{groups: map[packet.Addr][]*peer{}}
		prefixes = map[Prefix]*peer{}
		groups   = map[*Group]*peer{}
		named    = map[*peer][]int32{} // the places of their rules
	)
	for i := range rules {
		r := &rules[i]
		var p *peer
		switch {
		case r.Group != nil:
			if p = groups[r.Group]; p == nil {
				p = &peer{any: never}
				groups[r.Group] = p
				for a := range r.Group.Members {
					x.groups[a] = append(x.groups[a], p)
				}
			}
		case r.Prefix.Bits <= 128:
			m := r.Prefix.masked()
			if p = prefixes[m]; p == nil {
				p = &peer{prefix: m, any: never}
				prefixes[m] = p
			}
		default:
			continue // it holds nothing
		}
		named[p] = append(named[p], int32(i))
	}
	for p, places := range named {
		p.add(rules, places)
	}
	x.four, x.six = newTree(prefixes, true), newTree(prefixes, false)
	return x
}

// newTree returns the tree of the prefixes of one family.
func newTree(prefixes map[Prefix]*peer, four bool) (t tree) {
	var all []*peer
	for p, named := range prefixes {
		if p.is4() != four {
			continue
		}
		all = append(all, named)
		if p.Bits == 0 || four && p.Bits == 96 {
			t.all = named
		}
	}
	slices.SortFunc(all, func(a, b *peer) int {
		return cmp.Or(bytes.Compare(a.prefix.Addr[:], b.prefix.Addr[:]), cmp.Compare(a.prefix.Bits, b.prefix.Bits))
	})
	var open *peer // the innermost that has begun and not ended
	for _, p := range all {
		for open != nil && !open.prefix.Contains(p.prefix.Addr) {
			open = t.end(open)
		}
		p.outer, open = open, p
		t.begin(p.prefix.Addr, p)
	}
	for open != nil {
		open = t.end(open)
	}
	return t
}

// begin notes what is the innermost prefix from an address on.
func (t *tree) begin(at packet.Addr, p *peer) {
	if n := len(t.starts); n > 0 && t.starts[n-1] == at {
		t.inner[n-1] = p
		return
	}
	t.starts, t.inner = append(t.starts, at), append(t.inner, p)
}

// end notes that a prefix has ended, and returns the one around it.
func (t *tree) end(p *peer) *peer {
	if next, ok := p.prefix.next(); ok {
		t.begin(next, p.outer)
	}
	return p.outer
}

// find returns the innermost prefix that holds an address.
func (t *tree) find(a packet.Addr) *peer {
	i, found := slices.BinarySearchFunc(t.starts, a, func(s, a packet.Addr) int { return bytes.Compare(s[:], a[:]) })
	if !found {
		i--
	}
	if i < 0 {
		return nil
	}
	return t.inner[i]
}

// add enters the rules at the given places, which are all that name the peer.
func (p *peer) add(rules []Rule, places []int32) {
	byProto := map[int][]int32{}
	for _, i := range places {
		if proto := rules[i].Proto; proto == AnyProto {
			p.any = min(p.any, i)
		} else {
			byProto[proto] = append(byProto[proto], i)
		}
	}
	for proto, places := range byProto {
		p.protos = append(p.protos, newSpans(rules, proto, places))
	}
}

func newSpans(rules []Rule, proto int, places []int32) spans {
	s := spans{proto: proto, starts: []uint16{0}, whole: never}
	for _, i := range places {
		for _, r := range rules[i].ranges() {
			s.starts = append(s.starts, r.first)
			if r.last < math.MaxUint16 {
				s.starts = append(s.starts, r.last+1)
			}
		}
	}
	slices.Sort(s.starts)
	s.starts = slices.Compact(s.starts)
	s.first = slices.Repeat([]int32{never}, len(s.starts))
	for _, i := range places { // the first rule of all comes first, and keeps what it has
		for _, r := range rules[i].ranges() {
			if r == (portRange{0, math.MaxUint16}) {
				s.whole = min(s.whole, i)
			}
			at, _ := slices.BinarySearch(s.starts, r.first)
			for ; at < len(s.starts) && s.starts[at] <= r.last; at++ {
				s.first[at] = min(s.first[at], i)
			}
		}
	}
	return s
}

// first returns the place of the peer's first rule for a protocol and port.
func (p *peer) first(proto packet.Proto, port uint16) int32 {
	best := p.any
	for i := range p.protos {
		if s := &p.protos[i]; s.proto == int(proto) {
			at, found := slices.BinarySearch(s.starts, port)
			if !found {
				at-- // starts begin with 0
			}
			best = min(best, s.first[at])
		}
	}
	return best
}

// whole returns the place of the peer's first rule for all ports of a protocol.
func (p *peer) whole(proto packet.Proto) int32 {
	best := p.any
	for i := range p.protos {
		if p.protos[i].proto == int(proto) {
			best = min(best, p.protos[i].whole)
		}
	}
	return best
}

// tree returns the prefixes of an address's family.
func (x *index) tree(a packet.Addr) *tree {
	if a.Is4() {
		return &x.four
	}
	return &x.six
}

// first returns the place of the first rule that matches q, never if none does.
func (x *index) first(q *Query) int32 {
	best, port := int32(never), q.span()
	for p := x.tree(q.Peer).find(q.Peer); p != nil; p = p.outer {
		best = min(best, p.first(q.Proto, port))
	}
	if !q.NoGroups {
		for _, p := range x.groups[q.Peer] {
			best = min(best, p.first(q.Proto, port))
		}
	}
	return best
}

// portRange is from a port to another, inclusive. ICMP has type and code in the place
// of ports: the type is the upper byte.
type portRange struct{ first, last uint16 }

// span returns where q stands among the ports of its protocol.
func (q *Query) span() uint16 {
	switch q.Proto {
	case packet.TCP, packet.UDP:
		return q.Port
	case packet.ICMP, packet.ICMPv6:
		return uint16(q.Type)<<8 | uint16(q.Code)
	}
	return 0
}

// ranges returns the ports that a rule is about, whose protocol is not AnyProto.
func (r *Rule) ranges() (all []portRange) {
	const last = math.MaxUint8
	switch packet.Proto(r.Proto) {
	case packet.TCP, packet.UDP:
		if from, to := max(r.From, 0), min(r.To, math.MaxUint16); from <= to {
			return []portRange{{uint16(from), uint16(to)}}
		}
	case packet.ICMP, packet.ICMPv6:
		switch {
		case r.From < -1 || r.From > last || r.To < -1 || r.To > last: // no type, no code
		case r.From == -1 && r.To == -1:
			return []portRange{{0, math.MaxUint16}}
		case r.From == -1: // a code of any type
			for kind := range uint16(last + 1) {
				at := kind<<8 | uint16(r.To)
				all = append(all, portRange{at, at})
			}
		case r.To == -1:
			at := uint16(r.From) << 8
			return []portRange{{at, at | last}}
		default:
			at := uint16(r.From)<<8 | uint16(r.To)
			return []portRange{{at, at}}
		}
	default:
		return []portRange{{0, math.MaxUint16}} // a protocol without ports
	}
	return all
}
