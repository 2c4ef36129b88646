package live

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/topology"
)

// How many bytes of memory one capture may take, and all of a run.
const (
	captureRoom  = 64 << 20
	capturesRoom = 256 << 20
)

// Recording is what a capture has come to.
type Recording struct {
	Name       string
	Began      time.Time // moment 0 of the lab
	Interfaces []string  // that it looked at, by label
	Packets    []capture.Packet
	Missed     uint64 // how many more there was no room for
}

// watching is a capture that goes on.
type watching struct {
	name string
	nics []*topology.NIC
	*dataplane.Capture
}

// Capture implements part of story.World.
func (l *Lab) Capture(name string, nics []*topology.NIC, f *capture.Filter) error {
	c := &watching{name, nics, &dataplane.Capture{Keep: f.Match, Room: captureRoom, Shared: &l.room}}
	l.captures = append(l.captures, c)
	return l.Do(func(walk *dataplane.Walk, _ clock.Time) {
		for _, nic := range nics {
			walk.Watch(c.Capture, nic.Index)
		}
	})
}

// StopCapture implements part of story.World.
func (l *Lab) StopCapture(name string) error {
	for _, c := range l.captures {
		if c.name == name {
			return l.Do(func(walk *dataplane.Walk, _ clock.Time) { walk.Unwatch(c.Capture) })
		}
	}
	return fmt.Errorf("there is no capture %q", name)
}

// DropCapture forgets a capture, and its packets.
func (l *Lab) DropCapture(name string) error {
	if err := l.StopCapture(name); err != nil {
		return err
	}
	i := slices.IndexFunc(l.captures, func(c *watching) bool { return c.name == name })
	c := l.captures[i]
	l.captures = slices.Delete(l.captures, i, i+1)
	return l.Do(func(*dataplane.Walk, clock.Time) { c.Take() })
}

// Captured implements part of story.World.
func (l *Lab) Captured(name string) (packets []capture.Packet, missed uint64, err error) {
	for _, c := range l.captures {
		if c.name != name {
			continue
		}
		var seen []dataplane.Seen
		err = l.Do(func(*dataplane.Walk, clock.Time) { seen, missed = c.Packets, c.Missed })
		return c.packets(seen), missed, err
	}
	return nil, 0, fmt.Errorf("there is no capture %q", name)
}

// packets says of packets what people call the interfaces at which they were seen.
func (c *watching) packets(seen []dataplane.Seen) []capture.Packet {
	about := map[dataplane.InterfaceID]*topology.NIC{}
	for _, nic := range c.nics {
		about[nic.Index] = nic
	}
	packets := make([]capture.Packet, len(seen))
	for i := range seen {
		packets[i] = capture.Of(&seen[i], about[seen[i].At].Label)
	}
	return packets
}

// endCaptures hands over what was captured. The walk has come to rest.
func (l *Lab) endCaptures() error {
	if l.record == nil {
		return nil
	}
	var errs []error
	for _, c := range l.captures {
		r := Recording{Name: c.name, Began: l.began, Packets: c.packets(c.Packets), Missed: c.Missed}
		for _, nic := range c.nics {
			r.Interfaces = append(r.Interfaces, nic.Label)
		}
		if err := l.record(r); err != nil {
			errs = append(errs, &DeliveryError{err})
		}
	}
	l.captures = nil
	return errors.Join(errs...)
}
