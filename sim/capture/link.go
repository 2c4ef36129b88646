package capture

import "fmt"

// LinkType says what a captured packet begins with (draft-ietf-opsawg-pcaplinktype).
type LinkType uint16

// The link types that are understood.
const (
	Ethernet LinkType = 1
	RawBSD   LinkType = 12 // IP alone, as some systems call it
	Raw      LinkType = 101
	LinuxSLL LinkType = 113 // tcpdump -i any
	RawIPv4  LinkType = 228
	RawIPv6  LinkType = 229
	LinuxSL2 LinkType = 276 // tcpdump -i any, of today
)

// Known reports whether packets of that kind can be taken apart.
func (l LinkType) Known() bool {
	switch l {
	case Ethernet, RawBSD, Raw, LinuxSLL, RawIPv4, RawIPv6, LinuxSL2:
		return true
	}
	return false
}

// String returns tcpdump's name of a link type.
func (l LinkType) String() string {
	switch l {
	case Ethernet:
		return "EN10MB"
	case RawBSD, Raw, RawIPv4, RawIPv6:
		return "RAW"
	case LinuxSLL:
		return "LINUX_SLL"
	case LinuxSL2:
		return "LINUX_SLL2"
	}
	return fmt.Sprintf("link type %d", uint16(l))
}

// EtherType returns the Ethernet type of a packet and what follows the header of its
// link. It is 0 where that is cut or not known.
func (r *Record) EtherType() (kind uint16, payload []byte) {
	var header, at int
	switch r.Link {
	case Ethernet:
		header, at = ethLen, 12
	case LinuxSLL:
		header, at = 16, 14
	case LinuxSL2:
		header, at = 20, 0
	case RawBSD, Raw, RawIPv4, RawIPv6:
		if len(r.Data) == 0 {
			return 0, nil
		}
		switch r.Data[0] >> 4 {
		case 4:
			return etherIPv4, r.Data
		case 6:
			return etherIPv6, r.Data
		}
		return 0, nil
	default:
		return 0, nil
	}
	if len(r.Data) < header {
		return 0, nil
	}
	return be.Uint16(r.Data[at:]), r.Data[header:]
}
