package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/snat"
	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/sim/flowlogs"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

// simulable returns the names of the scenarios that need no real hosts, those of
// testdata/modes among them, which are here to compare the modes.
func simulable(t *testing.T) (names []string) {
	t.Helper()
	err := fs.WalkDir(scenarios.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		l, err := scenario.Load(filepath.Join("../../scenarios", name))
		if err != nil {
			return err
		}
		if len(l.Real()) == 0 {
			names = append(names, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	others, err := filepath.Glob("testdata/modes/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range others {
		names = append(names, filepath.Join("../cmd/plsim", name))
	}
	if len(names) < 30 {
		t.Fatalf("only %d scenarios can be simulated", len(names))
	}
	return names
}

// playSimulated plays a scenario on virtual time and keeps its files in a directory.
func playSimulated(t *testing.T, name, dir string) {
	t.Helper()
	var stdout, stderr strings.Builder
	args := []string{"run", "--mode", "simulate", "--seed", "7", "--out", dir, "--flow-log", "full", filepath.Join("../../scenarios", name)}
	if code := run(args, &stdout, &stderr); code != exitOK {
		t.Fatalf("plsim %s: exit code %d\n%s%s", strings.Join(args, " "), code, stdout.String(), stderr.String())
	}
}

// TestSimulated: every scenario without programs passes on virtual time. Two runs with
// one seed are the same byte for byte: results, flow logs and captures.
func TestSimulated(t *testing.T) {
	for i, name := range simulable(t) {
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			if testing.Short() && name == "traffic.yaml" {
				t.Skip("too much traffic for a short test")
			}
			first, second := t.TempDir(), t.TempDir()
			playSimulated(t, name, first)
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1 + i%2))
			playSimulated(t, name, second)
			compareTrees(t, first, second)
		})
	}
}

// compareTrees compares the files of two directories.
func compareTrees(t *testing.T, a, b string) {
	t.Helper()
	files := filesBelow(t, a)
	if other := filesBelow(t, b); !slices.Equal(files, other) {
		t.Fatalf("files %v, then %v", files, other)
	}
	for _, name := range files {
		one, err := os.ReadFile(filepath.Join(a, name))
		if err != nil {
			t.Fatal(err)
		}
		two, err := os.ReadFile(filepath.Join(b, name))
		if err != nil {
			t.Fatal(err)
		}
		if string(one) != string(two) {
			t.Errorf("%s differs: %s", name, firstDifference(string(one), string(two)))
		}
	}
}

func filesBelow(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			name, err = filepath.Rel(dir, name)
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func firstDifference(a, b string) string {
	one, two := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(one), len(two)) {
		if one[i] != two[i] {
			return fmt.Sprintf("line %d\n%.300q\n%.300q", i+1, one[i], two[i])
		}
	}
	return fmt.Sprintf("%d lines, then %d", len(one), len(two))
}

// TestBothModes plays each scenario in namespaces and simulated: every step comes to
// the same verdict, and the flow logs tell of the same flows, apart from times, ports
// that were drawn, how much an interval happened to hold, and health checks, of which
// there are as many as the run takes long.
func TestBothModes(t *testing.T) {
	t.Parallel()
	requirePrivilege(t)
	for i, name := range simulable(t) {
		t.Run(strings.TrimSuffix(name, ".yaml"), func(t *testing.T) {
			t.Parallel()
			real, virtual := t.TempDir(), t.TempDir()
			workers := strconv.Itoa(1 + i%2) // which is nobody's to see
			playSimulated(t, name, virtual)
			cmd := exec.Command("/proc/self/exe", "run", filepath.Join("../../scenarios", name), "--seed", "7", "--out", real, "--flow-log", "full", "--workers", workers)
			cmd.Args[0] = "plsim"
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			switch {
			case errors.As(err, &exit) && exit.ExitCode() == exitHost && os.Getenv("PLSIM_PRIVILEGED") != "require":
				t.Skip(string(out))
			case err != nil:
				t.Fatalf("%v\n%s", err, out)
			}
			compareResults(t, real, virtual)
			compareFlows(t, name, real, virtual)
		})
	}
}

// compareResults compares the verdicts of the steps.
func compareResults(t *testing.T, real, virtual string) {
	t.Helper()
	read := func(dir string) (res story.Result) {
		b, err := os.ReadFile(filepath.Join(dir, "result.json"))
		if err == nil {
			err = json.Unmarshal(b, &res)
		}
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	a, b := read(real), read(virtual)
	for i := range a.Steps {
		if a.Steps[i].Verdict != b.Steps[i].Verdict {
			t.Errorf("step %d (%s): %s in namespaces (%s), %s simulated (%s)", i+1, a.Steps[i].Name, a.Steps[i].Verdict, a.Steps[i].Seen, b.Steps[i].Verdict, b.Steps[i].Seen)
		}
	}
}

// compareFlows compares which flows the logs have.
func compareFlows(t *testing.T, name, real, virtual string) {
	t.Helper()
	l, err := scenario.Load(filepath.Join("../../scenarios", name))
	if err != nil {
		t.Fatal(err)
	}
	a, b := flowsIn(t, l, real), flowsIn(t, l, virtual)
	for flow := range a {
		if !b[flow] {
			t.Errorf("only in namespaces: %s", flow)
		}
	}
	for flow := range b {
		if !a[flow] {
			t.Errorf("only simulated: %s", flow)
		}
	}
}

// flowsIn returns what is the same of flows however often they happen, and whichever
// zone and target chance has chosen for them.
func flowsIn(t *testing.T, l *scenario.Loaded, dir string) map[string]bool {
	t.Helper()
	roles := rolesIn(l)
	flows := map[string]bool{}
	err := flowlogs.Read(dir, func(r flowlogs.Row) error {
		if ownPort(r.Get("srcport")) || ownPort(r.Get("dstport")) {
			return nil
		}
		at := r.Get("interface-id")
		var parts []string
		for _, field := range []string{
			"interface-id", "srcaddr", "srcport", "dstaddr", "dstport", "protocol", "action", "log-status",
			"pkt-srcaddr", "pkt-dstaddr", "flow-direction", "traffic-path",
		} {
			value := r.Get(field)
			if n, err := strconv.Atoi(value); strings.HasSuffix(field, "port") && err == nil && n >= 1024 {
				value = "drawn"
			}
			if role, ok := roles[[2]string{at, value}]; ok {
				value = role
			}
			parts = append(parts, field+" "+value)
		}
		flows[strings.Join(parts, ", ")] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return flows
}

// rolesIn says what an interface's ID and the addresses of its network stand for at that
// interface, where chance chooses between several: an endpoint or a load balancer in any
// zone, or one of a group's targets.
func rolesIn(l *scenario.Loaded) map[[2]string]string {
	member := map[string]string{}
	for _, group := range slices.Sorted(maps.Keys(l.Scenario.TargetGroups)) {
		for _, target := range l.Scenario.TargetGroups[group].Targets {
			if h, err := l.Lab.Instance(target.TargetID); err == nil {
				member[h.Name] += " " + group
			}
		}
	}
	role := func(n *topology.NIC) string {
		switch n.Kind {
		case dataplane.Endpoint, dataplane.Node, dataplane.Proxy:
			return n.Label[:strings.LastIndexByte(n.Label, '.')]
		case dataplane.Instance:
			if groups := member[n.Host.Name]; groups != "" {
				return "a target of" + groups
			}
		}
		return ""
	}
	roles := map[[2]string]string{}
	for _, n := range l.Lab.NICs {
		if r := role(n); r != "" {
			roles[[2]string{n.ID, n.ID}] = r
		}
		for _, other := range l.Lab.NICs {
			if r := role(other); r != "" && other.Network == n.Network {
				for _, a := range other.Addrs {
					roles[[2]string{n.ID, a.Addr().String()}] = r
				}
			}
		}
	}
	return roles
}

// ownPort reports whether a port is one from which nodes speak for themselves.
func ownPort(text string) bool {
	n, err := strconv.Atoi(text)
	return err == nil && n >= snat.FirstOwnPort && n <= snat.LastOwnPort
}
