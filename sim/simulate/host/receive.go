package host

import (
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// Receive takes in a frame from the network, which it does not keep. Frames that a
// host would discard are discarded.
func (h *Host) Receive(f *packet.Frame) {
	s := h.stack
	eth := f.Ethernet()
	if len(eth) >= ethLen+arpLen && be.Uint16(eth[12:]) == etherARP && eth[21] == 2 {
		h.foundByARP(eth)
		return
	}
	v := &s.view
	if v.Decode(f) != drop.None {
		s.discarded++
		return
	}
	if v.Kind != packet.KindIP {
		h.answerNeighbor(v, f)
		return
	}
	local := h.number(v.Dst)
	if v.DstMAC != h.cfg.MAC || local < 0 {
		s.discarded++
		return
	}
	if v.Fragment {
		if f = h.gather(v); f == nil {
			return
		}
	}
	switch v.Proto {
	case packet.TCP:
		h.receiveTCP(v, local)
	case packet.UDP:
		h.receiveUDP(v, f)
	default:
		h.receiveICMP(v)
	}
}
