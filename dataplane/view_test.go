package dataplane_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
)

// viewer is a walk at whose flows somebody looks.
type viewer struct {
	*lab
	t     *testing.T
	walk  *dataplane.Walk
	frame *packet.Frame
	now   clock.Time
}

func newViewer(t *testing.T, text string, accounts bool) *viewer {
	l := newLab(t, false, text)
	s := dataplane.DefaultSettings()
	s.Accounts = accounts
	return &viewer{l, t, dataplane.New(l.prog, s), packet.NewFrame(), clock.Time(time.Second)}
}

// send sends a packet, and returns what answers it, and from where that is sent.
func (v *viewer) send(from dataplane.InterfaceID, s *packet.Spec) (dataplane.InterfaceID, *packet.Spec) {
	v.now = v.now.Add(100 * time.Millisecond)
	s.Build(v.frame)
	at, _ := v.walk.Process(v.now, from, v.frame)
	if at == dataplane.NoInterface {
		return at, nil
	}
	var got packet.View
	got.Decode(v.frame)
	return at, answerTo(&got)
}

// connect opens a connection, and returns its ends.
func (v *viewer) connect(from, to string) (client *packet.Spec, at dataplane.InterfaceID, target *packet.Spec) {
	client = dial(v.lab, from, to, packet.TCP)
	client.Seq = uint32(v.now) // each has another
	at, target = v.send(v.id(from), client)
	v.send(at, target)
	client.Flags, client.Seq, target.Flags = packet.ACK, client.Seq+1, packet.ACK
	v.send(v.id(from), client)
	return client, at, target
}

// views are the flows in lines, sorted; looked at so many slots at a time.
func (v *viewer) views(slots int) string {
	var all []string
	name := func(id dataplane.InterfaceID) string {
		if id == dataplane.NoInterface {
			return "-"
		}
		return v.name(id)
	}
	for next := 0; next >= 0; {
		next = v.walk.ViewFlows(v.now, next, slots, func(f *dataplane.FlowView) {
			all = append(all, fmt.Sprintf("%s:%d by %s %s to %s:%d, %v %v at %s, age %v idle %v of %v, %d/%d packets, %d/%d bytes",
				name(f.Client), f.Key.SrcPort, name(f.Endpoint), name(f.Node), name(f.Target), f.Got.DstPort, f.State, f.Verdict, name(f.At),
				v.now.Sub(f.Began), v.now.Sub(f.Last), f.Idle, f.Sums[0].Packets, f.Sums[1].Packets, f.Sums[0].Bytes, f.Sums[1].Bytes))
		})
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

func (v *viewer) want(what, want string) {
	v.t.Helper()
	for _, slots := range []int{1, 2, 1000} {
		if got := v.views(slots); got != want {
			v.t.Fatalf("%s, %d slots at a time:\n%s\nwant\n%s", what, slots, got, want)
		}
	}
}

// reload makes all paths stale.
func (v *viewer) reload() {
	prog := *v.walk.Program()
	prog.Epoch++
	v.walk.Load(&prog)
}

// TestViewFlows: how flows are, whatever became of their paths; with an idle timeout of
// 350 s (F2.44), and those of tracking (F3.14).
func TestViewFlows(t *testing.T) {
	v := newViewer(t, strings.Replace(twoConsumers, "targets web provider/web-1:8080 provider/web-2:8080", "targets web provider/web-1:8080", 1), true)
	app := v.id("red/app")
	client, at, target := v.connect("red/app", "red/ep")
	v.want("connected", "red/app:40000 by red/ep provider/nlb to provider/web-1:8080, established none at -, age 200ms idle 0s of 5m50s, 2/1 packets, 80/40 bytes")

	// Counts go to the flow logs, and stay here.
	v.walk.LogSoFar()
	v.send(at, target)
	v.reload()
	v.send(at, target) // which decides a path from the target's side
	v.send(app, client)
	v.walk.LogSoFar()
	const established = "red/app:40000 by red/ep provider/nlb to provider/web-1:8080, established none at -, age %s idle %s of 5m50s, 3/3 packets, 120/120 bytes"
	v.want("of two paths", fmt.Sprintf(established, "500ms", "0s"))
	v.now = v.now.Add(349 * time.Second)
	v.walk.Restart(true)
	v.want("without a path", fmt.Sprintf(established, "5m49.5s", "5m49s"))
	if n := len(v.walk.Delivered()); n != 1 {
		t.Errorf("%d targets", n)
	}
	for id, sums := range v.walk.Delivered() {
		if id.Port != 8080 || sums != [2]dataplane.Sum{{Packets: 3, Bytes: 120}, {Packets: 3, Bytes: 120}} {
			t.Errorf("%v got %v", id, sums)
		}
	}

	// A new connection from the same port is another flow.
	client.Flags = packet.RST
	v.send(app, client)
	v.want("reset", "red/app:40000 by red/ep provider/nlb to provider/web-1:8080, closed none at -, age 5m49.6s idle 0s of 10s, 4/3 packets, 160/120 bytes")
	v.connect("red/app", "red/ep")
	v.want("again", "red/app:40000 by red/ep provider/nlb to provider/web-1:8080, established none at -, age 200ms idle 0s of 5m50s, 2/1 packets, 80/40 bytes")
	v.now = v.now.Add(350 * time.Second)
	v.want("expired", "")
	for range 3 {
		v.walk.Expire(v.now, 1000)
	}

	// Directly; and one that is refused, which is counted, too.
	v.connect("red/app", "red/far")
	refused := dial(v.lab, "red/far", "red/app", packet.TCP)
	for range 2 {
		v.send(v.id("red/far"), refused)
	}
	got := v.views(1000)
	for _, want := range []string{
		"red/app:40000 by - - to red/far:80, established none at -, ", "2/1 packets",
		"red/far:40000 by - - to -:80, none security_group_ingress at red/app, age 100ms idle 0s of 1m0s, 2/0 packets, 80/0 bytes",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s\nlacks %s", got, want)
		}
	}
}

// TestViewWithoutAccounts: flows can be seen, but not how they began.
func TestViewWithoutAccounts(t *testing.T) {
	v := newViewer(t, twoConsumers, false)
	v.connect("blue/app", "blue/ep")
	got := v.views(1000)
	if !strings.HasPrefix(got, "blue/app:40000 by blue/ep provider/nlb to provider/web-") || !strings.HasSuffix(got, "age 200ms idle 0s of 5m50s, 2/1 packets, 80/40 bytes") || len(v.walk.Delivered()) != 0 {
		t.Error(got)
	}
}
