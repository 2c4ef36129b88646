package sim_test

import (
	"context"
	"fmt"
	"log"

	"github.com/plsim/plsim/sim"
)

// shop is a service behind PrivateLink. Its endpoint lets clients in from port 80 only.
const shop = `
name: shop
vpcs:
  provider:
    cidr_block: 10.0.0.0/16
    security_groups:
      web: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] }] }
    instances:
      web: { vpc_security_group_ids: [web], services: [{ type: http, port: 80 }] }
  consumer:
    cidr_block: 10.0.0.0/16
    security_groups:
      endpoint: { ingress: [{ protocol: tcp, from_port: 80, cidr_blocks: [10.0.0.0/16] }] }
    instances:
      app: {}
target_groups:
  web: { port: 80, protocol: TCP, targets: [web] }
load_balancers:
  web: { subnets: [provider/default], listeners: [{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }] }
endpoint_services:
  web: { network_load_balancer_arns: [web], acceptance_required: false, allowed_principals: ["*"] }
vpc_endpoints:
  web: { vpc_id: consumer, service_name: web, subnet_ids: [default], security_group_ids: [endpoint] }
steps:
  - name: The service answers
    request: { from: app, url: "http://${vpc_endpoint.web.dns_name}/" }
    expect: { status: 200 }
  - name: A connection stands
    exchange: { from: app, to: "${vpc_endpoint.web.dns_name}:80", connection: idle, send: "GET / HTTP/1.1\r\nHost: web\r\n\r\n" }
  - wait: 6m
  - name: The next segment is answered with a reset
    exchange: { connection: idle, send: "GET / HTTP/1.1\r\nHost: web\r\n\r\n" }
    expect: { error: reset }
`

// A scenario is loaded, played and looked at; six minutes pass at once.
func Example() {
	lab, err := sim.Parse("shop.yaml", []byte(shop))
	if err != nil {
		log.Fatal(err) // every mistake, with file, line and column
	}
	result, err := sim.Run(context.Background(), lab, sim.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, step := range result.Steps {
		fmt.Printf("%s: %s\n", step.Verdict, step.Name)
	}
	fmt.Println(result.Verdict, result.Err())
	// Output:
	// pass: The service answers
	// pass: A connection stands
	// pass: 6m pass
	// pass: The next segment is answered with a reset
	// pass <nil>
}

// What a run has seen can be searched: here for the ACCEPT of the client at the
// endpoint's interface, by the fields of AWS's flow logs.
func ExampleRun_flowLogs() {
	lab, err := sim.Parse("shop.yaml", []byte(shop))
	if err != nil {
		log.Fatal(err)
	}
	result, err := sim.Run(context.Background(), lab, sim.Options{})
	if err != nil {
		log.Fatal(err)
	}
	seen := map[string]bool{}
	for _, r := range result.Records[""] {
		port, _ := r.Field("dstport")
		action, _ := r.Field("action")
		if port == "80" {
			seen[r.Interface.Label+" "+action] = true
		}
	}
	fmt.Println(seen["vpc_endpoint.web.us-east-1a ACCEPT"])
	// Output:
	// true
}

// A step that fails says what was expected, what was seen, and where its packet went.
func ExampleResult_Err() {
	lab, err := sim.Parse("shop.yaml", []byte(shop+`
  - name: Nobody listens on port 81
    request: { from: app, url: "http://${vpc_endpoint.web.dns_name}:81/", timeout: 1s }
`))
	if err != nil {
		log.Fatal(err)
	}
	result, err := sim.Run(context.Background(), lab, sim.Options{Seed: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.Verdict)
	fmt.Println(result.Steps[4].Seen)
	// Output:
	// fail
	// timeout: nothing from 10.0.0.5:81 within 1s
}
