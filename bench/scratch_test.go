package bench

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

func TestScratch(t *testing.T) {
	netns.RequireSandbox(t)
	p, err := open(t.Context(), os.Getenv("WHO"), 9001)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for range 5 {
		switch os.Getenv("WHAT") {
		case "rtt":
			a, err := p.ask(t.Context(), request{RoundTrips: 10000})
			fmt.Println(a, err)
		case "iperf":
			p.exec(t.Context(), serverSide, "", "sh", "-c", "iperf3 -s -1 -D -p 5202")
			time.Sleep(100 * time.Millisecond)
			out, err := p.exec(t.Context(), clientSide, "", "sh", "-c", "iperf3 -c "+p.to.Addr().String()+" -p 5202 -t 2 -f g -C cubic| grep receiver")
			fmt.Print(out, err, "\n")
		default:
			a, err := p.ask(t.Context(), request{Streams: 1, For: 2 * time.Second})
			fmt.Println(float64(a.Bytes)*8/a.Elapsed.Seconds()/1e9, err)
		}
	}
}
