package simulate

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
)

// attempt is how a client comes to a connection: it tries the addresses of a name one
// after the other; one that stays silent takes all the time there is.
type attempt struct {
	from  *host.Host
	port  uint16
	addrs []netip.Addr   // that are still to be tried
	peer  netip.AddrPort // that was tried last
	conn  host.Conn
}

// next calls the next address that can be called. Where there is none, the error says why
// the last one could not be.
func (a *attempt) next(hd host.Handler) (err error) {
	for len(a.addrs) > 0 {
		a.peer = netip.AddrPortFrom(a.addrs[0], a.port)
		a.addrs = a.addrs[1:]
		if a.conn, err = a.from.Dial(netip.AddrPort{}, a.peer, hd); err == nil {
			return nil
		}
	}
	return err
}

// client is the client's side of a connection to a name or an address. What happens
// is told by calling its functions; those that are nil are not told.
type client struct {
	attempt
	open bool
	out  outbox

	connected func()
	received  func(data []byte)
	// ended is told once: io.EOF when the peer has sent all, else why there is no
	// connection.
	ended func(err error)
	over  bool
}

// dial begins a connection.
func (c *client) dial() {
	if err := c.next(c); err != nil {
		c.end(err)
	}
}

// close ends the connection, or the attempt to make one.
func (c *client) close() {
	c.addrs = nil
	c.conn.Close()
}

func (c *client) end(err error) {
	if !c.over && c.ended != nil {
		c.over = true
		c.ended(err)
	}
}

// Connected implements [host.Handler].
func (c *client) Connected(host.Conn) {
	c.open = true
	if c.connected != nil {
		c.connected()
	}
}

// Received implements [host.Handler].
func (c *client) Received(_ host.Conn, data []byte) {
	if c.received != nil {
		c.received(data)
	}
}

// Finished implements [host.Handler].
func (c *client) Finished(host.Conn) { c.end(io.EOF) }

// Writable implements [host.Handler].
func (c *client) Writable(host.Conn) { c.out.flush(c.conn) }

// send sends bytes, as soon as there is room for them.
func (c *client) send(b []byte) {
	c.out.bytes = append(c.out.bytes, b...)
	c.out.flush(c.conn)
}

// Closed implements [host.Handler].
func (c *client) Closed(_ host.Conn, err error) {
	if !c.open && len(c.addrs) > 0 {
		c.dial()
		return
	}
	if err == nil {
		err = io.EOF
	}
	c.end(err)
}

// failure says how an exchange failed.
func failure(err error, peer string, limit time.Duration) story.Failure {
	var name *story.NameError
	var unreachable *host.Unreachable
	var other *notHTTP
	switch {
	case errors.As(err, &name):
		return name.Failure()
	case errors.As(err, &other):
		return story.Failure{Kind: story.HTTP, Detail: peer + ": " + other.Error()}
	case errors.Is(err, errClosed):
		return story.ConnectionClosed(peer)
	case errors.Is(err, host.ErrTimeout):
		return story.TimedOut(peer, limit)
	case errors.Is(err, host.ErrRefused):
		return story.ConnectionRefused(peer)
	case errors.Is(err, host.ErrReset):
		return story.ConnectionReset(peer)
	case errors.Is(err, host.ErrNoPort):
		return story.OutOfPorts(peer)
	case errors.Is(err, host.ErrNoAddress): // of its family
		return story.NotReachable(peer, "network is unreachable")
	case errors.As(err, &unreachable):
		return story.NotReachable(peer, "no route to host")
	case errors.Is(err, io.EOF):
		return story.HalfAnswer(peer)
	default:
		return story.NotReachable(peer, err.Error())
	}
}
