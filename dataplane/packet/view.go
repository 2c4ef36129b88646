package packet

// Proto is an IP protocol number.
type Proto uint8

// The protocols that a VPC carries here.
const (
	ICMP   Proto = 1
	TCP    Proto = 6
	UDP    Proto = 17
	ICMPv6 Proto = 58
)

// Flags are the TCP flags of RFC 9293 section 3.1, without CWR and ECE, by which
// nothing is decided: a SYN that asks for ECN is a SYN.
type Flags uint8

// TCP flags.
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG

	allFlags = FIN | SYN | RST | PSH | ACK | URG
)

// Kind is what a frame carries.
type Kind uint8

// The kinds.
const (
	KindIP       Kind = iota // IPv4 or IPv6
	KindARP                  // an ARP request for View.Target
	KindNeighbor             // an IPv6 neighbour solicitation for View.Target
)

// View is one decoded frame. It borrows the frame's memory and is valid only
// until the frame is reused. Numbers are in host byte order. They say what the
// frame was when it was decoded: [View.Apply] changes the frame, not them.
type View struct {
	frame   *Frame
	eth     []byte // the Ethernet frame
	l4      int    // offset of the transport header in eth; 0: there is none
	data    int    // offset of the transport payload in eth
	partial bool   // the checksum field holds only the pseudo-header's sum

	Kind           Kind
	V6             bool
	SrcMAC, DstMAC MAC
	Src, Dst       Addr // of ARP: the sender's and the asked-for protocol address
	Target         Addr // the address asked for; KindARP and KindNeighbor only
	Proto          Proto
	TTL            uint8
	// SrcPort and DstPort are TCP or UDP ports. An ICMP echo request or reply
	// has its identifier in both, so that a reply is the mirror of its
	// request; any other ICMP message has 0.
	SrcPort, DstPort uint16
	Type, Code       uint8  // ICMP and ICMPv6 only
	Flags            Flags  // TCP only
	Seq              uint32 // TCP only; part of the load balancer's flow hash (F2.14)
	MSS              uint16 // TCP SYN only; 0 where the option is absent

	// Fragment says that the frame holds a piece of a packet, whose transport layer
	// begins at Offset bytes in the packet's, and More whether others follow. ID is
	// the packet's identification. Where Offset is not 0, the piece has no transport
	// header: no ports, type or flags.
	Fragment, More bool
	Offset         int
	ID             uint32

	// Len is the IP packet's length in bytes, 0 for ARP. A superframe (TCP or
	// UDP segmentation offload) stands for Segments packets on the wire, the
	// largest of MaxLen bytes and all together of WireLen bytes, each with its
	// headers. Any other frame stands for itself.
	Len, MaxLen, WireLen int
	Segments             int
}

// Tuple returns the packet's addresses and ports.
func (v *View) Tuple() Tuple {
	return Tuple{Src: v.Src, Dst: v.Dst, SrcPort: v.SrcPort, DstPort: v.DstPort}
}

// Transport returns the transport header and its payload, within the frame; nil
// for ARP, and where decoding failed. Of a fragment it returns what it has.
func (v *View) Transport() []byte {
	if v.l4 == 0 {
		return nil
	}
	end := ethLen + v.Len
	return v.eth[v.l4:end:end]
}

// Payload returns the bytes after the TCP, UDP or 8-byte ICMP header, within the
// frame; nil for ARP, and where decoding failed.
func (v *View) Payload() []byte {
	if v.l4 == 0 {
		return nil
	}
	end := ethLen + v.Len
	return v.eth[v.data:end:end]
}
