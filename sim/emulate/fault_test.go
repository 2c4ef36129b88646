package emulate

import (
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// faultyLab has services of both kinds, and a program that writes how often it has
// begun, and goes on writing while it runs.
const faultyLab = `
name: faulty
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups: { all: { ingress: [{ protocol: "-1", cidr_blocks: [10.0.0.0/16] }] } }
    instances:
      web:
        private_ip: 10.0.0.9
        vpc_security_group_ids: [all]
        command: "echo >>begun; while :; do echo >>beats; sleep 0.01; done"
        services:
          - { type: http, port: 80 }
          - { type: tcp_echo, port: 7 }
          - { type: udp_echo, port: 7 }
          - { type: dns, port: 53, records: [{ name: a.example.com, records: [10.0.0.1] }] }
      app: {}
`

// stageOf plays in a world by the words of steps.
type stageOf struct {
	*testing.T
	*World
}

func (s stageOf) fail(port int, how string, every time.Duration) {
	s.Helper()
	f := &scenario.Fault{Instance: "lab/web", Port: port, How: how, Every: scenario.Duration(every)}
	if err := s.World.Fail(s.Context(), f); err != nil {
		s.T.Fatal(err)
	}
}

func (s stageOf) heal(port int) {
	s.Helper()
	if err := s.Heal(s.Context(), &scenario.Heal{Instance: "lab/web", Port: port}); err != nil {
		s.T.Fatal(err)
	}
}

// say says something to the echo service, over the connection of that name if there is one, and
// returns the answer or the failure.
func (s stageOf) say(protocol, connection, text string, open bool) string {
	s.Helper()
	x := &scenario.Exchange{Protocol: protocol, Connection: connection, Send: text, Timeout: scenario.Duration(200 * time.Millisecond)}
	if open {
		x.From, x.To = "app", "10.0.0.9:7"
	}
	r, err := s.Exchange(s.Context(), x)
	if err != nil {
		s.T.Fatal(err)
	}
	return r.Kind + r.Body
}

func (s stageOf) expect(what, got, want string) {
	s.Helper()
	if got != want {
		s.Errorf("%s: %q, want %q", what, got, want)
	}
}

// TestServiceHangs: a service that hangs takes connections and is silent; when it is back it answers
// what has come meanwhile, as a process does that was stopped.
func TestServiceHangs(t *testing.T) {
	w, _ := newWorld(t, faultyLab)
	s := stageOf{t, w}
	s.expect("before", s.say("tcp", "old", "one", true), "one")
	s.fail(7, scenario.Hangs, 0)
	s.expect("a connection that stood", s.say("tcp", "old", "two", false), story.Timeout)
	s.expect("a new one", s.say("tcp", "new", "one", true), story.Timeout)
	s.expect("a datagram", s.say("udp", "u", "one", true), story.Timeout)
	s.heal(7)
	for name, want := range map[string]string{"old": "two", "new": "one", "u": "one"} {
		s.expect("afterwards "+name, s.say("tcp", name, "", false), want)
	}
	s.expect("a last connection", s.say("tcp", "", "hello", true), "hello")
	s.fail(0, scenario.Hangs, 0) // and the lab ends all the same
}

// TestServiceRefuses: new connections are refused, those that stand go on; a datagram is answered as by
// a host without the service.
func TestServiceRefuses(t *testing.T) {
	w, _ := newWorld(t, faultyLab)
	s := stageOf{t, w}
	s.expect("before", s.say("tcp", "old", "one", true), "one")
	s.fail(7, scenario.Refuses, 0)
	s.expect("a new connection", s.say("tcp", "", "one", true), story.Refused)
	s.expect("a datagram", s.say("udp", "", "one", true), story.Refused)
	s.expect("one that stood", s.say("tcp", "old", "two", false), "two")
	s.heal(7)
	s.expect("afterwards", s.say("tcp", "", "one", true), "one")
	s.expect("a datagram afterwards", s.say("udp", "", "one", true), "one")
	s.expect("one that stood, afterwards", s.say("tcp", "old", "three", false), "three")
}

// TestServiceDies: with the process its connections are gone: what comes finds a FIN, as Linux sends
// for a process that has ended, and the next segment a RST.
func TestServiceDies(t *testing.T) {
	w, _ := newWorld(t, faultyLab)
	s := stageOf{t, w}
	s.expect("before", s.say("tcp", "old", "one", true), "one")
	s.fail(7, scenario.Dies, 0)
	s.expect("a connection that stood", s.say("tcp", "old", "", false), story.Closed)
	s.expect("a new one", s.say("tcp", "", "one", true), story.Refused)
	s.heal(7)
	s.expect("afterwards", s.say("tcp", "", "one", true), "one")
	s.expect("the old connection", s.say("tcp", "old", "two", false), story.Closed)
}

// TestServiceDiesHanging: who hangs may die.
func TestServiceDiesHanging(t *testing.T) {
	w, _ := newWorld(t, faultyLab)
	s := stageOf{t, w}
	s.expect("before", s.say("tcp", "old", "one", true), "one")
	s.fail(7, scenario.Hangs, 0)
	s.expect("it hangs", s.say("tcp", "old", "two", false), story.Timeout)
	s.fail(7, scenario.Dies, 0)
	s.expect("it is dead", s.say("tcp", "", "one", true), story.Refused)
	s.heal(7)
	s.expect("afterwards", s.say("tcp", "", "one", true), "one")
}

// TestAllFails: without a port it is all the services of an instance, and its command.
func TestAllFails(t *testing.T) {
	w, _ := newWorld(t, faultyLab)
	s := stageOf{t, w}
	count := func(file string) int {
		t.Helper()
		x, err := w.Exec(t.Context(), &scenario.Exec{In: "web", Command: []string{"cat", file}, Timeout: scenario.Duration(10 * time.Second)})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(x.Stdout, "\n")
	}
	beats := func() {
		t.Helper()
		was := count("beats")
		await(t, "the program to go on", func() bool { return count("beats") > was })
	}
	silent := func() {
		t.Helper()
		// It may be about to write when the signal comes, and is not heard of after that.
		was := -1
		await(t, "silence of the program", func() bool {
			before := was
			was = count("beats")
			return was == before
		})
		if err := w.Pause(t.Context(), 50*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if now := count("beats"); now != was {
			t.Errorf("%d beats of a program that does not run", now-was)
		}
	}
	beats()
	for i, how := range []string{scenario.Hangs, scenario.Dies} {
		s.fail(0, how, 0)
		silent()
		want := story.Timeout
		if how == scenario.Dies {
			want = story.Refused
		}
		s.expect("the echo", s.say("tcp", "", "one", true), want)
		s.heal(0)
		beats()
		if got := count("begun"); got != i+1 {
			t.Errorf("after it %s the program has begun %d times", how, got)
		}
		s.expect("the echo afterwards", s.say("tcp", "", "one", true), "one")
	}
}

// TestFlaps: it dies and comes back until it is healed.
func TestFlaps(t *testing.T) {
	w, _ := newWorld(t, faultyLab)
	s := stageOf{t, w}
	s.fail(7, scenario.Flaps, 50*time.Millisecond)
	for range 2 {
		await(t, "death", func() bool { return s.say("tcp", "", "one", true) == story.Refused })
		await(t, "life", func() bool { return s.say("tcp", "", "one", true) == "one" })
	}
	s.heal(7)
	until := w.Now() + 150*time.Millisecond
	await(t, "a while without a failure", func() bool {
		s.expect("healed", s.say("tcp", "", "one", true), "one")
		return w.Now() > until
	})
	s.fail(0, scenario.Flaps, 20*time.Millisecond) // and the lab ends all the same
}
