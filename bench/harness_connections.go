package bench

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

// Connections that live for a byte cost their ends more than they cost most middles. So
// both ends are loops of one thread: goroutines that wake each other would be measured
// instead of the path.

const (
	// atATime is how many connections connect has open.
	atATime = 4
	// patience is how long connect waits for anything at all to happen.
	patience = 5 * time.Second
)

// connect opens connections, each for one byte, and resets them: a run that left
// thousands in TIME_WAIT would be the next one's burden, since a new connection
// that meets one of them is lost for a second, which says nothing of the middle.
func (r *request) connect() (a reply, err error) {
	to, err := netip.ParseAddrPort(r.To)
	if err != nil {
		return a, err
	}
	loop, err := netns.NewLoop()
	if err != nil {
		return a, err
	}
	defer loop.Close()
	began := time.Now()
	open := 0
	for left := r.Connections; left > 0 || open > 0; {
		for ; open < atATime && left > 0; left-- {
			c, err := loop.Dial(to)
			if err != nil {
				return a, err
			}
			if err := c.ResetAtEnd(); err != nil {
				return a, err
			}
			open++
		}
		events, err := loop.Wait(patience)
		if err == nil && len(events) == 0 {
			err = fmt.Errorf("%d connections wait for an answer, after %s", open, patience)
		}
		if err != nil {
			return a, err
		}
		for _, c := range events {
			over, err := ask(c)
			if err != nil {
				return a, err
			}
			if over {
				open--
			}
		}
	}
	a.Elapsed = time.Since(began)
	return a, nil
}

// ask asks for a byte on a connection that has been made, and closes one that has it.
func ask(c netns.Event) (over bool, err error) {
	if !c.Readable {
		_, err := c.Write(header(opByte, 0, 0))
		return false, err
	}
	switch n, err := c.Read(make([]byte, 1)); {
	case err != nil:
		return true, err
	case n == 0:
		return true, errors.New("a connection was closed without an answer")
	}
	return true, c.Close()
}

// accept serves connections for a byte, and hands all others over with the header that
// they began with.
func accept(l *net.TCPListener, other func(*os.File, [headerLen]byte)) error {
	loop, err := netns.NewLoop()
	if err != nil {
		return err
	}
	defer loop.Close()
	listener, err := loop.Add(l)
	if err != nil {
		return err
	}
	defer listener.Close()
	for {
		events, err := loop.Wait(-1)
		if err != nil {
			return err
		}
		for _, c := range events {
			if c.Socket != listener {
				greet(loop, c.Socket, other)
			} else if _, _, err := loop.Accept(listener); err != nil {
				return err
			}
		}
	}
}

// greet reads a header, which is short enough to come in one piece, and answers one that
// asks for a byte. All else ends the connection, as its client does afterwards: it is the
// client that tells of errors.
func greet(loop *netns.Loop, c netns.Socket, other func(*os.File, [headerLen]byte)) {
	var h [headerLen]byte
	n, err := c.Read(h[:])
	switch {
	case err != nil || n != headerLen:
		_ = c.Close()
	case h[0] == opByte:
		_, _ = c.Write(h[:1])
	default:
		if f, err := loop.Release(c); err == nil {
			other(f, h)
		}
	}
}
