package bench

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

const (
	// datagramSize is how many bytes a datagram carries. It begins with the number of
	// its run.
	datagramSize = 64
	// receiveBuffer is how many bytes of datagrams wait for the server at most: those of
	// a moment in which it does not run.
	receiveBuffer = 16 << 20
	// settled is how long nothing may arrive of a run before it counts as over.
	settled = 40 * time.Millisecond
	// slot is how long a client that keeps to a rate sleeps at a time, and a server that has
	// read all there was.
	slot = time.Millisecond
)

// datagramCount counts the datagrams that a server receives, run by run.
type datagramCount struct {
	mu          sync.Mutex
	run         uint64
	n           uint64
	first, last time.Time
}

// receive counts datagrams until the process is killed. While they come it naps instead of
// waiting for the next one, for whose sender it would be work to wake it.
func (d *datagramCount) receive() error {
	c, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
	if err != nil {
		return err
	}
	if err := c.SetReadBuffer(receiveBuffer); err != nil {
		return errors.Join(err, c.Close())
	}
	loop, err := netns.NewLoop()
	if err != nil {
		return err
	}
	defer loop.Close()
	s, err := loop.Add(c)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		if _, err := loop.Wait(-1); err != nil {
			return err
		}
		for came := true; came; time.Sleep(slot) {
			if came, err = d.drain(s); err != nil {
				return err
			}
		}
	}
}

// drain counts the datagrams that have come, and reports whether there were any.
func (d *datagramCount) drain(s netns.Socket) (came bool, err error) {
	var b [2 * datagramSize]byte
	for ; ; came = true {
		n, err := s.Read(b[:])
		switch {
		case errors.Is(err, syscall.EAGAIN):
			return came, nil
		case err != nil:
			return came, err
		case n == datagramSize:
			d.add(binary.BigEndian.Uint64(b[:]), time.Now())
		}
	}
}

func (d *datagramCount) add(run uint64, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if run != d.run {
		d.run, d.n, d.first = run, 0, now
	}
	d.n++
	d.last = now
}

// tell waits until a run is over and says how many datagrams came, and over how long,
// in nanoseconds: eight bytes each, big endian.
func (d *datagramCount) tell(w io.Writer, run uint64) error {
	var n uint64
	var span time.Duration
	for began := time.Now(); ; time.Sleep(settled / 4) {
		d.mu.Lock()
		ours, last := d.run == run, d.last
		if ours {
			n, span = d.n, d.last.Sub(d.first)
		}
		d.mu.Unlock()
		if ours && time.Since(last) > settled || !ours && time.Since(began) > settled {
			break
		}
	}
	b := binary.BigEndian.AppendUint64(nil, n)
	_, err := w.Write(binary.BigEndian.AppendUint64(b, uint64(span)))
	return err
}

// burst is what came of one run of datagrams.
type burst struct {
	sent, received uint64
	rate           float64 // at which they were received, per second
}

func (b *burst) lossless() bool { return b.received > 1 && float64(b.received) > 0.99*float64(b.sent) }

// datagrams looks for the most that arrives at all, and the most at which less than one
// in a hundred is lost. Each attempt takes For.
func (r *request) datagrams() (a reply, err error) {
	c, err := net.Dial("udp", r.To)
	if err != nil {
		return a, err
	}
	f, err := netns.Blocking(c.(*net.UDPConn))
	if err != nil {
		return a, err
	}
	defer f.Close()
	attempt := func(rate float64) (b burst, err error) {
		if b, err = r.burst(f, rate); err == nil {
			a.Best = max(a.Best, b.rate)
		}
		if b.lossless() {
			a.Lossless = max(a.Lossless, b.rate)
		}
		return b, err
	}
	flood, err := attempt(math.Inf(1))
	if err != nil {
		return a, err
	}
	if flood.lossless() {
		return a, nil
	}
	high, low := float64(flood.sent)/r.For.Seconds(), flood.rate/8
	for range 7 {
		rate := math.Sqrt(low * high)
		b, err := attempt(rate)
		if err != nil {
			return a, err
		}
		if b.lossless() {
			low = rate
		} else {
			high = rate
		}
	}
	if a.Lossless == 0 {
		return a, fmt.Errorf("more than one datagram in a hundred is lost even at %.0f a second", high)
	}
	return a, nil
}

// burst sends datagrams for a while, at a rate per second or as fast as it can, and asks
// what became of them.
func (r *request) burst(f *os.File, rate float64) (b burst, err error) {
	r.Seed = rand.Uint64() // no other run of this server's has that number
	d := make([]byte, datagramSize)
	binary.BigEndian.PutUint64(d, r.Seed)
	for began := time.Now(); ; {
		passed := time.Since(began)
		if passed >= r.For {
			break
		}
		due := uint64(min(rate*(passed+slot).Seconds(), math.MaxInt64))
		if b.sent >= due {
			time.Sleep(slot)
			continue
		}
		for range min(due-b.sent, 64) { // so that the clock is not read for each
			switch _, err := f.Write(d); {
			case errors.Is(err, syscall.ENOBUFS): // lost at the sender is lost
			case err != nil:
				return b, err
			}
			b.sent++
		}
	}
	c, err := r.begin(opCount, 0)
	if err != nil {
		return b, err
	}
	defer c.Close()
	var answer [16]byte
	if _, err := io.ReadFull(c, answer[:]); err != nil {
		return b, err
	}
	if b.received = binary.BigEndian.Uint64(answer[:]); b.received > b.sent {
		return b, fmt.Errorf("of %d datagrams %d have arrived", b.sent, b.received)
	}
	if span := time.Duration(binary.BigEndian.Uint64(answer[8:])); span > 0 {
		b.rate = float64(b.received-1) / span.Seconds()
	}
	return b, nil
}
