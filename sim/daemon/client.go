package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/emulate"
	"github.com/plsim/plsim/sim/story"
	"github.com/plsim/plsim/topology/netns"
)

// ask makes a request, with files, and waits for the answer. signals, which may be nil,
// are for the program that was asked for.
func (l *Lab) ask(r *request, files []*os.File, signals <-chan os.Signal) (*reply, error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: filepath.Join(l.dir, socketName), Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("speak to lab %s: %w", l.Name, err)
	}
	defer conn.Close()
	b, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	if err := netns.SendFiles(conn, append(b, '\n'), files...); err != nil {
		return nil, fmt.Errorf("speak to lab %s: %w", l.Name, err)
	}
	answered := make(chan struct{})
	defer close(answered)
	go func() {
		out := json.NewEncoder(conn)
		for {
			select {
			case sig := <-signals:
				_ = out.Encode(signalled{int(sig.(syscall.Signal))}) // it may just have ended
			case <-answered:
				return
			}
		}
	}()
	var answer reply
	switch err := json.NewDecoder(conn).Decode(&answer); {
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return nil, fmt.Errorf("lab %s ended before it could answer", l.Name)
	case err != nil:
		return nil, fmt.Errorf("speak to lab %s: %w", l.Name, err)
	case answer.Error != nil:
		return nil, answer.Error
	}
	return &answer, nil
}

// Instances returns the instances of the lab as they are.
func (l *Lab) Instances() ([]emulate.Instance, error) {
	r, err := l.ask(&request{Status: true}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Instances, nil
}

// Exec runs a program in an instance, with the caller's files as its standard input,
// output and error, and returns its exit code. signals are handed on to it.
func (l *Lab) Exec(p *Program, files [3]*os.File, signals <-chan os.Signal) (code int, err error) {
	r, err := l.ask(&request{Exec: p}, files[:], signals)
	if err != nil {
		return 0, err
	}
	return r.ExitCode, nil
}

// Take takes a step of the scenario language in the lab.
func (l *Lab) Take(step string) (*story.StepResult, error) {
	r, err := l.ask(&request{Step: step}, nil, nil)
	if err != nil {
		return nil, err
	}
	return r.Step, nil
}

// orderly is how long a lab may take to end by itself.
const orderly = 10 * time.Second

// Down ends the lab and waits until nothing of it is left. One that does not listen is
// killed.
func (l *Lab) Down() error {
	if _, err := l.ask(&request{Down: true}, nil, nil); err == nil && l.Gone(orderly) {
		return nil
	}
	if p, err := os.FindProcess(l.PID); err == nil && l.PID > 0 && !l.Gone(0) { // so the number is the lab's still
		_ = p.Kill()
	}
	if !l.Gone(orderly) {
		return fmt.Errorf("lab %s does not end: see process %d", l.Name, l.PID)
	}
	if _, left := look(l.dir); left {
		return l.Remove()
	}
	return nil
}
