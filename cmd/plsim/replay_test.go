package main

import (
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/plsim/plsim/dataplane/packet"
)

// pcap writes a capture of packets that are told in lines: pcap FILE LINES
//
//	SECONDS PROTOCOL SOURCE > DESTINATION [FLAGS] [seq=N] [mss=N] [len=N] [type=N] [cut=N]
//
// FLAGS are TCP's, of the letters SAFRP; cut is how much of the frame the capture has. A
// line such as "0.1 arp" is one that is no IP. The times count from 2026.
func pcap(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pcap FILE LINES")
	}
	f, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	w := pcapgo.NewWriterNanos(f)
	ts.Check(w.WriteFileHeader(65536, layers.LinkTypeEthernet))
	frame := packet.NewFrame()
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		ts.Check(packetOf(words, frame))
		at, err := strconv.ParseFloat(words[0], 64)
		ts.Check(err)
		began := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		data := frame.Ethernet()
		info := gopacket.CaptureInfo{Timestamp: began.Add(time.Duration(at * float64(time.Second))), Length: len(data), CaptureLength: len(data)}
		if last := words[len(words)-1]; strings.HasPrefix(last, "cut=") {
			info.CaptureLength, err = strconv.Atoi(last[4:])
			ts.Check(err)
		}
		ts.Check(w.WritePacket(info, data[:info.CaptureLength]))
	}
}

// packetOf builds the packet of a line.
func packetOf(words []string, frame *packet.Frame) error {
	if len(words) == 2 && words[1] == "arp" {
		frame.SetEthernet(append(make([]byte, 12), 8, 6, 0, 1))
		return nil
	}
	protocols := map[string]packet.Proto{"tcp": packet.TCP, "udp": packet.UDP, "icmp": packet.ICMP, "icmp6": packet.ICMPv6}
	if len(words) < 5 || words[3] != ">" || protocols[words[1]] == 0 {
		return fmt.Errorf("%q is no packet", words)
	}
	s := packet.Spec{Proto: protocols[words[1]], SrcMAC: packet.MAC{2, 1}, DstMAC: packet.MAC{2, 2}, DF: true}
	var err error
	if s.Src, err = netip.ParseAddrPort(words[2]); err != nil {
		return err
	}
	if s.Dst, err = netip.ParseAddrPort(words[4]); err != nil {
		return err
	}
	for _, word := range words[5:] {
		key, value, number := strings.Cut(word, "=")
		if !number {
			for i, letter := range "FSRPA" {
				if strings.ContainsRune(word, letter) {
					s.Flags |= 1 << i
				}
			}
			continue
		}
		n, err := strconv.Atoi(value)
		if err != nil {
			return err
		}
		switch key {
		case "seq":
			s.Seq = uint32(n)
		case "mss":
			s.MSS = uint16(n)
		case "len":
			s.Payload = make([]byte, n)
		case "type":
			s.Type = uint8(n)
		}
	}
	s.Build(frame)
	return nil
}
