package capture

import (
	"encoding/binary"
	"io"
	"time"
)

// Pcapng writes packets in the format of Wireshark's captures
// (draft-ietf-opsawg-pcapng): one section, an interface description for each
// interface, and packets with their direction and, where they were dropped, a comment
// that says why. Its first error stays.
type Pcapng struct {
	to    io.Writer
	began time.Time
	ids   map[string]uint32 // of interfaces
	err   error
}

// The blocks and options that are written.
const (
	sectionHeader  = 0x0a0d0d0a
	interfaceBlock = 1
	packetBlock    = 6

	optComment   = 1
	optShbUser   = 4
	optIfName    = 2
	optTimestamp = 9
	optFlags     = 2

	inbound, outbound = 1, 2 // in optFlags

	linkEthernet = 1
)

// droppedAs begins the comment of a packet that was dropped.
const droppedAs = "dropped: "

var le = binary.LittleEndian

// NewPcapng begins a file, of packets whose times count from a moment. The comment, if
// any, is about all of it.
func NewPcapng(to io.Writer, began time.Time, comment string) *Pcapng {
	w := &Pcapng{to: to, began: began, ids: map[string]uint32{}}
	b := le.AppendUint32(nil, 0x1a2b3c4d)         // byte order
	b = le.AppendUint16(le.AppendUint16(b, 1), 0) // version
	b = le.AppendUint64(b, ^uint64(0))            // length of the section: unknown
	b = option(b, optShbUser, []byte("plsim"))
	if comment != "" {
		b = option(b, optComment, []byte(comment))
	}
	w.block(sectionHeader, b)
	return w
}

// Interface adds an interface to the file, unless it is there.
func (w *Pcapng) Interface(name string) {
	if _, known := w.ids[name]; known {
		return
	}
	w.ids[name] = uint32(len(w.ids))
	b := le.AppendUint16(le.AppendUint16(nil, linkEthernet), 0)
	b = le.AppendUint32(b, 0) // no limit of length
	b = option(b, optIfName, []byte(name))
	w.block(interfaceBlock, option(b, optTimestamp, []byte{9})) // nanoseconds
}

// Packet adds a packet.
func (w *Pcapng) Packet(p *Packet) {
	w.Interface(p.Interface)
	at := uint64(w.began.Add(time.Duration(p.Time)).UnixNano())
	b := le.AppendUint32(nil, w.ids[p.Interface])
	b = le.AppendUint32(le.AppendUint32(b, uint32(at>>32)), uint32(at))
	b = le.AppendUint32(le.AppendUint32(b, uint32(len(p.Frame))), uint32(len(p.Frame)))
	direction := uint32(inbound)
	if p.Out {
		direction = outbound
	}
	options := option(nil, optFlags, le.AppendUint32(nil, direction))
	if p.Drop != "" {
		options = option(options, optComment, []byte(droppedAs+p.Drop))
	}
	w.block(packetBlock, append(pad(append(b, p.Frame...)), options...))
}

// Close ends the file, and returns what went wrong. It does not close the writer.
func (w *Pcapng) Close() error { return w.err }

// block writes a block whose body ends with options.
func (w *Pcapng) block(kind uint32, body []byte) {
	if w.err != nil {
		return
	}
	n := uint32(12 + len(body) + 4)
	b := append(le.AppendUint32(le.AppendUint32(nil, kind), n), body...)
	b = le.AppendUint32(b, 0) // end of options
	_, w.err = w.to.Write(le.AppendUint32(b, n))
}

// option appends an option.
func option(b []byte, code uint16, value []byte) []byte {
	b = le.AppendUint16(le.AppendUint16(b, code), uint16(len(value)))
	return pad(append(b, value...))
}

// pad fills up to a multiple of four bytes.
func pad(b []byte) []byte {
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}
