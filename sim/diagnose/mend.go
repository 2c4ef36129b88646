package diagnose

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// change is something that somebody could change to mend a way: of the lab as it runs,
// or of what its author wrote.
type change struct {
	text string // in Terraform's words
	spec func(*topology.Spec) error
	lab  func(*topology.Lab) error
	heal *scenario.Heal
}

// unfitError says that a change does not fit what the author wrote.
type unfitError struct{ what string }

func (e *unfitError) Error() string { return e.what }

const (
	// maxChanges is how many changes are looked for at most.
	maxChanges = 8
	// maxTries is how many copies of the lab are made for that.
	maxTries = 200
)

// mend looks for changes after which the packet arrives and is answered, one after the
// other: each is tried in a copy of the lab of its own, and kept if the packet comes
// further with it. Where that does not succeed it returns none, and what stops the packet
// where it came furthest.
func (d *diagnosis) mend(ctx context.Context, c *copied, s *sighting) ([]change, *sighting, error) {
	var kept []change
	for len(kept) < maxChanges && !s.good() {
		next, seen, err := d.step(ctx, c, s, kept)
		if err != nil {
			return nil, nil, err
		}
		if len(kept) > 0 {
			c.Close()
		}
		if seen == nil {
			c = nil
			break
		}
		kept, s, c = append(kept, next), seen.sighting, seen.lab
	}
	if len(kept) > 0 && c != nil {
		defer c.Close()
	}
	if !s.good() {
		return nil, s, nil
	}
	kept, err := d.needed(ctx, kept)
	return kept, s, err
}

// tried is a copy of the lab with changes, and what is seen there.
type tried struct {
	lab *copied
	*sighting
}

// step finds the next change: the first that mends everything, or else the one with
// which the packet comes furthest. The result is nil where none helps.
func (d *diagnosis) step(ctx context.Context, c *copied, s *sighting, kept []change) (best change, found *tried, err error) {
	for _, candidate := range d.candidates(c, s) {
		if d.tries--; d.tries < 0 {
			break
		}
		lab, seen, err := d.try(ctx, append(slices.Clone(kept), candidate))
		if err != nil {
			return change{}, nil, err
		}
		if lab == nil {
			continue
		}
		reach := s.reach()
		if found != nil {
			reach = found.reach()
		}
		if !seen.good() && seen.reach() <= reach {
			lab.Close()
			continue
		}
		if found != nil {
			found.lab.Close()
		}
		best, found = candidate, &tried{lab, seen}
		if seen.good() {
			break
		}
	}
	return best, found, nil
}

// try makes changes in a copy of the lab. There is no copy where they do not fit.
func (d *diagnosis) try(ctx context.Context, changes []change) (*copied, *sighting, error) {
	lab, err := d.build(ctx, changes, nil)
	if err != nil {
		if broken(err) {
			err = nil
		}
		return nil, nil, err
	}
	seen, err := d.await(ctx, lab)
	if err != nil {
		lab.Close()
		return nil, nil, err
	}
	return lab, seen, nil
}

// needed leaves out the changes without which all is well, too.
func (d *diagnosis) needed(ctx context.Context, changes []change) ([]change, error) {
	for i := 0; i < len(changes) && len(changes) > 1; {
		rest := slices.Delete(slices.Clone(changes), i, i+1)
		lab, seen, err := d.try(ctx, rest)
		if err != nil {
			return nil, err
		}
		if lab != nil {
			lab.Close()
		}
		if lab != nil && seen.good() {
			changes = rest
		} else {
			i++
		}
	}
	return changes, nil
}

// candidates are the changes that may help against what stops the packet, the most
// likely first.
func (d *diagnosis) candidates(c *copied, s *sighting) []change {
	m := &mender{c.loaded.Lab, &c.loaded.Scenario.Spec, d.q, s}
	switch {
	case s.walked == nil && s.dns:
		return m.name()
	case s.walked == nil:
		return nil
	case s.fate.mute != "":
		return m.listen()
	case s.fate.hairpin:
		return m.unpreserve()
	}
	stop := s.walked.Stop()
	if stop == nil {
		return nil
	}
	switch stop.Stage {
	case dataplane.StageFilter:
		return m.groups(stop)
	case dataplane.StageEdge:
		return m.acl(stop)
	case dataplane.StageRoute, dataplane.StageTransit:
		return m.route(stop)
	case dataplane.StageEndpoint:
		return m.endpoint(stop)
	case dataplane.StageListener:
		return m.listener(stop)
	case dataplane.StageTarget:
		return m.target(stop)
	case dataplane.StageTranslate:
		return slices.Concat(m.unpreserve(), m.morePorts(stop))
	case dataplane.StageZone:
		return m.zone(stop)
	case dataplane.StageLink:
		return m.link(stop)
	}
	return nil
}

// mender knows the lab in which it looks for changes.
type mender struct {
	lab  *topology.Lab
	spec *topology.Spec
	q    *question
	*sighting
}

// nic is the interface at which a decision was made.
func (m *mender) nic(s *dataplane.TraceStep) *topology.NIC { return m.lab.NICs[s.Interface] }

// advice says what people can do where no change of the lab helps.
func advice(q *question, s *sighting) string {
	switch {
	case s.dns:
		return fmt.Sprintf("No change of the lab makes %s known: ask for a name that the resolver knows, such as an endpoint's dns_name.", q.host)
	case s.walked == nil:
		return "Give the instance an address of that family, or ask for another address."
	}
	switch s.fate.why {
	case drop.EndpointPing, drop.LoadBalancerICMP:
		return "No change lets it answer ping: ask for one of its ports, as in HOST:443."
	case drop.NoRoute:
		return fmt.Sprintf("No way out of VPC %s leads to %s: what joins it to that network is missing, such as a vpc_peering_connection, or a VPC endpoint for a service there.", strings.SplitN(q.from, "/", 2)[0], s.addrs[0])
	case drop.NoSuchAddress, drop.Internet:
		return fmt.Sprintf("Nobody has the address %s: ask for one that an interface has, or for a name.", s.addrs[0])
	}
	return "No change that plsim knows mends it."
}
