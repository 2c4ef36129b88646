// Package offload has the kernel forward packets of flows about which nothing is left to
// decide, from one device to another, without a copy to the forwarder and back. The packet
// walk decides, and lends such flows to a [Table]; programs at the fabric's ends of
// instances' devices do again what was decided, and hand all else to the walk.
package offload

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/dataplane/packet"
)

// Most is how many directions of flows a table holds. All of them are looked at when a
// period of the metrics ends, for a microsecond each.
const Most = 1 << 14

// Table is what the kernel has of flows. Like the walk that lends to it, it has one owner;
// only [Table.Reach] may be called by others.
type Table struct {
	flows, state *ebpf.Map
	in, out      *ebpf.Program
	devices      []uint32 // by InterfaceID: the number of the fabric's end; 0: there is none
	loans        map[flow.Key]*loan
	meter        *metrics.Meter // of what has passed since the last Settle

	began clock.Time    // of the lab, when the kernel's clock was
	zero  uint64        // nanoseconds
	scale time.Duration // how many seconds of the lab pass in one of the kernel's

	mu     sync.Mutex // guards what follows, while it changes what the kernel has of it
	shared state
	down   map[uint32]bool // devices that take no packets
}

var _ dataplane.Borrower = (*Table)(nil)

// loan is what is known of an entry in the kernel.
type loan struct {
	from    key
	bytes   metrics.Counter // what bytes count as,
	traffic metrics.Traffic // and where

	seenPackets, seenBytes uint64        // that the entry had counted when it was looked at
	passed                 flowlog.Tally // of these, what has not been collected
	last                   clock.Time
}

// New returns a table without flows. now is what the lab's clock shows, which runs scale
// times as fast as the wall's. It fails where the kernel, or the caller's privilege, has
// no programs of this kind.
func New(now clock.Time, scale int) (*Table, error) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		return nil, errors.New("the programs are for little endian machines")
	}
	t := &Table{began: now, scale: time.Duration(max(scale, 1)), loans: make(map[flow.Key]*loan), meter: metrics.NewMeter(), down: make(map[uint32]bool)}
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return nil, fmt.Errorf("read the clock: %w", err)
	}
	t.zero = uint64(ts.Nano())
	_ = rlimit.RemoveMemlock() // which Linux before 5.11 charges for maps; else load says so
	if err := t.load(); err != nil {
		_ = t.Close()
		if errors.Is(err, unix.EPERM) {
			err = errRoot
		}
		return nil, err
	}
	return t, nil
}

var errRoot = errors.New("only root may load programs into the kernel")

// load makes the maps and the programs.
func (t *Table) load() (err error) {
	if t.flows, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "plsim_flows", Type: ebpf.Hash, KeySize: uint32(unsafe.Sizeof(key{})), ValueSize: uint32(unsafe.Sizeof(entry{})),
		MaxEntries: Most, Flags: unix.BPF_F_NO_PREALLOC,
	}); err != nil {
		return fmt.Errorf("make the kernel's table of flows: %w", err)
	}
	if t.state, err = ebpf.NewMap(&ebpf.MapSpec{
		Name: "plsim_state", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(unsafe.Sizeof(state{})), MaxEntries: 1,
	}); err != nil {
		return fmt.Errorf("make the state of the kernel's table: %w", err)
	}
	if t.in, err = program("plsim_in", in(t.flows.FD(), t.state.FD())); err != nil {
		return err
	}
	if t.out, err = program("plsim_out", out()); err != nil {
		return err
	}
	t.Suspend() // no entry is of term 0
	return nil
}

func program(name string, code []instruction) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Name: name, Type: ebpf.SchedCLS, License: "GPL", Instructions: code})
	if err != nil {
		return nil, fmt.Errorf("load the program %s: %w", name, err)
	}
	return p, nil
}

// Programs returns the descriptors of the programs for packets that arrive at the
// fabric's ends of devices: at that of an instance's eth0, whose number is even, and at the
// forwarder's TAP beside it, whose number is the next one.
func (t *Table) Programs() (eth0, tap int) { return t.in.FD(), t.out.FD() }

// Attach says at which device the packets of an interface arrive; 0: at none.
func (t *Table) Attach(id dataplane.InterfaceID, device int) {
	for int(id) >= len(t.devices) {
		t.devices = append(t.devices, 0)
	}
	t.devices[id] = uint32(device)
}

// Reach says whether the eth0 at the other end of a device takes packets. For one that does
// not, nothing is lent: the walk sends to it what it gets, and that is counted as lost. It
// may be called from any goroutine.
func (t *Table) Reach(device int, running bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if running {
		delete(t.down, uint32(device))
		return
	}
	t.down[uint32(device)] = true
	t.shared.term++
	t.publish()
}

func (t *Table) device(id dataplane.InterfaceID) uint32 {
	if int(id) >= len(t.devices) {
		return 0
	}
	return t.devices[id]
}

// Lend implements [dataplane.Borrower].
func (t *Table) Lend(k *flow.Key, l *dataplane.Loan) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	from, to := t.key(k), t.device(l.Out)
	own := t.loans[*k]
	if from.in == 0 || to == 0 || t.down[to] || own == nil && len(t.loans) == Most {
		return false
	}
	if own == nil {
		own = &loan{from: from, bytes: l.Bytes, traffic: t.meter.Traffic(l.Place)}
	} else {
		t.remove(own) // it may have stood for another device
	}
	r := &l.Rewrite
	e := entry{
		term: t.shared.term, round: t.shared.round - 1, out: to, mtu: uint32(l.MTU), ttl: uint32(r.TTL), l4: ethLen + ipv4Len,
		src: r.Src, dst: r.Dst, ports: ports(r.SrcPort, r.DstPort), macs: [2]packet.MAC{r.DstMAC, r.SrcMAC}, sender: l.Sender,
		ipDelta:   uint32(^uint16(r.TTL)), // the time to live is the first byte of its word
		addrDelta: uint32(r.Delta.Addr), portDelta: uint32(r.Delta.Port),
		idle: uint64(max(1, l.Idle/t.scale)), last: t.kernelTime(l.Last),
	}
	if !k.Src.Is4() {
		e.l4 = ethLen + ipv6Len
	}
	if r.NAT {
		e.nat = 1
		e.ipDelta += e.addrDelta
	}
	if t.flows.Update(unsafe.Pointer(&from), unsafe.Pointer(&e), ebpf.UpdateAny) != nil {
		return false // the kernel has no room
	}
	own.seenPackets, own.seenBytes, own.last = 0, 0, l.Last
	own.from, t.loans[*k] = from, own
	return true
}

// Collect implements [dataplane.Borrower].
func (t *Table) Collect(k *flow.Key) (flowlog.Tally, clock.Time) {
	own := t.loans[*k]
	if own == nil {
		return flowlog.Tally{}, 0
	}
	t.learn(own)
	passed := own.passed
	own.passed = flowlog.Tally{}
	return passed, own.last
}

// Return implements [dataplane.Borrower].
func (t *Table) Return(k *flow.Key) (flowlog.Tally, clock.Time) {
	own := t.loans[*k]
	if own == nil {
		return flowlog.Tally{}, 0
	}
	delete(t.loans, *k)
	t.remove(own)
	return own.passed, own.last
}

// remove takes a loan's entry away from the kernel, and learns what it has counted.
func (t *Table) remove(own *loan) {
	var e entry
	if t.flows.LookupAndDelete(unsafe.Pointer(&own.from), unsafe.Pointer(&e)) == nil {
		t.count(own, &e)
		return
	}
	t.learn(own) // in two steps, with Linux before 5.14
	_ = t.flows.Delete(unsafe.Pointer(&own.from))
}

// Suspend implements [dataplane.Borrower].
func (t *Table) Suspend() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shared.term++
	t.publish()
}

// Settle implements [dataplane.Borrower]. From here on another period is counted.
func (t *Table) Settle(m *metrics.Meter) {
	for _, own := range t.loans {
		t.learn(own)
	}
	m.Absorb(t.meter)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.shared.round++
	t.publish()
}

// Bury implements [dataplane.Borrower]. What the kernel cannot deliver, it does not count.
func (t *Table) Bury(func(dataplane.InterfaceID, drop.Reason, uint64)) {}

// learn has a loan know what the kernel has forwarded until now.
func (t *Table) learn(own *loan) {
	var e entry
	if t.flows.Lookup(unsafe.Pointer(&own.from), unsafe.Pointer(&e)) == nil {
		t.count(own, &e)
	}
}

// count has a loan know what its entry has counted.
func (t *Table) count(own *loan, e *entry) {
	if e.packets <= own.seenPackets {
		return
	}
	first, last := max(t.labTime(e.first), own.last), t.labTime(e.last)
	n, bytes := e.packets-own.seenPackets, e.bytes-own.seenBytes
	own.passed.Merge(&flowlog.Tally{Packets: uint32(n), Bytes: bytes, First: first, Last: last})
	own.traffic.Add(first, n, own.bytes, bytes)
	own.seenPackets, own.seenBytes, own.last = e.packets, e.bytes, last
}

// publish tells the programs what all entries have in common. It cannot fail: the map is
// there, and so is its one key.
func (t *Table) publish() {
	var first uint32
	_ = t.state.Update(unsafe.Pointer(&first), unsafe.Pointer(&t.shared), ebpf.UpdateAny)
}

// Close gives back what the kernel has. The programs stay as long as they are attached.
func (t *Table) Close() error {
	return errors.Join(t.flows.Close(), t.state.Close(), t.in.Close(), t.out.Close())
}

// labTime returns a time of the kernel's as the lab has it.
func (t *Table) labTime(ns uint64) clock.Time {
	return t.began + clock.Time(int64(ns-t.zero))*clock.Time(t.scale)
}

func (t *Table) kernelTime(at clock.Time) uint64 {
	return t.zero + uint64(int64(at-t.began)/int64(t.scale))
}

// key returns the kernel's key of packets.
func (t *Table) key(k *flow.Key) key {
	return key{in: t.device(dataplane.InterfaceID(k.Scope)), ports: ports(k.SrcPort, k.DstPort), src: k.Src, dst: k.Dst, proto: uint32(k.Proto)}
}

// ports returns two ports as packets have them.
func ports(src, dst uint16) (b [4]byte) {
	binary.BigEndian.PutUint16(b[:], src)
	binary.BigEndian.PutUint16(b[2:], dst)
	return b
}

// Len returns how many directions of flows the kernel has.
func (t *Table) Len() int { return len(t.loans) }
