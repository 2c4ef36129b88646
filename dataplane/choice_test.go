package dataplane_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// choices is a lab whose targets are told apart by their ports, and of which
// many clients make use.
const choices = `
vpc consumer 10.0.0.0/16
vpc provider 10.9.0.0/16
subnet consumer/a az1 10.0.1.0/24
subnet provider/a az1 10.9.1.0/24
balancer nlb
targets plain provider/web:1 provider/web:2 provider/web:3 provider/web:4
targets clients sticky=client provider/web:1 provider/web:2 provider/web:3 provider/web:4
targets endpoints sticky=endpoint provider/web:1 provider/web:2 provider/web:3 provider/web:4
targets more provider/web:5
listener nlb tcp 80 plain
listener nlb tcp 81 clients
listener nlb tcp 82 endpoints
listener nlb tcp 83 plain*1,more*3
endpoint consumer/ep consumer/a 10.0.1.50 provider/nlb
node provider/nlb provider/a 10.9.1.5 nlb
instance provider/web provider/a 10.9.1.20
`

// TestChoice opens many connections from many clients to each listener and looks
// at which targets they got: what depends on the whole flow (F2.14), on the
// client, on the endpoint (F2.18), and on weights (F2.11).
func TestChoice(t *testing.T) {
	const clients, each = 20, 20
	text := new(strings.Builder)
	text.WriteString(choices)
	for i := range clients {
		fmt.Fprintf(text, "instance consumer/app-%d consumer/a 10.0.1.%d\n", i, 100+i)
	}
	for _, v6 := range []bool{false, true} {
		l := newLab(t, v6, text.String())
		w := dataplane.New(l.prog, dataplane.DefaultSettings())
		f := packet.NewFrame()
		// open returns how many of a client's connections to a port each target got.
		open := func(client int, port uint16) (got [6]int) {
			name := fmt.Sprintf("consumer/app-%d", client)
			for i := range each {
				s := dial(l, name, "consumer/ep", packet.TCP)
				s.Seq = uint32(i * 7919)
				s.Src, s.Dst = netip.AddrPortFrom(s.Src.Addr(), uint16(2000+i)), netip.AddrPortFrom(s.Dst.Addr(), port)
				s.Build(f)
				if _, why := w.Process(0, l.id(name), f); why != drop.None {
					t.Fatalf("%s to port %d: %s", name, port, why)
				}
				var v packet.View
				if why := v.Decode(f); why != drop.None {
					t.Fatal(why)
				}
				got[v.DstPort]++
			}
			return got
		}
		used := func(got [6]int) (n int) {
			for _, c := range got {
				n += min(c, 1)
			}
			return n
		}
		var sum [4][6]int // by listener
		for c := range clients {
			for p := range sum {
				got := open(c, uint16(80+p))
				for i, n := range got {
					sum[p][i] += n
				}
				if sticky := p == 1 || p == 2; sticky != (used(got) == 1) {
					t.Errorf("v6 %v: client %d, port %d: targets got %v", v6, c, 80+p, got)
				}
			}
		}
		if used(sum[0]) != 4 || used(sum[1]) < 2 || used(sum[2]) != 1 {
			t.Errorf("v6 %v: targets got, by listener: %v", v6, sum)
		}
		if more := sum[3][5]; more < clients*each*65/100 || more > clients*each*85/100 {
			t.Errorf("v6 %v: weights 1 and 3, and %d of %d flows went by the 3", v6, more, clients*each)
		}
	}
}
