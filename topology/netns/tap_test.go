package netns_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology/netns"
)

var (
	own    = []byte{0x02, 0, 0, 0, 0, 0x0a} // eth0 of lab
	router = []byte{0x02, 0, 0, 0, 0, 0x01}
)

const (
	arp  = 0x0806
	ipv4 = 0x0800
)

func ethertype(b []byte) int {
	if len(b) < 14 {
		return 0
	}
	return int(binary.BigEndian.Uint16(b[12:]))
}

// answerARP makes the answer to an ARP request (RFC 826): what was asked for is
// at the router.
func answerARP(request []byte) []byte {
	b := bytes.Clone(request)
	copy(b[0:], request[6:12])
	copy(b[6:], router)
	b[21] = 2 // reply
	copy(b[22:], router)
	copy(b[28:], request[38:42])
	copy(b[32:], request[22:32])
	return b
}

// The instance pings its router, and the test is the router: ARP, then an ICMP
// echo request, whose answer ping reports.
func TestEcho(t *testing.T) {
	n := newNamespace(t, lab("echo"))
	f := newFabric(t, n)
	var out bytes.Buffer
	p, err := n.Start(ctx, netns.Cmd{Argv: []string{"python3", "-c", pinger}, Stdout: &out, Stderr: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	var request []byte
	f.await(t, func(fr *packet.Frame) bool { request = bytes.Clone(fr.Ethernet()); return ethertype(request) == arp })
	if !bytes.Equal(request[6:12], own) || !bytes.Equal(request[38:42], []byte{10, 0, 1, 1}) {
		t.Fatalf("ARP request from %x for %v", request[6:12], request[38:42])
	}
	f.send(t, answerARP(request))
	f.await(t, func(fr *packet.Frame) bool {
		b := fr.Ethernet()
		if ethertype(b) != ipv4 || b[23] != 1 {
			return false
		}
		if !bytes.Equal(b[0:6], router) {
			t.Errorf("the echo request goes to %x, not to the router", b[0:6])
		}
		reply := bytes.Clone(b)
		copy(reply[0:], b[6:12])
		copy(reply[6:], b[0:6])
		copy(reply[26:], b[30:34])
		copy(reply[30:], b[26:30])
		reply[34] = 0 // echo reply; the type is the high byte of a word of the sum
		sum := uint32(binary.BigEndian.Uint16(reply[36:])) + 8<<8
		binary.BigEndian.PutUint16(reply[36:], uint16(sum+sum>>16))
		f.send(t, reply)
		return true
	})
	if code, err := p.Wait(); code != 0 || err != nil || out.String() != "10.0.1.1 hello\n" {
		t.Errorf("ping: %d, %v, %q", code, err, out.String())
	}
}

// pinger uses a ping socket, which ping_group_range opens to everyone.
const pinger = `
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
s.settimeout(5)
s.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1) + b"hello", ("10.0.1.1", 0))
data, peer = s.recvfrom(100)
print(peer[0], data[8:].decode())
`

// A TCP stream between two instances crosses the fabric as superframes whose
// checksums and segments are left to whoever needs them.
func TestOffloads(t *testing.T) {
	server := lab("offloads/server")
	server.MAC, server.Addrs = packet.MAC{2, 0, 0, 0, 0, 0x0b}, []netip.Prefix{netip.MustParsePrefix("10.0.1.11/24")}
	server.Gateways = server.Gateways[:1]
	a, b := newNamespace(t, lab("offloads/client")), newNamespace(t, server)
	stop, biggest := make(chan struct{}), make(chan superframe, 1)
	go func() { biggest <- hub(t, []engine.Port{a.Port(), b.Port()}, stop) }()

	l, err := b.Listen("tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	sum := make(chan int64, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			sum <- -1
			return
		}
		got, _ := io.Copy(io.Discard, c)
		_ = c.Close()
		sum <- got
	}()
	c, err := a.Dial(ctx, "tcp", "10.0.1.11:80")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	const size = 8 << 20
	if _, err := c.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	if got := <-sum; got != size {
		t.Errorf("the server got %d bytes of %d", got, size)
	}
	close(stop)
	// The virtio-net header: flags, GSO type, header length, segment size.
	s := <-biggest
	if s.len <= 9001 || s.vnet[0]&1 == 0 || s.vnet[1]&0x7f != 1 || binary.NativeEndian.Uint16(s.vnet[4:]) != 8949 {
		t.Errorf("the largest frame has %d bytes and the virtio-net header %x", s.len, s.vnet)
	}
}

type superframe struct {
	len  int
	vnet [packet.VnetLen]byte
}

// hub passes every frame on to all other ports, until stop is closed, and
// returns the largest that it saw.
func hub(t *testing.T, ports []engine.Port, stop chan struct{}) (biggest superframe) {
	p, err := netns.NewPoller()
	if err != nil {
		t.Error(err)
		return biggest
	}
	defer p.Close()
	go func() { <-stop; p.Wake() }()
	for i, port := range ports {
		if err := p.Add(i, port); err != nil {
			t.Error(err)
			return biggest
		}
	}
	f := packet.NewFrame()
	var ready []int
	for {
		if ready, err = p.Wait(ready[:0], -1); err != nil {
			t.Error(err)
			return biggest
		}
		select {
		case <-stop:
			return biggest
		default:
		}
		for _, i := range ready {
			if ok, err := ports[i].Recv(f); err != nil || !ok {
				t.Errorf("Recv on a ready port: %v, %v", ok, err)
				return biggest
			}
			if n := len(f.Ethernet()); n > biggest.len {
				biggest.len = n
				copy(biggest.vnet[:], f.Vnet())
			}
			for j, port := range ports {
				if j != i {
					if _, err := port.Send(f); err != nil {
						t.Error(err)
						return biggest
					}
				}
			}
		}
	}
}

// A port outlives what people do to eth0.
func TestPortErrors(t *testing.T) {
	n := newNamespace(t, lab("errors"))
	tap := n.Port().(*netns.TAP)
	f := packet.NewFrame()
	f.SetEthernet(make([]byte, 60))
	f.Vnet()[1] = 0x7f // no kind of superframe
	if ok, err := tap.Send(f); !ok || err != nil || tap.Rejected() != 1 {
		t.Errorf("Send of a bad header: %v, %v, rejected %d", ok, err, tap.Rejected())
	}
	f.SetEthernet(make([]byte, 60))
	if _, err := n.Output(ctx, "ip", "link", "set", "eth0", "down"); err != nil {
		t.Fatal(err)
	}
	if ok, err := tap.Send(f); ok || !errors.Is(err, engine.ErrDown) {
		t.Errorf("Send while eth0 is down: %v, %v", ok, err)
	}
	for { // what was sent before
		ok, err := tap.Recv(f)
		if err != nil {
			t.Fatalf("Recv while eth0 is down: %v", err)
		}
		if !ok {
			break
		}
	}
	if _, err := n.Output(ctx, "ip", "link", "del", "eth0"); err != nil {
		t.Fatal(err)
	}
	f.SetEthernet(make([]byte, 60))
	if _, err := tap.Send(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Send without eth0: %v", err)
	}
	if _, err := tap.Recv(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Recv without eth0: %v", err)
	}
	for range 2 {
		if err := tap.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := tap.Recv(f); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Recv after Close: %v", err)
	}
}

func TestPoller(t *testing.T) {
	n := newNamespace(t, lab("poller"))
	p, err := netns.NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	ready, err := p.Wait([]int{3}, 0)
	if err != nil || len(ready) != 1 || ready[0] != 3 {
		t.Errorf("Wait without ports: %v, %v", ready, err)
	}
	start := time.Now()
	if _, err := p.Wait(nil, 1500*time.Microsecond); err != nil || time.Since(start) < 1500*time.Microsecond {
		t.Errorf("Wait returned after %v, %v", time.Since(start), err)
	}
	woken := make(chan error)
	go func() {
		_, err := p.Wait(nil, -1)
		woken <- err
	}()
	p.Wake()
	if err := <-woken; err != nil {
		t.Errorf("Wait: %v", err)
	}
	if err := p.Add(0, otherPort{}); err == nil {
		t.Error("a foreign port was added")
	}
	if err := p.Add(0, n.Port()); err != nil {
		t.Error(err)
	}
	if err := p.Add(1, n.Port()); err == nil {
		t.Error("a port was added twice")
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
	p.Wake()
	if _, err := p.Wait(nil, -1); !errors.Is(err, os.ErrClosed) {
		t.Errorf("Wait after Close: %v", err)
	}
}

type otherPort struct{ engine.Port }

// The packet path allocates nothing: an ARP request goes in, the kernel's answer
// comes out.
func TestNoAllocations(t *testing.T) {
	n := newNamespace(t, lab("allocations"))
	f := newFabric(t, n)
	request := make([]byte, 42)
	copy(request, "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01"+
		"\x02\x00\x00\x00\x00\x01\x0a\x00\x01\x01\x00\x00\x00\x00\x00\x00\x0a\x00\x01\x0a")
	frame, ready := packet.NewFrame(), make([]int, 0, 4)
	answers := 0
	allocations := testing.AllocsPerRun(100, func() {
		frame.SetEthernet(request)
		if ok, err := f.port.Send(frame); !ok || err != nil {
			t.Errorf("Send: %v, %v", ok, err)
		}
		f.poller.Wake()
		var err error
		if ready, err = f.poller.Wait(ready[:0], time.Second); err != nil {
			t.Error(err)
		}
		for {
			ok, err := f.port.Recv(frame)
			if err != nil {
				t.Error(err)
			}
			if !ok {
				break
			}
			if b := frame.Ethernet(); ethertype(b) == arp && b[21] == 2 {
				answers++
			}
		}
	})
	if allocations != 0 || answers < 100 {
		t.Errorf("%v allocations a packet, %d answers", allocations, answers)
	}
}
