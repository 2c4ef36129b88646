package emulate

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/scenario"
	"github.com/plsim/plsim/sim/service"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/sim/traffic"
)

// streams sends or fetches all streams at once.
func (g *generator) streams(ctx, open context.Context) {
	var wg sync.WaitGroup
	for i := range g.Concurrency {
		wg.Go(func() { g.client(i).flood(ctx, open) })
	}
	wg.Wait()
	g.count(func(*story.Tally) { g.over = g.since() })
}

// chunk is how much a stream writes or reads at once.
const chunk = 64 << 10

// timedConn is the connection of bulk traffic. Each of its reads and writes has the
// timeout of the traffic.
type timedConn struct {
	net.Conn
	limit time.Duration
}

func (s timedConn) Read(b []byte) (int, error) {
	_ = s.SetReadDeadline(time.Now().Add(s.limit)) // a closed connection says so below
	return s.Conn.Read(b)
}

func (s timedConn) Write(b []byte) (int, error) {
	_ = s.SetWriteDeadline(time.Now().Add(s.limit))
	return s.Conn.Write(b)
}

// flood sends or fetches one stream, and counts what became of it.
func (c *client) flood(ctx, open context.Context) {
	began := time.Now()
	limit, cancel := context.WithTimeout(ctx, c.Timeout.Duration())
	defer cancel()
	d := &dialer{world: c.world, host: c.from}
	conn, err := d.dial(limit, "tcp", c.To)
	if err != nil {
		c.failed(err, d.peer(c.To))
		return
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	c.conn = timedConn{conn, c.Timeout.Duration()}
	c.in = bufio.NewReaderSize(c.conn, chunk)
	var instance string
	if c.Direction == scenario.Down {
		instance, err = c.fetch(open)
	} else {
		err = c.pour(open, conn)
	}
	if err != nil {
		c.failed(err, conn.RemoteAddr().String())
		return
	}
	c.succeed(instance, time.Since(began), 0)
}

// pour sends until the stream has its size, or open ends, and waits until the other side
// has read all of it, which its FIN says.
func (c *client) pour(open context.Context, conn net.Conn) error {
	drained := make(chan error, 1)
	go func() {
		n, err := io.Copy(io.Discard, struct{ io.Reader }{conn}) // what an echo says is no matter
		c.count(func(t *story.Tally) { t.BytesReceived += n })
		drained <- err
	}()
	buf := make([]byte, chunk)
	_, _ = io.ReadFull(service.Filler{}, buf) // it never fails
	for sent := 0; open.Err() == nil && (c.Size == 0 || sent < c.Size); {
		b := buf
		if c.Size > 0 {
			b = buf[:min(chunk, c.Size-sent)]
		}
		n, err := c.conn.Write(b)
		sent += n
		c.count(func(t *story.Tally) { t.BytesSent += int64(n) })
		if err != nil {
			return err
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil && !errors.Is(err, syscall.ENOTCONN) {
		return err
	}
	_ = conn.SetReadDeadline(time.Now().Add(c.Timeout.Duration()))
	return <-drained
}

// fetch asks for bytes until the stream has its size, or open ends. It returns who
// answered.
func (c *client) fetch(open context.Context) (instance string, err error) {
	for got := 0; open.Err() == nil && (c.Size == 0 || got < c.Size); {
		want := service.MaxBytes
		if c.Size > 0 {
			want = min(want, c.Size-got)
		}
		resp, err := c.send(traffic.DownPath(want), false)
		if err != nil {
			return instance, err
		}
		if resp.StatusCode != http.StatusOK {
			return instance, errors.New("it answered " + resp.Status)
		}
		instance = resp.Header.Get(service.InstanceHeader)
		n, err := c.drain(open, resp.Body)
		got += n
		switch {
		case err != nil:
			return instance, err
		case n == 0 && open.Err() == nil:
			return instance, errors.New("it answered nothing")
		}
	}
	return instance, nil
}

// drain reads to the end, or until open ends, and counts.
func (c *client) drain(open context.Context, r io.Reader) (sum int, err error) {
	buf := make([]byte, chunk)
	for open.Err() == nil {
		n, err := r.Read(buf)
		sum += n
		c.count(func(t *story.Tally) { t.BytesReceived += int64(n) })
		if errors.Is(err, io.EOF) {
			return sum, nil
		} else if err != nil {
			return sum, err
		}
	}
	return sum, nil
}
