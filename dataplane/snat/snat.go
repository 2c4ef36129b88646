// Package snat hands out the source ports with which a load balancer node
// reaches its targets.
package snat

import (
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

// The port range and the number of ports that may be in use at once between one
// node and one target (F2.30). The rest of AWS's range (F2.31) is for connections
// of a node's own, so that a health check never meets a client's flow.
const (
	FirstPort    = 1024
	LastPort     = FirstOwnPort - 1
	FirstOwnPort = 64512
	LastOwnPort  = 65535
	DefaultLimit = 55000
)

// Pair is one node address and one target: the two ends between which a source
// port must be unique. The same port may serve different pairs at once.
type Pair struct {
	Node       packet.Addr
	Target     packet.Addr
	Scope      flow.Scope // the node's interface, since VPCs overlap
	TargetPort uint16
	Proto      packet.Proto
}

const (
	total    = LastPort - FirstPort + 1
	maxSpare = 16
)

// Pool knows which source ports are in use between which pairs, and which rest:
// their connection is over, but its target may still hold it in TIME_WAIT and
// would take a new one's SYN for a part of it (F2.34). A Pool has one owner.
type Pool struct {
	limit int
	pairs map[Pair]*portSet
	spare []*portSet // empty, for the next pair

	resting []*portSet // those with resting ports, which Wake visits in turn
	turn    int        // whose it is
}

// NewPool returns a pool that lets at most limit ports of a pair be in use at
// once. A limit of 0 or less means [DefaultLimit]; one beyond the port range
// means all of it.
func NewPool(limit int) *Pool {
	if limit <= 0 {
		limit = DefaultLimit
	}
	return &Pool{limit: min(limit, total), pairs: make(map[Pair]*portSet)}
}

// Limit returns how many ports of a pair may be in use at once.
func (p *Pool) Limit() int { return p.limit }

// InUse returns how many ports of the pair are in use.
func (p *Pool) InUse(pair Pair) int {
	if u := p.pairs[pair]; u != nil {
		return u.inUse
	}
	return 0
}

// Resting returns how many ports of the pair rest.
func (p *Pool) Resting(pair Pair) int {
	if u := p.pairs[pair]; u != nil {
		return len(u.resting)
	}
	return 0
}

// Take returns a port that is not in use for the pair, chosen by the random
// number rnd. Every free port is as likely as any other (F2.32); where none is
// free, it is the one that has rested longest. It reports false if the limit is
// reached, to which resting ports do not count.
func (p *Pool) Take(now clock.Time, pair Pair, rnd uint64) (port uint16, ok bool) {
	u := p.pairs[pair]
	if u == nil {
		u = p.fresh()
		u.pair = pair
		p.pairs[pair] = u
	}
	i, ok := u.choose(p.limit, rnd)
	if !ok {
		return 0, false
	}
	u.take(now, i)
	return uint16(FirstPort + i), true
}

// Choice is a port that [Pool.Take] would return. It is good until the pool is asked for
// anything else.
type Choice struct {
	of    *portSet
	index int
}

// Choose makes c the port that Take would return for a pair, of which some ports are in use
// or rest, and does not take it. If c is another choice for the pair, however long ago, that
// saves some time.
func (p *Pool) Choose(c *Choice, pair *Pair, rnd uint64) (ok bool) {
	if c.of == nil || c.of.pair != *pair {
		if c.of = p.pairs[*pair]; c.of == nil {
			return false
		}
	}
	c.index, ok = c.of.choose(p.limit, rnd)
	return ok
}

// Port returns the port that was chosen.
func (c Choice) Port() uint16 { return uint16(FirstPort + c.index) }

// Take takes the port that was chosen.
func (c Choice) Take(now clock.Time) { c.of.take(now, c.index) }

// Next returns the port that Take would, and does not take it.
func (p *Pool) Next(pair Pair, rnd uint64) (port uint16, ok bool) {
	u := p.pairs[pair]
	if u == nil {
		u = new(portSet)
	}
	i, ok := u.choose(p.limit, rnd)
	return uint16(FirstPort + i), ok
}

// Release gives back a port that is in use. One that is free is ignored.
func (p *Pool) Release(pair Pair, port uint16) {
	if u, i := p.used(pair, port); u != nil {
		u.inUse--
		u.free(i)
		p.drop(u)
	}
}

// Rest gives back a port that is in use, and that should not be used again until
// some time. One that is free is ignored.
func (p *Pool) Rest(pair Pair, port uint16, until clock.Time) {
	u, i := p.used(pair, port)
	if u == nil {
		return
	}
	u.inUse--
	u.resting = append(u.resting, rest{until, uint16(i)})
	if !u.listed {
		u.listed = true
		p.resting = append(p.resting, u)
	}
}

// Wake frees ports that have rested long enough. It takes up to n steps, or until all that
// is left rests on, and goes on where it stopped when it is called again.
func (p *Pool) Wake(now clock.Time, n int) {
	for resting := 0; n > 0 && resting < len(p.resting); n-- {
		p.turn %= len(p.resting)
		u := p.resting[p.turn]
		switch {
		case u.wake(now):
			resting = 0
		case len(u.resting) > 0:
			p.turn++
			resting++
		default:
			last := len(p.resting) - 1
			p.resting[p.turn] = p.resting[last]
			p.resting = p.resting[:last]
			u.listed = false
			p.drop(u)
		}
	}
}

// used finds the state of a pair whose port is not free.
func (p *Pool) used(pair Pair, port uint16) (*portSet, int) {
	u := p.pairs[pair]
	if u == nil || port < FirstPort || port > LastPort {
		return nil, 0
	}
	i := int(port) - FirstPort
	if w, bit := u.word(i); *w&bit == 0 {
		return nil, 0
	}
	return u, i
}

// drop forgets a pair of which there is nothing to know.
func (p *Pool) drop(u *portSet) {
	if u.inUse > 0 || u.listed {
		return
	}
	delete(p.pairs, u.pair)
	u.pair = Pair{}
	u.resting = nil
	if len(p.spare) < maxSpare {
		p.spare = append(p.spare, u)
	}
}

// fresh returns the state of a pair without connections. One that was given
// back is clean: all its bits were cleared one by one.
func (p *Pool) fresh() *portSet {
	n := len(p.spare)
	if n == 0 {
		return new(portSet)
	}
	u := p.spare[n-1]
	p.spare = p.spare[:n-1]
	return u
}
