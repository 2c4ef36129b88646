package simulate

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/traffic"
)

// floods is the work of bulk traffic: all of its streams at once.
type floods struct {
	*generator
	all []*flood
}

// begin implements [work].
func (w *floods) begin() {
	w.running = w.Concurrency
	for i := range w.Concurrency {
		f := &flood{generator: w.generator}
		w.all = append(w.all, f)
		f.begin(w.sender(i))
	}
}

// arrive implements [work]: no rate is for bulk traffic.
func (w *floods) arrive(int) {}

// shut implements [work].
func (w *floods) shut() {
	for _, f := range w.all {
		if f.open && !f.over {
			f.shut()
		}
	}
}

// end implements [work].
func (w *floods) end() { w.all = nil }

// flood is one stream, as fast as it goes.
type flood struct {
	*generator
	attempt
	began clock.Time
	open  bool // the connection is
	over  bool

	timer   event.Timer
	patient bool       // no bytes move the timer any more
	moved   clock.Time // when bytes did last

	out     outbox // what goes up
	filler  int64  // how much of that there was at first
	drained bool   // the other side has sent all

	answer   answer // what comes down
	got      int    // how much has
	instance string // that has answered
}

// begin opens the connection.
func (f *flood) begin(from *instance) {
	f.began = f.world.queue.Now()
	name, port, err := splitHostPort(f.To)
	if err != nil {
		f.fail(err)
		return
	}
	f.attempt = attempt{from: from.host, port: port}
	f.world.resolve(from, name, f.limit(), func(addrs []netip.Addr, err error) {
		switch {
		case f.over:
		case err != nil:
			f.fail(err)
		default:
			f.addrs = addrs
			f.dial()
		}
	})
	f.wait(true)
}

func (f *flood) dial() {
	if err := f.next(f); err != nil {
		f.fail(err)
	}
}

// wait gives the stream the traffic's timeout: for bytes to move again and again or, where
// it is patient, for all that is to come.
func (f *flood) wait(patient bool) {
	if f.over {
		return
	}
	q := f.world.queue
	q.Cancel(f.timer)
	f.patient, f.moved = patient, q.Now()
	f.timer = q.CallAt(q.Now().Add(f.limit()), f.rouse)
}

// rouse looks whether the stream gets on.
func (f *flood) rouse() {
	q := f.world.queue
	if until := f.moved.Add(f.limit()); !f.patient && until > q.Now() {
		f.timer = q.CallAt(until, f.rouse)
		return
	}
	f.fail(host.ErrTimeout)
}

func (f *flood) move() { f.moved = f.world.queue.Now() }

// Connected implements [host.Handler].
func (f *flood) Connected(host.Conn) {
	f.open = true
	f.wait(false)
	if f.Direction == scenario.Down {
		f.fetch()
		return
	}
	f.out.then = f.poured
	switch {
	case !f.generator.open:
	case f.Size > 0:
		f.out.filler = int64(f.Size)
	default:
		f.out.filler = math.MaxInt64
	}
	f.filler = f.out.filler
	f.out.flush(f.conn)
}

// Writable implements [host.Handler].
func (f *flood) Writable(host.Conn) {
	f.move()
	f.out.flush(f.conn)
}

// poured waits until the other side has read all of the stream, which its FIN says.
func (f *flood) poured(host.Conn) {
	f.conn.CloseWrite()
	f.wait(true)
	if f.drained {
		f.succeed()
	}
}

// fetch asks for more bytes, if the stream has not its size yet.
func (f *flood) fetch() {
	if !f.generator.open || f.Size > 0 && f.got >= f.Size {
		f.succeed()
		return
	}
	want := service.MaxBytes
	if f.Size > 0 {
		want = min(want, f.Size-f.got)
	}
	request, err := traffic.Request(f.To, traffic.DownPath(want), false)
	if err != nil {
		f.fail(err)
		return
	}
	f.answer = answer{}
	f.out.bytes = append(f.out.bytes, request...)
	f.out.flush(f.conn)
}

// Received implements [host.Handler].
func (f *flood) Received(_ host.Conn, data []byte) {
	f.move()
	if f.Direction == scenario.Up { // what an echo says is no matter
		f.tally.BytesReceived += int64(len(data))
		return
	}
	f.take(data, false)
}

// take takes in what comes down.
func (f *flood) take(data []byte, last bool) {
	n, err := f.answer.take(data, last)
	if a := &f.answer; a.known && a.status != http.StatusOK {
		f.fail(&notHTTP{fmt.Errorf("it answered %d %s", a.status, http.StatusText(a.status))})
		return
	}
	if f.answer.known {
		f.instance = f.answer.instance
	}
	f.got += int(n)
	f.tally.BytesReceived += n
	switch {
	case err != nil:
		f.fail(err)
	case f.answer.whole && f.answer.body == 0:
		f.fail(&notHTTP{errors.New("it answered nothing")})
	case f.answer.whole:
		f.fetch()
	}
}

// Finished implements [host.Handler].
func (f *flood) Finished(host.Conn) {
	f.drained = true
	switch {
	case f.Direction == scenario.Down:
		f.take(nil, true)
	case f.out.empty():
		f.succeed()
	} // else what goes on up will be reset
}

// Closed implements [host.Handler].
func (f *flood) Closed(_ host.Conn, err error) {
	switch {
	case !f.open && !f.over && len(f.addrs) > 0:
		f.dial()
	case err != nil:
		f.fail(err)
	default:
		f.fail(errClosed)
	}
}

// shut lets the stream come to its end.
func (f *flood) shut() {
	if f.Direction == scenario.Down {
		f.succeed()
		return
	}
	f.filler -= f.out.filler // which will not be sent
	f.out.filler = 0
	f.out.flush(f.conn)
}

// address returns what was tried last, or what was to be reached.
func (f *flood) address() string {
	if f.peer.IsValid() {
		return f.peer.String()
	}
	return f.To
}

func (f *flood) fail(err error) {
	if !f.over {
		f.failed(err, f.address())
		f.finish()
	}
}

func (f *flood) succeed() {
	if !f.over {
		f.generator.succeed(f.instance, f.began, 0)
		f.finish()
	}
}

// finish ends the stream.
func (f *flood) finish() {
	f.over = true
	f.world.queue.Cancel(f.timer)
	f.tally.BytesSent += f.filler - f.out.filler
	f.out = outbox{}
	f.conn.Close()
	f.running--
	f.lasted()
	f.settle()
}
