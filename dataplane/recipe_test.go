package dataplane_test

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
)

// recipeLab has flows that are tracked and flows that are not (F3.10), directly and by
// way of a load balancer and an endpoint, and a network ACL (F3.17).
const recipeLab = `
vpc shop 10.0.0.0/16
vpc site 10.9.0.0/16
subnet shop/a az1 10.0.1.0/24
subnet shop/b az1 10.0.2.0/24
subnet site/a az1 10.9.1.0/24
balancer nlb
targets web site/web:80 site/spare:80
listener nlb tcp 80 web
listener nlb udp 80 web
instance shop/app shop/a 10.0.1.10 groups=app
instance shop/web shop/b 10.0.2.20 groups=web
instance site/web site/a 10.9.1.20 groups=web
instance site/spare site/a 10.9.1.21 groups=web
endpoint shop/ep shop/b 10.0.2.50 site/nlb groups=web
node site/nlb site/a 10.9.1.5 nlb
allow app out - - 0.0.0.0/0
allow web out - - 0.0.0.0/0
allow web in - - 0.0.0.0/0
allow web in tcp 80 10.0.0.0/8
allow app in udp - 0.0.0.0/0
acl shop/b in 100 allow - - 0.0.0.0/0
acl shop/b out 100 allow - - 0.0.0.0/0
`

// recipeEdits are lines that come and go.
var recipeEdits = []string{
	"allow web in - - 0.0.0.0/0",
	"allow web in tcp 80 10.0.0.0/8",
	"allow web out - - 0.0.0.0/0",
	"allow app in udp - 0.0.0.0/0",
	"allow app in - - 0.0.0.0/0",
	"acl shop/b in 100 allow - - 0.0.0.0/0",
	"acl shop/b out 100 allow - - 0.0.0.0/0",
	"acl shop/b out 50 deny udp - 0.0.0.0/0",
	"targets web site/web:80/avoid/reset site/spare:80",
	"targets web site/web:80/avoid site/spare:80",
}

// TestRecipe compares the walk, which decides once and follows what it decided, with
// one that decides every packet anew: while rules, network ACL and health change,
// the verdicts never differ, nor a byte of what comes out, whether flows are tracked
// or not (F3.10).
func TestRecipe(t *testing.T) {
	epoch := uint32(1 << 20)
	compareWalks(t, recipeEdits, func(slow *dataplane.Walk, prog *dataplane.Program) {
		anew := *prog
		epoch++
		anew.Epoch, anew.Closures = epoch, nil
		slow.Load(&anew)
	})
}

// TestRestart compares the walk with one that is restarted before every packet and
// keeps its state: nobody can tell.
func TestRestart(t *testing.T) {
	compareWalks(t, recipeEdits, func(restarted *dataplane.Walk, prog *dataplane.Program) {
		if restarted.Program() != prog {
			restarted.Load(prog)
		}
		restarted.Restart(true)
	})
}

// compareWalks sends random traffic along two walks while the lab changes. The second
// one follows a program as it is told before each packet. Both must always agree, and
// in the end have logged the same.
func compareWalks(t *testing.T, edits []string, renew func(*dataplane.Walk, *dataplane.Program)) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(t, false, recipeLab)
		s := dataplane.DefaultSettings()
		s.Seed = rapid.Uint64().Draw(rt, "seed")
		quick, slow := dataplane.New(l.prog, s), dataplane.New(l.prog, s)
		watchAll(slow) // which changes nothing
		now := clock.Time(0)
		a, b := packet.NewFrame(), packet.NewFrame()
		var answers []*packet.Spec
		var from []dataplane.InterfaceID

		send := func(in dataplane.InterfaceID, p *packet.Spec) {
			renew(slow, l.prog)
			p.Build(a)
			p.Build(b)
			to, why := quick.Process(now, in, a)
			slowTo, slowWhy := slow.Process(now, in, b)
			if to != slowTo || why != slowWhy {
				rt.Fatalf("%s %v > %v flags %v: to %s, %v; the other walk: to %s, %v",
					l.name(in), p.Src, p.Dst, p.Flags, l.name(to), why, l.name(slowTo), slowWhy)
			}
			if to == dataplane.NoInterface {
				return
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				rt.Fatalf("%s %v > %v: what comes out is not what comes out of the other walk", l.name(in), p.Src, p.Dst)
			}
			if why == drop.None {
				var v packet.View
				if why := v.Decode(a); why != drop.None {
					rt.Fatal(why)
				}
				if !isUnreachable(&v) {
					answers, from = append(answers, answerTo(&v)), append(from, to)
				}
			}
		}
		open := func(rt *rapid.T) {
			to := rapid.SampledFrom([]string{"shop/web", "shop/ep"}).Draw(rt, "to")
			p := dial(l, "shop/app", to, rapid.SampledFrom([]packet.Proto{packet.TCP, packet.TCP, packet.UDP}).Draw(rt, "proto"))
			p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(rapid.IntRange(40000, 40002).Draw(rt, "port")))
			p.Dst = netip.AddrPortFrom(p.Dst.Addr(), 80)
			if p.Proto == packet.TCP {
				p.Flags = rapid.SampledFrom([]packet.Flags{packet.SYN, packet.SYN, packet.ACK, packet.FIN | packet.ACK, packet.RST}).Draw(rt, "flags")
				p.Seq = uint32(rapid.IntRange(1, 2).Draw(rt, "isn")) * 1000
			}
			send(l.id("shop/app"), p)
		}
		answer := func(rt *rapid.T) {
			if len(answers) == 0 {
				return
			}
			i := rapid.IntRange(max(0, len(answers)-4), len(answers)-1).Draw(rt, "answer to")
			send(from[i], answers[i])
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open":    open,
			"answer":  answer,
			"answer2": answer,
			"complain": func(rt *rapid.T) {
				if len(answers) > 0 {
					i := rapid.IntRange(max(0, len(answers)-4), len(answers)-1).Draw(rt, "complaint about")
					send(from[i], unreachable(answers[i]))
				}
			},
			"pause": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.IntRange(0, 9).Draw(rt, "ms")) * time.Millisecond)
			},
			"silence": func(rt *rapid.T) {
				seconds := rapid.SampledFrom([]int{20, 29, 30, 31, 60, 119, 120, 180, 349, 350, 600}).Draw(rt, "seconds")
				now = now.Add(time.Duration(seconds) * time.Second)
			},
			"edit": func(rt *rapid.T) {
				line := rapid.SampledFrom(edits).Draw(rt, "line")
				if err := l.edit("- " + line); err != nil {
					if err := l.edit("+ " + line); err != nil {
						rt.Fatal(err)
					}
				}
				quick.Load(l.prog)
			},
		})
		if a, b := logged(quick, l), logged(slow, l); a != b {
			rt.Fatalf("logged: %s; by the other walk: %s", a, b)
		}
	})
}

// logged returns what flow logs have of a walk. What they say beside AWS's fields is left
// out: a flow that is not tracked has no client to count hops from, and by the name of
// a network ACL they know the one that is there when they are asked. All is one window: paths
// that live on notice that another has begun only as Walk.Expire comes by.
func logged(w *dataplane.Walk, l *lab) string {
	a := flowlog.NewAggregator(math.MaxInt64, time.Time{}, 0)
	a.Add(w.LogSoFar())
	all := a.Flush(l.describe)
	for i := range all {
		all[i].Note = flowlog.Note{Why: all[i].Why}
	}
	return fmt.Sprint(all)
}
