package netns

import (
	"io"
	"os"
	"sync"
	"time"
)

// pipes connect a process with the readers and writers of its Cmd. Unlike those
// of os/exec they let go of a process whose descendants keep its output open,
// and never close a pipe in the face of such a descendant.
type pipes struct {
	stdin          io.Reader // the process's ends: files, or nil for /dev/null
	stdout, stderr io.Writer

	theirs, ours []*os.File
	copies       []func()
	sinks        []*sink
	copying      sync.WaitGroup
}

func newPipes(c Cmd) (p *pipes, err error) {
	p = new(pipes)
	defer func() {
		if err != nil {
			p.closeTheirs()
			p.closeOurs()
		}
	}()
	if p.stdin, err = p.source(c.Stdin); err != nil {
		return nil, err
	}
	if p.stdout, err = p.sink(c.Stdout); err != nil {
		return nil, err
	}
	if c.Stderr != nil && sameWriter(c.Stdout, c.Stderr) {
		p.stderr = p.stdout // one pipe keeps the order
		return p, nil
	}
	p.stderr, err = p.sink(c.Stderr)
	return p, err
}

func sameWriter(a, b io.Writer) bool {
	defer func() { _ = recover() }() // writers of a type that cannot be compared are two
	return a == b
}

// source makes the process's end of a reader.
func (p *pipes) source(r io.Reader) (io.Reader, error) {
	if _, ok := r.(*os.File); ok || r == nil {
		return r, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.theirs, p.ours = append(p.theirs, read), append(p.ours, write)
	p.copies = append(p.copies, func() {
		_, _ = io.Copy(write, r) // the process may stop reading when it likes
		_ = write.Close()
	})
	return read, nil
}

// sink makes the process's end of a writer.
func (p *pipes) sink(w io.Writer) (io.Writer, error) {
	if _, ok := w.(*os.File); ok || w == nil {
		return w, nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.theirs = append(p.theirs, write)
	s := &sink{w: w}
	p.sinks = append(p.sinks, s)
	p.copying.Add(1)
	p.copies = append(p.copies, func() {
		defer p.copying.Done()
		_, _ = io.Copy(s, read)
		_ = read.Close()
	})
	return write, nil
}

// serve starts the goroutines.
func (p *pipes) serve() {
	for _, f := range p.copies {
		go f()
	}
}

// drain ends the service when all output has been passed on, but after d at
// the latest: what comes later is thrown away.
func (p *pipes) drain(d time.Duration) {
	p.closeOurs()
	all := make(chan struct{})
	go func() {
		p.copying.Wait()
		close(all)
	}()
	select {
	case <-all:
	case <-time.After(d):
	}
	for _, s := range p.sinks {
		s.release()
	}
}

func (p *pipes) closeTheirs() { closeAll(p.theirs) }
func (p *pipes) closeOurs()   { closeAll(p.ours) }

func closeAll(files []*os.File) {
	for _, f := range files {
		_ = f.Close() // a second close is of no consequence
	}
}

// sink passes on what is written until it is released or w fails, and from
// then on swallows it.
type sink struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sink) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.w != nil {
		if _, err := s.w.Write(b); err != nil {
			s.w = nil
		}
	}
	return len(b), nil
}

func (s *sink) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.w = nil
}
