package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// preserving is twoConsumers with a target that sees its clients' own addresses.
var preserving = strings.Replace(twoConsumers, "targets web ", "targets web preserve ", 1) + `
instance provider/app provider/a 10.9.1.30
`

// TestShortWay sends the same packets along two walks, one of which takes none of them the
// short way: of all kinds, right and wrong, while time passes, rules change and somebody
// looks or does not. Nobody can tell which walk is which, from what comes out, from what dies
// of what, from flow logs, metrics, captures or tables.
func TestShortWay(t *testing.T) {
	for name, text := range map[string]string{
		"consumers": twoConsumers, "proxied": strings.Replace(twoConsumers, "targets web", "targets web proxy", 1),
		"families": twoFamilies, "chained": chained, "preserving": preserving,
	} {
		for _, v6 := range []bool{false, true} {
			if v6 && name == "families" {
				continue // it has both
			}
			t.Run(name+pick(v6, "/ipv6", "/ipv4"), func(t *testing.T) {
				hastened := 0
				rapid.Check(t, func(rt *rapid.T) {
					r := newRace(t, rt, v6, text)
					rt.Repeat(map[string]func(*rapid.T){
						"begin": r.begin, "go on": r.goOn, "go on2": r.goOn, "answer": r.answer, "answer2": r.answer, "spoil": r.spoil, "spoil2": r.spoil,
						"pause": r.pause, "edit": r.edit, "watch": r.watch,
						"expire": func(*rapid.T) { r.both(func(w *dataplane.Walk) { w.Expire(r.now, 16) }) },
						"":       r.check,
					})
					r.end(rt)
					hastened += r.hastened
				})
				if hastened < 100 {
					t.Errorf("only %d packets took the short way", hastened)
				}
			})
		}
	}
}

// race is two walks that get the same packets.
type race struct {
	l           *lab
	short, long *dataplane.Walk
	now         clock.Time
	a, b        *packet.Frame
	hastened    int

	sent     []traveler // that arrived
	seen     []traveler // what would answer them
	captures []*dataplane.Capture
	gone     map[string]bool // edits
}

// traveler is a packet and the interface that sends it.
type traveler struct {
	in   dataplane.InterfaceID
	spec *packet.Spec
}

func newRace(t *testing.T, rt *rapid.T, v6 bool, text string) *race {
	r := &race{l: newLab(t, v6, text), a: packet.NewFrame(), b: packet.NewFrame(), gone: map[string]bool{}}
	s := dataplane.DefaultSettings()
	s.Seed = rapid.Uint64().Draw(rt, "seed")
	s.LogHidden, s.Accounts = rapid.Bool().Draw(rt, "log hidden"), rapid.Bool().Draw(rt, "accounts")
	r.short, r.long = dataplane.New(r.l.prog, s), dataplane.New(r.l.prog, s)
	r.long.TakeLongWay()
	for _, way := range r.ways() {
		for _, proto := range []packet.Proto{packet.TCP, packet.UDP} {
			if rapid.Bool().Draw(rt, way) {
				r.settle(rt, way, proto)
			}
		}
	}
	return r
}

// ways are from where to where there are flows in the lab.
func (r *race) ways() []string {
	ways := []string{"red/app red/ep", "blue/app blue/ep", "red/near red/ep", "red/app red/near", "red/app red/far"}
	for _, more := range []string{"red/app red/edge", "provider/app provider/nlb"} {
		if from, to, _ := strings.Cut(more, " "); r.l.nics[from] != nil && r.l.nics[to] != nil {
			ways = append(ways, more, more)
		}
	}
	return ways
}

// settle opens a flow, until plain packets follow.
func (r *race) settle(rt *rapid.T, way string, proto packet.Proto) {
	from, to, _ := strings.Cut(way, " ")
	s := dial(r.l, from, to, proto)
	for range 3 {
		r.send(rt, traveler{r.l.id(from), s})
		if len(r.seen) > 0 {
			r.send(rt, r.seen[len(r.seen)-1])
		}
		s.Flags, s.Seq = packet.ACK, 1001
	}
}

func (r *race) both(do func(*dataplane.Walk)) { do(r.short); do(r.long) }

// run sends what is in frame a along both walks.
func (r *race) run(rt *rapid.T, in dataplane.InterfaceID) (dataplane.InterfaceID, drop.Reason) {
	r.b.SetLen(copy(r.b.Room(), r.a.Bytes()))
	before := bytes.Clone(r.a.Bytes())
	to, hastened := r.short.Hasten(r.now, in, r.a)
	why := drop.None
	switch {
	case hastened:
		r.hastened++
	case !bytes.Equal(r.a.Bytes(), before):
		rt.Fatalf("from %s: what did not take the short way is not as it was", r.l.name(in))
	default:
		to, why = r.short.Process(r.now, in, r.a)
	}
	longTo, longWhy := r.long.Process(r.now, in, r.b)
	if to != longTo || why != longWhy {
		rt.Fatalf("from %s, the short way %t: to %s, %v; the long way: to %s, %v; %x", r.l.name(in), hastened, r.l.name(to), why, r.l.name(longTo), longWhy, before)
	}
	if to != dataplane.NoInterface && !bytes.Equal(r.a.Bytes(), r.b.Bytes()) {
		rt.Fatalf("from %s, the short way %t: %x comes out; the long way: %x", r.l.name(in), hastened, r.a.Bytes(), r.b.Bytes())
	}
	return to, why
}

// send sends a packet, and notes what its receiver would answer.
func (r *race) send(rt *rapid.T, p traveler) {
	p.spec.Build(r.a)
	to, why := r.run(rt, p.in)
	if to == dataplane.NoInterface || why != drop.None {
		return
	}
	var v packet.View
	if why := v.Decode(r.a); why != drop.None {
		rt.Fatal(why)
	}
	if len(r.sent) > 30 {
		r.sent, r.seen = r.sent[1:], r.seen[1:]
	}
	if v.Kind == packet.KindIP {
		r.sent, r.seen = append(r.sent, p), append(r.seen, traveler{to, answerTo(&v)})
	}
}

// begin sends what may begin a flow.
func (r *race) begin(rt *rapid.T) {
	from, to, _ := strings.Cut(rapid.SampledFrom(r.ways()).Draw(rt, "way"), " ")
	s := dial(r.l, from, to, rapid.SampledFrom([]packet.Proto{packet.TCP, packet.UDP, r.l.proto("icmp")}).Draw(rt, "proto"))
	s.Src = netip.AddrPortFrom(s.Src.Addr(), rapid.Uint16Range(40000, 40001).Draw(rt, "port"))
	s.Type = pick[uint8](r.l.v6, 128, 8)
	r.send(rt, traveler{r.l.id(from), s})
}

// goOn sends another packet of a flow, as its client.
func (r *race) goOn(rt *rapid.T) { r.more(rt, r.sent) }

// answer sends a packet of a flow as who got the one before.
func (r *race) answer(rt *rapid.T) { r.more(rt, r.seen) }

func (r *race) more(rt *rapid.T, all []traveler) {
	if len(all) == 0 {
		return
	}
	p := all[rapid.IntRange(max(0, len(all)-8), len(all)-1).Draw(rt, "which")]
	s := *p.spec
	s.Flags = s.Flags&packet.SYN | rapid.SampledFrom([]packet.Flags{0, 0, 0, packet.PSH, packet.FIN, packet.RST}).Draw(rt, "flags") | packet.ACK
	if rapid.IntRange(0, 9).Draw(rt, "past the handshake") > 0 {
		s.Flags &^= packet.SYN
	}
	s.Seq++
	s.DF, s.ID = rapid.Bool().Draw(rt, "df"), 7
	s.Payload = pattern(rapid.SampledFrom([]int{0, 1, 7, 100, 1400, 8400, 8459, 8460, 8461, 8473, 8974, 9000}).Draw(rt, "length"))
	if s.Proto == packet.TCP && rapid.Bool().Draw(rt, "options") {
		s.Options = []byte{1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}
	}
	s.Partial = s.Proto != r.l.proto("icmp") && rapid.Bool().Draw(rt, "partial")
	if s.Partial && rapid.IntRange(0, 3).Draw(rt, "superframe") == 0 {
		s.GSOSize = 536
	}
	r.send(rt, traveler{p.in, &s})
}

// spoil sends a packet of a flow with something unusual about it, or wrong.
func (r *race) spoil(rt *rapid.T) {
	all := append(r.sent[:len(r.sent):len(r.sent)], r.seen...)
	if len(all) == 0 {
		return
	}
	p := rapid.SampledFrom(all).Draw(rt, "which")
	s := *p.spec
	s.Flags, s.Payload = packet.ACK, pattern(rapid.IntRange(0, 40).Draw(rt, "length"))
	s.TTL = rapid.SampledFrom([]uint8{0, 0, 0, 1, 2, 3, 255}).Draw(rt, "ttl")
	s.Partial = s.Proto != r.l.proto("icmp") && rapid.Bool().Draw(rt, "partial")
	s.Build(r.a)
	in := p.in
	eth := r.a.Ethernet()
	mended := rapid.Bool().Draw(rt, "mended") && !s.Partial
	switch rapid.SampledFrom([]string{"flip", "flip", "flip", "none", "cut", "pad", "elsewhere", "vouch", "offload", "udp"}).Draw(rt, "fault") {
	case "flip":
		at := rapid.IntRange(0, len(eth)-1).Draw(rt, "at")
		eth[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
	case "none":
		if at, _ := sums(eth); at > 0 && s.Proto == packet.UDP && !s.Partial {
			eth[at], eth[at+1] = 0, 0 // RFC 768 allows that
			mended = false
		}
	case "cut":
		r.a.SetLen(10 + rapid.IntRange(0, len(eth)).Draw(rt, "to"))
	case "pad":
		vnet := bytes.Clone(r.a.Vnet())
		r.a.SetEthernet(append(bytes.Clone(eth), make([]byte, rapid.IntRange(1, 50).Draw(rt, "padding"))...))
		copy(r.a.Vnet(), vnet)
	case "elsewhere":
		in = dataplane.InterfaceID(rapid.IntRange(0, len(r.l.prog.Interfaces)-1).Draw(rt, "interface"))
		nic := &r.l.prog.Interfaces[in]
		copy(eth[6:], nic.MAC[:])
	case "vouch":
		r.a.Vnet()[0] |= 2
		eth[len(eth)-1] ^= rapid.SampledFrom([]byte{0, 1}).Draw(rt, "wrong")
	case "offload":
		vnet := r.a.Vnet()
		vnet[0], vnet[1] = rapid.Byte().Draw(rt, "flags")&7, rapid.SampledFrom([]byte{0, 0, 1, 4, 5, 0x81}).Draw(rt, "gso")
		binary.LittleEndian.PutUint16(vnet[4:], rapid.SampledFrom([]uint16{0, 8, 1400}).Draw(rt, "size"))
		vnet[6] ^= rapid.SampledFrom([]byte{0, 0, 1}).Draw(rt, "start")
	case "udp":
		if s.Proto == packet.UDP {
			eth[len(eth)-len(s.Payload)-8+5] ^= 1 // its length
		}
	}
	if mended {
		mend(r.a.Ethernet())
	}
	r.run(rt, in)
}

func (r *race) pause(rt *rapid.T) {
	r.now = r.now.Add(rapid.SampledFrom([]time.Duration{0, 1, time.Millisecond, time.Second, 10 * time.Second, time.Minute, 350 * time.Second}).Draw(rt, "pause"))
}

func (r *race) edit(rt *rapid.T) {
	if rapid.IntRange(0, 3).Draw(rt, "edits") > 0 {
		return // most of the time flows go on
	}
	line := rapid.SampledFrom([]string{"allow ep in - - 10.0.0.0/16", "allow app out - - 0.0.0.0/0", "listener nlb udp 53 web"}).Draw(rt, "line")
	sign := pick(r.gone[line], "+ ", "- ")
	r.gone[line] = !r.gone[line]
	if err := r.l.edit(sign + line); err != nil {
		rt.Fatal(err)
	}
	r.both(func(w *dataplane.Walk) { w.Load(r.l.prog) })
}

// watch begins or ends a capture at one interface.
func (r *race) watch(rt *rapid.T) {
	if r.captures != nil {
		r.compareCaptures(rt)
		r.short.Unwatch(r.captures[0])
		r.long.Unwatch(r.captures[1])
		r.captures = nil
		return
	}
	at := dataplane.InterfaceID(rapid.IntRange(0, len(r.l.prog.Interfaces)-1).Draw(rt, "interface"))
	r.both(func(w *dataplane.Walk) {
		c := &dataplane.Capture{Room: 1 << 20}
		w.Watch(c, at)
		r.captures = append(r.captures, c)
	})
}

func (r *race) compareCaptures(rt *rapid.T) {
	if r.captures == nil {
		return
	}
	if a, b := fmt.Sprint(r.captures[0].Take()), fmt.Sprint(r.captures[1].Take()); a != b {
		rt.Fatalf("captured: %s; on the long way: %s", a, b)
	}
}

// check compares what costs little.
func (r *race) check(rt *rapid.T) {
	for _, id := range r.l.all() {
		if a, b := r.short.Drops(id), r.long.Drops(id); a != b {
			rt.Fatalf("at %s died %v; on the long way %v", r.l.name(id), a, b)
		}
	}
}

// end compares all that can be known of the walks.
func (r *race) end(rt *rapid.T) {
	r.compareCaptures(rt)
	state := func(w *dataplane.Walk) string {
		var tables dataplane.Tables
		if err := tables.Count(w); err != nil {
			rt.Fatal(err)
		}
		var views []dataplane.FlowView
		w.ViewFlows(r.now, 0, 1<<20, func(v *dataplane.FlowView) { views = append(views, *v) })
		return fmt.Sprint(&tables, w.Metrics(r.now), views, records(w, r.l))
	}
	if a, b := state(r.short), state(r.long); a != b {
		rt.Fatalf("the short way leaves %s; the long way %s", a, b)
	}
}
