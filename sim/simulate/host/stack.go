package host

import (
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// Network is what hosts are attached to.
type Network interface {
	// Transmit takes a frame that h sends. It must not keep f, which the Stack
	// uses again, but may change it; and it must not call Receive of any host
	// before it has returned.
	Transmit(h *Host, f *packet.Frame)
	// Expect tells of packets that may soon be transmitted. It must not do anything
	// that shows.
	Expect(soon []Sending)
}

// Stack is what the hosts of one simulation share.
type Stack struct {
	queue *event.Queue
	net   Network
	actor event.ActorID
	hosts []*Host

	blocks  blocks
	actives []*active
	idle    []uint32 // actives that nobody uses,
	empty   []uint32 // and places for others
	memory  memory

	handlers []served
	numbers  map[Handler]uint32 // of handlers
	vacant   []uint32           // in handlers
	keepers  map[uint32]*keeper // by slot

	frame     *packet.Frame // to build in
	whole     *packet.Frame // of what arrived in fragments
	view      packet.View   // of what is received
	spec      packet.Spec
	options   [40]byte
	discarded uint64
	sendings  [batch]Sending
}

// served is a handler and how many connections it has.
type served struct {
	Handler
	conns int
}

// NewStack returns a stack without hosts, whose time and chance are those of q.
func NewStack(q *event.Queue, n Network) *Stack {
	s := &Stack{
		queue: q, net: n, frame: packet.NewFrame(),
		handlers: make([]served, 1), numbers: map[Handler]uint32{}, keepers: map[uint32]*keeper{},
	}
	s.actor = q.Register((*alarms)(s))
	return s
}

// Len returns how many connections there are, those in TIME-WAIT among them.
func (s *Stack) Len() int { return s.blocks.used }

// Discarded returns how many frames the hosts have discarded, because they could not be
// decoded or were not for them.
func (s *Stack) Discarded() uint64 { return s.discarded }

// millis returns the present moment in milliseconds, which wrap around.
func (s *Stack) millis() uint32 { return uint32(s.queue.Now() / 1e6) }

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

const (
	defaultMTU    = 9001
	defaultTTL    = 64
	defaultWindow = 3 << 20
)

// Host is a simulated host.
type Host struct {
	stack   *Stack
	cfg     Config
	index   uint32 // in Stack.hosts
	addrs   []packet.Addr
	routers [2]packet.Addr // of IPv4, of IPv6; zero: none
	tsBase  uint32         // of its timestamps
	scale   uint8          // of its windows

	neighbors map[packet.Addr]*neighbor
	latest    *neighbor              // who took the last packet
	latestTo  packet.Addr            // and where to
	mtus      map[packet.Addr]uint16 // of paths that are narrower than the link

	listeners map[netip.AddrPort]*Listener
	sockets   map[netip.AddrPort]*UDPSocket
	pings     map[uint16]*ping

	assemblies map[fragmentsOf]*assembly
}

// New adds a host.
func (s *Stack) New(cfg Config) *Host {
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	if cfg.TTL == 0 {
		cfg.TTL = defaultTTL
	}
	if cfg.Ports == [2]uint16{} {
		cfg.Ports = [2]uint16{32768, 60999}
	}
	h := &Host{stack: s, cfg: cfg, index: uint32(len(s.hosts)), tsBase: s.queue.Rand().Uint32()}
	h.cfg.Addrs = nil
	for _, a := range cfg.Addrs {
		h.AddAddr(a)
	}
	for _, r := range cfg.Routers {
		h.routers[family(packet.AddrFrom(r))] = packet.AddrFrom(r)
	}
	largest := cfg.Window
	if largest == 0 {
		largest = 2 * defaultWindow // Linux makes room for what it books beside the bytes
	}
	for largest>>h.scale > 65535 && h.scale < 14 {
		h.scale++
	}
	s.hosts = append(s.hosts, h)
	return h
}

// family returns 0 for IPv4 and 1 for IPv6.
func family(a packet.Addr) int {
	if a.Is4() {
		return 0
	}
	return 1
}

// ID returns the host's Config.ID.
func (h *Host) ID() int { return h.cfg.ID }

// Has reports whether an address is the host's.
func (h *Host) Has(a netip.Addr) bool { return h.number(packet.AddrFrom(a)) >= 0 }

// AddAddr gives the host another address; it has 255 at most.
func (h *Host) AddAddr(a netip.Prefix) {
	if len(h.addrs) == 255 {
		return
	}
	h.addrs = append(h.addrs, packet.AddrFrom(a.Addr()))
	h.cfg.Addrs = append(h.cfg.Addrs, a)
}

// number returns which of the host's addresses a is, or -1.
func (h *Host) number(a packet.Addr) int {
	for i := range h.addrs {
		if h.addrs[i] == a {
			return i
		}
	}
	return -1
}

// source returns the number of the address that a packet to an address comes from:
// the given one, which may be unspecified.
func (h *Host) source(from, to netip.Addr) (int, error) {
	if from.IsValid() && !from.IsUnspecified() {
		if i := h.number(packet.AddrFrom(from)); i >= 0 && from.Unmap().Is4() == to.Unmap().Is4() {
			return i, nil
		}
		return 0, ErrNoAddress
	}
	if h.cfg.Source != nil {
		if a := h.cfg.Source(to); a.IsValid() {
			return h.source(a, to)
		}
	}
	for i := range h.addrs {
		if h.addrs[i].Is4() == to.Unmap().Is4() {
			return i, nil
		}
	}
	return 0, ErrNoAddress
}

// port chooses a port of the host's for which free says yes, beginning anywhere.
func (h *Host) port(free func(uint16) bool) (uint16, bool) {
	first, n := uint32(h.cfg.Ports[0]), uint32(h.cfg.Ports[1]-h.cfg.Ports[0])+1
	at := h.stack.queue.Rand().Uint32N(n)
	for i := range n {
		if p := uint16(first + (at+i)%n); free(p) {
			return p, true
		}
	}
	return 0, false
}

// alarms are the events of a stack's connections.
type alarms Stack

// Kinds of events. Their argument is the slot of a block, and its generation above.
const (
	wake uint32 = iota
	probe
	expire
)

// alarm returns the event of a connection.
func (s *Stack) alarm(b *block, kind uint32) event.Event {
	return event.Event{Actor: s.actor, Kind: kind, Arg: uint64(b.gen)<<32 | uint64(b.slot)}
}

// Happen implements [event.Actor].
func (m *alarms) Happen(kind uint32, arg uint64) {
	s := (*Stack)(m)
	b := s.blocks.at(uint32(arg))
	if b.gen != uint32(arg>>32) {
		return
	}
	switch kind {
	case wake:
		s.wake(b)
	case probe:
		s.probe(b)
	case expire:
		s.expire(b)
	}
}

// linger is how long TIME-WAIT takes, and FIN-WAIT-2 of a connection that nobody holds.
const linger = 60 * time.Second
