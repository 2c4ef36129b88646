package topology

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/conntrack"
)

// tracking completes and checks the timeouts of an interface, if it has its own (F3.14).
func (b *builder) tracking(path string, t *ConnectionTracking) {
	if t == nil {
		return
	}
	aws := conntrack.DefaultTimeouts()
	for _, n := range []struct {
		key        string
		value      *int
		normal     time.Duration
		least, max int
	}{
		{"tcp_established_timeout", &t.TCPEstablished, aws.TCPEstablished, 60, 432000},
		{"udp_stream_timeout", &t.UDPStream, aws.UDPStream, 60, 180},
		{"udp_timeout", &t.UDP, aws.UDP, 30, 60},
	} {
		*n.value = cmp.Or(*n.value, int(n.normal/time.Second))
		if *n.value < n.least || *n.value > n.max {
			b.problems.add(at(path, n.key), "%d is out of range: AWS takes %d to %d seconds", *n.value, n.least, n.max)
		}
	}
}

// timeouts compiles the timeouts of an interface; nil stands for AWS's defaults.
func (t *ConnectionTracking) timeouts() *conntrack.Timeouts {
	if t == nil {
		return nil
	}
	out := conntrack.DefaultTimeouts()
	out.TCPEstablished, out.UDPStream, out.UDP = seconds(t.TCPEstablished), seconds(t.UDPStream), seconds(t.UDP)
	return &out
}

// ModifyNetworkInterface changes the security groups of an instance's interface, or
// for how long they remember idle connections; what is not given stays. Connections
// that are tracked live on (F3.12). The error is of type [Problems], with paths
// relative to the change, where it is at fault, and a *[Refusal] where AWS would
// refuse it.
func (l *Lab) ModifyNetworkInterface(c *InterfaceChange) error {
	n, err := l.Interface(c.Interface)
	if err != nil {
		return Problems{{Path: "network_interface_id", Msg: err.Error()}}
	}
	b := &builder{Lab: l}
	switch {
	case n.Kind != dataplane.Instance:
		return &Refusal{"AuthFailure: You do not have permission to access the specified resource.", fmt.Sprintf("%s is not an instance's: its owner manages it", n.Label)}
	case c.Groups == nil && c.Tracking == nil:
		b.problems.add("", "nothing changes: give groups or connection_tracking_specification")
	case c.Groups != nil && len(c.Groups) == 0:
		b.problems.add("groups", "is empty: an interface has one security group at least")
	}
	groups, tracking := n.groups, clone(c.Tracking)
	if c.Groups != nil {
		groups = b.groupRefs("groups", n.Network, c.Groups)
	}
	b.tracking("connection_tracking_specification", tracking)
	b.problems.sort()
	if err := b.problems.err(); err != nil {
		return err
	}
	n.groups = slices.Clone(groups)
	if tracking != nil {
		n.tracking = tracking
	}
	return nil
}
