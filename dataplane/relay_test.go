package dataplane_test

import (
	"net/netip"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestErrorIsNoEcho: an ICMP error is of no flow of its own, although it looks like an echo
// whose identifier is 0: what was decided on one of those says nothing of it.
func TestErrorIsNoEcho(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		l := newLab(t, v6, recipeLab)
		w, f := dataplane.New(l.prog, dataplane.DefaultSettings()), packet.NewFrame()
		app, web := l.id("shop/app"), l.id("shop/web")
		send := func(in dataplane.InterfaceID, s *packet.Spec, want drop.Reason) {
			t.Helper()
			s.Build(f)
			if _, why := w.Process(0, in, f); why != want {
				t.Errorf("IPv6 %v, %s: %v, want %v", v6, l.name(in), why, want)
			}
		}
		echo := func(from, to string) *packet.Spec {
			s := dial(l, from, to, l.proto("icmp"))
			s.Src = netip.AddrPortFrom(s.Src.Addr(), 0)
			if s.Type = 8; v6 {
				s.Type = 128
			}
			return s
		}
		flow := dial(l, "shop/app", "shop/web", packet.TCP)
		flow.Src, flow.Dst = netip.AddrPortFrom(flow.Src.Addr(), 40000), netip.AddrPortFrom(flow.Dst.Addr(), 80)
		answer := dial(l, "shop/web", "shop/app", packet.TCP)
		answer.Src, answer.Dst = flow.Dst, flow.Src
		send(app, flow, drop.None)
		send(web, echo("shop/web", "shop/app"), drop.SecurityGroupIngress)
		send(web, unreachable(answer), drop.None) // of the flow, which app has begun

		w = dataplane.New(l.prog, dataplane.DefaultSettings())
		send(app, echo("shop/app", "shop/web"), drop.None)
		send(web, unreachable(answer), drop.SecurityGroupIngress) // of a flow that nobody knows
	}
}
