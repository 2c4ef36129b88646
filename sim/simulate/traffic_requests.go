package simulate

import (
	"net"
	"net/netip"
	"slices"
	"strconv"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/traffic"
)

// requests is the work of the kinds connections and requests. Unlike [http.Client] it asks
// nothing twice: a reset is what a story wants to see.
//
// There may be a million connections, of which few have something to do. It is the handler
// of all of them, and one that is held or waits for its next request costs it no more than a
// few words.
type requests struct {
	*generator
	self    event.ActorID
	name    string // of the service
	port    uint16
	request []byte // as it goes on the wire

	calls []*call  // by client; nil while it has nothing to do
	free  []uint32 // clients that have nothing to do
	kept  []uint64 // by client: its connection, where that is kept; 0: none
	spare []*call
	turns uint64

	asked   int // how many requests there were, where no schedule counts them
	held    []holding
	freeing event.Timer // of the first of held
}

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

// holding is a connection that is held open until a moment.
type holding struct {
	until clock.Time
	conn  uint64 // 0: it is closed already
}

// spares is how many calls are kept for whoever needs one next.
const spares = 1024

// What happens to clients.
const (
	tooLate = iota // arg: the client
	rested         // arg: the client
	parting        // arg: a connection
	letGo
)

func newRequests(g *generator) (*requests, error) {
	r := &requests{generator: g}
	name, port, err := splitHostPort(g.To)
	if err != nil {
		return nil, err
	}
	r.name, r.port = name, port
	if r.request, err = traffic.Request(g.To, traffic.Path(g.Traffic), g.once()); err != nil {
		return nil, err
	}
	r.self = g.world.queue.Register(r)
	if g.Kind == scenario.RequestTraffic {
		r.calls, r.kept = make([]*call, g.Concurrency), make([]uint64, g.Concurrency)
	}
	return r, nil
}

// splitHostPort splits what a step writes as HOST:PORT.
func splitHostPort(to string) (name string, port uint16, err error) {
	name, text, err := net.SplitHostPort(to)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.ParseUint(text, 10, 16)
	return name, uint16(n), err
}

// once reports whether each connection has one request, and is closed then.
func (g *generator) once() bool { return g.Kind == scenario.ConnectionTraffic && g.Hold == 0 }

// begin implements [work].
func (r *requests) begin() {
	switch {
	case r.Kind == scenario.ConnectionTraffic:
		r.await()
	case r.Rate > 0:
		for i := range r.Concurrency {
			r.free = append(r.free, uint32(i))
		}
		r.await()
	default: // they ask as fast as they are answered
		r.running = r.Concurrency
		for i := range r.Concurrency {
			r.converse(uint32(i))
		}
	}
}

// arrive implements [work].
func (r *requests) arrive(n int) {
	if r.running == r.Concurrency {
		r.tally.Missed++
		return
	}
	r.running++
	switch {
	case r.Kind == scenario.RequestTraffic: // who has rested for the longest time
		client := r.free[0]
		r.free = r.free[1:]
		r.ask(client, r.sender(int(client)))
	case len(r.free) > 0:
		client := r.free[len(r.free)-1]
		r.free = r.free[:len(r.free)-1]
		r.ask(client, r.sender(n))
	default:
		r.calls = append(r.calls, nil)
		r.ask(uint32(len(r.calls)-1), r.sender(n))
	}
}

// converse lets a client ask again that no schedule paces, or ends it.
func (r *requests) converse(client uint32) {
	if r.open && (r.Count == 0 || r.asked < r.Count) {
		r.asked++
		r.ask(client, r.sender(int(client)))
		return
	}
	r.leave(client)
	r.running--
	r.lasted()
	r.settle()
}

// leave lets a client close the connection that it has kept.
func (r *requests) leave(client uint32) {
	r.part(r.world.stack.Conn(r.kept[client]))
	r.kept[client] = 0
}

// shut implements [work].
func (r *requests) shut() {
	for _, h := range r.held {
		r.part(r.world.stack.Conn(h.conn))
	}
	r.running -= len(r.held)
	r.held = nil
	r.world.queue.Cancel(r.freeing)
	if r.schedule != nil {
		return
	}
	for client, c := range r.calls {
		if c != nil && c.phase == resting {
			r.world.queue.Cancel(c.timer)
			r.drop(c)
			r.converse(uint32(client))
		}
	}
}

// end implements [work].
func (r *requests) end() {
	for client := range r.kept {
		r.leave(uint32(client))
	}
}

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

// finish ends a call, and lets its client do what comes next.
func (r *requests) finish(c *call, answered bool) {
	q := r.world.queue
	q.Cancel(c.timer)
	client, conn := c.client, c.conn
	keep := answered && !c.answer.last
	rest := slices.Clone(c.answer.rest())
	if !keep {
		r.part(conn)
		conn = host.Conn{}
	}
	r.drop(c)
	switch {
	case r.Kind == scenario.ConnectionTraffic:
		r.free = append(r.free, client)
		if answered && r.Hold > 0 && r.open {
			conn.SetUser(0)
			r.hold(conn)
			return
		}
		r.part(conn)
		r.running--
		r.settle()
		return
	case !keep:
		r.kept[client] = 0
	default:
		r.kept[client] = conn.ID()
		if len(rest) > 0 {
			r.call(client).answer.keep(rest)
		}
	}
	switch {
	case r.Rate > 0:
		r.free = append(r.free, client)
		r.running--
		r.settle()
	case answered:
		r.converse(client)
	case r.open:
		c := r.call(client)
		c.phase = resting
		c.timer = q.After(traffic.Backoff, event.Event{Actor: r.self, Kind: rested, Arg: uint64(client)})
	default:
		r.converse(client)
	}
}

// part closes a connection once all is seen that comes at this moment: a server that has
// answered for the last time closes first.
func (r *requests) part(conn host.Conn) {
	if conn == (host.Conn{}) {
		return
	}
	conn.SetUser(0)
	r.world.queue.After(0, event.Event{Actor: r.self, Kind: parting, Arg: conn.ID()})
}

// hold holds a connection open. All are held for the same time, and so the first is always
// the next to go.
func (r *requests) hold(conn host.Conn) {
	r.held = append(r.held, holding{r.world.queue.Now().Add(r.Hold.Duration()), conn.ID()})
	if len(r.held) == 1 {
		r.awaitFreeing()
	}
}

func (r *requests) awaitFreeing() {
	if len(r.held) > 0 {
		r.freeing = r.world.queue.At(r.held[0].until, event.Event{Actor: r.self, Kind: letGo})
	}
}

// Happen implements [event.Actor].
func (r *requests) Happen(kind uint32, arg uint64) {
	switch kind {
	case tooLate:
		r.fail(r.calls[arg], host.ErrTimeout)
	case rested:
		r.drop(r.calls[arg])
		r.converse(uint32(arg))
	case parting:
		r.world.stack.Conn(arg).Close()
	case letGo:
		for now := r.world.queue.Now(); len(r.held) > 0 && r.held[0].until <= now; r.held = r.held[1:] {
			r.part(r.world.stack.Conn(r.held[0].conn))
			r.running--
		}
		r.awaitFreeing()
		r.settle()
	}
}
