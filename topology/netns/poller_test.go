package netns

import (
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// What follows closely is waited for without sleep, and nothing else: a lab in which nothing
// goes on leaves the processor alone.
func TestPollerSpins(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p, err := NewPoller()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	p.eager = true
	before := spent(t)
	if ready, err := p.Wait(nil, 100*time.Millisecond); len(ready) != 0 || err != nil || p.eager {
		t.Errorf("after 100 ms of silence: ready %v, error %v, eager %t", ready, err, p.eager)
	}
	if took := spent(t) - before; took > 20*time.Millisecond {
		t.Errorf("100 ms of silence took %v of the processor", took)
	}

	p.eager = true
	p.Wake()
	began := time.Now()
	if _, err := p.Wait(nil, time.Minute); err != nil || time.Since(began) > 10*time.Second {
		t.Errorf("a wake-up was found after %v, error %v", time.Since(began), err)
	}
	if !p.eager {
		t.Error("it is eager no more, though something came at once")
	}
}

// TestPollerYields: a poller that is to yield sleeps however closely packets follow; others
// stay awake.
func TestPollerYields(t *testing.T) {
	for _, yields := range []bool{false, true} {
		p, err := NewPoller()
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if yields {
			p.Yield()
		}
		eager := false
		for range 1000 { // until one comes while it sleeps, and not for long
			go p.Wake()
			if _, err := p.Wait(nil, time.Minute); err != nil {
				t.Fatal(err)
			}
			if eager = eager || p.eager; eager {
				break
			}
		}
		if eager == yields {
			t.Errorf("yields: %v, eager: %v", yields, eager)
		}
	}
}

// spent is how much processor time this thread has used.
func spent(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_THREAD, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
