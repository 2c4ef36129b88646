package scenario

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plsim/plsim/topology"
)

// names are the parts of a lab that steps can refer to, as the file names them.
// They are taken from the file and not from the lab, so that a step is checked
// even where the lab has mistakes, and a part with a mistake is still known.
type names struct {
	instances, securityGroups, networkACLs []string // VPC/NAME
	endpoints, targetGroups, peerings      []string
	applications                           []string // Application Load Balancers
	flowLogs                               []string
}

func namesOf(spec *topology.Spec) *names {
	n := &names{
		endpoints:    slices.Sorted(maps.Keys(spec.VPCEndpoints)),
		targetGroups: slices.Sorted(maps.Keys(spec.TargetGroups)),
		flowLogs:     slices.Sorted(maps.Keys(spec.FlowLogs)),
		peerings:     slices.Sorted(maps.Keys(spec.PeeringConnections)),
	}
	for _, name := range slices.Sorted(maps.Keys(spec.LoadBalancers)) {
		if lb := spec.LoadBalancers[name]; lb != nil && lb.LoadBalancerType == "application" {
			n.applications = append(n.applications, name)
		}
	}
	for _, vpc := range slices.Sorted(maps.Keys(spec.VPCs)) {
		if spec.VPCs[vpc] == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(spec.VPCs[vpc].Instances)) {
			n.instances = append(n.instances, vpc+"/"+name)
		}
		groups := spec.VPCs[vpc].SecurityGroups
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			n.securityGroups = append(n.securityGroups, vpc+"/"+name)
		}
		if _, given := groups["default"]; !given { // each VPC has one (F3.3)
			n.securityGroups = append(n.securityGroups, vpc+"/default")
		}
		acls := spec.VPCs[vpc].NetworkACLs
		for _, name := range slices.Sorted(maps.Keys(acls)) {
			n.networkACLs = append(n.networkACLs, vpc+"/"+name)
		}
		if _, given := acls["default"]; !given { // each VPC has one (F3.18)
			n.networkACLs = append(n.networkACLs, vpc+"/default")
		}
	}
	for _, site := range slices.Sorted(maps.Keys(spec.OnPremises)) {
		if spec.OnPremises[site] == nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(spec.OnPremises[site].Hosts)) {
			n.instances = append(n.instances, site+"/"+name)
		}
	}
	if spec.Internet != nil {
		for _, name := range slices.Sorted(maps.Keys(spec.Internet.Hosts)) {
			n.instances = append(n.instances, "internet/"+name)
		}
	}
	return n
}

// find checks a reference to one of the known parts of a kind, which may be
// VPC/NAME or, where only one VPC has it, NAME. It returns what is wrong, or "".
func find(kind, ref string, known []string) string {
	if slices.Contains(known, ref) {
		return ""
	}
	var owners, short []string
	for _, full := range known {
		_, name, _ := strings.Cut(full, "/")
		if name == ref {
			owners = append(owners, full)
		}
		short = append(short, name)
	}
	switch {
	case len(owners) == 1:
		return ""
	case len(owners) > 1:
		return fmt.Sprintf("%d VPCs have %s %s %q; write %s", len(owners), article(kind), kind, ref, strings.Join(owners, " or "))
	case len(known) == 0:
		return fmt.Sprintf("there is no %s %q, nor any other", kind, ref)
	}
	choices := known
	if !strings.Contains(ref, "/") && meant(ref, short) != "" {
		choices = short
	}
	return fmt.Sprintf("there is no %s %q%s", kind, ref, hint(ref, choices))
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an"
	}
	return "a"
}
