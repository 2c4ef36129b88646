package scenario

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plsim/plsim/topology"
)

// resolve checks a DNS query.
func (c *checker) resolve(path string, r *Resolve) {
	c.instance(join(path, "from"), r.From)
	c.host(join(path, "host"), r.Host)
	if t := r.Type; t != "" && t != "A" && t != "AAAA" {
		c.wrong(join(path, "type"), "%q is not a record type here: write A or AAAA", t)
	}
	if p := join(path, "server"); c.src.Has(p) {
		c.hostPort(p, r.Server)
	}
	if p := r.Protocol; p != "" && p != "udp" && p != "tcp" {
		c.wrong(join(path, "protocol"), "%q does not carry DNS here: write udp or tcp", p)
	}
}

// received checks that there is a sink to ask.
func (c *checker) received(path string, r *Received) {
	c.instance(join(path, "by"), r.By)
	if p := r.Protocol; p != "" && p != "tcp" && p != "udp" {
		c.wrong(join(path, "protocol"), "%q is not a protocol here: write tcp or udp", p)
		return
	}
	if c.lab == nil || c.brokenBelow(path) {
		return
	}
	host, err := c.lab.Instance(r.By)
	if err != nil {
		return // reported above
	}
	if _, err := r.Sink(host); err != nil {
		c.wrong(join(path, "port"), "%v", err)
	}
}

// Sink returns the service that is meant, of those of an instance.
func (r *Received) Sink(of *topology.Host) (*topology.Service, error) {
	var found []*topology.Service
	var sinks []string
	for _, s := range of.Services {
		protocol, isSink := strings.CutSuffix(s.Type, "_sink")
		if !isSink {
			continue
		}
		sinks = append(sinks, fmt.Sprintf("%d (%s)", s.Port, protocol))
		if s.Port == r.Port && (r.Protocol == "" || r.Protocol == protocol) {
			found = append(found, s)
		}
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, errors.New("there is a tcp_sink and a udp_sink on this port: write protocol: tcp or udp")
	case len(sinks) > 0:
		return nil, fmt.Errorf("no sink of %s is on port %d; there is one on %s", of.Name, r.Port, strings.Join(sinks, ", "))
	}
	return nil, fmt.Errorf("%s has no service of type tcp_sink or udp_sink, and nothing else counts", of.Name)
}
