package topology

import (
	"slices"
	"testing"
)

// lostInterfaces returns the labels of the interfaces to which nothing passes.
func lostInterfaces(l *Lab) (labels []string) {
	for _, n := range l.Compile().Interfaces {
		if n.Lost {
			labels = append(labels, n.Label)
		}
	}
	slices.Sort(labels)
	return labels
}

// TestLoseZone: all that is in a zone is lost with it, in whichever account and by
// whichever name (F1.46), but for the resolver, which is in none.
func TestLoseZone(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	if err := l.LoseZone("us-east-1b"); err != nil {
		t.Fatal(err)
	}
	want := []string{"load_balancer.api.us-east-1b", "provider/web-3", "vpc_endpoint.api.us-east-1b"}
	if got := lostInterfaces(l); !slices.Equal(got, want) {
		t.Errorf("lost are %v, want %v", got, want)
	}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{l.LoseZone("use1-az2"), "zone use1-az2 is lost already"},
		{l.RestoreZone("use1-az1"), "zone use1-az1 is not lost"},
		{l.LoseZone("use1-az4"), `nothing of the lab is in an Availability Zone "use1-az4"; did you mean use1-az1?`},
		{l.RestoreZone("mars"), `nothing of the lab is in an Availability Zone "mars"; choose from use1-az1, use1-az2`},
	} {
		if tt.err == nil || tt.err.Error() != tt.want {
			t.Errorf("got %v, want %s", tt.err, tt.want)
		}
	}
	if err := l.RestoreZone("use1-az2"); err != nil {
		t.Fatal(err)
	}
	if got := lostInterfaces(l); len(got) != 0 {
		t.Errorf("lost are %v after all is back", got)
	}
}

// TestAmbiguousZone: two accounts may call different places the same (F1.46).
func TestAmbiguousZone(t *testing.T) {
	l := mustBuild(t, twoAccounts, `owner_id: "222222222222"`, "owner_id: \"222222222222\"\n    availability_zones: { us-east-1a: use1-az2, us-east-1b: use1-az1 }")
	const want = "us-east-1b is use1-az1 to one account and use1-az2 to another; write the AZ ID"
	if err := l.LoseZone("us-east-1b"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestCutOff: where a load balancer uses targets across zones, a zone whose node
// reaches none of them leaves DNS (F2.57, F1.25), although the targets are healthy; where no
// node reaches any, all stay (F2.58).
func TestCutOff(t *testing.T) {
	l := mustBuild(t, twoAccounts, crossZone...)
	report := func(zone string, passed bool) {
		for _, c := range l.Checks() {
			for range c.HealthyThreshold {
				if c.Node.Zone.Name == zone {
					l.Checked(c, passed)
				}
			}
		}
	}
	e, err := l.Endpoint("api")
	if err != nil {
		t.Fatal(err)
	}
	zones := func() (names []string) {
		for _, a := range l.Names().Lookup("consumer", e.DNSName()).Addrs {
			for _, n := range e.NICs {
				if n.Addr() == a {
					names = append(names, n.Zone.Name)
				}
			}
		}
		slices.Sort(names)
		return names
	}
	expect := func(what string, want ...string) {
		t.Helper()
		if got := zones(); !slices.Equal(got, want) {
			t.Errorf("%s: DNS has %v, want %v", what, got, want)
		}
	}
	report("us-east-1a", true)
	report("us-east-1b", true)
	expect("all is well", "us-east-1a", "us-east-1b")
	report("us-east-1b", false)
	expect("the node in b reaches nobody", "us-east-1a")
	report("us-east-1a", false)
	expect("nobody does", "us-east-1a", "us-east-1b")
	report("us-east-1b", true)
	report("us-east-1a", true)
	expect("all is well again", "us-east-1a", "us-east-1b")
}
