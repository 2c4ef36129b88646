package dataplane_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestIdleStates (F3.14, F2.48): states are forgotten as their own timers say, which each
// packet begins anew that came as far as them, whatever became of it later. It makes no
// difference how long the walk remembers what it decided before.
func TestIdleStates(t *testing.T) {
	type step struct {
		at    int    // seconds
		edit  string // of recipeLab; else
		what  string // is sent: a packet to somebody, or in reply to the last that came through
		flags packet.Flags
		want  drop.Reason
	}
	for _, tt := range []struct {
		name  string
		steps []step
	}{
		{"a complaint about what is forgotten", []step{
			{edit: "- allow web out - - 0.0.0.0/0"},
			{edit: "+ allow app in - - 0.0.0.0/0"},
			{what: "udp shop/web"},
			{at: 29, what: "complain"},
			{at: 30, what: "complain", want: drop.SecurityGroupEgress},
		}},
		{"a sender remembers what was refused elsewhere", []step{
			{edit: "- allow app in udp - 0.0.0.0/0"},
			{what: "udp shop/web"}, // so that there is an answer
			{edit: "- allow web in - - 0.0.0.0/0"},
			{at: 100, what: "udp shop/web", want: drop.SecurityGroupIngress},
			{at: 120, what: "udp shop/web", want: drop.SecurityGroupIngress},
			{at: 149, what: "answer"},
		}},
		{"and forgets it", []step{
			{edit: "- allow app in udp - 0.0.0.0/0"},
			{what: "udp shop/web"},
			{edit: "- allow web in - - 0.0.0.0/0"},
			{at: 100, what: "udp shop/web", want: drop.SecurityGroupIngress},
			{at: 120, what: "udp shop/web", want: drop.SecurityGroupIngress},
			{at: 150, what: "answer", want: drop.SecurityGroupIngress},
		}},
		{"an answer in time that dies after the load balancer", []step{
			{edit: "- acl shop/b out 100 allow - - 0.0.0.0/0"},
			{what: "udp shop/ep"},
			{at: 29, what: "answer", want: drop.NetworkACLEgress},
			{at: 58, what: "answer", want: drop.NetworkACLEgress},
			{at: 88, what: "answer", want: drop.NoListener},
		}},
		{"an end that only one side tracks", []step{
			{edit: "- allow web out - - 0.0.0.0/0"},
			{edit: "+ allow app in - - 0.0.0.0/0"},
			{what: "tcp shop/web", flags: packet.SYN},
			{what: "answer"},
			{what: "tcp shop/web", flags: packet.ACK},
			{edit: "- allow app in - - 0.0.0.0/0"},
			{what: "answer", want: drop.SecurityGroupIngress},
			{what: "tcp shop/web", flags: packet.FIN | packet.ACK},
			{at: 119, what: "answer", want: drop.SecurityGroupIngress},
			{at: 239, what: "answer", want: drop.SecurityGroupEgress},
		}},
	} {
		for _, restarts := range []bool{false, true} {
			t.Run(tt.name+pick(restarts, "/restarted", ""), func(t *testing.T) {
				l, f := newLab(t, false, recipeLab), packet.NewFrame()
				w := dataplane.New(l.prog, dataplane.DefaultSettings())
				var answer *packet.Spec
				var from dataplane.InterfaceID
				for i, s := range tt.steps {
					if s.edit != "" {
						if err := l.edit(s.edit); err != nil {
							t.Fatal(err)
						}
						w.Load(l.prog)
						continue
					}
					if restarts {
						w.Restart(true)
					}
					in, p := from, answer
					switch proto, to, opens := strings.Cut(s.what, " "); {
					case opens:
						in, p = l.id("shop/app"), dial(l, "shop/app", to, l.proto(proto))
						p.Dst, p.Flags = netip.AddrPortFrom(p.Dst.Addr(), 80), s.flags
					case s.what == "complain":
						p = unreachable(answer)
					}
					p.Build(f)
					to, why := w.Process(clock.Time(0).Add(time.Duration(s.at)*time.Second), in, f)
					if why != s.want {
						t.Fatalf("step %d, %s after %d s: %v, want %v", i, s.what, s.at, why, s.want)
					}
					var v packet.View
					if to == l.id("shop/app") || to == dataplane.NoInterface {
						continue
					}
					if why := v.Decode(f); why != drop.None {
						t.Fatal(why)
					}
					answer, from = answerTo(&v), to
				}
			})
		}
	}
}
