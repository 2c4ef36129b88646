package host

import (
	"iter"
	"net/netip"
	"time"
)

// Handler is the application of a connection. Its dynamic type must be comparable,
// such as a pointer.
type Handler interface {
	// Connected says that the connection is established.
	Connected(c Conn)
	// Received brings bytes of the stream, in order, which are the handler's
	// until it returns.
	Received(c Conn, data []byte)
	// Finished says that the peer has sent all that it will send.
	Finished(c Conn)
	// Writable says that there is room again after [Conn.Write] took less than all.
	Writable(c Conn)
	// Closed is the last of a connection, and comes exactly once, unless the
	// handler itself called [Conn.Abort]. err is nil if both
	// sides have sent all and had it acknowledged; else it is [ErrTimeout],
	// [ErrRefused], [ErrReset] or an [Unreachable].
	Closed(c Conn, err error)
}

// Conn is one end of a TCP connection. It is comparable. Once its handler was told
// Closed it refers to nothing: its methods then do nothing and return zero values.
type Conn struct {
	h         *Host
	slot, gen uint32
}

// Dial begins a connection, whose handler is told Connected or Closed, not before Dial
// has returned. from may be
// zero, or have an address or a port only. Errors are about from: [ErrNoAddress],
// [ErrNoPort], [ErrInUse].
func (h *Host) Dial(from, to netip.AddrPort, hd Handler) (Conn, error) { panic("not yet") }

// Write puts as much of b as there is room for behind what will be sent, and returns
// how much that is. If it is not all, the handler is told Writable once there is room again.
func (c Conn) Write(b []byte) int { panic("not yet") }

// Room returns how many bytes Write would take now.
func (c Conn) Room() int { panic("not yet") }

// Buffered returns how many bytes were written and are not acknowledged yet.
func (c Conn) Buffered() int { panic("not yet") }

// CloseWrite ends the stream to the peer, after all that was written. The peer may
// go on sending.
func (c Conn) CloseWrite() { panic("not yet") }

// Close ends both directions, as a process does that closes its socket. What was
// written is still sent; bytes that arrive from now on, or wait unread, are answered with
// a reset. The handler hears no more of the connection but Closed.
func (c Conn) Close() { panic("not yet") }

// Abort ends the connection at once with a reset. The handler hears no more of it.
func (c Conn) Abort() { panic("not yet") }

// SetReading says whether the handler takes what arrives, as it does at first. If not, bytes are kept
// until the receive window is full.
func (c Conn) SetReading(yes bool) { panic("not yet") }

// SetKeepAlive probes a silent peer after idle, then each interval, and gives it up
// with ErrTimeout after count probes without an answer. An idle of 0 ends that.
func (c Conn) SetKeepAlive(idle, interval time.Duration, count int) { panic("not yet") }

// Host returns the host whose end of the connection this is.
func (c Conn) Host() *Host { return c.h }

// Local and Remote return the addresses and ports of both ends.
func (c Conn) Local() netip.AddrPort { panic("not yet") }

// Remote returns the peer's address and port.
func (c Conn) Remote() netip.AddrPort { panic("not yet") }

// State returns where the connection stands; of one that is no more, [Gone].
func (c Conn) State() State { panic("not yet") }

// User returns the word that [Conn.SetUser] has set, at first 0. It can still be read
// while the handler is told Closed.
func (c Conn) User() uint64 { panic("not yet") }

// SetUser sets a word of the user's own.
func (c Conn) SetUser(x uint64) { panic("not yet") }

// State is a state of a connection (RFC 9293 section 3.3.2).
type State uint8

// The states. Gone is CLOSED.
const (
	Gone State = iota
	SynSent
	SynReceived
	Established
	FinWait1
	FinWait2
	CloseWait
	Closing
	LastAck
	TimeWait
)

// Listener takes connections to a port.
type Listener struct {
	h      *Host
	at     netip.AddrPort
	accept func(Conn) Handler
	mood   Mood
}

// Mood is how a listener treats clients.
type Mood uint8

// The moods.
const (
	Serving  Mood = iota
	Hanging       // the kernel connects, and nobody accepts, reads or writes; see [Listener.Set]
	Refusing      // a connection is refused with a reset; those that exist go on
)

// Listen takes connections to a port, of an address or, where that is zero or
// unspecified, of all the host's. accept is called for each once it is established and returns its
// handler, which is then told Connected; or nil, which resets the connection. The error is [ErrInUse].
func (h *Host) Listen(at netip.AddrPort, accept func(Conn) Handler) (*Listener, error) {
	panic("not yet")
}

// Set makes the listener serve, hang or refuse. While it hangs, the connections that it has
// accepted are not read either, as [Conn.SetReading] says, and new ones wait to be accepted; when it
// serves again, all of that is made up for.
func (l *Listener) Set(m Mood) { panic("not yet") }

// Close ends listening. Connections that wait to be accepted are reset; those that
// were accepted go on.
func (l *Listener) Close() { panic("not yet") }

// Conns visits the connections that the listener has accepted and that are not closed
// yet; the body of the loop may close them, as the end of a process does.
func (l *Listener) Conns() iter.Seq[Conn] { panic("not yet") }
