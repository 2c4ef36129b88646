package report

import (
	"fmt"
	"time"
)

// progressEvery is how often a line of progress is written anew, in time of the wall.
const progressEvery = 200 * time.Millisecond

// Progress shows on a terminal how far a simulation has come: the lab's time, how
// much faster it passes than the wall's, and how long it will take at that rate.
// Elsewhere it prints nothing. now and until are times of the lab; until is 0 where
// nobody knows when what goes on will end.
func (t *Text) Progress(now, until time.Duration) {
	if !t.terminal {
		return
	}
	p := &t.progress
	wall := time.Now()
	switch {
	case p.began.IsZero() || now < p.from:
		p.began, p.from, p.shown = wall, now, wall
		return
	case wall.Sub(p.shown) < progressEvery:
		return
	}
	p.shown = wall
	rate := float64(now-p.from) / float64(wall.Sub(p.began))
	line := fmt.Sprintf("  %s of the lab, times %.0f", rounded(now), rate)
	if until > now && rate > 0 {
		part := float64(now-p.from) / float64(until-p.from)
		left := time.Duration(float64(until-now) / rate)
		line += fmt.Sprintf(" [%s] %s left", bar(part), rounded(left.Round(time.Second)))
	}
	p.written = true
	fmt.Fprintf(t.w, "\r\x1b[K%s", line)
}

// progress is a line of progress.
type progress struct {
	began, shown time.Time     // on the wall
	from         time.Duration // the lab's time then
	written      bool
}

// endProgress takes the line away before another is printed.
func (t *Text) endProgress() {
	if t.progress.written {
		fmt.Fprint(t.w, "\r\x1b[K")
	}
	t.progress = progress{}
}

// bar draws a part of a whole.
func bar(part float64) string {
	const width = 20
	done := min(max(int(part*width), 0), width)
	b := make([]byte, width)
	for i := range b {
		if b[i] = ' '; i < done {
			b[i] = '='
		}
	}
	return string(b)
}
