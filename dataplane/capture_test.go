package dataplane_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// watchAll makes somebody look at every interface.
func watchAll(w *dataplane.Walk) *dataplane.Capture {
	c := &dataplane.Capture{Room: 1 << 20}
	for id := range w.Program().Interfaces {
		w.Watch(c, dataplane.InterfaceID(id))
	}
	return c
}

// watch looks at the walk whose packets are probed.
func (e *env) watch() *dataplane.Capture { return watchAll(e.probed) }

// checkSeen wants a packet to be seen first as it was sent, and last as it was
// delivered; checksums right at each interface; and where it died, why.
func (e *env) checkSeen(t *testing.T, d *datadriven.TestData, p sent, c *dataplane.Capture, to dataplane.InterfaceID, why drop.Reason) {
	e.probed.Unwatch(c)
	if len(c.Packets) == 0 {
		t.Errorf("%s: nobody saw the packet", d.Pos)
		return
	}
	first, last := &c.Packets[0], &c.Packets[len(c.Packets)-1]
	if first.At != p.in || first.Way != flow.Egress {
		t.Errorf("%s: it was first seen at %s, %v", d.Pos, e.lab.name(first.At), first.Way)
	}
	dropped := drop.None
	for i := range c.Packets {
		s := &c.Packets[i]
		if s.Why != drop.None {
			dropped = s.Why
		}
		f := packet.NewFrame()
		f.SetEthernet(s.Frame)
		var v packet.View
		if bad := v.Decode(f); bad != drop.None && bad != why && s.At != p.in {
			t.Errorf("%s: at %s it is broken: %v", d.Pos, e.lab.name(s.At), bad)
		}
	}
	if dropped != why {
		t.Errorf("%s: it died of %v, and was seen to die of %v", d.Pos, why, dropped)
	}
	if to == dataplane.NoInterface || e.lab.prog.Interfaces[to].Kind == dataplane.Node {
		return // a node's own kernel gets it from behind the interface
	}
	var v packet.View
	if v.Decode(e.frame) != drop.None {
		return
	}
	if wire := v.AppendWire(nil); last.At != to || last.Way != flow.Ingress || !bytes.Equal(wire, last.Frame) {
		t.Errorf("%s: at %s was delivered\n%x, at %s was seen\n%x", d.Pos, e.lab.name(to), wire, e.lab.name(last.At), last.Frame)
	}
}

// captured prints a packet as it is seen at each interface.
func (e *env) captured(t *testing.T, d *datadriven.TestData, out *strings.Builder, c *dataplane.Capture) {
	frame := e.frame
	defer func() { e.frame = frame }()
	e.frame = packet.NewFrame()
	for _, s := range c.Packets {
		e.frame.SetEthernet(s.Frame)
		got, err := decode(e.frame)
		if err != nil {
			d.Fatalf(t, "what is seen at %s: %v", e.lab.name(s.At), err)
		}
		name := e.lab.name(s.At)
		proxy, _ := e.proxy(got)
		fmt.Fprintf(out, "  %s %v: %s%s", name, s.Way, strings.TrimPrefix(e.show(t, s.At, got), name+" gets "), proxy)
		if s.Why != drop.None {
			fmt.Fprintf(out, " dropped: %v", s.Why)
		}
		fmt.Fprintln(out)
	}
}

// TestWatch: somebody who begins to look sees the packets of flows that exist, at the
// interfaces that were asked for; sees no more than there is room for; and is gone
// when the capture has ended. Flows elsewhere cost no memory meanwhile.
func TestWatch(t *testing.T) {
	l := newLab(t, false, twoConsumers)
	w := dataplane.New(l.prog, dataplane.DefaultSettings())
	f := packet.NewFrame()
	send := func(from string) {
		t.Helper()
		s := dial(l, from, strings.Replace(from, "app", "ep", 1), packet.UDP)
		s.Build(f)
		if _, why := w.Process(1, l.id(from), f); why != drop.None {
			t.Fatal(why)
		}
	}
	send("red/app")
	send("blue/app")
	size := len(f.Ethernet()) + 64
	c := &dataplane.Capture{Room: 3*size + size/2, Keep: func(frame []byte) bool { return len(frame) == size-64 }}
	none := &dataplane.Capture{Room: 1 << 20, Keep: func([]byte) bool { return false }}
	w.Watch(c, l.id("red/ep"), l.id("red/app"))
	w.Watch(none, l.id("red/ep"))
	for range 2 {
		send("red/app")
	}
	dial(l, "blue/app", "blue/ep", packet.UDP).Build(f)
	frame := bytes.Clone(f.Ethernet())
	elsewhere := func() {
		f.SetEthernet(frame)
		if _, why := w.Process(1, l.id("blue/app"), f); why != drop.None {
			t.Fatal(why)
		}
	}
	if n := testing.AllocsPerRun(100, elsewhere); n != 0 {
		t.Errorf("%v allocations for a packet at which nobody looks", n)
	}
	var seen []string
	for _, s := range c.Packets {
		seen = append(seen, fmt.Sprintf("%s %v", l.name(s.At), s.Way))
	}
	if got := strings.Join(seen, ", "); got != "red/app egress, red/ep ingress, red/ep egress" || c.Missed != 3 {
		t.Errorf("seen: %s; missed %d", got, c.Missed)
	}
	w.Unwatch(c)
	send("red/app")
	if len(c.Packets) != 3 || c.Missed != 3 || len(none.Packets) != 0 || none.Missed != 0 {
		t.Errorf("%d packets, %d missed, %d of those that nobody wants", len(c.Packets), c.Missed, len(none.Packets))
	}
	w.Unwatch(none)
	send("red/app")

	// Captures that share a bound miss what it has no room for.
	left := 3*size + size/2
	one, two := &dataplane.Capture{Room: 2 * size, Shared: &left}, &dataplane.Capture{Room: 1 << 20, Shared: &left}
	w.Watch(one, l.id("red/app"))
	w.Watch(two, l.id("red/app"))
	for range 3 {
		send("red/app")
	}
	if len(one.Packets) != 2 || len(two.Packets) != 1 || one.Missed != 1 || two.Missed != 2 || left != size/2 {
		t.Errorf("of 3 packets the captures have %d and %d, and there is room for %d bytes", len(one.Packets), len(two.Packets), left)
	}
	// What is taken away makes room again.
	if n := len(one.Take()); n != 2 || left != 2*size+size/2 {
		t.Errorf("took %d packets, and there is room for %d bytes", n, left)
	}
	send("red/app")
	if n := len(one.Take()); n != 1 || one.Missed != 1 || len(one.Take()) != 0 {
		t.Errorf("%d packets since, %d missed", n, one.Missed)
	}
}
