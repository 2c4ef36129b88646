package emulate

import (
	"context"
	"fmt"
	"slices"

	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// Instance is an instance as it runs now. Its JSON form is part of plsim's contract with
// users.
type Instance struct {
	Name      string   `json:"name"` // VPC/NAME
	Addresses []string `json:"addresses"`
	// Services are the built-in ones, as TYPE:PORT.
	Services []string `json:"services,omitempty"`
	// Command is the state of the instance's own program: running, or how it ended. It is
	// "" where there is none.
	Command string `json:"command,omitempty"`
}

// Instances returns the lab's instances as they are. It may be called from any goroutine.
func (w *World) Instances() (all []Instance) {
	_ = w.Look(func(lab *topology.Lab) error { // it fails when the lab ends
		w.guard.RLock()
		defer w.guard.RUnlock()
		for _, of := range lab.Hosts {
			i := Instance{Name: of.Name, Command: w.hosts[of.Name].commandState()}
			for _, a := range of.NIC.Addrs {
				i.Addresses = append(i.Addresses, a.Addr().String())
			}
			for _, s := range of.Services {
				i.Services = append(i.Services, fmt.Sprintf("%s:%d", s.Type, s.Port))
			}
			all = append(all, i)
		}
		return nil
	})
	return all
}

// commandState says whether the instance's program runs.
func (h *host) commandState() string {
	p := h.program.Load()
	if p == nil {
		return ""
	}
	select {
	case <-p.ended:
		return fmt.Sprintf("ended with exit code %d", p.code)
	default:
		return "running"
	}
}

// Launch starts a program in an instance, beside what runs there, with the instance's
// environment. The end of ctx, or of the lab, kills it. It may be called from any
// goroutine.
func (w *World) Launch(ctx context.Context, of *topology.Host, c netns.Cmd) (*netns.Process, error) {
	w.guard.RLock()
	h := w.hosts[of.Name]
	if h == nil {
		w.guard.RUnlock()
		return nil, fmt.Errorf("instance %s is gone", of.Name)
	}
	c.Env = append(slices.Clone(h.env), c.Env...)
	w.guard.RUnlock()
	p, err := h.ns.Start(ctx, c)
	if err == nil {
		stop := context.AfterFunc(w.life, p.Kill)
		go func() {
			<-p.Done()
			stop()
		}()
	}
	return p, err
}

// Ended is closed when the lab has come to its end, by itself or because it was told to.
func (w *World) Ended() <-chan struct{} { return w.life.Done() }
