package packet

// Glance reads from an Ethernet frame whose packet it seems to be: what [View.Decode]
// would find of a TCP or UDP packet without options, extension headers or faults. Ports
// are in host byte order. It judges nothing; ok is false for what is plainly none.
func Glance(eth []byte, src, dst *Addr) (srcPort, dstPort uint16, proto Proto, ok bool) {
	if len(eth) < ethLen+ipv4Len+udpLen {
		return 0, 0, 0, false
	}
	ip := eth[ethLen:]
	ports := ip[ipv4Len:]
	switch be.Uint16(eth[12:]) {
	case etherIPv4:
		proto = Proto(ip[9])
		src.set4(ip[12:16])
		dst.set4(ip[16:20])
	case etherIPv6:
		if len(ip) < ipv6Len+udpLen {
			return 0, 0, 0, false
		}
		ports = ip[ipv6Len:]
		proto = Proto(ip[6])
		*src, *dst = Addr(ip[8:24]), Addr(ip[24:40])
	default:
		return 0, 0, 0, false
	}
	return be.Uint16(ports), be.Uint16(ports[2:]), proto, proto == TCP || proto == UDP
}
