package dataplane

import (
	"net/netip"

	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/dataplane/ppv2"
)

// introduce decides whether the target of a new flow is told, by a PROXY
// protocol header, who its client is. The header speaks of the packet as it was
// before its translation: the client, and the endpoint's interface or the node
// that it called (F2.39).
func (d *decision) introduce(to *ProxyProtocol, via InterfaceID, before packet.Tuple) nlb.Splice {
	if !to.Enabled || d.v.Proto != packet.TCP {
		return nlb.Splice{}
	}
	size := ppv2.Size
	if !before.Src.Is4() {
		size = to.IPv6Size
	}
	return nlb.NewSplice(d.v.Seq, len(d.w.proxyHeader(size, via, before)), to.Early)
}

// proxyHeader returns the header of a flow whose client sends packets of tuple t,
// to the endpoint's interface via or by none; empty if there is no such header. The
// next one takes its place.
func (w *Walk) proxyHeader(size int, via InterfaceID, t packet.Tuple) []byte {
	h := ppv2.Header{
		Source:      netip.AddrPortFrom(t.Src.IP(), t.SrcPort),
		Destination: netip.AddrPortFrom(t.Dst.IP(), t.DstPort),
	}
	if via != NoInterface {
		h.EndpointID = w.prog.Interfaces[via].Endpoint.EndpointID // F2.36
	}
	return w.header[:h.Put(w.header[:], size)]
}

// insert does to a segment of a flow with a PROXY protocol header what follows
// from it (F2.42): it inserts the header before the client's first byte, and
// shifts what counts the client's bytes.
func (w *Walk) insert(p *path, dir flow.Dir, v *packet.View) {
	f := w.flows.At(p.balanced)
	if f == nil {
		return
	}
	s := w.splice(f)
	if fromTarget := (dir == flow.Reply) != p.turned; fromTarget {
		if v.Flags&packet.ACK == 0 || !s.Shifts() {
			return
		}
		ack := v.Ack()
		v.SetAck(s.Reply(ack))
		v.SACKEdges(func(edge uint32, left bool) uint32 { return s.Edge(ack, edge, left) })
		return
	}
	seq, first := s.Forward(v.Seq, v.Flags, len(v.Payload()))
	if seq != v.Seq {
		v.SetSeq(seq)
	}
	if !first {
		return
	}
	there, _, _ := w.flows.Keys(p.balanced)
	header := w.proxyHeader(s.Size(), InterfaceID(f.Via), keyTuple(&there))
	packets, bytes := v.Segments, v.WireLen
	v.Insert(header, w.prog.Interfaces[p.arrival(dir).out].MTU)
	s.added.packets += uint32(v.Segments - packets)
	s.added.bytes += uint32(v.WireLen - bytes)
}

// splice is what a load balancer knows of a flow with a PROXY protocol header.
type splice struct {
	nlb.Splice
	added added
}

// added is what a load balancer put before a client's bytes, and no log knows yet: the
// translation's far side sees it, and the path's count does not.
type added struct{ packets, bytes uint32 }

// noSplice is that of all other flows.
var noSplice splice

// splice returns what is known of a flow's PROXY protocol header.
func (w *Walk) splice(f *nlb.Flow) *splice {
	if f.Splice == 0 {
		return &noSplice
	}
	return w.splices.At(f.Splice - 1)
}

// addSplice makes room for one more.
func (w *Walk) addSplice(s nlb.Splice) (number uint32) {
	slot := w.splices.Take()
	*w.splices.At(slot) = splice{Splice: s}
	return slot + 1
}

func (w *Walk) dropSplice(number uint32) {
	if number != 0 {
		w.splices.Free(number - 1)
	}
}

// inserted returns what was put into the packets of a path that go one way since the
// logs learned of it last.
func (w *Walk) inserted(p *path, dir flow.Dir) *added {
	f := w.flows.At(p.balanced)
	if !p.spliced || f == nil || (dir == flow.Reply) != p.turned {
		return &added{}
	}
	return &w.splice(f).added
}
