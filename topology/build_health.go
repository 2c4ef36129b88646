package topology

import (
	"cmp"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// healthCheck completes and checks the settings of a target group's health checks
// (F2.50).
func (b *builder) healthCheck(path string, g *TargetGroup) {
	h, choices, matcher := g.HealthCheck, []string{"TCP", "HTTP", "HTTPS"}, "200-399"
	if g.TargetType == "alb" || g.Protocol == "HTTP" {
		choices = choices[1:]
	}
	if h.Protocol == "UDP" {
		b.problems.add(at(path, "protocol"), "UDP cannot be checked: choose from TCP, HTTP, HTTPS, which a UDP target needs beside its service (F2.51)")
		return
	}
	if !b.choice(at(path, "protocol"), &h.Protocol, "a protocol of health checks of this target group", choices...) {
		return
	}
	if h.Port = cmp.Or(h.Port, trafficPort); h.Port != trafficPort {
		if n, err := strconv.Atoi(h.Port); err != nil || n < 1 || n > 65535 {
			b.problems.add(at(path, "port"), "%q is not a port: give one from 1 to 65535, or %s", h.Port, trafficPort)
		}
	}
	timeout := 10
	if h.Protocol == "HTTP" {
		timeout = 6
	}
	if g.Protocol == "HTTP" {
		timeout, matcher = 5, "200"
	}
	b.number(at(path, "timeout"), &h.Timeout, timeout, 2, 120, " seconds")
	b.number(at(path, "interval"), &h.Interval, 30, 5, 300, " seconds")
	b.number(at(path, "healthy_threshold"), &h.HealthyThreshold, 5, 2, 10, "")
	b.number(at(path, "unhealthy_threshold"), &h.UnhealthyThreshold, 2, 2, 10, "")
	if h.Protocol == "TCP" {
		for key, value := range map[string]string{"path": h.Path, "matcher": h.Matcher} {
			if value != "" {
				b.problems.add(at(path, key), "is for HTTP and HTTPS: a TCP check only connects")
			}
		}
		return
	}
	if h.Path = cmp.Or(h.Path, "/"); !strings.HasPrefix(h.Path, "/") || len(h.Path) > 1024 || strings.ContainsAny(h.Path, " \t\r\n\x00") {
		b.problems.add(at(path, "path"), "%q is not a path: begin it with /", h.Path)
	}
	h.Matcher = cmp.Or(h.Matcher, matcher)
	if _, err := parseCodes(h.Matcher); err != nil {
		b.problems.add(at(path, "matcher"), "%v", err)
	}
}

// trafficPort stands for the port on which a target gets its traffic.
const trafficPort = "traffic-port"

// number completes and checks a number that AWS limits.
func (b *builder) number(path string, n *int, standard, least, most int, unit string) {
	switch {
	case *n == 0:
		*n = standard
	case *n < least || *n > most:
		b.problems.add(path, "%d is out of range: AWS takes %d to %d%s", *n, least, most, unit)
	}
}

// codes is a set of HTTP status codes: ranges, both ends included.
type codes [][2]int

// parseCodes reads a matcher: 200, 200,204 or 200-399 (F2.50).
func parseCodes(text string) (set codes, err error) {
	for part := range strings.SplitSeq(text, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err1 := strconv.Atoi(first)
		to, err2 := strconv.Atoi(last)
		if err1 != nil || err2 != nil || from < http.StatusOK || to > 599 || from > to {
			return nil, fmt.Errorf("%q is no set of status codes from 200 to 599: write 200, 200,204 or 200-399", text)
		}
		set = append(set, [2]int{from, to})
	}
	return set, nil
}

// healthState completes and checks what becomes of the flows of a target that turns
// unhealthy (F2.55).
func (b *builder) healthState(path string, to **TargetHealthState) {
	if *to == nil {
		*to = new(TargetHealthState)
	}
	s := *to
	orTrue(&s.TerminateUnhealthy)
	path = at(path, "unhealthy_draining_interval")
	switch d := s.DrainingInterval; {
	case d < 0 || d > maxDrainingInterval:
		b.problems.add(path, "%d is out of range: AWS takes 0 to %d seconds", d, maxDrainingInterval)
	case d > 0 && *s.TerminateUnhealthy:
		b.problems.add(path, "is for connections that live on: set enable_unhealthy_connection_termination: false, or remove it")
	}
}

// maxDrainingInterval bounds unhealthy_draining_interval, in seconds.
const maxDrainingInterval = 360000

// groupHealth completes and checks the thresholds of a group's health (F2.57).
func (b *builder) groupHealth(path string, to **TargetGroupHealth) {
	if *to == nil {
		*to = new(TargetGroupHealth)
	}
	g := *to
	if g.Routing == nil {
		g.Routing = new(HealthThreshold)
	}
	if g.DNS == nil {
		g.DNS = new(HealthThreshold)
	}
	routing := b.threshold(at(path, "unhealthy_state_routing"), g.Routing, false)
	dns := b.threshold(at(path, "dns_failover"), g.DNS, true)
	for _, bound := range []struct {
		key          string
		routing, dns int
	}{
		{"minimum_healthy_targets_count", routing.count, dns.count},
		{"minimum_healthy_targets_percentage", routing.percentage, dns.percentage},
	} {
		if bound.dns > 0 && bound.dns < bound.routing {
			b.problems.add(at(at(path, "dns_failover"), bound.key), "%d is below the %d of unhealthy_state_routing: a zone must leave DNS before its traffic goes to unhealthy targets", bound.dns, bound.routing)
		}
	}
}

// threshold completes and checks one threshold. Only that of DNS can do without
// a count.
func (b *builder) threshold(path string, t *HealthThreshold, dns bool) minimum {
	t.Count, t.Percentage = cmp.Or(t.Count, "1"), cmp.Or(t.Percentage, off)
	m := minimum{}
	for _, bound := range []struct {
		key, text string
		most      int
		optional  bool
		to        *int
	}{
		{"minimum_healthy_targets_count", t.Count, 1000, dns, &m.count},
		{"minimum_healthy_targets_percentage", t.Percentage, 100, true, &m.percentage},
	} {
		words := fmt.Sprintf("a number from 1 to %d", bound.most)
		if bound.optional {
			words += ", or off"
		}
		n, err := strconv.Atoi(bound.text)
		switch {
		case bound.text == off && bound.optional:
		case err != nil || n < 1 || n > bound.most:
			b.problems.add(at(path, bound.key), "%q is out of range: write %s", bound.text, words)
		default:
			*bound.to = n
		}
	}
	return m
}

const off = "off"

// minimum is how many targets must be healthy; 0 asks for nothing.
type minimum struct{ count, percentage int }

// minimum returns the threshold as numbers; a lab's thresholds are known to be some.
func (t *HealthThreshold) minimum() (m minimum) {
	m.count, _ = strconv.Atoi(t.Count) // 0 for off
	m.percentage, _ = strconv.Atoi(t.Percentage)
	return m
}

// met reports whether so many healthy targets of all are enough. Either bound
// breached is a breach (F2.57).
func (m minimum) met(healthy, all int) bool {
	return healthy >= m.count && healthy*100 >= m.percentage*all
}
