package main

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
)

// bothSides is a story in which tcpdump listens at both ends of a session.
const bothSides = `
name: both-sides
requires: [tcpdump, dbclient, dropbear, dropbearkey, unshare]
vpcs:
  consumer:
    cidr_block: 192.168.40.0/22
    subnets: { a: { cidr_block: 192.168.41.0/24 } }
    security_groups:
      endpoint: { ingress: [{ protocol: tcp, from_port: 1, to_port: 100, cidr_blocks: [192.168.40.0/22] }] }
    instances:
      client:
        private_ip: 192.168.41.200
        command: exec tcpdump -i eth0 -s 65536 -B 65536 --immediate-mode -U -Z root -w "$SCENARIO_DIR/client.pcap" tcp
  provider:
    cidr_block: 172.31.0.0/16
    subnets: { a: { cidr_block: 172.31.16.0/20 } }
    security_groups:
      server: { ingress: [{ protocol: tcp, from_port: 1, to_port: 100, cidr_blocks: [172.31.0.0/16] }] }
    instances:
      server:
        vpc_security_group_ids: [server]
        services: [{ type: http, port: 80 }, { type: tcp_echo, port: 8 }]
        files:
          serve: |
            set -e
            dropbearkey -t ed25519 -f "$SCENARIO_DIR/id" | grep ^ssh- >"$SCENARIO_DIR/id.pub"
            dropbearkey -t ed25519 -f "$HOME/host" >/dev/null
            # The server looks for keys in root's own home, so it gets another /root.
            unshare -m sh -c '
              mount -t tmpfs -o mode=700 home /root && mkdir -m 700 /root/.ssh &&
              cp "$SCENARIO_DIR/id.pub" /root/.ssh/authorized_keys && chmod 600 /root/.ssh/authorized_keys &&
              exec dropbear -F -E -p 22 -P "$HOME/dropbear.pid" -r "$HOME/host"' &
            exec tcpdump -i eth0 -s 65536 -B 65536 --immediate-mode -U -Z root -w "$SCENARIO_DIR/server.pcap" tcp
        command: sh "$HOME/serve"
        wait_for_port: 22
load_balancers:
  nlb:
    internal: true
    subnets: [provider/a]
    listeners:
      - { port: 22, protocol: TCP, default_action: { target_group_arn: ssh } }
      - { port: 80, protocol: TCP, default_action: { target_group_arn: web } }
target_groups:
  ssh: { vpc_id: provider, port: 22, protocol: TCP, health_check: { port: 8 }, targets: [server] }
  web: { vpc_id: provider, port: 80, protocol: TCP, health_check: { port: 8 }, targets: [server] }
endpoint_services:
  service: { network_load_balancer_arns: [nlb], acceptance_required: false, allowed_principals: ["*"] }
vpc_endpoints:
  endpoint: { vpc_id: consumer, service_name: service, subnet_ids: [a], security_group_ids: [endpoint] }
steps:
  - name: Both sides listen
    within: 10s
    exec:
      in: client
      command: test -s "$SCENARIO_DIR/client.pcap" -a -s "$SCENARIO_DIR/server.pcap"
  - name: SSH
    exec:
      in: client
      command: seq 100000 | dbclient -y -y -i "$SCENARIO_DIR/id" "root@${vpc_endpoint.endpoint.dns_name}" "seq 20000; wc -l"
    expect: { stdout: { contains: "\n20000\n100000\n" } }
  - name: HTTP
    request: { from: client, url: "http://${vpc_endpoint.endpoint.dns_name}/", method: POST, body: hello }
    expect: { status: 200 }
  - name: What comes now comes last
    request: { from: client, url: "http://${vpc_endpoint.endpoint.dns_name}/", method: POST, body: famous-last-words }
  - name: Both sides are complete
    within: 10s
    exec:
      in: client
      command: grep -qa famous-last-words "$SCENARIO_DIR/client.pcap" && grep -qa famous-last-words "$SCENARIO_DIR/server.pcap"
`

// TestBothSides compares captures from both ends of an SSH session, both its
// streams longer than a window, and of an HTTP request. All but what the facts name
// is the same on both sides, packet by packet: sequence numbers, windows, IP ID,
// DSCP and the options in their order (F1.37); the MSS is clamped (F1.32), the TTL
// falls by two (F1.38), and the source is the node with a port of its own (F2.25, F2.32).
func TestBothSides(t *testing.T) {
	t.Parallel()
	requirePrivilege(t)
	dir := t.TempDir()
	playStory(t, dir, bothSides)
	client, server := readCapture(t, filepath.Join(dir, "client.pcap")), readCapture(t, filepath.Join(dir, "server.pcap"))
	for _, port := range []layers.TCPPort{22, 80} {
		t.Run(fmt.Sprint(port), func(t *testing.T) { compareSides(t, client, server, port) })
	}
}

// segment is a captured TCP packet.
type segment struct {
	ip  layers.IPv4
	tcp layers.TCP
}

func readCapture(t *testing.T, file string) (all []segment) {
	readPackets(t, file, func(p gopacket.Packet) {
		ip, ok := p.NetworkLayer().(*layers.IPv4)
		tcp, ok2 := p.TransportLayer().(*layers.TCP)
		if !ok || !ok2 {
			t.Fatalf("%s: no TCP: %v", file, p)
		}
		all = append(all, segment{*ip, *tcp})
	})
	return all
}

// playStory runs a story whose programs leave their files in dir, which must go as it
// expects.
func playStory(t *testing.T, dir, text string, flags ...string) {
	t.Helper()
	file := filepath.Join(dir, "story.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"run", file}, flags...)...)
	cmd.Args[0] = "plsim"
	if out, err := cmd.CombinedOutput(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == exitHost && os.Getenv("PLSIM_PRIVILEGED") != "require" {
			t.Skipf("%s", out)
		}
		t.Fatalf("%v\n%s", err, out)
	}
}

// readPackets hands over every packet of a capture.
func readPackets(t *testing.T, file string, each func(gopacket.Packet)) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pcapgo.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for {
		data, info, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		p := gopacket.NewPacket(data, r.LinkType(), gopacket.Default)
		p.Metadata().CaptureInfo = info
		each(p)
	}
}

// compareSides compares what both sides saw of the connection to a port.
func compareSides(t *testing.T, client, server []segment, port layers.TCPPort) {
	var mine, theirs layers.TCPPort // the source port at either side
	for _, there := range []bool{true, false} {
		// The first connection to the port: the other is not complete.
		of := func(all []segment) (one []segment) {
			var peer layers.TCPPort
			for _, s := range all {
				from, to := s.tcp.SrcPort, s.tcp.DstPort
				if !there {
					from, to = to, from
				}
				if to == port && (peer == 0 || from == peer) {
					one, peer = append(one, s), from
				}
			}
			return one
		}
		from, to := of(client), of(server)
		if !there {
			from, to = to, from
		}
		// The last packets may come after the last words, at one side.
		n := min(len(from), len(to))
		t.Logf("there %t: %d packets sent, %d received", there, len(from), len(to))
		if n < 3 || max(len(from), len(to)) > n+3 {
			t.Fatalf("%d packets were sent and %d received", len(from), len(to))
		}
		for i := range n {
			a, b := from[i], to[i]
			client, server := a, b
			if !there {
				client, server = b, a
			}
			if i == 0 && there {
				mine, theirs = a.tcp.SrcPort, b.tcp.SrcPort
			}
			wantClient := fmt.Sprintf("192.168.41.200:%d to 192.168.41.4:%d", mine, port)
			wantServer := fmt.Sprintf("172.31.16.5:%d to 172.31.16.4:%d", theirs, port)
			ends := func(s segment) string {
				if there {
					return fmt.Sprintf("%s:%d to %s:%d", s.ip.SrcIP, s.tcp.SrcPort, s.ip.DstIP, s.tcp.DstPort)
				}
				return fmt.Sprintf("%s:%d to %s:%d", s.ip.DstIP, s.tcp.DstPort, s.ip.SrcIP, s.tcp.SrcPort)
			}
			if ends(client) != wantClient || ends(server) != wantServer {
				t.Errorf("packet %d is %s at the client and %s at the server; want %s and %s", i, ends(client), ends(server), wantClient, wantServer)
			}
			if a.ip.TTL != b.ip.TTL+2 {
				t.Errorf("packet %d: the TTL falls from %d to %d", i, a.ip.TTL, b.ip.TTL)
			}
			if x, y := kept(t, a, 8961), kept(t, b, 8365); x != y {
				t.Errorf("packet %d was sent as\n\t%s\nand received as\n\t%s", i, x, y)
			}
		}
	}
	if mine == theirs {
		t.Errorf("the source port %d is kept", mine)
	}
}

// kept describes all of a packet that must be the same on both sides. An MSS must
// be the one that is expected.
func kept(t *testing.T, s segment, mss uint16) string {
	var options []string
	for _, o := range s.tcp.Options {
		if o.OptionType == layers.TCPOptionKindMSS {
			if got := binary.BigEndian.Uint16(o.OptionData); got != mss {
				t.Errorf("the MSS is %d, want %d", got, mss)
			}
			o.OptionData = nil
		}
		options = append(options, fmt.Sprintf("%v %x", o.OptionType, o.OptionData))
	}
	tcp := s.tcp
	return fmt.Sprintf("id %d tos %#x flags %v length %d | seq %d ack %d flags %x window %d urgent %d | %q | %x",
		s.ip.Id, s.ip.TOS, s.ip.Flags, s.ip.Length, tcp.Seq, tcp.Ack, tcp.Contents[12:14], tcp.Window, tcp.Urgent, options, sha256.Sum256(tcp.Payload))
}
