package topology

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestModifyListener plays changes of weights through the lab's time (F2.11): new
// flows follow them at once, flows to a group of weight 0 are closed a little later.
func TestModifyListener(t *testing.T) {
	l := mustBuild(t, twoAccounts, "\ntarget_groups:\n", "\nsettings: { termination_delay: 10 }\ntarget_groups:\n  green: { vpc_id: provider, port: 9090, protocol: TCP }\n  spare: { vpc_id: provider, port: 9, protocol: UDP }\n")
	weights := func(pairs ...any) *Action {
		a := &Action{Forward: &ForwardAction{}}
		for i := 0; i < len(pairs); i += 2 {
			w := pairs[i+1].(int)
			a.Forward.TargetGroups = append(a.Forward.TargetGroups, &WeightedGroup{ARN: pairs[i].(string), Weight: &w})
		}
		return a
	}
	for _, c := range []struct {
		at     int
		action *Action
		want   string
	}{
		{0, nil, "web*1"},
		{1, weights("web", 1, "green", 0), "web*1 green*0"},
		{20, weights("web", 0, "green", 5), "web*0 green*5"},
		{29, nil, "web*0 green*5"},
		{30, nil, "web*0 green*5 closes web"},
		{31, nil, "web*0 green*5"},
		{40, weights("web", 7, "green", 0), "web*7 green*0"},
		{45, weights("web", 7, "green", 2), "web*7 green*2"}, // in time
		{60, nil, "web*7 green*2"},
		{70, weights("web", 0, "green", 0), "web*0 green*0"},
		{90, nil, "web*0 green*0 closes web closes green"},
		{91, &Action{TargetGroup: "green"}, "green*1"},
		{92, weights("green", 3, "web", 1), "green*3 web*1"},
	} {
		l.Advance(second(c.at))
		if c.action != nil {
			if err := l.ModifyListener("api", 80, c.action); err != nil {
				t.Fatal(err)
			}
		}
		prog := l.Compile()
		names := map[uint16]string{}
		for _, p := range l.pools {
			names[p.number] = p.name
		}
		var words []string
		for _, f := range prog.Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Forward {
			words = append(words, fmt.Sprintf("%s*%d", names[f.Group.Number], f.Weight))
		}
		for _, closes := range prog.Closures {
			if closes.Listener != 80 || closes.Port != 0 {
				t.Errorf("at %d it closes %+v", c.at, closes)
			}
			words = append(words, "closes "+names[closes.Group])
		}
		if got := strings.Join(words, " "); got != c.want {
			t.Errorf("at %d: %s, want %s", c.at, got, c.want)
		}
	}

	for _, c := range []struct {
		err  error
		want string
	}{
		{l.CheckListener("apy", 80, &Action{TargetGroup: "web"}), `there is no load balancer "apy"; did you mean api?`},
		{l.CheckListener("api", 81, &Action{TargetGroup: "web"}), "load balancer api has no listener on port 81"},
		{l.CheckListener("api", 80, nil), "no default_action is given for the listener on port 80"},
		{l.CheckListener("api", 80, &Action{}), "target_group_arn: is missing: name a target group"},
		{l.ModifyListener("api", 80, &Action{TargetGroup: "spare"}), "target_group_arn: a TCP listener cannot forward to target group spare, whose protocol is UDP; it needs TCP or TCP_UDP"},
		{l.ModifyListener("api", 80, &Action{Type: "redirect", TargetGroup: "web"}), `type: "redirect" is not an action of a load balancer here; choose from forward`},
	} {
		if c.err == nil || c.err.Error() != c.want {
			t.Errorf("got %v\nwant %s", c.err, c.want)
		}
	}
}

// TestGroupStickiness: a listener's clients keep their target group where it says so
// (F2.11), also after a change of its action.
func TestGroupStickiness(t *testing.T) {
	l := mustBuild(t, twoAccounts, "{ target_group_arn: web }", "{ forward: { stickiness: { enabled: true, duration: 60 }, target_group: [{ arn: web }] } }")
	forward := func(s *GroupStickiness) *Action {
		return &Action{Forward: &ForwardAction{TargetGroups: []*WeightedGroup{{ARN: "web"}}, Stickiness: s}}
	}
	for _, c := range []struct {
		action *Action
		want   time.Duration
	}{
		{nil, time.Minute},
		{forward(nil), 0},
		{forward(&GroupStickiness{Enabled: true, Duration: 5}), 5 * time.Second},
		{forward(&GroupStickiness{Duration: 5}), 0},
	} {
		if c.action != nil {
			if err := l.ModifyListener("api", 80, c.action); err != nil {
				t.Fatal(err)
			}
		}
		if got := l.Compile().Balancers[0].Listeners[dataplane.ListenerKey{Proto: packet.TCP, Port: 80}].Sticky; got != c.want {
			t.Errorf("%+v: clients stay for %v, want %v", c.action, got, c.want)
		}
	}
}
