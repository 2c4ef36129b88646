package emulate

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/plsim/plsim/dataplane"
	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/metrics"
	"github.com/plsim/plsim/topology"
	"github.com/plsim/plsim/topology/netns"
)

// How long a TLS listener waits.
const (
	// handshakeLimit is for a handshake, in time of the wall: both ends are real.
	handshakeLimit = 10 * time.Second
	// answerLimit is for a target's SYN-ACK, in time of the lab (F2.48).
	answerLimit = 30 * time.Second
	// keepaliveEvery is the pause between keepalives to both ends, once one of
	// them sends some, in time of the lab (F2.46).
	keepaliveEvery = 20 * time.Second
	// portTries is how many source ports may be in use by the node's kernel: by a
	// listener, or in TIME_WAIT.
	portTries = 16
)

// terminator is the server of a TLS listener at one node: the end of its clients'
// connections (F2.8). Whom to connect to, and from which port, the walk says.
type terminator struct {
	topology.TLSListener
	world  *World
	ns     *netns.Namespace
	config *tls.Config
}

// openTLS starts a TLS listener, and returns what ends it.
func (w *World) openTLS(l topology.TLSListener) (stop func(), err error) {
	cert, err := w.ca.listenerCertificate(&l)
	if err != nil {
		return nil, err
	}
	t := &terminator{TLSListener: l, world: w, ns: w.nodes[l.Node.Index].ns}
	t.configure(cert)
	listener, err := t.ns.Listen("tcp", net.JoinHostPort("", strconv.Itoa(int(l.Port))))
	if err != nil {
		return nil, fmt.Errorf("load balancer %s: %w", l.Balancer, err)
	}
	w.wg.Go(func() { t.accept(w.life, listener) })
	return func() { listener.Close() }, nil
}

// configure makes the listener's certificate, versions and ALPN policy what its
// handshakes follow. A client that offers none of the policy's protocols gets a
// connection without ALPN.
func (t *terminator) configure(cert *tls.Certificate) {
	plain := &tls.Config{MinVersion: t.Versions[0], MaxVersion: t.Versions[1], Certificates: []tls.Certificate{*cert}}
	negotiating := plain.Clone()
	negotiating.NextProtos = t.Protocols
	t.config = plain.Clone()
	t.config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if slices.ContainsFunc(hello.SupportedProtos, func(p string) bool { return slices.Contains(t.Protocols, p) }) {
			return negotiating, nil
		}
		return plain, nil
	}
}

func (t *terminator) accept(ctx context.Context, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // closed
		}
		t.world.wg.Go(func() { t.serve(ctx, stream{c, c.(*net.TCPConn)}) })
	}
}

// serve is the life of one client's connection.
func (t *terminator) serve(ctx context.Context, client stream) {
	defer client.raw.Close()
	defer context.AfterFunc(ctx, func() { client.raw.Close() })()
	session := tls.Server(client.raw, t.config)
	client.Conn = session
	if err := shake(ctx, session); err != nil {
		if !errors.Is(err, io.EOF) { // that client wanted nothing
			t.misnegotiated(metrics.ClientTLSErrors)
		}
		return
	}
	call, target, err := t.connect(ctx, client.raw)
	if err != nil {
		client.reset()
		return
	}
	defer t.hangUp(call)
	defer target.raw.Close()
	defer context.AfterFunc(ctx, func() { target.raw.Close() })()
	if err := t.introduce(ctx, &target, call, session.ConnectionState().NegotiatedProtocol); err != nil {
		client.reset()
		return
	}
	p := &pair{client: client, target: target}
	over := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() { t.watch(p, over) })
	p.relay()
	close(over)
	watching.Wait()
}

// shake makes a handshake.
func shake(ctx context.Context, c *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeLimit)
	defer cancel()
	return c.HandshakeContext(ctx)
}

// connect connects to the target that the walk chooses.
func (t *terminator) connect(ctx context.Context, client *net.TCPConn) (call dataplane.Call, target stream, err error) {
	from, to := addrPort(client.RemoteAddr()), addrPort(client.LocalAddr())
	limit, cancel := context.WithTimeout(ctx, max(t.world.wall(answerLimit), leastPatience))
	defer cancel()
	for range portTries {
		why := drop.None
		err = t.world.Do(func(walk *dataplane.Walk, now clock.Time) { call, why = walk.Call(now, t.Node.Index, from, to) })
		if err != nil {
			return call, target, err
		}
		if why != drop.None {
			return call, target, errors.New(why.Explain())
		}
		var c net.Conn
		if c, err = t.ns.DialFrom(limit, call.Source, "tcp", call.Target.String()); err == nil {
			return call, stream{c, c.(*net.TCPConn)}, nil
		}
		t.hangUp(call)
		if !errors.Is(err, syscall.EADDRINUSE) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			break
		}
	}
	return call, target, err
}

func (t *terminator) hangUp(call dataplane.Call) {
	// It fails when the engine has stopped, with all its tables.
	_ = t.world.Do(func(walk *dataplane.Walk, now clock.Time) { walk.HangUp(now, t.Node.Index, call) })
}

// introduce sends what goes before the client's bytes: the PROXY protocol header
// (F2.35), and a handshake where the target group's protocol is TLS, which does
// not verify the target's certificate.
func (t *terminator) introduce(ctx context.Context, target *stream, call dataplane.Call, protocol string) error {
	if call.Header != nil {
		if _, err := target.raw.Write(call.Header); err != nil {
			return err
		}
	}
	if !call.TLS {
		return nil
	}
	config := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10}
	if protocol != "" {
		config.NextProtos = []string{protocol}
	}
	session := tls.Client(target.raw, config)
	if err := shake(ctx, session); err != nil {
		t.misnegotiated(metrics.TargetTLSErrors)
		return err
	}
	target.Conn = session
	return nil
}

// misnegotiated counts a handshake that failed.
func (t *terminator) misnegotiated(with metrics.Counter) {
	_ = t.world.Do(func(walk *dataplane.Walk, now clock.Time) { walk.Misnegotiated(now, t.Node.Index, with) }) // as hangUp
}

// watch ends a connection that the load balancer has forgotten (F2.44), and sends
// keepalives once one of the ends does (F2.46).
func (t *terminator) watch(p *pair, over <-chan struct{}) {
	from, to := addrPort(p.client.raw.RemoteAddr()), addrPort(p.client.raw.LocalAddr())
	alive := false
	for {
		var left time.Duration
		if t.world.Do(func(walk *dataplane.Walk, now clock.Time) { left = walk.Left(now, t.Node.Index, from, to) }) != nil {
			return // the end of the run closes the connections
		}
		if left <= 0 {
			// Nothing tells the client, whose next segment is reset by the walk (F2.45).
			p.target.reset()
			p.client.raw.Close()
			return
		}
		if !alive && p.hearsKeepalive() {
			alive = true
			p.keepAlive(t.world.wall(keepaliveEvery))
		}
		select {
		case <-over:
			return
		case <-time.After(max(t.world.wall(min(left, keepaliveEvery)), 10*time.Millisecond)):
		}
	}
}

// pair is a client's connection and that to its target.
type pair struct {
	client, target stream

	last [2]netns.Exchange // of the two sockets, at the last look
}

// hearsKeepalive reports whether an end has sent a keepalive since it was asked last: a
// segment without data, although nothing was there to be acknowledged. The kernel's counts
// say so, and nothing else does: what has come but is not passed on yet is in them, too.
func (p *pair) hearsKeepalive() (hears bool) {
	for i, s := range []stream{p.client, p.target} {
		now, err := netns.ExchangeOf(s.raw)
		if err != nil {
			now = netns.Exchange{} // it is closed, and has no state
		}
		was := p.last[i]
		p.last[i] = now
		bare := now.Bare - was.Bare
		now.Bare = was.Bare
		if now == was && now.State != 0 && now.Unacked == 0 && int32(bare) > 0 {
			hears = true
		}
	}
	return hears
}

// keepAlive makes the kernel send keepalives to both ends. It counts whole seconds
// of the wall.
func (p *pair) keepAlive(every time.Duration) {
	every = max(every.Round(time.Second), time.Second)
	for _, s := range []stream{p.client, p.target} {
		_ = s.raw.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: every}) // it may be closed
	}
}

// relay passes on what both ends send until both have finished, or one is gone.
func (p *pair) relay() {
	pass := func(to, from stream) {
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				if _, err := to.Write(buf[:n]); err != nil {
					from.reset()
					return
				}
			}
			switch {
			case err == nil:
			case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
				to.finish()
				return
			default:
				to.reset()
				from.reset()
				return
			}
		}
	}
	var both sync.WaitGroup
	both.Go(func() { pass(p.client, p.target) })
	both.Go(func() { pass(p.target, p.client) })
	both.Wait()
}

// stream is one of the two connections: its bytes in clear, and its socket.
type stream struct {
	net.Conn
	raw *net.TCPConn
}

// finish says that no more will come, and goes on reading.
func (s stream) finish() {
	if c, ok := s.Conn.(*tls.Conn); ok {
		_ = c.CloseWrite() // what fails shows at the next read
	}
	_ = s.raw.CloseWrite()
}

// reset ends the connection with a RST.
func (s stream) reset() {
	_ = s.raw.SetLinger(0) // it may be closed
	_ = s.raw.Close()
}
