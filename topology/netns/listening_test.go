package netns

import (
	"net/netip"
	"strings"
	"testing"
)

// TestHeard: what the kernel's tables of sockets, as a little-endian machine has them, say of an address.
func TestHeard(t *testing.T) {
	if a, _ := kernelAddr("0100007F:0050"); a != netip.MustParseAddrPort("127.0.0.1:80") {
		t.Skip("this machine has another order of bytes")
	}
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 101 1
   1: 0100007F:0051 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 102 1
   2: 0401000A:0052 0501000A:9C40 01 00000000:00000000 00:00000000 00000000     0        0 103 1
   3: 0401000A:0053 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 104 1
   4: 00000000000000000000000000000000:0054 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 105 1
`
	for at, want := range map[string]bool{
		"10.0.1.4:80": true, "[2001:db8::4]:80": false, // it listens for IPv4 alone
		"10.0.1.4:81": false,                      // for the instance itself alone
		"10.0.1.4:82": false,                      // a connection
		"10.0.1.4:83": true, "10.0.1.5:83": false, // at one address
		"10.0.1.4:84": true, "[2001:db8::4]:84": true,
		"10.0.1.4:85": false,
	} {
		if got := heard(strings.NewReader(table), netip.MustParseAddrPort(at)); got != want {
			t.Errorf("%s is listened to: %v, want %v", at, got, want)
		}
	}
}

func FuzzHeard(f *testing.F) {
	f.Add("0: 00000000:0050 00000000:0000 0A")
	f.Add("0: 00000000000000000000000000000000:0050 x 07")
	f.Add(": : : 0A\nx 123:1 y 0A")
	f.Fuzz(func(t *testing.T, table string) {
		if !strings.Contains(table, ":") && heard(strings.NewReader(table), netip.MustParseAddrPort("10.0.1.4:80")) {
			t.Error("something listens where no address is")
		}
	})
}
