package emulate

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology"
)

// garbageLab is two VPCs with the same CIDR blocks, an endpoint of the one to a
// service of the other, and security groups that let everything in.
const garbageLab = `
name: garbage
vpcs:
  red: &vpc
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8::/56
    subnets: { a: { cidr_block: 10.0.0.0/24 }, b: { cidr_block: 10.0.1.0/24 } }
    security_groups:
      open: &open { ingress: [{ protocol: "-1", cidr_blocks: [0.0.0.0/0], ipv6_cidr_blocks: ["::/0"] }] }
    instances:
      app: { subnet_id: a, private_ip: 10.0.0.10, vpc_security_group_ids: [open] }
      peer: { subnet_id: a, private_ip: 10.0.0.11, vpc_security_group_ids: [open] }
      far: { subnet_id: b, private_ip: 10.0.1.12, vpc_security_group_ids: [open] }
  blue:
    <<: *vpc
    instances:
      app: { subnet_id: a, private_ip: 10.0.0.10, vpc_security_group_ids: [open] }
      peer: { subnet_id: a, private_ip: 10.0.0.21, vpc_security_group_ids: [open] }
load_balancers:
  api:
    subnets: [blue/a]
    listeners:
      - { port: 80, protocol: TCP_UDP, default_action: { target_group_arn: api } }
target_groups:
  api: { vpc_id: blue, port: 80, protocol: TCP_UDP, targets: [app, peer] }
endpoint_services:
  api: { network_load_balancer_arns: [api], acceptance_required: false, allowed_principals: ["*"] }
vpc_endpoints:
  api: { vpc_id: red, service_name: api, subnet_ids: [a], security_group_ids: [open], private_ips: { a: 10.0.0.99 } }
`

// attack is a frame that an instance must not get through.
type attack struct {
	name  string
	why   drop.Reason
	frame []byte
}

// TestGarbage writes malformed and dishonest frames straight to the wire of one
// instance. Each dies for its own reason, and no other instance receives a thing.
func TestGarbage(t *testing.T) {
	w, l := newWorld(t, garbageLab)
	app := nicOf(t, l.Lab, "red/app")
	wire := openWire(t, w, "red/app")
	var others []*tap
	for _, name := range []string{"red/peer", "red/far", "blue/app", "blue/peer"} {
		others = append(others, &tap{name, openWire(t, w, name)})
	}

	for _, a := range attacks(t, l.Lab) {
		before := dropsOf(t, w, app)
		wire.send(t, a.frame)
		var after [drop.NumReasons]uint64
		await(t, a.name+" to be dropped", func() bool {
			after = dropsOf(t, w, app)
			after[drop.Multicast] -= before[drop.Multicast] // the kernel's own, of IPv6
			before[drop.Multicast] = 0
			if a.why == drop.Multicast {
				return after[drop.Multicast] > 0
			}
			after[drop.Multicast] = 0
			return after != before
		})
		if a.why == drop.Multicast {
			continue
		}
		for r := range after {
			want := before[r]
			if drop.Reason(r) == a.why {
				want++
			}
			if after[r] != want {
				t.Errorf("%s: %s counts %d, want %d; expected to die of %s", a.name, drop.Reason(r), after[r], want, a.why)
			}
		}
	}

	// What was forwarded came before what is sent now. A good packet between
	// others reaches each of them, so that silence proves something.
	canaries := map[string][2]string{
		"red/peer": {"red/far", "red/peer"}, "red/far": {"red/peer", "red/far"},
		"blue/app": {"blue/peer", "blue/app"}, "blue/peer": {"blue/app", "blue/peer"},
	}
	for _, o := range others {
		way := canaries[o.name]
		from, to := nicOf(t, l.Lab, way[0]), nicOf(t, l.Lab, way[1])
		i := slices.IndexFunc(others, func(o *tap) bool { return o.name == way[0] })
		spec := packet.Spec{SrcMAC: from.MAC, DstMAC: from.RouterMAC, Proto: packet.UDP,
			Src: netip.AddrPortFrom(from.Addrs[0].Addr(), 9), Dst: netip.AddrPortFrom(to.Addrs[0].Addr(), 9), Payload: []byte("canary")}
		others[i].wire.send(t, build(spec))
	}
	for _, o := range others {
		await(t, "a good packet at "+o.name, func() bool {
			f := o.wire.receive(t)
			if f == nil {
				return false
			}
			if !bytes.HasSuffix(f, []byte("canary")) {
				t.Errorf("%s received % x", o.name, f)
				return false
			}
			return true
		})
	}
}

// attacks returns frames of red/app.
func attacks(t *testing.T, lab *topology.Lab) []attack {
	app, peer, far, blue := nicOf(t, lab, "red/app"), nicOf(t, lab, "red/peer"), nicOf(t, lab, "red/far"), nicOf(t, lab, "blue/peer")
	var list []attack
	add := func(why drop.Reason, frame []byte, format string, args ...any) {
		list = append(list, attack{fmt.Sprintf(format, args...), why, frame})
	}
	good := func(proto packet.Proto, dst string) packet.Spec {
		s := packet.Spec{SrcMAC: app.MAC, DstMAC: app.RouterMAC, Proto: proto, Flags: packet.SYN, Type: 8,
			Src: netip.AddrPortFrom(app.Addrs[0].Addr(), 4000), Dst: netip.AddrPortFrom(netip.MustParseAddr(dst), 80), Payload: []byte("garbage.")}
		if !s.Dst.Addr().Is4() {
			s.Src = netip.AddrPortFrom(app.Addrs[1].Addr(), 4000)
			s.Type = 128
		}
		if s.Proto == packet.ICMP || s.Proto == packet.ICMPv6 {
			s.Dst = netip.AddrPortFrom(s.Dst.Addr(), 0)
		}
		return s
	}
	const ip, l4 = 14, 34
	// ipv4 changes a good frame and makes its IP checksum fit again.
	ipv4 := func(s packet.Spec, change func(f []byte) []byte) []byte {
		f := change(build(s))
		if header := int(f[ip]&15) * 4; header >= 20 && len(f) >= ip+header {
			f[ip+10], f[ip+11] = 0, 0
			binary.BigEndian.PutUint16(f[ip+10:], checksum(f[ip:ip+header]))
		}
		return f
	}
	length := func(n int) func([]byte) []byte {
		return func(f []byte) []byte {
			binary.BigEndian.PutUint16(f[ip+2:], uint16(n))
			return f
		}
	}
	set := func(at int, value ...byte) func([]byte) []byte {
		return func(f []byte) []byte {
			copy(f[at:], value)
			return f
		}
	}

	// To a neighbour, and to another VPC through the endpoint.
	for _, dst := range []string{peer.PrivateIP(), far.PrivateIP(), "10.0.0.99"} {
		tcp, udp, icmp := good(packet.TCP, dst), good(packet.UDP, dst), good(packet.ICMP, dst)
		add(drop.TruncatedIP, build(tcp)[:ip+10], "half an IP header to %s", dst)
		add(drop.TruncatedIP, ipv4(tcp, func(f []byte) []byte { f[ip] = 0x4f; return f[:l4] }), "IP options that are not there to %s", dst)
		add(drop.BadIPHeader, ipv4(tcp, set(ip, 0x55)), "IP version 5 to %s", dst)
		add(drop.BadIPHeader, ipv4(tcp, set(ip, 0x44)), "an IP header of 16 bytes to %s", dst)
		add(drop.BadIPLength, ipv4(tcp, length(1400)), "an IP length beyond the frame to %s", dst)
		add(drop.BadIPLength, ipv4(tcp, length(19)), "an IP length below the header's to %s", dst)
		add(drop.BadIPChecksum, set(ip+10, 0xde, 0xad)(build(tcp)), "a wrong IP checksum to %s", dst)
		add(drop.BadTransportLength, ipv4(udp, set(ip+6, 0x20, 0)), "a first fragment that says that it is all to %s", dst)
		add(drop.OrphanFragment, ipv4(udp, set(ip+6, 0, 100)), "a last fragment to %s", dst)
		add(drop.BadFragment, ipv4(udp, set(ip+6, 0x1f, 0xff)), "a fragment beyond the longest packet to %s", dst)
		add(drop.TruncatedTransport, ipv4(tcp, length(20+19)), "19 bytes of TCP to %s", dst)
		add(drop.TruncatedTransport, ipv4(udp, length(20+7)), "7 bytes of UDP to %s", dst)
		add(drop.TruncatedTransport, ipv4(icmp, length(20+4)), "4 bytes of ICMP to %s", dst)
		add(drop.BadTransportLength, set(l4+12, 0xf0)(build(tcp)), "TCP options that are not there to %s", dst)
		add(drop.BadTransportLength, set(l4+12, 0x40)(build(tcp)), "a TCP header of 16 bytes to %s", dst)
		add(drop.BadTransportLength, set(l4+4, 0x7f, 0)(build(udp)), "a UDP length beyond the packet to %s", dst)
		add(drop.BadTransportLength, set(l4+4, 0, 9)(build(udp)), "a UDP length short of the packet to %s", dst)
		add(drop.BadTransportChecksum, set(l4+16, 0xde, 0xad)(build(tcp)), "a wrong TCP checksum to %s", dst)
		add(drop.BadTransportChecksum, set(l4+6, 0xde, 0xad)(build(udp)), "a wrong UDP checksum to %s", dst)
		add(drop.BadTransportChecksum, set(l4+2, 0xde, 0xad)(build(icmp)), "a wrong ICMP checksum to %s", dst)
		add(drop.UnsupportedProtocol, build(good(47, dst)), "GRE to %s", dst)
		add(drop.UnsupportedProtocol, build(good(132, dst)), "SCTP to %s", dst)
		for _, src := range []string{peer.PrivateIP(), far.PrivateIP(), blue.PrivateIP(), "10.0.0.1", "10.0.0.99", "192.0.2.1", "127.0.0.1", "0.0.0.0", "224.0.0.1"} {
			s := good(packet.TCP, dst)
			s.Src = netip.AddrPortFrom(netip.MustParseAddr(src), 4000)
			add(drop.SourceDestCheck, build(s), "the source address %s to %s", src, dst)
		}
		for _, mac := range []packet.MAC{peer.MAC, blue.MAC, app.RouterMAC, {2, 9, 9, 9, 9, 9}, {}} {
			s := good(packet.TCP, dst)
			s.SrcMAC = mac
			add(drop.SourceMAC, build(s), "the source MAC %s to %s", mac, dst)
		}
	}
	for _, dst := range []string{"2001:db8::1:2", peer.Addrs[1].Addr().String(), far.Addrs[1].Addr().String()} {
		tcp := good(packet.TCP, dst)
		if dst == "2001:db8::1:2" {
			add(drop.NoSuchAddress, build(tcp), "IPv6 to nobody")
			continue
		}
		add(drop.TruncatedIP, build(tcp)[:ip+30], "part of an IPv6 header to %s", dst)
		add(drop.BadIPHeader, set(ip, 0x50)(build(tcp)), "IPv6 version 5 to %s", dst)
		add(drop.BadIPLength, set(ip+4, 9, 0)(build(tcp)), "an IPv6 length beyond the frame to %s", dst)
		add(drop.UnsupportedProtocol, set(ip+6, 44)(build(tcp)), "ports for an IPv6 fragment header to %s", dst)
		add(drop.BadIPHeader, set(ip+6, 0)(build(tcp)), "hop-by-hop options to %s", dst)
		add(drop.BadTransportChecksum, set(ip+40+16, 0xde, 0xad)(build(tcp)), "a wrong TCP checksum to %s", dst)
		add(drop.BadTransportChecksum, set(ip+40+6, 0, 0)(build(good(packet.UDP, dst))), "UDP over IPv6 without checksum to %s", dst)
		spoof := good(packet.TCP, dst)
		spoof.Src = netip.AddrPortFrom(blue.Addrs[1].Addr().Next(), 4000)
		add(drop.SourceDestCheck, build(spoof), "another's IPv6 source to %s", dst)
		// An override advertisement for the router: RFC 4861 section 4.4.
		lie := good(packet.ICMPv6, dst)
		target := netip.MustParseAddr("fe80::1").As16()
		lie.Type, lie.TTL = 136, 255
		lie.Src = netip.AddrPortFrom(lie.Src.Addr(), 0x2000)
		lie.Payload = append(append(target[:], 2, 1), app.MAC[:]...)
		add(drop.BadARP, build(lie), "a neighbour advertisement to %s", dst)
		lie.Type = 134
		add(drop.BadARP, build(lie), "a router advertisement to %s", dst)
	}

	// Where the packet is to go. Each is a flow of its own, whose first packet is
	// the one that is judged by its destination MAC.
	port := uint16(5000)
	to := func(dst string, mac packet.MAC) []byte {
		s := good(packet.UDP, dst)
		s.DstMAC = mac
		port++
		s.Src = netip.AddrPortFrom(s.Src.Addr(), port)
		return build(s)
	}
	add(drop.NoSuchAddress, to(blue.PrivateIP(), app.RouterMAC), "to an address that only the other VPC has")
	add(drop.DestinationMAC, to(blue.PrivateIP(), blue.MAC), "to the other VPC's MAC")
	add(drop.DestinationMAC, to(peer.PrivateIP(), blue.MAC), "to a neighbour's address by the other VPC's MAC")
	add(drop.DestinationMAC, to(far.PrivateIP(), far.MAC), "to another subnet's MAC")
	add(drop.NoRoute, to("192.0.2.1", app.RouterMAC), "out of the VPC")
	add(drop.RouterOnly, to("10.0.0.1", app.RouterMAC), "to the router itself")
	for _, dst := range []string{"127.0.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255"} {
		add(drop.BadAddress, to(dst, app.RouterMAC), "to %s by a unicast MAC", dst)
	}
	add(drop.NoSuchAddress, to("10.0.0.255", app.RouterMAC), "to the subnet's broadcast address")
	everybody := packet.MAC{255, 255, 255, 255, 255, 255}
	add(drop.Broadcast, to("10.0.0.255", everybody), "a broadcast")
	add(drop.Broadcast, to("255.255.255.255", everybody), "a broadcast to all the world")
	add(drop.Broadcast, to(peer.PrivateIP(), everybody), "a broadcast frame to a neighbour")
	add(drop.Multicast, to("224.0.0.251", packet.MAC{1, 0, 0x5e, 0, 0, 0xfb}), "a multicast")
	add(drop.Multicast, to(peer.PrivateIP(), packet.MAC{1, 0, 0x5e, 0, 0, 0xfb}), "a multicast frame to a neighbour")

	// What is no IP.
	for kind, name := range map[uint16]string{0x8100: "a VLAN tag", 0x88a8: "a provider tag", 0x8847: "MPLS", 0x88cc: "LLDP", 0x05dc: "a length in place of a type"} {
		f := build(good(packet.TCP, peer.PrivateIP()))
		tagged := binary.BigEndian.AppendUint16(slices.Clone(f[:12]), kind)
		tagged = append(append(tagged, 0, 1), f[12:]...)
		add(drop.UnknownEtherType, tagged, "%s", name)
	}

	// ARP speaks for oneself only, and asks only.
	arp := func(dst packet.MAC, op byte, senderMAC packet.MAC, sender, target string) []byte {
		f := slices.Concat(dst[:], app.MAC[:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, op}, senderMAC[:], netip.MustParseAddr(sender).AsSlice(),
			make([]byte, 6), netip.MustParseAddr(target).AsSlice())
		return f
	}
	add(drop.BadARP, arp(everybody, 2, app.MAC, "10.0.0.1", "10.0.0.1"), "an ARP reply for the router to all")
	add(drop.BadARP, arp(peer.MAC, 2, app.MAC, "10.0.0.1", peer.PrivateIP()), "an ARP reply for the router to a neighbour")
	add(drop.BadARP, arp(everybody, 1, peer.MAC, peer.PrivateIP(), "10.0.0.1"), "an ARP request in a neighbour's name")
	add(drop.BadARP, arp(everybody, 1, app.MAC, app.PrivateIP(), peer.PrivateIP())[:30], "half an ARP request")
	add(drop.Unanswered, arp(everybody, 1, app.MAC, peer.PrivateIP(), "10.0.0.1"), "an ARP request with a neighbour's address")
	add(drop.Unanswered, arp(everybody, 1, app.MAC, app.PrivateIP(), blue.PrivateIP()), "an ARP request for the other VPC's address")
	add(drop.Unanswered, arp(everybody, 1, app.MAC, app.PrivateIP(), app.PrivateIP()), "an ARP announcement")
	return list
}

func build(s packet.Spec) []byte {
	f := packet.NewFrame()
	s.Build(f)
	return slices.Clone(f.Ethernet())
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i < len(b); i += 2 {
		sum += uint32(b[i])<<8 | uint32(b[i+1])
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// nic is an interface of the lab.
type nic struct{ *topology.NIC }

// PrivateIP is the interface's IPv4 address.
func (n nic) PrivateIP() string { return n.Addrs[0].Addr().String() }

func nicOf(t *testing.T, lab *topology.Lab, instance string) nic {
	t.Helper()
	h, err := lab.Instance(instance)
	if err != nil {
		t.Fatal(err)
	}
	return nic{h.NIC}
}

func dropsOf(t *testing.T, w *World, n nic) [drop.NumReasons]uint64 {
	t.Helper()
	counts, err := w.Drops([]*topology.NIC{n.NIC})
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// tap is the wire of an instance that must not receive anything.
type tap struct {
	name string
	wire *wire
}

// wire is a packet socket on an instance's eth0.
type wire struct{ fd, index int }

func openWire(t *testing.T, w *World, instance string) *wire {
	t.Helper()
	const all = 0x0300 // ETH_P_ALL in network byte order
	e := new(wire)
	err := w.hosts[instance].ns.Do(func() error {
		eth0, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		e.index = eth0.Index
		if e.fd, err = syscall.Socket(syscall.AF_PACKET, syscall.SOCK_RAW|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, all); err != nil {
			return err
		}
		return syscall.Bind(e.fd, &syscall.SockaddrLinklayer{Protocol: all, Ifindex: e.index})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(e.fd) })
	return e
}

func (e *wire) send(t *testing.T, frame []byte) {
	t.Helper()
	if err := syscall.Sendto(e.fd, frame, 0, &syscall.SockaddrLinklayer{Ifindex: e.index}); err != nil {
		t.Fatalf("send % x: %v", frame, err)
	}
}

// receive returns a frame that came in, or nil if there is none.
func (e *wire) receive(t *testing.T) []byte {
	t.Helper()
	buf := make([]byte, 64<<10)
	for {
		n, from, err := syscall.Recvfrom(e.fd, buf, 0)
		if errors.Is(err, syscall.EAGAIN) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		if from.(*syscall.SockaddrLinklayer).Pkttype != syscall.PACKET_OUTGOING {
			return slices.Clone(buf[:n])
		}
	}
}
