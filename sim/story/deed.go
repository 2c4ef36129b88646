package story

import (
	"slices"
	"sync"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// Deed is a step that has changed the lab, or let something in it fail or come back.
// With its file, its deeds are what a lab has become by those who played in it.
type Deed struct {
	At   time.Duration  // of the lab's time
	Step *scenario.Step // as it was written, references and all
}

// deeds may be read while a step is played.
type deeds struct {
	mu   sync.Mutex
	list []Deed
}

func (d *deeds) add(one Deed) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, one)
}

func (d *deeds) all() []Deed {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clip(d.list)
}

// Renewed tells of changes by which the lab has become that of another file: deeds that
// they have taken back are forgotten, and faults that they have ended.
func (p *Player) Renewed(changes []topology.Change) {
	p.faults = slices.DeleteFunc(p.faults, func(t trouble) bool { return !(&scenario.Step{Fail: t.Fault}).Outlasts(changes) })
	p.deeds.mu.Lock()
	defer p.deeds.mu.Unlock()
	var lasting []Deed
	for _, d := range p.deeds.list {
		if d.Step.Outlasts(changes) {
			lasting = append(lasting, d)
		}
	}
	p.deeds.list = lasting // those who were given the list have it still
}

// Deeds returns what has changed the lab so far. It may be called from any goroutine.
func (p *Player) Deeds() []Deed { return p.deeds.all() }
