package topology

import (
	"cmp"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/nlb"
	"github.com/plsim/plsim/dataplane/snat"
)

// Settings are what AWS does not publish, or not as a number, quotas that it raises, and one for teaching.
// Times are seconds of the lab.
type Settings struct {
	PropagationDelay int    `yaml:"propagation_delay,omitempty" doc:"Seconds until the nodes of load balancers act on a change of targets (F2.59). Default 0: at once."`
	TerminationDelay *int   `yaml:"termination_delay,omitempty" doc:"Seconds that AWS's shortly after stands for, where flows are closed (F2.11, F2.60). Default 5."`
	SetupDelay       int    `yaml:"setup_delay,omitempty" doc:"Seconds that an endpoint is pending after it was accepted or modified (F1.9). Default 0."`
	RevokedFlows     string `yaml:"revoked_flows,omitempty" doc:"What flows meet whose endpoint is rejected, deleted or taken out of a subnet, silence (default) or reset (F1.19)."`

	EndpointIdleTimeout int  `yaml:"endpoint_idle_timeout,omitempty" doc:"Seconds after which an endpoint forgets an idle TCP flow, 1 to 6000; the listener's timeout holds where it is shorter (F1.36). Default 350."`
	HalfClosedTimeout   int  `yaml:"half_closed_timeout,omitempty" doc:"Seconds after which a load balancer forgets an idle TCP flow that one side has closed, 1 to 6000 (F2.49). Default 120."`
	ClosedTimeout       int  `yaml:"closed_timeout,omitempty" doc:"Seconds for which a load balancer remembers a TCP flow that both sides have closed, or one has reset, 1 to 6000 (F2.49). Default 10."`
	PassiveChecks       int  `yaml:"passive_checks,omitempty" doc:"After how many connections in a row that a target refuses or leaves unanswered it counts as unhealthy, until active checks pass again (F2.53). Default 0: never."`
	SourcePortRest      *int `yaml:"source_port_rest,omitempty" doc:"Seconds after a TCP connection's last packet during which its source port is used again only where no other is free (F2.34). Default 60."`
	SourcePorts         int  `yaml:"source_ports,omitempty" doc:"Source ports that a node's address has towards one target, 1 to 55000: few, to teach what happens then. Default 55000 (F2.30)."`

	ConntrackAllowance int `yaml:"conntrack_allowance,omitempty" doc:"Connections that the security groups of one interface can track; packets of more are dropped as tracking_table, which AWS counts as conntrack_allowance_exceeded (F3.16). Default: no limit."`

	GroupsPerInterface int `yaml:"security_groups_per_network_interface,omitempty" doc:"A quota that AWS raises on request: security groups of an interface, 1 to 16. Default 5 (F3.9)."`
	RulesPerGroup      int `yaml:"rules_per_security_group,omitempty" doc:"A quota that AWS raises on request: rules of a security group in a direction, for IPv4 and for IPv6. Times security_groups_per_network_interface at most 1000. Default 60 (F3.9)."`
	RulesPerACL        int `yaml:"rules_per_network_acl,omitempty" doc:"A quota that AWS raises on request: rules of a network ACL in a direction, 1 to 40. Default 20 (F3.20)."`

	Nitro *bool `yaml:"nitro,omitempty" doc:"Whether interfaces are those of Nitro instances, of which flow logs never sum for more than 60 seconds, whatever their max_aggregation_interval says (F4.2). Default true."`
}

// maxDelay bounds the delays that are settings, in seconds.
const maxDelay = 3600

// maxConntrack bounds how many connections an interface can track.
const maxConntrack = 1 << 30

// setSettings completes and checks the settings.
func (b *builder) setSettings() {
	s := cmp.Or(b.spec.Settings, &Settings{})
	b.spec.Settings = s
	aws := nlb.DefaultTimeouts()
	short, rest := 5, int(aws.Rest/time.Second)
	s.TerminationDelay = cmp.Or(s.TerminationDelay, &short)
	s.SourcePortRest = cmp.Or(s.SourcePortRest, &rest)
	s.EndpointIdleTimeout = cmp.Or(s.EndpointIdleTimeout, int(aws.Endpoint/time.Second))
	s.HalfClosedTimeout = cmp.Or(s.HalfClosedTimeout, int(aws.Closing/time.Second))
	s.ClosedTimeout = cmp.Or(s.ClosedTimeout, int(aws.Closed/time.Second))
	s.SourcePorts = cmp.Or(s.SourcePorts, snat.DefaultLimit)
	s.GroupsPerInterface = cmp.Or(s.GroupsPerInterface, 5)
	s.RulesPerGroup = cmp.Or(s.RulesPerGroup, 60)
	s.RulesPerACL = cmp.Or(s.RulesPerACL, 20)
	orTrue(&s.Nitro)
	longest := int(nlb.MaxTCPIdle / time.Second)
	for _, n := range []struct {
		key        string
		value      int
		least, max int
		unit       string
	}{
		{"propagation_delay", s.PropagationDelay, 0, maxDelay, " seconds"},
		{"termination_delay", *s.TerminationDelay, 0, maxDelay, " seconds"},
		{"setup_delay", s.SetupDelay, 0, maxDelay, " seconds"},
		{"endpoint_idle_timeout", s.EndpointIdleTimeout, 1, longest, " seconds"},
		{"half_closed_timeout", s.HalfClosedTimeout, 1, longest, " seconds"},
		{"closed_timeout", s.ClosedTimeout, 1, longest, " seconds"},
		{"source_port_rest", *s.SourcePortRest, 0, maxDelay, " seconds"},
		{"conntrack_allowance", s.ConntrackAllowance, 0, maxConntrack, ""},
		{"security_groups_per_network_interface", s.GroupsPerInterface, 1, maxGroups, ""},
		{"rules_per_security_group", s.RulesPerGroup, 1, maxRules, ""},
		{"rules_per_network_acl", s.RulesPerACL, 1, maxEntries, ""},
		{"passive_checks", s.PassiveChecks, 0, 1000, ""},
		{"source_ports", s.SourcePorts, 1, snat.DefaultLimit, ""},
	} {
		if n.value < n.least || n.value > n.max {
			b.problems.add(at("settings", n.key), "%d is out of range: give %d to %d%s", n.value, n.least, n.max, n.unit)
		}
	}
	if n := s.RulesPerGroup * s.GroupsPerInterface; n > maxRules && s.RulesPerGroup <= maxRules && s.GroupsPerInterface <= maxGroups {
		b.problems.add(at("settings", "rules_per_security_group"), "%d rules times %d security groups make %d for an interface: AWS takes %d at most", s.RulesPerGroup, s.GroupsPerInterface, n, maxRules)
	}
	b.choice(at("settings", "revoked_flows"), &s.RevokedFlows, "what flows can meet", "silence", "reset")
}

// raise tells which setting raises a quota, if it is not as high as AWS takes it.
func raise(key string, quota, most int) string {
	if quota >= most {
		return ""
	}
	return "; settings." + key + " raises that"
}

// Configure makes a forwarder's settings what the lab asks for, and leaves the others.
func (l *Lab) Configure(to *dataplane.Settings) {
	s := l.spec.Settings
	to.SourcePorts = s.SourcePorts
	to.TrackedFlows = s.ConntrackAllowance
	to.Balancing.Endpoint = seconds(s.EndpointIdleTimeout)
	to.Balancing.Closing, to.Balancing.Closed = seconds(s.HalfClosedTimeout), seconds(s.ClosedTimeout)
	to.PassiveChecks = s.PassiveChecks
	to.Balancing.Rest = seconds(*s.SourcePortRest)
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }
