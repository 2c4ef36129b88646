package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"time"

	"github.com/plsim/plsim/sim/emulate"
)

// side is an end of a path.
type side int

const (
	clientSide side = iota
	serverSide
)

// port is where the traffic server listens, and what the way in is called where
// there is one: endpoint, DNAT rule.
const port = 5201

// A path is a client and a server in namespaces of their own, and a middle
// between them. Client and server are processes of their own, and each has an
// eth0; paths differ in nothing but the middle.
type path struct {
	name string
	to   netip.AddrPort // where the client finds the server

	// exec runs a program on one side to its end and returns what it printed. An
	// exit code other than 0 is an error.
	exec  func(ctx context.Context, s side, stdin string, argv ...string) (string, error)
	close func() error

	tcpOnly  bool // it forwards no UDP
	offloads bool // the kernel moves packets of settled flows
}

// withoutOffload is the path on which the forwarder moves every packet.
const withoutOffload = "forwarder"

// A builder makes a path, whose server listens when it returns.
type builder func(ctx context.Context) (*path, error)

// builders are the middles to choose from, plsim's own first.
var builders = []struct {
	name  string
	build builder
}{
	{"plsim", newLab(emulate.Options{Seed: 1, Name: "plsim"})},                                // an endpoint, a load balancer and a target
	{withoutOffload, newLab(emulate.Options{Seed: 1, Name: withoutOffload, NoOffload: true})}, // the same, where the forwarder moves every packet
	{"workers", newLab(emulate.Options{Seed: 1, Name: "workers", Workers: 2})},                // and with two workers
	{"nft", newNFT},        // the kernel's own DNAT and SNAT in a routing namespace
	{"veth", newDirect},    // nothing: one pair of devices
	{"splice", newSplicer}, // a proxy in Go that copies within the kernel
	{"haproxy", newHAProxy},
	{"nginx", newNginx},
	{"socat", newSocat},
}

// RivalNames are the names of rivals that [Options] may have, plsim's own other paths
// first.
func RivalNames() []string {
	var names []string
	for _, b := range builders[1:] {
		names = append(names, b.name)
	}
	return names
}

// StrangerNames are the names of rivals that are not plsim.
func StrangerNames() []string { return RivalNames()[2:] }

// Missing says that a path cannot be had on this host.
type Missing struct {
	Path string
	Why  error
}

func (m *Missing) Error() string { return m.Path + ": " + m.Why.Error() }

func (m *Missing) Unwrap() error { return m.Why }

// open builds a path and tunes it. The caller closes it.
func open(ctx context.Context, name string, mtu int) (*path, error) {
	for _, b := range builders {
		if b.name != name {
			continue
		}
		p, err := b.build(ctx)
		if err != nil {
			return nil, fmt.Errorf("build the path %s: %w", name, err)
		}
		p.name = name
		err = p.tune(ctx, mtu)
		if err == nil {
			err = p.faithful(ctx)
		}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("set up the path %s: %w", name, err), p.close())
		}
		return p, nil
	}
	return nil, fmt.Errorf("there is no path %q", name)
}

// tune gives both ends the same MTU and the same congestion control: the host's
// default may be one that measures the path by its own lights, and inside a
// namespace only a route can choose another.
func (p *path) tune(ctx context.Context, mtu int) error {
	const routes = `ip -4 route show dev eth0 | while read -r route; do
		ip -4 route change $route dev eth0 congctl cubic || exit 1
	done`
	for _, s := range []side{clientSide, serverSide} {
		if mtu != 0 {
			if _, err := p.exec(ctx, s, "", "ip", "link", "set", "eth0", "mtu", strconv.Itoa(mtu)); err != nil {
				return err
			}
		}
		if _, err := p.exec(ctx, s, "", "sh", "-c", routes); err != nil {
			return err
		}
	}
	return nil
}

// ask has a client process of the path do what r says.
func (p *path) ask(ctx context.Context, r request) (reply, error) {
	r.To = p.to.String()
	in, err := json.Marshal(r)
	if err != nil {
		return reply{}, err
	}
	out, err := p.exec(ctx, clientSide, string(in), trafficProgram, clientRole)
	if err != nil {
		return reply{}, fmt.Errorf("%s: %w", p.name, err)
	}
	var a reply
	if err := json.Unmarshal([]byte(out), &a); err != nil {
		return reply{}, fmt.Errorf("%s: the client printed %q: %w", p.name, out, err)
	}
	return a, nil
}

// await returns when the server of a path that nobody else waits for accepts
// connections.
func await(ctx context.Context, dial func(context.Context, string, string) (net.Conn, error), to netip.AddrPort) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for {
		c, err := dial(ctx, "tcp", to.String())
		if err == nil {
			return c.Close()
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("nothing listens on %s: %w", to, err)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// faithful has some megabytes cross the path both ways and compares what was sent with
// what has arrived.
func (p *path) faithful(ctx context.Context) error {
	const size = 4 << 20
	for _, r := range []request{{Upload: size, Seed: 1}, {Download: size, Seed: 2}} {
		a, err := p.ask(ctx, r)
		if err != nil {
			return err
		}
		if a.Sent == "" || a.Sent != a.Received {
			return fmt.Errorf("%s: SHA-256 of what was sent is %s, and of what was received %s", p.name, a.Sent, a.Received)
		}
	}
	return nil
}

// harms are the counters of a kernel that has received what somebody has spoiled.
var harms = []string{"Ip.InHdrErrors", "Icmp.InCsumErrors", "Tcp.InCsumErrors", "Tcp.InErrs", "Udp.InCsumErrors"}

// intact says which side has received packets that were spoiled on their way.
func (p *path) intact(ctx context.Context) error {
	for s, name := range []string{clientSide: "client", serverSide: "server"} {
		all, err := p.counters(ctx, side(s))
		if err != nil {
			return err
		}
		for _, c := range harms {
			n, known := all[c]
			if c == "Tcp.InErrs" { // a SYN on a connection is counted, too, and is not spoiled: RFC 5961 section 4.2
				n -= min(n, all["TcpExt.TCPSYNChallenge"])
			}
			switch {
			case !known:
				return fmt.Errorf("%s: the kernel of the %s does not count %s", p.name, name, c)
			case n != 0:
				return fmt.Errorf("%s: the %s has received spoiled packets: %s is %d", p.name, name, c, n)
			}
		}
	}
	return nil
}

// counters reads the network counters of one side, as /proc/net/snmp and /proc/net/netstat
// name them: Tcp.InCsumErrors; and those of eth0: eth0.rx_packets.
func (p *path) counters(ctx context.Context, s side) (map[string]uint64, error) {
	out, err := p.exec(ctx, s, "", "cat", "/proc/net/snmp", "/proc/net/netstat", "/proc/net/dev")
	if err != nil {
		return nil, err
	}
	all := map[string]uint64{}
	add := func(name, value string) {
		if n, err := strconv.ParseUint(value, 10, 64); err == nil { // Tcp.MaxConn is negative
			all[name] = n
		}
	}
	names := map[string][]string{} // of a protocol: its first line
	for line := range strings.Lines(out) {
		key, rest, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		values := strings.Fields(rest)
		switch {
		case key == "eth0" && len(values) > 9:
			for i, name := range map[int]string{0: "rx_bytes", 1: "rx_packets", 8: "tx_bytes", 9: "tx_packets"} {
				add("eth0."+name, values[i])
			}
		case names[key] == nil:
			names[key] = values
		case len(names[key]) == len(values):
			for i, name := range names[key] {
				add(key+"."+name, values[i])
			}
		}
	}
	return all, nil
}
