package topology

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestDraining plays deregistrations (F2.59, F2.60) through the lab's time: each line of a story
// is a second and what happens then, and must leave the group as it says: its
// targets, those that it remembers, which flows are closed, and the state of web-1.
func TestDraining(t *testing.T) {
	for _, c := range []struct {
		name     string
		group    string // more of the target group
		settings string
		story    string
	}{
		{"the default is 300 seconds, and flows live on (F2.59)", "", "", `
			0 deregister: web-2 web-3 / web-1 / draining
			299: web-2 web-3 / web-1 / draining
			300: web-2 web-3 / web-1 / unused
			4000: web-2 web-3 / web-1 / unused`},
		{"a target that comes back while it drains (F2.59)", "", "", `
			10 deregister: web-2 web-3 / web-1 / draining
			300 register: web-2 web-3 web-1 / / registered
			310: web-2 web-3 web-1 / / registered`},
		{"flows are closed shortly after the delay (F2.60)", "deregistration_delay: 60, connection_termination: true,", "", `
			0 deregister: web-2 web-3 / web-1 / draining
			60: web-2 web-3 / web-1 / unused
			64: web-2 web-3 / web-1 / unused
			65: web-2 web-3 / web-1 / unused closes web-1
			66: web-2 web-3 / web-1 / unused
			70 register: web-2 web-3 web-1 / / registered`},
		{"nobody who comes back in time has flows closed", "deregistration_delay: 60, connection_termination: true,", "", `
			0 deregister: web-2 web-3 / web-1 / draining
			59 register: web-2 web-3 web-1 / / registered
			65: web-2 web-3 web-1 / / registered`},
		{"who comes back later does not keep old flows", "deregistration_delay: 60, connection_termination: true,", "", `
			0 deregister: web-2 web-3 / web-1 / draining
			61 register: web-2 web-3 web-1 / / registered closes web-1
			65: web-2 web-3 web-1 / / registered`},
		{"no delay at all", "deregistration_delay: 0, connection_termination: true,", "settings: { termination_delay: 0 }", `
			0 deregister: web-2 web-3 / web-1 / unused closes web-1
			1: web-2 web-3 / web-1 / unused`},
		{"the change takes a while to spread (F2.59)", "", "settings: { propagation_delay: 5 }", `
			0 deregister: web-2 web-3 web-1 / / draining
			4: web-2 web-3 web-1 / / draining
			5: web-2 web-3 / web-1 / draining
			6 register: web-2 web-3 / / registered
			11: web-2 web-3 web-1 / / registered
			20 deregister: web-2 web-3 web-1 / / draining
			22 register: web-2 web-3 web-1 / / registered
			25: web-2 web-3 web-1 / / registered`},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := mustBuild(t, twoAccounts,
				"\ntarget_groups:", "\n"+c.settings+"\ntarget_groups:", "port: 8080, protocol: TCP,", "port: 8080, protocol: TCP, "+c.group)
			l.Compile()
			for line := range strings.Lines(strings.TrimSpace(c.story)) {
				what, want, _ := strings.Cut(strings.TrimSpace(line), ": ")
				var at int
				var act string
				fmt.Sscan(what, &at, &act)
				// However often the lab is told, it comes out the same.
				for next, ok := l.Next(); ok && next <= second(at-1); next, ok = l.Next() {
					t.Errorf("%s: the lab changes by itself at %v", line, next.Seconds())
					l.Advance(next)
				}
				l.Advance(second(at))
				target := &Target{TargetID: "web-1"}
				var err error
				switch act {
				case "register":
					err = l.RegisterTarget("web", target)
				case "deregister":
					err = l.DeregisterTarget("web", target)
				}
				if err != nil {
					t.Fatal(err)
				}
				if got := drained(t, l, l.Compile()); got != want {
					t.Errorf("%s:\n got %s\nwant %s", what, got, want)
				}
				if l.Advance(second(at)) {
					t.Errorf("%s: no time has passed, but the lab has changed", what)
				}
			}
		})
	}
}

func second(n int) clock.Time { return clock.Time(n) * clock.Time(time.Second) }

// drained says what a program makes of target group web.
func drained(t *testing.T, l *Lab, prog *dataplane.Program) string {
	t.Helper()
	name := func(a packet.Addr) string {
		for _, h := range l.Hosts {
			if h.Network.Name == "provider" && packet.AddrFrom(h.NIC.Addr()) == a {
				_, short, _ := strings.Cut(h.Name, "/")
				return short
			}
		}
		return "?"
	}
	g := prog.Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward[0].Group
	var words []string
	for _, target := range g.Targets {
		words = append(words, name(target.Addr))
	}
	words = append(words, "/")
	for _, target := range g.Former {
		words = append(words, name(target.Addr))
	}
	health, err := l.HealthOf("web", &Target{TargetID: "web-1"})
	if err != nil {
		t.Fatal(err)
	}
	state := health.State
	if state == TargetInitial {
		state = "registered"
	}
	words = append(words, "/", string(state))
	for _, c := range prog.Closures {
		if c.Group != g.Number || c.Port != 8080 {
			t.Errorf("it closes %+v", c)
		}
		words = append(words, "closes", name(c.Addr))
	}
	return strings.Join(words, " ")
}
