package capture_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
)

// lines are packets, and how they are described after the time.
func lines(t testing.TB) (packets []capture.Packet, want []string) {
	add := func(text, drop string, frame []byte) {
		packets = append(packets, capture.Packet{Interface: "i", Out: len(packets)%2 == 1, Drop: drop, Frame: frame})
		want = append(want, text)
	}
	of := func(s packet.Spec) []byte {
		f := packet.NewFrame()
		s.Build(f)
		return bytes.Clone(f.Ethernet())
	}
	tcp := ends("10.0.0.4:40000", "10.0.0.5:80")
	tcp.Proto, tcp.Flags, tcp.Seq, tcp.Window, tcp.MSS, tcp.Payload = packet.TCP, packet.SYN, 7, 512, 8365, nil
	tcp.Options = []byte{4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 3, 3, 7, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9}
	add("In  IP 10.0.0.4.40000 > 10.0.0.5.80: Flags [S], seq 7, win 512, options [mss 8365,sackOK,TS val 1 ecr 2,nop,wscale 7,sack 1 {1:9},eol], length 0", "", of(tcp))
	data := ends("[2001:db8::1]:40000", "[2001:db8::2]:80")
	data.Proto, data.Flags, data.Seq, data.Ack, data.Window = packet.TCP, packet.PSH|packet.ACK, 4294967295, 9, 1
	add("Out IP6 2001:db8::1.40000 > 2001:db8::2.80: Flags [P.], seq 4294967295:4, ack 9, win 1, length 5 (dropped: EndpointMTU)", "EndpointMTU", of(data))
	udp := ends("10.0.0.4:40000", "10.0.0.5:4000")
	udp.Proto = packet.UDP
	add("In  IP 10.0.0.4.40000 > 10.0.0.5.4000: UDP, length 5", "", of(udp))
	m := new(dns.Msg)
	m.SetQuestion("api.example.com.", dns.TypeA)
	m.Id = 77
	udp.Dst = ends("10.0.0.4:1", "10.0.0.2:53").Dst
	udp.Payload, _ = m.Pack()
	add("Out IP 10.0.0.4.40000 > 10.0.0.2.53: 77 A? api.example.com. (33)", "", of(udp))
	m.Response = true
	a, err := dns.NewRR("api.example.com. 60 IN A 10.0.1.9")
	if err != nil {
		t.Fatal(err)
	}
	m.Answer = []dns.RR{a}
	udp.Src, udp.Dst = udp.Dst, udp.Src
	udp.Payload, _ = m.Pack()
	add("In  IP 10.0.0.2.53 > 10.0.0.4.40000: 77 1/0/0 A 10.0.1.9 (64)", "", of(udp))
	udp.Payload = []byte("no DNS")
	add("Out IP 10.0.0.2.53 > 10.0.0.4.40000: UDP, length 6", "", of(udp))
	ping := ends("10.0.0.4:7", "10.0.0.5:7")
	ping.Proto, ping.Type = packet.ICMP, 8
	add("In  IP 10.0.0.4 > 10.0.0.5: ICMP echo request, id 7, seq 0, length 13", "", of(ping))
	f := packet.NewFrame()
	piece := ends("10.0.0.4:1", "10.0.0.5:2")
	piece.Proto, piece.Payload = packet.UDP, make([]byte, 100)
	piece.BuildFragment(f, 48, 96)
	add("Out IP 10.0.0.4 > 10.0.0.5: fragment of udp, length 48", "", f.Ethernet())
	add("In  ARP, Request who-has 10.0.0.1 tell 10.0.0.4, length 28", "", []byte{12: 8, 13: 6, 15: 1, 16: 8, 18: 6, 19: 4, 21: 1, 28: 10, 31: 4, 38: 10, 41: 1})
	add("Out ARP, Reply 10.0.0.4 is-at 02:00:00:00:00:09, length 28", "", []byte{12: 8, 13: 6, 15: 1, 16: 8, 18: 6, 19: 4, 21: 2, 22: 2, 27: 9, 28: 10, 31: 4, 41: 0})
	add("In  ethertype 0x88cc, length 16", "", []byte{12: 0x88, 13: 0xcc, 15: 0})
	add("Out truncated, length 3", "", []byte{1, 2, 3})
	return packets, want
}

// TestLine: packets in a line each, for people.
func TestLine(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC)
	packets, want := lines(t)
	for i := range packets {
		if got, want := packets[i].Line(at), "03:04:05.678901 i "+want[i]; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// TestLineAsTcpdump: what is said of TCP is what tcpdump says.
func TestLineAsTcpdump(t *testing.T) {
	if _, err := exec.LookPath("tcpdump"); err != nil {
		t.Skip("tcpdump is not installed")
	}
	packets, _ := lines(t)
	file := filepath.Join(t.TempDir(), "lines.pcapng")
	var b bytes.Buffer
	w := capture.NewPcapng(&b, time.Unix(0, 0), "")
	var want []string
	for i := range packets {
		if line := packets[i].Line(time.Time{}); strings.Contains(line, "Flags") {
			w.Packet(&packets[i])
			_, line, _ = strings.Cut(line, " IP")
			want = append(want, "IP"+strings.TrimSuffix(line, " (dropped: EndpointMTU)"))
		}
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("tcpdump", "-n", "-S", "-t", "-r", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	got := regexp.MustCompile(`(length \d+): HTTP`).ReplaceAllString(strings.TrimSpace(string(out)), "$1")
	if got != strings.Join(want, "\n") {
		t.Errorf("tcpdump says\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// TestSeenAgain: what a file says of a packet beside its bytes.
func TestSeenAgain(t *testing.T) {
	packets, _ := lines(t)
	var b bytes.Buffer
	w := capture.NewPcapng(&b, time.Unix(0, 0), "")
	for i := range packets {
		w.Packet(&packets[i])
	}
	all, err := readAll(b.Bytes())
	if err != nil || len(all) != len(packets) {
		t.Fatalf("%d records of %d packets, %v", len(all), len(packets), err)
	}
	for i := range all {
		p := all[i].Packet()
		if got, want := p.Line(time.Time{}), packets[i].Line(time.Time{}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// FuzzLine: whatever a frame is, it has a line.
func FuzzLine(f *testing.F) {
	packets, _ := lines(f)
	for i := range packets {
		f.Add(packets[i].Frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p := capture.Packet{Interface: "i", Frame: frame}
		if line := p.Line(time.Time{}); strings.ContainsAny(line, "\n\r\x1b") {
			t.Errorf("%q", line)
		}
	})
}
