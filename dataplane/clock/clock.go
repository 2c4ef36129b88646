// Package clock is the lab's time. Nothing below it reads a clock: a moment is
// always an argument, so the same code runs on real, scaled and virtual time.
package clock

import "time"

// Time is a moment of the lab: nanoseconds since the lab started. It only grows.
type Time int64

// Add returns the moment d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns the time that passed from u to t.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }

// Seconds returns t as seconds since the lab started.
func (t Time) Seconds() float64 { return time.Duration(t).Seconds() }
