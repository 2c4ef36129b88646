package flow

// Lines are what keys have in common: scope, protocol and addresses, all but the
// ports. There is one line for all connections between two addresses at an
// interface, so that a key of either family takes 8 bytes beside it. A line lives as
// long as some entry has a key on it, so whoever makes up addresses gets no more of
// them than of entries.
//
// Tables may share their lines, and with them the seed of their hashes: then whoever has
// [Lines.Name]d a key once finds it in all of them. Lines have one owner, as their tables do.
type Lines struct {
	lanes lanes       // of the seed
	keys  Shared[Key] // without ports
}

// NewLines returns lines for keys that are hashed with a seed.
func NewLines(seed Seed) *Lines { return &Lines{lanes: seed.lanes()} }

// Name is a key as it goes from table to table: hashed once for all that share lines.
type Name struct {
	Key
	hash, common uint32 // of the key, and of its line
	line         Mark   // that it had last
}

// Name makes n the name of a key.
func (l *Lines) Name(n *Name, k *Key) {
	hash, common := l.lanes.both(k)
	*n = Name{Key: *k, hash: uint32(hash >> 32), common: uint32(common >> 32)}
}

// short is a key as an entry keeps it. The zero short is no key.
type short struct {
	line             uint32
	srcPort, dstPort uint16
}

// shorten returns a key as an entry keeps it, which it does until it calls release.
func (l *Lines) shorten(n *Name) short {
	if l.keys.Has(n.line) {
		return short{l.keys.UseAgain(n.line), n.SrcPort, n.DstPort}
	}
	common := n.Key
	common.SrcPort, common.DstPort = 0, 0
	line := l.keys.use(&common, n.common)
	n.line = l.keys.Mark(line)
	return short{line, n.SrcPort, n.DstPort}
}

// release says that an entry no longer keeps s.
func (l *Lines) release(s short) { l.keys.Release(s.line) }

// whole returns the key that s stands for.
func (l *Lines) whole(s short) Key {
	if s.line == 0 {
		return Key{}
	}
	k := *l.keys.At(s.line)
	k.SrcPort, k.DstPort = s.srcPort, s.dstPort
	return k
}

// is reports whether s, which is a key, stands for k.
func (l *Lines) is(s short, k *Key) bool {
	if s.srcPort != k.SrcPort || s.dstPort != k.DstPort {
		return false
	}
	line := l.keys.At(s.line)
	return line.Src == k.Src && line.Dst == k.Dst && line.Scope == k.Scope && line.Proto == k.Proto
}

func (l *Lines) hash(k *Key) uint32 { return uint32(l.lanes.key(k) >> 32) }
