package simulate

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strconv"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
)

// endOfTime is a moment that no simulation reaches.
const endOfTime = clock.Time(1<<63 - 1)

// largestRead is how much a program reads at once.
const largestRead = 64 << 10

// channel is a connection over which steps exchange something, by TCP or UDP.
type channel interface {
	// send sends what a step says.
	send(b []byte)
	// heard returns what has come, and takes it out, or why no more will come.
	heard() ([]byte, error)
	peer() string
	close()
}

// Exchange implements [story.World].
func (w *World) Exchange(ctx context.Context, x *scenario.Exchange) (story.Reply, error) {
	limit := w.lasts(x.Timeout.Duration())
	deadline := w.queue.Now().Add(limit)
	c := w.kept[x.Connection]
	if x.From != "" {
		if c != nil { // another takes its name
			c.close()
			delete(w.kept, x.Connection)
		}
		var f story.Failure
		var err error
		if c, f, err = w.open(ctx, x, deadline); err != nil || f.Kind != "" {
			return story.Reply{Failure: f}, err
		}
		if x.Connection != "" {
			w.kept[x.Connection] = c
		} else {
			defer c.close()
		}
	}
	if c == nil {
		return story.Reply{Failure: story.NeverOpened(x.Connection)}, nil
	}
	deadline = w.queue.Now().Add(limit)
	if x.Send != "" {
		c.send([]byte(x.Send))
	}
	var body []byte
	var ended error
	err := w.run(ctx, deadline, func() bool {
		body, ended = c.heard()
		return body != nil || ended != nil
	})
	switch {
	case err != nil || body != nil:
		return story.Reply{Body: string(body)}, err
	case ended != nil:
		return story.Reply{Failure: unanswered(ended, c.peer(), x)}, nil
	}
	return story.Reply{Failure: story.TimedOut(c.peer(), x.Timeout.Duration())}, nil
}

// unanswered says how an exchange failed.
func unanswered(err error, peer string, x *scenario.Exchange) story.Failure {
	switch {
	case errors.Is(err, io.EOF):
		return story.ConnectionClosed(peer)
	case errors.Is(err, host.ErrRefused) && x.Protocol == "udp":
		return story.DatagramRefused(peer)
	}
	return failure(err, peer, x.Timeout.Duration())
}

// open connects.
func (w *World) open(ctx context.Context, x *scenario.Exchange, deadline clock.Time) (channel, story.Failure, error) {
	from, err := w.instance(x.From)
	if err != nil {
		return nil, story.Failure{}, err
	}
	name, service, err := net.SplitHostPort(x.To)
	if err != nil {
		return nil, story.Failure{}, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, story.Failure{}, err
	}
	var c channel
	var failed story.Failure
	over := false
	peer := x.To
	fail := func(err error) { failed, over = unanswered(err, peer, x), true }
	w.resolve(from, name, w.lasts(x.Timeout.Duration()), func(addrs []netip.Addr, err error) {
		switch {
		case err != nil:
			fail(err)
		case x.Protocol == "udp":
			over = true
			if c, err = openDatagrams(from.host, netip.AddrPortFrom(addrs[0], uint16(port))); err != nil {
				fail(err)
			}
		default:
			s := &stream{}
			s.client = client{
				attempt:  attempt{from: from.host, port: uint16(port), addrs: addrs},
				received: s.receive,
				connected: func() {
					if k := x.Keepalive.Duration(); k != 0 {
						s.client.conn.SetKeepAlive(k, k, keepaliveCount)
					}
					over = true
				},
				ended: func(err error) {
					if s.err = err; !s.client.open {
						peer = s.peer()
						fail(err)
					}
				},
			}
			c = s
			s.client.dial()
		}
	})
	if err := w.run(ctx, deadline, func() bool { return over }); err != nil {
		return nil, story.Failure{}, err
	}
	if !over {
		if c != nil {
			peer = c.peer()
			c.close()
		}
		failed = story.TimedOut(peer, x.Timeout.Duration())
	}
	return c, failed, nil
}

// keepaliveCount is how many keepalives stay unanswered before a connection is given
// up, as on Linux.
const keepaliveCount = 9

// stream is a channel by TCP.
type stream struct {
	client client
	in     []byte
	err    error
}

func (s *stream) receive(data []byte) { s.in = append(s.in, data...) }

func (s *stream) send(b []byte) { s.client.send(b) }

func (s *stream) heard() ([]byte, error) {
	if n := min(len(s.in), largestRead); n > 0 {
		b := s.in[:n]
		s.in = s.in[n:]
		return b, nil
	}
	return nil, s.err
}

func (s *stream) peer() string { return s.client.peer.String() }

func (s *stream) close() { s.client.close() }

// datagrams is a channel by UDP.
type datagrams struct {
	socket *host.UDPSocket
	to     netip.AddrPort
	in     [][]byte
	err    error
}

func openDatagrams(h *host.Host, to netip.AddrPort) (channel, error) {
	d := &datagrams{to: to}
	var err error
	d.socket, err = h.ListenUDP(netip.AddrPort{}, host.UDPHandler{
		Received: func(_ *host.UDPSocket, from, _ netip.AddrPort, b []byte) {
			if from == to {
				d.in = append(d.in, append([]byte{}, b...))
			}
		},
		Failed: func(_ *host.UDPSocket, _ netip.AddrPort, err error) { d.err = err },
	})
	return d, err
}

func (d *datagrams) send(b []byte) {
	if err := d.socket.Send(netip.Addr{}, d.to, b); err != nil {
		d.err = err
	}
}

func (d *datagrams) heard() ([]byte, error) {
	if len(d.in) > 0 {
		b := d.in[0]
		d.in = d.in[1:]
		return b, nil
	}
	err := d.err
	d.err = nil // a socket tells it once
	return nil, err
}

func (d *datagrams) peer() string { return d.to.String() }

func (d *datagrams) close() { d.socket.Close() }

// echoed is what a ping carries.
var echoed = []byte("plsim")

// Ping implements [story.World].
func (w *World) Ping(ctx context.Context, p *scenario.Ping) (story.Failure, error) {
	from, err := w.instance(p.From)
	if err != nil {
		return story.Failure{}, err
	}
	limit := p.Timeout.Duration()
	over := false
	var f story.Failure
	w.resolve(from, p.To, w.lasts(limit), func(addrs []netip.Addr, err error) {
		if err != nil {
			f, over = failure(err, p.To, limit), true
			return
		}
		to := addrs[0]
		from.host.Ping(netip.Addr{}, to, echoed, w.lasts(limit), func(_ time.Duration, err error) {
			f, over = pingFailure(err, to, from.Name, limit), true
		})
	})
	err = w.run(ctx, endOfTime, func() bool { return over })
	return f, err
}

// pingFailure says how a ping failed, if it did.
func pingFailure(err error, to netip.Addr, from string, limit time.Duration) story.Failure {
	var unreachable *host.Unreachable
	switch {
	case err == nil:
		return story.Failure{}
	case errors.Is(err, host.ErrNoAddress):
		return story.NotReachable(to.String(), story.NoAddressOfFamily(from))
	case errors.As(err, &unreachable):
		return story.EchoUnreachable(unreachable.By.String(), to.String())
	}
	return story.NoEcho(to.String(), limit)
}
