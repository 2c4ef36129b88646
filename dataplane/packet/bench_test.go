package packet_test

import (
	"fmt"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// each runs a benchmark for both families, both protocols, with the checksum
// left to the device and with a complete one.
func each(b *testing.B, run func(b *testing.B, s packet.Spec)) {
	for _, family := range []string{"4", "6"} {
		for _, proto := range []string{"tcp", "udp"} {
			for _, csum := range []string{"partial", "full"} {
				p := packet.TCP
				if proto == "udp" {
					p = packet.UDP
				}
				s := spec4(p)
				if family == "6" {
					s = spec6(p)
				}
				s.Flags, s.Payload, s.Partial = packet.ACK, make([]byte, 64), csum == "partial"
				b.Run(fmt.Sprintf("family=%s/proto=%s/csum=%s", family, proto, csum), func(b *testing.B) { run(b, s) })
			}
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	each(b, func(b *testing.B, s packet.Spec) {
		f, v := build(s), new(packet.View)
		b.ReportAllocs()
		for b.Loop() {
			if why := v.Decode(f); why != drop.None {
				b.Fatal(why)
			}
		}
	})
}

func BenchmarkApply(b *testing.B) {
	each(b, func(b *testing.B, s packet.Spec) {
		v := mustDecode(b, build(s))
		from := v.Tuple()
		to := from
		to.SrcPort, to.Dst = 20000, to.Src
		r := packet.NewRewrite(from, to)
		r.TTL, r.MSS = 2, 8365
		b.ReportAllocs()
		for b.Loop() {
			v.Apply(&r)
		}
	})
}
