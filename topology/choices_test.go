package topology

import (
	"fmt"
	"strings"
	"testing"
)

// Every kind offers names that can be found by them.
func TestChoices(t *testing.T) {
	l := mustBuild(t, twoAccounts)
	for _, c := range l.Choices(InterfaceKind, "") {
		if _, err := l.NetworkInterface(c.Name); err != nil {
			t.Error(err)
		}
	}
	for _, c := range l.Choices(SecurityGroupKind, "") {
		if _, err := l.SecurityGroup(c.Name); err != nil {
			t.Error(err)
		}
	}
	for _, c := range l.Choices(AvailabilityZoneKind, "") {
		if _, err := l.FindZone(c.Name); err != nil {
			t.Error(err)
		}
	}
	groups := l.Choices(TargetGroupKind, "")
	targets := 0
	for _, c := range groups {
		if _, err := l.TargetGroup(c.Name); err != nil || !strings.Contains(c.About, " ") {
			t.Error(c, err)
		}
		targets += len(l.Choices(TargetKind, c.Name))
	}
	for _, kind := range []Kind{InterfaceKind, InstanceKind, DestinationKind, SecurityGroupKind, AvailabilityZoneKind, TargetGroupKind} {
		if len(l.Choices(kind, "")) == 0 {
			t.Errorf("there is no %s", kind)
		}
	}
	if targets == 0 {
		t.Error("no group has a target")
	}
	if none := fmt.Sprint(l.Choices("weather", ""), l.Choices(TargetKind, "none")); none != "[] []" {
		t.Errorf("there is %s", none)
	}
}
