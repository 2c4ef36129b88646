package traffic

import (
	"math"
	"math/bits"
	"time"
)

// Latencies are a histogram of lengths of time, exact to one part in 32. The zero value
// is ready to use; it is not safe for concurrent use.
type Latencies struct {
	counts   []uint64 // by bucket
	n        uint64
	sum      time.Duration
	min, max time.Duration
}

// subBuckets are as many as a power of two has: up to 2^subBits ns each number has its own
// bucket, and from there each doubling has half as many.
const (
	subBits    = 6
	subBuckets = 1 << subBits
)

// bucket returns the bucket of a length of time.
func bucket(d time.Duration) int {
	v := uint64(d)
	shift := max(bits.Len64(v)-subBits, 0)
	return shift*subBuckets/2 + int(v>>shift)
}

// longest returns the longest time of a bucket.
func longest(b int) time.Duration {
	if b < subBuckets {
		return time.Duration(b)
	}
	shift := (b - subBuckets/2) / (subBuckets / 2)
	v := uint64(b-shift*subBuckets/2+1)<<shift - 1
	return time.Duration(min(v, math.MaxInt64))
}

// Add counts one. What is shorter than no time counts as none.
func (l *Latencies) Add(d time.Duration) {
	d = max(d, 0)
	b := bucket(d)
	if b >= len(l.counts) {
		l.counts = append(l.counts, make([]uint64, b+1-len(l.counts))...)
	}
	l.counts[b]++
	if l.n == 0 || d < l.min {
		l.min = d
	}
	l.max = max(l.max, d)
	l.sum += d
	l.n++
}

// Count returns how many there are.
func (l *Latencies) Count() uint64 { return l.n }

// Min returns the shortest, 0 where there is none.
func (l *Latencies) Min() time.Duration { return l.min }

// Max returns the longest, 0 where there is none.
func (l *Latencies) Max() time.Duration { return l.max }

// Mean returns their mean, 0 where there is none.
func (l *Latencies) Mean() time.Duration {
	if l.n == 0 {
		return 0
	}
	return l.sum / time.Duration(l.n)
}

// Quantile returns the time within which a share of them, from 0 to 1, lie; 0 where there
// is none.
func (l *Latencies) Quantile(share float64) time.Duration {
	rank := uint64(math.Ceil(share * float64(l.n)))
	for b, n := range l.counts {
		if rank <= n && n > 0 {
			return max(min(longest(b), l.max), l.min)
		}
		rank -= min(rank, n)
	}
	return l.max
}
