package bench_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/simulate"
	"github.com/plsim/plsim/sim/simulate/host"
)

// A labShape is how large a simulated lab is: clients talk through endpoints of one
// service, which lie in so many VPCs, to servers.
type labShape struct{ vpcs, endpoints, clients, servers int }

// A simulation is a lab that is simulated, and the hosts of its clients.
type simulation struct {
	*simulate.World
	clients []*host.Host
	service netip.Addr // the first endpoint's
}

// Ports of the servers' services.
const (
	echoPort = 7
	sinkPort = 9
)

// scenario writes the lab: a load balancer of three nodes, each with a third of the servers.
func (s labShape) scenario() string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	list := func(n int, name func(i int) string) string {
		var all []string
		for i := range n {
			all = append(all, name(i))
		}
		return strings.Join(all, ", ")
	}
	line("name: bench\nvpcs:\n  provider:\n    cidr_block: 10.0.0.0/16")
	line("    subnets: { a: { cidr_block: 10.0.0.0/18, availability_zone: us-east-1a }, b: { cidr_block: 10.0.64.0/18, availability_zone: us-east-1b }, c: { cidr_block: 10.0.128.0/18, availability_zone: us-east-1c } }")
	line("    security_groups: { server: { ingress: [{ protocol: tcp, from_port: 0, to_port: 65535, cidr_blocks: [10.0.0.0/16] }] } }")
	line("    instances:")
	for i := range s.servers {
		line("      server-%d: { subnet_id: %c, vpc_security_group_ids: [server], services: [{ type: tcp_echo, port: %d }, { type: tcp_sink, port: %d }] }",
			i, "abc"[i%3], echoPort, sinkPort)
	}
	for i := range s.vpcs {
		line("  consumer-%d:\n    cidr_block: 10.0.0.0/16", i)
		line("    subnets: { a: { cidr_block: 10.0.0.0/17, availability_zone: us-east-1a }, b: { cidr_block: 10.0.128.0/17, availability_zone: us-east-1b } }")
		line("    security_groups: { client: {}, endpoint: { ingress: [{ protocol: tcp, from_port: 0, to_port: 65535, security_groups: [client] }] } }")
		line("    instances:")
		for j := i; j < s.clients; j += s.vpcs {
			line("      client-%d: { subnet_id: a, vpc_security_group_ids: [client] }", j)
		}
	}
	line("load_balancers:\n  lb:\n    subnets: [provider/a, provider/b, provider/c]\n    listeners:")
	for _, p := range []int{echoPort, sinkPort} {
		line("      - { port: %d, protocol: TCP, default_action: { target_group_arn: port-%[1]d } }", p)
	}
	line("target_groups:")
	servers := list(s.servers, func(i int) string { return fmt.Sprintf("server-%d", i) })
	line("  port-%d: { port: %[1]d, protocol: TCP, targets: [%s] }", echoPort, servers)
	line("  port-%d: { port: %[1]d, protocol: TCP, targets: [server-0] }", sinkPort)
	line("endpoint_services:\n  svc: { network_load_balancer_arns: [lb], acceptance_required: false, allowed_principals: [\"*\"] }")
	line("vpc_endpoints:")
	for i := range s.endpoints {
		line("  ep-%d: { vpc_id: consumer-%d, service_name: svc, subnet_ids: [a], security_group_ids: [endpoint] }", i, i%s.vpcs)
	}
	return b.String()
}

// busy is a lab for a million flows: each client and server has only so many ports.
var busy = labShape{vpcs: 1, endpoints: 1, clients: 64, servers: 64}

// start simulates a lab of that shape.
func (s labShape) start(tb testing.TB) *simulation {
	tb.Helper()
	loaded, err := scenario.LoadBytes("bench", []byte(s.scenario()))
	if err != nil {
		tb.Fatal(err)
	}
	at, err := loaded.Lab.Variable("vpc_endpoint.ep-0.private_ip.us-east-1a")
	if err != nil {
		tb.Fatal(err)
	}
	w, err := simulate.Start(tb.Context(), loaded.Lab, simulate.Options{Seed: 1, Unlogged: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Error(err)
		}
	})
	sim := &simulation{World: w, service: netip.MustParseAddr(at)}
	for i := range s.clients {
		h, err := w.Host(fmt.Sprintf("consumer-%d/client-%d", i%s.vpcs, i))
		if err != nil {
			tb.Fatal(err)
		}
		sim.clients = append(sim.clients, h)
	}
	return sim
}

// wait lets the lab's time pass.
func (s *simulation) wait(tb testing.TB, d time.Duration) {
	if err := s.Wait(tb.Context(), d); err != nil {
		tb.Fatal(err)
	}
}

// open opens so many connections, a few from each client at a time.
func (s *simulation) open(tb testing.TB, flows int, port uint16, hd host.Handler) {
	for i := range flows {
		if _, err := s.clients[i%len(s.clients)].Dial(netip.AddrPort{}, netip.AddrPortFrom(s.service, port), hd); err != nil {
			tb.Fatal(err)
		}
		if i%1000 == 999 {
			s.wait(tb, time.Millisecond)
		}
	}
	s.wait(tb, 10*time.Millisecond)
}

// callers are connections of which some are in an exchange of a few bytes at any time.
type callers struct {
	conns []host.Conn
	next  int
	ended int
}

func (c *callers) Connected(x host.Conn) { c.conns = append(c.conns, x) }

// Received hears an answer, whereupon the next connection has its turn.
func (c *callers) Received(host.Conn, []byte) { c.call() }
func (c *callers) Finished(x host.Conn)       { x.Close() }
func (c *callers) Writable(host.Conn)         {}
func (c *callers) Closed(host.Conn, error)    { c.ended++ }

func (c *callers) call() {
	const ahead = 32
	if c.next%ahead == 0 {
		host.ExpectWrites(c.conns[c.next:min(c.next+ahead, len(c.conns))])
	}
	x := c.conns[c.next]
	if c.next++; c.next == len(c.conns) {
		c.next = 0
	}
	x.Write(words)
}

// begin lets so many of the connections be in an exchange at any time, chosen at random.
func (c *callers) begin(atOnce int) {
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(c.conns), func(i, j int) { c.conns[i], c.conns[j] = c.conns[j], c.conns[i] })
	for range min(len(c.conns), atOnce) {
		c.call()
	}
}

var words = []byte("a question of thirty-two letters")

// senders send as much as they can.
type senders struct{ connected, ended int }

func (c *senders) Connected(x host.Conn)      { c.connected++; c.Writable(x) }
func (c *senders) Received(host.Conn, []byte) {}
func (c *senders) Finished(x host.Conn)       { x.Close() }
func (c *senders) Closed(host.Conn, error)    { c.ended++ }
func (c *senders) Writable(x host.Conn) {
	for x.Write(load) == len(load) {
	}
}

var load = make([]byte, 64<<10)

// visitors are connections that ask once and are closed, whereupon another is opened.
type visitors struct {
	s      *simulation
	turn   int
	failed error
}

func (c *visitors) visit() {
	c.turn++
	_, err := c.s.clients[c.turn%len(c.s.clients)].Dial(netip.AddrPort{}, netip.AddrPortFrom(c.s.service, echoPort), c)
	if err != nil {
		c.failed = err
	}
}

func (c *visitors) Connected(x host.Conn)          { x.Write(words) }
func (c *visitors) Received(x host.Conn, _ []byte) { x.CloseWrite() }
func (c *visitors) Finished(x host.Conn)           { x.Close() }
func (c *visitors) Writable(host.Conn)             {}
func (c *visitors) Closed(_ host.Conn, err error) {
	if err != nil {
		c.failed = err
	}
	c.visit()
}

// atOnce is how many connections are in an exchange at the same time.
const atOnce = 256

// callers opens so many connections, all of which must come to be.
func (s *simulation) callers(tb testing.TB, flows int) *callers {
	c := &callers{conns: make([]host.Conn, 0, flows)}
	s.open(tb, flows, echoPort, c)
	if len(c.conns) != flows || c.ended > 0 {
		tb.Fatalf("%d connections of %d, %d ended", len(c.conns), flows, c.ended)
	}
	return c
}

// BenchmarkSimulate lets packets of a simulation cross from client to server and back:
// two hosts with TCP, the fabric between them, and what is to happen when. An op is
// some time of the lab. What a million flows cost, BenchmarkMillion tells.
func BenchmarkSimulate(b *testing.B) {
	for _, flows := range []int{1, 1e4, 1e5} {
		b.Run(fmt.Sprintf("traffic=echo/flows=%.0e", float64(flows)), func(b *testing.B) {
			s := busy.start(b)
			c := s.callers(b, flows)
			c.begin(atOnce)
			s.wait(b, 100*time.Millisecond) // until acknowledgements that are put off come, too
			s.measure(b, 10*time.Millisecond)
			if c.ended > 0 {
				b.Errorf("%d connections have ended", c.ended)
			}
		})
	}
	for _, flows := range []int{1, 100} {
		b.Run(fmt.Sprintf("traffic=bulk/flows=%.0e", float64(flows)), func(b *testing.B) {
			s := busy.start(b)
			c := &senders{}
			s.open(b, flows, sinkPort, c)
			s.measure(b, time.Duration(max(1e7/flows, 1e5)))
			if c.connected != flows || c.ended > 0 {
				b.Errorf("%d connections of %d, %d ended", c.connected, flows, c.ended)
			}
		})
	}
	for _, flows := range []int{1, atOnce} {
		b.Run(fmt.Sprintf("traffic=connections/flows=%.0e", float64(flows)), func(b *testing.B) {
			s := busy.start(b)
			c := &visitors{s: s}
			for range flows {
				c.visit()
			}
			s.measure(b, 10*time.Millisecond)
			if c.failed != nil || c.turn == flows {
				b.Error(c.failed)
			}
		})
	}
}

// measure lets time of the lab pass, and reports what a packet costs: time of the
// processor, for other work on the machine is none of a packet's.
func (s *simulation) measure(b *testing.B, d time.Duration) {
	s.wait(b, d) // until tables and pools have grown
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	n, began := s.Packets(), cpu(b)
	for b.Loop() {
		s.wait(b, d)
	}
	n = s.Packets() - n
	took := cpu(b) - began
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(n)/took.Seconds(), "packets/s")
	b.ReportMetric(float64(took.Nanoseconds())/float64(n), "ns/packet")
	b.ReportMetric(float64(after.Mallocs-before.Mallocs)/float64(n), "allocs/packet")
}

// perPacket returns what a packet of the simulation costs at present, in time of the processor.
func (s *simulation) perPacket(tb testing.TB) time.Duration {
	const enough = 200_000
	s.wait(tb, 100*time.Millisecond)
	n, began := s.Packets(), cpu(tb)
	for s.Packets()-n < enough {
		s.wait(tb, time.Millisecond)
	}
	return (cpu(tb) - began) / time.Duration(s.Packets()-n)
}

// flat is how much more a packet may cost with many flows than with ten thousand, on a
// machine that others load.
const flat = 4

// The cost of a packet stays flat as flows grow: a quarter of a million of them are too
// many for any processor's cache.
func TestFlat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	var costs [2]time.Duration
	for i, flows := range []int{1e4, 25e4} {
		s := busy.start(t)
		c := s.callers(t, flows)
		c.begin(atOnce)
		costs[i] = s.perPacket(t)
		t.Logf("%d flows: %v a packet", flows, costs[i])
	}
	if costs[1] > flat*costs[0] {
		t.Errorf("a packet costs %v with few flows and %v with many", costs[0], costs[1])
	}
}
