package packet_test

import (
	"bytes"
	"testing"

	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/dataplane/packet"
)

func TestAnswerARP(t *testing.T) {
	f := arp(t, 1, hostMAC, "10.0.0.5", "10.0.0.1")
	mustDecode(t, f).AnswerARP(otherMAC)
	g := parse(f)
	eth, _ := g.LinkLayer().(*layers.Ethernet)
	got, ok := g.Layer(layers.LayerTypeARP).(*layers.ARP)
	if !ok {
		t.Fatalf("no ARP in %v", g)
	}
	if !bytes.Equal(eth.DstMAC, hostMAC[:]) || !bytes.Equal(eth.SrcMAC, otherMAC[:]) {
		t.Errorf("from %v to %v", eth.SrcMAC, eth.DstMAC)
	}
	if got.Operation != 2 || !bytes.Equal(got.SourceHwAddress, otherMAC[:]) || !bytes.Equal(got.DstHwAddress, hostMAC[:]) ||
		!bytes.Equal(got.SourceProtAddress, []byte{10, 0, 0, 1}) || !bytes.Equal(got.DstProtAddress, []byte{10, 0, 0, 5}) {
		t.Errorf("answered %+v", got)
	}
}

func TestAnswerNeighbor(t *testing.T) {
	nonce := layers.ICMPv6Option{Type: 14, Data: make([]byte, 6)}
	for name, options := range map[string][]layers.ICMPv6Option{
		"longer than the solicitation":  nil,
		"as long":                       {linkLayer(hostMAC)},
		"shorter than the solicitation": {linkLayer(hostMAC), nonce},
	} {
		t.Run(name, func(t *testing.T) {
			f := neighbor(t, 255, "2001:db8::5", "ff02::1:ff00:1", "2001:db8::1", options...)
			mustDecode(t, f).AnswerNeighbor(otherMAC)
			if err := intact(f); err != nil {
				t.Fatal(err)
			}
			v := mustDecode(t, f)
			if v.SrcMAC != otherMAC || v.DstMAC != hostMAC || v.Src != addr("2001:db8::1") || v.Dst != addr("2001:db8::5") || v.TTL != 255 {
				t.Errorf("answered from %v %v to %v %v, hop limit %d", v.SrcMAC, v.Src, v.DstMAC, v.Dst, v.TTL)
			}
			got, ok := parse(f).Layer(layers.LayerTypeICMPv6NeighborAdvertisement).(*layers.ICMPv6NeighborAdvertisement)
			if !ok {
				t.Fatalf("no advertisement in % x", f.Ethernet())
			}
			target := addr("2001:db8::1")
			if got.Router() || !got.Solicited() || !got.Override() || !bytes.Equal(got.TargetAddress, target[:]) {
				t.Errorf("answered %+v", got)
			}
			if len(got.Options) != 1 || got.Options[0].Type != layers.ICMPv6OptTargetAddress || !bytes.Equal(got.Options[0].Data, otherMAC[:]) {
				t.Errorf("options %v", got.Options)
			}
		})
	}
}

// RFC 9293 section 3.10.7.1: a segment to a closed port.
func TestAnswerReset(t *testing.T) {
	tests := []struct {
		name     string
		flags    packet.Flags
		payload  string
		want     packet.Flags
		seq, ack uint32
	}{
		{"syn", packet.SYN, "", packet.RST | packet.ACK, 0, 1000},
		{"syn with data", packet.SYN, "abc", packet.RST | packet.ACK, 0, 1003},
		{"fin without ack", packet.FIN, "", packet.RST | packet.ACK, 0, 1000},
		{"data", packet.ACK | packet.PSH, "abc", packet.RST, 77, 0},
		{"syn and ack", packet.SYN | packet.ACK, "", packet.RST, 77, 0},
	}
	for _, test := range tests {
		for _, s := range []packet.Spec{spec4(packet.TCP), spec6(packet.TCP)} {
			t.Run(test.name+" "+s.Src.String(), func(t *testing.T) {
				s.Flags, s.Seq, s.Ack, s.Payload, s.GSOSize = test.flags, 999, 77, []byte(test.payload), 1
				s.MSS = 1460
				f := build(s)
				asked := mustDecode(t, f)
				back := asked.Tuple().Reversed()
				asked.AnswerReset()
				if err := intact(f); err != nil {
					t.Fatal(err)
				}
				v := mustDecode(t, f)
				got := parse(f).Layer(layers.LayerTypeTCP).(*layers.TCP)
				if v.Flags != test.want || v.Seq != test.seq || got.Ack != test.ack || len(v.Payload()) != 0 {
					t.Errorf("flags %06b, seq %d, ack %d, want %06b, %d, %d", v.Flags, v.Seq, got.Ack, test.want, test.seq, test.ack)
				}
				if v.Tuple() != back || v.SrcMAC != routerMAC || v.DstMAC != hostMAC {
					t.Errorf("from %v to %v: %v", v.SrcMAC, v.DstMAC, v.Tuple())
				}
				if v.TTL != 255 { // the node's own: one hop on it is 254 (F2.52)
					t.Errorf("TTL %d, want 255", v.TTL)
				}
				if !bytes.Equal(f.Vnet(), make([]byte, packet.VnetLen)) {
					t.Errorf("offloads left: % x", f.Vnet())
				}
			})
		}
	}
}
