package topology

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The qualities of links are written with their units, and 0 is one of their values.
// An error of UnmarshalText says what to write.

// Span is a length of time, which may be 0s.
type Span time.Duration

// UnmarshalText reads 20ms, 1.5s or 0s.
func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	switch {
	case isNumber(text):
		return fmt.Errorf("%s what? A time has a unit: write %ss or %sms", text, text, text)
	case err != nil:
		return fmt.Errorf("expected a time such as 20ms, 1s or 0s, found %q", text)
	case d < 0:
		return fmt.Errorf("%s is less than nothing: write 0s or more", text)
	}
	*s = Span(d)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Span) MarshalText() ([]byte, error) { return []byte(time.Duration(s).String()), nil }

// String returns the time with its unit.
func (s Span) String() string { return time.Duration(s).String() }

// Share is a part of all packets: 0 to 1.
type Share float64

// UnmarshalText reads a percentage, such as 0.5%.
func (s *Share) UnmarshalText(text []byte) error {
	number, percent := strings.CutSuffix(string(text), "%")
	f, err := strconv.ParseFloat(number, 64)
	switch {
	case err != nil || math.IsNaN(f):
		return fmt.Errorf("expected a share of the packets such as 0.5%%, found %q", text)
	case !percent:
		return fmt.Errorf("%s what? A share has a percent sign: write %s%%", text, text)
	case f < 0 || f > 100:
		return fmt.Errorf("%s is no share of the packets: write 0%% to 100%%", text)
	}
	*s = Share(f / 100)
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (s Share) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// String returns the share as a percentage.
func (s Share) String() string {
	return strconv.FormatFloat(math.Round(float64(s)*1e10)/1e8, 'f', -1, 64) + "%"
}

// BitRate is bits in a second; 0: as many as there are.
type BitRate int64

// unlimited is how the BitRate 0 is written.
const unlimited = "unlimited"

// bitUnits are the units of rates, the largest first, so that each is found before the
// one that it ends with.
var bitUnits = []struct {
	name string
	bits float64
}{{"Gbps", 1e9}, {"Mbps", 1e6}, {"kbps", 1e3}, {"bps", 1}}

// maxBitRate is more than any link has, and little enough to count with.
const maxBitRate = 1e12

// UnmarshalText reads a rate such as 10Mbps, or unlimited.
func (r *BitRate) UnmarshalText(text []byte) error {
	if string(text) == unlimited {
		*r = 0
		return nil
	}
	if isNumber(text) {
		return fmt.Errorf("%s what? A bandwidth has a unit: write %sMbps or %skbps", text, text, text)
	}
	for _, u := range bitUnits {
		number, ok := strings.CutSuffix(string(text), u.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bits := f * u.bits; err == nil && bits >= 1 && bits <= maxBitRate {
			*r = BitRate(bits)
			return nil
		} else if err == nil {
			return fmt.Errorf("%s is out of range: write 1bps to 1000Gbps, or %s", text, unlimited)
		}
		break
	}
	return fmt.Errorf("expected a bandwidth such as 500kbps, 10Mbps, 1.5Gbps or %s, found %q", unlimited, text)
}

// MarshalText writes what UnmarshalText reads.
func (r BitRate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// String returns the rate in its largest unit, exactly.
func (r BitRate) String() string {
	if r == 0 {
		return unlimited
	}
	for _, u := range bitUnits {
		if float64(r) >= u.bits {
			return strconv.FormatFloat(float64(r)/u.bits, 'f', -1, 64) + u.name
		}
	}
	return unlimited
}

func isNumber(text []byte) bool {
	_, err := strconv.ParseFloat(string(text), 64)
	return err == nil
}

// maxSpan bounds the times of a link.
const maxSpan = Span(time.Hour)

// defaultQueue is how long packets may wait for a link's bandwidth.
const defaultQueue = Span(100 * time.Millisecond)

// with returns qualities in which others, where they are given, take the place.
func (q LinkQualities) with(o LinkQualities) LinkQualities {
	return LinkQualities{
		Delay: cmp.Or(o.Delay, q.Delay), Jitter: cmp.Or(o.Jitter, q.Jitter),
		Loss: cmp.Or(o.Loss, q.Loss), Duplicate: cmp.Or(o.Duplicate, q.Duplicate), Reorder: cmp.Or(o.Reorder, q.Reorder),
		Bandwidth: cmp.Or(o.Bandwidth, q.Bandwidth), Queue: cmp.Or(o.Queue, q.Queue),
		MTU: cmp.Or(o.MTU, q.MTU), Down: cmp.Or(o.Down, q.Down),
	}
}

// check says what is wrong with qualities.
func (q LinkQualities) check(ps *Problems, path string) {
	for _, s := range []struct {
		key  string
		span *Span
	}{{"delay", q.Delay}, {"jitter", q.Jitter}, {"queue", q.Queue}} {
		if s.span != nil && *s.span > maxSpan {
			ps.add(at(path, s.key), "%s is out of range: write 0s to 1h", s.span)
		}
	}
	if delay := value(q.Delay); value(q.Jitter) > delay {
		ps.add(at(path, "jitter"), "%s is more than the delay of %s: no packet arrives before it is sent", q.Jitter, delay)
	}
	if value(q.Reorder) > 0 && value(q.Delay) == 0 {
		ps.add(at(path, "reorder"), "packets are reordered by skipping the delay, and there is none: give delay")
	}
	if q.Queue != nil && value(q.Bandwidth) == 0 {
		ps.add(at(path, "queue"), "nothing waits where bandwidth is unlimited: give bandwidth")
	}
	if q.MTU != nil && (*q.MTU < minLinkMTU || *q.MTU > maxLinkMTU) {
		ps.add(at(path, "mtu"), "%d is out of range: write %d to %d", *q.MTU, minLinkMTU, maxLinkMTU)
	}
}

// No IP network has an MTU below that of IPv4 (RFC 791, section 3.2), and none of AWS's
// interfaces one above 9001.
const (
	minLinkMTU = 68
	maxLinkMTU = 9001
)

// value returns what a pointer points to, or the zero value.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// errNoQuality is what a change of a link without one meets.
var errNoQuality = errors.New("nothing changes: give delay, jitter, loss, duplicate, reorder, bandwidth, queue, mtu or down")
