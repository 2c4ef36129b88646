package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"

	"github.com/plsim/plsim/sim/story"
)

// Inherited is what a lab's processes have of its claim.
type Inherited struct {
	Info Info
	// More are further files of the host.
	More []*os.File
	// Taken, which may be nil, is called after each step that the lab has taken.
	Taken func(story.StepResult)

	lock, socket *os.File
}

// Files returns the files of a claim that the lab's processes inherit.
func (c *Claim) Files() []*os.File { return []*os.File{c.Lock, c.Socket} }

// Inherit makes sense of them again.
func Inherit(files []*os.File) (*Inherited, error) {
	if len(files) < 2 {
		return nil, fmt.Errorf("the lab was given %d files, not its lock and its socket", len(files))
	}
	i := &Inherited{More: files[2:], lock: files[0], socket: files[1]}
	b := make([]byte, 64<<10)
	n, err := i.lock.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("what the lab is: %w", err)
	}
	if err := json.Unmarshal(b[:n], &i.Info); err != nil {
		return nil, fmt.Errorf("what the lab is: %w", err)
	}
	return i, nil
}

// Ready notes that the lab is ready.
func (i *Inherited) Ready() error {
	i.Info.Ready = true
	return writeInfo(i.lock, &i.Info)
}

// listen returns the lab's socket.
func (i *Inherited) listen() (net.Listener, error) {
	defer i.socket.Close()
	l, err := net.FileListener(i.socket)
	if err != nil {
		return nil, fmt.Errorf("the lab's socket: %w", err)
	}
	return l, nil
}

// Remove is a claim's Remove, in the outermost of the lab's processes.
func (i *Inherited) Remove() error { return removeLab(filepath.Join(Dir(), i.Info.Name), i.lock) }
