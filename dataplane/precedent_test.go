package dataplane_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// precedentLab has flows to a load balancer of whatever kinds there are: from two consumers
// with the same addresses and from its own VPC, to targets of both families, by weights,
// sticky or not, with PROXY protocol headers or not.
const precedentLab = `
vpc red 10.0.0.0/16
vpc blue 10.0.0.0/16
vpc green 10.1.0.0/16
vpc provider 10.9.0.0/16
subnet red/a az1 10.0.1.0/24
subnet red/b az1 10.0.2.0/24
subnet blue/a az1 10.0.1.0/24
subnet green/a az1 10.1.1.0/24
subnet green/b az1 10.1.2.0/24
subnet provider/a az1 10.9.1.0/24
subnet provider/b az1 10.9.2.0/24
balancer nlb
targets web provider/web-1:8080 provider/web-2:8080
targets api sticky=client provider/web-2:9090 provider/web-3:8080
targets old proxy provider/web-1:8081
targets own preserve provider/web-1:8082 provider/web-3:8082
listener nlb tcp 80 web*3,old*1
listener nlb tcp 81 web,api sticky=20s
listener nlb tcp 82 own
listener nlb udp 80 api
instance red/app red/a 10.0.1.10 groups=app established=60s
instance red/far red/b 10.0.2.11
instance blue/app blue/a 10.0.1.10 groups=app
instance green/app green/a 10.1.1.10 groups=app
instance provider/app provider/b 10.9.2.9 groups=app
endpoint red/ep red/b 10.0.2.50 provider/nlb groups=web
endpoint blue/ep blue/a 10.0.1.50 provider/nlb groups=web
endpoint green/ep green/b 10.1.2.50 provider/nlb
node provider/nlb provider/a 10.9.1.5,10.9.1.6 nlb groups=nlb
instance provider/web-1 provider/a 10.9.1.21 groups=web
instance provider/web-2 provider/a 10.9.1.22
instance provider/web-3 provider/b 10.9.2.23,2001:db8:9::23 groups=web
allow app out - - 0.0.0.0/0
allow nlb in - - 0.0.0.0/0
allow nlb out - - 0.0.0.0/0
allow web in - - 0.0.0.0/0
acl green/b in 100 allow - - 0.0.0.0/0
acl green/b out 100 allow tcp 40000-40002 0.0.0.0/0
`

// precedentEdits are lines that come and go.
var precedentEdits = []string{
	"allow app out - - 0.0.0.0/0",
	"allow app out tcp 80 0.0.0.0/0",
	"allow nlb in - - 0.0.0.0/0",
	"allow web in - - 0.0.0.0/0",
	"allow web in tcp 8080 10.9.1.5/32",
	"allow app in udp - 0.0.0.0/0",
	"acl red/b in 100 allow - - 0.0.0.0/0",
	"acl red/b out 100 allow - - 0.0.0.0/0",
	"acl green/b out 100 allow tcp 40000-40002 0.0.0.0/0",
	"acl provider/a out 100 allow tcp - 0.0.0.0/0",
	"former web provider/web-1:8080",
	"close web",
	"listener nlb tcp 80 web",
}

// TestPrecedent compares the walk with one that decides on each flow by itself: nobody can
// tell them apart, neither by what becomes of packets nor by the state that these leave,
// while ports and room for tracking are scarce, flows end and expire, and rules change.
func TestPrecedent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := newLab(t, false, precedentLab)
		s := dataplane.DefaultSettings()
		s.Seed = rapid.Uint64().Draw(rt, "seed")
		s.SourcePorts = rapid.SampledFrom([]int{2, 5, 0}).Draw(rt, "source ports")
		s.TrackedFlows = rapid.SampledFrom([]int{0, 0, 9}).Draw(rt, "tracked flows")
		s.Accounts = rapid.Bool().Draw(rt, "accounts")
		quick, slow := dataplane.New(l.prog, s), dataplane.New(l.prog, s)
		var quickTables, slowTables dataplane.Tables
		now := clock.Time(0)
		a, b := packet.NewFrame(), packet.NewFrame()
		var answers, calls []sending

		send := func(p sending) {
			slow.ForgetPrecedents()
			p.spec.Build(a)
			p.spec.Build(b)
			to, why := quick.Process(now, p.in, a)
			slowTo, slowWhy := slow.Process(now, p.in, b)
			if to != slowTo || why != slowWhy || !bytes.Equal(a.Bytes(), b.Bytes()) {
				rt.Fatalf("%s %v > %v flags %v: to %s, %v; decided by itself: to %s, %v",
					l.name(p.in), p.spec.Src, p.spec.Dst, p.spec.Flags, l.name(to), why, l.name(slowTo), slowWhy)
			}
			if why == drop.None {
				var v packet.View
				if why := v.Decode(a); why != drop.None {
					rt.Fatal(why)
				}
				answers = append(answers, sending{to, answerTo(&v)})
			}
			if err := quickTables.Count(quick); err != nil {
				rt.Fatal(err)
			}
			if err := slowTables.Count(slow); err != nil {
				rt.Fatal(err)
			}
			if a, b := fmt.Sprint(&quickTables, quickTables.Shared), fmt.Sprint(&slowTables, slowTables.Shared); a != b {
				rt.Fatalf("after %v > %v: %s; decided by itself: %s", p.spec.Src, p.spec.Dst, a, b)
			}
		}
		open := func(rt *rapid.T) {
			client := rapid.SampledFrom([]string{"red/app", "red/app", "red/far", "blue/app", "green/app", "provider/app", "provider/web-1"}).Draw(rt, "client")
			to := map[byte]string{'r': "red/ep", 'b': "blue/ep", 'g': "green/ep", 'p': "provider/nlb"}[client[0]]
			for range rapid.IntRange(1, 6).Draw(rt, "how many") {
				p := dial(l, client, to, rapid.SampledFrom([]packet.Proto{packet.TCP, packet.TCP, packet.UDP}).Draw(rt, "proto"))
				p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(rapid.IntRange(40000, 40005).Draw(rt, "port")))
				p.Dst = netip.AddrPortFrom(p.Dst.Addr(), rapid.SampledFrom([]uint16{80, 80, 80, 81, 82}).Draw(rt, "to port"))
				if p.Proto == packet.TCP {
					p.Seq = uint32(rapid.IntRange(1, 4).Draw(rt, "isn")) * 1000
				}
				calls = append(calls, sending{l.id(client), p})
				send(calls[len(calls)-1])
			}
		}
		again := func(all *[]sending) func(rt *rapid.T) {
			return func(rt *rapid.T) {
				if len(*all) == 0 {
					return
				}
				p := (*all)[rapid.IntRange(max(0, len(*all)-5), len(*all)-1).Draw(rt, "which")]
				if later := *p.spec; later.Proto == packet.TCP {
					later.Flags = rapid.SampledFrom([]packet.Flags{p.spec.Flags, packet.ACK, packet.FIN | packet.ACK, packet.RST}).Draw(rt, "flags")
					p.spec = &later
				}
				send(p)
			}
		}
		rt.Repeat(map[string]func(*rapid.T){
			"open":   open,
			"open2":  open,
			"answer": again(&answers),
			"call":   again(&calls),
			"pause": func(rt *rapid.T) {
				now = now.Add(time.Duration(rapid.SampledFrom([]int{1, 1000, 11_000, 70_000, 351_000}).Draw(rt, "ms")) * time.Millisecond)
				quick.Expire(now, 64)
				slow.Expire(now, 64)
			},
			"edit": func(rt *rapid.T) {
				line := rapid.SampledFrom(precedentEdits).Draw(rt, "line")
				if err := l.edit("- " + line); err != nil {
					if err := l.edit("+ " + line); err != nil {
						rt.Fatal(err)
					}
				}
				quick.Load(l.prog)
				slow.Load(l.prog)
			},
		})
		if a, b := fmt.Sprint(records(quick, l)), fmt.Sprint(records(slow, l)); a != b {
			rt.Fatalf("logged: %s; decided by itself: %s", a, b)
		}
		if a, b := quick.Metrics(now), slow.Metrics(now); !reflect.DeepEqual(a, b) {
			rt.Fatalf("metrics: %v; decided by itself: %v", a, b)
		}
		for id := range l.prog.Interfaces {
			if a, b := quick.Drops(dataplane.InterfaceID(id)), slow.Drops(dataplane.InterfaceID(id)); a != b {
				rt.Fatalf("%s drops %v; decided by itself: %v", l.name(dataplane.InterfaceID(id)), a, b)
			}
		}
	})
}

// TestPrecedentMeetsAKnownPort: the source port that a flow gets may be known to the target
// already, from a connection of the node's own. The target has one path for each, whichever
// way they were decided on.
func TestPrecedentMeetsAKnownPort(t *testing.T) {
	l := newLab(t, false, strings.Replace(twoConsumers, " provider/web-2:8080", "", 1))
	f, v := packet.NewFrame(), packet.View{}
	run := func(anew bool, known uint16) (port uint16, state string) {
		w := dataplane.New(l.prog, dataplane.DefaultSettings())
		for n := range uint16(3) {
			if n == 2 && known != 0 {
				p := dial(l, "provider/nlb", "provider/web-1", packet.TCP)
				p.Src, p.Dst = netip.AddrPortFrom(p.Src.Addr(), known), netip.AddrPortFrom(p.Dst.Addr(), 8080)
				p.Build(f)
				if _, why := w.Process(0, l.id("provider/nlb"), f); why != drop.None {
					t.Fatal(why)
				}
			}
			if anew {
				w.ForgetPrecedents()
			}
			p := dial(l, "red/app", "red/ep", packet.TCP)
			p.Src = netip.AddrPortFrom(p.Src.Addr(), 40000+n)
			p.Build(f)
			if _, why := w.Process(0, l.id("red/app"), f); why != drop.None {
				t.Fatal(why)
			}
		}
		var tables dataplane.Tables
		if err := tables.Count(w); err != nil {
			t.Fatal(err)
		}
		v.Decode(f)
		return v.SrcPort, tables.String()
	}
	last, _ := run(false, 0)
	port, state := run(false, last)
	if wantPort, want := run(true, last); port != last || wantPort != last || state != want {
		t.Errorf("port %d, %s; decided by itself: %d, %s; want port %d", port, state, wantPort, want, last)
	}
}

// TestPrecedentIsNoneForWhoIsKnown: the endpoint remembers a client's connection longer than
// the load balancer does, and than the client itself, whose timer is shorter (F3.14). If the
// client calls again from the same port, that one connection is what the endpoint goes on with.
func TestPrecedentIsNoneForWhoIsKnown(t *testing.T) {
	l := newLab(t, false, precedentLab)
	f := packet.NewFrame()
	run := func(anew bool) string {
		w, now := dataplane.New(l.prog, dataplane.DefaultSettings()), clock.Time(0)
		send := func(in dataplane.InterfaceID, p *packet.Spec) dataplane.InterfaceID {
			if anew {
				w.ForgetPrecedents()
			}
			p.Build(f)
			to, why := w.Process(now, in, f)
			if why != drop.None {
				t.Fatal(why)
			}
			return to
		}
		open := func(port uint16) {
			p := dial(l, "red/app", "red/ep", packet.TCP)
			p.Src = netip.AddrPortFrom(p.Src.Addr(), port)
			to, v := send(l.id("red/app"), p), packet.View{}
			v.Decode(f)
			send(to, answerTo(&v))
			p.Flags = packet.ACK
			send(l.id("red/app"), p)
		}
		open(40000)
		now = now.Add(400 * time.Second)
		w.Expire(now, w.Slots())
		var tables dataplane.Tables
		if err := tables.Count(w); err != nil || tables.Tracked == 0 || tables.Flows+tables.Paths > 0 {
			t.Fatalf("the first connection left %s (%v)", &tables, err)
		}
		for port := uint16(40020); port > 40000; port -= 2 { // to both targets
			open(port)
		}
		open(40000)
		if err := tables.Count(w); err != nil {
			t.Fatal(err)
		}
		return tables.String()
	}
	if got, want := run(false), run(true); got != want {
		t.Errorf("%s; decided by itself: %s", got, want)
	}
}

// sending is a packet and the interface that sends it.
type sending struct {
	in   dataplane.InterfaceID
	spec *packet.Spec
}

// TestPrecedentIsFollowed: a second flow between the same ends asks no rule any more, until
// there is another program.
func TestPrecedentIsFollowed(t *testing.T) {
	l := newLab(t, false, twoConsumers)
	w, f := dataplane.New(l.prog, dataplane.DefaultSettings()), packet.NewFrame()
	port := uint16(40000)
	open := func() drop.Reason {
		p := dial(l, "red/app", "red/ep", packet.TCP)
		p.Src = netip.AddrPortFrom(p.Src.Addr(), port)
		port++
		p.Build(f)
		_, why := w.Process(0, l.id("red/app"), f)
		return why
	}
	for range 20 { // to both targets
		if why := open(); why != drop.None {
			t.Fatal(why)
		}
	}
	l.prog.Interfaces[l.id("red/ep")].Ingress = l.prog.Interfaces[l.id("red/app")].Ingress // which lets nothing in but ICMP
	if why := open(); why != drop.None {
		t.Errorf("rules were asked again: %v", why)
	}
	again := *l.prog
	again.Epoch++
	w.Load(&again)
	if why := open(); why != drop.SecurityGroupIngress {
		t.Errorf("another program's rules were not asked: %v", why)
	}
}
