package dataplane_test

import (
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/metrics"
)

// counters are the names of the counters in sheets.
var counters = [metrics.NumCounters]string{
	metrics.NewTCP: "new_tcp", metrics.NewUDP: "new_udp", metrics.NewTLS: "new_tls",
	metrics.RejectedTCP: "rejected_tcp", metrics.RejectedUDP: "rejected_udp",
	metrics.BytesTCP: "bytes_tcp", metrics.BytesUDP: "bytes_udp", metrics.BytesTLS: "bytes_tls", metrics.BytesOther: "bytes_other",
	metrics.Packets: "packets", metrics.PortErrors: "port_errors", metrics.FailOpen: "fail_open",
	metrics.ClientResets: "client_resets", metrics.BalancerResets: "balancer_resets", metrics.TargetResets: "target_resets",
	metrics.ClientTLSErrors: "client_tls_errors", metrics.TargetTLSErrors: "target_tls_errors",
	metrics.BlockedInICMP: "blocked_in_icmp", metrics.BlockedInTCP: "blocked_in_tcp", metrics.BlockedInUDP: "blocked_in_udp",
	metrics.BlockedOutICMP: "blocked_out_icmp", metrics.BlockedOutTCP: "blocked_out_tcp", metrics.BlockedOutUDP: "blocked_out_udp",
	metrics.Dropped: "dropped",
}

var gauges = [metrics.NumGauges]string{
	metrics.ActiveTCP: "active_tcp", metrics.ActiveUDP: "active_udp", metrics.ActiveTLS: "active_tls",
}

// metrics prints what has changed since it did so before: a line for each place and
// slot of ten seconds. Of a gauge that is the lowest and the highest value, and the mean. Probes
// must not have counted.
func (e *env) metrics(t *testing.T, out io.Writer) {
	all := e.walk.Metrics(e.now)
	if probed := e.probed.Metrics(e.now); !reflect.DeepEqual(all, probed) {
		t.Errorf("with probes it is %v", probed)
	}
	for _, s := range all {
		lines := map[int64]string{}
		for _, slot := range s.Slots {
			for c, n := range slot.Sums {
				if n > 0 {
					lines[slot.Number] += fmt.Sprintf(" %s=%d", counters[c], n)
				}
			}
		}
		for g, levels := range s.Levels {
			for _, l := range levels {
				began := time.Duration(l.Number) * metrics.Interval
				length := min(metrics.Interval, time.Duration(e.now)-began)
				mean := float64(l.High)
				if length > 0 {
					mean = float64(l.Area) / float64(length)
				}
				lines[l.Number] += fmt.Sprintf(" %s=%d..%d(%.4g)", gauges[g], l.Low, l.High, mean)
			}
		}
		for _, n := range slices.Sorted(maps.Keys(lines)) {
			line := fmt.Sprintf("%s %v:%s\n", e.place(s.Place), time.Duration(n)*metrics.Interval, lines[n])
			if !e.measured[line] {
				e.measured[line] = true
				fmt.Fprint(out, line)
			}
		}
	}
}

func (e *env) place(p metrics.Place) string {
	name := func(s flow.Scope) string { return e.lab.name(dataplane.InterfaceID(s)) }
	switch {
	case p.Node == metrics.None:
		return name(p.Endpoint)
	case p.Endpoint == metrics.None:
		return name(p.Node)
	}
	return name(p.Node) + " by " + name(p.Endpoint)
}
