package host

import (
	"net/netip"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// Network is what hosts are attached to.
type Network interface {
	// Transmit takes a frame that h sends. It must not keep f, which the Stack
	// uses again, but may change it; and it must not call Receive of any host
	// before it has returned.
	Transmit(h *Host, f *packet.Frame)
}

// Stack is what the hosts of one simulation share.
type Stack struct {
	queue *event.Queue
	net   Network
}

// NewStack returns a stack without hosts, whose time and chance are those of q.
func NewStack(q *event.Queue, n Network) *Stack { return &Stack{queue: q, net: n} }

// Config says what a host is like. What is 0 is as Linux has it.
type Config struct {
	ID    int // for the Network's own use
	MAC   packet.MAC
	Addrs []netip.Prefix // each with the length of its subnet's prefix
	// Routers are the default routers, at most one a family. A host without one
	// reaches its own subnet only.
	Routers []netip.Addr
	MTU     int   // of its link, in bytes of IP packet; 0: 9001 (F1.31)
	TTL     uint8 // time to live of what it sends; 0: 64
	// Window is the largest receive window of its connections, in bytes. 0: it
	// begins with what fits in 65535 bytes and grows to 3 MiB.
	Window int
	// Ports are the first and the last port that a connection may come from; 0:
	// 32768 to 60999.
	Ports [2]uint16
	// Source chooses where a connection, datagram or ping comes from that does not
	// say so itself. nil, or the zero Addr as its answer: the first address of the family.
	Source func(to netip.Addr) netip.Addr
}

// Host is a simulated host.
type Host struct {
	stack *Stack
	cfg   Config
}

// New adds a host.
func (s *Stack) New(cfg Config) *Host { return &Host{stack: s, cfg: cfg} }

// ID returns the host's Config.ID.
func (h *Host) ID() int { return h.cfg.ID }

// AddAddr gives the host another address.
func (h *Host) AddAddr(a netip.Prefix) { panic("not yet") }

// Receive takes in a frame from the network, which it does not keep. Frames that a
// host would discard are discarded.
func (h *Host) Receive(f *packet.Frame) { panic("not yet") }
