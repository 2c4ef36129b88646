package netns_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/plsim/plsim/topology/netns"
)

// TestPatient gives up waiting for the other end of a pipe that was made to block.
func TestPatient(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	_ = write.Fd() // it blocks from now on
	p, err := netns.Patient(write)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := write.Write([]byte("x")); err == nil {
		t.Error("the file that it was made of is open")
	}
	if err := p.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Write(make([]byte, 1<<20)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a full pipe: %v", err)
	}
}
