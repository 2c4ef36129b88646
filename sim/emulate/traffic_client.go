package emulate

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/traffic"
)

// client asks an HTTP service over a connection that it keeps, and opens again if it has
// to. Unlike [http.Client] it asks nothing twice: a reset is what a story wants to see.
type client struct {
	*generator
	from *host
	conn net.Conn // nil where there is none
	in   *bufio.Reader
}

// client returns the client of a number, without a connection yet.
func (g *generator) client(n int) *client {
	return &client{generator: g, from: g.senders[n%len(g.senders)]}
}

// ask sends one request, the connection's last or not, and counts what became of it. It
// returns whether it was answered.
func (c *client) ask(ctx context.Context, last bool) bool {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, c.Timeout.Duration())
	defer cancel()
	d := &dialer{world: c.world, host: c.from}
	if c.conn == nil {
		conn, err := d.dial(ctx, "tcp", c.To)
		if err != nil {
			c.failed(err, d.peer(c.To))
			return false
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	peer := c.conn.RemoteAddr().String()
	// The end of ctx ends the wait.
	release := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Now()) })
	resp, err := c.send(traffic.Path(c.Traffic), last)
	var n int64
	if err == nil {
		n, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if !release() || err != nil || resp.Close {
		c.close()
	}
	if err != nil {
		c.failed(err, peer)
		return false
	}
	c.succeed(resp.Header.Get(service.InstanceHeader), time.Since(began), n)
	return true
}

// errClosed is the end of a connection on which an answer was to come.
var errClosed = errors.New("closed")

// send sends a request and reads the head of the answer.
func (c *client) send(path string, last bool) (*http.Response, error) {
	req, err := http.NewRequest(http.MethodGet, "http://"+c.To+path, nil)
	if err != nil {
		return nil, err
	}
	req.Close = last
	if err := req.Write(c.conn); err != nil {
		return nil, err
	}
	if _, err := c.in.Peek(1); errors.Is(err, io.EOF) {
		return nil, errClosed
	} else if err != nil {
		return nil, err
	}
	return http.ReadResponse(c.in, req)
}

// close closes the connection, if there is one.
func (c *client) close() {
	if c.conn != nil {
		c.conn.Close()
		c.conn = nil
	}
}
