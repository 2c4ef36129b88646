package emulate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/scenario"
)

// TestKnownRouters: nodes and resolvers know their routers from the start, and instances
// do in labs that are so large that the kernel could not remember all answers.
func TestKnownRouters(t *testing.T) {
	for _, instances := range []int{2, crowded} {
		var b strings.Builder
		b.WriteString(`
name: routers
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    subnets: { a: { cidr_block: 10.0.0.0/20 } }
    instances:
`)
		for i := range instances {
			fmt.Fprintf(&b, "      web-%d: {}\n", i)
		}
		b.WriteString(`
load_balancers:
  web: { subnets: [provider/a], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] }
target_groups:
  web: { port: 80, protocol: TCP, targets: [web-0] }
`)
		l, err := scenario.LoadBytes("routers.yaml", []byte(b.String()))
		if err != nil {
			t.Fatal(err)
		}
		w := &World{lab: l.Lab}
		kinds := map[dataplane.Kind]int{}
		for _, nic := range l.Lab.NICs {
			cfg := w.configOf(nic)
			kinds[nic.Kind]++
			voice := nic.Kind != dataplane.Instance
			want := packet.MAC{}
			if voice || instances >= crowded {
				want = nic.RouterMAC
			}
			if cfg.Router != want || cfg.Routed != voice {
				t.Errorf("of %d instances, %s: router %v (all by way of it: %v), want %v", instances, nic.Label, cfg.Router, cfg.Routed, want)
			}
		}
		if kinds[dataplane.Node] == 0 || kinds[dataplane.Resolver] == 0 || kinds[dataplane.Instance] != instances {
			t.Errorf("of %d instances: %v", instances, kinds)
		}
	}
}
