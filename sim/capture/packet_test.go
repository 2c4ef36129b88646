package capture_test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
)

func ends(src, dst string) packet.Spec {
	return packet.Spec{Src: netip.MustParseAddrPort(src), Dst: netip.MustParseAddrPort(dst), TTL: 62, Payload: []byte("hello")}
}

// TestValues: what a packet can be asked for.
func TestValues(t *testing.T) {
	tcp, udp, icmp, piece := ends("10.0.0.4:40000", "10.0.0.5:80"), ends("[2001:db8::1]:5353", "[2001:db8::2]:53"), ends("10.0.0.4:7", "10.0.0.5:7"), ends("10.0.0.4:1", "10.0.0.5:2")
	tcp.Proto, tcp.Flags, tcp.Seq, tcp.Ack, tcp.Window, tcp.MSS = packet.TCP, packet.SYN|packet.ACK, 4294967295, 7, 512, 8365
	tcp.Options = []byte{1, 3, 3, 7, 4, 2, 1, 1}
	udp.Proto = packet.UDP
	icmp.Proto, icmp.Type = packet.ICMP, 8
	piece.Proto, piece.Payload = packet.UDP, make([]byte, 100)
	for _, c := range []struct {
		spec  packet.Spec
		piece bool
		want  string
	}{
		{tcp, false, "interface i, direction ingress, protocol tcp, srcaddr 10.0.0.4, srcport 40000, dstaddr 10.0.0.5, dstport 80, flags S., seq 4294967295, ack 7, window 512, mss 8365, ttl 62, length 57, 5 bytes of payload"},
		{udp, false, "interface i, direction ingress, protocol udp, srcaddr 2001:db8::1, srcport 5353, dstaddr 2001:db8::2, dstport 53, ttl 62, length 53, 5 bytes of payload"},
		{icmp, false, "interface i, direction ingress, protocol icmp, srcaddr 10.0.0.4, dstaddr 10.0.0.5, type 8, code 0, ttl 62, length 33, 5 bytes of payload"},
		{piece, true, "interface i, direction ingress, protocol udp, srcaddr 10.0.0.4, dstaddr 10.0.0.5, ttl 62, length 68, 48 bytes of payload"},
	} {
		f := packet.NewFrame()
		if c.piece {
			c.spec.BuildFragment(f, 48, 96)
		} else {
			c.spec.Build(f)
		}
		p := capture.Packet{Interface: "i", Frame: f.Ethernet()}
		if got := p.String(); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	arp := capture.Packet{Interface: "i", Out: true, Drop: "unanswered", Frame: []byte{12: 8, 13: 6, 60: 0}}
	if got := arp.String(); got != "interface i, direction egress, protocol arp, drop unanswered" {
		t.Error(got)
	}
	tcp.Flags = 0
	f := packet.NewFrame()
	tcp.Build(f)
	if v := (&capture.Packet{Frame: f.Ethernet()}).Values(); v["flags"] != "none" || v["payload"] != "hello" || v["drop"] != "" {
		t.Error(v)
	}
}

// FuzzValues: whatever a frame is, it can be described, by fields that are known.
func FuzzValues(f *testing.F) {
	for _, frame := range frames(20) {
		f.Add(frame)
	}
	known := map[string]bool{}
	for _, name := range capture.FieldNames() {
		known[name] = true
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		p := capture.Packet{Frame: frame}
		for name := range maps.Keys(p.Values()) {
			if !known[name] {
				t.Errorf("%s is no field", name)
			}
		}
	})
}

// recorded writes two packets to a file.
func recorded(to io.Writer) error {
	spec := ends("10.0.0.4:40000", "10.0.0.5:80")
	spec.Proto, spec.Flags = packet.TCP, packet.SYN
	f := packet.NewFrame()
	spec.Build(f)
	w := capture.NewPcapng(to, time.Unix(1_700_000_000, 5), "3 more")
	w.Interface("quiet")
	w.Packet(&capture.Packet{Time: 1, Interface: "consumer/app", Out: true, Frame: f.Ethernet()})
	w.Packet(&capture.Packet{Time: 2_000_000_000, Interface: "vpc_endpoint.api.us-east-1a", Drop: "endpoint_mtu", Frame: f.Ethernet()[:57]})
	return w.Close()
}

// TestPcapng: another implementation reads what is written.
func TestPcapng(t *testing.T) {
	var file bytes.Buffer
	if err := recorded(&file); err != nil {
		t.Fatal(err)
	}
	r, err := pcapgo.NewNgReader(&file, pcapgo.NgReaderOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []struct {
		at     int64
		length int
		name   string
	}{{1_700_000_000_000_000_006, 59, "consumer/app"}, {1_700_000_002_000_000_005, 57, "vpc_endpoint.api.us-east-1a"}} {
		data, about, err := r.ReadPacketData()
		if err != nil {
			t.Fatal(err)
		}
		nic, err := r.Interface(about.InterfaceIndex)
		if err != nil || nic.Name != want.name || nic.LinkType != layers.LinkTypeEthernet || about.Timestamp.UnixNano() != want.at || len(data) != want.length {
			t.Errorf("%v, %+v, %d bytes, at %d, %v", want, nic, len(data), about.Timestamp.UnixNano(), err)
		}
	}
	if _, _, err := r.ReadPacketData(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if r.SectionInfo().Application != "plsim" || r.NInterfaces() != 3 {
		t.Errorf("%+v, %d interfaces", r.SectionInfo(), r.NInterfaces())
	}
}

// TestPcapngInWireshark: direction and comment are understood there.
func TestPcapngInWireshark(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		t.Skip("tshark is not installed")
	}
	var file bytes.Buffer
	if err := recorded(&file); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "c.pcapng")
	if err := os.WriteFile(name, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(tshark, "-r", name, "-T", "fields", "-e", "frame.interface_name", "-e", "frame.packet_flags", "-e", "frame.comment").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := "consumer/app\t0x00000002\t\nvpc_endpoint.api.us-east-1a\t0x00000001\tdropped: endpoint_mtu\n"
	if got := string(out); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestPcapngError: what could not be written is said.
func TestPcapngError(t *testing.T) {
	if err := recorded(broken{}); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Error(err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }
