package netns

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// Listens reports whether a socket of the namespace takes what comes to an address and
// port of it. Network is tcp or udp. It sends nothing.
func (n *Namespace) Listens(network string, at netip.AddrPort) (listens bool, err error) {
	err = n.Do(func() error {
		for _, table := range []string{network, network + "6"} {
			f, err := os.Open("/proc/thread-self/net/" + table)
			if os.IsNotExist(err) {
				continue // a kernel without IPv6
			}
			if err != nil {
				return fmt.Errorf("%s: read its sockets: %w", n.cfg.Name, err)
			}
			listens = listens || heard(f, at)
			_ = f.Close() // it was only read
		}
		return nil
	})
	return listens, err
}

// The states of sockets in the kernel's tables.
const (
	listening   = "0A" // TCP_LISTEN
	unconnected = "07" // TCP_CLOSE, which is what UDP calls it
)

// heard looks through a table of the kernel's, such as /proc/net/tcp, for a socket that
// listens at an address, or at all.
func heard(table io.Reader, at netip.AddrPort) bool {
	for lines := bufio.NewScanner(table); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) < 4 || f[3] != listening && f[3] != unconnected {
			continue
		}
		local, ok := kernelAddr(f[1])
		if !ok || local.Port() != at.Port() {
			continue
		}
		// A socket of IPv6 that listens at all takes IPv4, too, unless it was told not to.
		if a := local.Addr().Unmap(); a.IsUnspecified() && (a.Is6() || at.Addr().Is4()) || a == at.Addr() {
			return true
		}
	}
	return false
}

// kernelAddr reads an address as the kernel's tables have it: words of 32 bits in the
// order of this machine, and the port, in hexadecimal digits.
func kernelAddr(text string) (netip.AddrPort, bool) {
	digits, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(digits)
	n, perr := strconv.ParseUint(port, 16, 16)
	if err != nil || perr != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.BigEndian.PutUint32(b[i:], binary.NativeEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a, uint16(n)), ok
}
