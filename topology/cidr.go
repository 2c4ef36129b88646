package topology

import (
	"fmt"
	"net/netip"
)

// family is IPv4 or IPv6: what differs between them in a VPC is data.
type family struct {
	name, example  string
	otherKey       string // key for the other family's blocks, in the singular
	vpcMin, vpcMax int    // prefix lengths
	subMin, subMax int
	step           int // of prefix lengths
	subnetDefault  int
	is4            bool
}

var (
	ipv4 = &family{
		name: "IPv4", example: "10.0.0.0/16", otherKey: "ipv6_cidr_block",
		vpcMin: 16, vpcMax: 28, subMin: 16, subMax: 28, step: 1, subnetDefault: 24, is4: true,
	}
	ipv6 = &family{
		name: "IPv6", example: "2001:db8:1234::/56", otherKey: "cidr_block",
		vpcMin: 44, vpcMax: 60, subMin: 44, subMax: 64, step: 4, subnetDefault: 64,
	}
)

// holds reports whether a is an address of the family.
func (f *family) holds(a netip.Addr) bool { return a.IsValid() && a.Is4() == f.is4 && !a.Is4In6() }

// block reads a CIDR block and returns it in canonical form, as AWS does with
// 100.68.0.18/18 (F1.3); otherKey is where the other family belongs. The message
// is empty if all is well.
func (f *family) block(s, otherKey string) (p netip.Prefix, msg string) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
			return netip.Prefix{}, fmt.Sprintf("%s is an address, not a CIDR block: add its prefix length, such as %s/%d", s, s, a.BitLen())
		}
		return netip.Prefix{}, fmt.Sprintf("%q is not an %s CIDR block such as %s", s, f.name, f.example)
	}
	if !f.holds(p.Addr()) {
		if p.Addr().Is4In6() {
			return netip.Prefix{}, fmt.Sprintf("%s is an IPv4 block in IPv6 form: write it as IPv4", s)
		}
		return netip.Prefix{}, fmt.Sprintf("%s is not %s: write it under %s", s, f.name, otherKey)
	}
	return p.Masked(), ""
}

// sized is block with bounds on the prefix length; what names the owner.
func (f *family) sized(s, what string, least, most int) (p netip.Prefix, msg string) {
	if p, msg = f.block(s, f.otherKey); msg != "" {
		return p, msg
	}
	if b := p.Bits(); b < least || b > most || (b-least)%f.step != 0 {
		steps := ""
		if f.step > 1 {
			steps = fmt.Sprintf(" in steps of %d", f.step)
		}
		return netip.Prefix{}, fmt.Sprintf("/%d is not a size for a %s: AWS takes /%d to /%d%s", b, what, least, most, steps)
	}
	return p, ""
}

// lastAddr returns the highest address of p.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 0x80 >> (i % 8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// nth returns the address n after the first one of p, for small n.
func nth(p netip.Prefix, n int) netip.Addr {
	a := p.Addr()
	for ; n > 0; n-- {
		a = a.Next()
	}
	return a
}

// nextFree returns the lowest block of a length within p that overlaps none of taken.
func nextFree(p netip.Prefix, bits int, taken []netip.Prefix) (netip.Prefix, bool) {
	candidate := netip.PrefixFrom(p.Addr(), max(bits, p.Bits()))
search:
	for p.Contains(candidate.Addr()) {
		for _, t := range taken {
			if candidate.Overlaps(t) {
				// Go on after the larger of the two.
				after := lastAddr(netip.PrefixFrom(candidate.Addr(), min(candidate.Bits(), t.Bits())).Masked()).Next()
				if !after.IsValid() {
					return netip.Prefix{}, false
				}
				candidate = netip.PrefixFrom(after, candidate.Bits())
				continue search
			}
		}
		return candidate, true
	}
	return netip.Prefix{}, false
}
