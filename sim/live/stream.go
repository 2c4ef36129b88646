package live

import (
	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/topology"
)

// Stream is a capture that is read while it goes on. The walk never waits for its
// reader: what there is no room for until it is read is missed. It has one owner, who
// must close it.
type Stream struct {
	lab     *Lab
	capture dataplane.Capture
	all     bool // it looks at every interface that there is
	epoch   uint32
	names   map[dataplane.InterfaceID]string // where it looks
}

// Stream begins to look at interfaces of the lab; at all of them if none is given, also
// at those that it is yet to get.
func (l *Lab) Stream(nics []*topology.NIC, f *capture.Filter) (*Stream, error) {
	s := &Stream{
		lab: l, all: len(nics) == 0, names: map[dataplane.InterfaceID]string{},
		capture: dataplane.Capture{Keep: f.Match, Room: captureRoom, Shared: &l.streams},
	}
	return s, l.Do(func(walk *dataplane.Walk, _ clock.Time) {
		var at []dataplane.InterfaceID
		for _, nic := range nics {
			at = append(at, nic.Index)
		}
		s.watch(walk, at)
		s.keepUp(walk)
	})
}

// watch looks at interfaces.
func (s *Stream) watch(walk *dataplane.Walk, at []dataplane.InterfaceID) {
	var more []dataplane.InterfaceID
	for _, id := range at {
		if _, known := s.names[id]; !known {
			s.names[id] = walk.Program().Interfaces[id].Label
			more = append(more, id)
		}
	}
	if len(more) > 0 {
		walk.Watch(&s.capture, more...)
	}
}

// keepUp looks at interfaces that have come, where all are looked at.
func (s *Stream) keepUp(walk *dataplane.Walk) {
	prog := walk.Program()
	if !s.all || prog.Epoch == s.epoch {
		return
	}
	s.epoch = prog.Epoch
	var all []dataplane.InterfaceID
	for id := range prog.Interfaces {
		if prog.Interfaces[id].Kind != dataplane.Absent {
			all = append(all, dataplane.InterfaceID(id))
		}
	}
	s.watch(walk, all)
}

// Next returns the packets that have come since it was called last, and how many were
// missed in all.
func (s *Stream) Next() (packets []capture.Packet, missed uint64, err error) {
	var seen []dataplane.Seen
	err = s.lab.Do(func(walk *dataplane.Walk, _ clock.Time) {
		s.keepUp(walk)
		seen, missed = s.capture.Take(), s.capture.Missed
	})
	packets = make([]capture.Packet, len(seen))
	for i := range seen {
		packets[i] = capture.Of(&seen[i], s.names[seen[i].At])
	}
	return packets, missed, err
}

// Close ends the capture, and gives back what it has taken of memory.
func (s *Stream) Close() error {
	return s.lab.Do(func(walk *dataplane.Walk, _ clock.Time) {
		walk.Unwatch(&s.capture)
		s.capture.Take()
	})
}
