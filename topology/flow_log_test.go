package topology

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
)

// logged builds twoAccounts with flow logs.
func logged(t *testing.T, logs string) *Lab {
	t.Helper()
	return mustBuild(t, strings.Replace(twoAccounts, "\nvpcs:\n", "\n"+logs+"\nvpcs:\n", 1))
}

// F4.2, F4.3, F4.7: scopes, filters, and what is filled in.
func TestFlowLogs(t *testing.T) {
	l := logged(t, `flow_logs:
  vpc: { vpc_id: provider }
  subnet: { subnet_id: consumer/a, traffic_type: REJECT, max_aggregation_interval: 60 }
  endpoint: { eni_id: vpc_endpoint.api.us-east-1a, traffic_type: ACCEPT, log_format: "$${srcaddr} ${tcp-flags}" }
  app: { eni_id: app }`)
	app, err := l.Instance("app")
	if err != nil {
		t.Fatal(err)
	}
	web, err := l.Instance("web-1")
	if err != nil {
		t.Fatal(err)
	}
	endpoint := l.Endpoints[0].NICs[0]
	record := func(n *NIC, a flowlog.Action) *flowlog.Record {
		return &flowlog.Record{Interface: n.FlowLog(), Action: a, Way: flow.Ingress}
	}
	silent := record(app.NIC, flowlog.Accept)
	silent.Status = flowlog.NoData
	hidden := record(web.NIC, flowlog.Accept)
	hidden.Hidden = true
	for _, tt := range []struct {
		name string
		r    *flowlog.Record
		want string
	}{
		{"web", record(web.NIC, flowlog.Reject), "vpc"},
		{"app accepts", record(app.NIC, flowlog.Accept), "app"},
		{"app refuses", record(app.NIC, flowlog.Reject), "app subnet"},
		{"app is silent", silent, "app subnet"}, // F4.8
		{"endpoint accepts", record(endpoint, flowlog.Accept), "endpoint"},
		{"endpoint refuses", record(endpoint, flowlog.Reject), "subnet"},
		{"what AWS has no record of", hidden, ""}, // F4.18
	} {
		var has []string
		for _, f := range l.FlowLogs {
			if f.Logs(tt.r) {
				has = append(has, f.Name)
			}
		}
		if got := strings.Join(has, " "); got != tt.want {
			t.Errorf("%s: in %q, want %q", tt.name, got, tt.want)
		}
	}
	for name, format := range map[string]flowlog.Format{"vpc": flowlog.DefaultFormat, "endpoint": {"srcaddr", "tcp-flags"}} {
		f, err := l.FlowLog(name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Format, format) || f.Window != time.Minute || !strings.HasPrefix(f.ID, "fl-") {
			t.Errorf("%s: %+v", name, f)
		}
	}
	if f, _ := l.FlowLog("subnet"); f.Account != "222222222222" {
		t.Errorf("the log of a consumer's subnet is of account %s", f.Account)
	}
	if _, err := l.FlowLog("subnets"); err == nil || !strings.Contains(err.Error(), "did you mean subnet?") {
		t.Errorf("%v", err)
	}
}

// F4.2: 600 s are 600 s only where interfaces are not those of Nitro instances.
func TestLogWindows(t *testing.T) {
	const logs = "flow_logs: { a: { vpc_id: provider }, b: { vpc_id: provider, max_aggregation_interval: 60 } }"
	for text, want := range map[string][]time.Duration{
		logs:                                  {time.Minute},
		logs + "\nsettings: { nitro: false }": {time.Minute, 10 * time.Minute},
		"settings: { nitro: false }":          {time.Minute},
		"settings: { nitro: true }\n" + logs:  {time.Minute},
	} {
		if got := logged(t, text).LogWindows(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// Without a flow log each account's interfaces are all logged.
func TestEveryLog(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	logs := l.EveryLog()
	about, all := l.Logged()
	if len(logs) != 2 || len(about) != len(l.NICs) || len(all) == 0 {
		t.Fatalf("%d logs, %d interfaces, %d of them with records", len(logs), len(about), len(all))
	}
	for _, at := range all {
		n := 0
		for _, f := range logs {
			if f.Logs(&flowlog.Record{Interface: about[at]}) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s is in %d logs", about[at].Label, n)
		}
	}
}

// F4.3: 250 flow logs for one thing.
func TestFlowLogQuota(t *testing.T) {
	var logs strings.Builder
	logs.WriteString("flow_logs:")
	for i := range maxFlowLogs + 2 {
		fmt.Fprintf(&logs, "\n  l%d: { vpc_id: provider }", i)
	}
	spec := parse(t, strings.Replace(twoAccounts, "\nvpcs:\n", "\n"+logs.String()+"\nvpcs:\n", 1))
	_, err := New("two-accounts", spec)
	if err == nil || strings.Count(err.Error(), "\n") != 0 || !strings.Contains(err.Error(), "250 flow logs already") {
		t.Errorf("%v", err)
	}
}
