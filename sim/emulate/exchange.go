package emulate

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/story"
)

// Exchange implements [story.World].
func (w *World) Exchange(ctx context.Context, x *scenario.Exchange) (story.Reply, error) {
	limit := x.Timeout.Duration()
	c := w.kept[x.Connection]
	if x.From != "" {
		if c != nil { // another takes its name
			_ = c.Close()
			delete(w.kept, x.Connection)
		}
		var err error
		if c, err = w.open(ctx, x); err != nil {
			return w.unanswered(ctx, x, err, x.To)
		}
		if x.Connection != "" {
			w.kept[x.Connection] = c
		} else {
			defer c.Close()
		}
	}
	if c == nil {
		return story.Reply{Failure: story.NeverOpened(x.Connection)}, nil
	}
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return story.Reply{}, err
	}
	// The end of ctx ends the wait.
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Now()) })()
	if x.Send != "" {
		if _, err := io.WriteString(c, x.Send); err != nil {
			return w.unanswered(ctx, x, err, c.RemoteAddr().String())
		}
	}
	buf := make([]byte, 64<<10)
	n, err := c.Read(buf)
	if err != nil {
		return w.unanswered(ctx, x, err, c.RemoteAddr().String())
	}
	return story.Reply{Body: string(buf[:n])}, ctx.Err()
}

// open connects.
func (w *World) open(ctx context.Context, x *scenario.Exchange) (net.Conn, error) {
	h, err := w.host(x.From)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, x.Timeout.Duration())
	defer cancel()
	d := &dialer{world: w, host: h}
	network := x.Protocol
	if network == "tls" {
		network = "tcp"
	}
	c, err := d.dial(ctx, network, x.To)
	if err != nil {
		return nil, err
	}
	if x.Keepalive != 0 {
		// A kernel counts whole seconds.
		every := (w.wall(x.Keepalive.Duration()) + time.Second - 1).Truncate(time.Second)
		if err := c.(*net.TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: every}); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	if x.Protocol != "tls" {
		return c, nil
	}
	return w.secure(ctx, c, x.To)
}

// secure speaks TLS over a connection to HOST:PORT, which it closes if that fails.
func (w *World) secure(ctx context.Context, c net.Conn, to string) (net.Conn, error) {
	config := w.ca.clientConfig()
	if config == nil {
		config = new(tls.Config)
	}
	config.ServerName, _, _ = net.SplitHostPort(to) // the step has been checked
	session := tls.Client(c, config)
	if err := session.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return session, nil
}

// unanswered says how an exchange failed.
func (w *World) unanswered(ctx context.Context, x *scenario.Exchange, err error, peer string) (story.Reply, error) {
	f := classify(err, peer, x.Timeout.Duration())
	switch {
	case errors.Is(err, io.EOF):
		f = story.ConnectionClosed(peer)
	case errors.Is(err, syscall.ECONNREFUSED) && x.Protocol == "udp":
		f = story.DatagramRefused(peer)
	}
	return story.Reply{Failure: f}, ctx.Err()
}
