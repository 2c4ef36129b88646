package replay

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/sim/capture"
	"github.com/plsim/plsim/topology"
)

// Why a packet of a capture is not looked at, beside the Ethernet type of what is not IP.
const (
	skippedCut       = "cut"
	skippedFilter    = "filter"
	skippedElsewhere = "other interface"
	skippedLinkLocal = "link-local"
	skippedGroup     = "broadcast and multicast"
	skippedBroken    = "broken"
)

const (
	etherIPv4 = 0x0800
	etherARP  = 0x0806
	etherIPv6 = 0x86dd
)

// take feeds, compares or skips a file's next packet.
func (r *replay) take(f *file) {
	rec := f.head
	if what := r.place(f, rec); what != "" {
		f.result.Skipped[what]++
	}
}

// place finds the interfaces that sent or received a packet. It returns why it is
// skipped, if so.
func (r *replay) place(f *file, rec *capture.Record) (skipped string) {
	kind, ip := rec.EtherType()
	src, dst, ok := addresses(kind, ip)
	switch {
	case rec.Cut():
		return skippedCut
	case kind == etherARP:
		return "ARP"
	case kind != etherIPv4 && kind != etherIPv6:
		return fmt.Sprintf("Ethernet type 0x%04x", kind)
	case !ok:
		return skippedBroken
	}
	if r.opts.Filter != nil {
		r.build(ip, kind)
		if !r.opts.Filter.Match(r.frame.Ethernet()) {
			return skippedFilter
		}
	}
	switch {
	case isLinkLocal(src.IP()) || isLinkLocal(dst.IP()):
		return skippedLinkLocal
	case dst.IP().IsMulticast() || src.IP().IsUnspecified() || dst.IP() == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return skippedGroup
	}
	skipped = skippedElsewhere
	for _, s := range f.sites {
		if r.labels[rec.Interface] && rec.Interface != s.nic.Label {
			continue
		}
		skipped = ""
		switch {
		case s.has(src):
			r.send(s, rec, kind, ip)
			return ""
		case s.has(dst):
			r.build(ip, kind)
			s.captured(r.frame)
			return ""
		}
	}
	if skipped == "" {
		r.between(f.sites[0].nic, src, dst)
	}
	return skipped
}

// addresses returns those of an IP packet.
func addresses(kind uint16, ip []byte) (src, dst packet.Addr, ok bool) {
	switch {
	case kind == etherIPv4 && len(ip) >= 20:
		return packet.AddrFrom(netip.AddrFrom4([4]byte(ip[12:16]))), packet.AddrFrom(netip.AddrFrom4([4]byte(ip[16:20]))), true
	case kind == etherIPv6 && len(ip) >= 40:
		return packet.Addr(ip[8:24]), packet.Addr(ip[24:40]), true
	}
	return src, dst, false
}

// instanceServices are what an instance reaches without its VPC: its metadata, time.
var instanceServices = netip.MustParsePrefix("fd00:ec2::/32")

func isLinkLocal(a netip.Addr) bool { return a.IsLinkLocalUnicast() || instanceServices.Contains(a) }

// build makes an IP packet the frame at hand, without MAC addresses.
func (r *replay) build(ip []byte, kind uint16) {
	const header = 14
	eth := append(make([]byte, header, header+len(ip)), ip...)
	binary.BigEndian.PutUint16(eth[12:], kind)
	r.frame.SetEthernet(eth)
}

// send feeds a packet that an interface sent. Its MAC addresses are made anew: those
// of the capture belong to another network.
func (r *replay) send(s *site, rec *capture.Record, kind uint16, ip []byte) {
	r.build(ip, kind)
	var v packet.View
	_ = v.Decode(r.frame)                          // what it lacks is not what is looked at
	key := flow.KeyOf(flow.Scope(s.nic.Index), &v) // where it does not decode, as far as it does
	checksum, segmentation := r.frame.Offload(s.segment(key, kind))
	if checksum || segmentation {
		s.file.Offloaded++
	}
	if v.Decode(r.frame) == drop.None {
		if far, ok := s.far[key]; ok {
			from, to := v.Tuple(), v.Tuple()
			to.Dst, to.DstPort = far.addr, far.port
			rewrite := packet.NewRewrite(from, to)
			v.Apply(&rewrite)
			key.Dst, key.DstPort = far.addr, far.port
		}
	}
	if len(r.owners[key.Dst]) == 0 {
		r.strange(s.nic, key.Dst)
	}
	mac, neighbour := r.walk.Neighbor(s.nic.Index, key.Dst)
	if !neighbour {
		mac = s.nic.RouterMAC
	}
	copy(r.frame.Ethernet(), mac[:])
	copy(r.frame.Ethernet()[len(mac):], s.nic.MAC[:])
	r.feed(s, rec, key)
}

// between reports a packet that is none of the interface's: by its addresses that the
// scenario does not have, or else by those of other instances.
func (r *replay) between(at *topology.NIC, src, dst packet.Addr) {
	for _, why := range []func(packet.Addr) bool{
		func(a packet.Addr) bool { return len(r.owners[a]) == 0 },
		func(a packet.Addr) bool { return r.owner(at, a).Host != nil },
		func(packet.Addr) bool { return true },
	} {
		found := false
		for _, a := range []packet.Addr{src, dst} {
			if why(a) {
				r.strange(at, a)
				found = true
			}
		}
		if found {
			return
		}
	}
}

// owner returns the interface that has an address, of the interface's own network if
// there is one. At least one has it.
func (r *replay) owner(at *topology.NIC, a packet.Addr) *topology.NIC {
	all := r.owners[a]
	return all[max(0, slices.IndexFunc(all, func(nic *topology.NIC) bool { return nic.Network == at.Network }))]
}

// strange counts a packet with an address that does not match the scenario.
func (r *replay) strange(at *topology.NIC, a packet.Addr) {
	f := r.foreign[a]
	if f == nil {
		f = &Foreign{Address: a.IP()}
		if len(r.owners[a]) > 0 {
			owner := r.owner(at, a)
			f.Interface, f.Sends = owner.Label, owner.Host != nil
		} else {
			f.Nearest, f.Subnet = r.nearest(at, f.Address)
		}
		r.foreign[a] = f
	}
	f.Packets++
}

// nearest returns the interface whose address has most in common with one, of the
// interface's own network if others have as much, and its subnet if it holds the
// address.
func (r *replay) nearest(at *topology.NIC, a netip.Addr) (label, subnet string) {
	best := -1
	for _, nic := range r.lab.NICs {
		for _, p := range nic.Addrs {
			if !r.labels[nic.Label] || p.Addr().Is4() != a.Is4() {
				continue
			}
			common := 2 * commonBits(p.Addr(), a)
			if nic.Network == at.Network {
				common++
			}
			if common <= best {
				continue
			}
			best, label, subnet = common, nic.Label, ""
			if p.Contains(a) {
				subnet = p.Masked().String()
			}
		}
	}
	return label, subnet
}

// commonBits counts the leading bits that two addresses of one family share.
func commonBits(a, b netip.Addr) int {
	for bits := a.BitLen(); bits > 0; bits-- {
		if p, err := a.Prefix(bits); err == nil && p.Contains(b) {
			return bits
		}
	}
	return 0
}
