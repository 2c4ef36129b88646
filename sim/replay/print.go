package replay

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/story"
)

// JSON prints a result as one JSON document.
func JSON(w io.Writer, r *Result) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// printed is how many dropped flows, and how many foreign addresses, people are shown.
const printed = 10

// Print says for people what became of captures.
func Print(w io.Writer, r *Result) {
	p := printer{w}
	p.line("%s (%s): %s of packets, seed %d", r.Scenario, r.File, r.Duration.Round(time.Millisecond), r.Seed)
	for _, f := range r.Captures {
		p.file(f)
	}
	p.answers(r)
	p.arrivals(r)
	p.drops(r)
	p.foreign(r)
	if r.Out != "" {
		p.line("every packet at every interface: %s", r.Out)
	}
}

type printer struct{ w io.Writer }

func (p printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p.w, format+"\n", args...)
}

// file says what a capture held.
func (p printer) file(f *File) {
	p.line("%s at %s: %s, %d fed, %d received", f.Capture, strings.Join(f.Interfaces, ", "), story.Count(f.Packets, "packet"), f.Fed, f.Received)
	for _, what := range slices.Sorted(maps.Keys(f.Skipped)) {
		p.line("  skipped: %s %s", story.Count(f.Skipped[what], "packet"), skippedWords(what))
	}
	if f.Offloaded > 0 {
		p.line("  completed: %s that the sender left to its network card, to fill in the checksum or to cut it into segments", story.Count(f.Offloaded, "packet"))
	}
	if f.Backwards > 0 {
		p.line("  times run backwards at %s, which count as of the latest time before them", story.Count(f.Backwards, "packet"))
	}
	if f.Translated > 0 {
		p.line("  translated: %s with another far end than in the capture, as the load balancer chose it here", story.Count(f.Translated, "flow"))
	}
}

// skippedWords says why packets were skipped.
func skippedWords(what string) string {
	switch what {
	case skippedCut:
		return "of which the capture has the beginning only: capture with tcpdump -s 0"
	case skippedFilter:
		return "that the filter does not want"
	case skippedElsewhere:
		return "that were captured at other interfaces of the lab"
	case skippedLinkLocal:
		return "to or from link-local addresses, which a lab has none of"
	case skippedGroup:
		return "of broadcast or multicast, which a VPC carries none of"
	case skippedBroken:
		return "without a whole IP header"
	}
	return "of " + what
}

// answers compares what interfaces received.
func (p printer) answers(r *Result) {
	for _, f := range r.Captures {
		switch {
		case f.Received == 0:
		case f.AsCaptured == 0 && len(r.Captures) == 1 && len(f.Interfaces) == 1:
			p.line("one direction only: what %s received was sent by others, of whom there is no capture. Give theirs, too: --at INTERFACE=CAPTURE", strings.Join(f.Interfaces, ", "))
		default:
			p.line("%s: of %s that were received %d came out as captured, %d did not, and %d came that the capture does not have",
				f.Capture, story.Count(f.Received, "packet"), f.AsCaptured, f.Missing, f.Unexpected)
		}
	}
}

func (p printer) arrivals(r *Result) {
	if len(r.CameOut) == 0 {
		p.line("came out: nothing")
		return
	}
	p.line("came out:")
	for _, a := range r.CameOut {
		resets := ""
		if a.Resets > 0 {
			resets = fmt.Sprintf(", of them %s by the load balancer", story.Count(a.Resets, "reset"))
		}
		p.line("  %-40s %s%s", a.Interface, story.Count(a.Packets, "packet"), resets)
	}
}

func (p printer) drops(r *Result) {
	if len(r.Dropped) == 0 {
		p.line("dropped: nothing")
		return
	}
	p.line("dropped:")
	for _, d := range r.Dropped {
		p.line("  %-40s %s as %s: %s", d.Interface, story.Count(d.Packets, "packet"), d.Reason, d.Explanation)
	}
	for _, name := range r.Pending {
		p.line("  nobody has accepted the endpoint %s, since the story is not played: --accept %s does", name, name)
	}
	for i, f := range r.DroppedFlows {
		if i == printed {
			p.line("%d more flows are in -o json", len(r.DroppedFlows)-printed)
			break
		}
		p.line("%s of %s, %s > %s, first packet %d of %s:", story.Count(f.Packets, "packet"), explain.Protocol(f.Protocol), ends(f.Source), ends(f.Target), f.First, f.Capture)
		for _, l := range f.Way {
			p.line("  · %s", l)
		}
	}
}

// ends writes an end of a flow, which has no port where it is none of TCP or UDP.
func ends(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}

// foreign says which addresses do not match the scenario.
func (p printer) foreign(r *Result) {
	if len(r.Foreign) == 0 {
		return
	}
	p.line("addresses that do not match the scenario:")
	for i, f := range r.Foreign {
		if i == printed {
			p.line("  %d more are in -o json", len(r.Foreign)-printed)
			break
		}
		where := "is in no subnet of the lab"
		switch {
		case f.Interface != "" && !f.Sends:
			where = "is that of " + f.Interface
		case f.Interface != "":
			where = fmt.Sprintf("is that of %s: give --at %s to replay what it sent", f.Interface, f.Interface)
		case f.Subnet != "":
			where = fmt.Sprintf("is no interface's; nearest is %s, in the same subnet %s", f.Nearest, f.Subnet)
		case f.Nearest != "":
			where = fmt.Sprintf("is in no subnet of the lab; nearest is %s", f.Nearest)
		}
		p.line("  %-40s %s; it %s", f.Address, story.Count(f.Packets, "packet"), where)
	}
	p.line("Give instances and endpoints of the scenario the addresses of the capture (private_ip, ipv6_addresses, private_ips), or leave packets out with --filter.")
}
