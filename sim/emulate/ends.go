package emulate

import (
	"context"
	"reflect"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/topology"
)

// end is where connections end that a load balancer takes on: a port of one of its nodes.
type end struct {
	node dataplane.InterfaceID
	port uint16
}

// opened is a listener that listens.
type opened struct {
	as   any // what it does, apart from where
	stop func()
}

// openEnds has the TLS listeners, and those of Application Load Balancers, follow the lab.
// One that is another now is closed, with the connections that its sockets had, and opened
// anew.
func (w *World) openEnds(lab *topology.Lab) error {
	wanted := map[end]bool{}
	open := func(at end, as any, start func() (func(), error)) error {
		wanted[at] = true
		if o := w.ends[at]; o != nil {
			if reflect.DeepEqual(o.as, as) {
				return nil
			}
			o.stop()
			delete(w.ends, at)
		}
		stop, err := start()
		if err == nil {
			w.ends[at] = &opened{as, stop}
			context.AfterFunc(w.life, stop)
		}
		return err
	}
	for _, l := range lab.TLSListeners() {
		as := l
		as.Node = nil
		if err := open(end{l.Node.Index, l.Port}, as, func() (func(), error) { return w.openTLS(l) }); err != nil {
			return err
		}
	}
	for _, l := range lab.HTTPListeners() {
		as := l
		if as.Node = nil; l.TLS != nil {
			ends := *l.TLS
			ends.Node, as.TLS = nil, &ends
		}
		if err := open(end{l.Node.Index, l.Port}, as, func() (func(), error) { return w.openHTTP(l) }); err != nil {
			return err
		}
	}
	for at, o := range w.ends {
		if !wanted[at] {
			o.stop()
			delete(w.ends, at)
		}
	}
	return nil
}
