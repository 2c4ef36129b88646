package bench_test

import (
	"testing"
)

// TestMemoryPerFlow holds the floor of 512 bytes a flow, whatever the family: all that a walk
// keeps of one, as paths, tracking at three interfaces, the load balancer's flow and its
// source port, what is counted for the logs, and the room that tables keep free.
func TestMemoryPerFlow(t *testing.T) {
	for _, s := range shapes {
		if s.proxy {
			continue // of a splice, which few need
		}
		c := s.lab(1 << 16).crowd()
		c.stand(t)
		if c.perFlow > 512 {
			t.Errorf("%v: %.0f bytes a flow", s, c.perFlow)
		}
	}
}
