package explain

import (
	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/drop"
)

// codes are the explanation codes of AWS's Reachability Analyzer that say the same as
// a drop reason. Those that are not here have none.
// https://docs.aws.amazon.com/vpc/latest/reachability/explanation-codes.html
var codes = map[drop.Reason]string{
	drop.SourceDestCheck:           "ENI_SOURCE_DEST_CHECK_RESTRICTION",
	drop.NoRoute:                   "NO_ROUTE_TO_DESTINATION",
	drop.Blackhole:                 "BAD_STATE_ROUTE",
	drop.Internet:                  "NO_POSSIBLE_DESTINATION",
	drop.NoPublicAddress:           "IGW_PUBLIC_IP_ASSOCIATION_FOR_EGRESS",
	drop.NotTransitive:             "PCX_REQUIRES_ADDRESS_IN_VPC_CIDR",
	drop.NoSuchAddress:             "NO_SOURCE_OR_DESTINATION",
	drop.TransitZone:               "TGW_ROUTE_AZ_RESTRICTION",
	drop.TransitRoute:              "TGW_RTB_NO_ROUTE_TO_TGW_ATTACHMENT",
	drop.SecurityGroupEgress:       "ENI_SG_RULES_MISMATCH",
	drop.SecurityGroupIngress:      "ENI_SG_RULES_MISMATCH",
	drop.LoadBalancerSecurityGroup: "ENI_SG_RULES_MISMATCH",
	drop.NetworkACLEgress:          "SUBNET_ACL_RESTRICTION",
	drop.NetworkACLIngress:         "SUBNET_ACL_RESTRICTION",
	drop.EndpointNotAvailable:      "BAD_STATE",
	drop.EndpointPing:              "PROTOCOL_RESTRICTION",
	drop.EndpointNoZone:            "VPCE_SERVICE_NOT_INSTALLED_IN_AZ",
	drop.NoListener:                "ELBV2_LISTENERS_MISMATCH",
	drop.LoadBalancerICMP:          "PROTOCOL_RESTRICTION",
}

// Code returns what AWS's Reachability Analyzer calls the reason why the packet or its
// answer is lost, "" where it has no such code.
func (k *Walked) Code() string {
	why, _ := k.Lost()
	if s := k.Stop(); why == drop.NoTarget && s != nil {
		return k.noTarget(s)
	}
	return codes[why]
}

// noTarget tells apart what the load balancer lacks: targets at all, targets in the
// node's zone, or leave to use those in others.
func (k *Walked) noTarget(s *dataplane.TraceStep) string {
	targets, elsewhere := false, false
	node := &k.Prog.Interfaces[s.Interface]
	for key, l := range k.Prog.Balancers[node.Balancer].Listeners {
		if !k.reached(key) {
			continue
		}
		for _, f := range l.Forward {
			targets = targets || len(f.Group.Targets) > 0
			elsewhere = elsewhere || len(f.Group.Targets) > 0 && !f.Group.CrossZone
		}
	}
	switch {
	case !targets:
		return "ELBV2_LISTENER_HAS_NO_TG"
	case elsewhere:
		return "ELB_NOT_CROSSZONE"
	}
	return "ELBV2_NO_TARGETS_IN_AZ"
}

// reached reports whether the packet got to a listener.
func (k *Walked) reached(key dataplane.ListenerKey) bool {
	for i := range k.Trace.Steps {
		if s := &k.Trace.Steps[i]; s.Stage == dataplane.StageListener && s.Proto == key.Proto && s.Tuple.DstPort == key.Port {
			return true
		}
	}
	return false
}
