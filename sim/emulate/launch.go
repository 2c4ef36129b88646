package emulate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// Become makes the lab another one, and returns when that is ready for use: as at the
// start, services listen, and programs that are to be waited for answer. What is the same
// in both lives on. Where something fails, the lab is brought back to what it was; programs
// and services that have been restarted since are so once more.
func (w *World) Become(ctx context.Context, renew live.Renewal) error {
	w.generation++
	undo, err := w.Lab.Become(renew)
	if err != nil {
		return err
	}
	if err = w.launch(ctx); err != nil {
		if failed := undo(); failed != nil {
			return errors.Join(err, failed)
		}
		err = errors.Join(err, w.launch(w.life))
	}
	return errors.Join(err, w.depart())
}

// depart parts with the instances that are gone.
func (w *World) depart() error {
	w.guard.Lock()
	gone := w.leaving
	w.leaving = nil
	w.guard.Unlock()
	var errs []error
	for _, h := range gone {
		errs = append(errs, w.calm(h), w.Do(func(*dataplane.Walk, clock.Time) { w.engine.Detach(h.NIC.Index) }))
		for port := range h.closers {
			h.hush(port)
		}
		errs = append(errs, h.ns.Close()) // which kills what runs there
	}
	return errors.Join(errs...)
}

// launch has what runs in the instances follow the lab: it writes their files, starts
// their programs and waits for those that are to be waited for; and where a built-in
// service or a program is another than before, it takes that one's place.
func (w *World) launch(ctx context.Context) error {
	var waits []*host
	for _, h := range w.ordered() {
		spec, err := w.specOf(h)
		if err != nil {
			return fmt.Errorf("instance %s: %w", h.Name, err)
		}
		if err := w.renewServices(h, spec); err != nil {
			return err
		}
		again := !h.started || !sameProgram(h.spec, spec)
		h.spec = spec
		if !again {
			if w.ca != nil && !h.trusts { // what it starts from now on does
				if err := w.furnish(h); err != nil {
					return fmt.Errorf("instance %s: %w", h.Name, err)
				}
			}
			continue
		}
		if err := w.restart(h); err != nil {
			return err // names the instance
		}
		if spec.WaitForPort != 0 {
			waits = append(waits, h)
		}
	}
	var wg sync.WaitGroup
	errs := make([]error, len(waits))
	for i, h := range waits {
		wg.Go(func() { errs[i] = h.await(ctx, w.patience) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// specOf returns what an instance is to run, with its references replaced.
func (w *World) specOf(h *host) (spec *topology.Instance, err error) {
	err = w.Look(func(lab *topology.Lab) error {
		of, err := lab.Instance(h.Name)
		if err == nil {
			spec, err = scenario.ExpandInstance(lab, of.Instance)
		}
		return err
	})
	return spec, err
}

// ordered returns the instances by name.
func (w *World) ordered() (all []*host) {
	w.guard.RLock()
	defer w.guard.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		all = append(all, w.hosts[name])
	}
	return all
}

// sameProgram reports whether two states of an instance run the same program in the same
// way.
func sameProgram(a, b *topology.Instance) bool {
	return slices.Equal(a.Command, b.Command) && maps.Equal(a.Environment, b.Environment) &&
		maps.Equal(a.Files, b.Files) && a.WaitForPort == b.WaitForPort
}

// renewServices has an instance's built-in services be those of spec: on each port where
// there is a difference, all of them anew.
func (w *World) renewServices(h *host, spec *topology.Instance) error {
	before, after := byPort(h.spec.Services), byPort(spec.Services)
	for port := range before {
		if reflect.DeepEqual(before[port], after[port]) {
			delete(after, port)
			continue
		}
		if err := w.calm(h); err != nil {
			return err
		}
		h.hush(port)
		delete(h.parts, port)
	}
	for _, port := range slices.Sorted(maps.Keys(after)) {
		if err := h.serveAll(w.life, w, after[port]); err != nil {
			return err
		}
	}
	return nil
}

func byPort(services []*topology.Service) map[int][]*topology.Service {
	by := map[int][]*topology.Service{}
	for _, s := range services {
		by[s.Port] = append(by[s.Port], s)
	}
	return by
}

// restart starts the program of an instance, which is another than before, if there was
// one.
func (w *World) restart(h *host) error {
	if err := w.calm(h); err != nil {
		return err
	}
	if p := h.program.Swap(nil); p != nil {
		p.process.Kill()
		<-p.ended
	}
	delete(h.parts, 0)
	if err := w.furnish(h); err != nil {
		return fmt.Errorf("instance %s: %w", h.Name, err)
	}
	h.started = true
	if len(h.spec.Command) == 0 {
		return nil
	}
	if err := h.run(w.life, h.spec.Command); err != nil {
		return err
	}
	h.parts[0] = append(h.parts[0], &command{host: h, life: w.life})
	return nil
}

// calm ends the faults of an instance that come and go: what it runs is about to be whole.
func (w *World) calm(h *host) error {
	var errs []error
	w.flaps = slices.DeleteFunc(w.flaps, func(f flap) bool {
		if f.Instance != h.Name {
			return false
		}
		errs = append(errs, f.stop())
		return true
	})
	return errors.Join(errs...)
}

// furnish fills an instance's home directory and environment. Its programs trust the lab's
// own certificates, where it has some.
func (w *World) furnish(h *host) error {
	var env []string
	if w.ca != nil {
		if err := h.ns.WriteFile("ca-certificates.pem", w.ca.bundle()); err != nil {
			return err
		}
		path := h.ns.Home() + "/ca-certificates.pem"
		// The names under which curl, OpenSSL, Python's requests and Node look for it.
		for _, name := range []string{"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"} {
			env = append(env, name+"="+path)
		}
	}
	if w.scenarioDir != "" {
		env = append(env, "SCENARIO_DIR="+w.scenarioDir)
	}
	for name, value := range h.spec.Environment {
		env = append(env, name+"="+value)
	}
	for name, content := range h.spec.Files {
		if err := h.ns.WriteFile(name, content); err != nil {
			return err
		}
	}
	w.guard.Lock()
	defer w.guard.Unlock()
	h.env, h.trusts = env, w.ca != nil
	return nil
}
