package packet

// Rewrite is what happens to every packet of one direction of a flow between
// two interfaces. It is prepared once ([NewRewrite]) and applied many times.
type Rewrite struct {
	Src, Dst         Addr
	SrcPort, DstPort uint16
	SrcMAC, DstMAC   MAC
	TTL              uint8  // subtracted from the time to live (F1.38)
	MSS              uint16 // larger MSS options of SYN segments are lowered to it; 0: untouched (F1.32)
	NAT              bool   // addresses and ports change; else only MAC addresses do

	addrDelta uint16 // one's-complement change of the address words
	portDelta uint16 // one's-complement change of the port words
}
