package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// garbageRoom is how much garbage there may be beside what a simulation needs, in bytes; and
// beside that as much as there is to look through for pointers, which is the collector's
// work. Of a million flows that is next to nothing: nearly all of them are tables without
// pointers, so that it may run often, and memory is little more than they take.
const garbageRoom = 16 << 20

// keptFree is one part in how many of what is needed may be free besides, before it is given
// back to the system: the runtime itself keeps a tenth, in case it is wanted again.
const keptFree = 24

// watchEvery is how often memory is looked at.
const watchEvery = 50 * time.Millisecond

// notable is how much memory is worth a word, in bytes.
const notable = 256 << 20

// watchMemory bounds the garbage of a simulation, unless the environment says by GOGC what
// is wanted, until the function that it returns is called. That says how much memory there
// was at most, if it was much.
func watchMemory(stderr io.Writer) (stop func()) {
	m := &memory{own: os.Getenv("GOGC") == ""}
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			m.look()
			select {
			case <-tick.C:
			case <-over:
				return
			}
		}
	}()
	return func() {
		close(over)
		<-done
		if m.most > notable {
			fmt.Fprintf(stderr, "plsim: took %d MB of memory at most\n", m.most/1e6)
		}
	}
}

// memory is what is known of the memory of this process.
type memory struct {
	own    bool   // the garbage is ours to bound
	cycles uint64 // of the collector
	most   uint64 // bytes, ever
	given  uint64 // bytes that there were when free ones were given back last
}

// look looks at the memory as it is now. What is needed is known when the collector has
// just looked at it.
func (m *memory) look() {
	s := []metrics.Sample{
		{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"},
		{Name: "/gc/cycles/total:gc-cycles"}, {Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"},
	}
	metrics.Read(s)
	now := s[0].Value.Uint64() - s[1].Value.Uint64()
	m.most = max(m.most, now)
	if m.own && now > max(notable, m.given+m.given/keptFree) {
		debug.FreeOSMemory()
		m.given = now
	}
	if cycles := s[2].Value.Uint64(); m.own && cycles != m.cycles {
		m.cycles = cycles
		debug.SetGCPercent(garbage(s[3].Value.Uint64(), s[4].Value.Uint64()))
	}
}

// garbage returns how much garbage there may be beside so many bytes that are needed, in
// percent of those, if so many of them are to be looked through.
func garbage(live, scanned uint64) int {
	return int(max(100*(garbageRoom+scanned)/max(live, garbageRoom/4), 1))
}
