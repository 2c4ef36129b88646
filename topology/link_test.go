package topology

import (
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/link"
)

// TestQualities: what is read is written the same, and what it means.
func TestQualities(t *testing.T) {
	for _, tt := range []struct {
		text, back string
		want       float64
	}{
		{"20ms", "20ms", 20e6}, {"0s", "0s", 0}, {"90s", "1m30s", 90e9},
		{"0.5%", "0.5%", 0.005}, {"100%", "100%", 1}, {"0%", "0%", 0}, {"33.333%", "33.333%", 0.33333}, {"0.0001%", "0.0001%", 0.000001},
		{"10Mbps", "10Mbps", 10e6}, {"1500kbps", "1.5Mbps", 1.5e6}, {"9600bps", "9.6kbps", 9600}, {"1000Gbps", "1000Gbps", 1e12}, {"unlimited", "unlimited", 0}, {"7 bps", "7bps", 7},
	} {
		var span Span
		var share Share
		var rate BitRate
		var got float64
		var back []byte
		switch text := []byte(tt.text); {
		case span.UnmarshalText(text) == nil:
			got = float64(span)
			back, _ = span.MarshalText()
		case share.UnmarshalText(text) == nil:
			got = float64(share)
			back, _ = share.MarshalText()
		case rate.UnmarshalText(text) == nil:
			got = float64(rate)
			back, _ = rate.MarshalText()
		default:
			t.Errorf("%q is refused", tt.text)
			continue
		}
		if diff := got - tt.want; diff < -1e-12 || diff > 1e-12 || string(back) != tt.back {
			t.Errorf("%q is %v, written %q; want %v, %q", tt.text, got, back, tt.want, tt.back)
		}
	}
}

// FuzzQualities: whatever is read is written in a form that reads the same.
func FuzzQualities(f *testing.F) {
	for _, s := range []string{"20ms", "0.5%", "10Mbps", "unlimited", "NaN%", "1e9Gbps", "-0%", "1e-320%", "+1.e3kbps"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var span, span2 Span
		if span.UnmarshalText([]byte(text)) == nil {
			if back, _ := span.MarshalText(); span2.UnmarshalText(back) != nil || span != span2 {
				t.Errorf("%q: %v, then %v", text, span, span2)
			}
		}
		var share, share2 Share
		if share.UnmarshalText([]byte(text)) == nil {
			if back, _ := share.MarshalText(); share2.UnmarshalText(back) != nil || share < 0 || share > 1 || share2 < share-1e-9 || share2 > share+1e-9 {
				t.Errorf("%q: %v, then %v", text, float64(share), float64(share2))
			}
		}
		var rate, rate2 BitRate
		if rate.UnmarshalText([]byte(text)) == nil {
			if back, _ := rate.MarshalText(); rate2.UnmarshalText(back) != nil || rate != rate2 {
				t.Errorf("%q: %d, then %d", text, rate, rate2)
			}
		}
	})
}

// TestModifyLink: a change leaves what it does not name, and a link keeps its ID, at
// the interfaces of what it is the link of.
func TestModifyLink(t *testing.T) {
	l := mustBuild(t, twoAccounts, "\nvpcs:\n", "\nlinks: { app: { instance: app, delay: 20ms, loss: 1%, bandwidth: 1Mbps }, web: { subnet: provider/a }, zones: { availability_zones: [use1-az2, us-east-1a] }, out: { availability_zones: [use1-az1] } }\nvpcs:\n")
	host, err := l.Instance("app")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want link.Spec) {
		t.Helper()
		p := l.Compile()
		id := p.Interfaces[host.NIC.Index].Link
		if got := p.Links.All[id]; got.Label != "app" || got.Place != "instance consumer/app" || got.Spec != want {
			t.Errorf("link %+v, want %+v", got, want)
		}
		if p.Links.All[p.Links.Zones[[2]dataplane.ZoneID{1, 2}]].Label != "zones" || p.Links.All[p.Links.Zones[[2]dataplane.ZoneID{1}]].Label != "out" {
			t.Errorf("links between zones: %v of %v", p.Links.Zones, p.Links.All)
		}
		for i, n := range p.Interfaces {
			if in := l.NICs[i].SubnetID == l.find.subnets.vpcs["provider"]["a"].ID; (n.SubnetLink != 0) != in {
				t.Errorf("%s has the subnet's link: %v", n.Label, n.SubnetLink != 0)
			}
		}
	}
	want := link.Spec{Delay: 20 * time.Millisecond, Loss: 0.01, Rate: 1e6, Queue: 100 * time.Millisecond}
	check(want)
	yes, none, rate := true, Share(0), BitRate(0)
	if err := l.ModifyLink(&LinkChange{Link: "app", LinkQualities: LinkQualities{Down: &yes, Loss: &none}}); err != nil {
		t.Fatal(err)
	}
	want.Down, want.Loss = true, 0
	check(want)
	if err := l.ModifyLink(&LinkChange{Link: "app", LinkQualities: LinkQualities{Bandwidth: &rate}}); err != nil {
		t.Fatal(err)
	}
	want.Rate = 0
	check(want)
	jitter := Span(time.Hour)
	if err := l.ModifyLink(&LinkChange{Link: "app", LinkQualities: LinkQualities{Jitter: &jitter}}); err == nil {
		t.Error("a jitter above the delay is taken")
	}
	check(want)
}
