package scenario

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/topology"
)

// Bounds of what a scenario may ask for.
const (
	maxCount       = 100_000
	maxConcurrency = 256

	// MaxTimeScale is how much faster than the wall's a lab's time may run: the
	// programs in it stay as fast as they are.
	MaxTimeScale = 1000
)

// checker finds the mistakes of the steps: what each alone cannot mean, and what
// it refers to that does not exist.
type checker struct {
	src      *Source
	lab      *topology.Lab // in which the story is rehearsed; nil where the topology has mistakes of its own
	now      clock.Time    // of the rehearsal
	names    *names
	broken   map[string]bool
	unmade   map[string]string // endpoints that a step does not come to make, and why; "" where that has been said
	kept     []string          // connections that the steps so far have kept
	captured []string          // captures that they have begun
	stopped  []string          // and ended
	failed   []*Fault          // what they have made fail in instances, named in full

	generators []*Traffic // of the steps so far, with a name
	mistakes   Mistakes
}

func (c *checker) wrong(path, format string, args ...any) {
	if !c.broken[path] {
		c.mistakes = append(c.mistakes, c.src.Mistake(path, label(path)+fmt.Sprintf(format, args...)))
	}
}

// brokenBelow reports whether the value at path lacks a part that was not
// understood.
func (c *checker) brokenBelow(path string) bool {
	for p := range c.broken {
		if strings.HasPrefix(p, path+".") {
			return true
		}
	}
	return false
}

// steps checks the steps of the list at a path, and rehearses them.
func (c *checker) steps(list string, steps []*Step) {
	for i, s := range steps {
		path := item(list, i)
		c.references(path, reflect.ValueOf(s))
		c.step(path, s)
		c.rehearse(path, s)
	}
}

// step checks that a step does one thing, and what that is.
func (c *checker) step(path string, s *Step) {
	chosen := s.chosen()
	switch {
	case len(chosen) == 1:
	case len(chosen) > 1:
		c.mistakes = append(c.mistakes, c.src.Mistake(join(path, chosen[1]),
			fmt.Sprintf("one step does one thing, but this one has %s: make each a step of its own", strings.Join(chosen, " and "))))
		return
	case !c.brokenBelow(path):
		c.mistakes = append(c.mistakes, c.src.Mistake(path,
			"this step does nothing: give it one of "+strings.Join(keysOf(actions), ", ")))
		fallthrough
	default:
		return
	}
	action := chosen[0]
	at := join(path, action)
	switch action {
	case "request":
		c.request(at, s.Request)
	case "connections":
		c.connections(at, s.Connections)
	case "resolve":
		c.resolve(at, s.Resolve)
	case "exchange":
		c.exchange(at, s.Exchange)
	case "ping":
		c.instance(join(at, "from"), s.Ping.From)
		c.host(join(at, "to"), s.Ping.To)
	case "traffic":
		c.traffic(at, s)
		c.background(path, s)
	case "traffic_result":
		c.trafficResult(at, s.TrafficResult)
	case "received":
		c.received(at, s.Received)
	case "exec":
		c.instance(join(at, "in"), s.Exec.In)
	case "accept", "reject", "delete":
		name := reflect.ValueOf(s).Elem().FieldByName(strings.ToUpper(action[:1]) + action[1:]).Elem().String()
		c.reference(at, "VPC endpoint", name, c.names.endpoints)
	case "authorize":
		c.ruleEdit(at, s.Authorize)
	case "revoke":
		c.ruleEdit(at, s.Revoke)
	case "create_network_acl_entry":
		c.entryEdit(at, s.CreateNetworkACLEntry)
	case "replace_network_acl_entry":
		c.entryEdit(at, s.ReplaceNetworkACLEntry)
	case "delete_network_acl_entry":
		c.reference(join(at, "network_acl_id"), "network ACL", s.DeleteNetworkACLEntry.NetworkACL, c.names.networkACLs)
	case "delete_vpc_peering_connection":
		c.reference(at, "VPC peering connection", *s.DeletePeering, c.names.peerings)
	case "register":
		c.targetEdit(at, s.Register)
	case "deregister":
		c.targetEdit(at, s.Deregister)
	case "describe":
		if c.lab != nil && !c.brokenBelow(at) {
			if _, err := c.lab.Describe(s.Describe); err != nil {
				c.wrong(at, "%v", err)
			}
		}
	case "wait_until":
		c.until(at, *s.WaitUntil)
	case "fail":
		c.fault(at, s.Fail)
	case "heal":
		c.heal(at, s.Heal)
	case "target_health":
		c.reference(join(at, "target_group_arn"), "target group", s.TargetHealth.TargetGroup, c.names.targetGroups)
	case "modify_listener":
		if e := s.ModifyListener; c.lab != nil && e.DefaultAction != nil {
			c.judged(at, "default_action", c.lab.CheckListener(e.LoadBalancer, e.Port, e.DefaultAction))
		}
	case "modify_target_group_attributes":
		if e := s.ModifyTargetGroup; c.lab != nil && e.Attributes != nil {
			c.judged(at, "attributes", c.lab.CheckTargetGroupAttributes(e.TargetGroup, e.Attributes))
		}
	case "modify_load_balancer_attributes":
		if e := s.ModifyLoadBalancer; c.lab != nil && e.Attributes != nil {
			c.judged(at, "attributes", c.lab.CheckLoadBalancerAttributes(e.LoadBalancer, e.Attributes))
		}
	case "flow_logs":
		c.flowLogs(at, s)
	case "drops":
		if p := join(at, "interface"); c.src.Has(p) {
			c.networkInterface(p, s.Drops.Interface)
		}
	case "capture":
		c.capture(at, s.Capture)
	case "stop_capture":
		c.stopCapture(at, *s.StopCapture)
	case "captures":
		c.reference(join(at, "capture"), "capture", s.Captures.Capture, c.captured)
	case "metrics":
		c.metrics(at, s.Metrics)
	}
	if len(expectable[action]) == 0 && s.Within != 0 {
		c.wrong(join(path, "within"), "%s has no expectation to wait for: put within on the step that observes its effect", action)
	}
	if s.Expect != nil {
		c.expect(join(path, "expect"), action, s.Expect)
	}
}

// hostPort checks where a connection goes.
func (c *checker) hostPort(path, text string) {
	text, known := c.expanded(text)
	if !known {
		return
	}
	host, port, err := net.SplitHostPort(text)
	switch {
	case err != nil || host == "" || strings.Contains(text, "/"):
		c.wrong(path, "%q is not HOST:PORT, such as api.example.com:80 or [2001:db8::1]:80", text)
	default:
		c.portText(path, port)
	}
}

func (c *checker) portText(path, text string) {
	if port, err := strconv.Atoi(text); err != nil || port < 1 || port > 65535 {
		c.wrong(path, "%q is not a port: write one from 1 to 65535", text)
	}
}

func (c *checker) within(path string, n, least, most int) {
	if n < least || n > most {
		c.wrong(path, "%d is out of range: write %d to %d", n, least, most)
	}
}

var hostForm = regexp.MustCompile(`^[A-Za-z0-9_*]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?$`)

// host checks an address or a DNS name.
func (c *checker) host(path, text string) {
	text, known := c.expanded(text)
	if !known {
		return
	}
	if _, err := netip.ParseAddr(text); err == nil {
		return
	}
	if !hostForm.MatchString(text) || len(text) > 253 {
		c.wrong(path, "%q is neither an address nor a DNS name", text)
	}
}

func (c *checker) ruleEdit(path string, e *RuleEdit) {
	c.reference(join(path, "security_group_id"), "security group", e.SecurityGroup, c.names.securityGroups)
	if (e.Ingress == nil) == (e.Egress == nil) {
		if !c.brokenBelow(path) {
			c.wrong(path, "give it one rule, either ingress or egress")
		}
		return
	}
	if e.Ingress != nil {
		c.rule(join(path, "ingress"), e.SecurityGroup, e.Ingress)
	} else {
		c.rule(join(path, "egress"), e.SecurityGroup, e.Egress)
	}
}

// rule checks a rule as the lab would when the step is played.
func (c *checker) rule(path, group string, r *topology.Rule) {
	if c.lab == nil {
		return
	}
	r, err := expandAll(r, c.lab.Variable)
	if err != nil {
		return // c.references reports it
	}
	var problems topology.Problems
	if errors.As(c.lab.CheckRule(group, r), &problems) {
		c.problems(path, problems)
	}
}

// problems reports what the lab says of a part of a step.
func (c *checker) problems(path string, problems topology.Problems) {
	for _, p := range problems {
		if at := below(path, p.Path); !follows(at, c.broken) {
			c.mistakes = append(c.mistakes, c.src.Mistake(at, label(at)+p.Msg))
		}
	}
}

func (c *checker) targetEdit(path string, e *TargetEdit) {
	c.reference(join(path, "target_group_arn"), "target group", e.TargetGroup, c.names.targetGroups)
	if text, known := c.expanded(e.TargetID); known {
		p := join(path, "target_id")
		if _, err := netip.ParseAddr(text); err == nil {
			// Whether it is in reach is for the lab to say, at that moment.
		} else if addressLike.MatchString(text) {
			c.wrong(p, "%q is not an address", text)
		} else {
			c.named(p, text)
		}
	}
	if p := join(path, "port"); c.src.Has(p) {
		c.within(p, e.Port, 1, 65535)
	}
}

// named checks the name of a target: an instance's or an Application Load Balancer's.
func (c *checker) named(path, name string) {
	if !slices.Contains(c.names.applications, name) {
		c.instance(path, name)
	}
}

// target checks how an expectation names a target: by its name or its address,
// perhaps with a port.
func (c *checker) target(path, name string) {
	t, err := topology.ParseTarget(name)
	if _, bad := netip.ParseAddr(t.TargetID); err == nil && bad != nil {
		c.named(path, t.TargetID)
	} else if err != nil {
		c.wrong(path, "%v", err)
	}
}

// judged reports what the lab says of an edit: of the part of it below a key, or
// of all of it.
func (c *checker) judged(path, key string, err error) {
	var problems topology.Problems
	switch {
	case errors.As(err, &problems):
		c.problems(join(path, key), problems)
	case err != nil && !c.brokenBelow(path):
		c.wrong(path, "%v", err)
	}
}

var addressLike = regexp.MustCompile(`^[0-9.]+$|:`)

func (c *checker) instance(path, ref string) {
	c.reference(path, "instance", ref, c.names.instances)
}

// reference checks the name of a part of the lab.
func (c *checker) reference(path, kind, ref string, known []string) {
	if why := find(kind, ref, known); why != "" {
		c.wrong(path, "%s", why)
	}
}

// networkInterface checks how a step names an interface.
func (c *checker) networkInterface(path, text string) {
	text, known := c.expanded(text)
	if !known || c.lab == nil {
		return
	}
	if _, err := c.lab.NetworkInterface(text); err != nil {
		c.wrong(path, "%v", err)
	}
}

// expanded returns a text with its references replaced; known is false if that
// cannot be done, which c.references reports.
func (c *checker) expanded(text string) (_ string, known bool) {
	if c.lab == nil {
		return text, !strings.Contains(text, "${")
	}
	text, err := Expand(c.lab, text)
	return text, err == nil
}
