package dataplane_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestExpect sends the same frames along two walks, while rules, network ACL and health
// change and flows expire: one is told of them beforehand, many at a time, also of some that never
// come. Nobody can tell which, from what comes out, from what dies of what, from
// flow logs or from the tables.
func TestExpect(t *testing.T) {
	type coming struct {
		in    dataplane.InterfaceID
		frame []byte
	}
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(t, false, recipeLab)
		s := dataplane.DefaultSettings()
		s.Seed = rapid.Uint64().Draw(rt, "seed")
		warned, other := dataplane.New(l.prog, s), dataplane.New(l.prog, s)
		now := clock.Time(0)
		a, b := packet.NewFrame(), packet.NewFrame()
		var answers []coming
		process := func(c coming) {
			a.SetEthernet(c.frame)
			b.SetEthernet(c.frame)
			to, why := warned.Process(now, c.in, a)
			otherTo, otherWhy := other.Process(now, c.in, b)
			if to != otherTo || why != otherWhy || !bytes.Equal(a.Bytes(), b.Bytes()) {
				rt.Fatalf("from %s: expected, to %s, %v; else, to %s, %v", l.name(c.in), l.name(to), why, l.name(otherTo), otherWhy)
			}
			var v packet.View
			if to != dataplane.NoInterface && v.Decode(a) == 0 && v.Kind == packet.KindIP {
				answerTo(&v).Build(b)
				answers = append(answers, coming{to, bytes.Clone(b.Ethernet())})
			}
		}
		draw := func(rt *rapid.T) coming {
			if n := len(answers); n > 0 && rapid.Bool().Draw(rt, "answer") {
				return answers[rapid.IntRange(max(0, n-40), n-1).Draw(rt, "to")]
			}
			p := dial(l, "shop/app", rapid.SampledFrom([]string{"shop/web", "shop/ep"}).Draw(rt, "to"),
				rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP, packet.ICMP}).Draw(rt, "proto"))
			p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(rapid.IntRange(40000, 40020).Draw(rt, "port")))
			p.Dst = netip.AddrPortFrom(p.Dst.Addr(), 80)
			if p.Proto == packet.TCP {
				p.Flags = rapid.SampledFrom([]packet.Flags{packet.SYN, packet.ACK, packet.FIN | packet.ACK}).Draw(rt, "flags")
			}
			p.Build(a)
			frame := bytes.Clone(a.Ethernet())
			return coming{l.id("shop/app"), frame[:rapid.SampledFrom([]int{len(frame), len(frame), len(frame), 20, 0}).Draw(rt, "length")]}
		}
		both := func(do func(*dataplane.Walk)) { do(warned); do(other) }
		rt.Repeat(map[string]func(*rapid.T){
			"batch": func(rt *rapid.T) {
				batch := make([]coming, rapid.IntRange(1, 40).Draw(rt, "frames"))
				var soon []dataplane.Arrival
				for i := range batch {
					batch[i] = draw(rt)
					soon = append(soon, dataplane.Arrival{
						In: batch[i].in, Ethernet: batch[i].frame,
					})
				}
				warned.Expect(soon)
				for _, c := range batch[rapid.IntRange(0, len(batch)-1).Draw(rt, "lost"):] {
					process(c)
				}
			},
			"pause": func(rt *rapid.T) {
				now = now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Minute, time.Hour}).Draw(rt, "pause"))
				both(func(w *dataplane.Walk) { w.Expire(now, 10) })
			},
			"edit": func(rt *rapid.T) {
				line := rapid.SampledFrom(recipeEdits).Draw(rt, "line")
				if err := l.edit("- " + line); err != nil {
					if err := l.edit("+ " + line); err != nil {
						rt.Fatal(err)
					}
				}
				both(func(w *dataplane.Walk) { w.Load(l.prog) })
			},
		})
		state := func(w *dataplane.Walk) string {
			var tables dataplane.Tables
			if err := tables.Count(w); err != nil {
				rt.Fatal(err)
			}
			return fmt.Sprint(&tables, logged(w, l))
		}
		if a, b := state(warned), state(other); a != b {
			rt.Fatalf("expected: %s; else: %s", a, b)
		}
	})
}

// TestExpectDoesNotAllocate: who expects pays with no memory.
func TestExpectDoesNotAllocate(t *testing.T) {
	l := newLab(t, false, recipeLab)
	w := dataplane.New(l.prog, dataplane.DefaultSettings())
	f := packet.NewFrame()
	dial(l, "shop/app", "shop/ep", packet.TCP).Build(f)
	soon := make([]dataplane.Arrival, 100)
	for i := range soon {
		soon[i] = dataplane.Arrival{In: l.id("shop/app"), Ethernet: f.Ethernet()}
	}
	if n := testing.AllocsPerRun(100, func() { w.Expect(soon) }); n != 0 {
		t.Errorf("%v allocations a batch", n)
	}
}
