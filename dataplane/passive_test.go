package dataplane_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestPassiveChecks (F2.53): a target that refuses connections, or does not answer,
// becomes a suspect after as many in a row as the setting says; one that it takes
// begins the count anew. Datagrams say nothing.
func TestPassiveChecks(t *testing.T) {
	l, f := newLab(t, false, churnLab), packet.NewFrame()
	if err := l.edit("- targets web provider/web-1:8080 provider/web-2:8080 provider/web-3:8080\n" +
		"+ targets web provider/web-1:8080\n+ listener nlb udp 53 web"); err != nil {
		t.Fatal(err)
	}
	s := dataplane.DefaultSettings()
	s.PassiveChecks = 3
	w := dataplane.New(l.prog, s)
	var now clock.Time
	port := uint16(2000)
	call := func(proto packet.Proto) *packet.Spec {
		port++
		c := dial(l, "red/app", "red/ep", proto)
		c.Src = netip.AddrPortFrom(c.Src.Addr(), port)
		c.Build(f)
		if _, why := w.Process(now, l.id("red/app"), f); why != 0 {
			t.Fatal(why)
		}
		var v packet.View
		v.Decode(f)
		return answerTo(&v)
	}
	answer := func(flags packet.Flags) {
		a := call(packet.TCP)
		a.Flags = flags
		a.Build(f)
		w.Process(now, l.id("provider/web-1"), f)
	}
	ignored := func(proto packet.Proto) {
		call(proto)
		now = now.Add(200 * time.Second) // F2.44, F2.48
		w.Expire(now, 1<<16)
	}
	suspects := func(want int) {
		t.Helper()
		got := w.Suspects()
		if len(got) != want {
			t.Fatalf("suspects: %v, want %d", got, want)
		}
		for _, s := range got {
			if s.Node != l.id("provider/nlb") || s.Port != 8080 || s.Addr != l.nics["provider/web-1"].Addrs[0] {
				t.Errorf("suspect %v", s)
			}
		}
	}
	const refused = packet.RST | packet.ACK
	answer(refused)
	answer(refused)
	suspects(0)
	answer(refused)
	suspects(1)
	suspects(0) // it is told once

	answer(refused)
	answer(refused)
	answer(packet.SYN | packet.ACK)
	answer(refused)
	suspects(0)
	answer(refused)
	ignored(packet.TCP)
	suspects(1)

	for range 5 {
		ignored(packet.UDP)
	}
	suspects(0)
}
