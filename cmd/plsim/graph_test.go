package main

import (
	"bytes"
	"encoding/xml"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/scenarios"
	"github.com/plsim/plsim/topology"
)

var languages = []picture{"mermaid", "dot", "svg"}

func drawn(t *testing.T, f graphFlags, file string) string {
	t.Helper()
	var b bytes.Buffer
	if err := f.draw(&b, []string{file}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The drawings of two labs, which people have looked at.
func TestDrawings(t *testing.T) {
	pictures := map[string]string{"docs/quickstart.svg": "quickstart"}
	for _, name := range []string{"quickstart", "conformance/F2.22a-targets-beyond"} {
		for _, ext := range languages {
			pictures["cmd/plsim/testdata/graph/"+path.Base(name)+"."+string(ext)] = name
		}
	}
	for file, name := range pictures {
		output := picture(strings.TrimPrefix(path.Ext(file), "."))
		f := graphFlags{output: output}
		if strings.HasPrefix(file, "docs/") {
			f.accept = []string{"api"}
		}
		got := drawn(t, f, name)
		file = filepath.Join("../..", file)
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != got {
			t.Errorf("%s is stale (%v); run go test ./cmd/plsim -run TestDrawings -update, and look at it", file, err)
		}
	}
}

// Every scenario that comes with plsim can be drawn, with all its parts; Graphviz takes
// what is DOT.
func TestDrawEverything(t *testing.T) {
	graphviz, noGraphviz := exec.LookPath("dot")
	err := fs.WalkDir(scenarios.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".yaml" {
			return err
		}
		t.Run(name, func(t *testing.T) {
			s, err := load(name)
			if err != nil {
				t.Fatal(err)
			}
			diagram := s.Lab.Diagram()
			lines := written(diagram.Boxes)
			everyPart(t, s.Lab, s.Scenario.Spec, lines)
			picture := drawn(t, graphFlags{output: "svg"}, name)
			wellPlaced(t, diagram, picture)
			svg := svgText(t, picture)
			mermaid, dot := drawn(t, graphFlags{output: "mermaid"}, name), drawn(t, graphFlags{output: "dot"}, name)
			for _, l := range lines {
				if l == string(topology.TargetInitial) || strings.HasSuffix(l, " "+string(topology.TargetInitial)) {
					continue // the drawing has it healthy
				}
				for kind, text := range map[string]string{"svg": svg, "mermaid": spaceless(mermaid), "dot": spaceless(dot)} {
					if !strings.Contains(text, spaceless(l)) {
						t.Errorf("the drawing as %s lacks %q", kind, l)
					}
				}
			}
			if noGraphviz == nil {
				cmd := exec.Command(graphviz, "-Tsvg", "-o", os.DevNull)
				cmd.Stdin = strings.NewReader(dot)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("dot: %v\n%s", err, out)
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// everyPart wants each part of a lab on some line.
func everyPart(t *testing.T, lab *topology.Lab, spec topology.Spec, lines []string) {
	t.Helper()
	all := strings.Join(lines, "\n") + "\n"
	want := func(kind, text string) {
		if text == "" || !strings.Contains(all, text) {
			t.Errorf("the diagram has no %s %q", kind, text)
		}
	}
	for _, n := range lab.Networks {
		want("network", n.Name)
		for _, p := range n.CIDRs {
			want("block of "+n.Name, p.String())
		}
	}
	for _, n := range lab.NICs {
		switch n.Kind {
		case dataplane.Absent:
		case dataplane.Instance, dataplane.OnPremises, dataplane.Internet, dataplane.Resolver:
			for _, a := range n.Addrs {
				want(n.Label, a.Addr().String())
			}
		default:
			want(n.Label, n.ID)
		}
	}
	for name, vpc := range spec.VPCs {
		want("VPC", "VPC "+name+"\n")
		want("account", vpc.OwnerID)
		for group := range vpc.SecurityGroups {
			if group != "default" {
				want("security group", group)
			}
		}
		for subnet, s := range vpc.Subnets {
			want("subnet", "subnet "+subnet+"\n")
			want("zone", s.AvailabilityZone)
		}
		for instance := range vpc.Instances {
			want("instance", "\n"+instance+"\n")
		}
	}
	for name, lb := range spec.LoadBalancers {
		want("load balancer", "load balancer "+name+"\n")
		for _, l := range lb.Listeners {
			want("listener", l.Protocol+":")
		}
	}
	for name := range spec.TargetGroups {
		want("target group", "target group "+name+" (")
	}
	for name := range spec.EndpointServices {
		want("endpoint service", "endpoint service "+name+"\n")
	}
	for name, e := range spec.VPCEndpoints {
		want("endpoint", "endpoint "+name+"\n"+e.ID)
	}
	for _, c := range spec.PeeringConnections {
		want("peering connection", c.ID)
	}
	for _, c := range spec.VPNConnections {
		want("VPN connection", c.ID)
	}
	for _, g := range spec.VPNGateways {
		want("VPN gateway", g.ID)
	}
	for _, g := range spec.InternetGateways {
		want("internet gateway", g.ID)
	}
	for name := range spec.NATGateways {
		want("NAT gateway", "NAT gateway "+name+"\n")
	}
	for _, g := range spec.TransitGateways {
		want("transit gateway", g.ID)
	}
	for name := range spec.TransitGatewayAttachments {
		want("attachment", "attachment "+name+"\n")
	}
}

// written lists what a diagram says.
func written(boxes []*topology.Box) (lines []string) {
	for _, b := range boxes {
		lines = append(append(lines, b.Title), b.Text...)
		if b.State != "" {
			lines = append(lines, b.State)
		}
		lines = append(lines, written(b.Inner)...)
	}
	return lines
}

// svgText returns the text of a picture, without spaces, since lines are broken there.
func svgText(t *testing.T, svg string) string {
	var all []string
	dec := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := dec.Token()
		if token == nil {
			return spaceless(strings.Join(all, ""))
		}
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := token.(xml.CharData); ok {
			all = append(all, string(data))
		}
	}
}

func spaceless(s string) string { return strings.Join(strings.Fields(s), "") }
