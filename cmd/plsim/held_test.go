package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// held is a story of 60,000 real connections to one target at once. Many hosts
// let a process have no more than 20,000 files open, so that each side has several.
const held = `
name: held
requires: [python3]
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups:
      server: { ingress: [{ protocol: tcp, from_port: 7, to_port: 7, cidr_blocks: [10.0.0.0/16] }] }
    instances:
      server:
        vpc_security_group_ids: [server]
        files:
          server.py: |
            import os, socket, time
            s = socket.create_server(("", 7), backlog=65535)
            os.fork(); os.fork()
            held = []
            while len(held) < 17000:
                held.append(s.accept()[0])
            time.sleep(1000)
        command: echo 65535 >/proc/sys/net/core/somaxconn; exec python3 server.py
        wait_for_port: 7
  consumer:
    cidr_block: 10.0.0.0/16
    subnets: { a: {} }
    security_groups:
      endpoint: { ingress: [{ protocol: tcp, from_port: 7, to_port: 7, cidr_blocks: [10.0.0.0/16] }] }
    instances:
      one:
        files: &files
          client.py: |
            import os, select, socket, sys, time
            child = os.fork()
            poll, waiting, stand = select.epoll(), {}, []
            def collect(patience):
                for fd, event in poll.poll(patience):
                    poll.unregister(fd)
                    s = waiting.pop(fd)
                    if not event & select.EPOLLERR:
                        stand.append(s)
            for i in range(15000):
                s = socket.socket()
                s.setblocking(False)
                s.connect_ex((sys.argv[1], 7))
                waiting[s.fileno()] = s
                poll.register(s, select.EPOLLOUT)
                if len(waiting) > 200: # those that get no answer wait on
                    collect(0.001)
            until = time.time() + 3
            while waiting and time.time() < until:
                collect(0.1)
            with open("stand" + str(child > 0), "w") as f:
                print(len(stand), file=f)
            time.sleep(1000)
          open: |
            #!/bin/sh
            echo 1024 65000 >/proc/sys/net/ipv4/ip_local_port_range
            python3 client.py $1 &
            until [ -s standTrue ] && [ -s standFalse ]; do sleep 0.05; done
            expr $(cat standTrue) + $(cat standFalse)
      two: { files: *files }
load_balancers:
  nlb: { internal: true, subnets: [provider/a], listeners: [{ port: 7, protocol: TCP, default_action: { target_group_arn: server } }] }
target_groups:
  server: { vpc_id: provider, port: 7, protocol: TCP, targets: [server] }
endpoint_services:
  service: { network_load_balancer_arns: [nlb], acceptance_required: false, allowed_principals: ["*"] }
vpc_endpoints:
  endpoint: { vpc_id: consumer, service_name: service, subnet_ids: [a], security_group_ids: [endpoint] }
steps:
  - name: The first 30,000 stand
    exec: { in: one, command: "exec ./open ${vpc_endpoint.endpoint.private_ip.us-east-1a}", timeout: 100s }
    expect: { stdout: { equals: "30000\n" } }
  - name: Of the second 30,000 those for which there is a source port (F2.30)
    exec: { in: two, command: "exec ./open ${vpc_endpoint.endpoint.private_ip.us-east-1a}", timeout: 100s }
    expect: { stdout: { equals: "25000\n" } }
  - name: Each other SYN is counted, those that the clients repeat as well
    drops: {}
    expect: { reasons: { port_allocation: { at_least: 5000 } } }
`

// BenchmarkHeld has real clients hold 60,000 connections to one target (F2.30).
func BenchmarkHeld(b *testing.B) {
	requirePrivilege(b)
	file := filepath.Join(b.TempDir(), "held.yaml")
	if err := os.WriteFile(file, []byte(held), 0o600); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		cmd := exec.Command("/proc/self/exe", "run", file)
		cmd.Args[0] = "plsim"
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}
