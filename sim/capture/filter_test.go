package capture_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/pcapgo"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
)

// filters are such that tcpdump understands, too.
var filters = []string{
	"", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "not ip", "!ip6", "not not tcp",
	"host 10.0.1.10", "src host 10.0.1.10", "dst 10.0.1.50", "src or dst host 10.0.1.50", "src and dst host 10.0.1.10",
	"ip host 10.0.1.10", "arp host 10.0.1.10", "host 2001:db8::1", "ip6 src host 2001:db8::2", "src 2001:db8::1",
	"net 10.0.1.0/24", "src net 10.0.0.0/8", "net 10.0", "net 10", "net 10.0.1.0 mask 255.255.255.0", "net 2001:db8::/32", "dst net 0.0.0.0/0", "net 10.0.1.8/29",
	"port 80", "tcp port 80", "udp port 80", "src port 80", "tcp dst port 80", "portrange 50-90", "udp portrange 50-90", "src portrange 40000-40010",
	"src or dst port 80", "src and dst port 80",
	"tcp port 80 or 443", "port (80 or 443)", "tcp port (80 or 8080) and host 10.0.1.10", "host (10.0.1.10 or 10.0.1.50)", "port 80 or 443 and 40000", "not port 80 and 443",
	"tcp or udp and port 80", "udp and port 80 or tcp", "not tcp or udp", "not (tcp or udp)", "tcp && !port 80 || icmp", "(tcp or udp) and (src port 80 or dst port 80)",
	"((tcp)) and ((((port 80))))",
	"tcp[tcpflags] & tcp-syn != 0", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[13] == 2", "tcp[13] = 18", "tcp[tcpflags] == tcp-syn|tcp-ack", "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
	"(tcp[13] & 2) != 0", "(tcp[13] & 2 != 0)", "(tcp[13] & 2 != 0) and port 80", "not tcp[13] & 2 != 0", "tcp[0:2] = 80", "tcp[4:4] > 1000", "0 != tcp[13] & 2", "tcp[2:2] - tcp[0:2] > 100",
	"port 80 and tcp[((tcp[12:1] & 0xf0) >> 2):4] = 0x00070e15", "tcp port 80 and ip and ip[2:2] - ((ip[0]&0xf)<<2) - ((tcp[12]&0xf0)>>2) != 0",
	"ip[8] < 64", "ip[8] = 64 or ip6[7] = 64", "ip6[6] = 6", "ip[6:2] & 0x1fff = 0", "ip[9] = 6", "ether[12:2] = 0x800", "arp[7] = 1", "arp[6:2] = 2",
	"udp[4:2] > 20", "icmp[icmptype] = icmp-echo", "icmp[icmptype] != icmp-echoreply", "icmp[0] = 3 and icmp[1] = 3", "icmp6[0] = 128", "icmp6[icmp6type] = icmp6-echo",
	"less 60", "greater 100", "len > 60", "len <= 74", "len - 14 > 60", "len = ip[2:2] + 14", "len / 2 > 40", "len % 2 = 0", "len * 2 >= 200",
	"2 + 3 * 4 = 14", "1 | 2 & 1 = 1", "4 & 4 | 2 = 6", "1 << 2 + 1 = 8", "1 + 1 << 2 = 8", "8 - 2 - 1 = 5", "6 & 3 = 2", "5 ^ 1 = 4", "7 & 3 ^ 1 = 2",
	"tcp[13] << 31 > 0",
	"tcp[60] = 0", "not tcp[60] = 0", "ip or tcp[60] = 0", "tcp[1000] = 0 or not ip", "ip[100:4] = 0 or tcp", "ether[100] = 9 or ip6",
	"proto 6", "ip proto 17", "ip6 proto 17", "ip proto \\tcp", "ip6 proto 58", "ip proto 1", "proto 17 and port 80",
	"0 - 1 = 0xffffffff", "tcp[13] & 2 > 0 and len / (tcp[13] & 2) > 10", "not ip6 and tcp[13] > 0 and 20 / (tcp[13] & 2) > 0", "7 % 4 * 2 = 7", "2 * 7 % 4 = 6", "1 ^ 3 & 2 = 3", "tcp[tcp[12]] = 0",
}

// addresses and ports of the packets.
var (
	addrs4  = []string{"10.0.1.10", "10.0.1.50", "10.9.1.5", "192.168.0.1"}
	addrs6  = []string{"2001:db8::1", "2001:db8::2", "fd00::1"}
	numbers = []uint16{80, 443, 8080, 40000, 40005, 53, 22}
)

// frames makes packets of all kinds.
func frames(n int) [][]byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	one := func(of []uint16) uint16 { return of[rnd.IntN(len(of))] }
	var all [][]byte
	for len(all) < n {
		addrs, v6 := addrs4, rnd.IntN(3) == 0
		if v6 {
			addrs = addrs6
		}
		end := func() netip.AddrPort {
			return netip.AddrPortFrom(netip.MustParseAddr(addrs[rnd.IntN(len(addrs))]), one(numbers))
		}
		s := packet.Spec{Src: end(), Dst: end(), TTL: uint8(62 + rnd.IntN(3)), Proto: packet.TCP, ID: uint16(rnd.Uint32())}
		s.Payload = make([]byte, rnd.IntN(80))
		for i := range s.Payload {
			s.Payload[i] = byte(i * 7)
		}
		switch rnd.IntN(5) {
		case 0:
			s.Proto = packet.UDP
		case 1:
			s.Proto = map[bool]packet.Proto{false: packet.ICMP, true: packet.ICMPv6}[v6]
			s.Type, s.Code = []uint8{0, 3, 8, 128, 129}[rnd.IntN(5)], uint8(rnd.IntN(4))
		default:
			s.Flags = packet.Flags(rnd.IntN(64))
			s.Seq, s.MSS = rnd.Uint32()>>rnd.IntN(32), uint16(rnd.IntN(2)*8961)
		}
		f := packet.NewFrame()
		switch rnd.IntN(6) {
		case 0:
			s.Payload = append(s.Payload, make([]byte, 100)...)
			from := rnd.IntN(2) * 48
			s.BuildFragment(f, from, from+48)
		case 1:
			s.Build(f)
			b := f.Ethernet()
			all = append(all, bytes.Clone(b[:min(len(b), 58+rnd.IntN(20))])) // cut off
			continue
		case 2:
			b := make([]byte, 42)
			copy(b[12:], []byte{8, 6, 0, 1, 8, 0, 6, 4, 0, byte(1 + rnd.IntN(2))})
			copy(b[28:], netip.MustParseAddr(addrs4[rnd.IntN(4)]).AsSlice())
			copy(b[38:], netip.MustParseAddr(addrs4[rnd.IntN(4)]).AsSlice())
			all = append(all, b)
			continue
		default:
			s.Build(f)
		}
		all = append(all, bytes.Clone(f.Ethernet()))
	}
	return all
}

// TestFiltersMeanWhatTheyMeanToTcpdump: the same packets match.
func TestFiltersMeanWhatTheyMeanToTcpdump(t *testing.T) {
	tcpdump, err := exec.LookPath("tcpdump")
	if err != nil {
		t.Skip("tcpdump is not installed")
	}
	all := frames(600)
	var file bytes.Buffer
	w := capture.NewPcapng(&file, time.Unix(0, 0), "")
	for i, frame := range all {
		w.Packet(&capture.Packet{Time: clock.Time(i) * clock.Time(time.Second), Interface: "any", Frame: frame})
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, text := range filters {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			f, err := capture.ParseFilter(text)
			if err != nil {
				t.Fatal(err)
			}
			var got []int
			for i, frame := range all {
				if f.Match(frame) {
					got = append(got, i)
				}
			}
			want, err := matched(tcpdump, file.Bytes(), text)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%d packets match here, %d in tcpdump\nhere  %v\nthere %v", len(got), len(want), got, want)
			}
		})
	}
}

// matched returns the numbers of the packets that tcpdump finds.
func matched(tcpdump string, file []byte, filter string) (found []int, err error) {
	cmd := exec.Command(tcpdump, "-r", "-", "-w", "-", filter)
	cmd.Stdin = bytes.NewReader(file)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, said.String())
	}
	r, err := pcapgo.NewReader(bytes.NewReader(out))
	if err != nil {
		return nil, err
	}
	for {
		_, about, err := r.ReadPacketData()
		if errors.Is(err, io.EOF) {
			return found, nil
		}
		if err != nil {
			return nil, err
		}
		found = append(found, int(about.Timestamp.Unix()))
	}
}

// TestFilterErrors: a mistake is named with its place.
func TestFilterErrors(t *testing.T) {
	for _, c := range []struct{ filter, near, want string }{
		{"tcp prot 80", "prot", `"prot" does not belong here: join tests with and or or`},
		{"prot 80", "prot", `"prot" is not a test: one begins with host, net, port`},
		{"tcp port", "", "the filter ends where a port is missing"},
		{"tcp and", "", "the filter ends where a test is missing, such as port 80"},
		{"(tcp or udp", "", "the filter ends where ) is missing"},
		{"(tcp udp)", "udp", `expected ), found "udp"`},
		{"port 80000", "80000", `"80000" is no port: write a number from 0 to 65535`},
		{"port http", "http", `"http" is no port`},
		{"portrange 80", "80", `"80" is no range of ports: write FIRST-LAST`},
		{"host example.com", "example.com", `"example.com" is no address: names are not looked up here`},
		{"ip host 2001:db8::1", "2001:db8::1", "2001:db8::1 is no address of ip"},
		{"tcp host 10.0.0.1", "10.0.0.1", "tcp goes with ports, not with a host: write tcp and host"},
		{"icmp port 80", "80", "icmp has no ports: write tcp, udp or nothing before port"},
		{"net 10.0.0.1/16", "10.0.0.1", "10.0.0.1/16 has bits beyond its length: did you mean 10.0.0.0/16?"},
		{"net 10.0.0.0/33", "33", "a network of 10.0.0.0 has a length of 0 to 32"},
		{"net 10.0.0.0 mask 255.0.255.0", "255.0.255.0", `"255.0.255.0" is no mask of a network`},
		{"net ten", "ten", `"ten" is no network: write one such as 10.0.0.0/16`},
		{"tcp[13] & 2", "", "this is a number, which must be compared"},
		{"len", "", "this is a number, which must be compared"},
		{"tcp[13", "", "the filter ends where ] is missing"},
		{"tcp[0:3] = 1", "3", "3 is no size: 1, 2 or 4 bytes make a number"},
		{"tcp[tcp-sin] = 1", "tcp-sin", `expected a number, found "tcp-sin"`},
		{"len / 0 = 1", "0", "nothing can be divided by 0"},
		{"len << 32 = 1", "32", "a number has 32 bits"},
		{"less x", "x", `expected a number, found "x"`},
		{"src proto 6", "6", "write proto, ip proto or ip6 proto before the number"},
		{strings.Repeat("(", 100) + "tcp" + strings.Repeat(")", 100), "(", "the filter is nested too deeply"},
		{strings.Repeat(" ", 5000), "", "the filter is longer than 4096 characters"},
	} {
		_, err := capture.ParseFilter(c.filter)
		var e *capture.FilterError
		if !errors.As(err, &e) || !strings.HasPrefix(e.Msg, c.want) || e.Near != c.near || !strings.HasPrefix(c.filter[e.At:], e.Near) {
			t.Errorf("%.40q: %v near %q, want %s near %q", c.filter, err, e.Near, c.want, c.near)
		}
	}
}

// FuzzFilter: whatever is written, and whatever is looked at, there is an answer.
func FuzzFilter(f *testing.F) {
	for _, text := range filters {
		f.Add(text, []byte{8: 1, 12: 8, 13: 0, 14: 0x45, 60: 1})
	}
	f.Fuzz(func(t *testing.T, text string, frame []byte) {
		filter, err := capture.ParseFilter(text)
		var e *capture.FilterError
		switch {
		case err == nil:
			filter.Match(frame)
		case !errors.As(err, &e) || e.At > len(text):
			t.Errorf("%q: %v", text, err)
		}
	})
}
