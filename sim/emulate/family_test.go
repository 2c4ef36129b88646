package emulate

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plsim/plsim/sim/scenario"
)

// TestAcrossFamilies: what kernels send to targets of the other address family
// arrives whole, both ways: not a byte of a large stream changes, no kernel finds a
// wrong checksum, superframes stay whole, and datagrams come back (F1.52, F2.27).
func TestAcrossFamilies(t *testing.T) {
	w, l := newWorld(t, echoes)
	client, err := w.host("app")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, to string }{
		{"IPv6 to IPv4", "[${vpc_endpoint.echo.ipv6_address.us-east-1a}]:4"},
		{"IPv4 to IPv6", "${vpc_endpoint.echo.private_ip.us-east-1a}:6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			to, err := scenario.Expand(l.Lab, tt.to)
			if err != nil {
				t.Fatal(err)
			}
			dial := func(network string) net.Conn {
				c, err := client.ns.Dial(t.Context(), network, to)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { c.Close() })
				return c
			}
			stream := dial("tcp")
			before := counters(t, w)
			const size = 64 << 20
			sent, received := sha256.New(), sha256.New()
			go func() {
				src := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
				_, _ = io.CopyBuffer(struct{ io.Writer }{io.MultiWriter(sent, stream)}, src, make([]byte, 1<<20))
				_ = stream.(*net.TCPConn).CloseWrite()
			}()
			n, err := io.Copy(received, stream)
			if err != nil || n != size || !bytes.Equal(sent.Sum(nil), received.Sum(nil)) {
				t.Errorf("%d bytes of %d came back (%v), the same: %t", n, size, err, bytes.Equal(sent.Sum(nil), received.Sum(nil)))
			}
			after := counters(t, w)
			if _, ok := after["TcpInCsumErrors"]; !ok {
				t.Error("the kernels' counters cannot be read")
			}
			for name, n := range after {
				if strings.HasSuffix(name, "InCsumErrors") && n != 0 {
					t.Errorf("%s is %d", name, n)
				}
			}
			for _, name := range []string{"provider/echo", "consumer/app"} {
				frames := after[name+" frames"] - before[name+" frames"]
				if frames == 0 || size/frames < 2*9001 {
					t.Errorf("%s got %d frames for %d bytes: these are no superframes", name, frames, size)
				}
			}

			for _, n := range []int{0, 1, 1400, 8392} { // the last are packets of 8440 bytes of IPv6
				d := dial("udp")
				datagram := bytes.Repeat([]byte{byte(n), 7}, n)[:n]
				got := make([]byte, n+1)
				if _, err := d.Write(datagram); err != nil {
					t.Fatal(err)
				}
				if m, err := d.Read(got); err != nil || !bytes.Equal(got[:m], datagram) {
					t.Errorf("a datagram of %d bytes came back with %d (%v)", n, m, err)
				}
			}
		})
	}
}

// counters reads what the kernels of all instances of echoes have counted: frames received,
// and the counters of /proc/net/snmp and snmp6, added up.
func counters(t *testing.T, w *World) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	for _, name := range []string{"provider/echo", "consumer/app", "consumer/near"} {
		x, err := w.Exec(t.Context(), &scenario.Exec{In: name, Command: []string{"cat", "/proc/net/snmp", "/proc/net/snmp6", "/proc/net/dev"}, Timeout: scenario.Duration(10 * time.Second)})
		if err != nil || x.Code != 0 {
			t.Fatal(err, x.Stderr)
		}
		var names []string // of a protocol: the fields of its first line
		for line := range strings.Lines(x.Stdout) {
			f := strings.Fields(line)
			switch {
			case len(f) > 2 && f[0] == "eth0:":
				all[name+" frames"], _ = strconv.ParseUint(f[2], 10, 64)
			case len(f) == 2:
				n, _ := strconv.ParseUint(f[1], 10, 64)
				all[f[0]] += n
			case len(names) == len(f) && names[0] == f[0]:
				for i := range f[1:] {
					n, _ := strconv.ParseUint(f[i+1], 10, 64)
					all[strings.TrimSuffix(f[0], ":")+names[i+1]] += n
				}
			}
			names = f
		}
	}
	return all
}
