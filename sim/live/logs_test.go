package live

import (
	"errors"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

// taker takes records away until its disk is full.
type taker struct {
	room, calls int
}

var errFull = errors.New("the disk is full")

func (t *taker) Deliver(_ time.Duration, records []flowlog.Record, _ int64) error {
	t.calls++
	if t.room -= len(records); t.room < 0 {
		return errFull
	}
	return nil
}

// What steps can read is bounded, and they hear of it; what is delivered is not. After
// a delivery that failed there is none.
func TestKept(t *testing.T) {
	to := &taker{room: 2 * maxKept}
	l := newLogs(&topology.Lab{}, time.Now(), to)
	l.deliver(0, make([]flowlog.Record, maxKept), 0)
	if len(l.kept[0]) != maxKept || l.forgot {
		t.Errorf("%d are kept, forgot %t", len(l.kept[0]), l.forgot)
	}
	silent := []flowlog.Record{{Status: flowlog.NoData}}
	l.deliver(0, silent, 0) // nobody can ask for it
	if l.forgot {
		t.Error("silence takes room")
	}
	l.deliver(0, make([]flowlog.Record, 1), 0)
	if len(l.kept[0]) > maxKept || !l.forgot || l.fault != nil {
		t.Errorf("%d are kept, forgot %t, %v", len(l.kept[0]), l.forgot, l.fault)
	}
	for range 3 {
		l.deliver(0, make([]flowlog.Record, maxKept), 0)
	}
	var failed *DeliveryError
	if !errors.As(l.fault, &failed) || !errors.Is(l.fault, errFull) || to.calls != 4 {
		t.Errorf("%v after %d deliveries", l.fault, to.calls)
	}
}
