package conntrack

import (
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
)

var (
	own  = packet.Addr{10: 0xff, 11: 0xff, 12: 10, 15: 5}
	peer = packet.Addr{10: 0xff, 11: 0xff, 12: 10, 15: 9}
)

func at(d time.Duration) clock.Time { return clock.Time(0).Add(d) }

var aws = DefaultTimeouts()

func defaults(flow.Scope) *Timeouts { return &aws }

var lines = flow.NewLines(flow.Seed{1, 2})

func insert(table *Table, now clock.Time, k flow.Key, way flow.Way, rule filter.RuleID) (flow.Ref, *Entry, bool) {
	var n flow.Name
	lines.Name(&n, &k)
	return table.Insert(now, &n, way, rule)
}

func newTable(limit int) *Table {
	return NewTable(lines, defaults, limit, nil)
}

func key(iface flow.Scope, port uint16, proto packet.Proto) flow.Key {
	return flow.Key{Src: own, Dst: peer, Scope: iface, SrcPort: port, DstPort: 443, Proto: proto}
}

// admit does what the walk does with a first packet.
func admit(t *testing.T, table *Table, now clock.Time, k flow.Key) flow.Ref {
	t.Helper()
	ref, e, ok := insert(table, now, k, flow.Egress, 7)
	if !ok {
		t.Fatalf("%v was refused", k)
	}
	e.Observe(flow.Forward, k.Proto, packet.SYN)
	return ref
}

// F3.14: idle for the whole timeout is too long, a moment less is not; packets
// start it again.
func TestExpiry(t *testing.T) {
	const udp = 30 * time.Second
	for _, tt := range []struct {
		name   string
		lookup func(*Table, clock.Time, flow.Ref, flow.Key) *Entry
	}{
		{"lookup", func(table *Table, now clock.Time, _ flow.Ref, k flow.Key) *Entry {
			_, e := table.Lookup(now, &k)
			return e
		}},
		{"at", func(table *Table, now clock.Time, ref flow.Ref, _ flow.Key) *Entry {
			return table.At(now, ref)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			table, k := newTable(0), key(1, 1, packet.UDP)
			ref := admit(t, table, 0, k)
			e := tt.lookup(table, at(udp)-1, ref, k)
			if e == nil {
				t.Fatal("expired early")
			}
			e.LastSeen = at(udp) - 1
			if e = tt.lookup(table, at(2*udp)-2, ref, k); e == nil {
				t.Fatal("a packet did not start the timer again")
			}
			if e = tt.lookup(table, at(2*udp)-1, ref, k); e != nil {
				t.Fatal("did not expire")
			}
			if table.Len() != 0 || table.Count(1) != 0 {
				t.Errorf("the expired entry stays: %d, %d", table.Len(), table.Count(1))
			}
		})
	}
}

func TestSweep(t *testing.T) {
	table := newTable(0)
	for port := range uint16(100) {
		admit(t, table, at(time.Duration(port)*time.Second), key(1, port, packet.UDP))
	}
	table.Sweep(at(79*time.Second), 10)
	if table.Len() != 90 {
		t.Errorf("a sweep of 10 leaves %d", table.Len())
	}
	table.Sweep(at(79*time.Second), 90)
	if table.Len() != 50 || table.Count(1) != 50 {
		t.Errorf("%d entries of 50 are left, counted %d", table.Len(), table.Count(1))
	}
	for ref, e := range table.All() {
		if k, ok := table.Keys(ref); !ok || k.SrcPort < 50 || e.LastSeen != at(time.Duration(k.SrcPort)*time.Second) {
			t.Errorf("%v is left, %+v", k, e)
		}
	}
}

// F3.16: a full table refuses new connections of that interface, and nothing else.
func TestLimit(t *testing.T) {
	table := newTable(2)
	first := admit(t, table, 0, key(1, 1, packet.TCP))
	admit(t, table, 0, key(1, 2, packet.TCP))
	if _, e, ok := insert(table, 1, key(1, 3, packet.TCP), flow.Egress, 7); ok || e != nil {
		t.Fatal("a third connection was taken")
	}
	if _, _, ok := insert(table, 1, key(2, 3, packet.TCP), flow.Egress, 7); !ok {
		t.Error("another interface was refused")
	}
	if _, _, ok := insert(table, 1, key(1, 2, packet.TCP), flow.Egress, 7); !ok {
		t.Error("a connection in the place of an old one was refused")
	}
	table.Delete(first)
	if _, _, ok := insert(table, 1, key(1, 3, packet.TCP), flow.Egress, 7); !ok {
		t.Error("a free place was refused")
	}
	// Those that expired, unnoticed so far, hold no place.
	later := at(61 * time.Second)
	if _, _, ok := insert(table, later, key(1, 4, packet.TCP), flow.Egress, 7); !ok || table.Count(1) != 1 {
		t.Errorf("expired connections hold places: %d", table.Count(1))
	}
}

func TestInsertReplaces(t *testing.T) {
	table, k := newTable(0), key(1, 1, packet.TCP)
	old := admit(t, table, 0, k)
	ref, e, ok := insert(table, 5, k, flow.Ingress, 8)
	if !ok || e.State() != None || e.Opened != flow.Ingress || e.Rule != 8 || e.LastSeen != 5 {
		t.Errorf("got %+v", e)
	}
	if table.At(5, old) != nil || table.At(5, ref) != e || table.Count(1) != 1 {
		t.Error("the old connection is still there")
	}
	table.Delete(old)
	if table.Len() != 1 || table.Count(1) != 1 {
		t.Error("deleting the old connection twice took the new one's place")
	}
}

// What stands for a connection sees its packets in the entry's stead, so the
// entry's own timer means nothing until that is gone.
func TestOwnedEntriesStay(t *testing.T) {
	owner, _, _ := flow.NewTable[int](flow.Seed{}).Insert(flow.Key{}, 0)
	alive := true
	table := NewTable(lines, defaults, 1, func(_ clock.Time, ref flow.Ref) bool {
		return ref == owner && alive
	})
	k, late := key(1, 1, packet.UDP), at(time.Hour)
	ref := admit(t, table, 0, k)
	table.At(0, ref).Owner = owner
	table.Sweep(late, 10)
	if _, e := table.Lookup(late, &k); e == nil || table.At(late, ref) != e {
		t.Fatal("expired under its owner")
	}
	if _, _, ok := insert(table, late, key(1, 2, packet.UDP), flow.Egress, 7); ok {
		t.Error("an owned entry holds no place")
	}
	alive = false
	if _, e := table.Lookup(late, &k); e != nil {
		t.Error("did not expire after its owner")
	}
}

func TestNoAllocation(t *testing.T) {
	table, k := newTable(0), key(1, 1, packet.TCP)
	admit(t, table, 0, k)
	now := clock.Time(0)
	if n := testing.AllocsPerRun(100, func() {
		now++
		ref, _ := table.Lookup(now, &k)
		e := table.At(now, ref)
		e.LastSeen = now
		e.Observe(flow.Reply, packet.TCP, packet.ACK)
		table.Sweep(now, 1)
	}); n != 0 {
		t.Errorf("an established packet allocates %.0f times", n)
	}
}
