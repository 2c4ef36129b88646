package host

import (
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/simulate/event"
)

// keeper is what a connection needs beside its block that is kept alive.
type keeper struct {
	timer          event.Timer
	idle, interval time.Duration
	count, probes  int
	since          uint32 // block.heard when the last probe was sent
}

func milliseconds(n uint32) clock.Time { return clock.Time(n) * clock.Time(time.Millisecond) }

// SetKeepAlive probes a silent peer after idle, then each interval, and gives it up with
// ErrTimeout after count probes without an answer. An idle of 0 ends that.
func (c Conn) SetKeepAlive(idle, interval time.Duration, count int) {
	b := c.block()
	if b == nil {
		return
	}
	s := c.h.stack
	s.dontKeep(b)
	if idle > 0 {
		k := &keeper{idle: idle, interval: max(interval, time.Millisecond), count: count}
		k.timer = s.queue.After(idle, s.alarm(b, probe))
		s.keepers[b.slot] = k
	}
}

// dontKeep ends keeping a connection alive.
func (s *Stack) dontKeep(b *block) {
	if k := s.keepers[b.slot]; k != nil {
		s.queue.Cancel(k.timer)
		delete(s.keepers, b.slot)
	}
}

// probe looks after a connection that is kept alive (RFC 9293 section 3.8.4).
func (s *Stack) probe(b *block) {
	k := s.keepers[b.slot]
	if k == nil {
		return
	}
	if k.probes > 0 && b.heard != k.since {
		k.probes = 0
	}
	silent := time.Duration(s.millis()-b.heard) * time.Millisecond
	switch {
	case b.state < Established || b.una != b.nxt || k.probes == 0 && silent < k.idle:
		// What is on its way has a timer of its own.
		rest := k.idle - silent
		if rest <= 0 {
			rest = k.idle
		}
		k.timer = s.queue.After(rest, s.alarm(b, probe))
	case k.probes >= k.count:
		s.reset(b)
		s.fail(b, ErrTimeout)
	default:
		k.probes++
		k.since = b.heard
		k.timer = s.queue.After(k.interval, s.alarm(b, probe))
		s.emit(b, b.una-1, packet.ACK, nil)
	}
}
