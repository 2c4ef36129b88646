package simulate

import (
	"reflect"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// A story goes on alike whether flow logs are kept or not, and who is told that there are
// none does not take them for empty.
func TestUnlogged(t *testing.T) {
	type seen struct {
		response story.Response
		packets  uint64
	}
	var all []seen
	for _, unlogged := range []bool{false, true} {
		l, err := scenario.LoadBytes("unlogged", []byte(trafficLab))
		if err != nil {
			t.Fatal(err)
		}
		w, err := Start(t.Context(), l.Lab, Options{Seed: 1, Unlogged: unlogged})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Wait(t.Context(), 2*time.Minute); err != nil {
			t.Fatal(err)
		}
		r, err := w.Request(t.Context(), &scenario.Request{From: "app", URL: "http://10.0.0.9/", Method: "GET", Timeout: scenario.Duration(time.Second)})
		if err != nil || r.Status != 200 {
			t.Fatal(r, err)
		}
		records, err := w.Records(nil)
		if (err != nil) != unlogged || len(records) > 0 == unlogged {
			t.Errorf("unlogged is %v: %d records, %v", unlogged, len(records), err)
		}
		all = append(all, seen{r, w.Packets()})
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if !reflect.DeepEqual(all[0], all[1]) {
		t.Errorf("%+v", all)
	}
}
