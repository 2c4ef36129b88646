package simulate

import (
	"net"
	"slices"
	"strconv"
	"time"

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
	parted  clock.Time  // when the last one closes that is to be closed
}

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

// closing is how long it takes to close a connection, where there are many. A million that
// close at once would not be what happens.
const closing = time.Microsecond

// part closes a connection once all is seen that comes at this moment: a server that has
// answered for the last time closes first.
func (r *requests) part(conn host.Conn) {
	if conn == (host.Conn{}) {
		return
	}
	conn.SetUser(0)
	r.parted = max(r.parted.Add(closing), r.world.queue.Now())
	r.world.queue.At(r.parted, event.Event{Actor: r.self, Kind: parting, Arg: conn.ID()})
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
