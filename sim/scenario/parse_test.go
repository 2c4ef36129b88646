package scenario_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/topology"
)

// The forms in which a value can be written, each with what it comes to.
func TestParseForms(t *testing.T) {
	text := func(s string) *scenario.Matcher { return &scenario.Matcher{Equals: &s} }
	requires := func(list ...string) func(*scenario.Scenario) (any, any) {
		return func(s *scenario.Scenario) (any, any) { return s.Requires, list }
	}
	for _, c := range []struct {
		yaml string
		want func(*scenario.Scenario) (got, want any)
	}{
		{"requires: [a, 'b', \"c\"]", requires("a", "b", "c")},
		{"requires:\n- a\n-   b", requires("a", "b")},
		{"requires: []", requires()},
		{"requires: [200, 1.10, true, 0x1f, 1_000, 222222222222, on, no]", requires("200", "1.10", "true", "0x1f", "1_000", "222222222222", "on", "no")},
		{"description: *d\nrequires: [&d x]", func(s *scenario.Scenario) (any, any) { return s.Description, "x" }},
		{"description: |\n  a\n  b\n", func(s *scenario.Scenario) (any, any) { return s.Description, "a\nb\n" }},
		{"vpcs: { a: { cidr_block: 2001:db8::/32 } }", func(s *scenario.Scenario) (any, any) { return s.VPCs["a"].CIDRBlock, "2001:db8::/32" }},
		{"vpcs: { a: { cidr_block: x, instances: { i: { ipv6_addresses: [2001:db8::5, ::1, \"::2\", a] } } } }",
			func(s *scenario.Scenario) (any, any) {
				return s.VPCs["a"].Instances["i"].IPv6Addresses, []string{"2001:db8::5", "::1", "::2", "a"}
			}},
		{"endpoint_services: { e: { network_load_balancer_arns: [a], allowed_principals: [arn:aws:iam::222222222222:root, \"*\"] } }",
			func(s *scenario.Scenario) (any, any) {
				return s.EndpointServices["e"].AllowedPrincipals, []string{"arn:aws:iam::222222222222:root", "*"}
			}},
		{"vpcs: { a: &v { cidr_block: x, owner_id: \"1\" }, b: { <<: *v, cidr_block: y }, c: { <<: [*v, { id: i }] } }",
			func(s *scenario.Scenario) (any, any) {
				return []topology.VPC{*s.VPCs["b"], *s.VPCs["c"]},
					[]topology.VPC{{CIDRBlock: "y", OwnerID: "1"}, {CIDRBlock: "x", OwnerID: "1", ID: "i"}}
			}},
		{"vpcs: { a: { cidr_block: x, subnets: { s: } } }", func(s *scenario.Scenario) (any, any) { return *s.VPCs["a"].Subnets["s"], topology.Subnet{} }},
		{"target_groups: { g: { port: 80, protocol: TCP, targets: [web, 10.0.0.1, { target_id: x, port: 81 }] } }",
			func(s *scenario.Scenario) (any, any) {
				return s.TargetGroups["g"].Targets, []*topology.Target{{TargetID: "web"}, {TargetID: "10.0.0.1"}, {TargetID: "x", Port: 81}}
			}},
		{"steps: [{ exec: { in: i, command: ls -l } }]", func(s *scenario.Scenario) (any, any) {
			return s.Steps[0].Exec.Command, topology.Command{"/bin/sh", "-c", "ls -l"}
		}},
		{"steps: [{ exec: { in: i, command: [ls, -1] } }]", func(s *scenario.Scenario) (any, any) {
			return s.Steps[0].Exec.Command, topology.Command{"ls", "-1"}
		}},
		{"steps: [{ accept: api }]", func(s *scenario.Scenario) (any, any) { return *s.Steps[0].Accept, "api" }},
		{"steps: [{ wait: 1m30s }]", func(s *scenario.Scenario) (any, any) {
			return s.Steps[0].Wait.Duration(), 90 * time.Second
		}},
		{"steps: [{ drops: , expect: { reasons: { mtu: 007.5 } } }]", func(s *scenario.Scenario) (any, any) {
			return s.Steps[0].Expect.Reasons["mtu"], text("007.5")
		}},
		{"steps: [{ drops: {}, expect: { status: 200, body: { not: true }, exit_code: { at_least: 1.5 } } }]",
			func(s *scenario.Scenario) (any, any) {
				f := 1.5
				return s.Steps[0].Expect, &scenario.Expect{Status: text("200"), Body: &scenario.Matcher{Not: text("true")}, ExitCode: &scenario.Matcher{AtLeast: &f}}
			}},
	} {
		head := "name: x\n"
		if !strings.Contains(c.yaml, "vpcs:") {
			head += "vpcs:\n"
		}
		for _, newline := range []string{"\n", "\r\n"} {
			s, _, err := scenario.Parse("x", []byte("\ufeff"+strings.ReplaceAll(head+c.yaml+"\n", "\n", newline)))
			if err != nil {
				t.Errorf("%s: %v", c.yaml, err)
				continue
			}
			if got, want := c.want(s); !reflect.DeepEqual(got, want) && !isEmptyList(got, want) {
				t.Errorf("%s: got %#v, want %#v", c.yaml, got, want)
			}
		}
	}
}

// isEmptyList accepts an empty list, but no absent one, where none is wanted.
func isEmptyList(got, want any) bool {
	g, ok := got.([]string)
	return ok && g != nil && len(g) == 0 && len(want.([]string)) == 0
}

// What a scenario leaves out is written into it.
func TestLoadFillsSteps(t *testing.T) {
	loaded, err := scenario.LoadBytes("x", []byte(`steps:
  - request: { from: client, url: http://web/ }
  - request: { from: client, url: http://web/, method: POST, timeout: 1s }
    expect: { error: timeout }
  - connections: { from: client, to: web:80, count: 5 }
  - connections: { from: client, to: web:80, count: 5, concurrency: 1 }
    expect: { succeeded: { at_least: 3 } }
  - resolve: { from: client, host: web }
  - ping: { from: client, to: web }
  - exec: { in: client, command: ls }
  - exec: { in: client, command: ls }
    expect: { exit_code: 1 }
  - accept: api
`+lab))
	if err != nil {
		t.Fatal(err)
	}
	steps := loaded.Scenario.Steps
	r, c, d, p, e := steps[0].Request, steps[2].Connections, steps[4].Resolve, steps[5].Ping, steps[6].Exec
	seconds := func(n int) scenario.Duration { return scenario.Duration(time.Duration(n) * time.Second) }
	for _, f := range []struct {
		what      string
		got, want any
	}{
		{"request", []any{r.Method, r.Timeout}, []any{"GET", seconds(5)}},
		{"request as written", []any{steps[1].Request.Method, steps[1].Request.Timeout}, []any{"POST", seconds(1)}},
		{"connections", []any{c.Concurrency, c.Timeout}, []any{16, seconds(5)}},
		{"connections as written", steps[3].Connections.Concurrency, 1},
		{"resolve", []any{d.Type, d.Timeout}, []any{"A", seconds(2)}},
		{"ping", p.Timeout, seconds(1)},
		{"exec", e.Timeout, seconds(30)},
	} {
		if !reflect.DeepEqual(f.got, f.want) {
			t.Errorf("%s: got %v, want %v", f.what, f.got, f.want)
		}
	}
	for i, want := range []string{"none", "timeout", "none", "anything", "none", "none"} {
		if got := steps[i].Expect.Error.String(); got != want {
			t.Errorf("step %d expects the error %s, want %s", i, got, want)
		}
	}
	for i, want := range map[int]string{6: "0", 7: "1"} {
		if got := steps[i].Expect.ExitCode.String(); got != want {
			t.Errorf("step %d expects the exit code %s, want %s", i, got, want)
		}
	}
	if steps[8].Expect != nil {
		t.Errorf("an accept without an expectation expects %+v", steps[8].Expect)
	}
}

func TestLoadReadsFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "lab.yaml")
	if err := os.WriteFile(file, []byte(lab), 0o644); err != nil {
		t.Fatal(err)
	}
	loaded, err := scenario.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	if loaded.Scenario.Name != "story" || loaded.Lab == nil || loaded.Source.File != file {
		t.Errorf("loaded %+v", loaded)
	}
	if _, err := loaded.Lab.Instance("consumer/client"); err != nil {
		t.Error(err)
	}

	_, err = scenario.Load(filepath.Join(t.TempDir(), "none.yaml"))
	var mistakes scenario.Mistakes
	if !errors.Is(err, os.ErrNotExist) || errors.As(err, &mistakes) {
		t.Errorf("a file that is not there gives %v", err)
	}
}

// A file cannot make plsim work for long, however it is made.
func TestParseIsBounded(t *testing.T) {
	bomb := "name: x\nvpcs:\nsteps:\n- expect:\n    records:\n    - &a { a: x, b: x, c: x, d: x, e: x, f: x, g: x, h: x }\n"
	bomb += "    - &r { version: { not: &n0 { one_of: [" + strings.Repeat("x,", 100) + "] } } }\n"
	bomb += strings.Repeat("    - *r\n", 5000)
	merges := "name: x\nvpcs:\n  v0: &v0 { cidr_block: x }\n"
	for i := range 60 {
		a, b := string(rune('0'+i)), string(rune('1'+i))
		merges += "  v" + b + ": &v" + b + " { <<: [*v" + a + ", *v" + a + "] }\n"
	}
	for name, text := range map[string]string{
		"braces":    strings.Repeat("{a: ", 100_000),
		"brackets":  strings.Repeat("[", 100_000),
		"dashes":    strings.Repeat("- ", 100_000),
		"questions": strings.Repeat("? ", 100_000),
		"stairs":    stairs(2000),
		"size":      strings.Repeat("#", 5<<20),
		"words":     strings.Repeat("{a: b}\n", 200_000),
		"keys":      strings.Repeat("a: b\n", 100_000),
		"aliases":   bomb,
		"merges":    merges,
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			before := spent(t)
			_, _, err := scenario.Parse("x", []byte(text))
			if err == nil {
				t.Error("no mistake found")
			}
			if took := spent(t) - before; took > 20*time.Second {
				t.Errorf("took %v of the processor", took)
			}
		})
	}
}

// spent is how much processor time this thread has used.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_THREAD, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}
