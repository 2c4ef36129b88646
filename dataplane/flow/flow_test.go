package flow

import (
	"math/bits"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/plsim/plsim/dataplane/packet"
)

var testSeed = Seed{0x0123456789abcdef, 0xfedcba9876543210}

// nthKey returns keys as a lab makes them: few addresses, many ports.
func nthKey(n int) Key {
	k := Key{Scope: Scope(n % 3), SrcPort: uint16(n), DstPort: 443, Proto: packet.TCP}
	k.Src = packet.Addr{10: 0xff, 11: 0xff, 12: 10, 13: byte(n >> 24), 14: byte(n >> 16), 15: 7}
	k.Dst = packet.Addr{10: 0xff, 11: 0xff, 12: 10, 15: 20}
	return k
}

func anyAddr(t *rapid.T, name string) (a packet.Addr) {
	for i := range a {
		a[i] = rapid.Byte().Draw(t, name)
	}
	return a
}

func anyKey(t *rapid.T) Key {
	return Key{
		Src: anyAddr(t, "src"), Dst: anyAddr(t, "dst"),
		Scope:   Scope(rapid.Uint32().Draw(t, "scope")),
		SrcPort: rapid.Uint16().Draw(t, "sport"), DstPort: rapid.Uint16().Draw(t, "dport"),
		Proto: packet.Proto(rapid.Byte().Draw(t, "proto")),
	}
}

func TestReverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := anyKey(t)
		r := k.Reverse()
		if r.Src != k.Dst || r.Dst != k.Src || r.SrcPort != k.DstPort || r.DstPort != k.SrcPort ||
			r.Scope != k.Scope || r.Proto != k.Proto {
			t.Fatalf("reverse of %v is %v", k, r)
		}
		if r.Reverse() != k {
			t.Fatal("reversing twice does not give the key back")
		}
	})
}

func TestKeyOf(t *testing.T) {
	v := packet.View{Src: packet.Addr{1}, Dst: packet.Addr{2}, SrcPort: 3, DstPort: 4, Proto: packet.UDP}
	want := Key{Src: packet.Addr{1}, Dst: packet.Addr{2}, Scope: 9, SrcPort: 3, DstPort: 4, Proto: packet.UDP}
	if got := KeyOf(9, &v); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// flipBit changes one of the 328 bits that make a key.
func flipBit(k Key, bit int) Key {
	switch {
	case bit < 128:
		k.Src[bit/8] ^= 1 << (bit % 8)
	case bit < 256:
		k.Dst[(bit-128)/8] ^= 1 << (bit % 8)
	case bit < 288:
		k.Scope ^= 1 << (bit - 256)
	case bit < 304:
		k.SrcPort ^= 1 << (bit - 288)
	case bit < 320:
		k.DstPort ^= 1 << (bit - 304)
	default:
		k.Proto ^= 1 << (bit - 320)
	}
	return k
}

const keyBits = 328

func TestHashDependsOnEveryBit(t *testing.T) {
	const samples = 256
	rnd := rand.New(rand.NewPCG(1, 2))
	for bit := range keyBits {
		changed := 0
		for n := range samples {
			k := nthKey(n * 977)
			f := flipBit(k, bit)
			s := Seed{rnd.Uint64(), rnd.Uint64()}
			changed += bits.OnesCount64(Hash(s, &k) ^ Hash(s, &f))
		}
		// Half of the 64 bits, within six standard deviations.
		if mean := float64(changed) / samples; mean < 30.5 || mean > 33.5 {
			t.Errorf("flipping bit %d of the key changes %.1f of 64 bits", bit, mean)
		}
	}
}

func TestHashIsKeyed(t *testing.T) {
	k := nthKey(1)
	for i := range testSeed {
		s := testSeed
		s[i] ^= 1
		if Hash(s, &k) == Hash(testSeed, &k) {
			t.Errorf("word %d of the seed does not matter", i)
		}
	}
}

// A linear hash lets an attacker carry collisions over to any seed.
func TestHashIsNotLinear(t *testing.T) {
	zero := Key{}
	for i := range keyBits {
		for j := range i {
			a, b, ab := flipBit(zero, i), flipBit(zero, j), flipBit(flipBit(zero, i), j)
			if Hash(testSeed, &a)^Hash(testSeed, &b)^Hash(testSeed, &ab) == Hash(testSeed, &zero) {
				t.Fatalf("bits %d and %d are linear", i, j)
			}
		}
	}
}

// Like keys must spread over the index: both ends of the hash are looked at.
func TestHashSpreadsLikeKeys(t *testing.T) {
	const buckets, keys = 256, 256 * 64
	for name, pick := range map[string]func(uint64) int{
		"high": func(h uint64) int { return int(h >> 56) },
		"home": func(h uint64) int { return int(h>>32) % buckets },
		"low":  func(h uint64) int { return int(h % buckets) },
	} {
		var count [buckets]float64
		for n := range keys {
			k := nthKey(n)
			count[pick(Hash(testSeed, &k))]++
		}
		chi := 0.0
		for _, c := range count {
			chi += (c - keys/buckets) * (c - keys/buckets) / (keys / buckets)
		}
		// 255 degrees of freedom: mean 255, standard deviation 22.6.
		if chi > 255+5*22.6 {
			t.Errorf("%s bits: chi-square is %.0f", name, chi)
		}
	}
}

func TestNames(t *testing.T) {
	for got, want := range map[string]string{
		Forward.String(): "forward", Reply.String(): "reply",
		Ingress.String(): "ingress", Egress.String(): "egress",
		Forward.Flip().String(): "reply", Reply.Flip().String(): "forward",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
