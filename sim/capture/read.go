package capture

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"
)

// Record is a packet as a capture file has it.
type Record struct {
	Number    int // within its file, from 1
	Time      time.Time
	Interface string   // what the file calls the interface; "" where it does not say
	Out       bool     // it left the interface; false where the file does not say
	Comment   string   // the file's about the packet; of several the last
	Link      LinkType // what Data begins with
	Data      []byte   // valid until the next record is read
	Length    int      // of the packet; more than Data has where it was cut
}

// Cut reports whether the file has only the beginning of the packet.
func (r *Record) Cut() bool { return r.Length > len(r.Data) }

// FileError says where a file is broken.
type FileError struct {
	Packet int // after so many that are good
	Err    error
}

func (e *FileError) Error() string {
	if e.Packet == 0 {
		return fmt.Sprintf("the file is broken before its first packet: %v", e.Err)
	}
	return fmt.Sprintf("the file is broken after packet %d: %v", e.Packet, e.Err)
}

func (e *FileError) Unwrap() error { return e.Err }

// maxPacket is the longest packet that is read, as in tcpdump and Wireshark: what is
// longer is a broken length. A block of pcapng, maxBlock, has options beside it.
const (
	maxPacket = 256 << 10
	maxBlock  = 512 << 10
)

var (
	errNoCapture = errors.New("this is neither a pcap nor a pcapng file")
	errShort     = errors.New("it ends in the middle")
	errLength    = errors.New("a length is impossible")
)

// Reader reads the packets of a capture file: pcap, of either byte order and in micro-
// or nanoseconds, or pcapng. A Reader has one owner.
type Reader struct {
	from   *bufio.Reader
	format func() (*Record, error) // reads the next record
	order  binary.ByteOrder
	buf    []byte
	record Record
	err    error

	nano bool     // pcap: fractions of seconds are nanoseconds
	link LinkType // pcap

	nics []described // pcapng: the interfaces of the section
}

// NewReader returns a reader, or says that this is no capture.
func NewReader(from io.Reader) (*Reader, error) {
	r := &Reader{from: bufio.NewReader(from)}
	magic, err := r.from.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	switch {
	case len(magic) < 4:
		return nil, errNoCapture
	case le.Uint32(magic) == sectionHeader: // the same in both byte orders
		r.format = r.block
	case r.pcap(magic):
		r.format = r.packet
		if err := r.pcapHeader(); err != nil {
			return nil, err
		}
	default:
		return nil, errNoCapture
	}
	return r, nil
}

// Next returns the next packet, which is valid until the one after it, or io.EOF. What
// is broken is a *FileError, and stays so.
func (r *Reader) Next() (*Record, error) {
	if r.err != nil {
		return nil, r.err
	}
	good := r.record.Number
	rec, err := r.format()
	if err == nil {
		rec.Number = good + 1
		return rec, nil
	}
	r.err = err
	if !errors.Is(err, io.EOF) {
		r.err = &FileError{good, err}
	}
	return nil, r.err
}

// read reads n bytes, which are there until the next call.
func (r *Reader) read(n int) ([]byte, error) {
	if n < 0 || n > maxBlock {
		return nil, errLength
	}
	if n > cap(r.buf) {
		r.buf = make([]byte, n)
	}
	b := r.buf[:n]
	_, err := io.ReadFull(r.from, b)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errShort
	}
	return b, err
}

// rest reads n bytes that must be there.
func (r *Reader) rest(n int) ([]byte, error) {
	b, err := r.read(n)
	if errors.Is(err, io.EOF) {
		err = errShort
	}
	return b, err
}

// The beginnings of a pcap file, in the byte order of whoever wrote it.
const (
	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d
)

// pcap reports whether a file begins as pcap does, and notes how it is to be read.
func (r *Reader) pcap(magic []byte) bool {
	for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		if m := order.Uint32(magic); m == magicMicro || m == magicNano {
			r.order, r.nano = order, m == magicNano
			return true
		}
	}
	return false
}

func (r *Reader) pcapHeader() error {
	b, err := r.rest(24)
	if err != nil {
		return &FileError{0, err}
	}
	r.link = LinkType(r.order.Uint32(b[20:]) & 0xffff) // above it is about checksums of frames
	return nil
}

// packet reads a packet of a pcap file.
func (r *Reader) packet() (*Record, error) {
	b, err := r.read(16)
	if err != nil {
		return nil, err
	}
	fraction := time.Duration(r.order.Uint32(b[4:]))
	if !r.nano {
		fraction *= time.Microsecond
	}
	if fraction >= time.Second {
		return nil, errors.New("a time has more than a second's fraction")
	}
	at := time.Unix(int64(r.order.Uint32(b)), int64(fraction))
	return r.take(at, r.link, "", r.order.Uint32(b[8:]), r.order.Uint32(b[12:]))
}

// take reads the bytes of a packet, of which kept are there.
func (r *Reader) take(at time.Time, link LinkType, nic string, kept, length uint32) (*Record, error) {
	if kept > maxPacket {
		return nil, errLength
	}
	data, err := r.rest(int(kept))
	if err != nil {
		return nil, err
	}
	return r.fill(at, link, nic, data, length), nil
}

func (r *Reader) fill(at time.Time, link LinkType, nic string, data []byte, length uint32) *Record {
	r.record = Record{Number: r.record.Number, Time: at, Interface: nic, Link: link, Data: data, Length: int(length)}
	return &r.record
}
