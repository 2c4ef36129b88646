package simulate

import (
	"bytes"
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/ppv2"
	"github.com/plsim/plsim/topology"
)

// checks are the health checks that are made.
type checks struct {
	begun   bool
	running map[topology.Check]*watching
	first   int // of the first checks, how many are still to end
}

// watching is one health check that is made again and again.
type watching struct {
	topology.Check
	over bool
}

// follow starts the checks that are not made yet, and stops those that should not be
// made any more.
func (s *checks) follow(w *World, now []topology.Check) {
	if !s.begun {
		return
	}
	wanted := make(map[topology.Check]bool, len(now))
	for _, c := range now {
		wanted[c] = true
		if s.running[c] == nil {
			of := &watching{Check: c}
			s.running[c] = of
			share := 0.5 + w.queue.Rand().Float64()/2
			w.queue.CallAt(w.queue.Now(), func() { w.watch(of, share) })
		}
	}
	for c, of := range s.running {
		if !wanted[c] {
			of.over = true
			delete(s.running, c)
		}
	}
}

// firstChecks is how long the story waits at most for the first checks to end. Those
// of targets that stay silent take their whole timeout.
const firstChecks = time.Second

// settle starts the health checks, and returns when each has been made once: what the
// first ones find shows all at once.
func (w *World) settle(ctx context.Context) error {
	w.checks = checks{begun: true, running: map[topology.Check]*watching{}}
	err := w.Look(func(lab *topology.Lab) error {
		now := lab.Checks()
		w.checks.first = len(now)
		w.checks.follow(w, now)
		return nil
	})
	if err != nil {
		return err
	}
	if err := w.within(ctx, w.lasts(firstChecks), func() bool { return w.checks.first <= 0 }); err != nil {
		return err
	}
	return w.Settle()
}

// watch makes a check, and makes it again after a share of the interval: the checks of
// all nodes spread over it.
func (w *World) watch(of *watching, share float64) {
	if of.over {
		return
	}
	began := w.queue.Now()
	w.check(of.Check, func(passed bool) {
		if of.over {
			return
		}
		w.fail(w.Checked(of.Check, passed))
		w.checks.first--
		pause := time.Duration(share*float64(of.Every())) - w.queue.Now().Sub(began)
		share = 0.95 + w.queue.Rand().Float64()/10 // AWS calls the interval approximate (F2.50)
		w.queue.CallAt(w.queue.Now().Add(max(pause, 0)), func() { w.watch(of, share) })
	})
}

// check makes one health check, and calls done once, when it has passed or failed.
func (w *World) check(c topology.Check, done func(passed bool)) {
	from := w.nodes[c.Node]
	if from == nil {
		return // it went with its load balancer
	}
	x := &checking{Check: c, done: done}
	x.client = client{
		attempt:   attempt{from: from.host, port: c.To.Port(), addrs: []netip.Addr{c.To.Addr()}},
		connected: x.connected, received: x.received, ended: x.ended,
	}
	limit := w.queue.CallAt(w.queue.Now().Add(c.Patience()), func() { x.finish(false) })
	x.cancel = func() { w.queue.Cancel(limit) }
	x.client.dial()
}

// checking is one health check that is being made.
type checking struct {
	topology.Check
	client client
	answer []byte
	over   bool
	cancel func()
	done   func(passed bool)
}

func (x *checking) connected() {
	if x.Proxied {
		x.client.send(ppv2.Local())
	}
	if x.Protocol == "TCP" {
		x.finish(true) // at once, and without data (F2.52)
		return
	}
	req, err := http.NewRequest(http.MethodGet, "http://"+x.To.String()+x.Path, nil)
	if err != nil {
		x.finish(false)
		return
	}
	req.Host, req.Close = x.Host, true
	req.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	req.Header.Set("Accept-Encoding", "gzip")
	var b bytes.Buffer
	_ = req.Write(&b) // a buffer takes all
	x.client.send(b.Bytes())
}

// received looks at the head of the answer, which is all that counts.
func (x *checking) received(data []byte) {
	if x.over {
		return
	}
	x.answer = append(x.answer, data...)
	resp, err := readResponse(x.answer, nil)
	switch {
	case err == nil:
		x.finish(x.Passes(resp.StatusCode))
	case !unfinished(err):
		x.finish(false)
	}
}

func (x *checking) ended(error) { x.finish(false) }

func (x *checking) finish(passed bool) {
	if x.over {
		return
	}
	x.over = true
	x.cancel()
	x.client.close()
	x.done(passed)
}
