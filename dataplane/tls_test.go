package dataplane_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
)

// callKey names a client's connection at a node.
type callKey struct {
	node     dataplane.InterfaceID
	from, to netip.AddrPort
}

// call does what the server of a TLS listener does with accepted connections:
//
//	NODE CLIENT:PORT to PORT              asks for a target, and sends it a SYN
//	NODE CLIENT:PORT to PORT hang_up      gives its source port back
//	NODE CLIENT:PORT to PORT left         how long the client may stay idle
//
// CLIENT is the address by which the node knows the client.
func (e *env) call(t *testing.T, d *datadriven.TestData, out *strings.Builder) {
	for _, line := range lines(d.Input) {
		f := strings.Fields(line)
		host, port, _ := strings.Cut(f[1], ":")
		k := callKey{
			node: e.lab.id(f[0]),
			from: netip.AddrPortFrom(e.lab.ip(host), uint16(number(port))),
			to:   netip.AddrPortFrom(e.lab.nics[f[0]].Addrs[0].IP(), uint16(number(f[3]))),
		}
		switch f[len(f)-1] {
		case "hang_up":
			e.walk.HangUp(e.now, k.node, e.calls[k])
			e.probed.HangUp(e.now, k.node, e.calls[k])
		case "left":
			fmt.Fprintf(out, "left %v\n", e.walk.Left(e.now, k.node, k.from, k.to))
		default:
			c, why := e.walk.Call(e.now, k.node, k.from, k.to)
			if again, because := e.probed.Call(e.now, k.node, k.from, k.to); again.Source != c.Source || because != why {
				d.Fatalf(t, "after probes %v, %v instead of %v, %v", again, because, c, why)
			}
			if why != drop.None {
				fmt.Fprintf(out, "no call: %v\n", why)
				continue
			}
			if e.calls == nil {
				e.calls = map[callKey]dataplane.Call{}
			}
			e.calls[k] = c
			fmt.Fprintf(out, "call %s > %s tls=%v header=%d\n", e.node(t, c.Source.Addr(), c.Source.Port()), e.side(c.Target.Addr(), c.Target.Port()), c.TLS, len(c.Header))
		}
		e.count(t, d)
	}
}
