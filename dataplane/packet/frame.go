package packet

// VnetLen is the length of the virtio-net header (struct virtio_net_hdr,
// without the mergeable-buffer count) that stands before each Ethernet frame.
const VnetLen = 10

const (
	headroom = Headroom + 32   // room for that, and for the longer header of IPv6
	maxFrame = 64<<10 + 18 + 8 // a 64 KiB superframe with its Ethernet header
)

// Frame is the memory of one Ethernet frame and of the virtio-net header in
// front of it. It is reused from packet to packet; views borrow from it. A
// Frame has one owner at a time.
type Frame struct {
	store      []byte
	start, end int // of virtio-net header plus Ethernet frame in store
}

// NewFrame returns an empty frame with room for a 64 KiB superframe.
func NewFrame() *Frame { return NewFrameOf(maxFrame) }

// NewFrameOf returns an empty frame with room for so many bytes of Ethernet frame. It
// is for carrying packets: what builds or lengthens them wants [NewFrame].
func NewFrameOf(size int) *Frame {
	f := &Frame{store: make([]byte, headroom+VnetLen+size)}
	f.Reset()
	return f
}

// NewFrames returns n empty frames like NewFrame's, for batches. Their memory is side by
// side: if each began a page of memory, as large pieces do, the headers of all would contend
// for a few places of the processor's cache.
func NewFrames(n int) []*Frame {
	const stride = (headroom+VnetLen+maxFrame+63)&^63 | 64 // bytes: an odd number of lines
	store, frames := make([]byte, n*stride), make([]Frame, n)
	all := make([]*Frame, n)
	for i := range all {
		all[i] = &frames[i]
		frames[i].store = store[i*stride:][:stride:stride]
		frames[i].Reset()
	}
	return all
}

// Reset empties f and clears its virtio-net header.
func (f *Frame) Reset() {
	f.start, f.end = headroom, headroom+VnetLen
	clear(f.store[f.start:f.end])
}

// Room returns all the memory that a device may read into: the virtio-net
// header first, then the Ethernet frame. SetLen must follow.
func (f *Frame) Room() []byte {
	f.start = headroom
	return f.store[f.start:]
}

// SetLen says how many bytes of Room were filled. A length below VnetLen
// leaves an empty Ethernet frame.
func (f *Frame) SetLen(n int) {
	if n < VnetLen {
		clear(f.store[f.start : f.start+VnetLen])
		n = VnetLen
	}
	f.end = f.start + n
}

// SetEthernet makes b the frame's Ethernet part, with an empty virtio-net
// header. Bytes past the longest frame are cut off.
func (f *Frame) SetEthernet(b []byte) {
	f.Reset()
	f.end += copy(f.store[f.end:], b)
}

// Vouch says that the frame's checksums are known to be right, so that nobody needs to
// verify those of the transport layer, as a device says that has verified them. A frame
// whose checksum is left to a device stays as it is.
func (f *Frame) Vouch() {
	if vnet := f.Vnet(); vnet[0]&vnetNeedsCsum == 0 {
		vnet[0] |= vnetDataValid
	}
}

// Ethernet returns the Ethernet frame.
func (f *Frame) Ethernet() []byte { return f.store[f.start+VnetLen : f.end : f.end] }

// Vnet returns the virtio-net header alone.
func (f *Frame) Vnet() []byte {
	return f.store[f.start : f.start+VnetLen : f.start+VnetLen]
}

// Bytes returns the virtio-net header and the Ethernet frame, as a device takes them.
func (f *Frame) Bytes() []byte { return f.store[f.start:f.end:f.end] }
