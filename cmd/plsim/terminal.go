package main

import (
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/plsim/plsim/sim/daemon"
	"github.com/plsim/plsim/topology/netns"
)

// lastWords is how long the last output of a program is awaited.
const lastWords = 250 * time.Millisecond

// inTerminal runs a program on a terminal of its own, which shows on the caller's.
func inTerminal(l *daemon.Lab, p *daemon.Program, signals <-chan os.Signal) (code int, err error) {
	own, program, err := netns.NewTerminal()
	if err != nil {
		return 0, &codeError{exitHost, err}
	}
	defer own.Close()
	restore, err := netns.RawTerminal(os.Stdin)
	if err != nil {
		return 0, errors.Join(&codeError{exitUsage, errors.New("standard input is no terminal: leave out -t")}, program.Close())
	}
	defer restore()
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for {
			_ = netns.CopyTerminalSize(os.Stdin, own) // it keeps the size that it has
			select {
			case <-resized:
			case <-ended:
				return
			}
		}
	}()
	shown := make(chan struct{})
	go func() {
		defer close(shown)
		_, _ = io.Copy(os.Stdout, own) // until nobody has the program's end
	}()
	go func() { _, _ = io.Copy(own, os.Stdin) }() // to the end of plsim exec
	p.Terminal = true
	code, err = l.Exec(p, [3]*os.File{program, program, program}, signals)
	_ = program.Close()
	select {
	case <-shown:
	case <-time.After(lastWords): // somebody whom the program left behind has its terminal still
	}
	return code, err
}
