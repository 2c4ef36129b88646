package flowlogs

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology"
)

// crowd takes flows of one minute, both directions, all the way from the walk's buffer
// into files. The buffer is emptied once a second, as in a run.
func crowd(t testing.TB, dir, form string, flows int) {
	t.Helper()
	log := logOf(t, func(l *topology.FlowLogSpec) { l.DestinationOptions = &topology.DestinationOptions{FileFormat: form} })
	w, err := NewWriter(dir, "us-east-1", []*topology.FlowLog{log}, false)
	if err != nil {
		t.Fatal(err)
	}
	about := record(0).Interface
	buffer := flowlog.NewBuffer(0)
	sums := flowlog.NewAggregator(flowlog.ShortWindow, time.Unix(at(0), 0), 0)
	var e flowlog.Entry
	e.Flow = flow.Key{Src: addr("10.0.1.11"), Dst: addr("10.0.1.50"), DstPort: 80, Proto: packet.TCP}
	for second := range 60 {
		now := clock.Time(second) * clock.Time(time.Second)
		for i := second * flows / 60; i < (second+1)*flows/60; i++ {
			binary.BigEndian.PutUint32(e.Flow.Src[12:], 0x0a000000|uint32(i/50_000))
			e.Flow.SrcPort = uint16(i%50_000 + 1024)
			e.Counter = flowlog.Counter{}
			e.Counter.Add(now, 5, 500, packet.SYN)
			buffer.Add(&e)
			answer := e
			answer.Way, answer.Flow = flow.Egress, e.Flow.Reverse()
			buffer.Add(&answer)
		}
		sums.Add(buffer.Take())
	}
	records := sums.Flush(func(flow.Scope) (flowlog.Interface, bool) { return about, true })
	if err := w.Deliver(flowlog.ShortWindow, records, at(60)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// Nothing is lost on the way into files.
func TestManyFlows(t *testing.T) {
	const flows = 20_000
	for _, form := range []string{"plain-text", "parquet"} {
		dir := t.TempDir()
		crowd(t, dir, form, flows)
		lines, packets := map[string]int{}, 0
		err := Read(filepath.Join(dir, "AWSLogs"), func(r Row) error {
			lines[r.Get("srcaddr")+" "+r.Get("srcport")+" "+r.Get("dstaddr")+" "+r.Get("dstport")]++
			n, err := strconv.Atoi(r.Get("packets"))
			packets += n
			return err
		})
		if err != nil || packets != 2*5*flows || len(lines) != 2*flows {
			t.Errorf("%s: %v, %d flows and %d packets of %d", form, err, len(lines), packets, 2*5*flows)
		}
	}
}

// BenchmarkFlows writes the flows of a minute, and must take less than one.
func BenchmarkFlows(b *testing.B) {
	for _, form := range []string{"plain-text", "parquet"} {
		b.Run(fmt.Sprintf("flows=1e6/form=%s", form), func(b *testing.B) {
			for b.Loop() {
				crowd(b, b.TempDir(), form, 1_000_000)
			}
			if took := b.Elapsed() / time.Duration(b.N); took > time.Minute {
				b.Errorf("a minute's flows took %v", took)
			}
		})
	}
}
