// Package scenario is the language of scenario files: what they can say, how they
// are read, and every mistake that they can hold.
//
// A file goes through four hands. The YAML parser makes a tree of it; the decoder
// fills the Go types below from the tree, by reflection over their tags, which are
// all there is to know about the language; package topology fills in and checks
// the lab; and the checker compares the steps with it. Only the first stops at a
// mistake, so [Load] reports all the others of a file at once, each in its place.
package scenario

import (
	"slices"
	"time"

	"github.com/plsim/plsim/topology"
)

// Scenario is a lab and the story that is played in it.
type Scenario struct {
	Name        string   `yaml:"name" doc:"Lower-case name of the lab; the IDs of its parts are made from it."`
	Description string   `yaml:"description,omitempty" doc:"What the scenario shows."`
	Requires    []string `yaml:"requires,omitempty" doc:"Programs that must be installed on this host, e.g. curl; a run without them ends with exit code 3."`

	TimeScale int `yaml:"time_scale,omitempty" doc:"How many seconds pass in the lab while one passes on the wall, 1 (default) to 1000. --time-scale overrides it."`

	topology.Spec `yaml:",inline"`

	Steps []*Step `yaml:"steps,omitempty" doc:"The story, played in order."`

	Lesson *Lesson `yaml:"lesson,omitempty" doc:"What makes the scenario a teaching lab; plsim run leaves it alone."`
}

// ReadsFlowLogs reports whether a step of the story reads flow logs.
func (s *Scenario) ReadsFlowLogs() bool {
	return slices.ContainsFunc(s.Steps, func(s *Step) bool { return s.FlowLogs != nil })
}

// Step is one action and what is expected of it. Exactly one action is set.
type Step struct {
	Name   string   `yaml:"name,omitempty" doc:"What this step shows, in a sentence. Default: the action itself."`
	Wrong  string   `yaml:"wrong,omitempty" doc:"What it means when the expectation fails, in a sentence; plsim lab check says it to students."`
	Within Duration `yaml:"within,omitempty" doc:"Repeat the action until the expectation holds, for this long at most, in the time of the wall. Default: once."`

	Request       *Request       `yaml:"request,omitempty" doc:"One HTTP request by the client built into plsim."`
	Connections   *Connections   `yaml:"connections,omitempty" doc:"Many HTTP requests, each on a connection of its own."`
	Resolve       *Resolve       `yaml:"resolve,omitempty" doc:"A DNS query to the VPC's resolver, or to another DNS server."`
	Exchange      *Exchange      `yaml:"exchange,omitempty" doc:"Something said over a TCP connection or by UDP, and what is answered; the connection may be kept for later steps."`
	Ping          *Ping          `yaml:"ping,omitempty" doc:"One ICMP echo request."`
	Traffic       *Traffic       `yaml:"traffic,omitempty" doc:"A generator of traffic: so many connections, requests or datagrams a second, or streams."`
	TrafficResult *TrafficResult `yaml:"traffic_result,omitempty" doc:"What became of traffic in the background."`

	Received *Received `yaml:"received,omitempty" doc:"Read what a built-in sink has received, up to now."`
	Exec     *Exec     `yaml:"exec,omitempty" doc:"Any program, run in an instance until it ends."`

	Accept                 *string                    `yaml:"accept,omitempty" doc:"The provider accepts this endpoint."`
	Reject                 *string                    `yaml:"reject,omitempty" doc:"The provider rejects this endpoint, accepted or not (F1.11)."`
	Delete                 *string                    `yaml:"delete,omitempty" doc:"The consumer deletes this endpoint and its interfaces (F1.17)."`
	Authorize              *RuleEdit                  `yaml:"authorize,omitempty" doc:"Add a rule to a security group."`
	Revoke                 *RuleEdit                  `yaml:"revoke,omitempty" doc:"Remove a rule from a security group; tracked flows live on (F3.12)."`
	CreateNetworkACLEntry  *EntryEdit                 `yaml:"create_network_acl_entry,omitempty" doc:"Add a rule to a network ACL. It counts for established flows, too (F3.12)."`
	ReplaceNetworkACLEntry *EntryEdit                 `yaml:"replace_network_acl_entry,omitempty" doc:"Put a rule in the place of the one with its number."`
	DeleteNetworkACLEntry  *EntryRef                  `yaml:"delete_network_acl_entry,omitempty" doc:"Remove a rule from a network ACL."`
	CreateRoute            *topology.RouteEdit        `yaml:"create_route,omitempty" doc:"Add a route to a route table."`
	ReplaceRoute           *topology.RouteEdit        `yaml:"replace_route,omitempty" doc:"Put a route in the place of the one with its destination."`
	DeleteRoute            *topology.RouteRef         `yaml:"delete_route,omitempty" doc:"Remove a route from a route table."`
	ModifyPrefixList       *topology.PrefixListChange `yaml:"modify_managed_prefix_list,omitempty" doc:"Change the entries of a prefix list, for all rules and routes that name it; tracked flows live on (F3.12)."`
	DeletePeering          *string                    `yaml:"delete_vpc_peering_connection,omitempty" doc:"Delete this VPC peering connection: routes over it become blackholes."`
	Register               *TargetEdit                `yaml:"register,omitempty" doc:"Add a target to a target group."`
	Deregister             *TargetEdit                `yaml:"deregister,omitempty" doc:"Remove a target from a target group; it drains, and its flows live on unless the group closes them (F2.59, F2.60). Of one that has left it tells the state."`
	ModifyListener         *ListenerEdit              `yaml:"modify_listener,omitempty" doc:"Give a listener another default action, such as other weights (F2.11)."`

	ModifyTargetGroup  *TargetGroupEdit  `yaml:"modify_target_group_attributes,omitempty" doc:"Change attributes of a target group; flows that exist keep what they began with (F2.24)."`
	ModifyLoadBalancer *LoadBalancerEdit `yaml:"modify_load_balancer_attributes,omitempty" doc:"Change attributes of a load balancer."`

	CreateVPCEndpoint *topology.NewEndpoint      `yaml:"create_vpc_endpoint,omitempty" doc:"A consumer creates an endpoint."`
	ModifyVPCEndpoint *topology.EndpointChange   `yaml:"modify_vpc_endpoint,omitempty" doc:"The consumer changes an endpoint's subnets, addresses, security groups or private DNS (F1.4)."`
	ModifyPermissions *topology.PermissionChange `yaml:"modify_vpc_endpoint_service_permissions,omitempty" doc:"The provider changes who may create endpoints (F1.14)."`
	ModifyService     *topology.ServiceChange    `yaml:"modify_vpc_endpoint_service_configuration,omitempty" doc:"The provider changes an endpoint service, or makes it take on its load balancers' new zones (F1.49)."`
	DeleteService     *string                    `yaml:"delete_vpc_endpoint_service,omitempty" doc:"The provider deletes this endpoint service (F1.12)."`
	VerifyPrivateDNS  *string                    `yaml:"start_vpc_endpoint_service_private_dns_verification,omitempty" doc:"AWS looks for the proof of this endpoint service's private name (F1.27)."`
	SetSubnets        *topology.SubnetChange     `yaml:"set_subnets,omitempty" doc:"Change the subnets of a load balancer; connections of a zone that goes end (F2.61)."`
	SetSecurityGroups *topology.GroupChange      `yaml:"set_security_groups,omitempty" doc:"Change the security groups of a load balancer that has some (F2.63)."`
	ModifyInterface   *topology.InterfaceChange  `yaml:"modify_network_interface_attribute,omitempty" doc:"Change the security groups of an instance's interface, or its tracking (F3.14)."`
	ChangeRecord      *topology.RecordChange     `yaml:"change_resource_record_sets,omitempty" doc:"Change a record of a public hosted zone."`

	ModifyLink *topology.LinkChange `yaml:"modify_link,omitempty" doc:"Give a link other qualities; those that are not given stay."`

	Wait      *Duration `yaml:"wait,omitempty" doc:"Let this much of the lab's time pass."`
	WaitUntil *Duration `yaml:"wait_until,omitempty" doc:"Let the lab's time pass until so much of it is over since the start."`

	Fail             *Fault   `yaml:"fail,omitempty" doc:"Something goes wrong: what runs in an instance fails, a zone is lost, or a link is cut."`
	Heal             *Heal    `yaml:"heal,omitempty" doc:"What went wrong is as it was."`
	RestartForwarder *Restart `yaml:"restart_forwarder,omitempty" doc:"The forwarder, which is the network, load balancers and endpoints of the lab, is started anew."`

	Describe     *topology.Part `yaml:"describe,omitempty" doc:"Read what AWS's API says of an endpoint, an endpoint service or a load balancer, and which events there were (F1.13)."`
	TargetHealth *TargetHealth  `yaml:"target_health,omitempty" doc:"Read the health of a target group's targets."`
	FlowLogs     *FlowLogs      `yaml:"flow_logs,omitempty" doc:"Read the VPC flow logs of an interface, or a flow log."`
	Drops        *Drops         `yaml:"drops,omitempty" doc:"Read the counters of dropped packets."`
	Capture      *Capture       `yaml:"capture,omitempty" doc:"Begin to capture packets at network interfaces, until the end of the story."`
	StopCapture  *string        `yaml:"stop_capture,omitempty" doc:"End this capture, by name: what it has can still be read, and it takes no more room."`
	Captures     *Captures      `yaml:"captures,omitempty" doc:"Read what a capture has, up to now."`

	Metrics *Metrics `yaml:"metrics,omitempty" doc:"Read a metric of CloudWatch, up to now (F1.54, F1.55, F2.69)."`

	Expect *Expect `yaml:"expect,omitempty" doc:"What must hold. Default: the action succeeds."`
}

// Request is an HTTP request.
type Request struct {
	From    string            `yaml:"from" doc:"Instance that sends it: VPC/NAME, or NAME where it is unique."`
	URL     string            `yaml:"url" doc:"http:// or https:// URL; the host name is asked of the VPC's resolver."`
	Method  string            `yaml:"method,omitempty" doc:"Default GET."`
	Headers map[string]string `yaml:"headers,omitempty" doc:"Request headers."`
	Body    string            `yaml:"body,omitempty" doc:"Request body."`
	Timeout Duration          `yaml:"timeout,omitempty" doc:"For all of it. Default 5s."`
}

// Connections are many requests.
type Connections struct {
	From        string   `yaml:"from" doc:"Instance that opens them."`
	To          string   `yaml:"to" doc:"HOST:PORT of an HTTP service."`
	Count       int      `yaml:"count" doc:"How many, 1 to 100000."`
	Concurrency int      `yaml:"concurrency,omitempty" doc:"How many at a time, 1 to 256. Default 16."`
	Timeout     Duration `yaml:"timeout,omitempty" doc:"For each. Default 5s."`
}

// Resolve is a DNS query.
type Resolve struct {
	From   string `yaml:"from" doc:"Instance that asks."`
	Host   string `yaml:"host" doc:"Name to look up."`
	Type   string `yaml:"type,omitempty" doc:"A (default) or AAAA."`
	Server string `yaml:"server,omitempty" doc:"HOST:PORT of the DNS server to ask. Default: the VPC's resolver."`

	Protocol string   `yaml:"protocol,omitempty" doc:"udp (default), and tcp where the answer does not fit; or tcp."`
	Timeout  Duration `yaml:"timeout,omitempty" doc:"Default 2s."`
}

// Exchange is something said and its answer. Without From and To it goes on over
// a connection that an earlier step kept.
type Exchange struct {
	From       string   `yaml:"from,omitempty" doc:"Instance that connects. Leave out from and to for a connection that an earlier step kept."`
	To         string   `yaml:"to,omitempty" doc:"HOST:PORT to connect to."`
	Protocol   string   `yaml:"protocol,omitempty" doc:"tcp (default), udp or tls."`
	Connection string   `yaml:"connection,omitempty" doc:"Name under which the connection is kept, to be used by later steps. Default: it is closed."`
	Keepalive  Duration `yaml:"keepalive,omitempty" doc:"Send TCP keepalives after so much of the lab's time, rounded up to a second of the wall. Default: none."`
	Send       string   `yaml:"send,omitempty" doc:"What to say. Default: nothing; the step listens."`
	Timeout    Duration `yaml:"timeout,omitempty" doc:"To connect, and for the answer, in seconds of the wall. Default 2s."`
}

// Ping is an ICMP echo request.
type Ping struct {
	From    string   `yaml:"from" doc:"Instance that asks."`
	To      string   `yaml:"to" doc:"Address or name."`
	Timeout Duration `yaml:"timeout,omitempty" doc:"Default 1s."`
}

// Received reads the counters of a sink.
type Received struct {
	By       string `yaml:"by" doc:"Instance that has a service of type tcp_sink or udp_sink."`
	Port     int    `yaml:"port" doc:"Its port."`
	Protocol string `yaml:"protocol,omitempty" doc:"tcp or udp. Default: that of the only sink on the port."`
}

// Exec is a program run in an instance.
type Exec struct {
	In      string           `yaml:"in" doc:"Instance to run it in."`
	Command topology.Command `yaml:"command" doc:"A shell command line, or a list of words."`
	Stdin   string           `yaml:"stdin,omitempty" doc:"What it reads."`
	Timeout Duration         `yaml:"timeout,omitempty" doc:"After which it is killed. Default 30s."`
}

// RuleEdit names a security group and one of its rules.
type RuleEdit struct {
	SecurityGroup string         `yaml:"security_group_id" doc:"Security group: VPC/NAME, or NAME where it is unique."`
	Ingress       *topology.Rule `yaml:"ingress,omitempty" doc:"The inbound rule; either this or egress."`
	Egress        *topology.Rule `yaml:"egress,omitempty" doc:"The outbound rule."`
}

// EntryEdit names a network ACL and one of its rules.
type EntryEdit struct {
	NetworkACL string                    `yaml:"network_acl_id" doc:"Network ACL: VPC/NAME, or NAME where it is unique."`
	Ingress    *topology.NetworkACLEntry `yaml:"ingress,omitempty" doc:"The inbound rule; either this or egress."`
	Egress     *topology.NetworkACLEntry `yaml:"egress,omitempty" doc:"The outbound rule."`
}

// entry returns the rule that is given, and whether it is the outbound one.
func (e *EntryEdit) entry() (entry *topology.NetworkACLEntry, outbound bool) {
	if e.Egress != nil {
		return e.Egress, true
	}
	return e.Ingress, false
}

// EntryRef names a rule of a network ACL.
type EntryRef struct {
	NetworkACL string `yaml:"network_acl_id" doc:"Network ACL: VPC/NAME, or NAME where it is unique."`
	RuleNo     int    `yaml:"rule_no" doc:"Number of the rule."`
	Egress     bool   `yaml:"egress,omitempty" doc:"Whether it is an outbound rule. Default false."`
}

// TargetEdit names a target group and a target.
type TargetEdit struct {
	TargetGroup string `yaml:"target_group_arn" doc:"Target group, by name."`
	TargetID    string `yaml:"target_id" doc:"An instance's name, or an address."`
	Port        int    `yaml:"port,omitempty" doc:"Overrides the group's port."`

	AvailabilityZone string `yaml:"availability_zone,omitempty" doc:"Of an address outside the group's VPC: all, or the zone whose nodes use it (F2.22a)."`
}

// TargetHealth reads the health of targets.
type TargetHealth struct {
	TargetGroup string `yaml:"target_group_arn" doc:"Target group, by name."`
}

// ListenerEdit names a listener and its new action.
type ListenerEdit struct {
	LoadBalancer  string           `yaml:"load_balancer_arn" doc:"Load balancer, by name."`
	Port          int              `yaml:"port" doc:"Port of the listener."`
	DefaultAction *topology.Action `yaml:"default_action" doc:"What to do with new flows from now on."`
}

// TargetGroupEdit names a target group, and attributes that it gets.
type TargetGroupEdit struct {
	TargetGroup string                          `yaml:"target_group_arn" doc:"Target group, by name."`
	Attributes  *topology.TargetGroupAttributes `yaml:"attributes" doc:"Those that change, each as in target_groups."`
}

// LoadBalancerEdit names a load balancer, and attributes that it gets.
type LoadBalancerEdit struct {
	LoadBalancer string                           `yaml:"load_balancer_arn" doc:"Load balancer, by name."`
	Attributes   *topology.LoadBalancerAttributes `yaml:"attributes" doc:"Those that change, each as in load_balancers."`
}

// FlowLogs reads records.
type FlowLogs struct {
	Interface string `yaml:"interface,omitempty" doc:"Network interface: an instance's name, vpc_endpoint.NAME.ZONE, load_balancer.NAME.ZONE, or its eni-…. Default: every interface of the flow log."`
	FlowLog   string `yaml:"flow_log,omitempty" doc:"Flow log, by name, whose records those are, in its format and with those of silence. Default: what any flow log has of the interface."`
}

// Drops reads drop counters.
type Drops struct {
	Interface string `yaml:"interface,omitempty" doc:"Network interface at which the packets died: an instance's name, vpc_endpoint.NAME.ZONE, load_balancer.NAME.ZONE, or its eni-…. Default: the whole lab."`
}

// Capture captures packets.
type Capture struct {
	Name       string   `yaml:"name" doc:"Name of the capture, for steps that read it, and of the file that plsim run --out keeps."`
	Interfaces []string `yaml:"interfaces" doc:"Network interfaces to look at: an instance's name, vpc_endpoint.NAME.ZONE, load_balancer.NAME.ZONE, or eni-…"`
	Filter     string   `yaml:"filter,omitempty" doc:"Which packets to keep, in tcpdump's language: tcp port 80 and tcp[tcpflags] & tcp-syn != 0. Default: all."`
}

// Captures reads packets.
type Captures struct {
	Capture string `yaml:"capture" doc:"Capture, by the name that an earlier step gave it."`
}

// Expect says what must hold. Each action has its own fields; the others are a
// mistake in the scenario.
type Expect struct {
	Error *Matcher `yaml:"error,omitempty" doc:"How it failed: timeout (silence), refused, reset, closed, unreachable, dns, tls, http; or none. request, exchange, resolve, ping; the first failure of connections, traffic, traffic_result. Of an edit that AWS refuses: its error code and message."`

	Status  *Matcher            `yaml:"status,omitempty" doc:"HTTP status. request."`
	Body    *Matcher            `yaml:"body,omitempty" doc:"HTTP body, or what came first in answer. request, exchange."`
	JSON    map[string]*Matcher `yaml:"json,omitempty" doc:"Values in a JSON body or description, by dotted path; elements of lists by their number, from 0. request, describe."`
	Headers map[string]*Matcher `yaml:"headers,omitempty" doc:"Response headers. request."`

	Succeeded *Matcher            `yaml:"succeeded,omitempty" doc:"How many were answered. connections, traffic, traffic_result."`
	Failed    *Matcher            `yaml:"failed,omitempty" doc:"How many were not. connections, traffic, traffic_result."`
	Targets   map[string]*Matcher `yaml:"targets,omitempty" doc:"How many each instance answered. connections, traffic, traffic_result."`

	Errors        map[string]*Matcher `yaml:"errors,omitempty" doc:"How many failed in each way: timeout, refused, reset and so on, as in error. connections, traffic, traffic_result."`
	Missed        *Matcher            `yaml:"missed,omitempty" doc:"How many could not begin when it was their time, since concurrency was used up. Default 0. traffic, traffic_result."`
	Duplicates    *Matcher            `yaml:"duplicates,omitempty" doc:"How many echoes came once more. traffic, traffic_result."`
	BytesSent     *Matcher            `yaml:"bytes_sent,omitempty" doc:"Bytes of streams up and of datagrams, without headers. traffic, traffic_result."`
	BytesReceived *Matcher            `yaml:"bytes_received,omitempty" doc:"Bytes of answers, streams down and echoes, without headers. traffic, traffic_result."`
	Latency       map[string]*Span    `yaml:"latency,omitempty" doc:"Times until the answers: min, mean, p50, p90, p99 and max. connections, traffic, traffic_result."`
	Rate          *Matcher            `yaml:"rate,omitempty" doc:"How many were answered in a second of the lab. traffic, traffic_result."`
	BitsPerSecond *Matcher            `yaml:"bits_per_second,omitempty" doc:"Bits of bytes_sent and bytes_received in a second of the lab. traffic, traffic_result."`

	Connections *Matcher `yaml:"connections,omitempty" doc:"How many connections a tcp_sink has had. received."`
	Datagrams   *Matcher `yaml:"datagrams,omitempty" doc:"How many datagrams have come to a udp_sink. received."`
	Bytes       *Matcher `yaml:"bytes,omitempty" doc:"How many bytes they brought. received."`

	Addresses *Matcher `yaml:"addresses,omitempty" doc:"Addresses of the answer, sorted, joined with a comma and a space. resolve."`

	ExitCode *Matcher `yaml:"exit_code,omitempty" doc:"How the program ended; 128 plus the signal if by one. Default 0. exec."`
	Stdout   *Matcher `yaml:"stdout,omitempty" doc:"What it printed. exec."`
	Stderr   *Matcher `yaml:"stderr,omitempty" doc:"What it printed as diagnostics. exec."`

	State *Matcher `yaml:"state,omitempty" doc:"State of the endpoint, service, private DNS name or target, in the API's spelling. accept, reject, delete, create_vpc_endpoint, modify_vpc_endpoint, delete_vpc_endpoint_service, start_vpc_endpoint_service_private_dns_verification, deregister."`

	States      map[string]*Matcher `yaml:"states,omitempty" doc:"State of each target: initial, healthy, unhealthy, unhealthy.draining, draining or unused (F2.54). A target is its target_id, with :PORT where that is not the group's. target_health."`
	ReasonCodes map[string]*Matcher `yaml:"reason_codes,omitempty" doc:"Reason code of each target, such as Target.FailedHealthChecks; empty where it is healthy (F2.54). target_health."`

	Records []map[string]*Matcher `yaml:"records,omitempty" doc:"Flow log records that must be there, by field name. flow_logs."`
	Absent  []map[string]*Matcher `yaml:"absent,omitempty" doc:"Flow log records or packets that must not. flow_logs, captures."`
	Count   *Matcher              `yaml:"count,omitempty" doc:"How many records or packets there are. flow_logs, captures."`
	Packets []map[string]*Matcher `yaml:"packets,omitempty" doc:"Packets that must be in the capture, by field name. captures."`

	Value      *Matcher `yaml:"value,omitempty" doc:"The statistic. metrics."`
	Datapoints *Matcher `yaml:"datapoints,omitempty" doc:"In how many periods there was anything to report; 0 where nothing is reported. metrics."`

	Reasons map[string]*Matcher `yaml:"reasons,omitempty" doc:"Packets dropped, by reason. drops."`
}

// Matcher is a condition on one value. A scenario writes a plain value for
// equality, or a mapping of conditions that must all hold.
type Matcher struct {
	Equals   *string  `yaml:"equals,omitempty" doc:"The value itself."`
	Contains *string  `yaml:"contains,omitempty" doc:"A part of it."`
	Matches  *string  `yaml:"matches,omitempty" doc:"A regular expression (RE2) found in it."`
	Not      *Matcher `yaml:"not,omitempty" doc:"A condition that must not hold."`
	OneOf    []string `yaml:"one_of,omitempty" doc:"One of these values."`
	AtLeast  *float64 `yaml:"at_least,omitempty" doc:"A number no smaller."`
	AtMost   *float64 `yaml:"at_most,omitempty" doc:"A number no larger."`
}

// Duration is a length of time, written 500ms, 2s, 5m: the lab's time in wait, keepalive
// and the plan of traffic; the wall's in timeout and within, which bound what real sockets do.
type Duration time.Duration
