package ppv2

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
	"pgregory.net/rapid"
)

// vector is a header that AWS sent (F2.37).
var vector = "0d0a0d0a000d0a515549540a" + "21" + "11" + "0054" +
	"c0a82c0a" + "c0a82c07" + "cc3e" + "241b" +
	"030004" + "b9286fa6" +
	"ea0017" + "01" + hex.EncodeToString([]byte("vpce-00eafc458ec97b833")) +
	"040024" + strings.Repeat("00", 36)

func captured() Header {
	return Header{
		Source:      netip.MustParseAddrPort("192.168.44.10:52286"),
		Destination: netip.MustParseAddrPort("192.168.44.7:9243"),
		EndpointID:  "vpce-00eafc458ec97b833",
	}
}

func put(h Header, size int) []byte {
	b := bytes.Repeat([]byte{0xff}, MaxSize)
	return b[:h.Put(b, size)]
}

// F2.36, F2.37, F2.38: AWS's own bytes, its checksum among them.
func TestCapturedHeader(t *testing.T) {
	if got := hex.EncodeToString(put(captured(), Size)); got != vector {
		t.Errorf("got  %s\nwant %s", got, vector)
	}
	b, _ := hex.DecodeString(vector)
	if h, err := Parse(b); err != nil || h != captured() {
		t.Errorf("read as %+v, %v", h, err)
	}
	// F2.38: the checksum covers every byte. But without its type there is none.
	for i := range b {
		if i == 28 {
			continue
		}
		b[i] ^= 0x40
		if h, err := Parse(b); err == nil {
			t.Errorf("byte %d changed, and it is read as %+v", i, h)
		}
		b[i] ^= 0x40
	}
}

func draw(t *rapid.T) (h Header, size int) {
	addr := func(v6 bool, label string) netip.AddrPort {
		n := 4
		if v6 {
			n = 16
		}
		a, _ := netip.AddrFromSlice(rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, label))
		return netip.AddrPortFrom(a, rapid.Uint16().Draw(t, label+" port"))
	}
	v6 := rapid.Bool().Draw(t, "IPv6")
	h = Header{Source: addr(v6, "source"), Destination: addr(v6, "destination")}
	size = Size
	if v6 {
		size = rapid.SampledFrom([]int{Size, WideSize}).Draw(t, "size")
	}
	if rapid.Bool().Draw(t, "private") {
		h.EndpointID = rapid.StringMatching(`vpce-[0-9a-f]{8}([0-9a-f]{9})?`).Draw(t, "endpoint")
	}
	return h, size
}

// Another implementation reads what is written here, and finds nothing beside it.
func TestOracle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h, size := draw(t)
		b := put(h, size)
		if len(b) != size {
			t.Fatalf("%d bytes, want %d (F2.37, F2.43)", len(b), size)
		}
		r := bufio.NewReader(bytes.NewReader(append(b, "GET /"...)))
		o, err := proxyproto.Read(r)
		if err != nil {
			t.Fatalf("%v: %x", err, b)
		}
		src, dst, ok := o.TCPAddrs()
		if !ok || src.AddrPort() != h.Source || dst.AddrPort() != h.Destination || !o.Command.IsProxy() || o.Version != 2 {
			t.Errorf("read as %+v", o)
		}
		tlvs, err := o.TLVs()
		if err != nil {
			t.Fatal(err)
		}
		id := ""
		for _, v := range tlvs {
			if tlvparse.IsAWSVPCEndpointID(v) {
				id, err = tlvparse.AWSVPCEndpointID(v)
			}
		}
		if err != nil || id != h.EndpointID {
			t.Errorf("endpoint %q, %v; want %q", id, err, h.EndpointID)
		}
		if rest, _ := r.Peek(5); string(rest) != "GET /" {
			t.Errorf("what follows is read as %q", rest)
		}
	})
}

// F2.41: a health check's header is skipped by whoever reads it.
func TestLocal(t *testing.T) {
	b := Local()
	if b[12] != 0x20 || len(b) != Size {
		t.Errorf("not a LOCAL header: %x", b)
	}
	r := bufio.NewReader(bytes.NewReader(append(b, "GET /"...)))
	o, err := proxyproto.Read(r)
	if err != nil || !o.Command.IsLocal() {
		t.Errorf("read as %+v, %v", o, err)
	}
	if rest, _ := r.Peek(5); string(rest) != "GET /" {
		t.Errorf("what follows is read as %q", rest)
	}
	if h, err := Parse(b); err != nil || !h.Local || h.EndpointID != "" {
		t.Errorf("read as %+v, %v", h, err)
	}
}

func TestPutRefuses(t *testing.T) {
	long := captured()
	long.EndpointID = strings.Repeat("x", 60)
	v6 := Header{Source: netip.MustParseAddrPort("[2001:db8::1]:1"), Destination: netip.MustParseAddrPort("[2001:db8::2]:2")}
	for _, tt := range []struct {
		name string
		h    Header
		room int
		size int
	}{
		{"no room", captured(), Size - 1, Size},
		{"too long to be padded", long, MaxSize, Size},
		{"longer than any header", captured(), 1000, MaxSize + 1},
		{"shorter than its content", captured(), MaxSize, 60},
		{"two bytes of padding", captured(), MaxSize, 63},
		{"shorter than its addresses", v6, MaxSize, 40},
		{"no size", captured(), MaxSize, 0},
	} {
		if n := tt.h.Put(make([]byte, tt.room), tt.size); n != 0 {
			t.Errorf("%s: wrote %d bytes", tt.name, n)
		}
	}
	if n := len(put(captured(), 61)); n != 61 {
		t.Errorf("a header without padding has %d bytes", n)
	}
}

func TestParseRefuses(t *testing.T) {
	good := put(captured(), Size)
	for name, spoil := range map[string]func(b []byte) []byte{
		"nothing":               func([]byte) []byte { return nil },
		"half of it":            func(b []byte) []byte { return b[:50] },
		"another protocol":      func([]byte) []byte { return []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n") },
		"version 3":             func(b []byte) []byte { b[12] = 0x31; return b },
		"datagrams":             func(b []byte) []byte { b[13] = 0x12; return b },
		"64 KiB":                func(b []byte) []byte { b[14] = 0xff; return b },
		"no room for addresses": func(b []byte) []byte { b[15] = 4; return b },
		"TLV past the end":      func(b []byte) []byte { b[29] = 1; return b },
		"half a TLV":            func(b []byte) []byte { b[15] = 14; return b },
		"short checksum":        func(b []byte) []byte { b[30] = 3; return b },
	} {
		if h, err := Parse(spoil(bytes.Clone(good))); err == nil {
			t.Errorf("%s: read as %+v", name, h)
		}
	}
}

// FuzzParse parses any bytes; what is understood is written again and read the same.
func FuzzParse(f *testing.F) {
	f.Add(put(captured(), Size))
	f.Add(Local())
	v6 := captured()
	v6.Source, v6.Destination = netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:2")
	f.Add(put(v6, WideSize))
	f.Add([]byte(signature + "\x20\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := Parse(b)
		if err != nil {
			return
		}
		again := put(h, MaxSize)
		if len(again) == 0 || !h.Source.IsValid() {
			return // it does not fit, or says nothing
		}
		if got, err := Parse(again); err != nil || got != h {
			t.Errorf("%+v is read again as %+v, %v", h, got, err)
		}
	})
}

// BenchmarkPut writes a header, which each connection costs once.
func BenchmarkPut(b *testing.B) {
	v6 := captured()
	v6.Source, v6.Destination = netip.MustParseAddrPort("[2001:db8::1]:1"), netip.MustParseAddrPort("[2001:db8::2]:2")
	for _, bc := range []struct {
		name string
		Header
		size int
	}{{"family=4", captured(), Size}, {"family=6", v6, WideSize}} {
		b.Run(bc.name, func(b *testing.B) {
			into := make([]byte, MaxSize)
			b.ReportAllocs()
			for b.Loop() {
				if bc.Put(into, bc.size) == 0 {
					b.Fatal("there is no such header")
				}
			}
		})
	}
}
