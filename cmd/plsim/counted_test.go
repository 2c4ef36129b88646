package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"

	"github.com/plsim/plsim/sim/flowlogs"
)

// countedStory has traffic of all kinds between two captures: superframes, a PROXY
// protocol header, datagrams, echoes, and what is refused.
func countedStory() string {
	const listen = `exec tcpdump -i eth0 -s 65536 -B 65536 --immediate-mode -U -Z root -w "$SCENARIO_DIR/%s.pcap" ip`
	const complete = `    exec:
      in: %s
      command: |
        set -e
        test "$(tcpdump -r "$SCENARIO_DIR/%s.pcap" 'tcp port %d and tcp[13] & 1 != 0' 2>/dev/null | wc -l)" -ge 6
        tcpdump -r "$SCENARIO_DIR/%s.pcap" 'udp port 7' 2>/dev/null | grep -q .
`
	client, server := fmt.Sprintf(complete, "client", "client", 80, "client"), fmt.Sprintf(complete, "server", "server", 80, "server")
	return `
name: counted
requires: [tcpdump]
vpcs:
  consumer:
    cidr_block: 192.168.40.0/22
    subnets: { a: { cidr_block: 192.168.41.0/24 } }
    security_groups:
      endpoint: { ingress: [{ protocol: "-1", cidr_blocks: [192.168.40.0/22] }] }
    instances:
      client: { command: '` + fmt.Sprintf(listen, "client") + `' }
  provider:
    cidr_block: 172.31.0.0/16
    subnets: { a: { cidr_block: 172.31.16.0/20 } }
    security_groups:
      server:
        ingress:
          - { protocol: tcp, from_port: 1, to_port: 100, cidr_blocks: [172.31.0.0/16] }
          - { protocol: udp, from_port: 7, cidr_blocks: [172.31.0.0/16] }
          - { protocol: icmp, cidr_blocks: [172.31.0.0/16] }
    instances:
      neighbour: {}
      server:
        vpc_security_group_ids: [server]
        services: [{ type: http, port: 80, proxy_protocol: true }, { type: udp_echo, port: 7 }, { type: tcp_echo, port: 8 }]
        command: '` + fmt.Sprintf(listen, "server") + `'
load_balancers:
  nlb:
    subnets: [provider/a]
    listeners:
      - { port: 80, protocol: TCP, default_action: { target_group_arn: web } }
      - { port: 7, protocol: UDP, default_action: { target_group_arn: echo } }
target_groups:
  web: { port: 80, protocol: TCP, proxy_protocol_v2: true, health_check: { port: 8 }, targets: [server] }
  echo: { port: 7, protocol: UDP, health_check: { port: 8 }, targets: [server] }
endpoint_services:
  service: { network_load_balancer_arns: [nlb], acceptance_required: false, allowed_principals: ["*"] }
vpc_endpoints:
  endpoint: { vpc_id: consumer, service_name: service, subnet_ids: [a], security_group_ids: [endpoint] }
steps:
  - name: Both sides listen
    within: 10s
    exec: { in: client, command: test -s "$SCENARIO_DIR/client.pcap" -a -s "$SCENARIO_DIR/server.pcap" }
  - request: { from: client, url: "http://${vpc_endpoint.endpoint.dns_name}/", method: POST, body: "` + strings.Repeat("bulk ", 60_000) + `" }
  - request: { from: client, url: "http://${vpc_endpoint.endpoint.dns_name}/small" }
  - request: { from: client, url: "http://${vpc_endpoint.endpoint.dns_name}/small" }
  - ping: { from: neighbour, to: "${instance.server.private_ip}" }
  - request: { from: neighbour, url: "http://${instance.server.private_ip}:101/", timeout: 100ms }
    expect: { error: timeout }
  - exchange: { from: client, to: "${vpc_endpoint.endpoint.dns_name}:7", protocol: udp, send: the last }
  - name: The client's side is complete
    within: 10s
` + client + `  - name: The server's side is complete
    within: 10s
` + server
}

// sums are the packets and bytes of one direction of a flow.
type sums struct{ packets, bytes int }

// TestLogsCountAsCaptured compares the flow logs of a client's and a server's interface
// with what tcpdump counted there, per flow and direction. A superframe stands for the
// segments that it will be, with their headers (F4.1, F4.6).
func TestLogsCountAsCaptured(t *testing.T) {
	t.Parallel()
	requirePrivilege(t)
	dir := t.TempDir()
	out := filepath.Join(dir, "kept")
	playStory(t, dir, countedStory(), "--out", out)
	for _, side := range []struct{ name, label string }{{"client", "consumer/client"}, {"server", "provider/server"}} {
		captured, longest := countCapture(t, filepath.Join(dir, side.name+".pcap"))
		logged := countLog(t, out, side.label)
		for _, flow := range slices.Sorted(maps.Keys(captured)) {
			if captured[flow] != logged[flow] {
				t.Errorf("%s: %s: %+v were captured, and the log has %+v", side.name, flow, captured[flow], logged[flow])
			}
		}
		for flow := range logged {
			if _, ok := captured[flow]; !ok {
				t.Errorf("%s: the log has %s, which was not captured", side.name, flow)
			}
		}
		var all sums
		for _, s := range captured {
			all.packets, all.bytes = all.packets+s.packets, all.bytes+s.bytes
		}
		if len(captured) < 8 || all.bytes < 300_000 || longest <= 9001 {
			t.Errorf("%s: %d flows with %+v, the longest packet of %d bytes, are no test", side.name, len(captured), all, longest)
		}
	}
}

// counts reports whether a flow is one of the story's: not a health check, and no
// query.
func counts(protocol string, src, dst int) bool {
	return protocol == "1" || src == 80 || dst == 80 || src == 7 || dst == 7
}

func countLog(t *testing.T, dir, label string) map[string]sums {
	all := map[string]sums{}
	err := flowlogs.Read(dir, func(r flowlogs.Row) error {
		src, _ := strconv.Atoi(r.Get("srcport"))
		dst, _ := strconv.Atoi(r.Get("dstport"))
		if r.Get("plsim-interface") != label || r.Get("action") != "ACCEPT" || !counts(r.Get("protocol"), src, dst) {
			return nil
		}
		key := fmt.Sprintf("%s %s:%d > %s:%d", r.Get("protocol"), r.Get("srcaddr"), src, r.Get("dstaddr"), dst)
		packets, _ := strconv.Atoi(r.Get("packets"))
		bytes, _ := strconv.Atoi(r.Get("bytes"))
		s := all[key]
		all[key] = sums{s.packets + packets, s.bytes + bytes}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// countCapture also returns the length of the longest packet: a superframe exceeds
// the MTU.
func countCapture(t *testing.T, file string) (all map[string]sums, longest int) {
	all = map[string]sums{}
	mss := map[string]int{} // that either side has announced, by the ports
	readPackets(t, file, func(p gopacket.Packet) {
		ip, ok := p.NetworkLayer().(*layers.IPv4)
		if !ok {
			t.Fatalf("no IPv4: %v", p)
		}
		length := p.Metadata().Length - 14
		longest = max(longest, length)
		one := sums{1, length}
		src, dst := 0, 0
		switch l4 := p.TransportLayer().(type) {
		case *layers.UDP:
			src, dst = int(l4.SrcPort), int(l4.DstPort)
		case *layers.TCP:
			src, dst = int(l4.SrcPort), int(l4.DstPort)
			one = segments(mss, fmt.Sprint(min(src, dst), max(src, dst)), length, int(ip.IHL)*4, l4)
		}
		if !counts(strconv.Itoa(int(ip.Protocol)), src, dst) {
			return
		}
		key := fmt.Sprintf("%d %s:%d > %s:%d", ip.Protocol, ip.SrcIP, src, ip.DstIP, dst)
		s := all[key]
		all[key] = sums{s.packets + one.packets, s.bytes + one.bytes}
	})
	return all, longest
}

// segments counts the segments that a captured one stands for: each has as much payload
// as the smaller MSS leaves beside the options.
func segments(mss map[string]int, flow string, length, ipHeader int, tcp *layers.TCP) sums {
	options := int(tcp.DataOffset)*4 - 20
	for _, o := range tcp.Options {
		if o.OptionType == layers.TCPOptionKindMSS {
			announced := int(o.OptionData[0])<<8 | int(o.OptionData[1])
			if mss[flow] == 0 || announced < mss[flow] {
				mss[flow] = announced
			}
		}
	}
	headers := ipHeader + 20 + options
	payload := length - headers
	size := mss[flow] - options
	if tcp.SYN || payload <= size {
		return sums{1, length}
	}
	n := (payload + size - 1) / size
	return sums{n, payload + n*headers}
}
