package bench

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

func TestTry(t *testing.T) {
	netns.RequireSandbox(t)
	o := Options{For: time.Second, Rivals: strings.Fields(os.Getenv("RIVALS")), Measures: strings.Fields(os.Getenv("MEASURES"))}
	if os.Getenv("MTU") == "1500" {
		o.MTU = 1500
	}
	r, err := Compare(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	r.WriteTable(os.Stdout)
}
