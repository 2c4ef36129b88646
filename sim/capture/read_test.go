package capture_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/gopacket"
	"github.com/google/gopacket/layers"
	"github.com/google/gopacket/pcapgo"

	"github.com/plsim/plsim/dataplane/clock"
	"github.com/plsim/plsim/sim/capture"
)

// readAll reads a file to its end.
func readAll(file []byte) (all []capture.Record, err error) {
	r, err := capture.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return all, err
		}
		kept := *rec
		kept.Data = bytes.Clone(rec.Data)
		all = append(all, kept)
	}
}

// encode appends numbers of 16, 32 and 64 bits, and bytes as they are.
func encode(order binary.ByteOrder, all ...any) []byte {
	var b bytes.Buffer
	for _, n := range all {
		if err := binary.Write(&b, order, n); err != nil {
			panic(err)
		}
	}
	return b.Bytes()
}

func pcap(order binary.ByteOrder, magic uint32, link uint32, rest ...any) []byte {
	head := encode(order, magic, uint16(2), uint16(4), uint32(0), uint32(0), uint32(65536), link)
	return append(head, encode(order, rest...)...)
}

// block is a block of pcapng.
func block(order binary.ByteOrder, kind uint32, body ...any) []byte {
	b := encode(order, body...)
	n := uint32(len(b) + 12)
	return encode(order, kind, n, b, n)
}

func section(order binary.ByteOrder, blocks ...[]byte) []byte {
	head := block(order, 0x0a0d0d0a, uint32(0x1a2b3c4d), uint16(1), uint16(0), ^uint64(0))
	return append(head, bytes.Join(blocks, nil)...)
}

// TestReadPcap reads pcap of both byte orders and resolutions, as gopacket does.
func TestReadPcap(t *testing.T) {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		for magic, unit := range map[uint32]time.Duration{0xa1b2c3d4: time.Microsecond, 0xa1b23c4d: time.Nanosecond} {
			file := pcap(order, magic, 1,
				uint32(1767225600), uint32(7), uint32(5), uint32(5), []byte("hello"),
				uint32(1767225601), uint32(999), uint32(3), uint32(1500), []byte("cut"))
			got, err := readAll(file)
			if err != nil || len(got) != 2 {
				t.Fatalf("%v, %x: %d packets, %v", order, magic, len(got), err)
			}
			oracle, err := pcapgo.NewReader(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range got {
				data, info, err := oracle.ReadPacketData()
				if err != nil || !bytes.Equal(r.Data, data) || !r.Time.Equal(info.Timestamp) || r.Length != info.Length || r.Number != i+1 || r.Link != capture.Ethernet {
					t.Errorf("got %+v, want %q %+v, %v", r, data, info, err)
				}
			}
			if got[0].Cut() || !got[1].Cut() {
				t.Error("the second packet is the one that was cut")
			}
			if want := time.Unix(1767225600, int64(7*unit)); !got[0].Time.Equal(want) {
				t.Errorf("at %v, want %v", got[0].Time, want)
			}
		}
	}
}

// TestReadPcapng reads what plsim writes, what gopacket writes, and a file of two
// sections whose clocks count differently.
func TestReadPcapng(t *testing.T) {
	began := time.Unix(1767225600, 5)
	var own bytes.Buffer
	w := capture.NewPcapng(&own, began, "a comment")
	w.Packet(&capture.Packet{Time: clock.Time(time.Second), Interface: "consumer/app", Drop: "mtu", Frame: []byte("a frame")})
	got, err := readAll(own.Bytes())
	if err != nil || len(got) != 1 || got[0].Interface != "consumer/app" || string(got[0].Data) != "a frame" || !got[0].Time.Equal(began.Add(time.Second)) {
		t.Errorf("%+v, %v", got, err)
	}

	var other bytes.Buffer
	ng, err := pcapgo.NewNgWriterInterface(&other, pcapgo.NgInterface{Name: "eth0", LinkType: layers.LinkTypeRaw, SnapLength: 64}, pcapgo.DefaultNgWriterOptions)
	if err != nil {
		t.Fatal(err)
	}
	info := gopacket.CaptureInfo{Timestamp: began, CaptureLength: 3, Length: 99}
	if err := errors.Join(ng.WritePacket(info, []byte("abc")), ng.Flush()); err != nil {
		t.Fatal(err)
	}
	got, err = readAll(other.Bytes())
	if err != nil || len(got) != 1 || got[0].Link != capture.Raw || !got[0].Cut() || got[0].Interface != "eth0" || !got[0].Time.Equal(began) {
		t.Errorf("%+v, %v", got, err)
	}

	be, le := binary.BigEndian, binary.LittleEndian
	file := append(
		section(be, // without a resolution: microseconds
			block(be, 1, uint16(113), uint16(0), uint32(0)),
			block(be, 99, []byte("whatever")),
			block(be, 6, uint32(0), uint32(0), uint32(1500000), uint32(2), uint32(2), []byte("be\x00\x00"))),
		section(le, // halves of a second, that count from 100 s
			block(le, 1, uint16(1), uint16(0), uint32(0), uint16(9), uint16(1), []byte{0x81, 0, 0, 0}, uint16(14), uint16(8), int64(100), uint32(0)),
			block(le, 2, uint16(0), uint16(7), uint32(0), uint32(3), uint32(2), uint32(2), []byte("le\x00\x00")))...)
	got, err = readAll(file)
	if err != nil || len(got) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if string(got[0].Data) != "be" || got[0].Link != capture.LinuxSLL || got[0].Time.UnixMilli() != 1500 {
		t.Errorf("%+v", got[0])
	}
	if string(got[1].Data) != "le" || got[1].Link != capture.Ethernet || got[1].Time.UnixMilli() != 101500 || got[1].Number != 2 {
		t.Errorf("%+v", got[1])
	}
}

// TestBrokenFiles says where a file is broken, and of what.
func TestBrokenFiles(t *testing.T) {
	le := binary.LittleEndian
	one := []any{uint32(1), uint32(0), uint32(5), uint32(5), []byte("hello")}
	good := pcap(le, 0xa1b2c3d4, 1, one...)
	nic := block(le, 1, uint16(1), uint16(0), uint32(0))
	enhanced := func(id, kept uint32) []byte {
		return block(le, 6, id, uint32(0), uint32(0), kept, kept, []byte("data"))
	}
	for _, c := range []struct {
		name string
		file []byte
		good int
		want string
	}{
		{"empty", nil, 0, "this is neither a pcap nor a pcapng file"},
		{"text", []byte("not a capture"), 0, "this is neither a pcap nor a pcapng file"},
		{"header", good[:20], 0, "the file is broken before its first packet: it ends in the middle"},
		{"packet header", good[:30], 0, "the file is broken before its first packet: it ends in the middle"},
		{"second packet", append(bytes.Clone(good), good[24:43]...), 1, "the file is broken after packet 1: it ends in the middle"},
		{"no bytes of it", append(bytes.Clone(good), good[24:40]...), 1, "the file is broken after packet 1: it ends in the middle"},
		{"length", pcap(le, 0xa1b2c3d4, 1, uint32(1), uint32(0), uint32(1<<30), uint32(1)), 0, "a length is impossible"},
		{"fraction", pcap(le, 0xa1b23c4d, 1, uint32(1), uint32(2e9), uint32(0), uint32(0)), 0, "a time has more than a second's fraction"},
		{"interface", section(le, nic, enhanced(0, 4), enhanced(1, 4)), 1, "after packet 1: a packet is of an interface that is not described"},
		{"data", section(le, nic, enhanced(0, 5)), 0, "a length is impossible"},
		{"block", append(section(le, nic), 6, 0, 0, 0, 0, 0, 0, 0), 0, "a length is impossible"},
		{"end of block", append(section(le), 6, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0), 0, "a length is impossible"},
		{"byte order", encode(le, uint32(0x0a0d0d0a), uint32(28), uint32(1), uint32(0)), 0, "a section has no byte order"},
		{"version", block(le, 0x0a0d0d0a, uint32(0x1a2b3c4d), uint16(7), uint16(0), ^uint64(0)), 0, "a version of pcapng that nobody knows"},
		{"simple packet", section(le, nic, block(le, 3, uint32(4), []byte("data"))), 0, "packets without times"},
		{"clock", section(le, block(le, 1, uint16(1), uint16(0), uint32(0), uint16(9), uint16(1), []byte{20, 0, 0, 0})), 0, "a clock is finer than anybody can count"},
		{"time", section(le, nic, block(le, 6, uint32(0), ^uint32(0), uint32(0), uint32(0), uint32(0))), 0, "a time is out of range"},
	} {
		got, err := readAll(c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(got) != c.good {
			t.Errorf("%s: %d packets, %v; want %d, %s", c.name, len(got), err, c.good, c.want)
		}
		var broken *capture.FileError
		if errors.As(err, &broken) && broken.Packet != c.good {
			t.Errorf("%s: broken after %d", c.name, broken.Packet)
		}
	}
}

// TestEtherType finds the IP packet behind the headers of each link.
func TestEtherType(t *testing.T) {
	v4, v6 := []byte{0x45, 1}, []byte{0x60, 1}
	for _, c := range []struct {
		link capture.LinkType
		data []byte
		kind uint16
		rest []byte
	}{
		{capture.Ethernet, append([]byte{12: 8, 13: 0}, v4...), 0x0800, v4},
		{capture.Ethernet, []byte{12: 8}, 0, nil},
		{capture.LinuxSLL, append([]byte{14: 0x86, 15: 0xdd}, v6...), 0x86dd, v6},
		{capture.LinuxSL2, append([]byte{0: 8, 19: 0}, v4...), 0x0800, v4},
		{capture.Raw, v4, 0x0800, v4},
		{capture.RawIPv6, v6, 0x86dd, v6},
		{capture.RawBSD, []byte{0x10}, 0, nil},
		{capture.RawIPv4, nil, 0, nil},
		{127, v4, 0, nil},
	} {
		r := capture.Record{Link: c.link, Data: c.data}
		kind, rest := r.EtherType()
		if kind != c.kind || !bytes.Equal(rest, c.rest) {
			t.Errorf("%s %x: %04x %x", c.link, c.data, kind, rest)
		}
		if known := c.link != 127; c.link.Known() != known || !known && c.link.String() != "link type 127" {
			t.Errorf("%s: known %t", c.link, c.link.Known())
		}
	}
}

// FuzzReader: whatever a file holds, its packets can be written, and read again as they
// were.
func FuzzReader(f *testing.F) {
	le := binary.LittleEndian
	f.Add(pcap(le, 0xa1b2c3d4, 1, uint32(1), uint32(0), uint32(5), uint32(5), []byte("hello")))
	f.Add(pcap(binary.BigEndian, 0xa1b23c4d, 101, uint32(1), uint32(0), uint32(5), uint32(9), []byte("hello")))
	f.Add(section(le, block(le, 1, uint16(1), uint16(0), uint32(0), uint16(2), uint16(4), []byte("eth0"), uint16(9), uint16(1), []byte{9, 0, 0, 0}, uint16(14), uint16(8), int64(5), uint32(0)),
		block(le, 6, uint32(0), uint32(0), uint32(7), uint32(4), uint32(4), []byte("data"))))
	f.Fuzz(func(t *testing.T, file []byte) {
		first, err := readAll(file)
		var broken *capture.FileError
		if errors.As(err, &broken) && broken.Packet != len(first) {
			t.Errorf("broken after %d of %d packets", broken.Packet, len(first))
		}
		var again bytes.Buffer
		w := capture.NewPcapng(&again, time.Unix(0, 0), "")
		for i, r := range first {
			if r.Number != i+1 || len(r.Data) > len(file) {
				t.Fatalf("packet %d: %+v", i, r)
			}
			w.Packet(&capture.Packet{Time: clock.Time(r.Time.UnixNano()), Interface: r.Interface, Frame: r.Data})
		}
		second, err := readAll(again.Bytes())
		if err != nil || len(second) != len(first) {
			t.Fatalf("%d of %d packets, %v", len(second), len(first), err)
		}
		for i, r := range second {
			if was := first[i]; !r.Time.Equal(was.Time) || !bytes.Equal(r.Data, was.Data) || r.Interface != was.Interface {
				t.Fatalf("%s became %s", fmt.Sprint(was), fmt.Sprint(r))
			}
		}
	})
}
