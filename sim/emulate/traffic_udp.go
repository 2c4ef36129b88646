package emulate

import (
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/sim/traffic"
)

// sender is a socket from which datagrams leave, and to which their echoes come.
type sender struct {
	*generator
	conn    net.Conn      // nil where the name did not resolve, or no route was found
	failure story.Failure // why not

	mu      sync.Mutex
	awaited *traffic.Awaited
	closing bool // no more are sent
}

// datagrams sends datagrams from all sockets in turn, and waits for their echoes.
func (g *generator) datagrams(ctx, open context.Context) {
	senders := make([]*sender, g.Concurrency)
	var opening, receiving sync.WaitGroup
	for i := range senders {
		opening.Go(func() { senders[i] = g.sender(open, i) })
	}
	opening.Wait()
	for _, s := range senders {
		if s.conn != nil {
			defer s.conn.Close()
			defer context.AfterFunc(ctx, func() { s.conn.Close() })()
			receiving.Go(s.receive)
		}
	}
	buf := make([]byte, g.Size)
	g.arrive(open, func(n int) {
		traffic.Datagram(buf, uint64(n))
		senders[n%len(senders)].send(uint64(n), buf)
	})
	for _, s := range senders {
		s.close()
	}
	receiving.Wait()
	for _, s := range senders {
		s.giveUp(s.since() + 2*g.Timeout.Duration())
	}
}

// sender opens a socket.
func (g *generator) sender(open context.Context, i int) *sender {
	ctx, cancel := context.WithTimeout(open, g.Timeout.Duration())
	defer cancel()
	s := &sender{generator: g, awaited: traffic.NewAwaited(g.Timeout.Duration())}
	d := &dialer{world: g.world, host: g.senders[i%len(g.senders)]}
	conn, err := d.dial(ctx, "udp", g.To)
	if err != nil && !g.exhausted(err) {
		s.failure = classify(err, d.peer(g.To), g.Timeout.Duration())
	}
	s.conn = conn
	return s
}

// send sends the datagram of a number.
func (s *sender) send(number uint64, b []byte) {
	if s.conn == nil {
		s.fail(s.failure)
		return
	}
	now := s.since()
	if !s.OneWay {
		s.giveUp(now)
		s.mu.Lock()
		s.awaited.Send(number, now)
		s.mu.Unlock()
	}
	_, err := s.conn.Write(b)
	if errors.Is(err, syscall.ECONNREFUSED) { // what ICMP said of one before this
		s.refused()
		_, err = s.conn.Write(b)
	}
	switch {
	case err == nil:
		s.count(func(t *story.Tally) {
			t.BytesSent += int64(len(b))
			if s.OneWay {
				t.Succeeded++
			}
		})
	case s.OneWay:
		s.fail(classify(err, s.conn.RemoteAddr().String(), s.Timeout.Duration()))
	} // others wait for an echo that will not come
}

// receive takes what comes back until the socket is closed.
func (s *sender) receive() {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.conn.Read(buf)
		switch {
		case errors.Is(err, syscall.ECONNREFUSED):
			s.refused()
		case err != nil:
			return
		default:
			s.echo(buf[:n])
		}
		s.mu.Lock()
		over := s.closing && s.awaited.Waiting() == 0
		s.mu.Unlock()
		if over {
			return
		}
	}
}

// echo counts what has come back.
func (s *sender) echo(b []byte) {
	number, ok := traffic.Number(b)
	if !ok || s.OneWay {
		return
	}
	s.mu.Lock()
	echo, took := s.awaited.Echo(number, s.since())
	s.mu.Unlock()
	switch echo {
	case traffic.First:
		s.succeed("", took, int64(len(b)))
	case traffic.Again:
		s.count(func(t *story.Tally) { t.Duplicates++ })
	}
}

// refused counts a datagram of which ICMP says that nobody listens: the oldest that waits
// or, of those that expect no echo, one that had seemed to be on its way.
func (s *sender) refused() {
	s.mu.Lock()
	waited := s.awaited.Refused()
	s.mu.Unlock()
	s.count(func(t *story.Tally) {
		if s.OneWay && t.Succeeded > 0 {
			t.Succeeded--
			waited = true
		}
		if waited {
			t.Fail(story.DatagramRefused(s.conn.RemoteAddr().String()))
		}
	})
}

// giveUp counts the datagrams whose time is over.
func (s *sender) giveUp(now time.Duration) {
	s.mu.Lock()
	lost := s.awaited.Lost(now)
	s.mu.Unlock()
	for range lost {
		s.fail(story.TimedOut(s.conn.RemoteAddr().String(), s.Timeout.Duration()))
	}
}

// close sends no more, and lets receive wait for what may still come.
func (s *sender) close() {
	if s.conn == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closing = true
	deadline := time.Now()
	if s.awaited.Waiting() > 0 {
		deadline = deadline.Add(s.Timeout.Duration())
	}
	_ = s.conn.SetReadDeadline(deadline)
}
