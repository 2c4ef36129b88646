package story

import (
	"time"

	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/traffic"
)

// Tally counts what became of many connections, requests, streams or datagrams. The
// zero value is ready to use; it is not safe for concurrent use.
type Tally struct {
	First             Failure // of those that failed
	Succeeded, Failed int
	Untried           int            // of Failed: given up, since all before had failed
	Missed            int            // could not begin, since too many were under way; of neither
	Duplicates        int            // echoes that came once more
	Errors            map[string]int // of Failed, by kind
	Targets           map[string]int // of Succeeded, by the instance that answered
	BytesSent         int64
	BytesReceived     int64
	Latencies         traffic.Latencies // of Succeeded, as its clients saw them
	Took              time.Duration     // of the lab's time, until nothing more began or was answered
}

// Succeed counts an answer: after how long, and by which instance, "" where it does not
// tell.
func (t *Tally) Succeed(instance string, after time.Duration) {
	t.Succeeded++
	t.Latencies.Add(after)
	if instance != "" {
		if t.Targets == nil {
			t.Targets = map[string]int{}
		}
		t.Targets[instance]++
	}
}

// Fail counts a failure.
func (t *Tally) Fail(f Failure) {
	if t.Failed++; t.First.Kind == "" {
		t.First = f
	}
	if t.Errors == nil {
		t.Errors = map[string]int{}
	}
	t.Errors[f.Kind]++
}

// Respond counts the response to a request.
func (t *Tally) Respond(r Response, after time.Duration) {
	if r.Kind != "" {
		t.Fail(r.Failure)
		return
	}
	t.Succeed(r.Headers.Get(service.InstanceHeader), after)
	t.BytesReceived += int64(len(r.Body))
}
