package story

import (
	"context"
	"net/http"
	"net/netip"
	"time"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/cloudwatch"
)

// World is a lab that runs: what a story can do to it and see of it. Its methods
// are called one at a time. An error is a fault of the run, never the outcome of
// an action: that a request met silence is something that was seen.
type World interface {
	// Request sends one HTTP request.
	Request(ctx context.Context, r *scenario.Request) (Response, error)
	// Connect sends many HTTP requests, each on its own connection.
	Connect(ctx context.Context, c *scenario.Connections) (*Tally, error)
	// Resolve sends one DNS query.
	Resolve(ctx context.Context, r *scenario.Resolve) (Answer, error)
	// Exchange says something over a connection and waits for the answer.
	Exchange(ctx context.Context, x *scenario.Exchange) (Reply, error)
	// Ping sends one ICMP echo request.
	Ping(ctx context.Context, p *scenario.Ping) (Failure, error)
	// StartTraffic starts a generator, which goes on until it has done all that it is
	// to do.
	StartTraffic(ctx context.Context, t *scenario.Traffic) error
	// Traffic waits until a generator has come to its end, which it does early if it is
	// to stop, and returns what became of its traffic. Name is "" for the last that has
	// none.
	Traffic(ctx context.Context, name string, stop bool) (*Tally, error)
	// Received returns what a sink has received up to now.
	Received(ctx context.Context, r *scenario.Received) (Receipt, error)
	// Exec runs a program in an instance until it ends.
	Exec(ctx context.Context, e *scenario.Exec) (Exit, error)
	// Wait lets the lab's time pass.
	Wait(ctx context.Context, d time.Duration) error
	// Pause lets time pass as the user has it, for what goes on in the lab to
	// come to its end; also after each step, when there is none to pass by itself.
	Pause(ctx context.Context, d time.Duration) error
	// Now returns how much of the lab's time has passed since its start.
	Now() time.Duration
	// Elapsed returns how long the lab has run as the user has it: by the wall, or in
	// time of the lab where that is all there is.
	Elapsed() time.Duration

	// Fail lets something in an instance fail, which has not failed already, and Heal brings
	// back what has: all of it that a scenario.Heal ends. Both are about instances only,
	// which are named in full.
	Fail(ctx context.Context, f *scenario.Fault) error
	Heal(ctx context.Context, h *scenario.Heal) error
	// Restart has the forwarder begin anew.
	Restart(keepState bool) error

	// Look reads what changes by itself: the health of targets.
	Look(f func(*topology.Lab) error) error
	// Edit changes the lab as AWS's API would; what AWS would refuse is an
	// error that f returns and Edit hands on.
	Edit(f func(*topology.Lab) error) error
	// Records returns the records of all interfaces up to now, as a flow log sums them
	// that may be nil.
	Records(log *topology.FlowLog) ([]flowlog.Record, error)
	// Drops counts the dropped packets of the interfaces, by reason.
	Drops(nics []*topology.NIC) ([drop.NumReasons]uint64, error)
	// Capture begins to capture what a filter lets through of the packets at some interfaces.
	Capture(name string, nics []*topology.NIC, f *capture.Filter) error
	// StopCapture ends a capture, whose packets can still be read.
	StopCapture(name string) error
	// Captured returns the packets of a capture up to now, and how many more it had no
	// room for.
	Captured(name string) ([]capture.Packet, uint64, error)
	// Metrics returns what CloudWatch would have of the lab up to now.
	Metrics() ([]cloudwatch.Series, error)
	// Explain says which way a first packet would take now from an instance to a
	// destination, in a lab that some deeds have changed. It sends nothing.
	Explain(ctx context.Context, from *topology.Host, to Destination, deeds []Deed) (Way, error)
}

// Destination is where a packet would go.
type Destination struct {
	Host string // a name or an address
	Port uint16 // 0: ping
	UDP  bool
}

// Way is which way a packet would take, in lines for people.
type Way struct {
	Lines   []string
	Why     string   // a packet arrives, or not, in a sentence
	Changes []string // that would mend it
	Notes   []string // what else is wrong with the lab
}

// Response is the answer to a request, or why there is none.
type Response struct {
	Failure
	Status  int
	Headers http.Header
	Body    string
}

// Reply is what came first in answer, or why nothing did.
type Reply struct {
	Failure
	Body string
}

// Receipt is what a sink has received.
type Receipt struct{ Connections, Datagrams, Bytes int64 }

// Answer is the answer to a DNS query.
type Answer struct {
	Failure
	Addresses []netip.Addr
}

// Exit is how a program ended.
type Exit struct {
	Code           int // 128 plus the signal where a signal ended it
	Stdout, Stderr string
	TimedOut       bool
}
