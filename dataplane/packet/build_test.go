package packet_test

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/packet"
)

// TestBuildForGopacket has another implementation read what was built.
func TestBuildForGopacket(t *testing.T) {
	s := spec4(packet.TCP)
	s.TTL, s.ID, s.DF, s.Seq, s.Ack, s.Window, s.MSS = 9, 77, true, 1000, 2000, 64240, 8961
	s.Flags, s.Options, s.Payload = packet.SYN|packet.URG, []byte{3, 3, 7}, []byte("data")
	f := build(s)
	if err := intact(f); err != nil {
		t.Fatal(err)
	}
	g := parse(f)
	ip := g.Layer(layers.LayerTypeIPv4).(*layers.IPv4)
	if ip.TTL != 9 || ip.Id != 77 || ip.Flags != layers.IPv4DontFragment || ip.Length != 52 {
		t.Errorf("built %+v", ip)
	}
	tcp := g.Layer(layers.LayerTypeTCP).(*layers.TCP)
	if tcp.SrcPort != 49172 || tcp.DstPort != 443 || tcp.Seq != 1000 || tcp.Ack != 2000 || tcp.Window != 64240 ||
		!tcp.SYN || !tcp.URG || tcp.ACK || tcp.FIN || tcp.RST || tcp.PSH || string(tcp.Payload) != "data" {
		t.Errorf("built %+v", tcp)
	}
	if len(tcp.Options) != 3 || tcp.Options[0].OptionType != layers.TCPOptionKindMSS || !bytes.Equal(tcp.Options[0].OptionData, []byte{0x23, 0x01}) ||
		tcp.Options[1].OptionType != layers.TCPOptionKindWindowScale {
		t.Errorf("options %v", tcp.Options)
	}

	s = spec6(packet.ICMPv6)
	s.Type, s.Seq, s.Payload = 128, 3, []byte("ping")
	f = build(s)
	if err := intact(f); err != nil {
		t.Fatal(err)
	}
	g = parse(f)
	echo, ok := g.Layer(layers.LayerTypeICMPv6Echo).(*layers.ICMPv6Echo)
	if !ok || echo.Identifier != 49172 || echo.SeqNumber != 3 {
		t.Errorf("built %v", g)
	}
	if ip := g.Layer(layers.LayerTypeIPv6).(*layers.IPv6); ip.HopLimit != 64 || ip.Length != 12 {
		t.Errorf("built %+v", ip)
	}
}

// A frame is overwritten whole, and no packet is longer than IP can tell.
func TestBuildLongest(t *testing.T) {
	for _, s := range []packet.Spec{spec4(packet.UDP), spec6(packet.TCP)} {
		s.Payload, s.GSOSize = make([]byte, 70000), 1000
		f := build(s)
		if err := intact(f); err != nil {
			t.Fatal(err)
		}
		if v := mustDecode(t, f); v.Len != 65535 {
			t.Errorf("%v: packet of %d bytes, want 65535", s.Src, v.Len)
		}
		s.Payload, s.GSOSize = []byte("short"), 0
		s.Build(f)
		if !bytes.Equal(f.Bytes(), build(s).Bytes()) {
			t.Errorf("%v: something is left of the longer frame: % x", s.Src, f.Bytes())
		}
	}
}

func TestSum(t *testing.T) {
	ones := bytes.Repeat([]byte{0xff}, 100)
	mixed := make([]byte, 100)
	for i := range mixed {
		mixed[i] = byte(i*151 + 7)
	}
	for _, b := range [][]byte{ones, mixed, make([]byte, 100)} {
		for n := range len(b) + 1 {
			for _, acc := range []uint64{0, 1, 0xffff, 1<<63 + 5, 1<<64 - 1} {
				seed := []byte{byte(acc >> 56), byte(acc >> 48), byte(acc >> 40), byte(acc >> 32), byte(acc >> 24), byte(acc >> 16), byte(acc >> 8), byte(acc)}
				if got, want := packet.Sum(b[:n], acc), wordSum(seed, b[:n]); got != want {
					t.Fatalf("%d bytes of % x... from %#x sum up to %#04x, want %#04x", n, b[:4], acc, got, want)
				}
			}
		}
	}
}
