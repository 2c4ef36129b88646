package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// million is a lab in which a million connections are held open at once, to the endpoint's
// address or name: each client has only so many ports.
func million(to string) string {
	list := func(format string) string {
		var all []string
		for i := range 64 {
			all = append(all, strings.ReplaceAll(format, "N", fmt.Sprint(i)))
		}
		return strings.Join(all, ", ")
	}
	return `
name: million
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    instances: { ` + list("server-N: { services: [{ type: http, port: 80 }], vpc_security_group_ids: [web] }") + ` }
    security_groups: { web: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] }] } }
  consumer:
    cidr_block: 10.0.0.0/16
    instances: { ` + list("client-N: {}") + ` }
    security_groups: { endpoint: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] }] } }
target_groups: { web: { port: 80, protocol: TCP, targets: [` + list("server-N") + `] } }
load_balancers: { lb: { subnets: [provider/default], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] } }
endpoint_services: { svc: { network_load_balancer_arns: [lb], acceptance_required: false, allowed_principals: ["*"] } }
vpc_endpoints: { api: { vpc_id: consumer, service_name: svc, subnet_ids: [default], security_group_ids: [endpoint] } }
steps:
  - traffic: { from: [` + list("client-N") + `], to: "` + to + `:80", kind: connections, rate: 50000, count: 1000000, concurrency: 1000000, hold: 1m }
    expect: { succeeded: 1000000 }
`
}

// BenchmarkMillion plays a story in which a million connections are open at once, and
// reports, and fails beyond, the most memory that plsim had.
func BenchmarkMillion(b *testing.B) {
	for name, to := range map[string]string{
		"address": "${vpc_endpoint.api.private_ip.us-east-1a}",
		"name":    "${vpc_endpoint.api.dns_name}",
	} {
		b.Run("to="+name, func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "million.yaml")
			if err := os.WriteFile(file, []byte(million(to)), 0o600); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				cmd := exec.Command("plsim", "run", "--mode", "simulate", "--seed", "1", file)
				out, err := cmd.CombinedOutput()
				if err != nil {
					b.Fatalf("%v: %s", err, out)
				}
				most := float64(cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss) * 1024
				b.ReportMetric(most/1e6, "peak-MB")
				if most > 1e9 {
					b.Errorf("a million connections took %.0f MB at their peak", most/1e6)
				}
			}
		})
	}
}

// TestGarbage: beside much that need not be looked through there is little garbage, and
// beside what must be there is as much of it as Go has by default.
func TestGarbage(t *testing.T) {
	for _, c := range []struct {
		live, scanned uint64
		most          uint64 // bytes of garbage
	}{
		{0, 0, 20 << 20},
		{10 << 20, 10 << 20, 27 << 20},
		{800 << 20, 5 << 20, 22 << 20},
		{200 << 20, 200 << 20, 217 << 20},
		{1 << 40, 0, 1<<40/100 + 1},
	} {
		percent := garbage(c.live, c.scanned)
		if got := max(c.live, 4<<20) / 100 * uint64(percent); percent < 1 || got > c.most || got < c.most*7/10 {
			t.Errorf("garbage(%d, %d) = %d percent, %d bytes, want about %d", c.live, c.scanned, percent, got, c.most)
		}
	}
}
