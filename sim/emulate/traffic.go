package emulate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/sim/traffic"
)

// generator sends the traffic of one step.
type generator struct {
	*scenario.Traffic
	world   *World
	senders []*host
	seed    uint64
	began   time.Time

	stop  context.CancelFunc // nothing begins any more
	abort context.CancelFunc // everything ends
	done  chan struct{}      // closed when all has come to its end

	mu    sync.Mutex    // guards what follows, until done
	over  time.Duration // until when something began or was answered
	tally story.Tally
	fault error
}

// StartTraffic implements [story.World].
func (w *World) StartTraffic(ctx context.Context, t *scenario.Traffic) error {
	g := &generator{Traffic: t, world: w, seed: w.seed + uint64(w.generated), began: time.Now(), done: make(chan struct{})}
	for _, name := range t.From {
		h, err := w.host(name)
		if err != nil {
			return err
		}
		g.senders = append(g.senders, h)
	}
	w.generated++
	w.generators[t.Name] = g
	ctx, g.abort = context.WithCancel(ctx)
	open, stop := context.WithCancel(ctx)
	g.stop = stop
	w.wg.Go(func() {
		defer close(g.done)
		g.run(ctx, open)
		g.tally.Took = g.over * w.scale
		g.abort()
	})
	return nil
}

// Traffic implements [story.World].
func (w *World) Traffic(ctx context.Context, name string, stop bool) (*story.Tally, error) {
	g := w.generators[name]
	if g == nil {
		return nil, fmt.Errorf("traffic %q was never begun", name)
	}
	if stop {
		g.stop()
	}
	select {
	case <-g.done:
		return &g.tally, g.fault
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// run sends all the traffic, and returns when all of it has come to its end. Nothing
// begins any more when open ends, and everything ends with ctx.
func (g *generator) run(ctx, open context.Context) {
	if g.Rate == 0 && g.Duration > 0 { // where there is no schedule to say so
		var cancel context.CancelFunc
		open, cancel = context.WithTimeout(open, g.world.wall(g.Duration.Duration()))
		defer cancel()
	}
	switch g.Kind {
	case scenario.ConnectionTraffic:
		g.connect(ctx, open)
	case scenario.RequestTraffic:
		if g.Rate > 0 {
			g.request(ctx, open)
		} else {
			g.converse(ctx, open)
		}
	case scenario.BulkTraffic:
		g.streams(ctx, open)
	case scenario.UDPTraffic:
		g.datagrams(ctx, open)
	}
}

// tooLate is how far a generator may fall behind its schedule, in time of the wall: what
// would begin later is missed.
const tooLate = time.Second

// arrive calls begin with the number of each arrival when it is due. It must not wait.
func (g *generator) arrive(open context.Context, begin func(n int)) {
	s := traffic.NewSchedule(g.Traffic, g.seed)
	for n := 0; ; n++ {
		at, ok := s.Next()
		ahead := time.Until(g.began.Add(g.world.wall(at)))
		switch {
		case ahead > 0 && g.world.Pause(open, ahead) != nil, open.Err() != nil, !ok:
			g.count(func(*story.Tally) { g.over = max(g.over, g.since()) })
			return
		case ahead < -tooLate:
			g.miss()
		default:
			begin(n)
		}
	}
}

// connect opens connections, each for one request.
func (g *generator) connect(ctx, open context.Context) {
	var wg sync.WaitGroup
	free := make(chan struct{}, g.Concurrency)
	g.arrive(open, func(n int) {
		select {
		case free <- struct{}{}:
		default:
			g.miss()
			return
		}
		wg.Go(func() {
			c := g.client(n)
			if c.ask(ctx, g.Hold == 0) && g.Hold > 0 {
				_ = g.world.Wait(open, g.Hold.Duration())
			}
			c.close()
			<-free
		})
	})
	wg.Wait()
}

// request sends requests at a rate, each over a connection that is kept and free.
func (g *generator) request(ctx, open context.Context) {
	var wg sync.WaitGroup
	free := make(chan *client, g.Concurrency)
	for i := range g.Concurrency {
		free <- g.client(i)
	}
	g.arrive(open, func(int) {
		select {
		case c := <-free:
			wg.Go(func() {
				c.ask(ctx, false)
				free <- c
			})
		default:
			g.miss()
		}
	})
	wg.Wait()
	for range g.Concurrency {
		(<-free).close()
	}
}

// converse sends requests over connections that are kept, the next when one is answered.
func (g *generator) converse(ctx, open context.Context) {
	var wg sync.WaitGroup
	var begun atomic.Int64
	for i := range g.Concurrency {
		wg.Go(func() {
			c := g.client(i)
			defer c.close()
			for open.Err() == nil && (begun.Add(1) <= int64(g.Count) || g.Count == 0) {
				if !c.ask(ctx, false) {
					_ = g.world.Wait(open, traffic.Backoff)
				}
			}
			g.count(func(*story.Tally) { g.over = g.since() })
		})
	}
	wg.Wait()
}

// since returns how long the traffic has lasted on the wall.
func (g *generator) since() time.Duration { return time.Since(g.began) }

// succeed counts an answer: by whom, after how long on the wall, with how many bytes.
func (g *generator) succeed(instance string, after time.Duration, received int64) {
	g.count(func(t *story.Tally) {
		t.Succeed(instance, after)
		t.BytesReceived += received
		g.over = g.since()
	})
}

// count changes the tally.
func (g *generator) count(f func(*story.Tally)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	f(&g.tally)
}

func (g *generator) miss() { g.count(func(t *story.Tally) { t.Missed++ }) }

func (g *generator) fail(f story.Failure) { g.count(func(t *story.Tally) { t.Fail(f) }) }

// failed counts how something failed.
func (g *generator) failed(err error, peer string) {
	if !g.exhausted(err) {
		g.fail(classify(err, peer, g.Timeout.Duration()))
	}
}

// exhausted reports whether this host has no more sockets to give. That is no outcome of
// the story, but its end.
func (g *generator) exhausted(err error) bool {
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.fault = fmt.Errorf("traffic to %s: this host lets plsim open no more sockets: lower its concurrency, or raise ulimit -n: %w", g.To, err)
	g.abort()
	return true
}
