package simulate

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/sim/live"
	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/simulate/event"
	"github.com/plsim/plsim/sim/simulate/host"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology"
)

const dnsPort = 53

// addResolver makes the resolver of a VPC.
func (w *World) addResolver(nic *topology.NIC) error {
	h := w.attach(nic, host.Config{})
	answer := w.Resolver(nic.Network.Name)
	for _, at := range nic.Addrs {
		at := netip.AddrPortFrom(at.Addr(), dnsPort)
		_, err := h.ListenUDP(at, host.UDPHandler{Received: dnsOverUDP(answer)})
		if err == nil {
			_, err = h.Listen(at, dnsOverTCP(answer))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// dnsOverUDP answers queries that are datagrams.
func dnsOverUDP(answer service.DNS) func(s *host.UDPSocket, from, to netip.AddrPort, b []byte) {
	return func(s *host.UDPSocket, from, to netip.AddrPort, b []byte) {
		if m := replyTo(answer, b, from.Addr(), true); m != nil {
			_ = s.Send(to.Addr(), from, m) // who asked may be gone
		}
	}
}

// dnsOverTCP answers queries on connections.
func dnsOverTCP(answer service.DNS) func(host.Conn) host.Handler {
	server := &dnsServer{answer: answer, sessions: map[host.Conn][]byte{}}
	return func(host.Conn) host.Handler { return server }
}

// replyTo answers a query; what is none gets no answer.
func replyTo(s service.DNS, b []byte, from netip.Addr, udp bool) []byte {
	q := new(dns.Msg)
	if q.Unpack(b) != nil || q.Response {
		return nil
	}
	reply, err := s.Answer(q, from, udp).Pack()
	if err != nil {
		return nil
	}
	return reply
}

// dnsServer answers DNS queries over TCP, each with its length before it (RFC 1035
// section 4.2.2).
type dnsServer struct {
	answer   service.DNS
	sessions map[host.Conn][]byte // what has come and is no whole query yet
}

// Connected implements [host.Handler].
func (s *dnsServer) Connected(host.Conn) {}

// Received implements [host.Handler].
func (s *dnsServer) Received(c host.Conn, data []byte) {
	b := append(s.sessions[c], data...)
	for {
		message, rest, ok := cutMessage(b)
		if !ok {
			break
		}
		if reply := replyTo(s.answer, message, c.Remote().Addr(), false); reply != nil {
			c.Write(withLength(reply))
		}
		b = rest
	}
	s.sessions[c] = b
}

// Finished implements [host.Handler].
func (s *dnsServer) Finished(c host.Conn) { c.Close() }

// Writable implements [host.Handler].
func (s *dnsServer) Writable(host.Conn) {}

// Closed implements [host.Handler].
func (s *dnsServer) Closed(c host.Conn, _ error) { delete(s.sessions, c) }

// cutMessage takes a whole message from the front of a stream, if there is one.
func cutMessage(b []byte) (message, rest []byte, ok bool) {
	if len(b) < 2 {
		return nil, b, false
	}
	n := 2 + int(binary.BigEndian.Uint16(b))
	if len(b) < n {
		return nil, b, false
	}
	return b[2:n], b[n:], true
}

func withLength(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

// queryTimeout is how long the built-in client waits for one answer before it asks
// again.
const queryTimeout = time.Second

// resolve looks up a name at the VPC's resolver, as any program on the instance would,
// and calls done with the answer; what takes longer than limit is given up.
func (w *World) resolve(i *instance, name string, limit time.Duration, done func([]netip.Addr, error)) {
	if a, ok := live.Literal(name); ok {
		done([]netip.Addr{a}, nil)
		return
	}
	var all []netip.Addr
	finish := func() {
		if len(all) == 0 {
			done(nil, story.NoAddress(name))
			return
		}
		done(all, nil)
	}
	q := question{name: name, kind: dns.TypeA, server: i.resolver()}
	w.query(i, q, limit, func(addrs []netip.Addr, err error) {
		if all = addrs; err != nil {
			done(nil, err)
			return
		}
		if !slices.ContainsFunc(i.NIC.Addrs, func(p netip.Prefix) bool { return p.Addr().Is6() }) {
			finish()
			return
		}
		q.kind = dns.TypeAAAA
		w.query(i, q, limit, func(addrs []netip.Addr, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			all = append(all, addrs...)
			finish()
		})
	})
}

// question is what to ask which DNS server.
type question struct {
	name   string
	kind   uint16
	server netip.AddrPort
	tcp    bool // at once; else by UDP, and what is cut short is asked for again by TCP
}

// resolver returns the address and port of the VPC's resolver.
func (i *instance) resolver() netip.AddrPort { return netip.AddrPortFrom(i.ResolverAddr(), dnsPort) }

// query asks until an answer comes, or for as long as limit.
func (w *World) query(i *instance, ask question, limit time.Duration, done func([]netip.Addr, error)) {
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(ask.name), ask.kind)
	m.Id = uint16(w.queue.Rand().Uint32())
	m.SetEdns0(1232, false)
	q := &query{world: w, from: i, name: ask.name, message: m, done: done, at: ask.server}
	q.limit = w.queue.CallAt(w.queue.Now().Add(limit), func() { q.finish(nil, story.ResolverSilent(q.name, q.at.String())) })
	if ask.tcp {
		q.askAgain()
		return
	}
	q.ask()
}

// query is one question of the built-in client.
type query struct {
	world   *World
	from    *instance
	name    string
	message *dns.Msg
	at      netip.AddrPort
	limit   event.Timer
	again   event.Timer
	socket  *host.UDPSocket
	client  *client
	stream  []byte
	over    bool
	done    func([]netip.Addr, error)
}

// ask sends the question over UDP, from another port each time.
func (q *query) ask() {
	if q.over {
		return
	}
	if q.socket != nil {
		q.socket.Close()
	}
	var err error
	q.socket, err = q.from.host.ListenUDP(netip.AddrPort{}, host.UDPHandler{
		Received: func(_ *host.UDPSocket, from, _ netip.AddrPort, b []byte) {
			if from == q.at {
				q.take(b, true)
			}
		},
		Failed: func(_ *host.UDPSocket, _ netip.AddrPort, err error) { q.fail(err) },
	})
	var wire []byte
	if err == nil {
		wire, err = q.message.Pack()
	}
	if err == nil {
		err = q.socket.Send(netip.Addr{}, q.at, wire)
	}
	if err != nil {
		q.fail(err)
		return
	}
	q.again = q.world.queue.CallAt(q.world.queue.Now().Add(queryTimeout), func() {
		if q.client == nil {
			q.ask()
		}
	})
}

// askAgain asks over TCP, where the answer is too long for a datagram.
func (q *query) askAgain() {
	wire, err := q.message.Pack()
	if err != nil {
		q.fail(err)
		return
	}
	q.client = &client{attempt: attempt{from: q.from.host, port: q.at.Port(), addrs: []netip.Addr{q.at.Addr()}}, ended: q.fail}
	q.client.connected = func() { q.client.send(withLength(wire)) }
	q.client.received = func(data []byte) {
		q.stream = append(q.stream, data...)
		if message, _, ok := cutMessage(q.stream); ok {
			q.take(message, false)
		}
	}
	q.client.dial()
}

// take takes in an answer.
func (q *query) take(b []byte, udp bool) {
	m := new(dns.Msg)
	if q.over || m.Unpack(b) != nil || m.Id != q.message.Id {
		return
	}
	switch {
	case m.Truncated && udp:
		q.askAgain()
	case m.Rcode == dns.RcodeNameError:
		q.finish(nil, story.NoSuchName(q.name, q.at.String()))
	case m.Rcode != dns.RcodeSuccess:
		q.finish(nil, story.ResolverFailed(q.name, dns.RcodeToString[m.Rcode], q.at.String()))
	default:
		q.finish(live.Addresses(m), nil)
	}
}

func (q *query) fail(err error) {
	q.finish(nil, story.ResolverError(q.name, q.at.String(), err.Error()))
}

func (q *query) finish(addrs []netip.Addr, err error) {
	if q.over {
		return
	}
	q.over = true
	q.world.queue.Cancel(q.limit)
	q.world.queue.Cancel(q.again)
	if q.socket != nil {
		q.socket.Close()
	}
	if q.client != nil {
		q.client.close()
	}
	q.done(addrs, err)
}

// Resolve implements [story.World].
func (w *World) Resolve(ctx context.Context, r *scenario.Resolve) (story.Answer, error) {
	from, err := w.instance(r.From)
	if err != nil {
		return story.Answer{}, err
	}
	over := false
	var answer story.Answer
	limit := w.lasts(r.Timeout.Duration())
	w.consult(from, r, limit, func(addrs []netip.Addr, err error) {
		over = true
		if err == nil && len(addrs) == 0 {
			err = story.NoRecord(r.Host, r.Type)
		}
		if err != nil {
			answer = story.Answer{Failure: failure(err, r.Host, r.Timeout.Duration())}
			return
		}
		slices.SortFunc(addrs, netip.Addr.Compare)
		answer = story.Answer{Addresses: addrs}
	})
	err = w.run(ctx, endOfTime, func() bool { return over })
	return answer, err
}

// consult asks the VPC's resolver, or the server that the step names.
func (w *World) consult(from *instance, r *scenario.Resolve, limit time.Duration, done func([]netip.Addr, error)) {
	q := question{name: r.Host, kind: dns.StringToType[r.Type], server: from.resolver(), tcp: r.Protocol == "tcp"}
	if r.Server == "" {
		w.query(from, q, limit, done)
		return
	}
	name, service, err := net.SplitHostPort(r.Server)
	port, bad := strconv.ParseUint(service, 10, 16)
	if err = errors.Join(err, bad); err != nil {
		done(nil, err)
		return
	}
	w.resolve(from, name, limit, func(addrs []netip.Addr, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		q.server = netip.AddrPortFrom(addrs[0], uint16(port))
		w.query(from, q, limit, done)
	})
}
