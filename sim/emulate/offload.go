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

// Why the kernel forwards no packets by itself.
var (
	errUnwanted = errors.New("it is switched off")
	errLinks    = errors.New("the lab has links, and what happens there happens to each packet")
	errWorkers  = errors.New("several workers share the flows")
)

// newShortcut has the kernel forward packets of settled flows, or returns why it does not:
// it lacks what that takes, or the caller the right to it, as in a user namespace. Then
// nobody misses anything but time.
func (w *World) newShortcut(opts *Options) (*shortcut, error) {
	switch {
	case opts.NoOffload:
		return nil, errUnwanted
	case w.lab.HasLinks():
		return nil, errLinks
	case opts.Workers > 1:
		return nil, errWorkers
	}
	table, err := offload.New(w.now(), int(w.scale))
	if err != nil {
		return nil, err
	}
	eth0, tap := table.Programs()
	fabric, err := netns.NewFabric(eth0, tap, table.Reach)
	if err != nil {
		return nil, errors.Join(err, table.Close())
	}
	w.engine.Offload(table)
	return &shortcut{table, fabric}, nil
}

// Offloads returns nil if the kernel forwards packets of settled flows, and else why it
// does not.
func (w *World) Offloads() error { return w.noShortcut }

// attach puts the device of a namespace behind an interface.
func (w *World) attach(id dataplane.InterfaceID, ns *netns.Namespace) error {
	port := ns.Port()
	if w.shortcut != nil {
		w.shortcut.table.Attach(id, port.(*netns.TAP).Device())
	}
	return w.engine.Attach(id, port)
}

// halt has the kernel forward no more, when the engine has ended. What has passed can still
// be asked for.
func (s *shortcut) halt() {
	if s != nil {
		s.table.Suspend()
	}
}

// close gives back what the lab no longer needs, when the engine has ended.
func (s *shortcut) close() error {
	if s == nil {
		return nil
	}
	return errors.Join(s.fabric.Close(), s.table.Close())
}
