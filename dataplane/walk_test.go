package dataplane_test

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestWalk runs the labs of testdata/walk: each file is a lab sheet and the
// answers to it. All run in IPv4, and once more in IPv6 with the addresses that
// [lab] translates; -rewrite takes the answers of IPv4 for right.
//
// A file whose name ends in -ipv4 or -ipv6 is about that family alone.
func TestWalk(t *testing.T) {
	datadriven.Walk(t, filepath.Join("testdata", "walk"), func(t *testing.T, path string) {
		for _, v6 := range []bool{false, true} {
			family, other := "ipv4", "ipv6"
			if v6 {
				family, other = other, family
			}
			if strings.HasSuffix(path, "-"+other+".txt") {
				continue
			}
			e := &env{v6: v6, own: strings.HasSuffix(path, "-ipv6.txt")}
			if v6 && !e.own && flag.Lookup("rewrite").Value.String() == "true" {
				continue
			}
			t.Run(family, func(t *testing.T) { datadriven.RunTest(t, path, e.run) })
		}
	})
}

// env is what a file of testdata/walk works on.
type env struct {
	v6  bool
	own bool // the file is about IPv6 alone: nothing is shown as in IPv4
	lab *lab
	now clock.Time

	complete  bool           // the flow log has every hop
	flowNames map[uint64]int // by the flows' IDs

	spliced bool // some target group gets PROXY protocol headers

	walk   *dataplane.Walk
	probed *dataplane.Walk // the same, but every packet is probed first

	frame  *packet.Frame
	last   *packet.Frame // as it was delivered to its receiver
	lastAt dataplane.InterfaceID
	ports  map[netip.AddrPort]string // random source ports by their stable names
	tables dataplane.Tables
	calls  map[callKey]dataplane.Call

	measured map[string]bool // lines of metrics that were printed
}

// run does one directive.
func (e *env) run(t *testing.T, d *datadriven.TestData) string {
	if d.Cmd != "lab" && e.lab == nil {
		d.Fatalf(t, "no lab yet")
	}
	var out strings.Builder
	switch d.Cmd {
	case "lab":
		e.begin(t, d)
	case "load":
		if err := e.lab.edit(d.Input); err != nil {
			d.Fatalf(t, "%v", err)
		}
		e.walk.Load(e.lab.prog)
		e.probed.Load(e.lab.prog)
	case "restart":
		e.walk.Restart(d.HasArg("keep_state"))
		e.probed.Restart(d.HasArg("keep_state"))
	case "send":
		for _, line := range lines(d.Input) {
			p := e.parse(t, d, line)
			e.send(t, d, &out, p)
		}
	case "ask":
		for _, line := range lines(d.Input) {
			e.ask(t, d, &out, line)
		}
	case "advance":
		dur, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			d.Fatalf(t, "%v", err)
		}
		e.now = e.now.Add(dur)
	case "expire":
		e.walk.Expire(e.now, 1<<20)
		e.probed.Expire(e.now, 1<<20)
		e.count(t, d)
		fmt.Fprintln(&out, &e.tables)
	case "call":
		e.call(t, d, &out)
	case "drops":
		e.drops(&out)
	case "metrics":
		e.metrics(t, &out)
	case "flowlog":
		e.flowlog(&out)
	default:
		d.Fatalf(t, "unknown directive %s", d.Cmd)
	}
	return out.String()
}

func (e *env) begin(t *testing.T, d *datadriven.TestData) {
	e.lab = newLab(t, e.v6, d.Input)
	e.spliced = strings.Contains(d.Input, " proxy")
	s := dataplane.DefaultSettings()
	s.Seed = 1
	d.MaybeScanArgs(t, "seed", &s.Seed)
	d.MaybeScanArgs(t, "source_ports", &s.SourcePorts)
	d.MaybeScanArgs(t, "tracked_flows", &s.TrackedFlows)
	s.LogHidden = d.HasArg("complete_log")
	e.complete, e.flowNames = s.LogHidden, map[uint64]int{}
	for name, to := range map[string]*time.Duration{
		"tracking_tcp": &s.Tracking.TCPEstablished, "tracking_udp": &s.Tracking.UDP, "tracking_stream": &s.Tracking.UDPStream,
	} {
		if a, ok := d.Arg(name); ok {
			v, err := time.ParseDuration(a.SingleVal(t))
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			*to = v
		}
	}
	e.walk, e.probed = dataplane.New(e.lab.prog, s), dataplane.New(e.lab.prog, s)
	e.now, e.frame, e.last = 0, packet.NewFrame(), packet.NewFrame()
	e.ports = map[netip.AddrPort]string{}
	e.tables, e.measured = dataplane.Tables{}, map[string]bool{}
}

// count verifies the invariants of the tables.
func (e *env) count(t *testing.T, d *datadriven.TestData) {
	if err := e.tables.Count(e.walk); err != nil {
		d.Fatalf(t, "%v", err)
	}
}

// parse reads one line that describes a packet:
//
//	SRC[:PORT] > DST[:PORT] tcp|udp|icmp [WORD…] [KEY=VALUE…]
//	reply [WORD…] [KEY=VALUE…]
//
// Where SRC is an address, in= names the interface. reply sends back to the last
// packet that was delivered. Words are TCP flags (SAFRPU), or echo and answer of
// ICMP, or unreachable or too_big, which quote the last packet that was delivered, alien,
// which quotes nonsense, unchecked (UDP), trace, or captured, which
// shows the packet at every interface. Keys are seq, ack, window, mss, ttl, id (of the IP header, or an echo), data
// (bytes of payload), len (of the IP packet, filled up with payload), gso, sack (a
// block LEFT-RIGHT), piece (the fragment FROM-TO of what follows the IP header), mac (the interface whose MAC address is the source).
type sent struct {
	packet.Spec
	in       dataplane.InterfaceID
	trace    bool
	captured bool
	whole    bool // its length was given, not that of its payload
	piece    bool // it is a fragment, of these bytes of what follows the IP header
	from     int
	to       int

	unchecked bool // a fragment of a datagram of IPv4 without checksum
}

// build makes a frame of the packet, or of the fragment.
func (p *sent) build(f *packet.Frame) {
	if p.piece {
		p.BuildFragment(f, p.from, p.to)
		if p.unchecked {
			copy(f.Ethernet()[14+20+6:], []byte{0, 0})
		}
	} else {
		p.Build(f)
	}
}

func (e *env) parse(t *testing.T, d *datadriven.TestData, line string) sent {
	f := strings.Fields(line)
	p := sent{Spec: packet.Spec{DF: true, Window: 8961, ID: 0x4242}}
	if f[0] == "reply" || f[0] == "unreachable" || f[0] == "too_big" {
		e.answer(t, d, &p)
	} else {
		if len(f) < 4 || f[1] != ">" {
			d.Fatalf(t, "not a packet: %q", line)
		}
		p.Src, p.in = e.end(t, d, f[0])
		if in := option(f, "in"); in != "" {
			p.in = e.lab.id(in)
		}
		p.Dst, _ = e.end(t, d, f[2])
		if nic := e.lab.nics[strings.Split(f[2], ":")[0]]; nic != nil {
			p.Dst = netip.AddrPortFrom(addrOf(nic, p.Src.Addr().Is6()), p.Dst.Port())
		}
		p.Proto = protoOf(f[3], p.Src.Addr().Is6())
		nic := &e.lab.prog.Interfaces[p.in]
		p.SrcMAC, p.DstMAC = nic.MAC, nic.RouterMAC
		for _, n := range e.lab.prog.Interfaces {
			if n.Subnet == nic.Subnet && has(&n, p.Dst.Addr()) {
				p.DstMAC = n.MAC
			}
		}
	}
	v6 := p.Src.Addr().Is6()
	for _, s := range f {
		key, value, _ := strings.Cut(s, "=")
		n := number(value)
		switch key {
		case "seq":
			p.Seq = uint32(n)
		case "ack":
			p.Ack = uint32(n)
		case "window":
			p.Window = uint16(n)
		case "mss":
			p.MSS = uint16(e.shift(n, -20))
			p.Options = []byte{1, 3, 3, 7, 4, 2, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8}
		case "sack":
			left, right, _ := strings.Cut(value, "-")
			p.Options = binary.BigEndian.AppendUint32([]byte{1, 1, 5, 10}, uint32(number(left)))
			p.Options = binary.BigEndian.AppendUint32(p.Options, uint32(number(right)))
		case "ttl":
			p.TTL = uint8(n)
		case "id":
			p.ID = uint16(n)
			if p.Proto != packet.TCP && p.Proto != packet.UDP {
				p.Src = netip.AddrPortFrom(p.Src.Addr(), uint16(n))
			}
		case "data":
			p.Payload = pattern(n)
		case "len":
			p.Payload, p.whole = pattern(n-p.headers()), true
		case "gso":
			p.GSOSize = uint16(e.shift(n, 20) - p.headers())
			if p.whole {
				p.GSOSize = uint16(n - p.headers())
			}
		case "piece":
			from, to, _ := strings.Cut(value, "-")
			p.piece, p.from, p.to = true, number(from), number(to)
		case "unchecked":
			p.unchecked = true
		case "mac":
			p.SrcMAC = e.lab.prog.Interfaces[e.lab.id(value)].MAC
		case "echo":
			p.Type = pick[uint8](v6, 128, 8)
		case "answer":
			p.Type = pick[uint8](v6, 129, 0)
		case "unreachable", "too_big":
			p.Proto, p.Type, p.Code = protoOf("icmp", v6), pick[uint8](v6, 1, 3), pick[uint8](v6, 4, 3)
			if key == "too_big" {
				p.Type, p.Code = pick[uint8](v6, 2, 3), pick[uint8](v6, 0, 4)
			}
			p.Src, p.Dst = netip.AddrPortFrom(p.Src.Addr(), 0), netip.AddrPortFrom(p.Dst.Addr(), 0)
			p.Payload = bytes.Clone(e.last.Ethernet()[14:min(14+68, len(e.last.Ethernet()))])
		case "alien": // an error about a flow that nobody knows
			p.Type, p.Code = pick[uint8](v6, 1, 3), pick[uint8](v6, 4, 3)
			p.Payload = pattern(48)
		case "trace":
			p.trace = true
		case "captured":
			p.captured = true
		default:
			if p.Proto == packet.TCP && strings.Trim(key, "SAFRPU") == "" {
				for i, letter := range "FSRPAU" {
					if strings.ContainsRune(key, letter) {
						p.Flags |= 1 << i
					}
				}
			}
		}
	}
	return p
}

// headers is how long a packet's headers are.
func (p *sent) headers() int {
	n := 20
	if p.Src.Addr().Is6() {
		n = 40
	}
	if p.Proto != packet.TCP {
		return n + 8
	}
	n += 20 + len(p.Options)
	if p.MSS != 0 {
		n += 4
	}
	return n
}

func pattern(n int) []byte {
	b := make([]byte, max(n, 0))
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func pick[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// shift adds the difference of the headers' lengths to what is written as in
// IPv4.
func (e *env) shift(n, by int) int {
	if e.v6 && !e.own {
		return n + by
	}
	return n
}

// end reads INTERFACE:PORT or ADDRESS:PORT. A port may be a name that stands for
// a random one.
func (e *env) end(t *testing.T, d *datadriven.TestData, s string) (netip.AddrPort, dataplane.InterfaceID) {
	host, port, _ := strings.Cut(s, ":")
	var a netip.Addr
	id := dataplane.NoInterface
	if nic := e.lab.nics[host]; nic != nil {
		a, id = nic.Addrs[0].IP(), e.lab.id(host)
	} else if _, err := netip.ParseAddr(host); err == nil {
		a = e.lab.ip(host)
	} else {
		d.Fatalf(t, "neither an interface nor an address: %s", s)
	}
	for ap, name := range e.ports {
		if name == port && ap.Addr() == a {
			return ap, id
		}
	}
	return netip.AddrPortFrom(a, uint16(number(port))), id
}

// answer makes p a packet back to the sender of the last one delivered.
func (e *env) answer(t *testing.T, d *datadriven.TestData, p *sent) {
	var v packet.View
	if why := v.Decode(e.last); why != drop.None {
		d.Fatalf(t, "nothing was delivered that could be answered: %v", why)
	}
	p.in, p.Proto = e.lastAt, v.Proto
	p.Src = netip.AddrPortFrom(v.Dst.IP(), v.DstPort)
	p.Dst = netip.AddrPortFrom(v.Src.IP(), v.SrcPort)
	p.SrcMAC, p.DstMAC = v.DstMAC, v.SrcMAC
	if v.Proto == packet.ICMP || v.Proto == packet.ICMPv6 {
		p.Type = pick[uint8](v.V6, 129, 0)
	}
}

// has reports whether an interface has an address.
func has(n *dataplane.Interface, a netip.Addr) bool {
	return n.Kind != dataplane.Absent && slices.Contains(n.Addrs, packet.AddrFrom(a))
}

// addrOf returns an interface's address of a family, or if it has none another one.
func addrOf(n *dataplane.Interface, v6 bool) netip.Addr {
	for _, a := range n.Addrs {
		if a.Is4() != v6 {
			return a.IP()
		}
	}
	return n.Addrs[0].IP()
}
