package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
)

func TestActionsAndTitles(t *testing.T) {
	for _, c := range []struct{ yaml, action, title string }{
		{"request: { from: client, url: http://web/ }", "request", "client requests http://web/"},
		{"connections: { from: client, to: web:80, count: 5 }", "connections", "client opens 5 connections to web:80"},
		{"resolve: { from: client, host: web }", "resolve", "client resolves web"},
		{"ping: { from: client, to: web }", "ping", "client pings web"},
		{"received: { by: web, port: 9 }", "received", "What web has received on port 9"},
		{"exec: { in: client, command: \"ls -l\\n\" }", "exec", "client runs ls -l"},
		{"exec: { in: client, command: [ls, -l] }", "exec", "client runs ls -l"},
		{"exec: { in: client, command: \"cd /tmp\\nls -l\\n\" }", "exec", "client runs cd /tmp …"},
		{"accept: api", "accept", "The provider accepts endpoint api"},
		{"reject: api", "reject", "The provider rejects endpoint api"},
		{"delete: api", "delete", "The consumer deletes endpoint api"},
		{"authorize: { security_group_id: web, ingress: { protocol: tcp } }", "authorize", "Security group web gets a rule"},
		{"revoke: { security_group_id: web, egress: { protocol: tcp } }", "revoke", "Security group web loses a rule"},
		{"register: { target_group_arn: web, target_id: app }", "register", "app joins target group web"},
		{"deregister: { target_group_arn: web, target_id: app }", "deregister", "app leaves target group web"},
		{`exchange: { from: app, to: "web:7", send: "one" }`, "exchange", "app to web:7: one"},
		{`exchange: { connection: c, send: "\e[31mred\r\n" }`, "exchange", `Over connection c: "\x1b[31mred\r\n"`},
		{"wait: 90s", "wait", "1m30s pass"},
		{"wait_until: 10m", "wait_until", "It is 10m after the start"},
		{"fail: { instance: web }", "fail", "What runs in web dies"},
		{"fail: { instance: web, port: 80, how: hangs }", "fail", "The service on port 80 of web hangs"},
		{"fail: { availability_zone: use1-az1 }", "fail", "Availability Zone use1-az1 is lost"},
		{"heal: { instance: web, port: 80 }", "heal", "The service on port 80 of web is as it was"},
		{"heal: { availability_zone: use1-az1 }", "heal", "Availability Zone use1-az1 is back"},
		{"restart_forwarder: { keep_state: true }", "restart_forwarder", "The forwarder is restarted with its state"},
		{"restart_forwarder: { keep_state: false }", "restart_forwarder", "The forwarder is restarted without its state"},
		{"flow_logs: { interface: eni-1 }", "flow_logs", "The flow log of eni-1"},
		{"drops: {}", "drops", "The packets dropped"},
		{"capture: { name: c, interfaces: [a, b] }", "capture", "Packets are captured at a, b"},
		{"stop_capture: c", "stop_capture", "Capture c ends"},
		{"create_route: { route_table_id: main, cidr_block: 10.0.0.0/8, gateway_id: g }", "create_route", "Route table main gets a route"},
		{"replace_route: { route_table_id: main, cidr_block: 10.0.0.0/8, gateway_id: g }", "replace_route", "Route table main gets another route"},
		{"delete_route: { route_table_id: main, cidr_block: 10.0.0.0/8 }", "delete_route", "Route table main loses a route"},
		{"modify_managed_prefix_list: { prefix_list_id: l }", "modify_managed_prefix_list", "Prefix list l gets other entries"},
		{"captures: { capture: c }", "captures", "The packets of capture c"},
		{"drops: { interface: eni-1 }", "drops", "The packets dropped at eni-1"},
		{"name: A name\n  wait: 1s", "wait", "A name"},
		{"within: 1s", "", "Nothing"},
	} {
		s, _, err := scenario.Parse("x", []byte("name: x\nvpcs:\nsteps:\n- "+c.yaml+"\n"))
		if err != nil {
			t.Errorf("%s: %v", c.yaml, err)
			continue
		}
		if got := s.Steps[0].Action(); got != c.action {
			t.Errorf("%s is the action %q, want %q", c.yaml, got, c.action)
		}
		if got := s.Steps[0].Title(); got != c.title {
			t.Errorf("%s is titled %q, want %q", c.yaml, got, c.title)
		}
	}
}

func TestDurationString(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{500 * time.Millisecond, "500ms"}, {2 * time.Second, "2s"}, {90 * time.Second, "1m30s"}, {5 * time.Minute, "5m"},
		{20 * time.Second, "20s"}, {10 * time.Minute, "10m"}, {time.Hour, "1h"}, {10 * time.Hour, "10h"}, {90 * time.Minute, "1h30m"},
		{time.Hour + time.Second, "1h0m1s"}, {350 * time.Second, "5m50s"}, {1500 * time.Microsecond, "1.5ms"},
	} {
		got := scenario.Duration(c.d).String()
		if got != c.want {
			t.Errorf("%v is written %s, want %s", c.d, got, c.want)
		}
		if back, err := time.ParseDuration(got); err != nil || back != c.d {
			t.Errorf("%s reads as %v, %v", got, back, err)
		}
	}
}

// What each action can expect is told in three places: the table behind the
// messages, the documentation of the fields, and the struct.
func TestExpectationsAreDocumented(t *testing.T) {
	for _, c := range scenario.ExpectKeys() {
		for _, action := range c.Actions {
			if c.Key == "error" && scenario.IsEdit(action) {
				action = "edit"
			}
			if !strings.Contains(c.Doc, action) {
				t.Errorf("expect.%s is for %s, but its documentation has not the word: %s", c.Key, action, c.Doc)
			}
		}
		if len(c.Actions) == 0 {
			t.Errorf("expect.%s is for no action", c.Key)
		}
	}
}
