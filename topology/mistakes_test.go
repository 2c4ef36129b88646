package topology

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// mistakes exchanges one piece of twoAccounts for another, and names every
// problem that must come of it: no fewer, and no more.
var mistakes = []struct {
	name     string
	old, new string
	want     []string
}{
	// Region, accounts, zones.
	{"region", "\nvpcs:\n", "\nregion: us-eats-1\nvpcs:\n", []string{
		`region: "us-eats-1" is not an AWS Region; did you mean us-east-1?`}},
	{"account", `owner_id: "111111111111"`, `owner_id: "1111"`, []string{
		`vpcs.provider.owner_id: "1111" is not an account: write 12 digits in quotes`}},
	{"zone of another Region", "b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      web", "b: { cidr_block: 10.0.2.0/24, availability_zone: us-west-2b }\n    security_groups:\n      web", []string{
		`vpcs.provider.subnets.b.availability_zone: "us-west-2b" is not a zone of us-east-1; did you mean us-east-1b?`}},
	{"AZ ID", `owner_id: "111111111111"`, "owner_id: \"111111111111\"\n    availability_zones: { us-east-1a: use2-az1 }", []string{
		`vpcs.provider.availability_zones.us-east-1a: "use2-az1" is not an AZ ID of us-east-1: write use1-az1 to use1-az6`}},
	{"one AZ ID for two names", `owner_id: "111111111111"`, "owner_id: \"111111111111\"\n    availability_zones: { us-east-1a: use1-az1, us-east-1b: use1-az1 }", []string{
		`vpcs.provider.availability_zones.us-east-1b: account 111111111111 already calls use1-az1 us-east-1a: two names cannot mean one zone`}},
	// F1.46: zones are compared by AZ ID, whatever the accounts call them.
	{"zones under other names", `owner_id: "222222222222"`, "owner_id: \"222222222222\"\n    availability_zones: { us-east-1a: use1-az4, us-east-1b: use1-az2 }", []string{
		`vpc_endpoints.api.subnet_ids[0]: subnet a is in use1-az4 (us-east-1a to account 222222222222), where endpoint service api has no load balancer; it is in use1-az1 (us-east-1a to account 111111111111) and use1-az2 (us-east-1b to account 111111111111)`}},

	// Links.
	{"link of nothing", "\nvpcs:\n", "\nlinks: { a: {}, b: { instance: app, subnet: provider/a } }\nvpcs:\n", []string{
		`links.a: is the link of 0 things: give one of instance, subnet, availability_zones and vpc_peering_connection`,
		`links.b: is the link of 2 things: give one of instance, subnet, availability_zones and vpc_peering_connection`}},
	{"link of what is not there", "\nvpcs:\n", "\nlinks: { a: { instance: ap }, b: { subnet: provider/c }, c: { vpc_peering_connection: x }, d: { availability_zones: [us-east-1f, use1-az1] } }\nvpcs:\n", []string{
		`links.a.instance: there is no instance "ap"; did you mean app?`,
		`links.b.subnet: VPC provider has no subnet "c"; choose from a, b`,
		`links.c.vpc_peering_connection: there is no VPC peering connection "x", nor any other`,
		`links.d.availability_zones[0]: nothing of the lab is in an Availability Zone "us-east-1f"; choose from use1-az1, use1-az2`}},
	{"zones of a link", "\nvpcs:\n", "\nlinks: { a: { availability_zones: [] }, b: { availability_zones: [use1-az1, us-east-1a] } }\nvpcs:\n", []string{
		`links.a.availability_zones: are 0 zones: give two for the link between them, or one for that between it and everything else`,
		`links.b.availability_zones[1]: is the same zone: within one there is no link`}},
	{"two links of one thing", "\nvpcs:\n", "\nlinks: { a: { instance: app }, b: { instance: consumer/app }, c: { availability_zones: [use1-az1, use1-az2] }, d: { availability_zones: [use1-az2, use1-az1] } }\nvpcs:\n", []string{
		`links.b: link a is that of instance consumer/app already: there can be one`,
		`links.d: link c is that of zones use1-az1 and use1-az2 already: there can be one`}},
	{"qualities of a link", "\nvpcs:\n", "\nlinks: { a: { instance: app, delay: 2h, jitter: 3h, mtu: 67, queue: 1s }, b: { subnet: provider/a, jitter: 1ms, reorder: 1% } }\nvpcs:\n", []string{
		`links.a.delay: 2h0m0s is out of range: write 0s to 1h`,
		`links.a.jitter: 3h0m0s is more than the delay of 2h0m0s: no packet arrives before it is sent`,
		`links.a.jitter: 3h0m0s is out of range: write 0s to 1h`,
		`links.a.mtu: 67 is out of range: write 68 to 9001`,
		`links.a.queue: nothing waits where bandwidth is unlimited: give bandwidth`,
		`links.b.jitter: 1ms is more than the delay of 0s: no packet arrives before it is sent`,
		`links.b.reorder: packets are reordered by skipping the delay, and there is none: give delay`}},

	// Flow logs (F4.2, F4.3).
	{"flow log of nothing", "\nvpcs:\n", "\nflow_logs: { a: {} }\nvpcs:\n", []string{
		`flow_logs.a: names 0 things to log: give one of vpc_id, subnet_id and eni_id`}},
	{"flow log of two things", "\nvpcs:\n", "\nflow_logs: { a: { vpc_id: provider, subnet_id: provider/a } }\nvpcs:\n", []string{
		`flow_logs.a: names 2 things to log: give one of vpc_id, subnet_id and eni_id`}},
	{"flow log of what is not there", "\nvpcs:\n", "\nflow_logs: { a: { vpc_id: provder }, b: { subnet_id: provider/c }, c: { eni_id: ap } }\nvpcs:\n", []string{
		`flow_logs.a.vpc_id: there is no VPC "provder"; did you mean provider?`,
		`flow_logs.b.subnet_id: VPC provider has no subnet "c"; choose from a, b`,
		`flow_logs.c.eni_id: there is no network interface "ap"; did you mean app?`}},
	{"flow log's words", "\nvpcs:\n", "\nflow_logs: { a: { vpc_id: provider, traffic_type: REJCT, max_aggregation_interval: 61, destination_options: { file_format: csv }, log_format: \"${srcadr} start ${end} ${end}\" } }\nvpcs:\n", []string{
		`flow_logs.a.destination_options.file_format: "csv" is not a file format; choose from parquet, plain-text`,
		`flow_logs.a.log_format: "${srcadr}" is not a field of flow logs; did you mean srcaddr?`,
		`flow_logs.a.log_format: "start" is not a field: write ${start}`,
		`flow_logs.a.log_format: end comes twice, or without ${}`,
		`flow_logs.a.max_aggregation_interval: 61 is not an interval: AWS takes 60 or 600 seconds`,
		`flow_logs.a.traffic_type: "REJCT" is not a type of traffic; did you mean REJECT?`}},

	// Quotas that are raised (F3.9, F3.20), and timeouts of tracking (F3.14).
	{"too many rules for an interface", "\nvpcs:\n", "\nsettings: { rules_per_security_group: 63, security_groups_per_network_interface: 16 }\nvpcs:\n", []string{
		`settings.rules_per_security_group: 63 rules times 16 security groups make 1008 for an interface: AWS takes 1000 at most`}},
	{"quotas beyond what AWS raises", "\nvpcs:\n", "\nsettings: { rules_per_security_group: 1001, security_groups_per_network_interface: 17, rules_per_network_acl: 41, conntrack_allowance: -1 }\nvpcs:\n", []string{
		`settings.conntrack_allowance: -1 is out of range: give 0 to 1073741824`,
		`settings.rules_per_network_acl: 41 is out of range: give 1 to 40`,
		`settings.rules_per_security_group: 1001 is out of range: give 1 to 1000`,
		`settings.security_groups_per_network_interface: 17 is out of range: give 1 to 16`}},
	{"tracking timeouts", "\n      app: { subnet", "\n      slow: { subnet_id: a, connection_tracking_specification: { tcp_established_timeout: 59, udp_stream_timeout: 181, udp_timeout: 61 } }\n      app: { subnet", []string{
		`vpcs.consumer.instances.slow.connection_tracking_specification.tcp_established_timeout: 59 is out of range: AWS takes 60 to 432000 seconds`,
		`vpcs.consumer.instances.slow.connection_tracking_specification.udp_stream_timeout: 181 is out of range: AWS takes 60 to 180 seconds`,
		`vpcs.consumer.instances.slow.connection_tracking_specification.udp_timeout: 61 is out of range: AWS takes 30 to 60 seconds`}},

	// Blocks and addresses.
	{"CIDR syntax", "provider:\n    cidr_block: 10.0.0.0/16", "provider:\n    cidr_block: 10.0.0/16", []string{
		`vpcs.provider.cidr_block: "10.0.0/16" is not an IPv4 CIDR block such as 10.0.0.0/16`}},
	{"CIDR missing", "provider:\n    cidr_block: 10.0.0.0/16", "provider:", []string{
		`vpcs.provider.cidr_block: is missing: give an IPv4 CIDR block such as 10.0.0.0/16`}},
	{"VPC too large", "provider:\n    cidr_block: 10.0.0.0/16", "provider:\n    cidr_block: 10.0.0.0/8", []string{
		`vpcs.provider.cidr_block: /8 is not a size for a VPC: AWS takes /16 to /28`}},
	{"VPC of loopback", "provider:\n    cidr_block: 10.0.0.0/16", "provider:\n    cidr_block: 127.0.0.0/16", []string{
		`vpcs.provider.cidr_block: 127.0.0.0/16 is not for hosts: choose from 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16`}},
	{"IPv6 in the wrong place", "provider:\n    cidr_block: 10.0.0.0/16", "provider:\n    cidr_block: 2001:db8::/56", []string{
		`vpcs.provider.cidr_block: 2001:db8::/56 is not IPv4: write it under ipv6_cidr_block`}},
	{"subnet outside", "a: { cidr_block: 10.0.1.0/24", "a: { cidr_block: 10.1.1.0/24", []string{
		`vpcs.provider.subnets.a.cidr_block: 10.1.1.0/24 is outside VPC provider (10.0.0.0/16)`}},
	{"subnets overlap", "b: { cidr_block: 10.0.2.0/24", "b: { cidr_block: 10.0.0.0/22", []string{
		`vpcs.provider.subnets.b.cidr_block: 10.0.0.0/22 overlaps subnet a (10.0.1.0/24)`}},
	{"subnet too small", "a: { cidr_block: 10.0.1.0/24", "a: { cidr_block: 10.0.1.0/29", []string{ // F1.3
		`vpcs.provider.subnets.a.cidr_block: /29 is not a size for a subnet: AWS takes /16 to /28`}},
	{"IPv6 subnet between the steps", "a: { cidr_block: 10.0.1.0/24", "a: { ipv6_cidr_block: 2001:db8::/62, cidr_block: 10.0.1.0/24", []string{ // F1.3
		`vpcs.provider.subnets.a.ipv6_cidr_block: /62 is not a size for a subnet: AWS takes /44 to /64 in steps of 4`}},
	{"no IPv6 in the VPC", "a: { cidr_block: 10.0.1.0/24", "a: { ipv6_cidr_block: 2001:db8::/64, cidr_block: 10.0.1.0/24", []string{
		`vpcs.provider.subnets.a.ipv6_cidr_block: VPC provider has no ipv6_cidr_block: add one to it first`}},
	{"address outside", "web-2: { subnet_id: a", "web-2: { private_ip: 10.0.2.9, subnet_id: a", []string{
		`vpcs.provider.instances.web-2.private_ip: 10.0.2.9 is outside subnet a (10.0.1.0/24)`}},
	{"address reserved", "web-2: { subnet_id: a", "web-2: { private_ip: 10.0.1.1, subnet_id: a", []string{ // F1.3
		`vpcs.provider.instances.web-2.private_ip: 10.0.1.1 is reserved by AWS for the VPC router: the first four addresses of a subnet and the last are never handed out`}},
	{"address syntax", "web-2: { subnet_id: a", "web-2: { private_ip: 10.0.1.256, subnet_id: a", []string{
		`vpcs.provider.instances.web-2.private_ip: "10.0.1.256" is not an IPv4 address`}},
	{"endpoint address taken", "    subnet_ids: [a, b]\n", "    subnet_ids: [a, b]\n    private_ips: { a: 10.0.1.255 }\n", []string{
		`vpc_endpoints.api.private_ips.a: 10.0.1.255 is reserved by AWS for broadcast: the first four addresses of a subnet and the last are never handed out`}},
	{"endpoint address elsewhere", "    subnet_ids: [a, b]\n", "    subnet_ids: [a]\n    private_ips: { b: 10.0.2.9 }\n", []string{
		`vpc_endpoints.api.private_ips.b: subnet b is not among the endpoint's subnet_ids`}},
	{"no IPv6 in the subnet", "web-2: { subnet_id: a", `web-2: { ipv6_addresses: ["2001:db8::9"], subnet_id: a`, []string{
		`vpcs.provider.instances.web-2.ipv6_addresses[0]: subnet a has no IPv6: give VPC provider an ipv6_cidr_block`}},

	// Names, identifiers, instances.
	{"name", "      stranger: {", "      str.anger: {", []string{
		`vpcs.consumer.instances.'str.anger': "str.anger" is not a name: use 1 to 63 letters, digits, - and _, a letter or digit first`}},
	{"identifier", "app: { subnet_id: a", "app: { id: i-123, subnet_id: a", []string{
		`vpcs.consumer.instances.app.id: "i-123" is not an ID of this kind: write i- and 17 lower-case hex digits, or leave it out`}},
	{"identifier twice", "subnets: [provider/a, provider/b]", "id: \"0123456789abcdef\"\n    subnets: [provider/a, provider/b]\n  two:\n    id: \"0123456789abcdef\"\n    subnets: [provider/a]", []string{
		`load_balancers.two.id: 0123456789abcdef is already the ID of load_balancers.api`}},
	{"unknown subnet", "stranger: { subnet_id: a", "stranger: { subnet_id: aa", []string{
		`vpcs.consumer.instances.stranger.subnet_id: VPC consumer has no subnet "aa"; did you mean a?`}},
	{"subnet left open", "stranger: { subnet_id: a }", "stranger: {}", []string{
		`vpcs.consumer.instances.stranger.subnet_id: is missing: VPC consumer has the subnets a and b`}},
	{"group of another VPC", "stranger: { subnet_id: a }", "stranger: { subnet_id: a, vpc_security_group_ids: [web] }", []string{
		`vpcs.consumer.instances.stranger.vpc_security_group_ids[0]: security group "web" is in VPC provider, not in consumer`}},
	{"too many groups", "    instances:\n      app: { subnet_id: a, vpc_security_group_ids: [app] }", "      g1: {}\n      g2: {}\n      g3: {}\n      g4: {}\n    instances:\n      app: { subnet_id: a, vpc_security_group_ids: [app, g1, g2, g3, g4, default] }", []string{ // F3.9
		`vpcs.consumer.instances.app.vpc_security_group_ids: 6 security groups: an interface takes 5 at most; settings.security_groups_per_network_interface raises that`}},
	{"service type", "type: http,", "type: htpp,", []string{
		`vpcs.provider.instances.web-1.services[0].type: "htpp" is not a service; did you mean http?`}},
	{"service port", "port: 8080 }]", "port: 80800 }]", []string{
		`vpcs.provider.instances.web-1.services[0].port: 80800 is not a port: give one from 1 to 65535`}},
	{"service port twice", "port: 8080 }]", "port: 8080 }, { type: tcp_echo, port: 8080 }]", []string{
		`vpcs.provider.instances.web-1.services[1].port: TCP port 8080 is taken by another service of this instance`}},
	{"sinks and DNS on one port", "port: 8080 }]", "port: 8080 }, { type: udp_sink, port: 53 }, { type: dns, port: 53, records: [{ name: a.b, records: [10.0.0.1] }] }]", []string{
		`vpcs.provider.instances.web-1.services[2].port: UDP port 53 is taken by another service of this instance`}},
	{"DNS server without records", "port: 8080 }]", "port: 8080 }, { type: dns, port: 53 }]", []string{
		`vpcs.provider.instances.web-1.services[1].records: is missing: a DNS server without records knows no name`}},
	{"records of a sink", "port: 8080 }]", "port: 8080 }, { type: tcp_sink, port: 53, records: [{ name: a.b, records: [10.0.0.1] }] }]", []string{
		`vpcs.provider.instances.web-1.services[1].records: is for dns only`}},
	{"DNS records", "port: 8080 }]", `port: 8080 }, { type: dns, port: 53, records: [
		{ name: "a b", records: ["${instance.app.private_ip}"] }, { name: a.b, type: AAAA, records: [10.0.0.1] }, { name: A.b, type: CNAME, records: [c.d] },
		{ name: e.f, type: CNAME, records: [c.d, e.g] }, { name: e.g, type: CNAME, records: [-x] }, { name: e.h, type: MX, records: [x] },
		{ name: i.j, records: [], ttl: -1 }, { name: k.l, records: ["2001:db8::1"], ttl: 604801 }, ] }]`, []string{
		`vpcs.provider.instances.web-1.services[1].records[0].name: "a b" is not a domain name such as api.example.com`,
		`vpcs.provider.instances.web-1.services[1].records[1].records[0]: "10.0.0.1" is not an IPv6 address`,
		`vpcs.provider.instances.web-1.services[1].records[2].name: A.b is an alias, so it has no other record (RFC 1034, section 3.6.2)`,
		`vpcs.provider.instances.web-1.services[1].records[3].records: has 2 values: write the one name that it stands for`,
		`vpcs.provider.instances.web-1.services[1].records[4].records[0]: "-x" is not a domain name such as api.example.com`,
		`vpcs.provider.instances.web-1.services[1].records[5].type: "MX" is not a type of record here; choose from A, AAAA, CNAME, TXT`,
		`vpcs.provider.instances.web-1.services[1].records[6].records: has 0 values: write one at least`,
		`vpcs.provider.instances.web-1.services[1].records[6].ttl: -1 is out of range: write 1 to 604800 seconds`,
		`vpcs.provider.instances.web-1.services[1].records[7].records[0]: "2001:db8::1" is not an IPv4 address`,
		`vpcs.provider.instances.web-1.services[1].records[7].ttl: 604801 is out of range: write 1 to 604800 seconds`}},
	{"file outside", "stranger: { subnet_id: a }", "stranger: { subnet_id: a, files: { ../x: y } }", []string{
		`vpcs.consumer.instances.stranger.files.'../x': "../x" leaves the instance's home directory: write a relative name without ..`}},
	{"file below a file", "stranger: { subnet_id: a }", "stranger: { subnet_id: a, files: { a/b: x, a/b/c: y } }", []string{
		`vpcs.consumer.instances.stranger.files.'a/b/c': a/b is a file here, so it cannot be a directory`}},

	// Health (F2.50, F2.57).
	{"health check", "targets: [web-1,", "health_check: { protocol: HTTP, port: http, path: healthz, matcher: 100-200, interval: 4, timeout: 121, healthy_threshold: 1, unhealthy_threshold: 11 }, targets: [web-1,", []string{
		`target_groups.web.health_check.healthy_threshold: 1 is out of range: AWS takes 2 to 10`,
		`target_groups.web.health_check.interval: 4 is out of range: AWS takes 5 to 300 seconds`,
		`target_groups.web.health_check.matcher: "100-200" is no set of status codes from 200 to 599: write 200, 200,204 or 200-399`,
		`target_groups.web.health_check.path: "healthz" is not a path: begin it with /`,
		`target_groups.web.health_check.port: "http" is not a port: give one from 1 to 65535, or traffic-port`,
		`target_groups.web.health_check.timeout: 121 is out of range: AWS takes 2 to 120 seconds`,
		`target_groups.web.health_check.unhealthy_threshold: 11 is out of range: AWS takes 2 to 10`}},
	{"health check by TCP", "targets: [web-1,", "health_check: { path: /, matcher: 200 }, targets: [web-1,", []string{
		`target_groups.web.health_check.matcher: is for HTTP and HTTPS: a TCP check only connects`,
		`target_groups.web.health_check.path: is for HTTP and HTTPS: a TCP check only connects`}},
	{"health check by UDP", "targets: [web-1,", "health_check: { protocol: UDP }, targets: [web-1,", []string{
		`target_groups.web.health_check.protocol: UDP cannot be checked: choose from TCP, HTTP, HTTPS, which a UDP target needs beside its service (F2.51)`}},
	{"thresholds", "targets: [web-1,", `target_group_health: { dns_failover: { minimum_healthy_targets_count: none, minimum_healthy_targets_percentage: 101 }, unhealthy_state_routing: { minimum_healthy_targets_count: "off" } }, targets: [web-1,`, []string{
		`target_groups.web.target_group_health.dns_failover.minimum_healthy_targets_count: "none" is out of range: write a number from 1 to 1000, or off`,
		`target_groups.web.target_group_health.dns_failover.minimum_healthy_targets_percentage: "101" is out of range: write a number from 1 to 100, or off`,
		`target_groups.web.target_group_health.unhealthy_state_routing.minimum_healthy_targets_count: "off" is out of range: write a number from 1 to 1000`}},
	{"thresholds reversed", "targets: [web-1,", `target_group_health: { unhealthy_state_routing: { minimum_healthy_targets_count: 2 } }, targets: [web-1,`, []string{
		`target_groups.web.target_group_health.dns_failover.minimum_healthy_targets_count: 1 is below the 2 of unhealthy_state_routing: a zone must leave DNS before its traffic goes to unhealthy targets`}},

	// Security group rules.
	{"rule protocol", "{ protocol: tcp, from_port: 80,", "{ protocol: tpc, from_port: 80,", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].protocol: "tpc" is not a protocol; did you mean tcp?`}},
	{"rule without port", "{ protocol: tcp, from_port: 80, to_port: 80,", "{ protocol: tcp,", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].from_port: is missing: give the first port, and to_port for a range; 0 and 65535 are all of them`}},
	{"rule ports reversed", "from_port: 80, to_port: 80,", "from_port: 80, to_port: 8,", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].to_port: 8 is below from_port 80: write the lower port first`}},
	{"rule ports of all protocols", "{ protocol: tcp, from_port: 80, to_port: 80,", "{ protocol: -1, from_port: 80, to_port: 80,", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].from_port: protocol -1 has no ports: remove from_port and to_port, or name tcp or udp`,
		`vpcs.consumer.security_groups.endpoint.ingress[0].to_port: protocol -1 has no ports: remove from_port and to_port, or name tcp or udp`}},
	{"ICMP code without type", "{ protocol: tcp, from_port: 80, to_port: 80,", "{ protocol: icmp, to_port: 4,", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].to_port: an ICMP code needs a type: give from_port, or make this -1 for any`}},
	{"ICMP type", "{ protocol: tcp, from_port: 80, to_port: 80,", "{ protocol: icmp, from_port: 256,", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].from_port: 256 is not an ICMP type: give one from 0 to 255, or -1 for any`}},
	{"rule without peer", ", security_groups: [app] }", " }", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0]: has no peer: give cidr_blocks, ipv6_cidr_blocks, prefix_list_ids, security_groups or self: true`}},
	{"rule with an address", "cidr_blocks: [10.0.0.0/16]", "cidr_blocks: [10.0.0.5]", []string{
		`vpcs.provider.security_groups.web.ingress[0].cidr_blocks[0]: 10.0.0.5 is an address, not a CIDR block: add its prefix length, such as 10.0.0.5/32`}},
	{"rule family", "cidr_blocks: [10.0.0.0/16]", `cidr_blocks: ["2001:db8::/32"]`, []string{
		`vpcs.provider.security_groups.web.ingress[0].cidr_blocks[0]: 2001:db8::/32 is not IPv4: write it under ipv6_cidr_blocks`}},
	{"rule across the link", ", cidr_blocks: [10.0.0.0/16]", ", security_groups: [consumer/app]", []string{ // F3.7
		`vpcs.provider.security_groups.web.ingress[0].security_groups[0]: security group consumer/app is in VPC consumer: a rule can name groups of its own VPC (provider) and of VPCs peered with it, and PrivateLink shows each side addresses of its own VPC only; use cidr_blocks`}},
	{"rule's group unknown", "security_groups: [app] }", "security_groups: [apq] }", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[0].security_groups[0]: VPC consumer has no security group "apq"; did you mean app?`}},
	{"rule twice", "security_groups: [app] }\n", "security_groups: [app] }\n          - { protocol: \"6\", from_port: 80, security_groups: [consumer/app] }\n", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[1]: security group endpoint already has this rule: tcp 80 from consumer/app`}},
	{"rule empty", "security_groups: [app] }\n", "security_groups: [app] }\n          -\n", []string{
		`vpcs.consumer.security_groups.endpoint.ingress[1]: is empty; fill it in or remove it`}},

	// Target groups and load balancers.
	{"target group protocol later", "port: 8080, protocol: TCP,", "port: 8080, protocol: GENEVE,", []string{
		`target_groups.web.protocol: "GENEVE" is not a protocol here; choose from HTTP, TCP, TCP_UDP, TLS, UDP`}},
	{"TLS group behind a TCP listener", "port: 8080, protocol: TCP,", "port: 8080, protocol: TLS,", []string{ // F2.9
		`load_balancers.api.listeners[0].default_action.target_group_arn: a TCP listener cannot forward to target group web, whose protocol is TLS; it needs TCP or TCP_UDP`}},
	{"TLS listener without a certificate", "port: 80, protocol: TCP,", "port: 80, protocol: TLS,", []string{
		`load_balancers.api.listeners[0].certificate_arn: is missing: a TLS listener needs a certificate; name one of acm_certificates, such as web: { domain_name: api.example.com }`}},
	{"certificate unknown", "port: 80, protocol: TCP,", "port: 80, protocol: TLS, certificate_arn: web,", []string{
		`load_balancers.api.listeners[0].certificate_arn: there is no certificate "web", nor any other`}},
	{"certificate of a TCP listener", "port: 80, protocol: TCP,", "port: 80, protocol: TCP, certificate_arn: web,", []string{
		`load_balancers.api.listeners[0].certificate_arn: is for TLS listeners, and this one's protocol is TCP`}},
	{"target group protocol unfit", "port: 8080, protocol: TCP,", "port: 8080, protocol: UDP,", []string{ // F2.9
		`load_balancers.api.listeners[0].default_action.target_group_arn: a TCP listener cannot forward to target group web, whose protocol is UDP; it needs TCP or TCP_UDP`}},
	{"target type", "protocol: TCP, targets", "protocol: TCP, target_type: lambda, targets", []string{
		`target_groups.web.target_type: lambda is for functions, and a lab has none; choose from instance, ip, alb`}},
	{"target unknown", "targets: [web-1,", "targets: [web-9,", []string{
		`target_groups.web.targets[0].target_id: VPC provider has no instance "web-9"; did you mean web-1?`}},
	{"target elsewhere", "targets: [web-1,", "targets: [consumer/app,", []string{
		`target_groups.web.targets[0].target_id: instance consumer/app is in VPC consumer, but the target group is in VPC provider`}},
	{"target twice", "targets: [web-1,", "targets: [web-1, { target_id: web-1, port: 8080 },", []string{
		`target_groups.web.targets[1]: is registered twice with port 8080`}},
	{"target is an address", "targets: [web-1,", "targets: [10.0.1.4,", []string{
		`target_groups.web.targets[0].target_id: 10.0.1.4 is an address, but target_type is instance: name an instance, or set target_type: ip`}},
	{"target out of reach", "protocol: TCP, targets: [web-1, web-2, web-3]", "protocol: TCP, target_type: ip, targets: [10.9.9.9]", []string{
		`target_groups.web.targets[0].target_id: 10.9.9.9 is in no subnet of VPC provider, and in no other network of the lab`}},
	{"target beyond the VPC", "protocol: TCP, targets: [web-1, web-2, web-3] }", "protocol: TCP, target_type: ip, targets: [10.9.0.4, { target_id: 10.9.0.5, availability_zone: us-east-1f }, { target_id: 10.0.1.4, availability_zone: all }] }\non_premises: { office: { cidr_block: 10.9.0.0/24 } }", []string{ // F2.22a
		`target_groups.web.targets[0].availability_zone: is missing: 10.9.0.4 is outside VPC provider; write all for the nodes in every zone, or name the zone whose nodes use it`,
		`target_groups.web.targets[1].availability_zone: "us-east-1f" is no zone in which VPC provider has a subnet: write all, or one of those`,
		`target_groups.web.targets[2].availability_zone: 10.0.1.4 is in VPC provider, where its subnet is in us-east-1a: leave it out`}},
	{"rules of a listener for one family", "default_action: { target_group_arn: web } }", "default_action: { target_group_arn: web }, rules: [{ priority: 1, condition: { source_ip: { ip_address_type: ipv4 } }, action: { target_group_arn: web } }] }", []string{ // F2.12
		`load_balancers.api.listeners[0].rules: tell IPv4 clients from IPv6 ones, and load balancer api is not dualstack: set its ip_address_type`}},
	{"zone of an instance as a target", "targets: [web-1,", "targets: [{ target_id: web-1, availability_zone: us-east-1a },", []string{ // F2.22a
		`target_groups.web.targets[0].availability_zone: is for addresses: the zone of an instance is its own`}},
	{"UDP without client addresses", "port: 8080, protocol: TCP,", "preserve_client_ip: false, port: 8080, protocol: TCP_UDP,", []string{ // F2.24
		`target_groups.web.preserve_client_ip: cannot be false for TCP_UDP: AWS always preserves there, except towards PrivateLink clients`}},
	{"PROXY protocol before datagrams", "port: 8080, protocol: TCP,", "proxy_protocol_v2: true, port: 8080, protocol: TCP_UDP,", []string{ // F2.43
		`target_groups.web.proxy_protocol_v2: is for TCP here, and the group's protocol is TCP_UDP: what AWS sends before datagrams is not published; use a TCP group, or remove it`}},
	{"PROXY protocol placement", "port: 8080, protocol: TCP,", "proxy_protocol_v2: true, proxy_protocol_v2_client_to_server_header_placement: on_first_ak, port: 8080, protocol: TCP,", []string{ // F2.40
		`target_groups.web.proxy_protocol_v2_client_to_server_header_placement: "on_first_ak" is not a placement; did you mean on_first_ack?`}},
	{"PROXY protocol length", "port: 8080, protocol: TCP,", "proxy_protocol_v2: true, proxy_protocol_v2_ipv6_length: 101, port: 8080, protocol: TCP,", []string{ // F2.43
		`target_groups.web.proxy_protocol_v2_ipv6_length: 101 is not a length of the header over IPv6: choose 100 or 124 bytes`}},
	{"PROXY protocol off", "port: 8080, protocol: TCP,", "proxy_protocol_v2_ipv6_length: 100, proxy_protocol_v2_client_to_server_header_placement: on_first_ack, port: 8080, protocol: TCP,", []string{ // F2.35
		`target_groups.web.proxy_protocol_v2_client_to_server_header_placement: is about a header that is not sent: add proxy_protocol_v2: true, or remove it`,
		`target_groups.web.proxy_protocol_v2_ipv6_length: is about a header that is not sent: add proxy_protocol_v2: true, or remove it`}},
	{"PROXY protocol of an echo", "port: 8080 }]", "port: 8080 }, { type: tcp_echo, port: 9, proxy_protocol: true }]", []string{
		`vpcs.provider.instances.web-1.services[1].proxy_protocol: is for http and https only`}},
	{"target group's VPC unclear", "{ vpc_id: provider, port: 8080, protocol: TCP, targets: [web-1, web-2, web-3] }", "{ port: 8080, protocol: TCP, targets: [web-1, app] }", []string{
		`target_groups.web.vpc_id: is missing, and no VPC has all the targets: name the VPC and check the targets`}},
	{"target group without a VPC and with an unknown target", "{ vpc_id: provider, port: 8080, protocol: TCP, targets: [web-1, web-2, web-3] }", "{ port: 8080, protocol: TCP, targets: [web-1, wbe-2] }", []string{
		`target_groups.web.targets[1].target_id: there is no instance "wbe-2"; did you mean web-2?`}},
	{"target group without a VPC or targets", "{ vpc_id: provider, port: 8080, protocol: TCP, targets: [web-1, web-2, web-3] }", "{ port: 8080, protocol: TCP }", []string{
		`target_groups.web.vpc_id: is missing: consumer and provider could be meant`}},
	{"target group's name", "\n  web: { vpc_id: provider", "\n  a_b: { vpc_id: provider, port: 1, protocol: TCP }\n  web: { vpc_id: provider", []string{
		`target_groups.a_b: "a_b" is not a name for a target group: AWS takes 1 to 32 letters, digits and -, no - at either end`}},
	{"IPv6 target out of reach", "protocol: TCP, targets: [web-1, web-2, web-3]", `protocol: TCP, target_type: ip, targets: ["2001:db8::4"]`, []string{
		`load_balancers.api.listeners[0].default_action.target_group_arn: target group web has ip_address_type ipv6, and load balancer api is not dualstack: set its ip_address_type`,
		`target_groups.web.targets[0].target_id: 2001:db8::4 is in no subnet of VPC provider: an IPv6 target is one of the group's own VPC`}},
	{"targets of two families", "protocol: TCP, targets: [web-1, web-2, web-3]", `protocol: TCP, target_type: ip, targets: [10.0.1.4, "2001:db8::4"]`, []string{ // F2.22a
		`target_groups.web.targets[1].target_id: 2001:db8::4 is not IPv4, and the target group's ip_address_type is ipv4: a group holds IPv4 targets or IPv6 targets, not both`}},
	{"instances without IPv6", "protocol: TCP, targets: [web-1, web-2, web-3]", `protocol: TCP, ip_address_type: ipv6, targets: [web-1]`, []string{ // F2.22a
		`load_balancers.api.listeners[0].default_action.target_group_arn: target group web has ip_address_type ipv6, and load balancer api is not dualstack: set its ip_address_type`,
		`target_groups.web.targets[0].target_id: instance web-1 has no IPv6 address, and the target group's ip_address_type is ipv6`}},
	{"address type of a target group", "protocol: TCP, targets: [web-1, web-2, web-3]", `protocol: TCP, ip_address_type: dualstack, targets: [web-1]`, []string{
		`target_groups.web.ip_address_type: "dualstack" is not an address type of a target group; choose from ipv4, ipv6`}},
	{"target group's VPC", "web: { vpc_id: provider, port", "web: { vpc_id: provder, port", []string{
		`target_groups.web.vpc_id: there is no VPC "provder"; did you mean provider?`}},
	{"secondary addresses", "    listeners:\n", "    secondary_ips_auto_assigned_per_subnet: 8\n    listeners:\n", []string{ // F2.2
		`load_balancers.api.secondary_ips_auto_assigned_per_subnet: 8 is out of range: AWS takes 0 to 7`}},
	{"listener protocol", "{ port: 80, protocol: TCP,", "{ port: 80, protocol: tcp,", []string{
		`load_balancers.api.listeners[0].protocol: "tcp" is not a protocol here; did you mean TCP?`}},
	{"QUIC", "{ port: 80, protocol: TCP,", "{ port: 80, protocol: QUIC,", []string{ // F2.13
		`load_balancers.api.listeners[0].protocol: QUIC is left out of plsim: it is routed by connection ID, and whether it works behind PrivateLink is not known; choose from TCP, UDP, TCP_UDP, TLS`}},
	{"public target", "targets: [web-1, web-2, web-3]", "target_type: ip, targets: [8.8.8.8, 10.9.0.1]", []string{ // F2.22a
		`target_groups.web.targets[0].target_id: 8.8.8.8 is a public address, which cannot be a target: AWS takes those of the VPC, and of 10.0.0.0/8, 100.64.0.0/10, 172.16.0.0/12 and 192.168.0.0/16`,
		`target_groups.web.targets[1].target_id: 10.9.0.1 is in no subnet of VPC provider, and in no other network of the lab`}},
	{"stickiness of groups for too long", "{ target_group_arn: web }", "{ forward: { stickiness: { enabled: true, duration: 604801 }, target_group: [{ arn: web }] } }", []string{ // F2.11
		`load_balancers.api.listeners[0].default_action.forward.stickiness.duration: 604801 is out of range: AWS takes 1 to 604800 seconds`}},
	{"stickiness of groups behind TLS", "{ port: 80, protocol: TCP, default_action: { target_group_arn: web } }", "{ port: 80, protocol: TLS, certificate_arn: web, default_action: { forward: { stickiness: { enabled: true, duration: 60 }, target_group: [{ arn: web }] } } }\nacm_certificates: { web: { domain_name: api.example.com } }", []string{ // F2.11
		`load_balancers.api.listeners[0].default_action.forward.stickiness: is not for TLS listeners: remove it`}},
	{"stickiness of groups without an end", "{ target_group_arn: web }", "{ forward: { stickiness: { enabled: true }, target_group: [{ arn: web }] } }", []string{ // F2.11
		`load_balancers.api.listeners[0].default_action.forward.stickiness.duration: is missing: how many seconds a client keeps its target group, 1 to 604800`}},
	{"listener port", "{ port: 80, protocol: TCP,", "{ port: 70000, protocol: TCP,", []string{
		`load_balancers.api.listeners[0].port: 70000 is not a port: give one from 1 to 65535`}},
	{"listener twice", "{ target_group_arn: web } }\n", "{ target_group_arn: web } }\n      - { port: 80, protocol: TCP, default_action: { target_group_arn: web } }\n", []string{
		`load_balancers.api.listeners[1].port: port 80 already has a listener`}},
	{"TCP and UDP on one port", "load_balancers:\n  api:\n    subnets: [provider/a, provider/b]\n    listeners:\n", "  dns: { vpc_id: provider, port: 53, protocol: UDP }\nload_balancers:\n  api:\n    subnets: [provider/a, provider/b]\n    listeners:\n      - { port: 80, protocol: UDP, default_action: { target_group_arn: dns } }\n", []string{
		`load_balancers.api.listeners[1].port: port 80 already has a UDP listener: for TCP and UDP on one port use one TCP_UDP listener`}},
	{"listener timeout", "{ port: 80, protocol: TCP,", "{ port: 80, protocol: TCP, tcp_idle_timeout_seconds: 30,", []string{ // F2.44
		`load_balancers.api.listeners[0].tcp_idle_timeout_seconds: 30 is out of range: AWS takes 60 to 6000 seconds`}},
	{"draining of unhealthy targets", "port: 8080, protocol: TCP,", "port: 8080, protocol: TCP, target_health_state: { unhealthy_draining_interval: 60 },", []string{ // F2.55
		`target_groups.web.target_health_state.unhealthy_draining_interval: is for connections that live on: set enable_unhealthy_connection_termination: false, or remove it`}},
	{"draining of unhealthy targets for too long", "port: 8080, protocol: TCP,", "port: 8080, protocol: TCP, target_health_state: { enable_unhealthy_connection_termination: false, unhealthy_draining_interval: 360001 },", []string{ // F2.55
		`target_groups.web.target_health_state.unhealthy_draining_interval: 360001 is out of range: AWS takes 0 to 360000 seconds`}},
	{"deregistration delay", "port: 8080, protocol: TCP,", "port: 8080, protocol: TCP, deregistration_delay: 3601,", []string{ // F2.59
		`target_groups.web.deregistration_delay: 3601 is out of range: AWS takes 0 to 3600 seconds`}},
	{"numbers that are settings", "\ntarget_groups:", "\nsettings: { propagation_delay: -1, source_ports: 55001, termination_delay: 3601, closed_timeout: -5, revoked_flows: rst }\ntarget_groups:", []string{
		`settings.closed_timeout: -5 is out of range: give 1 to 6000 seconds`,
		`settings.propagation_delay: -1 is out of range: give 0 to 3600 seconds`,
		`settings.revoked_flows: "rst" is not what flows can meet; choose from reset, silence`,
		`settings.source_ports: 55001 is out of range: give 1 to 55000`,
		`settings.termination_delay: 3601 is out of range: give 0 to 3600 seconds`}},
	{"listener timeout of UDP", "{ port: 80, protocol: TCP,", "{ port: 53, protocol: UDP, tcp_idle_timeout_seconds: 350, default_action: { target_group_arn: dns } }\n      - { port: 80, protocol: TCP,", []string{ // F2.44
		`load_balancers.api.listeners[0].default_action.target_group_arn: there is no target group "dns"; choose from web`,
		`load_balancers.api.listeners[0].tcp_idle_timeout_seconds: is for TCP: a UDP listener forgets flows after 120 seconds, always`}},
	{"target group in another VPC", "web: { vpc_id: provider, port: 8080, protocol: TCP, targets: [web-1, web-2, web-3] }", "web: { port: 8080, protocol: TCP, targets: [app] }", []string{
		`load_balancers.api.listeners[0].default_action.target_group_arn: target group web is in VPC consumer, but load balancer api is in VPC provider`}},
	{"both kinds of forward", "{ target_group_arn: web }", "{ target_group_arn: web, forward: { target_group: [{ arn: web }] } }", []string{
		`load_balancers.api.listeners[0].default_action.forward: cannot stand beside target_group_arn: name all target groups here`}},
	{"weights", "{ target_group_arn: web }", "{ forward: { target_group: [{ arn: web, weight: 1000 }, { arn: web, weight: 0 }, { arn: wab }] } }", []string{ // F2.11
		`load_balancers.api.listeners[0].default_action.forward.target_group[0].weight: 1000 is out of range: AWS takes 0 to 999`,
		`load_balancers.api.listeners[0].default_action.forward.target_group[1].arn: target group web is listed twice`,
		`load_balancers.api.listeners[0].default_action.forward.target_group[2].arn: there is no target group "wab"; did you mean web?`}},
	{"nobody to forward to", "{ target_group_arn: web }", "{ forward: { target_group: [] } }", []string{
		`load_balancers.api.listeners[0].default_action.forward.target_group: is missing: name at least one target group`}},
	{"stickiness", "port: 8080, protocol: TCP,", "port: 8080, protocol: TCP, stickiness: { enabled: true, type: lb_cookie, source: node },", []string{ // F2.18
		`target_groups.web.stickiness.source: "node" is not a source; choose from client, endpoint`,
		`target_groups.web.stickiness.type: "lb_cookie" is not a type of stickiness of a network load balancer; choose from source_ip`}},
	{"listener action", ", default_action: { target_group_arn: web } }", " }", []string{
		`load_balancers.api.listeners[0].default_action: is missing: write { target_group_arn: NAME }`}},
	{"target group unknown", "{ target_group_arn: web }", "{ target_group_arn: wab }", []string{
		`load_balancers.api.listeners[0].default_action.target_group_arn: there is no target group "wab"; did you mean web?`}},
	{"load balancer's subnet ambiguous", "subnets: [provider/a, provider/b]", "subnets: [a]", []string{
		`load_balancers.api.subnets[0]: 2 VPCs have a subnet "a"; write consumer/a or provider/a`}},
	{"load balancer in two VPCs", "subnets: [provider/a, provider/b]", "subnets: [provider/a, consumer/b, provider/b]", []string{
		`load_balancers.api.subnets[1]: subnet consumer/b is in VPC consumer, but load balancer api is in VPC provider`}},
	{"load balancer twice in a zone", "b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      web", "b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1a }\n    security_groups:\n      web", []string{ // F2.1
		`load_balancers.api.subnets[1]: subnets a and b are both in us-east-1a: load balancer api takes one subnet a zone`}},
	{"load balancer type", "  api:\n    subnets:", "  api:\n    load_balancer_type: classic\n    subnets:", []string{
		`load_balancers.api.load_balancer_type: "classic" is not a load balancer type; choose from application, network`}},
	{"load balancer name", "load_balancers:\n  api:", "load_balancers:\n  -api:", []string{
		`endpoint_services.api.network_load_balancer_arns[0]: there is no load balancer "api"; did you mean -api?`,
		`load_balancers.-api: "-api" is not a name: use 1 to 63 letters, digits, - and _, a letter or digit first`}},
	{"internet-facing", "  api:\n    subnets:", "  api:\n    internal: false\n    subnets:", []string{
		`load_balancers.api.internal: cannot be false: a lab has no internet to face`}},
	{"dualstack without IPv6", "  api:\n    subnets:", "  api:\n    ip_address_type: dualstack\n    subnets:", []string{ // F1.52
		`load_balancers.api.ip_address_type: dualstack needs IPv6 in every subnet, and VPC provider has no ipv6_cidr_block`}},
	{"enforcement", "  api:\n    subnets:", "  api:\n    enforce_security_group_inbound_rules_on_private_link_traffic: no\n    subnets:", []string{
		`load_balancers.api.enforce_security_group_inbound_rules_on_private_link_traffic: "no" is not a setting; did you mean on?`}},

	// Endpoint services and endpoints.
	{"one service a load balancer", "vpc_endpoints:", "  other: { network_load_balancer_arns: [api] }\nvpc_endpoints:", []string{ // F1.47
		`endpoint_services.other.network_load_balancer_arns[0]: load balancer api already stands behind endpoint service api: it can serve one only`}},
	{"principal syntax", `["arn:aws:iam::222222222222:root"]`, `["arn:aws:iam::222222222222:root", "222222222222"]`, []string{ // F1.14
		`endpoint_services.api.allowed_principals[1]: "222222222222" is an account number: write arn:aws:iam::222222222222:root`}},
	{"principal not allowed", `["arn:aws:iam::222222222222:root"]`, `["arn:aws:iam::333333333333:root"]`, []string{
		`vpc_endpoints.api.service_name: arn:aws:iam::222222222222:root is not among the allowed_principals of endpoint service api, so to AWS the service does not exist; add it there`}},
	{"principal of another account", "    vpc_id: consumer\n", "    vpc_id: consumer\n    principal: \"arn:aws:iam::111111111111:root\"\n", []string{
		`vpc_endpoints.api.principal: arn:aws:iam::111111111111:root is of account 111111111111, but VPC consumer belongs to 222222222222: who creates an endpoint is of the account that owns the VPC`}},
	{"private name in capitals", "api.example.com", "API.example.com", []string{ // F1.26
		`endpoint_services.api.private_dns_name: "API.example.com" must be in lower case: write api.example.com`}},
	{"private name of one label", "api.example.com", "localhost", []string{
		`endpoint_services.api.private_dns_name: "localhost" is not a domain name such as api.example.com`}},
	{"private name's label", "api.example.com", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com", []string{ // 64 letters
		`endpoint_services.api.private_dns_name: label "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" is longer than 63 characters`}},
	{"private name taken", "vpc_endpoints:\n", "vpc_endpoints:\n  a: { vpc_id: consumer, service_name: api, subnet_ids: [a], private_dns_enabled: true }\n", []string{
		`vpc_endpoints.api.private_dns_enabled: endpoint a already has api.example.com in VPC consumer: one endpoint can have it there`}},
	{"private name's wildcard", "api.example.com", "api.*.example.com", []string{
		`endpoint_services.api.private_dns_name: "api.*.example.com": a wildcard can only be the whole first label, as in *.example.com`}},
	{"service unknown", "service_name: api", "service_name: apy", []string{
		`vpc_endpoints.api.service_name: there is no endpoint service "apy"; did you mean api?`}},
	{"service of AWS", "service_name: api", "service_name: com.amazonaws.us-east-1.s3", []string{
		`vpc_endpoints.api.service_name: com.amazonaws.us-east-1.s3 is one of AWS's own services, which a lab does not have: name an endpoint service of the lab`}},
	{"service of another Region", "service_name: api", "service_name: com.amazonaws.vpce.eu-west-1.vpce-svc-01234567890abcdef", []string{
		`vpc_endpoints.api.service_name: com.amazonaws.vpce.eu-west-1.vpce-svc-01234567890abcdef is in Region "eu-west-1", but the lab is in us-east-1: cross-Region access is not supported`}},
	{"service's ID unknown", "service_name: api", "service_name: com.amazonaws.vpce.us-east-1.vpce-svc-0", []string{
		`vpc_endpoints.api.service_name: there is no endpoint service "com.amazonaws.vpce.us-east-1.vpce-svc-0"; choose from com.amazonaws.vpce.us-east-1.SERVICE`}},
	{"service missing", "    service_name: api\n", "", []string{
		`vpc_endpoints.api.service_name: is missing: name the endpoint service; choose from api`}},
	{"endpoint twice in a zone", "      b: { cidr_block: 10.0.2.0/24, availability_zone: us-east-1b }\n    security_groups:\n      app", "      b: { cidr_block: 10.0.2.0/24 }\n    security_groups:\n      app", []string{ // F1.1
		`vpc_endpoints.api.subnet_ids[1]: subnets a and b are both in us-east-1a: endpoint api takes one subnet a zone`}},
	{"endpoint's VPC", "vpc_id: consumer", "vpc_id: costumer", []string{
		`vpc_endpoints.api.vpc_id: there is no VPC "costumer"; did you mean consumer?`}},
	{"endpoint's type", "    vpc_id: consumer\n", "    vpc_id: consumer\n    vpc_endpoint_type: Gateway\n", []string{
		`vpc_endpoints.api.vpc_endpoint_type: "Gateway" is not an endpoint type that a lab has; choose from Interface`}},
	{"endpoint without subnets", "    subnet_ids: [a, b]\n", "", []string{
		`vpc_endpoints.api.subnet_ids: is missing: name at least one subnet`}},
	{"private DNS without DNS", `owner_id: "222222222222"`, "owner_id: \"222222222222\"\n    enable_dns_hostnames: false", []string{ // F1.26
		`vpc_endpoints.api.private_dns_enabled: needs enable_dns_support and enable_dns_hostnames in VPC consumer`}},
	{"private DNS without a name", "    private_dns_name: api.example.com\n", "", []string{
		`vpc_endpoints.api.private_dns_enabled: endpoint service api has no private_dns_name`}},
	{"auto_accept across accounts", "    vpc_id: consumer\n", "    vpc_id: consumer\n    auto_accept: true\n", []string{
		`vpc_endpoints.api.auto_accept: works within one account only: the service belongs to 111111111111, VPC consumer to 222222222222; let a step accept the endpoint`}},
	{"address type ipv6", "    vpc_id: consumer\n", "    vpc_id: consumer\n    ip_address_type: ipv6\n", []string{ // F1.51
		`vpc_endpoints.api.ip_address_type: ipv6 is for IPv6-only subnets, and subnet a is not one: set its ipv6_native, or write dualstack`,
		`vpc_endpoints.api.ip_address_type: ipv6 needs a service that accepts IPv6: add ipv6 to the supported_ip_address_types of api`}},
	{"address type dualstack", "    vpc_id: consumer\n", "    vpc_id: consumer\n    ip_address_type: dualstack\n", []string{ // F1.52
		`vpc_endpoints.api.ip_address_type: dualstack needs IPv6 in every subnet, and VPC consumer has no ipv6_cidr_block`,
		`vpc_endpoints.api.ip_address_type: dualstack needs a service that accepts IPv6: add ipv6 to the supported_ip_address_types of api`}},
}

func TestMistakes(t *testing.T) {
	service := mustBuild(t, twoAccounts).find.offers["api"].ID
	for _, m := range mistakes {
		t.Run(m.name, func(t *testing.T) {
			_, err := build(t, twoAccounts, m.old, m.new)
			var problems Problems
			if !errors.As(err, &problems) {
				t.Fatalf("New says %v, not problems", err)
			}
			want := strings.ReplaceAll(strings.Join(m.want, "\n"), "SERVICE", service)
			if got := problems.Error(); got != want {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestEveryMistakeAtOnce puts mistakes into unrelated places: all must be told.
func TestEveryMistakeAtOnce(t *testing.T) {
	_, err := build(t, twoAccounts,
		"a: { cidr_block: 10.0.1.0/24", "a: { cidr_block: 10.9.1.0/24",
		"protocol: tcp, from_port: 8080", "protocol: tcp, from_port: 80800",
		"port: 80, protocol: TCP", "port: 0, protocol: TCP",
		"vpc_id: consumer", "vpc_id: consume")
	want := `load_balancers.api.listeners[0].port: is missing: give a port from 1 to 65535
vpc_endpoints.api.vpc_id: there is no VPC "consume"; did you mean consumer?
vpcs.provider.security_groups.web.ingress[0].from_port: 80800 is not a port: give one from 0 to 65535
vpcs.provider.subnets.a.cidr_block: 10.9.1.0/24 is outside VPC provider (10.0.0.0/16)`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

// TestTLSMistakes: what can be wrong with TLS listeners and their certificates.
func TestTLSMistakes(t *testing.T) {
	for _, c := range []struct{ certificate, listener, group, want string }{
		{"", ", ssl_policy: ELBSecurityPolicy-TLS13", "",
			`load_balancers.api.listeners[0].ssl_policy: "ELBSecurityPolicy-TLS13" is not a security policy here; choose from ELBSecurityPolicy-2016-08, ELBSecurityPolicy-TLS-1-1-2017-01, ELBSecurityPolicy-TLS-1-2-2017-01, ELBSecurityPolicy-TLS13-1-0-2021-06, ELBSecurityPolicy-TLS13-1-1-2021-06, ELBSecurityPolicy-TLS13-1-2-2021-06, ELBSecurityPolicy-TLS13-1-3-2021-06`},
		{"", ", alpn_policy: HTTP2Prefered", "",
			`load_balancers.api.listeners[0].alpn_policy: "HTTP2Prefered" is not an ALPN policy; did you mean HTTP2Preferred?`},
		{"", ", tcp_idle_timeout_seconds: 60", "", // F2.44
			`load_balancers.api.listeners[0].tcp_idle_timeout_seconds: is for TCP: a TLS listener forgets flows after 350 seconds, always`},
		{"", "", ", stickiness: { enabled: true }", // F2.18
			`load_balancers.api.listeners[0].default_action.target_group_arn: target group web has stickiness, which TLS listeners do not know: remove it, or use another target group`},
		{"domain_name: localhost", "", "",
			`acm_certificates.web.domain_name: "localhost" is not a DNS name: write api.example.com or *.example.com`},
		{"subject_alternative_names: [a.example.com, 10.0.0.1/24]", "", "",
			`acm_certificates.web.subject_alternative_names[1]: "10.0.0.1/24" is not a DNS name: write api.example.com or *.example.com`},
		{"certificate_body: x", "", "",
			`acm_certificates.web.private_key: is missing: a certificate_body needs its key, PEM`},
		{"private_key: x", "", "",
			`acm_certificates.web.certificate_body: is missing: a private_key needs its certificate, PEM`},
		{"certificate_body: x, private_key: x", "", "",
			`acm_certificates.web.certificate_body: is not a PEM certificate with its private_key: failed to find any PEM data in certificate input`},
		{"certificate_body: x, private_key: x, domain_name: a.example.com", "", "",
			`acm_certificates.web: has a certificate_body, which says its names itself: remove domain_name and subject_alternative_names, or the certificate`},
	} {
		_, err := build(t, twoAccounts,
			"\ntarget_groups:\n", "\nacm_certificates: { web: { "+c.certificate+" } }\ntarget_groups:\n",
			"port: 80, protocol: TCP", "port: 80, protocol: TLS, certificate_arn: web"+c.listener,
			"port: 8080, protocol: TCP", "port: 8080, protocol: TCP"+c.group)
		if err == nil || err.Error() != c.want {
			t.Errorf("got:\n%v\nwant:\n%s", err, c.want)
		}
	}
}

// TestFits: which listener forwards to which target group (F2.9).
func TestFits(t *testing.T) {
	for _, c := range []struct{ listener, groups string }{
		{"TCP", "TCP TCP_UDP"}, {"UDP", "UDP TCP_UDP"}, {"TCP_UDP", "TCP_UDP"}, {"TLS, certificate_arn: web", "TCP TLS"},
	} {
		for _, group := range []string{"TCP", "UDP", "TCP_UDP", "TLS"} {
			_, err := build(t, twoAccounts,
				"\ntarget_groups:\n", "\nacm_certificates: { web: {} }\ntarget_groups:\n",
				"port: 8080, protocol: TCP,", "port: 8080, protocol: "+group+",",
				"{ port: 80, protocol: TCP,", "{ port: 80, protocol: "+c.listener+",")
			if want := slices.Contains(strings.Fields(c.groups), group); (err == nil) != want {
				t.Errorf("a %s listener to a %s group: %v", c.listener, group, err)
			}
		}
	}
}

// TestQuotas (F2.7, F3.8, F3.9).
func TestQuotas(t *testing.T) {
	var rules, listeners strings.Builder
	for i := range 61 {
		fmt.Fprintf(&rules, "          - { protocol: tcp, from_port: %d, cidr_blocks: [10.0.0.0/16] }\n", 9000+i)
	}
	for i := range 50 {
		fmt.Fprintf(&listeners, "      - { port: %d, protocol: TCP, default_action: { target_group_arn: web } }\n", 9000+i)
	}
	_, err := build(t, twoAccounts,
		"          - { protocol: tcp, from_port: 8080, cidr_blocks: [10.0.0.0/16] }\n", rules.String(),
		"    listeners:\n", "    listeners:\n"+listeners.String())
	want := `load_balancers.api.listeners: 51 listeners: a load balancer takes 50 at most
vpcs.provider.security_groups.web.ingress[60]: 61 ingress rules of web for IPv4: a security group takes 60 at most; settings.rules_per_security_group raises that`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
	if _, err := build(t, twoAccounts, "\nvpcs:\n", "\nsettings: { rules_per_security_group: 61 }\nvpcs:\n",
		"          - { protocol: tcp, from_port: 8080, cidr_blocks: [10.0.0.0/16] }\n", rules.String()); err != nil {
		t.Errorf("raised by one: %v", err) // F3.9
	}
}

// TestSubnetFull: a /28 has 11 addresses for hosts (F1.3); it is told once.
func TestSubnetFull(t *testing.T) {
	var text strings.Builder
	text.WriteString("vpcs:\n  v:\n    cidr_block: 10.0.0.0/28\n    instances:\n")
	for i := range 14 {
		fmt.Fprintf(&text, "      h%02d: {}\n", i)
	}
	_, err := build(t, text.String())
	want := `vpcs.v.instances.h11: subnet default (10.0.0.0/28) has no address left for v/h11: AWS reserves five in each; use a larger block or another subnet`
	if err == nil || err.Error() != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestSuggest(t *testing.T) {
	known := []string{"provider", "consumer", "us-east-1a", "us-east-1b", "a", "web"}
	for word, want := range map[string]string{
		"provder": "provider", "Consumer": "consumer", "us-east-1": "us-east-1a", "ewb": "web",
		"b": "", "": "", "database": "", "PROVIDER": "provider",
	} {
		if got := Suggest(word, known); got != want {
			t.Errorf("Suggest(%q) = %q, want %q", word, got, want)
		}
	}
}
