package bench_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology/netns"
)

// instances is a lab of so many instances, half of them servers: a consumer VPC with an
// endpoint for every fifty.
func instances(n int) labShape {
	vpcs := max(1, n/50)
	return labShape{vpcs: vpcs, endpoints: vpcs, clients: n / 2, servers: n - n/2}
}

// raise builds the lab in namespaces, has a client of the last VPC talk to a server, and
// ends it. Built is when health checks have found all targets to be healthy.
func (s labShape) raise(tb testing.TB) (built, ended time.Duration) {
	tb.Helper()
	loaded, err := scenario.LoadBytes("bench", []byte(s.scenario()))
	if err != nil {
		tb.Fatal(err)
	}
	began := time.Now()
	w, err := emulate.Start(tb.Context(), loaded.Lab, emulate.Options{Seed: 1})
	built = time.Since(began)
	if err != nil {
		tb.Error(err)
	} else {
		ask := &scenario.Exchange{
			From: fmt.Sprintf("consumer-%d/client-%[1]d", s.vpcs-1), Send: "hello", Protocol: "tcp", Timeout: scenario.Duration(5 * time.Second),
		}
		ask.To, err = scenario.Expand(loaded.Lab, fmt.Sprintf("${vpc_endpoint.ep-%d.dns_name}:%d", s.vpcs-1, echoPort))
		if err != nil {
			tb.Fatal(err)
		}
		if r, err := w.Exchange(tb.Context(), ask); err != nil || r.Body != "hello" {
			tb.Errorf("the answer is %+v, %v", r, err)
		}
	}
	began = time.Now()
	if err := w.Close(); err != nil {
		tb.Error(err)
	}
	return built, time.Since(began)
}

// A lab of a hundred instances is built within 5 s, and ended within 2 s.
func TestInstances(t *testing.T) {
	netns.RequireSandbox(t)
	built, ended := instances(100).raise(t)
	t.Logf("built in %v, ended in %v", built, ended)
	if built > 5*time.Second || ended > 2*time.Second {
		t.Errorf("a lab of 100 instances is built in %v and ended in %v", built, ended)
	}
}

// BenchmarkInstances builds labs and ends them. With a thousand instances, kernels remember
// too few neighbours for all of them to ask.
func BenchmarkInstances(b *testing.B) {
	netns.RequireSandbox(b)
	for _, n := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("instances=%d", n), func(b *testing.B) {
			var built, ended time.Duration
			for b.Loop() {
				up, down := instances(n).raise(b)
				built, ended = built+up, ended+down
			}
			each := float64(b.N*n) * float64(time.Microsecond)
			b.ReportMetric(built.Seconds()/float64(b.N), "build-s")
			b.ReportMetric(ended.Seconds()/float64(b.N), "end-s")
			b.ReportMetric(float64(built)/each, "build-us/instance")
			b.ReportMetric(float64(ended)/each, "end-us/instance")
		})
	}
}
