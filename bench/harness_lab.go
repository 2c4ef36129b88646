package bench

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/scenario"
)

// lab is the smallest way over PrivateLink: one zone, one target.
const lab = `
name: bench
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups:
      server: { ingress: [{ protocol: tcp, from_port: %[1]d, cidr_blocks: [10.0.0.0/16] }, { protocol: udp, from_port: %[1]d, cidr_blocks: [10.0.0.0/16] }] }
    instances:
      server:
        vpc_security_group_ids: [server]
        command: [%[2]s, %[3]s]
        wait_for_port: %[1]d
  consumer:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups:
      client: {}
      endpoint: { ingress: [{ protocol: tcp, from_port: %[1]d, security_groups: [client] }, { protocol: udp, from_port: %[1]d, security_groups: [client] }] }
    instances:
      client: { vpc_security_group_ids: [client] }
load_balancers:
  bench:
    subnets: [provider/a]
    listeners: [{ port: %[1]d, protocol: TCP_UDP, default_action: { target_group_arn: bench } }]
target_groups:
  bench: { port: %[1]d, protocol: TCP_UDP, targets: [server] }
endpoint_services:
  bench: { network_load_balancer_arns: [bench], acceptance_required: false, allowed_principals: ["*"] }
vpc_endpoints:
  bench: { vpc_id: consumer, service_name: bench, subnet_ids: [a], security_group_ids: [endpoint] }
`

// newLab returns what builds a path over PrivateLink. The forwarder runs in this process.
func newLab(opts emulate.Options) builder {
	return func(ctx context.Context) (*path, error) { return buildLab(ctx, opts) }
}

func buildLab(ctx context.Context, opts emulate.Options) (*path, error) {
	loaded, err := scenario.LoadBytes("bench", fmt.Appendf(nil, lab, port, trafficProgram, serverRole))
	if err != nil {
		return nil, err
	}
	at, err := loaded.Lab.Variable("vpc_endpoint.bench.private_ip.us-east-1a")
	if err != nil {
		return nil, err
	}
	addr, err := netip.ParseAddr(at)
	if err != nil {
		return nil, err
	}
	w, err := emulate.Start(ctx, loaded.Lab, opts)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	instances := map[side]string{clientSide: "consumer/client", serverSide: "provider/server"}
	return &path{
		to: netip.AddrPortFrom(addr, port),
		exec: func(ctx context.Context, s side, stdin string, argv ...string) (string, error) {
			x, err := w.Exec(ctx, &scenario.Exec{In: instances[s], Command: argv, Stdin: stdin, Timeout: scenario.Duration(time.Minute)})
			switch {
			case err != nil:
				return "", err
			case x.TimedOut:
				return "", fmt.Errorf("%v took too long: %s", argv, x.Stderr)
			case x.Code != 0:
				return "", fmt.Errorf("%v: exit code %d: %s", argv, x.Code, x.Stderr)
			}
			return x.Stdout, nil
		},
		close:    w.Close,
		offloads: w.Offloads() == nil,
	}, nil
}
