package diagnose

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/plsim/plsim/sim/explain"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// A story that goes on is held up by its explanations, which are bounded therefore.
const (
	// storyWays is for how many ways of a story changes are looked for.
	storyWays = 20
	// storyTries is how many copies of the lab are made for each.
	storyTries = 40
	// longestWay is how many lines of an explanation are kept.
	longestWay = 60
)

// explained is a world whose failed steps are explained as questions are.
type explained struct {
	World
	running Running
	known   map[string]*explain.Explanation // what mends a way, by the way itself
}

// Explained returns the world of a scenario, in which [story.Play] explains a step that
// fails as [Running.Explain] explains its packet: with what mends it.
func Explained(w World, l *scenario.Loaded, real bool, seed uint64) story.World {
	return &explained{w, Running{World: w, Loaded: l, Real: real, Seed: seed}, map[string]*explain.Explanation{}}
}

// Explain implements [story.World].
func (x *explained) Explain(ctx context.Context, from *topology.Host, to story.Destination, deeds []story.Deed) (story.Way, error) {
	way, err := x.World.Explain(ctx, from, to, deeds)
	if err != nil {
		return way, err
	}
	now := x.running
	now.Deeds = deeds
	host := strings.Trim(to.Host, "[]")
	d := now.diagnosis(Question{from.Name, net.JoinHostPort(host, strconv.Itoa(int(to.Port))), to.UDP}, Options{})
	d.q, d.tries = &question{from: from.Name, to: host, host: host, port: to.Port, udp: to.UDP}, storyTries
	_, seen, e, err := d.here()
	if err != nil {
		return way, err
	}
	if !seen.good() {
		if err := x.mend(ctx, d, e, seen); err != nil {
			return way, err
		}
	}
	way.Lines, way.Why, way.Changes = lines(e), e.Summary, e.Changes
	return way, nil
}

// mend adds what mends a way, and looks for that once.
func (x *explained) mend(ctx context.Context, d *diagnosis, e *explain.Explanation, seen *sighting) error {
	key := fmt.Sprint(len(d.running.Deeds), lines(e))
	if known := x.known[key]; known != nil {
		e.Changes, e.Advice, e.Assumptions = known.Changes, known.Advice, known.Assumptions
		return nil
	}
	if len(x.known) == storyWays {
		e.Advice = fmt.Sprintf("What mends it was looked for in %d others: plsim explain does so for this one.", storyWays)
		return nil
	}
	if err := d.adviseFor(ctx, e, seen); err != nil {
		var mistakes scenario.Mistakes
		if !errors.As(err, &mistakes) {
			return err
		}
	}
	x.known[key] = e
	return nil
}

// lines are what plsim explain prints, or the beginning and the end of it.
func lines(e *explain.Explanation) []string {
	var b strings.Builder
	explain.Print(&b, e, explain.Summary)
	all := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if more := len(all) - longestWay; more > 0 {
		const end = longestWay / 3
		cut := append([]string(nil), all[:longestWay-end]...)
		all = append(append(cut, fmt.Sprintf("  … %d lines more: plsim explain prints them", more)), all[len(all)-end:]...)
	}
	return all
}
