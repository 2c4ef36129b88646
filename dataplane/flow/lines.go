package flow

// lines are what keys have in common: scope, protocol and addresses, all but the
// ports. A table has one line for all connections between two addresses at an
// interface, so that a key of either family takes 8 bytes beside it. A line lives as
// long as some entry has a key on it, so whoever makes up addresses gets no more of
// them than of entries.
type lines struct {
	seed Seed
	keys Shared[Key] // without ports
}

// short is a key as an entry keeps it. The zero short is no key.
type short struct {
	line             uint32
	srcPort, dstPort uint16
}

// shorten returns k as an entry keeps it, which it does until it calls release.
func (l *lines) shorten(k *Key) short {
	common := *k
	common.SrcPort, common.DstPort = 0, 0
	return short{l.keys.Use(&common, Hash(l.seed, &common)), k.SrcPort, k.DstPort}
}

// release says that an entry no longer keeps s.
func (l *lines) release(s short) { l.keys.Release(s.line) }

// whole returns the key that s stands for.
func (l *lines) whole(s short) Key {
	if s.line == 0 {
		return Key{}
	}
	k := *l.keys.At(s.line)
	k.SrcPort, k.DstPort = s.srcPort, s.dstPort
	return k
}

// is reports whether s, which is a key, stands for k.
func (l *lines) is(s short, k *Key) bool {
	if s.srcPort != k.SrcPort || s.dstPort != k.DstPort {
		return false
	}
	line := l.keys.At(s.line)
	return line.Src == k.Src && line.Dst == k.Dst && line.Scope == k.Scope && line.Proto == k.Proto
}

func (l *lines) hash(k *Key) uint32 { return uint32(Hash(l.seed, k) >> 32) }
