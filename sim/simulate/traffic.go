package simulate

import (
	"context"
	"fmt"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/sim/traffic"
)

// generator sends the traffic of one step.
type generator struct {
	*scenario.Traffic
	world   *World
	senders []*instance
	began   clock.Time
	work    work

	self      event.ActorID
	schedule  *traffic.Schedule // of what arrives at a rate
	scheduled bool              // more of it is to come
	arriving  event.Timer
	arrived   int // how many were due

	open    bool // nobody has stopped it, and its time is not over
	running int  // how many are under way, of what the work counts
	done    bool // all has come to its end
	over    time.Duration
	tally   story.Tally
}

// work is what a generator of one kind does. It counts in generator.running what must come
// to its end before the traffic has, and calls settle after each end.
type work interface {
	// begin begins what no schedule does, and then waits for the schedule, if there is one.
	begin()
	// arrive begins what is due, by its number.
	arrive(n int)
	// shut ends what only goes on because nobody has stopped it.
	shut()
	// end gives up what is kept between one thing and the next.
	end()
}

// What happens to a generator. Its work may have events of its own.
const (
	due     = iota // the next of the schedule
	allDone        // the schedule is over
	timeUp         // where there is no schedule to say so
)

// StartTraffic implements [story.World].
func (w *World) StartTraffic(_ context.Context, t *scenario.Traffic) error {
	g := &generator{Traffic: t, world: w, began: w.queue.Now(), open: true}
	for _, name := range t.From {
		i, err := w.instance(name)
		if err != nil {
			return err
		}
		g.senders = append(g.senders, i)
	}
	if t.Rate > 0 {
		g.schedule, g.scheduled = traffic.NewSchedule(t, w.seed+uint64(w.generated)), true
	}
	w.generated++
	w.generators[t.Name] = g
	g.self = w.queue.Register(g)
	switch t.Kind {
	case scenario.ConnectionTraffic, scenario.RequestTraffic:
		r, err := newRequests(g)
		if err != nil {
			return err
		}
		g.work = r
	case scenario.BulkTraffic:
		g.work = &floods{generator: g}
	case scenario.UDPTraffic:
		g.work = newSockets(g)
	}
	if t.Rate == 0 && t.Duration > 0 {
		w.queue.After(t.Duration.Duration(), event.Event{Actor: g.self, Kind: timeUp})
	}
	g.work.begin()
	return nil
}

// Traffic implements [story.World].
func (w *World) Traffic(ctx context.Context, name string, stop bool) (*story.Tally, error) {
	g := w.generators[name]
	if g == nil {
		return nil, fmt.Errorf("traffic %q was never begun", name)
	}
	if stop {
		g.shut()
	}
	err := w.run(ctx, endOfTime, func() bool { return g.done })
	return &g.tally, err
}

// Happen implements [event.Actor].
func (g *generator) Happen(kind uint32, _ uint64) {
	switch kind {
	case due:
		n := g.arrived
		g.arrived++
		g.work.arrive(n)
		g.await()
	case allDone:
		g.scheduled = false
		g.lasted()
		g.settle()
	case timeUp:
		g.shut()
	}
}

// await waits for the next of the schedule, which is never late: virtual time waits for it.
func (g *generator) await() {
	if !g.scheduled {
		return
	}
	at, ok := g.schedule.Next()
	kind := uint32(due)
	if !ok {
		kind = allDone
	}
	g.arriving = g.world.queue.At(g.began.Add(at), event.Event{Actor: g.self, Kind: kind})
}

// shut lets nothing begin any more.
func (g *generator) shut() {
	if !g.open {
		return
	}
	g.open = false
	if g.scheduled {
		g.scheduled = false
		g.world.queue.Cancel(g.arriving)
		g.lasted()
	}
	g.work.shut()
	g.settle()
}

// settle ends the traffic if nothing is under way or to come.
func (g *generator) settle() {
	if g.done || g.running > 0 || g.scheduled {
		return
	}
	g.done = true
	g.tally.Took = g.over
	g.work.end()
}

// since returns how long the traffic has lasted.
func (g *generator) since() time.Duration { return g.world.queue.Now().Sub(g.began) }

// lasted notes that the traffic has lasted until now.
func (g *generator) lasted() { g.over = g.since() }

// seen is a length of time as clients see it: one of the wall, in a lab with real hosts.
func (g *generator) seen(d time.Duration) time.Duration { return d / g.world.scale }

// limit returns how long the traffic's timeout lasts.
func (g *generator) limit() time.Duration { return g.world.lasts(g.Timeout.Duration()) }

// sender returns the instance of a client's number.
func (g *generator) sender(n int) *instance { return g.senders[n%len(g.senders)] }

// succeed counts an answer: by whom, to what began when, with how many bytes.
func (g *generator) succeed(instance string, began clock.Time, received int64) {
	g.tally.Succeed(instance, g.seen(g.world.queue.Now().Sub(began)))
	g.tally.BytesReceived += received
	g.lasted()
}

// failed counts how something failed.
func (g *generator) failed(err error, peer string) {
	g.tally.Fail(failure(err, peer, g.Timeout.Duration()))
}
