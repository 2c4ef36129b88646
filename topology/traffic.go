package topology

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/filter"
)

var protocols = map[string]int{"tcp": 6, "udp": 17, "icmp": 1, "icmpv6": 58, "-1": filter.AnyProto}

// traffic is what a rule says of protocol and ports: one of a security group, or of
// a network ACL, which has keys of its own for ICMP.
type traffic struct {
	protocol         *string
	from, to         **int // ports
	kind, code       **int // of ICMP
	kindKey, codeKey string
}

// match reads and completes protocol and ports; text says them.
func (t *traffic) match(problems *Problems) (rule filter.Rule, text string) {
	proto, ok := t.number()
	if !ok {
		if *t.protocol == "" {
			problems.add("protocol", "is missing: write tcp, udp, icmp, icmpv6, a protocol number, or -1 for all")
		} else {
			problems.add("protocol", "%q is not a protocol%s", *t.protocol, hint(*t.protocol, []string{"tcp", "udp", "icmp", "icmpv6", "-1"}))
		}
		return rule, ""
	}
	rule.Proto = proto
	t.strays(problems)
	switch *t.protocol {
	case "tcp", "udp":
		text = t.ports(problems, &rule)
		return rule, text
	case "icmp", "icmpv6":
		text = t.icmp(problems, &rule)
		return rule, text
	}
	// All ports: AWS and Terraform take 0 or -1 for both here, and mean nothing by it.
	for key, v := range map[string]*int{"from_port": *t.from, "to_port": *t.to} {
		if v != nil && *v != 0 && *v != -1 {
			problems.add(key, "protocol %s has no ports: remove from_port and to_port, or name tcp or udp", *t.protocol)
		}
	}
	*t.from, *t.to = nil, nil
	if proto == filter.AnyProto {
		return rule, "all"
	}
	return rule, "protocol " + *t.protocol
}

// strays finds what is said of ports where the protocol has types, and the reverse:
// Terraform takes 0 for what does not count.
func (t *traffic) strays(problems *Problems) {
	if t.kind == t.from {
		return // One pair of keys stands for both.
	}
	icmp := *t.protocol == "icmp" || *t.protocol == "icmpv6"
	stray := func(key string, v **int, why string) {
		if *v != nil && **v != 0 && **v != -1 {
			problems.add(key, "%s", why)
		}
		*v = nil
	}
	if icmp {
		stray("from_port", t.from, "ICMP has no ports: write "+t.kindKey+" and "+t.codeKey)
		stray("to_port", t.to, "ICMP has no ports: write "+t.kindKey+" and "+t.codeKey)
	} else {
		stray(t.kindKey, t.kind, "is for icmp and icmpv6")
		stray(t.codeKey, t.code, "is for icmp and icmpv6")
	}
}

// number returns the protocol's number and writes it as AWS does: by name
// where it has one.
func (t *traffic) number() (int, bool) {
	word := strings.ToLower(*t.protocol)
	if word == "all" {
		word = "-1"
	}
	if n, ok := protocols[word]; ok {
		*t.protocol = word
		return n, true
	}
	n, err := strconv.Atoi(word)
	if err != nil || n < 0 || n > 255 || strconv.Itoa(n) != word {
		return 0, false
	}
	*t.protocol = word
	for name, number := range protocols {
		if number == n {
			*t.protocol = name
		}
	}
	return n, true
}

// ports reads the port range of a TCP or UDP rule.
func (t *traffic) ports(problems *Problems, rule *filter.Rule) string {
	if *t.from == nil {
		problems.add("from_port", "is missing: give the first port, and to_port for a range; 0 and 65535 are all of them")
		return ""
	}
	if *t.to == nil {
		to := **t.from
		*t.to = &to
	}
	for _, v := range []struct {
		key   string
		value int
	}{{"from_port", **t.from}, {"to_port", **t.to}} {
		if v.value < 0 || v.value > 65535 {
			problems.add(v.key, "%d is not a port: give one from 0 to 65535", v.value)
			return ""
		}
	}
	rule.From, rule.To = **t.from, **t.to
	switch {
	case rule.From > rule.To:
		problems.add("to_port", "%d is below from_port %d: write the lower port first", rule.To, rule.From)
	case rule.From == rule.To:
		return fmt.Sprintf("%s %d", *t.protocol, rule.From)
	}
	return fmt.Sprintf("%s %d-%d", *t.protocol, rule.From, rule.To)
}

// icmp reads the type and code of an ICMP rule.
func (t *traffic) icmp(problems *Problems, rule *filter.Rule) string {
	for _, v := range []struct {
		key, what string
		value     **int
	}{{t.kindKey, "type", t.kind}, {t.codeKey, "code", t.code}} {
		if *v.value == nil {
			anything := -1
			*v.value = &anything
		}
		if n := **v.value; n < -1 || n > 255 {
			problems.add(v.key, "%d is not an ICMP %s: give one from 0 to 255, or -1 for any", n, v.what)
			return ""
		}
	}
	rule.From, rule.To = **t.kind, **t.code
	switch {
	case rule.From == -1 && rule.To != -1:
		problems.add(t.codeKey, "an ICMP code needs a type: give %s, or make this -1 for any", t.kindKey)
	case rule.From == -1:
		return *t.protocol
	case rule.To == -1:
		return fmt.Sprintf("%s type %d", *t.protocol, rule.From)
	}
	return fmt.Sprintf("%s type %d code %d", *t.protocol, rule.From, rule.To)
}
