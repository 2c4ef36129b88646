package emulate

import (
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// resolver is a VPC's resolver.
type resolver struct {
	ns   *netns.Namespace
	stop []func()
}

// devices are those of a lab that come, or go.
type devices map[dataplane.InterfaceID]*netns.Namespace

// build makes all the namespaces, and attaches their devices.
func (w *World) build() error {
	made, err := w.make(w.lab)
	for i, ns := range made {
		err = errors.Join(err, w.attach(i, ns))
	}
	return err
}

// make makes namespaces for the lab's interfaces that have none, several at a time.
func (w *World) make(lab *topology.Lab) (devices, error) {
	type job struct {
		nic *topology.NIC
		cfg netns.Config
		ns  *netns.Namespace
		err error
	}
	var jobs []*job
	for _, nic := range lab.NICs {
		if w.lacks(nic) {
			jobs = append(jobs, &job{nic: nic, cfg: w.configOf(nic)})
		}
	}
	var wg sync.WaitGroup
	next := make(chan *job)
	for range min(len(jobs), 2*runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for j := range next {
				j.ns, j.err = netns.New(j.cfg)
			}
		})
	}
	for _, j := range jobs {
		next <- j
	}
	close(next)
	wg.Wait()
	made := devices{}
	var errs []error
	for _, j := range jobs {
		if j.err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", j.nic.Label, j.err))
			continue
		}
		made[j.nic.Index] = j.ns
		if err := w.put(lab, j.nic, j.ns); err != nil {
			errs = append(errs, fmt.Errorf("instance %s: %w", j.nic.Label, err))
		}
	}
	return made, errors.Join(errs...)
}

// lacks reports whether an interface has no device, and needs one.
func (w *World) lacks(nic *topology.NIC) bool {
	switch nic.Kind {
	case dataplane.Instance, dataplane.OnPremises, dataplane.Internet:
		h := w.hosts[nic.Host.Name]
		return h == nil || h.NIC.Index != nic.Index
	case dataplane.Resolver:
		return w.resolvers[nic.Index] == nil
	case dataplane.Node, dataplane.Proxy:
		return w.nodes[nic.Index] == nil
	}
	return false
}

// put makes the namespace that of an interface.
func (w *World) put(lab *topology.Lab, nic *topology.NIC, ns *netns.Namespace) error {
	switch nic.Kind {
	case dataplane.Resolver:
		w.resolvers[nic.Index] = &resolver{ns: ns}
	case dataplane.Node, dataplane.Proxy:
		w.nodes[nic.Index] = newNode(nic, ns)
	default:
		spec, err := scenario.ExpandInstance(lab, nic.Host.Instance)
		h := newHost(nic.Host, spec, ns)
		w.guard.Lock()
		defer w.guard.Unlock()
		if o := w.hosts[h.Name]; o != nil {
			w.leaving = append(w.leaving, o)
		}
		w.hosts[h.Name] = h
		return err
	}
	return nil
}

// crowded is how many interfaces make a lab in which instances know their routers from the
// start, instead of asking for them: kernels remember so many answers only, and then refuse
// to send.
const crowded = 256

// configOf describes the namespace behind an interface.
func (w *World) configOf(nic *topology.NIC) netns.Config {
	cfg := netns.Config{
		Name: nic.Label, Lab: w.name, MAC: nic.MAC, Addrs: nic.Addrs, Gateways: nic.Routers, MTU: nic.MTU,
		Single: w.lab.HasLinks(), // what links do, they do to packets
	}
	if w.shortcut != nil {
		cfg.Fabric = w.shortcut.fabric
	}
	if w.generation > 0 { // what it takes the place of may still be there
		cfg.Lab = fmt.Sprintf("%s~%d", w.name, w.generation)
	}
	switch nic.Kind {
	case dataplane.Node:
		nodeVoice(&cfg)
		fallthrough
	case dataplane.Proxy, dataplane.Resolver: // which talk to many neighbours
		cfg.Router, cfg.Routed = nic.RouterMAC, true
	default:
		if len(w.lab.NICs) > crowded {
			cfg.Router = nic.RouterMAC
		}
	}
	if h := nic.Host; h != nil {
		cfg.Hostname, cfg.Resolver, cfg.Search = h.Hostname(), h.ResolverAddr(), h.SearchDomain()
	}
	return cfg
}

// Prepare implements [live.Devices]: devices, what listens at them, and health checks follow
// the lab.
func (w *World) Prepare(lab *topology.Lab) (live.Change, error) {
	w.comeBack(lab)
	come, err := w.make(lab)
	if err == nil {
		err = w.listen(lab, come)
	}
	if err != nil {
		return live.Change{}, errors.Join(err, w.unmake(come))
	}
	gone := w.part(lab)
	for i, n := range w.nodes {
		if err := n.settle(lab.NICs[i]); err != nil {
			return live.Change{}, err
		}
	}
	w.checks.follow(lab.Checks())
	return live.Change{
		Swap: func() (err error) {
			for i, ns := range come {
				err = errors.Join(err, w.attach(i, ns))
			}
			for i := range gone {
				w.engine.Detach(i)
			}
			return err
		},
		Done: func() (err error) {
			for _, ns := range gone {
				err = errors.Join(err, ns.Close())
			}
			select {
			case w.edited <- struct{}{}:
			default: // it has been told
			}
			return err
		},
	}, nil
}

// part takes out what stands behind interfaces that are gone. Instances go only when what
// comes in their place has come up.
func (w *World) part(lab *topology.Lab) devices {
	gone := devices{}
	for i, n := range w.nodes {
		if lab.NICs[i].Kind == dataplane.Absent {
			gone[i] = n.ns
			delete(w.nodes, i)
		}
	}
	for i, r := range w.resolvers {
		if lab.NICs[i].Kind == dataplane.Absent {
			gone[i] = r.ns
			r.close()
			delete(w.resolvers, i)
		}
	}
	w.guard.Lock()
	defer w.guard.Unlock()
	for name, h := range w.hosts {
		if lab.NICs[h.NIC.Index].Kind == dataplane.Absent {
			w.leaving = append(w.leaving, h)
			delete(w.hosts, name)
		}
	}
	return gone
}

func (r *resolver) close() {
	for _, stop := range r.stop {
		stop()
	}
}

// comeBack takes back the instances that were to leave, and that the lab has nevertheless.
func (w *World) comeBack(lab *topology.Lab) {
	w.guard.Lock()
	defer w.guard.Unlock()
	for i := 0; i < len(w.leaving); {
		h := w.leaving[i]
		if lab.NICs[h.NIC.Index].Kind == dataplane.Absent {
			i++
			continue
		}
		w.leaving = append(w.leaving[:i], w.leaving[i+1:]...)
		if o := w.hosts[h.Name]; o != nil {
			w.leaving = append(w.leaving, o)
		}
		w.hosts[h.Name] = h
	}
}

// unmake undoes make.
func (w *World) unmake(made devices) (err error) {
	for i, ns := range made {
		if r := w.resolvers[i]; r != nil {
			r.close()
		}
		delete(w.resolvers, i)
		delete(w.nodes, i)
		err = errors.Join(err, ns.Close())
	}
	w.guard.Lock()
	defer w.guard.Unlock()
	for name, h := range w.hosts {
		if made[h.NIC.Index] == nil {
			continue
		}
		h.stop()
		delete(w.hosts, name)
	}
	return err
}
