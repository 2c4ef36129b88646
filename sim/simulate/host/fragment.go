package host

import (
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// fragmentsOf names the packet that a fragment belongs to.
type fragmentsOf struct {
	src, dst packet.Addr
	id       uint32
	proto    packet.Proto
}

// assembly is a packet whose fragments arrive.
type assembly struct {
	parts []part // in order
	total int    // length of what follows the IP header; -1: not known yet
	timer event.Timer
}

// part is a fragment.
type part struct {
	offset int
	data   []byte
}

// How long fragments wait for others (Linux: ipfrag_time, ip6frag_time), and how many
// packets of a host may.
const (
	assemblyTime  = 30 * time.Second
	mostAssembled = 64
)

// mostDatagram is how many bytes follow the IP header of the largest packet that is sent.
func mostDatagram(to packet.Addr) int { return 65535 - 20*(1+family(to)) }

// sendDatagram sends the packet of UDP or ICMP that Stack.spec describes, in fragments if
// it is longer than the path takes.
func (h *Host) sendDatagram(to packet.Addr) {
	s, room := h.stack, h.roomFor(to)
	n := 8 + len(s.spec.Payload) // both have headers of 8 bytes
	if n <= room {
		s.spec.Build(s.frame)
		h.send(to)
		return
	}
	p := s.spec // what goes wrong with the first is answered before the last is sent
	p.DF, p.ID = false, uint16(s.queue.Rand().Uint32())
	chunk := (room - 8*family(to)) &^ 7 // IPv6 has a header for it
	for from := 0; from < n; from += chunk {
		p.BuildFragment(s.frame, from, from+chunk)
		h.send(to)
	}
}

// gather keeps a fragment. Once all of its packet are there, it returns the frame of the
// whole, of which the stack's view is the view then.
func (h *Host) gather(v *packet.View) *packet.Frame {
	s := h.stack
	k := fragmentsOf{v.Src, v.Dst, v.ID, v.Proto}
	a := h.assemblies[k]
	if a == nil {
		if len(h.assemblies) >= mostAssembled {
			s.discarded++
			return nil
		}
		if h.assemblies == nil {
			h.assemblies = map[fragmentsOf]*assembly{}
		}
		a = &assembly{total: -1}
		a.timer = s.queue.CallAt(s.queue.Now().Add(assemblyTime), func() { delete(h.assemblies, k) })
		h.assemblies[k] = a
	}
	if !a.add(v) {
		s.discarded++ // an overlap makes all of the packet suspect (RFC 5722)
		h.forget(k, a)
		return nil
	}
	if !a.complete() {
		return nil
	}
	h.forget(k, a)
	if s.whole == nil {
		s.whole = packet.NewFrame()
	}
	s.whole.SetEthernet(a.frame(v))
	if s.view.Decode(s.whole) != drop.None {
		s.discarded++
		return nil
	}
	return s.whole
}

func (h *Host) forget(k fragmentsOf, a *assembly) {
	h.stack.queue.Cancel(a.timer)
	delete(h.assemblies, k)
}

// add takes in a fragment, and reports whether it fits the others.
func (a *assembly) add(v *packet.View) bool {
	data := v.Transport()
	end := v.Offset + len(data)
	if !v.More {
		if a.total >= 0 && a.total != end {
			return false
		}
		a.total = end
	}
	i, again := slices.BinarySearchFunc(a.parts, v.Offset, func(p part, at int) int { return p.offset - at })
	if again && len(a.parts[i].data) == len(data) {
		return true // doubled on its way
	}
	if again || i > 0 && a.parts[i-1].offset+len(a.parts[i-1].data) > v.Offset || i < len(a.parts) && end > a.parts[i].offset {
		return false
	}
	a.parts = slices.Insert(a.parts, i, part{v.Offset, slices.Clone(data)})
	return true
}

// complete reports whether nothing is missing.
func (a *assembly) complete() bool {
	at := 0
	for _, p := range a.parts {
		if p.offset != at {
			return false
		}
		at += len(p.data)
	}
	return at == a.total
}

// frame returns the whole packet in an Ethernet frame like that of one of its fragments.
func (a *assembly) frame(v *packet.View) []byte {
	b := slices.Concat(v.DstMAC[:], v.SrcMAC[:])
	if v.V6 {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0)
		b = be.AppendUint16(b, uint16(a.total))
		b = append(b, byte(v.Proto), v.TTL)
		b = append(append(b, v.Src[:]...), v.Dst[:]...)
	} else {
		b = append(b, 8, 0, 0x45, 0)
		b = be.AppendUint16(b, uint16(20+a.total))
		b = append(b, 0, 0, 0, 0, v.TTL, byte(v.Proto), 0, 0)
		b = append(append(b, v.Src[12:]...), v.Dst[12:]...)
		sum := uint32(0)
		for at := ethLen; at < ethLen+20; at += 2 {
			sum += uint32(be.Uint16(b[at:]))
		}
		sum = sum>>16 + sum&0xffff
		be.PutUint16(b[ethLen+10:], ^uint16(sum>>16+sum))
	}
	for _, p := range a.parts {
		b = append(b, p.data...)
	}
	return b
}
