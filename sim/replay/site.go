package replay

import (
	"hash/fnv"
	"slices"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology"
)

// site is an interface at which a capture was taken. What it sent in the capture is
// fed there. What it received in the capture is compared with what comes out there: it
// is the same packet if nothing but its source is another one. Then a load balancer
// has chosen another address or port of its own for the flow, to which the interface's
// answers have to go.
type site struct {
	nic   *topology.NIC
	file  *File
	addrs []packet.Addr
	far   map[flow.Key]end    // where what the interface sent in the capture has to go
	mss   map[flow.Key]uint16 // what the other side takes, by what the interface sends
	open  map[sight]*meeting
}

// end is an end of a flow.
type end struct {
	addr packet.Addr
	port uint16
}

// sight is what is the same of a packet in a capture and in the replay, at its
// receiver.
type sight struct {
	proto      packet.Proto
	to         end
	seq        uint32
	flags      packet.Flags
	kind, code uint8
	length     int
	payload    uint64 // its hash
}

// meeting holds the sources of packets of one sight, which wait for each other.
type meeting struct{ captured, came []end }

func newSite(nic *topology.NIC, f *File) *site {
	f.Interfaces = append(f.Interfaces, nic.Label)
	s := &site{nic: nic, file: f, far: map[flow.Key]end{}, mss: map[flow.Key]uint16{}, open: map[sight]*meeting{}}
	for _, a := range nic.Addrs {
		s.addrs = append(s.addrs, packet.AddrFrom(a.Addr()))
	}
	return s
}

func (s *site) has(a packet.Addr) bool { return slices.Contains(s.addrs, a) }

// segment returns the largest segment that the interface sends of a TCP connection:
// what the other side said that it takes, or else what fits through the interface.
func (s *site) segment(key flow.Key, kind uint16) int {
	if mss := s.mss[key]; mss != 0 {
		return int(mss)
	}
	headers := 40
	if kind == etherIPv6 {
		headers = 60
	}
	return s.nic.MTU - headers
}

// captured takes note of a packet that the interface received in the capture.
func (s *site) captured(f *packet.Frame) {
	s.file.Received++
	f.Offload(0) // what crosses no wire may have no checksum when it is received
	var v packet.View
	if why := v.Decode(f); why != drop.None {
		s.file.Missing++
		return
	}
	key := flow.KeyOf(flow.Scope(s.nic.Index), &v).Reverse()
	if v.MSS != 0 {
		s.mss[key] = v.MSS
	}
	from := end{v.Src, v.SrcPort}
	k := sightOf(&v)
	m := s.meeting(k)
	if len(m.came) == 0 {
		m.captured = append(m.captured, from)
		return
	}
	i := max(0, slices.Index(m.came, from))
	s.meet(key, from, m.came[i])
	m.came = slices.Delete(m.came, i, i+1)
	s.part(k, m)
}

// came takes note of a packet that came out at the interface.
func (s *site) came(f *packet.Frame) {
	var v packet.View
	if v.Decode(f) != drop.None {
		s.file.Unexpected++
		return
	}
	from := end{v.Src, v.SrcPort}
	k := sightOf(&v)
	m := s.meeting(k)
	if len(m.captured) == 0 {
		m.came = append(m.came, from)
		return
	}
	i := max(0, slices.Index(m.captured, from))
	key := flow.KeyOf(flow.Scope(s.nic.Index), &v).Reverse()
	key.Dst, key.DstPort = m.captured[i].addr, m.captured[i].port
	s.meet(key, m.captured[i], from)
	m.captured = slices.Delete(m.captured, i, i+1)
	s.part(k, m)
}

// meet notes that a packet came as it was captured, from wherever.
func (s *site) meet(answer flow.Key, captured, came end) {
	s.file.AsCaptured++
	was, known := s.far[answer]
	switch {
	case captured == came:
		delete(s.far, answer)
	case !known || was != came:
		s.far[answer] = came
		s.file.Translated++
	}
}

func sightOf(v *packet.View) sight {
	k := sight{proto: v.Proto, to: end{v.Dst, v.DstPort}, seq: v.Seq, flags: v.Flags, kind: v.Type, code: v.Code, length: len(v.Payload())}
	if isICMP := v.Proto == packet.ICMP || v.Proto == packet.ICMPv6; !isICMP || v.DstPort != 0 { // what an error quotes has been translated, too
		h := fnv.New64a()
		_, _ = h.Write(v.Payload())
		k.payload = h.Sum64()
	}
	return k
}

func (s *site) meeting(k sight) *meeting {
	m := s.open[k]
	if m == nil {
		m = new(meeting)
		s.open[k] = m
	}
	return m
}

// part forgets a meeting that nobody waits at any more.
func (s *site) part(k sight, m *meeting) {
	if len(m.captured)+len(m.came) == 0 {
		delete(s.open, k)
	}
}

// sum counts what has met nothing.
func (s *site) sum() {
	for _, m := range s.open {
		s.file.Missing += len(m.captured)
		s.file.Unexpected += len(m.came)
	}
}
