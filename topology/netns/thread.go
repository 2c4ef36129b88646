package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	kernelns "github.com/vishvananda/netns"
)

// visit is a stay of the calling goroutine's thread in a network namespace that
// is not the lab's own. The goroutine must be one that was started for it: where
// the way back is barred it stays locked, and the thread ends with it.
type visit struct{ home bool }

// enter locks the goroutine to its thread and moves that into n.
func (n *Namespace) enter() (*visit, error) {
	runtime.LockOSThread()
	if err := n.enterForGood(); err != nil {
		runtime.UnlockOSThread()
		return nil, fmt.Errorf("%s: %w", n.cfg.Name, err)
	}
	return new(visit), nil
}

// enterForGood moves the thread into n; the goroutine must be locked to it.
func (n *Namespace) enterForGood() error {
	n.mu.RLock()
	defer n.mu.RUnlock()
	err := os.ErrClosed
	if n.net.IsOpen() {
		err = kernelns.Set(n.net)
	}
	if err != nil {
		return fmt.Errorf("enter the network namespace: %w", err)
	}
	return nil
}

// leave moves the thread home. A second call does nothing.
func (v *visit) leave() {
	if v.home {
		return
	}
	v.home = true
	if kernelns.Set(homeNet) == nil {
		runtime.UnlockOSThread()
	}
}

// Do runs f on a thread inside the namespace and returns its error. What f
// opens belongs to the namespace; a goroutine that f starts does not run there.
// The thread is taken up until f returns.
func (n *Namespace) Do(f func() error) error {
	return onGoroutine(func() error {
		v, err := n.enter()
		if err != nil {
			return err
		}
		defer v.leave()
		return f()
	})
}

// onGoroutine runs f on a goroutine of its own and waits for it.
func onGoroutine(f func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errors.New("the function ended its goroutine")
		defer func() { done <- err }()
		err = f()
	}()
	return <-done
}
