package topology

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/filter"
	"github.com/plsim/plsim/dataplane/packet"
)

// TestModifyNetworkInterface: groups and timeouts of an interface change alone and
// together (F3.14); what AWS manages itself is not the owner's to change (F1.1).
func TestModifyNetworkInterface(t *testing.T) {
	l, err := build(t, twoAccounts)
	if err != nil {
		t.Fatal(err)
	}
	web, err := l.Instance("web-1")
	if err != nil {
		t.Fatal(err)
	}
	at := func() (ingress bool, established time.Duration) {
		nic := l.Compile().Interfaces[web.NIC.Index]
		_, ok := nic.Ingress.Match(filter.Query{Proto: packet.TCP, Port: 8080, Peer: wireAddr("10.0.1.5")})
		if nic.Tracking != nil {
			established = nic.Tracking.TCPEstablished
		}
		return ok, established
	}
	if ok, d := at(); !ok || d != 0 {
		t.Fatalf("at first: %t, %v", ok, d)
	}
	if err := l.ModifyNetworkInterface(&InterfaceChange{Interface: web.NIC.ID, Groups: []string{"default"}}); err != nil {
		t.Fatal(err)
	}
	if ok, _ := at(); ok {
		t.Error("the default group lets others in")
	}
	if err := l.ModifyNetworkInterface(&InterfaceChange{Interface: web.NIC.ID, Groups: []string{"web"}, Tracking: &ConnectionTracking{TCPEstablished: 350}}); err != nil {
		t.Fatal(err)
	}
	if ok, d := at(); !ok || d != 350*time.Second {
		t.Errorf("web again: %t, %v", ok, d)
	}

	var problems Problems
	for want, c := range map[string]*InterfaceChange{
		"nothing changes":                   {Interface: web.NIC.ID},
		"groups: is empty":                  {Interface: web.NIC.ID, Groups: []string{}},
		`groups[0]: VPC provider has no`:    {Interface: web.NIC.ID, Groups: []string{"wbe"}},
		"groups[0]: security group":         {Interface: web.NIC.ID, Groups: []string{"consumer/default"}},
		"network_interface_id: there is no": {Interface: "eni-0"},
		"tcp_established_timeout: 1 is out": {Interface: web.NIC.ID, Tracking: &ConnectionTracking{TCPEstablished: 1}},
	} {
		if err := l.ModifyNetworkInterface(c); !errors.As(err, &problems) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	var refusal *Refusal
	api, err := l.Endpoint("api")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ModifyNetworkInterface(&InterfaceChange{Interface: api.NICs[0].ID, Groups: []string{"default"}}); !errors.As(err, &refusal) {
		t.Errorf("an endpoint's: %v", err)
	}
	if ok, d := at(); !ok || d != 350*time.Second {
		t.Errorf("after what was refused: %t, %v", ok, d)
	}
}
