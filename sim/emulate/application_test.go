package emulate

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/service"
)

const applicationLab = `
name: application
vpcs:
  lab:
    cidr_block: 10.0.0.0/16
    ipv6_cidr_block: 2001:db8::/56
    subnets:
      a: { availability_zone: us-east-1a }
      b: { availability_zone: us-east-1b }
    security_groups:
      alb: { ingress: [{ protocol: "-1", cidr_blocks: [10.0.0.0/16], ipv6_cidr_blocks: ["2001:db8::/56"] }] }
      web: { ingress: [{ protocol: tcp, from_port: 7, to_port: 80, security_groups: [alb] }] }
    instances:
      app: { subnet_id: a, private_ip: 10.0.0.10, ipv6_addresses: ["2001:db8::10"] }
      web: { subnet_id: b, vpc_security_group_ids: [web], services: [{ type: http, port: 80 }, { type: tcp_echo, port: 7 }] }
load_balancers:
  alb:
    load_balancer_type: application
    ip_address_type: dualstack
    subnets: [lab/a, lab/b]
    security_groups: [alb]
    listeners:
      - { port: 80, protocol: HTTP, default_action: { target_group_arn: web } }
      - { port: 81, protocol: HTTP, default_action: { target_group_arn: echo } }
      - { port: 82, protocol: HTTP, default_action: { target_group_arn: silent } }
target_groups:
  web: { port: 80, protocol: HTTP, targets: [web] }
  echo: { port: 7, protocol: HTTP, targets: [web] }
  silent: { port: 81, protocol: HTTP, targets: [web] }
`

// browser returns an HTTP client on an instance.
func browser(w *World, instance string) *http.Client {
	return &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, at string) (net.Conn, error) {
			return w.hosts[instance].ns.Dial(ctx, network, at)
		},
	}}
}

// TestApplicationLoadBalancer: what the hop behind a group of target_type alb (F2.22a)
// tells its targets, and its clients where a target fails.
func TestApplicationLoadBalancer(t *testing.T) {
	w, _ := newWorld(t, applicationLab)
	client := browser(w, "lab/app")
	node := w.lab.HTTPListeners()[0].Node
	get := func(addr, port string) (*http.Response, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+net.JoinHostPort(addr, port)+"/path?q=1", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		req.Host = "shop.example.com"
		req.Header["X-Forwarded-For"] = []string{"192.0.2.1", "192.0.2.2"}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	for i, from := range []string{"10.0.0.10", "2001:db8::10"} { // both families, one target
		resp, body := get(node.Addrs[i].Addr().String(), "80")
		var got service.Sight
		if err := json.Unmarshal([]byte(body), &got); resp.StatusCode != http.StatusOK || err != nil {
			t.Fatalf("%s: %s, %v", resp.Status, body, err)
		}
		want := service.Sight{
			Instance: "lab/web", SourceIP: node.Addrs[0].Addr().String(), SourcePort: got.SourcePort,
			DestinationIP: w.hosts["lab/web"].NIC.Addr().String(), DestinationPort: 80,
			Method: http.MethodPost, Host: "shop.example.com", Path: "/path", Body: "hello",
			ForwardedFor: "192.0.2.1, 192.0.2.2, " + from, ForwardedProto: "http", ForwardedPort: "80",
		}
		if got != want {
			t.Errorf("the target saw\n%+v, want\n%+v", got, want)
		}
	}
	if resp, body := get(node.Addr().String(), "81"); resp.StatusCode != http.StatusBadGateway || resp.Header.Get("Server") != "awselb/2.0" {
		t.Errorf("a target that speaks no HTTP: %s %s", resp.Status, body)
	}
}

// TestApplicationLoadBalancerEnds: the end of the world ends a request that waits for a
// silent target.
func TestApplicationLoadBalancerEnds(t *testing.T) {
	w, _ := newWorld(t, applicationLab)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(w.lab.HTTPListeners()[0].Node.Addr().String(), "82"), nil)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		resp, err := browser(w, "lab/app").Do(req)
		if err != nil {
			return
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusBadGateway { // the last word, if it still gets through
			t.Errorf("the request was answered: %s", resp.Status)
		}
	}()
	serving := func() bool {
		stacks := make([]byte, 1<<20)
		return strings.Contains(string(stacks[:runtime.Stack(stacks, true)]), "(*reverseProxy).ServeHTTP")
	}
	await(t, "the request to be under way", serving)
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	await(t, "the request to end", func() bool { return !serving() })
	cancel() // nobody is left to tell the client
	<-ended
}
