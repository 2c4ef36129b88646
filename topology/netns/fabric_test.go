package netns_test

import (
	"errors"
	"os"
	"testing"

	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/netns"
	"github.com/plsim/plsim/topology/netns/offload"
)

// TestFabricCatchesUp: a fabric that the kernel told too much at once to take in finds out
// by itself what has become of every eth0.
func TestFabricCatchesUp(t *testing.T) {
	netns.RequireSandbox(t)
	table, err := offload.New(0, 1)
	if err != nil {
		if os.Getenv("PLSIM_PRIVILEGED") == "require" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	defer table.Close()
	eth0, tap := table.Programs()
	var told []bool
	fabric, err := netns.NewFabric(eth0, tap, func(_ int, running bool) { told = append(told, running) })
	if err != nil {
		t.Fatal(err)
	}
	cfg := lab("surveyed")
	cfg.Fabric = fabric
	n, other := newNamespace(t, cfg), lab("other")
	other.Fabric = fabric
	newNamespace(t, other)
	if err := fabric.Deafen(); err != nil {
		t.Fatal(err)
	}
	send := func() error {
		f := packet.NewFrame()
		f.SetEthernet(make([]byte, 60))
		_, err := n.Port().Send(f)
		return err
	}
	for _, c := range []struct {
		args []string
		want error
	}{
		{[]string{"set", "eth0", "up"}, nil},
		{[]string{"set", "eth0", "down"}, engine.ErrDown},
		{[]string{"set", "eth0", "up"}, nil},
		{[]string{"delete", "eth0"}, os.ErrClosed},
	} {
		if _, err := n.Output(ctx, append([]string{"ip", "link"}, c.args...)...); err != nil {
			t.Fatal(err)
		}
		if err := fabric.Survey(); err != nil {
			t.Fatal(err)
		}
		if err := send(); !errors.Is(err, c.want) {
			t.Errorf("after ip link %v: Send: %v, want %v", c.args, err, c.want)
		}
	}
	if len(told) != 3 || told[0] || !told[1] || told[2] {
		t.Errorf("told %v, want down, up and away", told)
	}
	if err := fabric.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Close: %v", err)
	}
}
