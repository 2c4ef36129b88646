package emulate

import (
	"net"
	"testing"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

// connected returns both ends of a connection.
func connected(t *testing.T) (near, far *net.TCPConn) {
	t.Helper()
	l, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	near, err = net.DialTCP("tcp", nil, l.Addr().(*net.TCPAddr))
	if err != nil {
		t.Fatal(err)
	}
	far, err = l.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []*net.TCPConn{near, far} {
		if err := c.SetKeepAlive(false); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
	}
	return near, far
}

// TestHearsKeepalive: of all that an end may send, a keepalive alone is taken for one, also
// while nobody has yet read what has come (F2.46).
func TestHearsKeepalive(t *testing.T) {
	client, app := connected(t)
	target, service := connected(t)
	p := &pair{client: stream{client, client}, target: stream{target, target}}

	// settle awaits what the near end of a connection says of it.
	settle := func(c *net.TCPConn, settled func(netns.Exchange) bool) {
		t.Helper()
		for began := time.Now(); ; time.Sleep(time.Millisecond) {
			e, err := netns.ExchangeOf(c)
			if err != nil || time.Since(began) > 10*time.Second {
				t.Fatalf("%+v: %v", e, err)
			}
			if settled(e) {
				return
			}
		}
	}
	quiet := func(what string) {
		t.Helper()
		for range 2 {
			if p.hearsKeepalive() {
				t.Fatalf("%s is taken for a keepalive", what)
			}
		}
	}
	write := func(c *net.TCPConn, s string) {
		t.Helper()
		if _, err := c.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	quiet("the handshake")
	write(app, "question")
	settle(app, func(e netns.Exchange) bool { return e.Unacked == 0 })
	quiet("data that is not read yet")
	write(target, "question")
	settle(target, func(e netns.Exchange) bool { return e.Unacked == 0 })
	quiet("an acknowledgement")
	established, err := netns.ExchangeOf(client)
	if err != nil {
		t.Fatal(err)
	}
	if err := app.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	settle(client, func(e netns.Exchange) bool { return e.State != established.State })
	quiet("a FIN")

	if err := service.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second}); err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); !p.hearsKeepalive(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 10*time.Second {
			t.Fatal("a keepalive is not heard")
		}
	}
}
