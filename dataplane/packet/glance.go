package packet

// Glance reads from an Ethernet frame whose packet it seems to be: what [View.Decode]
// would find of a TCP or UDP packet without options, extension headers or faults. It
// judges nothing. ok is false for what is plainly none.
func Glance(eth []byte) (t Tuple, proto Proto, ok bool) {
	if len(eth) < ethLen+ipv4Len+udpLen {
		return t, 0, false
	}
	ports := eth[ethLen+ipv4Len:]
	ip := eth[ethLen:]
	switch be.Uint16(eth[12:]) {
	case etherIPv4:
		proto = Proto(ip[9])
		t.Src.set4(ip[12:16])
		t.Dst.set4(ip[16:20])
	case etherIPv6:
		if len(ip) < ipv6Len+udpLen {
			return t, 0, false
		}
		proto, ports = Proto(ip[6]), ip[ipv6Len:]
		t.Src, t.Dst = Addr(ip[8:24]), Addr(ip[24:40])
	default:
		return t, 0, false
	}
	t.SrcPort, t.DstPort = be.Uint16(ports), be.Uint16(ports[2:])
	return t, proto, proto == TCP || proto == UDP
}
