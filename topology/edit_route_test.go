package topology

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const routes = `
managed_prefix_lists:
  wide: { max_entries: 48, entry: [{ cidr: 10.5.0.0/16 }, { cidr: 10.6.0.0/16 }] }
  narrow: { max_entries: 1 }
vpcs:
  a:
    cidr_block: 10.1.0.0/16
    route_tables: { main: { route: [{ cidr_block: 10.2.0.0/16, vpc_peering_connection_id: pcx }] } }
    instances: { app: {} }
  b: { cidr_block: 10.2.0.0/16 }
vpc_peering_connections: { pcx: { vpc_id: a, peer_vpc_id: b } }
`

// TestRouteEdits: routes come and go, and AWS says no where there is none, or one
// already, or no room. A prefix list counts as what it may have (F3.8).
func TestRouteEdits(t *testing.T) {
	to := func(cidr, list string) *RouteEdit {
		return &RouteEdit{"a/main", Route{CIDRBlock: cidr, PrefixListID: list, PeeringID: "pcx"}}
	}
	const before = "10.2.0.0/16"
	for _, tt := range []struct {
		name string
		edit func(*Lab) error
		want string // of AWS, "" for none
		then string // the routes
	}{
		{"create", func(l *Lab) error { return l.CreateRoute(to("10.9.0.1/16", "")) }, "", before + " 10.9.0.0/16"},
		{"create twice", func(l *Lab) error { return l.CreateRoute(to(before, "")) }, "RouteAlreadyExists", before},
		{"create one for a list", func(l *Lab) error { return l.CreateRoute(to("", "wide")) }, "", before + " 10.5.0.0/16 10.6.0.0/16"},
		{"create too many", func(l *Lab) error {
			err := errors.Join(l.CreateRoute(to("", "wide")), l.CreateRoute(to("10.9.0.0/16", "")))
			return errors.Join(err, l.CreateRoute(to("10.8.0.0/16", "")))
		}, "RouteLimitExceeded", before + " 10.9.0.0/16 10.5.0.0/16 10.6.0.0/16"},
		{"replace", func(l *Lab) error { return l.ReplaceRoute(to(before, "")) }, "", before},
		{"replace what is not there", func(l *Lab) error { return l.ReplaceRoute(to("10.9.0.0/16", "")) }, "InvalidParameterValue", before},
		{"delete", func(l *Lab) error { return l.DeleteRoute(&RouteRef{RouteTableID: "a/main", CIDRBlock: before}) }, "", ""},
		{"delete what is not there", func(l *Lab) error {
			return l.DeleteRoute(&RouteRef{RouteTableID: "a/main", PrefixListID: "wide"})
		}, "InvalidRoute.NotFound", before},
		{"a list with other entries", func(l *Lab) error {
			return errors.Join(l.CreateRoute(to("", "wide")), l.ModifyManagedPrefixList(&PrefixListChange{
				PrefixListID: "wide", AddEntries: []*PrefixListEntry{{CIDR: "10.7.0.0/16"}, {CIDR: "10.6.0.0/16"}}, RemoveEntries: []*PrefixListEntry{{CIDR: "10.5.0.0/16"}},
			}))
		}, "", before + " 10.6.0.0/16 10.7.0.0/16"},
		{"a list that has not the entry", func(l *Lab) error {
			return l.ModifyManagedPrefixList(&PrefixListChange{PrefixListID: "wide", RemoveEntries: []*PrefixListEntry{{CIDR: "10.7.0.0/16"}}})
		}, "InvalidPrefixListModification", before},
		{"a list that is full", func(l *Lab) error {
			return l.ModifyManagedPrefixList(&PrefixListChange{PrefixListID: "narrow", AddEntries: []*PrefixListEntry{{CIDR: "10.7.0.0/16"}, {CIDR: "10.8.0.0/16"}}})
		}, "PrefixListMaxEntriesExceeded", before},
	} {
		l := mustBuild(t, routes)
		err := tt.edit(l)
		var refusal *Refusal
		if errors.As(err, &refusal) != (tt.want != "") || !strings.Contains(fmt.Sprint(err), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		app, _ := l.Instance("a/app")
		var has []string
		for _, r := range l.Compile().Interfaces[app.NIC.Index].Routes {
			has = append(has, strings.Fields(r.Text)[0])
		}
		if got := strings.Join(has, " "); got != tt.then {
			t.Errorf("%s: the routes are %q, want %q", tt.name, got, tt.then)
		}
	}
}
