package topology

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// placeOf is where something is counted, by the labels of a node and an endpoint's
// interface; "" for none.
func placeOf(t *testing.T, l *Lab, node, endpoint string) metrics.Place {
	t.Helper()
	p := metrics.Nowhere
	for _, n := range l.NICs {
		switch n.Label {
		case node:
			p.Node = flow.Scope(n.Index)
		case endpoint:
			p.Endpoint = flow.Scope(n.Index)
		}
	}
	if (p.Node == metrics.None) != (node == "") || (p.Endpoint == metrics.None) != (endpoint == "") {
		t.Fatalf("no %q or no %q", node, endpoint)
	}
	return p
}

// TestMetrics: in which dimensions CloudWatch has what is counted: of the endpoint
// (F1.54), of the service (F1.55) and of the load balancer (F2.69).
func TestMetrics(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	m := metrics.NewMeter()
	for i, p := range []metrics.Place{
		placeOf(t, l, "load_balancer.api.us-east-1a", ""),
		placeOf(t, l, "load_balancer.api.us-east-1a", "vpc_endpoint.api.us-east-1a"),
		placeOf(t, l, "load_balancer.api.us-east-1b", "vpc_endpoint.api.us-east-1b"),
	} {
		n := []uint64{1, 10, 100}[i]
		m.Add(p, metrics.NewTCP, n)
		m.Add(p, metrics.TargetResets, n)
	}
	m.Add(placeOf(t, l, "", "vpc_endpoint.api.us-east-1a"), metrics.Dropped, 5)
	e, lb, o := l.Endpoints[0], l.balancers[0], l.offers[0]
	got := map[string]string{}
	for _, s := range l.Metrics(0, m.Snapshot()) {
		var words []string
		for _, d := range s.Dimensions {
			words = append(words, d.Name+"="+d.Value)
		}
		value := "none"
		if len(s.Points) > 0 {
			value = fmt.Sprint(s.Points[0].Sum)
		}
		key := s.Namespace + " " + s.Name + " " + strings.Join(words, " ")
		if got[key] != "" {
			t.Errorf("%s is there twice", key)
		}
		got[key] = value
	}
	balancer := "LoadBalancer=net/api/" + lb.ID
	endpoint := "Endpoint Type=Interface Service Name=" + o.serviceName + " "
	ids := "VPC Endpoint Id=" + e.ID + " VPC Id=" + e.Network.ID
	service, arn := "Service Id="+o.ID, "Load Balancer Arn=arn:aws:elasticloadbalancing:us-east-1:111111111111:loadbalancer/net/api/"+lb.ID
	for key, want := range map[string]string{
		"AWS/NetworkELB NewFlowCount " + balancer:                                                             "111",
		"AWS/NetworkELB NewFlowCount AvailabilityZone=us-east-1a " + balancer:                                 "11",
		"AWS/NetworkELB NewFlowCount AvailabilityZone=us-east-1b " + balancer:                                 "100",
		"AWS/NetworkELB SecurityGroupBlockedFlowCount_Inbound_TCP " + balancer:                                "none",
		"AWS/NetworkELB HealthyHostCount " + balancer + " TargetGroup=" + l.pools[0].arnSuffix():              "none",
		"AWS/PrivateLinkEndpoints NewConnections " + endpoint + ids:                                           "110",
		"AWS/PrivateLinkEndpoints NewConnections " + endpoint + "Subnet Id=" + e.NICs[1].SubnetID + " " + ids: "100",
		"AWS/PrivateLinkEndpoints RstPacketsReceived " + endpoint + ids:                                       "110",
		"AWS/PrivateLinkEndpoints PacketsDropped " + endpoint + ids:                                           "5",
		"AWS/PrivateLinkServices NewConnections " + service:                                                   "110",
		"AWS/PrivateLinkServices RstPacketsSent Az=us-east-1a " + service:                                     "10",
		"AWS/PrivateLinkServices NewConnections " + arn + " " + service:                                       "110",
		"AWS/PrivateLinkServices NewConnections Az=us-east-1b " + arn + " " + service:                         "100",
		"AWS/PrivateLinkServices NewConnections " + service + " VPC Endpoint Id=" + e.ID:                      "110",
		"AWS/PrivateLinkServices EndpointsCount " + service:                                                   "none",
	} {
		if got[key] != want {
			t.Errorf("%s is %q, want %s", key, got[key], want)
		}
	}
	if n := len(l.Metrics(0, nil)); n != len(got) {
		t.Errorf("%d series of a lab in which nothing was counted, want %d: all that there can be", n, len(got))
	}
}

// TestHostCounts: F2.69: how many targets are healthy, in a zone and in all, and which
// zones are; F1.55: how many endpoints there are. Each is known from when it is observed.
func TestHostCounts(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	sec := func(n int) clock.Time { return clock.Time(n) * clock.Time(time.Second) }
	read := func(name, statistic string, dimensions map[string]string) string {
		t.Helper()
		q := MetricQuery{Namespace: cloudwatch.NetworkELB, MetricName: name, Dimensions: dimensions, Statistic: statistic, Period: time.Minute}
		if name == "EndpointsCount" {
			q.Namespace = cloudwatch.PrivateLinkServices
		}
		s, err := l.FindMetric(&q, l.Metrics(sec(70), nil))
		if err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, p := range s.Over(q.Period) {
			words = append(words, fmt.Sprint(p.Statistic(statistic)))
		}
		return strings.Join(words, " ")
	}
	check := func(instance, results string) {
		t.Helper()
		for _, c := range checksOf(t, l, instance) {
			report(t, l, c, results)
		}
	}
	check("web-1", "P")
	check("web-2", "P")
	check("web-3", "P")
	l.Observe(sec(1))
	check("web-3", "FF")
	l.Observe(sec(30))
	check("web-3", "PPPPP")
	if err := l.Accept("api"); err != nil {
		t.Fatal(err)
	}
	l.Observe(sec(60))
	b := map[string]string{"AvailabilityZone": "us-east-1b", "LoadBalancer": "api"}
	for _, c := range []struct {
		name, statistic string
		dimensions      map[string]string
		want            string // of two minutes
	}{
		{"HealthyHostCount", "Maximum", nil, "3 3"},
		{"HealthyHostCount", "Minimum", nil, "2 2"},
		{"HealthyHostCount", "Minimum", b, "0 0"},
		{"HealthyHostCount", "Average", b, "0.5 1"},
		{"UnHealthyHostCount", "Maximum", map[string]string{"TargetGroup": "web"}, "1 1"},
		{"UnHealthyHostCount", "Maximum", map[string]string{"AvailabilityZone": "us-east-1a"}, "0 0"},
		{"ZonalHealthStatus", "Average", b, "0.5 1"},
		{"EndpointsCount", "Maximum", nil, "1"},
	} {
		if got := read(c.name, c.statistic, c.dimensions); got != c.want {
			t.Errorf("%s of %s %v is %s, want %s", c.statistic, c.name, c.dimensions, got, c.want)
		}
	}
}
