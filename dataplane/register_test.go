package dataplane_test

import (
	"net/netip"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestRegisterAsPlain compares what the walk knows of targets with a look through all of
// them, one by one, from program to program.
func TestRegisterAsPlain(t *testing.T) {
	addr := rapid.Custom(func(t *rapid.T) packet.Addr {
		return packet.AddrFrom(netip.AddrFrom4([4]byte{10, 0, 0, rapid.Uint8Max(3).Draw(t, "address")}))
	})
	target := rapid.Custom(func(t *rapid.T) dataplane.Target {
		return dataplane.Target{
			Interface: dataplane.InterfaceID(rapid.Uint32Max(1).Draw(t, "interface")), Addr: addr.Draw(t, "addr"),
			Port: rapid.Uint16Range(80, 81).Draw(t, "port"), Zone: dataplane.ZoneID(rapid.Uint16Max(2).Draw(t, "zone")),
			Reset: rapid.Bool().Draw(t, "reset"),
		}
	})
	group := rapid.Custom(func(t *rapid.T) *dataplane.TargetGroup {
		return &dataplane.TargetGroup{
			Targets: rapid.SliceOfN(target, 0, 6).Draw(t, "targets"), Former: rapid.SliceOfN(target, 0, 2).Draw(t, "former"),
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		w := dataplane.New(&dataplane.Program{Epoch: 1}, dataplane.DefaultSettings())
		for epoch := range uint32(2) {
			one, two := group.Draw(t, "one"), group.Draw(t, "two")
			p := &dataplane.Program{Epoch: epoch + 2, Balancers: []dataplane.LoadBalancer{{Listeners: map[dataplane.ListenerKey]*dataplane.Listener{
				{Proto: packet.TCP, Port: 80}: {
					Forward: []dataplane.Forward{{Group: one, Weight: 1}}, IPv6: &dataplane.Listener{Forward: []dataplane.Forward{{Group: two}}},
				},
			}}}}
			w.Load(p)
			for range 10 {
				x := target.Draw(t, "asked about")
				is := func(o dataplane.Target) bool {
					return o.Interface == x.Interface && o.Addr == x.Addr && o.Port == x.Port
				}
				serves := slices.ContainsFunc(slices.Concat(one.Targets, one.Former, two.Targets, two.Former), is)
				if got := w.Serves(&p.Balancers[0], x.Interface, x.Addr, x.Port); got != serves {
					t.Fatalf("%+v serves: %v, want %v", x, got, serves)
				}
				resets := false
				for _, o := range one.Targets {
					if o.Addr != x.Addr || o.Port != x.Port {
						continue
					}
					if resets = o.Reset; o.Zone == x.Zone {
						break
					}
				}
				if got := w.Resets(one, x.Addr, x.Port, x.Zone); got != resets {
					t.Fatalf("flows of zone %d to %v:%d of %+v end: %v, want %v", x.Zone, x.Addr.IP(), x.Port, one.Targets, got, resets)
				}
			}
		}
	})
}
