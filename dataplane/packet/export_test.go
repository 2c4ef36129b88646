package packet

// Public returns what v says about its frame, without the frame.
func Public(v *View) View {
	p := *v
	p.frame, p.eth, p.l4, p.data, p.partial = nil, nil, 0, 0, false
	return p
}

// Sum returns the folded sum of b and acc.
func Sum(b []byte, acc uint64) uint16 { return fold(sum(b, acc)) }
