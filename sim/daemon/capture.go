package daemon

import (
	"bufio"
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// Capture is what to capture in a lab. It goes on until it has as many packets as it may
// have, until it gets a signal, until whoever asked is gone, or until the lab's end.
type Capture struct {
	Interfaces []string `json:"interfaces,omitempty"` // as in scenarios; none: all
	Filter     string   `json:"filter,omitempty"`     // tcpdump's
	Count      uint64   `json:"count,omitempty"`      // 0: without limit
}

// Captured is what a capture has come to.
type Captured struct {
	Packets uint64 `json:"packets"`
	Missed  uint64 `json:"missed"`          // there was no room for them before they were read
	Ended   bool   `json:"ended,omitempty"` // by the lab's end
}

// Capture captures packets. The lab writes them to a pipe as they come, as pcapng; its end
// is closed here. A signal ends the capture.
func (l *Lab) Capture(c *Capture, pipe *os.File, signals <-chan os.Signal) (*Captured, error) {
	defer pipe.Close()
	r, err := l.ask(&request{Capture: c}, []*os.File{pipe}, signals)
	if err != nil {
		return nil, err
	}
	return r.Captured, nil
}

const (
	// deliverEvery is how often packets are taken away from the walk.
	deliverEvery = 50 * time.Millisecond
	// stalled is how long a reader that does not read is waited for in the end.
	stalled = time.Second
)

// capture captures until it has to end.
func (s *server) capture(ctx context.Context, c *Capture, files []*os.File, signals <-chan syscall.Signal) *reply {
	if len(files) != 1 {
		return refuse("a capture needs a pipe to write to")
	}
	filter, err := capture.ParseFilter(c.Filter)
	if err != nil {
		return refuse("the filter %q: %v", c.Filter, err)
	}
	var nics []*topology.NIC
	err = s.world.Look(func(lab *topology.Lab) error {
		for _, ref := range c.Interfaces {
			nic, err := lab.NetworkInterface(ref)
			if err != nil {
				return err
			}
			nics = append(nics, nic)
		}
		return nil
	})
	if err != nil {
		return refuse("%v", err)
	}
	pipe, err := netns.Patient(files[0])
	if err != nil {
		return &reply{Error: &Error{Text: err.Error()}}
	}
	defer pipe.Close()
	stream, err := s.world.Stream(nics, filter)
	if err != nil {
		return &reply{Error: &Error{Text: err.Error()}}
	}
	defer func() { _ = stream.Close() }() // the lab may have ended
	defer context.AfterFunc(ctx, func() { _ = pipe.SetWriteDeadline(time.Now().Add(stalled)) })()
	out := &deliverer{Captured: &Captured{}, limit: c.Count, buf: bufio.NewWriterSize(pipe, 64<<10)}
	out.file = capture.NewPcapng(out.buf, s.world.Began(), "plsim capture of lab "+s.lab.Name)
	for _, nic := range nics {
		out.file.Interface(nic.Label)
	}
	if err := out.run(ctx, stream, signals); err != nil && ctx.Err() == nil {
		return &reply{Error: &Error{Text: err.Error()}}
	}
	out.Ended = ctx.Err() != nil
	return &reply{Captured: out.Captured}
}

// deliverer brings packets from the walk to whoever asked for them.
type deliverer struct {
	*Captured
	limit uint64
	buf   *bufio.Writer
	file  *capture.Pcapng
}

// run delivers until it has to end. Nobody reading any more is no error.
func (d *deliverer) run(ctx context.Context, stream *live.Stream, signals <-chan syscall.Signal) error {
	tick := time.NewTicker(deliverEvery)
	defer tick.Stop()
	for last := false; ; {
		packets, missed, err := stream.Next()
		if err != nil {
			return err
		}
		d.Missed = missed
		for i := range packets {
			if d.full() {
				break
			}
			d.file.Packet(&packets[i])
			d.Packets++
		}
		switch err := d.buf.Flush(); {
		case errors.Is(err, syscall.EPIPE), errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case err != nil:
			return err
		case last || d.full():
			return nil
		}
		select {
		case <-ctx.Done():
			last = true
		case <-signals:
			last = true
		case <-tick.C:
		}
	}
}

// full reports whether there are as many packets as there may be.
func (d *deliverer) full() bool { return d.limit > 0 && d.Packets >= d.limit }
