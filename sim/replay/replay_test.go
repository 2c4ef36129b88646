package replay_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/replay"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// shop offers a service over PrivateLink, in IPv4 and IPv6.
const shop = `
name: shop
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:1::/56
    security_groups: { web: { ingress: [{ protocol: "-1", cidr_blocks: [0.0.0.0/0], ipv6_cidr_blocks: ["::/0"] }] } }
    instances: { web: { private_ip: 10.0.0.20, ipv6_addresses: ["2001:db8:1::20"], vpc_security_group_ids: [web] } }
  consumer:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8:2::/56
    security_groups: { endpoint: { ingress: [{ protocol: tcp, from_port: 80, to_port: 80, cidr_blocks: [0.0.0.0/0], ipv6_cidr_blocks: ["::/0"] }] } }
    instances:
      app: { private_ip: 10.0.0.10, ipv6_addresses: ["2001:db8:2::10"] }
      other: { private_ip: 10.0.0.11, ipv6_addresses: ["2001:db8:2::11"] }
target_groups: { web: { port: 8080, protocol: TCP, targets: [web] } }
load_balancers:
  api:
    subnets: [provider/default]
    ip_address_type: dualstack
    listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }]
endpoint_services: { api: { network_load_balancer_arns: [api], acceptance_required: ACCEPTANCE, allowed_principals: ["*"], supported_ip_address_types: [ipv4, ipv6] } }
vpc_endpoints:
  api: { vpc_id: consumer, service_name: api, subnet_ids: [default], security_group_ids: [endpoint], ip_address_type: dualstack, private_ips: { default: 10.0.0.30 } }
`

func lab(t testing.TB, acceptance string) *topology.Lab {
	t.Helper()
	l, err := scenario.LoadBytes("shop.yaml", []byte(strings.ReplaceAll(shop, "ACCEPTANCE", acceptance)))
	if err != nil {
		t.Fatal(err)
	}
	return l.Lab
}

// address returns an address of an interface by its family.
func address(t testing.TB, l *topology.Lab, label string, v6 bool) netip.Addr {
	t.Helper()
	nic, err := l.NetworkInterface(label)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range nic.Addrs {
		if p.Addr().Is6() == v6 {
			return p.Addr()
		}
	}
	t.Fatalf("%s has no such address", label)
	return netip.Addr{}
}

// tape is a capture in the making.
type tape struct {
	file  bytes.Buffer
	w     *capture.Pcapng
	frame *packet.Frame
}

var began = time.Unix(1767225600, 0)

func newTape() *tape {
	c := &tape{frame: packet.NewFrame()}
	c.w = capture.NewPcapng(&c.file, began, "")
	return c
}

// add captures a packet at a moment, at an interface that is called name.
func (c *tape) add(at time.Duration, name string, s packet.Spec) {
	s.SrcMAC, s.DstMAC = packet.MAC{2, 1}, packet.MAC{2, 2} // of another network
	s.Build(c.frame)
	c.w.Packet(&capture.Packet{Time: clock.Time(at), Interface: name, Frame: c.frame.Ethernet()})
}

func tcp(src, dst netip.Addr, srcPort, dstPort uint16, flags packet.Flags, seq uint32) packet.Spec {
	return packet.Spec{Src: netip.AddrPortFrom(src, srcPort), Dst: netip.AddrPortFrom(dst, dstPort), Proto: packet.TCP, Flags: flags, Seq: seq, DF: true}
}

func (c *tape) at(t testing.TB, l *topology.Lab, labels ...string) replay.Capture {
	t.Helper()
	out := replay.Capture{Name: labels[0], From: &c.file}
	for _, label := range labels {
		nic, err := l.NetworkInterface(label)
		if err != nil {
			t.Fatal(err)
		}
		out.At = append(out.At, nic)
	}
	return out
}

// arrivals and drops are a result in short.
func arrivals(r *replay.Result) string {
	var all []string
	for _, a := range r.CameOut {
		all = append(all, fmt.Sprintf("%s %d", a.Interface, a.Packets))
	}
	return strings.Join(all, ", ")
}

func drops(r *replay.Result) string {
	var all []string
	for _, d := range r.Dropped {
		all = append(all, fmt.Sprintf("%s %s %d", d.Interface, d.Reason, d.Packets))
	}
	return strings.Join(all, ", ")
}

// TestBothSides replays a connection whose two sides were captured where the load
// balancer had another source port, of either family: the target's answers find their
// way, and everything comes out as captured.
func TestBothSides(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		l := lab(t, "false")
		app, endpoint := address(t, l, "consumer/app", v6), address(t, l, "vpc_endpoint.api.us-east-1a", v6)
		// The target group is of IPv4.
		node, web := netip.MustParseAddr("10.9.9.9"), address(t, l, "provider/web", false)
		client, server := newTape(), newTape()
		const ms = time.Millisecond
		for _, p := range []struct {
			at    time.Duration
			reply bool
			flags packet.Flags
			seq   uint32
			data  string
		}{
			{0, false, packet.SYN, 100, ""},
			{2 * ms, true, packet.SYN | packet.ACK, 500, ""},
			{4 * ms, false, packet.ACK, 101, ""},
			{6 * ms, false, packet.ACK | packet.PSH, 101, "question"},
			{8 * ms, true, packet.ACK | packet.PSH, 501, "answer"},
			{10 * ms, false, packet.FIN | packet.ACK, 109, ""},
			{12 * ms, true, packet.FIN | packet.ACK, 507, ""},
			{14 * ms, false, packet.ACK, 110, ""},
		} {
			near, far := tcp(app, endpoint, 40000, 80, p.flags, p.seq), tcp(node, web, 1024, 8080, p.flags, p.seq)
			nearAt, farAt := p.at, p.at+ms
			if p.reply {
				near.Src, near.Dst, far.Src, far.Dst = near.Dst, near.Src, far.Dst, far.Src
				nearAt, farAt = p.at+ms, p.at
			}
			near.Payload, far.Payload = []byte(p.data), []byte(p.data)
			client.add(nearAt, "eth0", near)
			server.add(farAt, "", far)
		}
		r, err := replay.Run(l, []replay.Capture{client.at(t, l, "consumer/app"), server.at(t, l, "provider/web")}, replay.Options{Seed: 7})
		if err != nil {
			t.Fatal(err)
		}
		if got := arrivals(r); got != "consumer/app 3, provider/web 5" || len(r.Dropped) > 0 {
			t.Errorf("IPv6 %t: came out %s, dropped %s", v6, got, drops(r))
		}
		c, s := r.Captures[0], r.Captures[1]
		if c.Fed != 5 || c.Received != 3 || c.AsCaptured != 3 || c.Missing+c.Unexpected+c.Translated != 0 {
			t.Errorf("IPv6 %t: the client's side: %+v", v6, c)
		}
		if s.Fed != 3 || s.Received != 5 || s.AsCaptured != 5 || s.Missing+s.Unexpected != 0 || s.Translated != 1 {
			t.Errorf("IPv6 %t: the server's side: %+v", v6, s)
		}
		if !r.Fits() || r.Duration != 15*ms || !r.Began.Equal(began) {
			t.Errorf("IPv6 %t: %+v", v6, r)
		}
	}
}

// TestDrops replays what does not come out, and reads the reasons in the pcapng file as
// Wireshark would.
func TestDrops(t *testing.T) {
	l := lab(t, "false")
	app, endpoint := address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false)
	app6, endpoint6 := address(t, l, "consumer/app", true), address(t, l, "vpc_endpoint.api.us-east-1a", true)
	c := newTape()
	c.add(0, "", tcp(app, endpoint, 40000, 80, packet.SYN, 1))
	large := tcp(app, endpoint, 40000, 80, packet.ACK, 2)
	large.Payload = make([]byte, 8600) // within the interface's 9001 bytes, over the endpoint's 8500 (F1.31)
	c.add(1, "", large)
	c.add(2, "", tcp(app, endpoint, 40001, 443, packet.SYN, 1))
	c.add(3, "", tcp(app, endpoint, 40001, 443, packet.SYN, 1))
	c.add(4, "", tcp(app6, endpoint6, 40001, 443, packet.SYN, 1))
	var out bytes.Buffer
	r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{Seed: 1, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := drops(r), "vpc_endpoint.api.us-east-1a security_group_ingress 3, vpc_endpoint.api.us-east-1a endpoint_mtu 1"; got != want || arrivals(r) != "provider/web 1" {
		t.Errorf("dropped %s, want %s; came out %s", got, want, arrivals(r))
	}
	var told []string
	for _, f := range r.DroppedFlows {
		told = append(told, fmt.Sprintf("%s %s %d from %d", f.Source, f.Reason, f.Packets, f.First))
	}
	if want := []string{"10.0.0.10:40000 endpoint_mtu 1 from 2", "10.0.0.10:40001 security_group_ingress 2 from 3", "[2001:db8:2::10]:40001 security_group_ingress 1 from 5"}; !slices.Equal(told, want) {
		t.Errorf("flows %q, want %q", told, want)
	}
	way := strings.Join(r.DroppedFlows[1].Way, "\n")
	for _, want := range []string{"egress allowed by all", "no security group rule allows TCP port 443 from 10.0.0.10; nearest is tcp 80", "consumer/endpoint (shop.yaml:12)"} {
		if !strings.Contains(way, want) {
			t.Errorf("the way lacks %q:\n%s", want, way)
		}
	}
	if got := comments(t, out.Bytes()); !slices.Equal(got, []string{"dropped: endpoint_mtu", "dropped: security_group_ingress", "dropped: security_group_ingress", "dropped: security_group_ingress"}) {
		t.Errorf("comments %q", got)
	}
}

// comments returns the comments of the packets of a pcapng file, and makes sure that
// another reader takes it.
func comments(t *testing.T, file []byte) (all []string) {
	t.Helper()
	r, err := pcapgo.NewNgReader(bytes.NewReader(file), pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, _, err := r.ReadPacketData(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if first, err := r.Interface(0); err != nil || first.Name != "consumer/app" {
		t.Errorf("the first interface is %+v, %v", first, err)
	}
	for _, part := range bytes.Split(file, []byte("dropped: "))[1:] {
		name := strings.FieldsFunc(string(part), func(c rune) bool { return c != '_' && (c < 'a' || c > 'z') })[0]
		all = append(all, "dropped: "+name)
	}
	return all
}

// TestAccept: the story is not played, so an endpoint that waits for acceptance drops
// all, unless it is accepted (F1.9).
func TestAccept(t *testing.T) {
	for _, accept := range [][]string{nil, {"api"}} {
		l := lab(t, "true")
		c := newTape()
		c.add(0, "", tcp(address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false), 40000, 80, packet.SYN, 1))
		r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{Accept: accept})
		if err != nil {
			t.Fatal(err)
		}
		if pending := len(r.Dropped) == 1 && slices.Equal(r.Pending, []string{"api"}); pending == (accept != nil) {
			t.Errorf("accept %q: came out %s, dropped %s, pending %q", accept, arrivals(r), drops(r), r.Pending)
		}
	}
	if _, err := replay.Run(lab(t, "true"), nil, replay.Options{Accept: []string{"apy"}}); err == nil || !strings.Contains(err.Error(), "did you mean api?") {
		t.Error(err)
	}
}

// TestTimers: time passes between packets as the capture says. The load balancer has
// forgotten a flow after 350 idle seconds, and resets it (F2.44, F2.45).
func TestTimers(t *testing.T) {
	for idle, want := range map[time.Duration]string{349 * time.Second: "consumer/app 1, provider/web 3", 351 * time.Second: "consumer/app 2, provider/web 2"} {
		l := lab(t, "false")
		app, endpoint := address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false)
		web := address(t, l, "provider/web", false)
		c, s := newTape(), newTape()
		c.add(0, "", tcp(app, endpoint, 40000, 80, packet.SYN, 1))
		s.add(1, "", tcp(endpoint, web, 40000, 8080, packet.SYN, 1))
		s.add(2, "", tcp(web, endpoint, 8080, 40000, packet.SYN|packet.ACK, 1))
		c.add(3, "", tcp(app, endpoint, 40000, 80, packet.ACK, 2))
		c.add(3+idle, "", tcp(app, endpoint, 40000, 80, packet.ACK, 2))
		r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app"), s.at(t, l, "provider/web")}, replay.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if got := arrivals(r); got != want {
			t.Errorf("after %s: came out %s, dropped %s; want %s", idle, got, drops(r), want)
		}
	}
}

// TestOffload replays what a host left to its network card.
func TestOffload(t *testing.T) {
	l := lab(t, "false")
	app, endpoint := address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false)
	c := newTape()
	c.add(0, "", tcp(app, endpoint, 40000, 80, packet.SYN, 1))
	answer := tcp(endpoint, app, 80, 40000, packet.SYN|packet.ACK, 1)
	answer.MSS = 1448
	c.add(1, "", answer)
	large := tcp(app, endpoint, 40000, 80, packet.ACK, 2)
	large.Payload, large.Partial = make([]byte, 60000), true
	c.add(2, "", large)
	r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if arrivals(r) != "provider/web 2" || r.Captures[0].Offloaded != 1 {
		t.Errorf("came out %s, dropped %s, %+v", arrivals(r), drops(r), r.Captures[0])
	}
}

// TestForeign reports addresses that do not match the scenario, and feeds none that
// the interface has not.
func TestForeign(t *testing.T) {
	l := lab(t, "false")
	app, other, endpoint := address(t, l, "consumer/app", false), address(t, l, "consumer/other", false), address(t, l, "vpc_endpoint.api.us-east-1a", false)
	nobody, far := netip.MustParseAddr("10.0.0.99"), netip.MustParseAddr("172.16.0.1")
	c := newTape()
	c.add(0, "", tcp(app, endpoint, 1, 80, packet.SYN, 1))
	c.add(1, "", tcp(nobody, endpoint, 1, 80, packet.SYN, 1))
	c.add(2, "", tcp(other, endpoint, 1, 80, packet.SYN, 1))
	c.add(3, "", tcp(app, far, 1, 80, packet.SYN, 1))
	c.add(4, "", tcp(app, far, 1, 80, packet.SYN, 1))
	c.add(5, "", tcp(app, netip.MustParseAddr("169.254.169.254"), 1, 80, packet.SYN, 1))
	r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []replay.Foreign{
		{Address: far, Packets: 2, Nearest: "consumer/app"}, // one as good as another
		{Address: other, Packets: 1, Interface: "consumer/other", Sends: true},
		{Address: nobody, Packets: 1, Nearest: "consumer/app", Subnet: "10.0.0.0/24"},
	}
	for i, f := range r.Foreign {
		if i >= len(want) || f != want[i] {
			t.Errorf("foreign address %d is %+v", i, f)
		}
	}
	if len(r.Foreign) != 3 || r.Fits() || r.Captures[0].Fed != 3 || r.Captures[0].Skipped["link-local"] != 1 {
		t.Errorf("%+v, %+v", r.Foreign, r.Captures[0])
	}
}

// TestOwnCaptures replays what plsim wrote itself: a file that calls its interfaces as
// the lab does has each packet many times, and each is fed once.
func TestOwnCaptures(t *testing.T) {
	l := lab(t, "false")
	c := newTape()
	syn := tcp(address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false), 40000, 80, packet.SYN, 1)
	c.add(0, "consumer/app", syn)
	c.add(0, "consumer/other", syn)
	var out bytes.Buffer
	first, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{Seed: 3, Out: &out})
	if err != nil {
		t.Fatal(err)
	}
	if f := first.Captures[0]; f.Fed != 1 || f.Skipped["other interface"] != 1 {
		t.Errorf("%+v", f)
	}
	l = lab(t, "false")
	again := &tape{file: out}
	second, err := replay.Run(l, []replay.Capture{again.at(t, l, "consumer/app", "provider/web")}, replay.Options{Seed: 4})
	if err != nil {
		t.Fatal(err)
	}
	if f := second.Captures[0]; f.Fed != 1 || f.Received != 1 || f.AsCaptured != 1 || f.Skipped["other interface"] != 4 || arrivals(second) != arrivals(first) {
		t.Errorf("%+v: came out %s, first %s", f, arrivals(second), arrivals(first))
	}
}

// TestRepeatable: the same captures and seed give the same bytes.
func TestRepeatable(t *testing.T) {
	var outs, texts [2]bytes.Buffer
	for i := range outs {
		l := lab(t, "false")
		app, endpoint := address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false)
		c := newTape()
		for n := range uint16(100) {
			c.add(time.Duration(n), "", tcp(app, endpoint, 40000+n, 80+n%3, packet.SYN, 1))
		}
		r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{Seed: 9, Out: &outs[i]})
		if err != nil {
			t.Fatal(err)
		}
		replay.Print(&texts[i], r)
		if err := replay.JSON(&texts[i], r); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(outs[0].Bytes(), outs[1].Bytes()) || texts[0].String() != texts[1].String() {
		t.Error("two replays differ")
	}
}

// TestCaptureErrors names the capture that is at fault, after what came before it.
func TestCaptureErrors(t *testing.T) {
	l := lab(t, "false")
	app, endpoint := address(t, l, "consumer/app", false), address(t, l, "vpc_endpoint.api.us-east-1a", false)
	for _, c := range []struct {
		name string
		cut  func(c *tape)
		want string
		fed  int
	}{
		{"empty", func(c *tape) { c.file.Reset() }, "consumer/app: this is neither a pcap nor a pcapng file", 0},
		{"no packet", func(c *tape) { c.file.Truncate(c.file.Len() - 2*c.frameBlock()) }, "consumer/app: it has no packet", 0},
		{"broken", func(c *tape) { c.file.Truncate(c.file.Len() - 5) }, "consumer/app: the file is broken after packet 1: it ends in the middle", 1},
	} {
		tp := newTape()
		tp.add(0, "", tcp(app, endpoint, 1, 80, packet.SYN, 1))
		tp.add(1, "", tcp(app, endpoint, 2, 80, packet.SYN, 1))
		c.cut(tp)
		r, err := replay.Run(l, []replay.Capture{tp.at(t, l, "consumer/app")}, replay.Options{})
		var broken *replay.CaptureError
		if !errors.As(err, &broken) || err.Error() != c.want || r.Captures[0].Fed != c.fed {
			t.Errorf("%s: %v, %+v", c.name, err, r.Captures[0])
		}
	}
}

// frameBlock is how long the block of the last packet is.
func (c *tape) frameBlock() int { return 32 + (len(c.frame.Ethernet())+3)/4*4 + 12 }

// FuzzReplay feeds whatever packets a file has: each is fed, compared or told of, and
// each that is fed comes out or dies.
func FuzzReplay(f *testing.F) {
	l := lab(f, "false")
	app, endpoint := address(f, l, "consumer/app", false), address(f, l, "vpc_endpoint.api.us-east-1a", false)
	for i, proto := range []packet.Proto{packet.TCP, packet.UDP, packet.ICMP} {
		c := newTape()
		s := tcp(app, endpoint, 1, 80, packet.SYN, 1)
		s.Proto = proto
		c.add(0, "", s)
		s.Src, s.Dst, s.Payload = s.Dst, s.Src, make([]byte, 100*i)
		c.add(time.Second, "", s)
		c.add(500*time.Second, "", s)
		f.Add(c.file.Bytes(), uint64(i))
	}
	f.Fuzz(func(t *testing.T, file []byte, seed uint64) {
		c := &tape{}
		c.file.Write(file)
		var out bytes.Buffer
		r, err := replay.Run(l, []replay.Capture{c.at(t, l, "consumer/app")}, replay.Options{Seed: seed, Out: &out})
		var broken *replay.CaptureError
		if err != nil && !errors.As(err, &broken) {
			t.Fatal(err)
		}
		cap, skipped, ended := r.Captures[0], 0, 0
		for _, n := range cap.Skipped {
			skipped += n
		}
		for _, a := range r.CameOut {
			ended += a.Packets - a.Resets
		}
		for _, d := range r.Dropped {
			ended += d.Packets
		}
		if cap.Fed+cap.Received+skipped > cap.Packets || ended != cap.Fed {
			t.Errorf("%d packets: %d fed, of which %d ended, %d received, %d skipped", cap.Packets, cap.Fed, ended, cap.Received, skipped)
		}
		if cap.AsCaptured+cap.Missing != cap.Received {
			t.Errorf("%+v", cap)
		}
		replay.Print(io.Discard, r)
	})
}
