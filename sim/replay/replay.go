// Package replay feeds the packets of captures into a lab, each at the interface that
// sent it and at its time, and says what becomes of them: where they come out, or why
// not. It has no clock, socket or goroutine.
//
// Nobody stands behind the interfaces, so nothing answers but the load balancers
// themselves. What an interface received is not fed but compared; the other side's
// answers come from a capture that was taken there.
package replay

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/topology"
)

// Capture is a file of packets, and the interfaces that they were captured at. Where
// the file itself calls its interfaces by names of the lab, each gets its own packets.
type Capture struct {
	Name string // for people
	From io.Reader
	At   []*topology.NIC
}

// Options are what a replay can choose.
type Options struct {
	Seed   uint64
	Accept []string        // endpoints that are accepted before the first packet
	Filter *capture.Filter // of what the captures hold; nil: all
	Out    io.Writer       // takes a pcapng file; nil: nobody does
}

// Run builds the walk of a lab, whose targets count as healthy, and replays captures
// in it. The lab's moment 0 is the first packet's. A result is there also beside an
// error, about the packets before it: a *CaptureError where a capture is at fault.
func Run(lab *topology.Lab, captures []Capture, opts Options) (*Result, error) {
	for _, c := range lab.Checks() {
		lab.Checked(c, true) // a new target needs one (F2.20)
	}
	for _, name := range opts.Accept {
		if err := lab.Accept(name); err != nil {
			return nil, err
		}
	}
	settings := dataplane.DefaultSettings()
	settings.Seed = opts.Seed
	lab.Configure(&settings)
	r := &replay{
		lab: lab, walk: dataplane.New(lab.Compile(), settings), opts: opts,
		seen:  &dataplane.Capture{Room: math.MaxInt},
		frame: packet.NewFrame(), before: packet.NewFrame(),
		result: newResult(opts.Seed), owners: map[packet.Addr][]*topology.NIC{}, labels: map[string]bool{}, flows: map[flow.Key]bool{},
		came: map[dataplane.InterfaceID]*Arrivals{}, died: map[death]*Flow{}, foreign: map[packet.Addr]*Foreign{},
	}
	r.settle()
	for _, nic := range lab.NICs {
		if nic.Kind == dataplane.Absent {
			continue
		}
		r.walk.Watch(r.seen, nic.Index)
		r.labels[nic.Label] = true
		for _, a := range nic.Addrs {
			addr := packet.AddrFrom(a.Addr())
			r.owners[addr] = append(r.owners[addr], nic)
		}
	}
	err := r.open(captures)
	if err == nil {
		err = r.play()
	}
	r.sum()
	if r.out != nil {
		err = errors.Join(err, r.out.Close())
	}
	return r.result, err
}

// CaptureError says what is wrong with a capture.
type CaptureError struct {
	Capture string
	Err     error
}

func (e *CaptureError) Error() string { return e.Capture + ": " + e.Err.Error() }

func (e *CaptureError) Unwrap() error { return e.Err }

// replay is a lab in which captures are replayed.
type replay struct {
	lab   *topology.Lab
	walk  *dataplane.Walk
	opts  Options
	files []*file
	began time.Time // moment 0 of the lab
	now   clock.Time
	swept clock.Time
	next  clock.Time // when the lab changes by itself

	frame, before *packet.Frame      // the packet at hand, and what it was
	seen          *dataplane.Capture // where it passed
	out           *capture.Pcapng    // nil: nobody wants it

	owners  map[packet.Addr][]*topology.NIC // of addresses, which may be the same in several networks
	labels  map[string]bool                 // of interfaces
	flows   map[flow.Key]bool               // that have been fed
	result  *Result
	came    map[dataplane.InterfaceID]*Arrivals
	died    map[death]*Flow
	foreign map[packet.Addr]*Foreign
}

// file is a capture that is being read.
type file struct {
	name   string
	reader *capture.Reader
	sites  []*site
	head   *capture.Record // the next packet; nil at the end
	at     time.Time       // of it; never before that of an earlier one
	result *File
}

// open begins to read the captures.
func (r *replay) open(captures []Capture) error {
	for _, c := range captures {
		f := &file{name: c.Name, result: &File{Capture: c.Name, Skipped: map[string]int{}}}
		for _, nic := range c.At {
			f.sites = append(f.sites, newSite(nic, f.result))
		}
		r.files = append(r.files, f)
		r.result.Captures = append(r.result.Captures, f.result)
		var err error
		if f.reader, err = capture.NewReader(c.From); err == nil {
			err = f.advance()
		}
		if err == nil && f.head == nil {
			err = errors.New("it has no packet")
		}
		if err != nil {
			return &CaptureError{c.Name, err}
		}
	}
	r.began = slices.MinFunc(r.files, earlier).at
	r.result.Began = r.began.UTC()
	if r.opts.Out != nil {
		r.out = capture.NewPcapng(r.opts.Out, r.began, fmt.Sprintf("replayed with seed %d", r.opts.Seed))
	}
	return nil
}

// advance reads a file's next packet.
func (f *file) advance() error {
	rec, err := f.reader.Next()
	f.head = rec
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return err
	}
	f.result.Packets++
	if !rec.Link.Known() {
		return fmt.Errorf("packet %d is of %s, which is not understood: capture on an Ethernet interface, with tcpdump -i eth0 or -i any", rec.Number, rec.Link)
	}
	if rec.Time.Before(f.at) {
		f.result.Backwards++
		return nil
	}
	f.at = rec.Time
	return nil
}

// earlier compares files by their next packets; those at their end come last.
func earlier(a, b *file) int {
	switch {
	case a.head == nil && b.head == nil:
		return 0
	case a.head == nil:
		return 1
	case b.head == nil:
		return -1
	}
	return a.at.Compare(b.at)
}

// play takes the packets of all files in the order of their times.
func (r *replay) play() error {
	for {
		f := slices.MinFunc(r.files, earlier)
		if f.head == nil {
			return nil
		}
		r.pass(clock.Time(f.at.Sub(r.began)))
		r.take(f)
		if err := f.advance(); err != nil {
			return &CaptureError{f.name, err}
		}
	}
}

// How often the walk's tables are searched for what is idle, in the lab's time, and
// how many slots at a time.
const (
	sweepEvery = time.Second
	sweep      = 1 << 12
)

// pass lets time pass up to a moment.
func (r *replay) pass(to clock.Time) {
	for r.next <= to {
		r.now = r.next
		if r.lab.Advance(r.now) {
			r.walk.Load(r.lab.Compile())
		}
		r.settle()
	}
	r.now = to
	r.result.Duration = time.Duration(to)
	if to.Sub(r.swept) >= sweepEvery {
		r.walk.Expire(to, sweep)
		r.swept = to
	}
}

// settle notes when the lab will change by itself.
func (r *replay) settle() {
	next, ok := r.lab.Next()
	if !ok {
		next = math.MaxInt64
	}
	r.next = next
}

// feed sends the frame at hand from an interface, and notes what becomes of it.
func (r *replay) feed(s *site, rec *capture.Record, key flow.Key) {
	s.file.Fed++
	way := r.foretell(s.nic, key)
	r.seen.Packets = r.seen.Packets[:0]
	out, why := r.walk.Process(r.now, s.nic.Index, r.frame)
	died := s.nic.Index
	for _, p := range r.seen.Packets {
		if p.Why != drop.None {
			died = p.At
		}
		r.write(p)
	}
	if why != drop.None {
		r.drop(s, rec, key, died, why, way)
	}
	if out == dataplane.NoInterface {
		return
	}
	a := r.came[out]
	if a == nil {
		a = &Arrivals{Interface: r.lab.NICs[out].Label}
		r.came[out] = a
	}
	copies := 1
	if fate := r.walk.Fate(); fate != nil {
		_, copies = fate.Arrivals() // when is up to the captures
	}
	a.Packets += copies
	if why != drop.None {
		a.Resets += copies
	}
	for _, f := range r.files {
		for _, at := range f.sites {
			for range copies {
				if at.nic.Index == out {
					at.came(r.frame)
				}
			}
		}
	}
}

// write adds a packet to the file, as it was seen at an interface.
func (r *replay) write(s dataplane.Seen) {
	if r.out == nil {
		return
	}
	p := capture.Of(&s, r.lab.NICs[s.At].Label)
	r.out.Packet(&p)
}

// sum completes the result.
func (r *replay) sum() {
	for _, f := range r.files {
		for _, s := range f.sites {
			s.sum()
		}
	}
	for _, a := range r.came {
		r.result.CameOut = append(r.result.CameOut, *a)
	}
	slices.SortFunc(r.result.CameOut, func(a, b Arrivals) int { return cmp.Compare(a.Interface, b.Interface) })
	slices.SortFunc(r.result.Dropped, func(a, b Drops) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Interface, b.Interface))
	})
	for _, f := range r.foreign {
		r.result.Foreign = append(r.result.Foreign, *f)
	}
	slices.SortFunc(r.result.Foreign, func(a, b Foreign) int {
		return cmp.Or(cmp.Compare(b.Packets, a.Packets), a.Address.Compare(b.Address))
	})
}
