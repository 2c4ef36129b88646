package simulate

import (
	"net/netip"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
)

// call is a client that asks or, where an answer that nobody wants has come, will find
// that when it asks.
type call struct {
	attempt
	client uint32
	turn   uint64 // which call this is
	began  clock.Time
	timer  event.Timer
	phase  phase
	unsent []byte // of the request
	answer answer
	err    error // what became of the connection while nobody asked
}

// phase is what a call waits for.
type phase uint8

const (
	idle phase = iota
	connecting
	answering
	resting // after a failure
)

// call returns what a client is to do, which is nothing at first.
func (r *requests) call(client uint32) *call {
	c := r.calls[client]
	if c != nil {
		return c
	}
	if n := len(r.spare); n > 0 {
		c, r.spare = r.spare[n-1], r.spare[:n-1]
	} else {
		c = new(call)
	}
	c.client = client
	r.calls[client] = c
	return c
}

// drop forgets a call.
func (r *requests) drop(c *call) {
	r.calls[c.client] = nil
	if *c = (call{}); len(r.spare) < spares {
		r.spare = append(r.spare, c)
	}
}

// ask lets a client send one request, over the connection that it has kept, or a new one.
func (r *requests) ask(client uint32, from *instance) {
	c := r.call(client)
	q := r.world.queue
	r.turns++
	c.turn, c.began, c.phase = r.turns, q.Now(), connecting
	if r.kept != nil && r.kept[client] != 0 {
		if c.conn = r.world.stack.Conn(r.kept[client]); c.err == nil {
			c.peer = unmapped(c.conn.Remote())
		}
		r.patience(c)
		r.send(c)
		return
	}
	turn := c.turn
	c.attempt = attempt{from: from.host, port: r.port}
	r.world.resolve(from, r.name, r.limit(), func(addrs []netip.Addr, err error) {
		switch {
		case r.calls[client] != c || c.turn != turn: // it has given up
		case err != nil:
			r.fail(c, err)
		default:
			c.addrs = addrs
			r.dial(c)
		}
	})
	if r.calls[client] == c && c.turn == turn {
		r.patience(c)
	}
}

// patience bounds how long a call takes.
func (r *requests) patience(c *call) {
	c.timer = r.world.queue.After(r.limit(), event.Event{Actor: r.self, Kind: tooLate, Arg: uint64(c.client)})
}

func (r *requests) dial(c *call) {
	if err := c.next(r); err != nil {
		r.fail(c, err)
		return
	}
	c.conn.SetUser(uint64(c.client) + 1)
}

// of returns the call that a connection is about, or nil.
func (r *requests) of(conn host.Conn) *call {
	client := conn.User()
	if client == 0 {
		return nil // it is held, or given up
	}
	return r.call(uint32(client - 1))
}

// Connected implements [host.Handler].
func (r *requests) Connected(conn host.Conn) {
	if c := r.of(conn); c != nil {
		r.send(c)
	}
}

// send sends the request.
func (r *requests) send(c *call) {
	c.phase = answering
	if c.err != nil {
		r.fail(c, c.err)
		return
	}
	c.unsent = r.request[c.conn.Write(r.request):]
	if c.answer.begun() { // before it was asked for
		r.take(c, nil, false)
	}
}

// Writable implements [host.Handler].
func (r *requests) Writable(conn host.Conn) {
	if c := r.of(conn); c != nil {
		c.unsent = c.unsent[conn.Write(c.unsent):]
	}
}

// Received implements [host.Handler].
func (r *requests) Received(conn host.Conn, data []byte) {
	switch c := r.of(conn); {
	case c == nil:
	case c.phase == answering:
		r.take(c, data, false)
	default:
		c.answer.keep(data)
	}
}

// take takes in what has come of an answer; last says that no more will come.
func (r *requests) take(c *call, data []byte, last bool) {
	_, err := c.answer.take(data, last)
	switch {
	case err != nil:
		r.fail(c, err)
	case c.answer.whole:
		r.succeed(c.answer.instance, c.began, c.answer.body)
		r.finish(c, true)
	}
}

// Finished implements [host.Handler].
func (r *requests) Finished(conn host.Conn) {
	switch c := r.of(conn); {
	case c == nil:
	case c.phase == answering:
		r.take(c, nil, true)
	case c.err == nil:
		c.err, c.peer = errClosed, unmapped(conn.Remote())
	}
}

// Closed implements [host.Handler].
func (r *requests) Closed(conn host.Conn, err error) {
	c := r.of(conn)
	if err == nil {
		err = errClosed
	}
	switch {
	case c == nil:
	case c.phase == connecting && len(c.addrs) > 0:
		r.dial(c)
	case c.phase == connecting, c.phase == answering:
		r.fail(c, err)
	case c.err == nil:
		c.err, c.peer = err, unmapped(conn.Remote())
	}
}

// fail counts how a call failed.
func (r *requests) fail(c *call, err error) {
	peer := r.To
	if c.peer.IsValid() {
		peer = c.peer.String()
	}
	r.failed(err, peer)
	r.finish(c, false)
}
