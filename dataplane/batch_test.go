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
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestBatch sends the same frames along two walks, while rules, network ACL and health
// change and flows expire: one gets them many at a time, and is told of flows of which
// nothing comes. Nobody can tell which, from what comes out, from what dies of what, from
// flow logs or from the tables.
func TestBatch(t *testing.T) {
	for name, text := range map[string]string{"links": recipeLab + "\nlink slow instance shop/app delay=5ms", "no links": recipeLab} {
		t.Run(name, func(t *testing.T) { rapid.Check(t, func(rt *rapid.T) { testBatch(t, rt, text) }) })
	}
}

func testBatch(t *testing.T, rt *rapid.T, text string) {
	type coming struct {
		in    dataplane.InterfaceID
		frame []byte
	}
	l := newLab(t, false, text)
	s := dataplane.DefaultSettings()
	s.Seed = rapid.Uint64().Draw(rt, "seed")
	batched, single := dataplane.New(l.prog, s), dataplane.New(l.prog, s)
	now := clock.Time(0)
	frames, f := packet.NewFrames(40), packet.NewFrame()
	var answers []coming
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
		p.Build(f)
		frame := bytes.Clone(f.Ethernet())
		return coming{l.id("shop/app"), frame[:rapid.SampledFrom([]int{len(frame), len(frame), len(frame), 20, 0}).Draw(rt, "length")]}
	}
	process := func(rt *rapid.T) {
		batch := make([]dataplane.Passage, rapid.IntRange(1, len(frames)).Draw(rt, "frames"))
		came := make([]coming, len(batch))
		for i := range batch {
			came[i] = draw(rt)
			batch[i].In, batch[i].Frame = came[i].in, frames[i]
			frames[i].SetEthernet(came[i].frame)
		}
		batched.ProcessBatch(now, batch)
		for i, c := range came {
			p := &batch[i]
			f.SetEthernet(c.frame)
			to, why := single.Process(now, c.in, f)
			if p.Out != to || p.Why != why || !bytes.Equal(p.Frame.Bytes(), f.Bytes()) {
				rt.Fatalf("from %s: in a batch, to %s, %v; else, to %s, %v", l.name(c.in), l.name(p.Out), p.Why, l.name(to), why)
			}
			if fate := single.Fate(); (fate == nil) != (p.Fate == nil) || fate != nil && *fate != *p.Fate {
				rt.Fatalf("from %s: in a batch, it arrives at %v; else, at %v", l.name(c.in), p.Fate, fate)
			}
			var v packet.View
			if to != dataplane.NoInterface && v.Decode(f) == 0 && v.Kind == packet.KindIP {
				answerTo(&v).Build(f)
				answers = append(answers, coming{to, bytes.Clone(f.Ethernet())})
			}
		}
	}
	both := func(do func(*dataplane.Walk)) { do(batched); do(single) }
	rt.Repeat(map[string]func(*rapid.T){
		"batch": process,
		"more":  process,
		"expect": func(rt *rapid.T) {
			var keys []flow.Key
			for range rapid.IntRange(1, 40).Draw(rt, "flows") {
				var v packet.View
				c := draw(rt)
				f.SetEthernet(c.frame)
				v.Decode(f)
				keys = append(keys, flow.KeyOf(flow.Scope(c.in), &v))
			}
			batched.ExpectFlows(keys)
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
		return fmt.Sprint(&tables, w.Metrics(now), logged(w, l))
	}
	if a, b := state(batched), state(single); a != b {
		rt.Fatalf("in batches: %s; else: %s", a, b)
	}
}

// TestBatchDoesNotAllocate: nor does a packet of a batch cost memory, with links or without.
func TestBatchDoesNotAllocate(t *testing.T) {
	for _, text := range []string{recipeLab, recipeLab + "\nlink slow instance shop/app delay=5ms"} {
		l := newLab(t, false, text)
		w := dataplane.New(l.prog, dataplane.DefaultSettings())
		s := dial(l, "shop/app", "shop/ep", packet.TCP)
		s.Dst = netip.AddrPortFrom(s.Dst.Addr(), 80)
		batch := make([]dataplane.Passage, 100)
		for i, f := range packet.NewFrames(len(batch)) {
			batch[i] = dataplane.Passage{In: l.id("shop/app"), Frame: f}
		}
		n := testing.AllocsPerRun(100, func() {
			for i := range batch {
				s.Build(batch[i].Frame)
			}
			w.ProcessBatch(1, batch)
			for i := range batch {
				if why := batch[i].Why; why != drop.None {
					t.Fatal(why)
				}
			}
		})
		if n != 0 {
			t.Errorf("%v allocations a batch", n)
		}
	}
}
