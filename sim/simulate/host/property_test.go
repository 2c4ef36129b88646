package host_test

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/host"
)

// Whatever the network loses, doubles and reorders, no byte is lost or changed, each
// handler is told Closed once and without an error, and nothing is left behind.
func TestUnreliableNetwork(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		loss := rapid.IntRange(0, 20).Draw(rt, "percent lost")
		double := rapid.IntRange(0, 20).Draw(rt, "percent doubled")
		jitter := rapid.IntRange(0, 20).Draw(rt, "milliseconds of jitter")
		mtu := rapid.SampledFrom([]int{576, 1500, 9001}).Draw(rt, "MTU")
		window := rapid.SampledFrom([]int{0, 1000, 8961, 200000}).Draw(rt, "window")
		v6 := rapid.Bool().Draw(rt, "IPv6")
		p := newPair(t, host.Config{MTU: max(mtu, 1280)}, host.Config{MTU: max(mtu, 1280), Window: window})
		for range rapid.IntRange(0, 1000).Draw(rt, "seed") {
			p.q.Rand().Uint32()
		}
		p.tamper = func(*host.Host, *packet.View) (copies []time.Duration) {
			r := p.q.Rand()
			late := func() time.Duration { return p.delay + time.Duration(r.IntN(jitter+1))*time.Millisecond }
			if r.IntN(100) >= loss {
				copies = append(copies, late())
			}
			if r.IntN(100) < double {
				copies = append(copies, late())
			}
			return copies
		}
		// The server does not read all the time.
		if pause := rapid.IntRange(0, 100).Draw(rt, "milliseconds of pauses"); pause > 0 {
			reading, turn := true, func() {}
			turn = func() {
				if reading = !reading; p.b.closed == 0 {
					p.b.c.SetReading(reading)
					p.q.CallAt(p.q.Now().Add(time.Duration(pause)*time.Millisecond), turn)
				}
			}
			p.q.CallAt(0, turn)
		}
		amount := func(what string) int {
			return 1000*rapid.IntRange(0, 300).Draw(rt, "kilobytes "+what) + rapid.IntRange(0, 999).Draw(rt, "bytes "+what)
		}
		p.a.toWrite, p.a.closes = noise(amount("there")), true
		p.b.toWrite, p.b.closes = noise(amount("back")), true
		there, back := bytes.Clone(p.a.toWrite), bytes.Clone(p.b.toWrite)
		p.dial(v6)
		p.q.Run(at(2*time.Hour), func() bool { return p.a.closed > 0 && p.b.closed > 0 })
		if !bytes.Equal(p.b.got.Bytes(), there) || !bytes.Equal(p.a.got.Bytes(), back) {
			rt.Errorf("%d of %d and %d of %d bytes arrive, or others: %s, %s",
				p.b.got.Len(), len(there), p.a.got.Len(), len(back), p.a.story(), p.b.story())
		}
		for _, a := range []*app{p.a, p.b} {
			if a.story() != "connected, finished, closed: <nil>" {
				rt.Errorf("%s", a.story())
			}
		}
		p.run(20 * time.Minute)
		p.run(20 * time.Minute)
		if p.s.Len() != 0 || p.q.Len() != 0 {
			rt.Errorf("%d connections and %d events are left", p.s.Len(), p.q.Len())
		}
	})
}

// Whatever arrives, a host stays on its feet, and its connection serves on.
func FuzzReceive(f *testing.F) {
	build := func(s packet.Spec) {
		fr := packet.NewFrame()
		s.SrcMAC, s.DstMAC = packet.MAC{2, 0, 0, 0, 0, 1}, packet.MAC{2, 0, 0, 0, 0, 2}
		s.Src, s.Dst = netip.MustParseAddrPort("10.0.0.1:40000"), netip.MustParseAddrPort("10.0.0.2:80")
		s.Build(fr)
		f.Add(bytes.Clone(fr.Ethernet()), uint8(0))
		f.Add(bytes.Clone(fr.Ethernet()), uint8(7))
	}
	build(packet.Spec{Proto: packet.TCP, Flags: packet.SYN, MSS: 1, Options: []byte{3, 3, 200, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0}})
	build(packet.Spec{Proto: packet.TCP, Flags: packet.ACK | packet.FIN, Payload: []byte("abc"), Options: []byte{1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9}})
	build(packet.Spec{Proto: packet.UDP, Payload: []byte("abc")})
	build(packet.Spec{Proto: packet.ICMP, Type: 8, Payload: []byte("abc")})
	build(packet.Spec{Proto: packet.ICMP, Type: 3, Code: 4, Payload: make([]byte, 28)})
	whole := packet.Spec{
		SrcMAC: packet.MAC{2, 0, 0, 0, 0, 1}, DstMAC: packet.MAC{2, 0, 0, 0, 0, 2}, Proto: packet.UDP, Payload: make([]byte, 100),
		Src: netip.MustParseAddrPort("10.0.0.1:40000"), Dst: netip.MustParseAddrPort("10.0.0.2:80"),
	}
	part := packet.NewFrame()
	whole.BuildFragment(part, 0, 64)
	f.Add(bytes.Clone(part.Ethernet()), uint8(0))
	f.Add([]byte("\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01"+
		"\x02\x00\x00\x00\x00\x01\x0a\x00\x00\x01\x00\x00\x00\x00\x00\x00\x0a\x00\x00\x02"), uint8(0))
	f.Fuzz(func(t *testing.T, eth []byte, how uint8) {
		p := newPair(t, host.Config{MTU: 1500}, host.Config{MTU: 1500})
		var seq, ack uint32
		p.seen = func(from *host.Host, v *packet.View) {
			if from == p.client && v.Proto == packet.TCP {
				seq, ack = v.Seq, v.Ack()
			}
		}
		p.connect()
		if how&1 != 0 {
			p.b.c.SetReading(false)
		}
		if how&2 != 0 {
			p.a.c.Write(noise(5000))
			p.b.c.Write(noise(5000))
		}
		fr := packet.NewFrame()
		fr.SetEthernet(eth)
		if how&4 != 0 && len(eth) > 38 { // as one of the connection's own
			copy(fr.Ethernet()[:38], segmentTo(p))
			repair(fr, seq, ack)
		}
		p.server.Receive(fr)
		p.run(time.Millisecond)
		p.server.Receive(fr)
		p.a.c.Close()
		p.b.c.SetReading(true)
		p.b.c.Close()
		p.run(30 * time.Minute)
		if p.q.Len() != 0 || p.s.Len() != 0 {
			t.Errorf("%d events and %d connections are left", p.q.Len(), p.s.Len())
		}
	})
}

// segmentTo returns the addresses and ports of the client's segments.
func segmentTo(p *pair) []byte {
	fr := packet.NewFrame()
	s := packet.Spec{
		SrcMAC: p.macs[0], DstMAC: p.macs[1], Proto: packet.TCP, Src: p.a.c.Local(), Dst: p.a.c.Remote(),
	}
	s.Build(fr)
	return fr.Ethernet()[:38]
}

// repair builds a frame anew, from what can be read of it, so that its checksums hold and
// its numbers are near those of the connection.
func repair(fr *packet.Frame, seq, ack uint32) {
	eth := fr.Ethernet()
	if len(eth) < 54 {
		return
	}
	tcp := eth[34:]
	header := min(max(int(tcp[12]>>4)*4, 20), len(tcp))
	s := packet.Spec{
		SrcMAC: packet.MAC(eth[6:12]), DstMAC: packet.MAC(eth[:6]), Proto: packet.TCP, DF: true,
		Src:   netip.AddrPortFrom(netip.AddrFrom4([4]byte(eth[26:30])), uint16(tcp[0])<<8|uint16(tcp[1])),
		Dst:   netip.AddrPortFrom(netip.AddrFrom4([4]byte(eth[30:34])), uint16(tcp[2])<<8|uint16(tcp[3])),
		Flags: packet.Flags(tcp[13]) & 0x3f, Seq: seq + uint32(int16(be32(tcp[4:]))), Ack: ack + uint32(int16(be32(tcp[8:]))), Window: uint16(be32(tcp[12:])),
		Options: bytes.Clone(tcp[20:header]), Payload: bytes.Clone(tcp[header:]),
	}
	s.Build(fr)
}

func be32(b []byte) uint32 {
	return uint32(b[0])<<24 | uint32(b[1])<<16 | uint32(b[2])<<8 | uint32(b[3])
}
