package emulate

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"

	"github.com/plsim/plsim/dataplane/ppv2"
)

// proxied is a listener whose connections begin with a PROXY protocol header.
type proxied struct{ net.Listener }

func (l proxied) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &proxiedConn{Conn: c}, nil
}

// proxiedConn reads the header before the first byte that anyone reads. A stream
// that begins with something else is reset.
type proxiedConn struct {
	net.Conn
	once   sync.Once
	header ppv2.Header
	err    error
}

func (c *proxiedConn) Read(b []byte) (int, error) {
	c.once.Do(c.begin)
	if c.err != nil {
		return 0, c.err
	}
	return c.Conn.Read(b)
}

func (c *proxiedConn) begin() {
	if c.header, c.err = readProxyHeader(c.Conn); c.err == nil {
		return
	}
	if t, ok := c.Conn.(interface{ SetLinger(seconds int) error }); ok {
		_ = t.SetLinger(0)
	}
	c.Close() // an answer would say that someone had understood
}

// readProxyHeader reads a header to its last byte, and no further.
func readProxyHeader(r io.Reader) (ppv2.Header, error) {
	b := make([]byte, ppv2.Prefix, ppv2.Size)
	if _, err := io.ReadFull(r, b); err != nil {
		return ppv2.Header{}, err
	}
	n, err := ppv2.Length(b)
	if err != nil {
		return ppv2.Header{}, err
	}
	b = append(b, make([]byte, n-ppv2.Prefix)...)
	if _, err := io.ReadFull(r, b[ppv2.Prefix:]); err != nil {
		return ppv2.Header{}, err
	}
	return ppv2.Parse(b)
}

// connKey is the context key of a request's connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// introduced returns what stood before the request's connection; nil if nothing did.
func introduced(ctx context.Context) *ppv2.Header {
	c := ctx.Value(connKey{})
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	if p, ok := c.(*proxiedConn); ok {
		return &p.header
	}
	return nil
}
