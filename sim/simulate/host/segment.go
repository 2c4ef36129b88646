package host

import (
	"github.com/plsim/plsim/dataplane/packet"
)

// segment is what a connection needs to know of a TCP segment.
type segment struct {
	data     []byte
	seq, ack uint32
	wnd      uint32 // as it stands there
	flags    packet.Flags

	stamped     bool
	stamp, echo uint32
	mss         uint16 // of a SYN; 0: it has none
	sackOK      bool
	scale       uint8
	scaled      bool
	sacks       [4]span
	sackn       int
}

// Kinds of TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018).
const (
	optEnd, optNop, optMSS, optScale, optSACKOK, optSACK, optStamp = 0, 1, 2, 3, 4, 5, 8
)

// read takes a segment apart.
func (g *segment) read(v *packet.View) {
	t := v.Transport()
	g.seq, g.flags, g.data = v.Seq, v.Flags, v.Payload()
	g.ack, g.wnd = be.Uint32(t[8:]), uint32(be.Uint16(t[14:]))
	options := t[20 : len(t)-len(g.data)]
	if len(options) == 12 && be.Uint32(options) == optNop<<24|optNop<<16|optStamp<<8|10 {
		g.stamped, g.stamp, g.echo = true, be.Uint32(options[4:]), be.Uint32(options[8:])
		return
	}
	for len(options) > 0 && options[0] != optEnd {
		if options[0] == optNop {
			options = options[1:]
			continue
		}
		if len(options) < 2 || options[1] < 2 || int(options[1]) > len(options) {
			return
		}
		g.readOption(options[0], options[2:options[1]])
		options = options[options[1]:]
	}
}

func (g *segment) readOption(kind byte, b []byte) {
	syn := g.flags&packet.SYN != 0
	switch {
	case kind == optMSS && len(b) == 2 && syn:
		g.mss = be.Uint16(b)
	case kind == optScale && len(b) == 1 && syn:
		g.scaled, g.scale = true, min(b[0], 14)
	case kind == optSACKOK && len(b) == 0 && syn:
		g.sackOK = true
	case kind == optStamp && len(b) == 8:
		g.stamped, g.stamp, g.echo = true, be.Uint32(b), be.Uint32(b[4:])
	case kind == optSACK && len(b)%8 == 0:
		for ; len(b) > 0 && g.sackn < len(g.sacks); b = b[8:] {
			g.sacks[g.sackn] = span{be.Uint32(b), be.Uint32(b[4:])}
			g.sackn++
		}
	}
}

// len returns how many sequence numbers the segment takes.
func (g *segment) len() uint32 {
	n := uint32(len(g.data))
	if g.flags&packet.SYN != 0 {
		n++
	}
	if g.flags&packet.FIN != 0 {
		n++
	}
	return n
}

// stamp returns a host's timestamp of now, in milliseconds.
func (h *Host) stamp() uint32 { return h.tsBase + h.stack.millis() }

// emit sends a segment of a connection, with everything that there is to acknowledge.
func (s *Stack) emit(b *block, seq uint32, fl packet.Flags, data []byte) {
	h, a := s.hosts[b.host], s.activeOf(b)
	p := &s.spec
	*p = packet.Spec{
		SrcMAC: h.cfg.MAC, Proto: packet.TCP, TTL: h.cfg.TTL, DF: true, ID: b.id,
		Flags: fl, Seq: seq, Payload: data,
	}
	b.id++
	o := s.options[:0]
	if fl&packet.SYN != 0 {
		o = h.introduce(b, o, fl)
		p.MSS = h.mss(b.remote)
		p.Window = uint16(min(b.edge-b.rcv, 65535))
		if fl&packet.ACK != 0 {
			p.ID = 0 // Linux keeps no count before a connection is whole
		}
	} else {
		unread := 0
		if a != nil {
			unread = a.in.len()
		}
		p.Window = b.offer(unread)
		if b.has(timestamps) {
			o = append(o, optNop, optNop, optStamp, 10)
			o = be.AppendUint32(o, h.stamp())
			o = be.AppendUint32(o, b.tsRecent)
		}
		if a != nil && len(a.early) > 0 && b.has(sackOK) {
			o = a.putSACK(o)
		}
	}
	p.Options = o
	if fl&packet.ACK != 0 {
		p.Ack = b.rcv
		if a != nil {
			a.unacked, a.ackNow, a.delackAt = 0, false, 0
		}
	}
	tuple := h.tuple(b)
	p.BuildOf(s.frame, &tuple)
	h.send(b.remote)
}

// introduce writes the options of a SYN behind the MSS, in the order of Linux.
func (h *Host) introduce(b *block, o []byte, fl packet.Flags) []byte {
	reply := fl&packet.ACK != 0 // which has only what the other side has, too
	switch stamps := !reply || b.has(timestamps); {
	case (!reply || b.has(sackOK)) && stamps:
		o = append(o, optSACKOK, 2, optStamp, 10)
	case stamps:
		o = append(o, optNop, optNop, optStamp, 10)
	case b.has(sackOK):
		o = append(o, optNop, optNop, optSACKOK, 2)
	}
	if !reply || b.has(timestamps) {
		o = be.AppendUint32(o, h.stamp())
		o = be.AppendUint32(o, b.tsRecent)
	}
	if !reply || b.rcvScale != noScale {
		o = append(o, optNop, optScale, 3, h.scale)
	}
	return o
}

// noScale is the scale of a window that the peer cannot scale.
const noScale = 255

// putSACK writes what came early, the latest first (RFC 2018 section 4): three blocks
// beside a timestamp.
func (a *active) putSACK(o []byte) []byte {
	var spans [3]span
	n := 0
	var cur span
	add := func(c span, newest bool) {
		if newest {
			copy(spans[1:], spans[:min(n, 2)])
			spans[0], n = c, min(n+1, 3)
		} else if n < 3 {
			spans[n] = c
			n++
		}
	}
	for i := range a.early {
		p := &a.early[i]
		to := p.seq + uint32(len(p.data))
		if i > 0 && p.seq == cur.to {
			cur.to = to
		} else {
			if i > 0 {
				add(cur, !before(a.last, cur.from) && before(a.last, cur.to))
			}
			cur = span{p.seq, to}
		}
	}
	add(cur, !before(a.last, cur.from) && before(a.last, cur.to))
	o = append(o, optNop, optNop, optSACK, byte(2+8*n))
	for _, c := range spans[:n] {
		o = be.AppendUint32(o, c.from)
		o = be.AppendUint32(o, c.to)
	}
	return o
}

// offer returns the window to tell the peer when so many bytes are unread. Its end
// never moves back, and forward in steps worth telling (RFC 9293 section 3.8.6.2.2).
func (b *block) offer(unread int) uint16 {
	left := b.edge - b.rcv
	free := b.window - min(b.window, uint32(unread))
	if free > left && free-left >= min(uint32(b.mss), b.window/2) {
		left = free
	}
	scale := b.rcvScale
	if scale == noScale {
		scale = 0
	}
	field := (left + 1<<scale - 1) >> scale
	if field > 65535 {
		field = 65535
	}
	b.edge = later(b.edge, b.rcv+field<<scale)
	return uint16(field)
}

// refuse answers a segment that no connection wants with a reset (RFC 9293 section
// 3.10.7.1).
func (h *Host) refuse(v *packet.View, g *segment) {
	if g.flags&packet.RST != 0 {
		return
	}
	p := &h.stack.spec
	*p = packet.Spec{
		SrcMAC: h.cfg.MAC, Proto: packet.TCP, TTL: h.cfg.TTL, DF: true,
		Src: addrPort(v.Dst, v.DstPort), Dst: addrPort(v.Src, v.SrcPort),
	}
	if g.flags&packet.ACK != 0 {
		p.Flags, p.Seq = packet.RST, g.ack
	} else {
		p.Flags, p.Ack = packet.RST|packet.ACK, g.seq+g.len()
	}
	to := v.Src
	p.Build(h.stack.frame)
	h.send(to)
}
