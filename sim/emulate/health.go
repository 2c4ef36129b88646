package emulate

import (
	"context"
	"crypto/tls"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/plsim/plsim/dataplane/ppv2"
	"github.com/plsim/plsim/dataplane/snat"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// nodeVoice makes the connections of a load balancer's node look as AWS's do on
// the wire (F2.52). The walk takes one of the time to live, as of every packet
// that a node sends, and clamps the MSS.
func nodeVoice(cfg *netns.Config) {
	cfg.TTL, cfg.Window = 255, 8961
	cfg.Ports = [2]uint16{snat.FirstOwnPort, snat.LastOwnPort}
}

// node is a load balancer's node, as far as it speaks for itself.
type node struct {
	ns    *netns.Namespace
	addrs atomic.Pointer[[]netip.Prefix] // that its eth0 has
	turn  atomic.Uint32                  // whose it is to check a target
}

func newNode(nic *topology.NIC, ns *netns.Namespace) *node {
	n, addrs := &node{ns: ns}, nic.Addrs
	n.addrs.Store(&addrs)
	return n
}

// settle gives eth0 the addresses that its interface has got meanwhile (F2.2).
func (n *node) settle(nic *topology.NIC) error {
	has := *n.addrs.Load()
	for _, a := range nic.Addrs {
		if !slices.Contains(has, a) {
			if err := n.ns.AddAddr(a); err != nil {
				return err
			}
		}
	}
	has = nic.Addrs
	n.addrs.Store(&has)
	return nil
}

// source returns the address that the next check of a target comes from: each has
// its turn (F2.2).
func (n *node) source(to netip.Addr) netip.Addr {
	var own []netip.Addr
	for _, p := range *n.addrs.Load() {
		if p.Addr().Is4() == to.Is4() {
			own = append(own, p.Addr())
		}
	}
	if len(own) == 0 {
		return netip.Addr{}
	}
	return own[int(n.turn.Add(1))%len(own)]
}

// checks are the health checks that run: a goroutine each, asleep most of the time.
type checks struct {
	ctx   context.Context
	start func(ctx context.Context, c topology.Check, rnd *rand.Rand)
	rnd   *rand.Rand
	stop  map[topology.CheckKey]context.CancelFunc
}

// follow starts the checks that do not run yet, and stops those that should not
// run any more.
func (s *checks) follow(now []topology.Check) {
	if s == nil {
		return // they have not begun
	}
	wanted := make(map[topology.CheckKey]bool, len(now))
	for _, c := range now {
		key := c.Key()
		wanted[key] = true
		if s.stop[key] == nil {
			ctx, cancel := context.WithCancel(s.ctx)
			s.stop[key] = cancel
			s.start(ctx, c, rand.New(rand.NewPCG(s.rnd.Uint64(), s.rnd.Uint64())))
		}
	}
	for c, cancel := range s.stop {
		if !wanted[c] {
			cancel()
			delete(s.stop, c)
		}
	}
}

// firstChecks is how long the story waits at most for the first checks to end.
// Those of targets that stay silent take their whole timeout.
const firstChecks = time.Second

// check starts the health checks, and returns when each has been made once: what the
// first ones find shows all at once.
func (w *World) check(ctx context.Context, seed uint64) error {
	var now []topology.Check
	var first chan struct{}
	start := func(told func()) func(context.Context, topology.Check, *rand.Rand) {
		return func(ctx context.Context, c topology.Check, rnd *rand.Rand) {
			n := w.nodes[c.Node.Index]
			w.wg.Go(func() { w.watch(ctx, n, c, rnd, told) })
		}
	}
	err := w.Look(func(lab *topology.Lab) error {
		now = lab.Checks()
		first = make(chan struct{}, len(now))
		w.checks = &checks{
			ctx: ctx, rnd: rand.New(rand.NewPCG(seed, 0x6865616c7468)),
			stop: map[topology.CheckKey]context.CancelFunc{},
		}
		w.checks.start = start(func() { first <- struct{}{} })
		w.checks.follow(now)
		w.checks.start = start(func() {})
		return nil
	})
	if err != nil {
		return err
	}
	limit, cancel := context.WithTimeout(ctx, firstChecks)
	defer cancel()
	for range now {
		select {
		case <-first:
		case <-limit.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return w.Settle()
}

// leastPatience is how long a check waits at least, however fast the lab's time
// passes: the sockets at both ends are real.
const leastPatience = 250 * time.Millisecond

// watch checks a target from a node again and again, the first time at once, and calls first
// after that. Then the checks of all nodes spread over the interval.
func (w *World) watch(ctx context.Context, n *node, c topology.Check, rnd *rand.Rand, first func()) {
	share := 0.5 + rnd.Float64()/2
	for {
		began := w.now()
		limit, cancel := context.WithTimeout(ctx, max(w.wall(c.Patience()), leastPatience))
		passed := n.passes(limit, c)
		cancel()
		if ctx.Err() != nil {
			return
		}
		_ = w.Checked(c, passed) // it fails when the run ends, which others tell
		first()
		first = func() {}
		pause := time.Duration(share*float64(c.Every())) - w.now().Sub(began)
		if w.Wait(ctx, max(pause, 0)) != nil {
			return
		}
		share = 0.95 + rnd.Float64()/10 // AWS calls the interval approximate (F2.50)
	}
}

// suspecting is how often the load balancers look at what their targets did to clients.
const suspecting = 50 * time.Millisecond

// keepSuspects tells the lab which targets fail passive checks, until ctx ends.
func (w *World) keepSuspects(ctx context.Context) {
	for w.Pause(ctx, suspecting) == nil {
		if w.Suspect() != nil {
			return // the run ends
		}
	}
}

// passes makes one health check, which fails when ctx ends.
func (n *node) passes(ctx context.Context, c topology.Check) bool {
	if c.Protocol != "TCP" {
		return n.answers(ctx, c)
	}
	conn, err := n.dial(ctx, c)
	if err != nil {
		return false
	}
	conn.Close() // at once, and without data (F2.52)
	return true
}

// dial connects to where a check goes.
func (n *node) dial(ctx context.Context, c topology.Check) (net.Conn, error) {
	conn, err := n.ns.DialFrom(ctx, netip.AddrPortFrom(n.source(c.To.Addr()), 0), "tcp", c.To.String())
	if err != nil || !c.Proxied {
		return conn, err
	}
	if _, err := conn.Write(ppv2.Local()); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// answers makes one request of HTTP or HTTPS, on a connection of its own. A
// redirect is an answer like others.
func (n *node) answers(ctx context.Context, c topology.Check) bool {
	transport := &http.Transport{
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return n.dial(ctx, c) },
		DisableKeepAlives: true,
		// Certificates are not verified, and TLS 1.3 is not spoken (F2.51).
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12},
	}
	scheme := map[string]string{"HTTP": "http", "HTTPS": "https"}[c.Protocol]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+c.To.String()+c.Path, nil)
	if err != nil {
		return false
	}
	req.Host = c.Host
	req.Header.Set("User-Agent", "ELB-HealthChecker/2.0")
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return c.Passes(resp.StatusCode)
}
