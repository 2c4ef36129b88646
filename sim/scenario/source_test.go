package scenario_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/plsim/plsim/sim/scenario"
)

const positions = `# comment
name: x
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    subnets: { ä: { cidr_block: 10.0.1.0/24 }, b.c: {} }
    security_groups:
      web: &web
        ingress:
          - { protocol: tcp, cidr_blocks: [10.0.0.0/8, 0.0.0.0/0] }
          - protocol: udp
            self: true
      app: *web
steps:
- wait: 1s
- exec:
    in: web
    command: |
      one
      two ${a}
  expect: { stdout: "${a}${b}", stderr: "${b}" }
`

func TestPosition(t *testing.T) {
	_, src, err := scenario.Parse("p.yaml", []byte(positions))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path         string
		line, column int
	}{
		{"", 1, 1},
		{"nowhere", 1, 1},
		{"name", 2, 7},
		{"vpcs", 3, 1},          // a mapping stands at its key
		{"vpcs.provider", 4, 3}, //
		{"vpcs.provider.cidr_block", 5, 17},
		{"vpcs.provider.owner_id", 4, 3}, // a missing key at its parent's
		{"vpcs.provider.subnets.'ä'", 6, 16},
		{"vpcs.provider.subnets.'ä'.cidr_block", 6, 33}, // columns count characters
		{"vpcs.provider.subnets.'b.c'", 6, 48},
		{"vpcs.provider.subnets.'b.c'.id", 6, 48},
		{"vpcs.provider.subnets.'d.e'.id", 6, 5},
		{"vpcs.provider.security_groups.web.ingress", 9, 9},
		{"vpcs.provider.security_groups.web.ingress[0]", 10, 13},
		{"vpcs.provider.security_groups.web.ingress[0].protocol", 10, 25},
		{"vpcs.provider.security_groups.web.ingress[0].cidr_blocks[1]", 10, 56},
		{"vpcs.provider.security_groups.web.ingress[0].cidr_blocks[2]", 10, 30},
		{"vpcs.provider.security_groups.web.ingress[1]", 11, 13},
		{"vpcs.provider.security_groups.web.ingress[1].self", 12, 19},
		{"vpcs.provider.security_groups.app", 13, 7},
		{"vpcs.provider.security_groups.app.ingress[1].self", 12, 19}, // where the anchor has it
		{"steps[0].wait", 15, 9},
		{"steps[1].exec.command", 18, 14},
		{"steps[1].exec.command[2]", 18, 14},
		{"steps[2]", 14, 1},
	} {
		if got := src.Position(c.path); got != (scenario.Position{Line: c.line, Column: c.column}) {
			t.Errorf("%s is at %d:%d, want %d:%d", c.path, got.Line, got.Column, c.line, c.column)
		}
	}
	for _, c := range []struct {
		path, part   string
		line, column int
	}{
		{"steps[1].exec.command[2]", "${a}", 20, 11},
		{"steps[1].expect.stdout.equals", "${a}", 21, 22},
		{"steps[1].expect.stdout.equals", "${b}", 21, 26},
		{"steps[1].expect.stderr", "${b}", 21, 42},
		{"steps[1].expect.stderr", "${c}", 21, 41},
		{"steps[1].exec.in", "${a}", 17, 9}, // never in another value
	} {
		m := src.MistakeIn(c.path, c.part, "wrong")
		if m.Line != c.line || m.Column != c.column {
			t.Errorf("%s of %s is at %d:%d, want %d:%d", c.part, c.path, m.Line, m.Column, c.line, c.column)
		}
	}
}

func TestMistakesAreSortedAndToldOnce(t *testing.T) {
	const text = "name: x\nvpcs:\n  b: &v { cidr_block: 10.0.0.0/16, colour: blue }\n  a: *v\n  c: *v\nsteps: 1\nvpc: 2\n"
	_, _, err := scenario.Parse("p.yaml", []byte(text))
	const want = `p.yaml:3:36: unknown key "colour"; choose from id, owner_id, cidr_block, ipv6_cidr_block, enable_dns_support, enable_dns_hostnames, availability_zones, subnets, security_groups, network_acls, route_tables, instances
p.yaml:6:8: steps: expected a list, found the number 1: write [1]
p.yaml:7:1: unknown key "vpc"; did you mean vpcs?`
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%v", err, want)
	}
}

// A mistake far into a long line is shown with what stands around it.
func TestExcerptOfLongLines(t *testing.T) {
	_, _, err := scenario.Parse("p", []byte("name: x\nvpcs: { "+strings.Repeat("x", 500)+": 7, y: "+strings.Repeat("z", 500)+" }\n"))
	var ms scenario.Mistakes
	if !errors.As(err, &ms) || len(ms) != 2 {
		t.Fatalf("got %v", err)
	}
	for i, m := range ms {
		lines := strings.Split(m.Excerpt(), "\n")
		if len(lines) != 3 {
			t.Fatalf("the excerpt is %q", lines)
		}
		caret := strings.IndexByte(lines[1], '^')
		if lines[0][caret] != "7z"[i] || len(lines[0]) > 200 {
			t.Errorf("the caret is under %q in\n%s", lines[0][caret], m.Excerpt())
		}
	}
}
