// Package snat hands out the source ports with which a load balancer node
// reaches its targets.
package snat

import (
	"math/bits"

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
	total      = LastPort - FirstPort + 1
	blockWords = 62
	blockPorts = blockWords * 64
	numBlocks  = total / blockPorts // 16, without rest
	maxSpare   = 16
)

// Pool knows which source ports are in use between which pairs. It has one owner.
type Pool struct {
	limit int
	pairs map[Pair]*portSet
	spare []*portSet // empty, for the next pair
}

// portSet is the state of one pair: a bit for each port in use, and how many there
// are in each block of bits, so that the search for a free one is short.
type portSet struct {
	inUse int
	count [numBlocks]uint16
	words [numBlocks][blockWords]uint64
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

// Take returns a port that is not in use for the pair, chosen by the random
// number rnd; every free port is as likely as any other (F2.32). It reports
// false if the limit is reached.
func (p *Pool) Take(pair Pair, rnd uint64) (uint16, bool) {
	u := p.pairs[pair]
	if u == nil {
		u = p.fresh()
		p.pairs[pair] = u
	}
	if u.inUse >= p.limit {
		return 0, false
	}
	nth, _ := bits.Mul64(rnd, uint64(total-u.inUse))
	i := u.free(int(nth))
	u.count[i/blockPorts]++
	u.inUse++
	*u.word(i) |= 1 << (i % 64)
	return uint16(FirstPort + i), true
}

// Release gives a port back. A port that is not in use for the pair is ignored.
func (p *Pool) Release(pair Pair, port uint16) {
	u := p.pairs[pair]
	if u == nil || port < FirstPort || port > LastPort {
		return
	}
	i := int(port) - FirstPort
	w, bit := u.word(i), uint64(1)<<(i%64)
	if *w&bit == 0 {
		return
	}
	*w &^= bit
	u.count[i/blockPorts]--
	u.inUse--
	if u.inUse > 0 {
		return
	}
	delete(p.pairs, pair)
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

func (u *portSet) word(i int) *uint64 {
	return &u.words[i/blockPorts][i%blockPorts/64]
}

// free returns the index of the nth port that is not in use, from 0. There must
// be more than nth of them. It takes at most 16+62+63 steps.
func (u *portSet) free(nth int) int {
	b := 0
	for ; nth >= blockPorts-int(u.count[b]); b++ {
		nth -= blockPorts - int(u.count[b])
	}
	w := 0
	for ; nth >= bits.OnesCount64(^u.words[b][w]); w++ {
		nth -= bits.OnesCount64(^u.words[b][w])
	}
	left := ^u.words[b][w]
	for ; nth > 0; nth-- {
		left &= left - 1 // takes away the lowest
	}
	return b*blockPorts + w*64 + bits.TrailingZeros64(left)
}
