package bench_test

import (
	"os"
	"testing"

	"github.com/plsim/plsim/bench"
	"github.com/plsim/plsim/topology/netns"
)

func TestMain(m *testing.M) {
	bench.RunTraffic()
	netns.BackTables()
	os.Exit(netns.RunTests(m))
}
