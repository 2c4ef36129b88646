package emulate

import (
	"errors"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/topology/netns"
	"github.com/plsim/plsim/topology/netns/offload"
)

// shortcut is where packets of settled flows cross in the kernel.
type shortcut struct {
	table  *offload.Table
	fabric *netns.Fabric
}

// newShortcut returns nil where there can be none: the kernel lacks what it takes, or the
// caller the right to it, as in a user namespace. Nobody misses but time then.
func (w *World) newShortcut(wanted bool) (*shortcut, error) {
	if !wanted || w.lab.HasLinks() { // what happens on links, happens to each packet
		return nil, nil
	}
	table, err := offload.New(w.now(), int(w.scale))
	if err != nil {
		return nil, nil
	}
	fabric, err := netns.NewFabric(table.Programs())
	if err != nil {
		return nil, errors.Join(err, table.Close())
	}
	return &shortcut{table, fabric}, nil
}

// attach puts the device of a namespace behind an interface.
func (w *World) attach(id dataplane.InterfaceID, ns *netns.Namespace) error {
	port := ns.Port()
	if w.shortcut != nil {
		w.shortcut.table.Attach(id, port.(*netns.TAP).Device())
	}
	return w.engine.Attach(id, port)
}

// Offloads reports whether the kernel forwards packets of settled flows.
func (w *World) Offloads() bool { return w.shortcut != nil }

// close gives back what the lab no longer needs, when the engine has ended.
func (s *shortcut) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.fabric.Close(), s.table.Close())
}
