package engine_test

import (
	"bytes"
	"errors"
	"sync"
	"time"

	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
)

var errGone = errors.New("the device is gone")

// memoryPort is a device in memory. What the test gives it the engine receives.
type memoryPort struct {
	out chan []byte // what the engine sent, with virtio-net headers

	mu      sync.Mutex
	poller  *memoryPoller // nil before it is attached
	in      [][]byte      // likewise
	waiting int           // how many were in when the engine sent its last
	recv    error         // what Recv fails with
	send    error         // what Send fails with
	closed  int
}

// give lets Ethernet frames arrive at the device.
func (p *memoryPort) give(frames ...[]byte) {
	all := make([][]byte, len(frames))
	for i := range frames {
		all[i] = append(make([]byte, packet.VnetLen), frames[i]...)
	}
	p.giveWhole(all...)
}

// giveWhole gives it frames with virtio-net headers.
func (p *memoryPort) giveWhole(frames ...[]byte) {
	p.mu.Lock()
	p.in = append(p.in, frames...)
	poller := p.poller
	p.mu.Unlock()
	poller.Wake()
}

// fail makes the device fail from now on.
func (p *memoryPort) fail(recv, send error) {
	p.mu.Lock()
	p.recv, p.send = recv, send
	poller := p.poller
	p.mu.Unlock()
	poller.Wake()
}

func (p *memoryPort) Recv(f *packet.Frame) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.recv != nil {
		return false, p.recv
	}
	if len(p.in) == 0 {
		return false, nil
	}
	f.SetLen(copy(f.Room(), p.in[0]))
	p.in = p.in[1:]
	return true, nil
}

func (p *memoryPort) Send(f *packet.Frame) (bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.send != nil {
		return false, p.send
	}
	select {
	case p.out <- bytes.Clone(f.Bytes()):
		p.waiting = len(p.in)
		return true, nil
	default:
		return false, nil
	}
}

func (p *memoryPort) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed++
	return nil
}

func (p *memoryPort) closedTimes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

func (p *memoryPort) ready() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed == 0 && (len(p.in) > 0 || p.recv != nil)
}

// memoryPoller waits for ports in memory.
type memoryPoller struct {
	wake chan struct{}

	mu    sync.Mutex
	ports map[int]*memoryPort
	fails error
}

func newPoller() *memoryPoller {
	return &memoryPoller{wake: make(chan struct{}, 1), ports: map[int]*memoryPort{}}
}

func newPort(queue int) *memoryPort { return &memoryPort{out: make(chan []byte, queue)} }

func (p *memoryPoller) Add(index int, port engine.Port) error {
	m, ok := port.(*memoryPort)
	if !ok {
		return errors.New("not a device in memory")
	}
	m.mu.Lock()
	m.poller = p
	m.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ports[index] = m
	return nil
}

func (p *memoryPoller) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (p *memoryPoller) Wait(ready []int, d time.Duration) ([]int, error) {
	if ready, err := p.look(ready); err != nil || len(ready) > 0 || d == 0 {
		return ready, err
	}
	var passed <-chan time.Time
	if d > 0 {
		timer := time.NewTimer(d)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-p.wake:
	case <-passed:
	}
	return p.look(ready)
}

func (p *memoryPoller) look(ready []int) ([]int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range 100 {
		if port := p.ports[i]; port != nil && port.ready() {
			ready = append(ready, i)
		}
	}
	return ready, p.fails
}

func (p *memoryPoller) fail(err error) {
	p.mu.Lock()
	p.fails = err
	p.mu.Unlock()
	p.Wake()
}

func (p *memoryPoller) Close() error { return nil }
