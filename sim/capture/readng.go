package capture

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"time"
)

// The blocks that are read beside those that are written.
const (
	obsoletePacketBlock = 2
	simplePacketBlock   = 3

	optTimeOffset = 14

	byteOrderMagic = 0x1a2b3c4d
)

// described is an interface as its block describes it.
type described struct {
	name   string
	link   LinkType
	snap   uint32 // the most that is kept of a packet; 0: all
	ticks  uint64 // of its clock in a second
	offset int64  // of its times, in seconds
}

// block reads blocks of a pcapng file up to the next packet.
func (r *Reader) block() (*Record, error) {
	for {
		b, err := r.read(8)
		if err != nil {
			return nil, err
		}
		kind, length := le.Uint32(b), [4]byte(b[4:])
		if kind == sectionHeader {
			if err := r.section(length); err != nil {
				return nil, err
			}
			continue
		}
		if r.order == nil {
			return nil, errNoCapture
		}
		body, err := r.body(r.order.Uint32(length[:]), 8)
		if err != nil {
			return nil, err
		}
		switch kind = r.order.Uint32([]byte{byte(kind), byte(kind >> 8), byte(kind >> 16), byte(kind >> 24)}); kind {
		case interfaceBlock:
			err = r.describe(body)
		case packetBlock, obsoletePacketBlock:
			return r.enhanced(body, kind)
		case simplePacketBlock:
			err = errors.New("it has packets without times")
		}
		if err != nil {
			return nil, err
		}
	}
}

// body reads what is left of a block after its first bytes, and returns it without the
// length that ends it.
func (r *Reader) body(length uint32, after int) ([]byte, error) {
	if length > maxBlock || length%4 != 0 || int(length) < after+4 {
		return nil, errLength
	}
	b, err := r.rest(int(length) - after)
	if err != nil {
		return nil, err
	}
	if end := b[len(b)-4:]; r.order.Uint32(end) != length {
		return nil, errLength
	}
	return b[:len(b)-4], nil
}

// section begins a section, which has a byte order and interfaces of its own.
func (r *Reader) section(length [4]byte) error {
	b, err := r.rest(4)
	if err != nil {
		return err
	}
	switch {
	case le.Uint32(b) == byteOrderMagic:
		r.order = binary.LittleEndian
	case be.Uint32(b) == byteOrderMagic:
		r.order = binary.BigEndian
	default:
		return errors.New("a section has no byte order")
	}
	body, err := r.body(r.order.Uint32(length[:]), 12)
	if err != nil {
		return err
	}
	if len(body) < 4 || r.order.Uint16(body) != 1 {
		return errors.New("it is of a version of pcapng that nobody knows here")
	}
	r.nics = nil
	return nil
}

// describe reads an interface description.
func (r *Reader) describe(b []byte) error {
	if len(b) < 8 {
		return errLength
	}
	nic := described{link: LinkType(r.order.Uint16(b)), snap: r.order.Uint32(b[4:]), ticks: 1e6}
	var err error
	r.options(b[8:], func(code uint16, value []byte) {
		switch {
		case code == optIfName:
			nic.name = string(value)
		case code == optTimestamp && len(value) == 1:
			if nic.ticks = ticks(value[0]); nic.ticks == 0 {
				err = errors.New("a clock is finer than anybody can count")
			}
		case code == optTimeOffset && len(value) == 8:
			nic.offset = int64(r.order.Uint64(value))
		}
	})
	r.nics = append(r.nics, nic)
	return err
}

// ticks returns how many units of a clock a second has: a power of ten or, with the
// highest bit, of two. It is 0 where that does not fit.
func ticks(resolution byte) uint64 {
	if exponent := resolution &^ 0x80; resolution&0x80 != 0 {
		return 1 << exponent
	}
	if resolution > 19 {
		return 0
	}
	n := uint64(1)
	for range resolution {
		n *= 10
	}
	return n
}

// options calls f for each option. What comes after a broken one is left out.
func (r *Reader) options(b []byte, f func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := r.order.Uint16(b), int(r.order.Uint16(b[2:]))
		if code == 0 || n > len(b)-4 {
			return
		}
		f(code, b[4:4+n])
		b = b[min(len(b), 4+(n+3)/4*4):]
	}
}

// enhanced reads a packet.
func (r *Reader) enhanced(b []byte, kind uint32) (*Record, error) {
	if len(b) < 20 {
		return nil, errLength
	}
	id := r.order.Uint32(b)
	if kind == obsoletePacketBlock {
		id = uint32(r.order.Uint16(b)) // the other half counts packets that were lost
	}
	if uint64(id) >= uint64(len(r.nics)) {
		return nil, errors.New("a packet is of an interface that is not described")
	}
	nic := &r.nics[id]
	at, err := nic.time(uint64(r.order.Uint32(b[4:]))<<32 | uint64(r.order.Uint32(b[8:])))
	if err != nil {
		return nil, err
	}
	kept, data := r.order.Uint32(b[12:]), b[20:]
	if kept > maxPacket || int(kept) > len(data) {
		return nil, errLength
	}
	rec := r.fill(at, nic.link, nic.name, data[:kept], r.order.Uint32(b[16:]))
	r.options(data[min(len(data), (int(kept)+3)/4*4):], func(code uint16, value []byte) {
		switch {
		case code == optComment:
			rec.Comment = string(value)
		case code == optFlags && len(value) == 4:
			rec.Out = r.order.Uint32(value)&3 == outbound
		}
	})
	return rec, nil
}

// time is what an interface's clock means.
func (d *described) time(stamp uint64) (time.Time, error) {
	seconds, rest := stamp/d.ticks, stamp%d.ticks
	hi, lo := bits.Mul64(rest, 1e9)
	nano, _ := bits.Div64(hi, lo, d.ticks)
	// The nanoseconds since 1970 must fit, as they do until 2262.
	if limit := uint64(math.MaxInt64 / 1_000_000_000); seconds >= limit || d.offset < 0 && -d.offset > int64(seconds) || d.offset > 0 && uint64(d.offset) >= limit-seconds {
		return time.Time{}, errors.New("a time is out of range")
	}
	return time.Unix(int64(seconds)+d.offset, int64(nano)), nil
}
