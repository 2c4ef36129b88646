package topology

import (
	"fmt"
	"maps"
	"slices"

	"github.com/plsim/plsim/dataplane"
)

// Interface finds a network interface, deleted ones included, by its ID.
func (l *Lab) Interface(id string) (*NIC, error) {
	known := map[string]*NIC{}
	for _, n := range l.NICs {
		known[n.ID] = n
	}
	if n, ok := known[id]; ok {
		return n, nil
	}
	return nil, fmt.Errorf("there is no network interface %q%s", id, near(id, slices.Collect(maps.Keys(known))))
}

// NetworkInterface finds a network interface by its ID, its label or its instance's
// name. Those that are deleted have their IDs only.
func (l *Lab) NetworkInterface(ref string) (*NIC, error) {
	var labels []string
	for _, n := range l.NICs {
		if ref == n.ID || ref == n.Label && n.Kind != dataplane.Absent {
			return n, nil
		}
		if n.Kind != dataplane.Absent {
			labels = append(labels, n.Label)
		}
	}
	hosts := &l.find.hosts
	h, err := hosts.find("", ref)
	switch {
	case err == nil:
		return h.NIC, nil
	case len(hosts.owners(ref)) > 1:
		return nil, err
	}
	meant := near(ref, append(hosts.names(""), labels...))
	if meant == "" {
		meant = hint(ref, labels)
	}
	return nil, fmt.Errorf("there is no network interface %q%s", ref, meant)
}
