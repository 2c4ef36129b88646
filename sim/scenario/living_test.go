package scenario_test

import (
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
)

func living(t testing.TB) *scenario.Living {
	t.Helper()
	l, err := scenario.Load("../../scenarios/quickstart.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return scenario.NewLiving(l)
}

// Steps for a lab that runs are checked one by one, and each knows what those before it
// have begun.
func TestLiving(t *testing.T) {
	steps := living(t)
	for _, tt := range []struct{ step, mistake string }{
		{"accept: api", ""},
		{"{ accept: api, expect: { state: available } }", ""},
		{"accept: ap", `step:1:9: accept: there is no VPC endpoint "ap"; did you mean api?`},
		{"acept: api", `step:1:1: unknown key "acept"; did you mean accept?`},
		{"accept: api\nreject: api", "step:2:9: one step does one thing, but this one has accept and reject: make each a step of its own"},
		{"name: nothing", "step:1:1: this step does nothing: give it one of request"},
		{"", "step:1:1: "},
		{"- accept: api", "step:1:1: expected a step such as { accept: ENDPOINT }, found a list"},
		{"accept: [", "step:1:"},
		{"heal: { instance: web-1 }", "step:1:1: heal: what runs in web-1 has not failed in an earlier step"},
		{"fail: { instance: web-1, port: 81 }", "step:1:32: port: no built-in service of web-1 is on port 81; choose from 8080"},
		{"fail: { instance: web-1 }", ""},
		{"heal: { instance: web-1 }", ""},
		{"captures: { capture: all }", `step:1:22: capture: there is no capture "all"`},
		{"capture: { name: all, interfaces: [app] }", ""},
		{"{ captures: { capture: all }, expect: { count: 0 } }", ""},
		{"request: { from: app, url: 'http://${vpc_endpoint.apo.dns_name}/' }", "step:1:36: "},
	} {
		s, err := steps.Step(tt.step, 0)
		switch {
		case tt.mistake == "" && err != nil:
			t.Errorf("%s: %v", tt.step, err)
		case tt.mistake == "" && s.Action() == "":
			t.Errorf("%s: no action", tt.step)
		case tt.mistake != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.mistake)):
			t.Errorf("%s: %v, want %s", tt.step, err, tt.mistake)
		}
	}
	// Defaults are filled in.
	s, err := steps.Step("request: { from: app, url: 'http://10.0.1.4/' }", 0)
	if err != nil || s.Request.Method != "GET" || s.Request.Timeout == 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func FuzzLiving(f *testing.F) {
	for _, s := range []string{"accept: api", "{}", "fail: { instance: web-1, how: flaps, every: 1s }", "request: { from: app, url: '${x' }", "accept: &a [*a]", "create_vpc_endpoint: { name: x }"} {
		f.Add(s)
	}
	steps := living(f)
	f.Fuzz(func(t *testing.T, text string) {
		s, err := steps.Step(text, 0)
		if (err == nil) != (s != nil && s.Action() != "") {
			t.Errorf("%+v, %v", s, err)
		}
	})
}
