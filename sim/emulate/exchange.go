package emulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim"
	"github.com/plsim/plsim/sim/scenario"
)

// Exchange implements [sim.World].
func (w *World) Exchange(ctx context.Context, x *scenario.Exchange) (sim.Reply, error) {
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
		return sim.Reply{Failure: sim.Failure{Kind: sim.Closed, Detail: "connection " + x.Connection + " was never opened"}}, nil
	}
	if err := c.SetDeadline(time.Now().Add(limit)); err != nil {
		return sim.Reply{}, err
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
	return sim.Reply{Body: string(buf[:n])}, ctx.Err()
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
	c, err := d.dial(ctx, x.Protocol, x.To)
	if err != nil || x.Keepalive == 0 {
		return c, err
	}
	// A kernel counts whole seconds.
	every := (w.wall(x.Keepalive.Duration()) + time.Second - 1).Truncate(time.Second)
	err = c.(*net.TCPConn).SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: every, Interval: every})
	return c, err
}

// unanswered says how an exchange failed.
func (w *World) unanswered(ctx context.Context, x *scenario.Exchange, err error, peer string) (sim.Reply, error) {
	f := classify(err, peer, x.Timeout.Duration())
	switch {
	case errors.Is(err, io.EOF):
		f = sim.Failure{Kind: sim.Closed, Detail: peer + " closed the connection (FIN)"}
	case errors.Is(err, syscall.ECONNREFUSED) && x.Protocol == "udp":
		f.Detail = fmt.Sprintf("%s refused the datagram (ICMP port unreachable)", peer)
	}
	return sim.Reply{Failure: f}, ctx.Err()
}
