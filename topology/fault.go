package topology

import (
	"fmt"
	"slices"

	"github.com/plsim/plsim/dataplane"
)

// FindZone finds an Availability Zone that the lab has a subnet in: by its AZ ID, or by
// its name where that means the same zone to all accounts (F1.46).
func (l *Lab) FindZone(ref string) (Zone, error) {
	var named []Zone
	var ids []string
	for _, s := range l.subnets {
		switch s.zone.ID {
		case "": // on premises
		case ref:
			return Zone{Name: ref, ID: ref, Num: s.zone.Num}, nil
		default:
			ids = append(ids, s.zone.ID)
			if s.zone.Name == ref {
				named = append(named, s.zone)
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	if len(named) == 0 {
		return Zone{}, fmt.Errorf("nothing of the lab is in an Availability Zone %q%s", ref, hint(ref, ids))
	}
	for _, z := range named {
		if z.ID != named[0].ID {
			return Zone{}, fmt.Errorf("%s is %s to one account and %s to another; write the AZ ID", ref, named[0].ID, z.ID)
		}
	}
	return named[0], nil
}

// LoseZone takes away an Availability Zone: nothing passes to or from an interface in
// it, and what AWS does about that follows from health checks that fail. The zone is
// named as for [Lab.FindZone]; one that is lost already is a mistake.
func (l *Lab) LoseZone(ref string) error {
	z, err := l.FindZone(ref)
	if err != nil {
		return err
	}
	if l.lost[z.Num] {
		return fmt.Errorf("zone %s is lost already", z.ID)
	}
	if l.lost == nil {
		l.lost = map[dataplane.ZoneID]bool{}
	}
	l.lost[z.Num] = true
	return nil
}

// RestoreZone brings back an Availability Zone that is lost.
func (l *Lab) RestoreZone(ref string) error {
	z, err := l.FindZone(ref)
	if err != nil {
		return err
	}
	if !l.lost[z.Num] {
		return fmt.Errorf("zone %s is not lost", z.ID)
	}
	delete(l.lost, z.Num)
	return nil
}

// CutLink lets nothing cross a link any more; one that is down already is a mistake.
func (l *Lab) CutLink(name string) error { return l.turnLink(name, true) }

// RestoreLink lets packets cross a link that is down, as it has its other qualities.
func (l *Lab) RestoreLink(name string) error { return l.turnLink(name, false) }

func (l *Lab) turnLink(name string, down bool) error {
	w, err := l.findLink(name)
	switch {
	case err != nil:
		return err
	case w.down() && down:
		return fmt.Errorf("link %s is down already", name)
	case !w.down() && !down:
		return fmt.Errorf("link %s is not down", name)
	}
	w.qualities.Down = &down
	return nil
}

// CheckLink tells whether the lab has a link of that name.
func (l *Lab) CheckLink(name string) error {
	_, err := l.findLink(name)
	return err
}

// cut reports whether an interface is in a zone that is lost. The VPC resolver is in none.
func (l *Lab) cut(n *NIC) bool { return n.Kind != dataplane.Resolver && l.lost[n.Zone.Num] }
