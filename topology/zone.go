package topology

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane"
)

// Zone is an Availability Zone as one account sees it.
type Zone struct {
	Name string           // the account's own name for it: us-east-1a
	ID   string           // the place: use1-az1, the same for all accounts (F1.46)
	Num  dataplane.ZoneID // the number in ID
}

// zoneLetters are the zones that a Region has at most.
const zoneLetters = "abcdef"

var (
	regionForm = regexp.MustCompile(`^[a-z]{2}((?:-(?:gov|iso[a-z]?))?)-(central|north|south|east|west|northeast|northwest|southeast|southwest)-([1-9])$`)
	regions    = []string{
		"af-south-1", "ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-south-1", "ap-south-2",
		"ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ca-central-1", "ca-west-1",
		"cn-north-1", "cn-northwest-1", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
		"eu-west-1", "eu-west-2", "eu-west-3", "il-central-1", "me-central-1", "me-south-1", "mx-central-1",
		"sa-east-1", "us-east-1", "us-east-2", "us-gov-east-1", "us-gov-west-1", "us-west-1", "us-west-2",
	}
)

// azPrefix abbreviates a Region as AZ IDs do: us-east-1 is use1, ap-northeast-1
// is apne1, us-gov-west-1 is usgw1.
func azPrefix(region string) string {
	m := regionForm.FindStringSubmatch(region)
	if m == nil {
		return ""
	}
	short := region[:2]
	switch {
	case strings.HasPrefix(m[1], "-gov"):
		short += "g"
	case strings.HasPrefix(m[1], "-iso"):
		short += "i" + m[1][len("-iso"):]
	}
	short += m[2][:1]
	for _, half := range []string{"east", "west"} { // northeast: ne
		if strings.HasSuffix(m[2], half) && m[2] != half {
			short += half[:1]
		}
	}
	return short + m[3]
}

// zones is the mapping of zone names to AZ IDs, for each account.
type zones struct {
	region   string
	accounts map[string]map[string]string // account, name, AZ ID
}

// learn records an account's own mapping, as one of its VPCs gives it.
func (z *zones) learn(ps *Problems, path, account string, own map[string]string) {
	names := z.accounts[account]
	if names == nil {
		names = map[string]string{}
		z.accounts[account] = names
	}
	prefix := azPrefix(z.region)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		id, p := own[name], at(path, name)
		if !z.named(name) {
			ps.add(p, "%q is not a zone of %s%s", name, z.region, hint(name, z.all()))
			continue
		}
		if n, ok := strings.CutPrefix(id, prefix+"-az"); !ok || len(n) != 1 || n < "1" || n > strconv.Itoa(len(zoneLetters)) {
			ps.add(p, "%q is not an AZ ID of %s: write %s-az1 to %s-az%d", id, z.region, prefix, prefix, len(zoneLetters))
			continue
		}
		if was, ok := names[name]; ok && was != id {
			ps.add(p, "account %s already has %s as %s: an account's zone names mean the same in all its VPCs", account, name, was)
			continue
		}
		if other := nameOf(names, id); other != "" && other != name {
			ps.add(p, "account %s already calls %s %s: two names cannot mean one zone", account, id, other)
			continue
		}
		names[name] = id
	}
}

// complete gives each account an AZ ID for every zone name: its own where it has
// one, else a is az1, b is az2 and so on, or the first that is left.
func (z *zones) complete() {
	prefix := azPrefix(z.region)
	for _, names := range z.accounts {
		used := map[string]bool{}
		for _, id := range names {
			used[id] = true
		}
		assign := func(name string, n int) bool {
			id := prefix + "-az" + strconv.Itoa(n)
			if used[id] || names[name] != "" {
				return false
			}
			names[name], used[id] = id, true
			return true
		}
		for i, name := range z.all() {
			assign(name, i+1)
		}
		for _, name := range z.all() {
			for n := 1; n <= len(zoneLetters) && !assign(name, n); n++ {
			}
		}
	}
}

// all returns the Region's zone names in order.
func (z *zones) all() []string {
	names := make([]string, len(zoneLetters))
	for i := range names {
		names[i] = z.region + zoneLetters[i:i+1]
	}
	return names
}

func (z *zones) named(name string) bool { return slices.Contains(z.all(), name) }

// zone returns what an account calls name; ok is false if the Region has no such zone.
func (z *zones) zone(account, name string) (zone Zone, ok bool) {
	id, ok := z.accounts[account][name]
	if !ok {
		return Zone{}, false
	}
	return Zone{Name: name, ID: id, Num: dataplane.ZoneID(id[len(id)-1] - '0')}, true
}

// nameOf returns the zone name that stands for an AZ ID, "" if none does.
func nameOf(names map[string]string, id string) string {
	for name, other := range names {
		if other == id {
			return name
		}
	}
	return ""
}
