package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plsim/plsim/topology"
)

// Need is something that only real hosts have: a program, or a TLS handshake.
type Need struct {
	Mistake
	Step int // which step of the story needs it, from 1; 0: the lab or its lesson
}

// Real returns what of the scenario needs real hosts, in the order of the file. A
// scenario without any can be simulated.
func (l *Loaded) Real() []Need {
	r := &needs{source: l.Source}
	s := l.Scenario
	for _, name := range slices.Sorted(maps.Keys(s.VPCs)) {
		r.instances("vpcs."+name+".instances", s.VPCs[name].Instances)
	}
	for _, name := range slices.Sorted(maps.Keys(s.OnPremises)) {
		r.instances("on_premises."+name+".hosts", s.OnPremises[name].Hosts)
	}
	if s.Internet != nil {
		r.instances("internet.hosts", s.Internet.Hosts)
	}
	for _, name := range slices.Sorted(maps.Keys(s.LoadBalancers)) {
		for i, listener := range s.LoadBalancers[name].Listeners {
			if p := listener.Protocol; p == "TLS" || p == "HTTPS" {
				r.tls(fmt.Sprintf("load_balancers.%s.listeners[%d].protocol", name, i), 0)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.TargetGroups)) {
		if h := s.TargetGroups[name].HealthCheck; h != nil && h.Protocol == "HTTPS" {
			r.tls("target_groups."+name+".health_check.protocol", 0)
		}
	}
	for i, step := range s.Steps {
		r.step(item("steps", i), i+1, step)
	}
	if s.Lesson != nil {
		for i, cp := range s.Lesson.Checkpoints {
			at := item(join(lessonKey, "checkpoints"), i)
			for i, step := range cp.Checks {
				r.step(item(join(at, "checks"), i), 0, step)
			}
			for i, step := range cp.Solution {
				r.step(item(join(at, "solution"), i), 0, step)
			}
		}
	}
	slices.SortStableFunc(r.all, func(a, b Need) int { return a.Line - b.Line })
	return r.all
}

// LeftOut returns the steps that need real hosts, by their numbers from 1, and why: what
// a simulation leaves out.
func LeftOut(needs []Need) map[int]string {
	skip := map[int]string{}
	for _, n := range needs {
		if n.Step > 0 {
			skip[n.Step] = n.Msg
		}
	}
	return skip
}

// needs collects what needs real hosts.
type needs struct {
	source *Source
	all    []Need
}

func (r *needs) add(path string, step int, what string) {
	r.all = append(r.all, Need{r.source.Mistake(path, what), step})
}

// step adds what a step at a path needs; number is 0 where it is none of the story's.
func (r *needs) step(at string, number int, s *Step) {
	switch {
	case s.Exec != nil:
		r.program(at+".exec", number)
	case s.Request != nil && strings.HasPrefix(s.Request.URL, "https:"):
		r.tls(at+".request.url", number)
	case s.Exchange != nil && s.Exchange.Protocol == "tls":
		r.tls(at+".exchange.protocol", number)
	}
}

func (r *needs) program(path string, step int) {
	r.add(path, step, "a simulated instance runs no programs, only built-in services")
}

func (r *needs) tls(path string, step int) {
	r.add(path, step, "simulated hosts do not speak TLS")
}

func (r *needs) instances(path string, of map[string]*topology.Instance) {
	for _, name := range slices.Sorted(maps.Keys(of)) {
		at := path + "." + name
		if len(of[name].Command) > 0 {
			r.program(at+".command", 0)
		}
		for i, s := range of[name].Services {
			if s.Type == "https" {
				r.tls(fmt.Sprintf("%s.services[%d].type", at, i), 0)
			}
		}
	}
}
