package scenario

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/plsim/plsim/topology"
)

// expectable names, for each action, the keys of expect that say something about
// it.
var expectable = map[string][]string{
	"request":                       {"error", "status", "body", "json", "headers"},
	"connections":                   {"error", "succeeded", "failed", "targets", "errors", "latency"},
	"traffic":                       trafficExpectable,
	"traffic_result":                trafficExpectable,
	"resolve":                       {"error", "addresses"},
	"exchange":                      {"error", "body"},
	"ping":                          {"error"},
	"received":                      {"connections", "datagrams", "bytes"},
	"exec":                          {"exit_code", "stdout", "stderr"},
	"accept":                        {"state", "error"},
	"reject":                        {"state", "error"},
	"delete":                        {"state", "error"},
	"authorize":                     {"error"},
	"revoke":                        {"error"},
	"create_network_acl_entry":      {"error"},
	"replace_network_acl_entry":     {"error"},
	"delete_network_acl_entry":      {"error"},
	"delete_vpc_peering_connection": {"error"},
	"create_route":                  {"error"},
	"replace_route":                 {"error"},
	"delete_route":                  {"error"},
	"modify_managed_prefix_list":    {"error"},
	"register":                      {"error"},
	"deregister":                    {"state", "error"},
	"modify_listener":               {"error"},

	"create_vpc_endpoint":                                 {"state", "error"},
	"modify_vpc_endpoint":                                 {"state", "error"},
	"modify_vpc_endpoint_service_permissions":             {"error"},
	"modify_vpc_endpoint_service_configuration":           {"error"},
	"delete_vpc_endpoint_service":                         {"state", "error"},
	"start_vpc_endpoint_service_private_dns_verification": {"state", "error"},
	"change_resource_record_sets":                         {"error"},
	"set_subnets":                                         {"error"},
	"set_security_groups":                                 {"error"},
	"modify_network_interface_attribute":                  {"error"},

	"modify_link": nil,

	"modify_target_group_attributes":  {"error"},
	"modify_load_balancer_attributes": {"error"},

	"wait":              nil,
	"wait_until":        nil,
	"fail":              nil,
	"heal":              nil,
	"restart_forwarder": nil,

	"describe":      {"json"},
	"target_health": {"states", "reason_codes"},
	"flow_logs":     {"records", "absent", "count"},
	"drops":         {"reasons"},
	"capture":       nil,
	"stop_capture":  nil,
	"captures":      {"packets", "absent", "count"},
	"metrics":       {"value", "datapoints"},
}

var trafficExpectable = []string{
	"error", "succeeded", "failed", "errors", "missed", "duplicates", "targets", "bytes_sent", "bytes_received", "latency", "rate", "bits_per_second",
}

// actions are the keys of a step that do something, in the order of the struct.
var actions = func() (fs []field) {
	for _, f := range fieldsOf(reflect.TypeFor[Step]()) {
		if _, ok := expectable[f.key]; ok {
			fs = append(fs, f)
		}
	}
	return fs
}()

// chosen returns the actions that the step has, of which there should be one.
func (s *Step) chosen() []string {
	var keys []string
	for _, f := range actions {
		if !reflect.ValueOf(s).Elem().FieldByIndex(f.index).IsNil() {
			keys = append(keys, f.key)
		}
	}
	return keys
}

// Action returns the key of the step's action, such as request. It is "" for a
// step without one, which Load refuses.
func (s *Step) Action() string {
	if keys := s.chosen(); len(keys) > 0 {
		return keys[0]
	}
	return ""
}

// Title returns the step's name or, where it has none, its action in words.
func (s *Step) Title() string {
	if s.Name != "" {
		return s.Name
	}
	switch s.Action() {
	case "request":
		return fmt.Sprintf("%s requests %s", s.Request.From, s.Request.URL)
	case "connections":
		return fmt.Sprintf("%s opens %d connections to %s", s.Connections.From, s.Connections.Count, s.Connections.To)
	case "resolve":
		return fmt.Sprintf("%s resolves %s", s.Resolve.From, s.Resolve.Host)
	case "exchange":
		return s.Exchange.title()
	case "ping":
		return fmt.Sprintf("%s pings %s", s.Ping.From, s.Ping.To)
	case "traffic":
		return s.Traffic.title()
	case "traffic_result":
		return "What became of traffic " + s.TrafficResult.Traffic
	case "received":
		return fmt.Sprintf("What %s has received on port %d", s.Received.By, s.Received.Port)
	case "exec":
		return fmt.Sprintf("%s runs %s", s.Exec.In, commandLine(s.Exec.Command))
	case "accept":
		return "The provider accepts endpoint " + *s.Accept
	case "reject":
		return "The provider rejects endpoint " + *s.Reject
	case "delete":
		return "The consumer deletes endpoint " + *s.Delete
	case "authorize":
		return "Security group " + s.Authorize.SecurityGroup + " gets a rule"
	case "revoke":
		return "Security group " + s.Revoke.SecurityGroup + " loses a rule"
	case "create_network_acl_entry":
		return "Network ACL " + s.CreateNetworkACLEntry.NetworkACL + " gets a rule"
	case "replace_network_acl_entry":
		return "Network ACL " + s.ReplaceNetworkACLEntry.NetworkACL + " gets another rule"
	case "delete_network_acl_entry":
		return fmt.Sprintf("Network ACL %s loses rule %d", s.DeleteNetworkACLEntry.NetworkACL, s.DeleteNetworkACLEntry.RuleNo)
	case "create_route":
		return "Route table " + s.CreateRoute.RouteTableID + " gets a route"
	case "replace_route":
		return "Route table " + s.ReplaceRoute.RouteTableID + " gets another route"
	case "delete_route":
		return "Route table " + s.DeleteRoute.RouteTableID + " loses a route"
	case "modify_managed_prefix_list":
		return "Prefix list " + s.ModifyPrefixList.PrefixListID + " gets other entries"
	case "delete_vpc_peering_connection":
		return "Peering connection " + *s.DeletePeering + " is deleted"
	case "register":
		return s.Register.TargetID + " joins target group " + s.Register.TargetGroup
	case "deregister":
		return s.Deregister.TargetID + " leaves target group " + s.Deregister.TargetGroup
	case "modify_listener":
		return fmt.Sprintf("The listener of %s on port %d gets another action", s.ModifyListener.LoadBalancer, s.ModifyListener.Port)
	case "modify_target_group_attributes":
		return "Target group " + s.ModifyTargetGroup.TargetGroup + " gets other attributes"
	case "modify_load_balancer_attributes":
		return "Load balancer " + s.ModifyLoadBalancer.LoadBalancer + " gets other attributes"
	case "create_vpc_endpoint":
		return fmt.Sprintf("VPC %s gets endpoint %s", s.CreateVPCEndpoint.VPCID, s.CreateVPCEndpoint.Name)
	case "modify_vpc_endpoint":
		return "The consumer modifies endpoint " + s.ModifyVPCEndpoint.VPCEndpoint
	case "modify_vpc_endpoint_service_permissions":
		return "The provider changes who may use endpoint service " + s.ModifyPermissions.Service
	case "modify_vpc_endpoint_service_configuration":
		return "The provider modifies endpoint service " + s.ModifyService.Service
	case "delete_vpc_endpoint_service":
		return "The provider deletes endpoint service " + *s.DeleteService
	case "start_vpc_endpoint_service_private_dns_verification":
		return "AWS looks for the proof of the private name of " + *s.VerifyPrivateDNS
	case "set_subnets":
		return "Load balancer " + s.SetSubnets.LoadBalancer + " gets other subnets"
	case "set_security_groups":
		return "Load balancer " + s.SetSecurityGroups.LoadBalancer + " gets other security groups"
	case "modify_network_interface_attribute":
		return "Interface " + s.ModifyInterface.Interface + " gets other attributes"
	case "modify_link":
		return "Link " + s.ModifyLink.Link + " changes"
	case "describe":
		return "What AWS says of " + cmp.Or(s.Describe.VPCEndpoint, s.Describe.EndpointService, s.Describe.LoadBalancer)
	case "change_resource_record_sets":
		return fmt.Sprintf("%s the %s record %s", s.ChangeRecord.Action, s.ChangeRecord.Type, s.ChangeRecord.Name)
	case "wait":
		return s.Wait.String() + " pass"
	case "wait_until":
		return "It is " + s.WaitUntil.String() + " after the start"
	case "fail":
		return s.Fail.title()
	case "heal":
		return s.Heal.title()
	case "restart_forwarder":
		if s.RestartForwarder.KeepState {
			return "The forwarder is restarted with its state"
		}
		return "The forwarder is restarted without its state"
	case "target_health":
		return "The health of target group " + s.TargetHealth.TargetGroup
	case "flow_logs":
		if f := s.FlowLogs; f.FlowLog != "" {
			return "Flow log " + f.FlowLog
		}
		return "The flow log of " + s.FlowLogs.Interface
	case "drops":
		if s.Drops.Interface != "" {
			return "The packets dropped at " + s.Drops.Interface
		}
		return "The packets dropped"
	case "capture":
		return "Packets are captured at " + strings.Join(s.Capture.Interfaces, ", ")
	case "stop_capture":
		return "Capture " + *s.StopCapture + " ends"
	case "captures":
		return "The packets of capture " + s.Captures.Capture
	case "metrics":
		return "The metric " + s.Metrics.MetricName
	}
	return "Nothing"
}

// commandLine returns a command for people: its first line, where it has several.
func commandLine(c topology.Command) string {
	line, ok := shellLine(c)
	if !ok {
		line = strings.Join(c, " ")
	}
	first, rest, _ := strings.Cut(strings.TrimSpace(line), "\n")
	if rest != "" {
		first += " …"
	}
	return first
}

// shellLine returns the line of a command that was written as one.
func shellLine(c topology.Command) (string, bool) {
	if len(c) == 3 && c[0] == shell && c[1] == shellFlag {
		return c[2], true
	}
	return "", false
}

// Duration returns d for the standard library.
func (d Duration) Duration() time.Duration { return time.Duration(d) }

// String returns d as a scenario writes it: 500ms, 2s, 5m.
func (d Duration) String() string {
	text := time.Duration(d).String()
	text = strings.TrimSuffix(text, "m0s") + map[bool]string{true: "m"}[strings.HasSuffix(text, "m0s")]
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		return short + "h"
	}
	return text
}

// Defaults of the steps.
const (
	defaultMethod      = "GET"
	defaultRecord      = "A"
	defaultProtocol    = "tcp"
	defaultTransport   = "udp" // of DNS
	defaultConcurrency = 16

	requestTimeout    = Duration(5 * time.Second)
	connectionTimeout = Duration(5 * time.Second)
	resolveTimeout    = Duration(2 * time.Second)
	exchangeTimeout   = Duration(2 * time.Second)
	pingTimeout       = Duration(time.Second)
	execTimeout       = Duration(30 * time.Second)
)

// fill writes the defaults into a step, so that whoever plays it need not know
// them. What "the action succeeds" means is written out as an expectation.
func (s *Step) fill() {
	expect := func() *Expect {
		if s.Expect == nil {
			s.Expect = new(Expect)
		}
		return s.Expect
	}
	succeeds := func() {
		if e := expect(); e.Error == nil {
			e.Error = equals("none")
		}
	}
	switch {
	case s.Request != nil:
		setDefault(&s.Request.Method, defaultMethod)
		setDefault(&s.Request.Timeout, requestTimeout)
		succeeds()
	case s.Connections != nil:
		setDefault(&s.Connections.Concurrency, defaultConcurrency)
		setDefault(&s.Connections.Timeout, connectionTimeout)
		if e := expect(); e.Succeeded == nil && e.Failed == nil && e.Errors == nil {
			succeeds()
		}
	case s.Traffic != nil && s.Traffic.Background:
		s.Traffic.fill()
	case s.Traffic != nil, s.TrafficResult != nil:
		if s.Traffic != nil {
			s.Traffic.fill()
		}
		e := expect()
		if e.Succeeded == nil && e.Failed == nil && e.Errors == nil {
			succeeds()
		}
		if e.Missed == nil {
			e.Missed = equals("0")
		}
	case s.Resolve != nil:
		setDefault(&s.Resolve.Type, defaultRecord)
		setDefault(&s.Resolve.Protocol, defaultTransport)
		setDefault(&s.Resolve.Timeout, resolveTimeout)
		succeeds()
	case s.Exchange != nil:
		if s.Exchange.From != "" { // else it is the connection's
			setDefault(&s.Exchange.Protocol, defaultProtocol)
		}
		setDefault(&s.Exchange.Timeout, exchangeTimeout)
		succeeds()
	case s.Ping != nil:
		setDefault(&s.Ping.Timeout, pingTimeout)
		succeeds()
	case s.Fail != nil && s.Fail.Instance != "":
		setDefault(&s.Fail.How, defaultFault)
		if s.Fail.How == Flaps {
			setDefault(&s.Fail.Every, flapping)
		}
	case s.Exec != nil:
		setDefault(&s.Exec.Timeout, execTimeout)
		if e := expect(); e.ExitCode == nil {
			e.ExitCode = equals("0")
		}
	}
}

func setDefault[T comparable](p *T, value T) {
	var zero T
	if *p == zero {
		*p = value
	}
}

func equals(text string) *Matcher { return &Matcher{Equals: &text} }
