package flow

// lines are what keys have in common: scope, protocol and addresses, all but the
// ports. A table has one line for all connections between two addresses at an
// interface, so that a key of either family takes 8 bytes beside it. A line lives as
// long as some entry has a key on it, so whoever makes up addresses gets no more of
// them than of entries.
type lines struct {
	seed  Seed
	index index
	slab  Slab[line]
}

type line struct {
	key  Key // without ports
	keys uint32
}

// short is a key as an entry keeps it. The zero short is no key.
type short struct {
	line             uint32 // 1 + the slot of its line
	srcPort, dstPort uint16
}

// shorten returns k as an entry keeps it, which it does until it calls release.
func (l *lines) shorten(k *Key) short {
	s := short{srcPort: k.SrcPort, dstPort: k.DstPort}
	common := *k
	common.SrcPort, common.DstPort = 0, 0
	h := l.hash(&common)
	mask := uint32(len(l.index.cells) - 1)
	for i := h & mask; l.index.cells[i].key != 0; i = (i + 1) & mask {
		if c := l.index.cells[i]; c.hash == h {
			if at := l.slab.At(c.key - 1); at.key == common {
				at.keys++
				s.line = c.key
				return s
			}
		}
	}
	slot := l.slab.Take()
	*l.slab.At(slot) = line{common, 1}
	s.line = slot + 1
	l.index.put(cell{h, s.line})
	return s
}

// release says that an entry no longer keeps s.
func (l *lines) release(s short) {
	at := l.slab.At(s.line - 1)
	if at.keys--; at.keys == 0 {
		l.index.remove(cell{l.hash(&at.key), s.line})
		l.slab.Free(s.line - 1)
	}
}

// whole returns the key that s stands for.
func (l *lines) whole(s short) Key {
	if s.line == 0 {
		return Key{}
	}
	k := l.slab.At(s.line - 1).key
	k.SrcPort, k.DstPort = s.srcPort, s.dstPort
	return k
}

// is reports whether s, which is a key, stands for k.
func (l *lines) is(s short, k *Key) bool {
	if s.srcPort != k.SrcPort || s.dstPort != k.DstPort {
		return false
	}
	at := &l.slab.At(s.line - 1).key
	return at.Src == k.Src && at.Dst == k.Dst && at.Scope == k.Scope && at.Proto == k.Proto
}

func (l *lines) hash(k *Key) uint32 { return uint32(Hash(l.seed, k) >> 32) }
