package scenario

import (
	"errors"

	"github.com/plsim/plsim/topology"
)

// edits are the actions that change the lab as AWS's API would. Each returns the
// state of what it was about, "" where that has none.
var edits = map[string]func(s *Step, lab *topology.Lab) (state string, err error){
	"accept": func(s *Step, lab *topology.Lab) (string, error) {
		return endpoint(lab, *s.Accept, lab.Accept(*s.Accept))
	},
	"reject": func(s *Step, lab *topology.Lab) (string, error) {
		return endpoint(lab, *s.Reject, lab.Reject(*s.Reject))
	},
	"delete": func(s *Step, lab *topology.Lab) (string, error) {
		return endpoint(lab, *s.Delete, lab.Delete(*s.Delete))
	},
	"authorize": func(s *Step, lab *topology.Lab) (string, error) {
		if s.Authorize.Ingress != nil {
			return "", lab.AuthorizeIngress(s.Authorize.SecurityGroup, s.Authorize.Ingress)
		}
		return "", lab.AuthorizeEgress(s.Authorize.SecurityGroup, s.Authorize.Egress)
	},
	"revoke": func(s *Step, lab *topology.Lab) (string, error) {
		if s.Revoke.Ingress != nil {
			return "", lab.RevokeIngress(s.Revoke.SecurityGroup, s.Revoke.Ingress)
		}
		return "", lab.RevokeEgress(s.Revoke.SecurityGroup, s.Revoke.Egress)
	},
	"create_network_acl_entry": func(s *Step, lab *topology.Lab) (string, error) {
		entry, outbound := s.CreateNetworkACLEntry.entry()
		return "", lab.CreateNetworkACLEntry(s.CreateNetworkACLEntry.NetworkACL, outbound, entry)
	},
	"replace_network_acl_entry": func(s *Step, lab *topology.Lab) (string, error) {
		entry, outbound := s.ReplaceNetworkACLEntry.entry()
		return "", lab.ReplaceNetworkACLEntry(s.ReplaceNetworkACLEntry.NetworkACL, outbound, entry)
	},
	"delete_network_acl_entry": func(s *Step, lab *topology.Lab) (string, error) {
		e := s.DeleteNetworkACLEntry
		return "", lab.DeleteNetworkACLEntry(e.NetworkACL, e.Egress, e.RuleNo)
	},
	"create_route":  func(s *Step, lab *topology.Lab) (string, error) { return "", lab.CreateRoute(s.CreateRoute) },
	"replace_route": func(s *Step, lab *topology.Lab) (string, error) { return "", lab.ReplaceRoute(s.ReplaceRoute) },
	"delete_route":  func(s *Step, lab *topology.Lab) (string, error) { return "", lab.DeleteRoute(s.DeleteRoute) },
	"modify_managed_prefix_list": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ModifyManagedPrefixList(s.ModifyPrefixList)
	},
	"delete_vpc_peering_connection": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.DeletePeeringConnection(*s.DeletePeering)
	},
	"register": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.RegisterTarget(s.Register.TargetGroup, s.Register.target())
	},
	"deregister": func(s *Step, lab *topology.Lab) (string, error) {
		if err := lab.DeregisterTarget(s.Deregister.TargetGroup, s.Deregister.target()); err != nil {
			return "", err
		}
		h, err := lab.HealthOf(s.Deregister.TargetGroup, s.Deregister.target())
		return string(h.State), err
	},
	"modify_listener": func(s *Step, lab *topology.Lab) (string, error) {
		e := s.ModifyListener
		return "", lab.ModifyListener(e.LoadBalancer, e.Port, e.DefaultAction)
	},
	"modify_target_group_attributes": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ModifyTargetGroupAttributes(s.ModifyTargetGroup.TargetGroup, s.ModifyTargetGroup.Attributes)
	},
	"modify_load_balancer_attributes": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ModifyLoadBalancerAttributes(s.ModifyLoadBalancer.LoadBalancer, s.ModifyLoadBalancer.Attributes)
	},
	"create_vpc_endpoint": func(s *Step, lab *topology.Lab) (string, error) {
		return endpoint(lab, s.CreateVPCEndpoint.Name, lab.CreateVPCEndpoint(s.CreateVPCEndpoint))
	},
	"modify_vpc_endpoint": func(s *Step, lab *topology.Lab) (string, error) {
		return endpoint(lab, s.ModifyVPCEndpoint.VPCEndpoint, lab.ModifyVPCEndpoint(s.ModifyVPCEndpoint))
	},
	"modify_vpc_endpoint_service_permissions": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ModifyServicePermissions(s.ModifyPermissions)
	},
	"modify_vpc_endpoint_service_configuration": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ModifyService(s.ModifyService)
	},
	"delete_vpc_endpoint_service": func(s *Step, lab *topology.Lab) (string, error) {
		if err := lab.DeleteService(*s.DeleteService); err != nil {
			return "", err
		}
		state, err := lab.ServiceState(*s.DeleteService)
		return string(state), err
	},
	"start_vpc_endpoint_service_private_dns_verification": func(s *Step, lab *topology.Lab) (string, error) {
		return lab.StartPrivateDNSVerification(*s.VerifyPrivateDNS)
	},
	"set_subnets": func(s *Step, lab *topology.Lab) (string, error) { return "", lab.SetSubnets(s.SetSubnets) },
	"set_security_groups": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.SetSecurityGroups(s.SetSecurityGroups)
	},
	"modify_network_interface_attribute": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ModifyNetworkInterface(s.ModifyInterface)
	},
	"modify_link": func(s *Step, lab *topology.Lab) (string, error) { return "", lab.ModifyLink(s.ModifyLink) },
	"fail": func(s *Step, lab *topology.Lab) (string, error) {
		switch f := s.Fail; {
		case f.AvailabilityZone != "":
			return "", lab.LoseZone(f.AvailabilityZone)
		case f.Link != "":
			return "", lab.CutLink(f.Link)
		}
		return "", nil // the lab runs on as it was
	},
	"heal": func(s *Step, lab *topology.Lab) (string, error) {
		switch h := s.Heal; {
		case h.AvailabilityZone != "":
			return "", lab.RestoreZone(h.AvailabilityZone)
		case h.Link != "":
			return "", lab.RestoreLink(h.Link)
		}
		return "", nil
	},
	"change_resource_record_sets": func(s *Step, lab *topology.Lab) (string, error) {
		return "", lab.ChangeRecord(s.ChangeRecord)
	},
}

// endpoint returns the state of an endpoint after an edit.
func endpoint(lab *topology.Lab, name string, err error) (string, error) {
	if err != nil {
		return "", err
	}
	e, err := lab.Endpoint(name)
	if err != nil {
		return "", err
	}
	return string(e.State), nil
}

func (e *TargetEdit) target() *topology.Target {
	return &topology.Target{TargetID: e.TargetID, Port: e.Port, AvailabilityZone: e.AvailabilityZone}
}

// Apply changes a lab as the step says, and returns the state of the endpoint,
// target, service or name that it was about, "" where there is none. The error
// is what AWS refuses.
func (s *Step) Apply(lab *topology.Lab) (state string, err error) {
	edit := edits[s.Action()]
	if edit == nil {
		return "", errors.New("a step that changes nothing")
	}
	return edit(s, lab)
}
