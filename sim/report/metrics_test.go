package report

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// reported is what CloudWatch has of a load balancer of which a flow was new in its
// second minute, at a moment in the third.
func reported(until time.Duration) []cloudwatch.Series {
	m := metrics.NewMeter()
	node := metrics.Place{Node: 1, Endpoint: metrics.None}
	m.Advance(clock.Time(65 * time.Second))
	m.Add(node, metrics.NewTCP, 3)
	m.Add(node, metrics.BytesTCP, 200)
	g := cloudwatch.NewGroup(cloudwatch.NetworkELB,
		cloudwatch.Dimension{Name: cloudwatch.LoadBalancer, Value: "net/api/1", Alias: "api"},
		cloudwatch.Dimension{Name: cloudwatch.AvailabilityZone, Value: "us-east-1a"})
	for _, s := range m.Snapshot() {
		g.Count(s)
	}
	var some []cloudwatch.Series
	for _, s := range g.Series(clock.Time(until)) {
		if s.Name == "NewFlowCount" || s.Name == "NewFlowCount_UDP" || s.Name == "RejectedFlowCount" {
			some = append(some, s)
		}
	}
	return some
}

// TestMetricsTable: F2.69: the useful statistics, and what is not reported is left out.
func TestMetricsTable(t *testing.T) {
	var b strings.Builder
	MetricsTable(&b, reported(130*time.Second))
	want := `AWS/NetworkELB
Metric            Dimensions                                    Sum Average Minimum Maximum Unit
──────────────────────────────────────────────────────────────────────────────────────────────────
NewFlowCount      AvailabilityZone=us-east-1a, LoadBalancer=api   3                         Count
RejectedFlowCount AvailabilityZone=us-east-1a, LoadBalancer=api           0       0       0 Count
`
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	b.Reset()
	MetricsTable(&b, nil)
	if b.String() != "nothing is reported\n" {
		t.Error(b.String())
	}
}

// TestMetricsJSON: F2.69: points as the API returns them, at minutes of the lab.
func TestMetricsJSON(t *testing.T) {
	var b strings.Builder
	epoch := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := MetricsJSON(&b, "x", epoch, reported(130 * time.Second)[:1]); err != nil {
		t.Fatal(err)
	}
	want := `{"schema_version":1,"scenario":"x","metrics":[{"namespace":"AWS/NetworkELB","metric_name":"NewFlowCount",` +
		`"dimensions":[{"name":"AvailabilityZone","value":"us-east-1a"},{"name":"LoadBalancer","value":"net/api/1"}],"unit":"Count",` +
		`"datapoints":[{"timestamp":"2026-01-02T03:05:05Z","sample_count":1,"sum":3,"average":3,"minimum":3,"maximum":3}]}]}`
	if got := strings.Join(strings.Fields(b.String()), ""); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestMetricsHandler: what Prometheus gets is the latest minute.
func TestMetricsHandler(t *testing.T) {
	ask := func(read func() ([]cloudwatch.Series, error)) (int, string) {
		w := httptest.NewRecorder()
		MetricsHandler(read).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
		return w.Code, w.Body.String()
	}
	code, body := ask(func() ([]cloudwatch.Series, error) { return reported(130 * time.Second), nil })
	for _, want := range []string{
		"# HELP aws_networkelb_new_flow_count_sum CloudWatch metric AWS/NetworkELB NewFlowCount, statistic Sum, unit Count.\n",
		"# TYPE aws_networkelb_new_flow_count_sum gauge\n",
		`aws_networkelb_new_flow_count_sum{availability_zone="us-east-1a",load_balancer="net/api/1"} 3` + "\n",
		"aws_networkelb_rejected_flow_count_average{",
	} {
		if code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("%d: no %q in\n%s", code, want, body)
		}
	}
	if _, body := ask(func() ([]cloudwatch.Series, error) { return reported(190 * time.Second), nil }); strings.Contains(body, "new_flow_count") {
		t.Errorf("two minutes later there is still\n%s", body)
	}
	if code, _ := ask(func() ([]cloudwatch.Series, error) { return nil, errors.New("stopped") }); code != http.StatusInternalServerError {
		t.Errorf("an error is %d", code)
	}
}

func TestSnake(t *testing.T) {
	for name, want := range map[string]string{
		"TCP_ELB_Reset_Count": "tcp_elb_reset_count", "UnHealthyHostCount": "un_healthy_host_count",
		"ActiveFlowCount_TCP": "active_flow_count_tcp", "VPC Endpoint Id": "vpc_endpoint_id", "aws/networkelb": "aws_networkelb",
	} {
		if got := snake(name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
