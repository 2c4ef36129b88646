package topology

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// Kind is a kind of parts of a lab that have names of their own, in Terraform's words
// where it has some.
type Kind string

// The kinds.
const (
	InstanceKind         Kind = "instance"
	InterfaceKind        Kind = "network_interface" // by label, an instance's by its name
	DestinationKind      Kind = "destination"       // what a packet can be sent to
	EndpointKind         Kind = "vpc_endpoint"
	ServiceKind          Kind = "endpoint_service"
	TargetGroupKind      Kind = "target_group"
	TargetKind           Kind = "target" // of a target group
	SecurityGroupKind    Kind = "security_group"
	LinkKind             Kind = "link"
	AvailabilityZoneKind Kind = "availability_zone"
)

// Choice is the name of a part, and what can be said of it in a word or two.
type Choice struct {
	Name  string `json:"name"`
	About string `json:"about,omitempty"`
}

// Choices returns the parts of a kind by the names that verbs and steps take, sorted. Of
// targets it returns those that are registered with the target group called of.
func (l *Lab) Choices(kind Kind, of string) []Choice {
	var all []Choice
	add := func(names ...string) {
		for _, n := range names {
			all = append(all, Choice{Name: n})
		}
	}
	switch kind {
	case InstanceKind:
		add(l.find.hosts.names("")...)
	case InterfaceKind:
		add(l.find.hosts.names("")...)
		for _, n := range l.NICs {
			if _, err := l.find.hosts.find("", n.Label); err != nil && n.Kind != dataplane.Absent {
				add(n.Label)
			}
		}
	case DestinationKind:
		add(l.Destinations()...)
	case SecurityGroupKind:
		add(l.find.groups.names("")...)
	case TargetGroupKind:
		for _, name := range slices.Sorted(maps.Keys(l.find.pools)) {
			p := l.find.pools[name]
			all = append(all, Choice{name, fmt.Sprintf("%s %d", p.Protocol, p.Port)})
		}
	default: // what has a state
		prefix := string(kind) + "."
		if kind == TargetKind {
			prefix = "target_group." + of + " "
		}
		for _, c := range l.Conditions() {
			if name, ok := strings.CutPrefix(c.Part, prefix); ok {
				all = append(all, Choice{name, c.State})
			}
		}
	}
	slices.SortFunc(all, func(a, b Choice) int { return cmp.Compare(a.Name, b.Name) })
	return all
}
