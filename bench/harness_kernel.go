package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/plsim/plsim/topology/netns"
)

// double is a path that the kernel alone makes, of plain namespaces and veth
// pairs between them.
type double struct {
	client, middle, server *netns.Namespace // middle is nil where there is none
}

// rules do what a path over PrivateLink does to packets: another destination, a
// random source port of another source, and the clamped MSS (F1.32), which nft
// never raises.
const rules = `
table ip double {
	chain in {
		type nat hook prerouting priority dstnat
		meta l4proto { tcp, udp } th dport %[1]d dnat to %[2]s:%[1]d
	}
	chain out {
		type nat hook postrouting priority srcnat
		oifname "server" snat to %[3]s fully-random
	}
	chain through {
		type filter hook forward priority mangle
		tcp flags syn tcp option maxseg size set 8365
	}
}
`

// Addresses of the double.
const (
	clientAddr  = "10.1.0.2"
	clientGate  = "10.1.0.1"
	serverAddr  = "10.2.0.2"
	serverGate  = "10.2.0.1"
	doubleRange = "/24"
)

// newNFT builds the path through the kernel's own DNAT and SNAT.
func newNFT(ctx context.Context) (*path, error) {
	if err := installed("ip", "nft"); err != nil {
		return nil, &Missing{"nft", err}
	}
	d := new(double)
	err := d.route(ctx, "nft")
	if err == nil {
		if _, why := run(ctx, d.middle, fmt.Sprintf(rules, port, serverAddr, serverGate), "nft", "-f", "-"); why != nil {
			err = &Missing{"nft", why} // a kernel without it
		}
	}
	return d.path(ctx, clientGate, err)
}

// route makes the namespaces of a path with a router in the middle.
func (d *double) route(ctx context.Context, name string) error {
	err := d.make(ctx, name, true)
	for _, script := range []string{
		"echo 1 > /proc/sys/net/ipv4/ip_forward",
		"ip link set client mtu 9001 up && ip addr add " + clientGate + doubleRange + " dev client",
		"ip link set server mtu 9001 up && ip addr add " + serverGate + doubleRange + " dev server",
	} {
		if err == nil {
			_, err = run(ctx, d.middle, "", "sh", "-c", script)
		}
	}
	if err == nil {
		err = d.plug(ctx, d.client, clientAddr, clientGate)
	}
	if err == nil {
		err = d.plug(ctx, d.server, serverAddr, serverGate)
	}
	return err
}

// newDirect builds the path without a middle.
func newDirect(ctx context.Context) (*path, error) {
	if err := installed("ip"); err != nil {
		return nil, &Missing{"veth", err}
	}
	d := new(double)
	err := d.make(ctx, "veth", false)
	if err == nil {
		err = d.plug(ctx, d.client, clientAddr, "")
	}
	if err == nil {
		err = d.plug(ctx, d.server, clientGate, "")
	}
	return d.path(ctx, clientGate, err)
}

func installed(programs ...string) error {
	for _, p := range programs {
		if !netns.HasProgram(p) {
			return fmt.Errorf("%s is not installed", p)
		}
	}
	return nil
}

// make makes the namespaces and the devices between them.
func (d *double) make(ctx context.Context, name string, routed bool) (err error) {
	plain := func(what string) (n *netns.Namespace) {
		if err == nil {
			n, err = netns.NewPlain("bench/" + name + "/" + what)
		}
		return n
	}
	d.client, d.server = plain("client"), plain("server")
	if !routed {
		if err == nil {
			err = netns.Veth(d.client, "eth0", d.server, "eth0")
		}
		return err
	}
	d.middle = plain("router")
	if err == nil {
		err = netns.Veth(d.client, "eth0", d.middle, "client")
	}
	if err == nil {
		err = netns.Veth(d.server, "eth0", d.middle, "server")
	}
	return err
}

// plug sets up one end's eth0, with the MTU of an instance (F1.31).
func (d *double) plug(ctx context.Context, n *netns.Namespace, addr, gateway string) error {
	script := "ip link set eth0 mtu 9001 up && ip addr add " + addr + doubleRange + " dev eth0"
	if gateway != "" {
		script += " && ip route add default via " + gateway
	}
	_, err := run(ctx, n, "", "sh", "-c", script)
	return err
}

// path starts the server and makes a path of d, or closes it all for the error
// that building it came to.
func (d *double) path(ctx context.Context, to string, err error) (*path, error) {
	p := &path{
		to: netip.AddrPortFrom(netip.MustParseAddr(to), port),
		exec: func(ctx context.Context, s side, stdin string, argv ...string) (string, error) {
			n := d.client
			if s == serverSide {
				n = d.server
			}
			return run(ctx, n, stdin, argv...)
		},
		close: d.close,
	}
	if err == nil {
		_, err = d.server.Start(ctx, netns.Cmd{Argv: []string{trafficProgram, serverRole}})
	}
	if err == nil {
		err = await(ctx, d.client.Dial, p.to)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return p, nil
}

func (d *double) close() error {
	var errs []error
	for _, n := range []*netns.Namespace{d.client, d.server, d.middle} {
		if n != nil {
			errs = append(errs, n.Close())
		}
	}
	return errors.Join(errs...)
}

// run runs a program in a namespace to its end and returns what it printed.
func run(ctx context.Context, n *netns.Namespace, stdin string, argv ...string) (string, error) {
	var out, complaint bytes.Buffer
	p, err := n.Start(ctx, netns.Cmd{Argv: argv, Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &complaint})
	if err != nil {
		return "", err
	}
	code, err := p.Wait()
	if err == nil && code != 0 {
		err = fmt.Errorf("%v: exit code %d: %s", argv, code, bytes.TrimSpace(complaint.Bytes()))
	}
	return out.String(), err
}
