package traffic

import (
	"encoding/binary"
	"time"
)

// Datagram makes b the datagram of a number, which is in its first eight bytes.
func Datagram(b []byte, number uint64) { binary.BigEndian.PutUint64(b, number) }

// Number returns the number of a datagram; ok is false where it is too short to have one.
func Number(b []byte) (number uint64, ok bool) {
	if len(b) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// Awaited are the datagrams of one socket that wait for their echo. It is not safe for
// concurrent use.
type Awaited struct {
	timeout time.Duration
	sent    map[uint64]*awaited
	order   []*awaited // as they were sent, until their time is over
	waiting int
}

type awaited struct {
	number uint64
	at     time.Duration
	over   bool // it was echoed, or refused
}

// Echo is what a datagram that comes back means to who sent the first.
type Echo int

// What an echo can be.
const (
	Stray Echo = iota // too late, or of nothing that was sent
	First
	Again // a duplicate
)

// NewAwaited returns a socket's datagrams, of which none has been sent. An echo that comes
// after the timeout has not come.
func NewAwaited(timeout time.Duration) *Awaited {
	return &Awaited{timeout: timeout, sent: map[uint64]*awaited{}}
}

// Send notes that a datagram was sent.
func (a *Awaited) Send(number uint64, now time.Duration) {
	d := &awaited{number: number, at: now}
	a.sent[number] = d
	a.order = append(a.order, d)
	a.waiting++
}

// Echo returns what an echo is, and of the first how long it took.
func (a *Awaited) Echo(number uint64, now time.Duration) (e Echo, took time.Duration) {
	switch d := a.sent[number]; {
	case d == nil || now-d.at > a.timeout:
		return Stray, 0
	case d.over:
		return Again, 0
	default:
		a.end(d)
		return First, now - d.at
	}
}

// Refused gives up the oldest that waits, since ICMP says that nobody listens. It returns
// false where none waits.
func (a *Awaited) Refused() bool {
	for _, d := range a.order {
		if !d.over {
			a.end(d)
			return true
		}
	}
	return false
}

// Lost gives up those whose time is over, and returns how many of them waited in vain.
func (a *Awaited) Lost(now time.Duration) (n int) {
	for len(a.order) > 0 && now-a.order[0].at > a.timeout {
		d := a.order[0]
		if !d.over {
			a.end(d)
			n++
		}
		delete(a.sent, d.number)
		a.order = a.order[1:]
	}
	return n
}

// Late returns from when on the oldest is lost that waits; ok is false where none waits.
func (a *Awaited) Late() (at time.Duration, ok bool) {
	for _, d := range a.order {
		if !d.over {
			return d.at + a.timeout + 1, true
		}
	}
	return 0, false
}

// Waiting returns how many wait.
func (a *Awaited) Waiting() int { return a.waiting }

func (a *Awaited) end(d *awaited) {
	d.over = true
	a.waiting--
}
