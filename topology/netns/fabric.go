package netns

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	kernelns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Fabric is a network namespace in which the far ends of instances' devices stand side by
// side, so that programs of the kernel's can hand packets from one to the other. Each eth0
// is then one of a pair of veth devices; beside its far end stands a TAP, which is the
// port. Between the two nothing is but the programs: the namespace has no addresses, no
// routes and no sockets. Its methods may be called from any goroutine.
type Fabric struct {
	eth0, tap int                            // descriptors of the programs for what comes from the one and from the other
	changed   func(device int, running bool) // of the eth0 at the other end of a device
	news      *os.File                       // what the kernel tells of devices; nil: nothing yet
	heard     chan struct{}                  // closed when nobody listens to that any more

	mu    sync.Mutex
	net   kernelns.NsHandle // not open once closed
	next  int               // number of the next device
	eth0s map[int]presence  // by the number of the device at the other end
}

// NewFabric makes a fabric. The programs are for packets that arrive at the far end of an
// eth0, whose number is even, and at the TAP beside it, whose number is the next one. The
// caller keeps them loaded. changed is called whenever an eth0 has gone down or away, before
// its TAP does, and when one that was down is up again and its TAP, too: with the number of
// its far end, on a goroutine of the fabric's, one call at a time.
func NewFabric(eth0, tap int, changed func(device int, running bool)) (*Fabric, error) {
	f := &Fabric{eth0: eth0, tap: tap, changed: changed, net: kernelns.None(), next: firstDevice, eth0s: make(map[int]presence)}
	err := onGoroutine(func() (err error) {
		runtime.LockOSThread()
		v := new(visit)
		defer v.leave()
		if f.net, err = kernelns.New(); err != nil {
			return err
		}
		s, err := openSysctls()
		if err != nil {
			return err
		}
		defer s.close()
		// Devices that spoke for themselves would be heard in the instances.
		err = s.write("ipv6/conf/default/disable_ipv6", "1")
		if errors.Is(err, os.ErrNotExist) { // nor do they speak where there is no IPv6
			err = nil
		}
		if err != nil {
			return err
		}
		return f.watch()
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the fabric's network namespace: %w", err), f.Close())
	}
	return f, nil
}

// firstDevice is the number of a fabric's first device. 1 is lo; 2 is the number that an eth0
// has in its own namespace, and of a pair whose ends have the same number the kernel tells
// late what happens to it.
const firstDevice = 4

// Close gives the fabric back, after the ports of all its namespaces have been closed or
// before: the kernel removes it when the last of them is gone. changed is not called after
// that. A second Close does nothing.
func (f *Fabric) Close() error {
	f.mu.Lock()
	var err error
	open := f.net.IsOpen()
	if open {
		err = f.net.Close()
	}
	f.mu.Unlock()
	if !open {
		return nil
	}
	return errors.Join(err, f.unwatch())
}

// do runs a function on a thread inside the fabric, with a way to tell its kernel.
func (f *Fabric) do(what func(h *netlink.Handle) error) error {
	return onGoroutine(func() error {
		runtime.LockOSThread()
		v := new(visit)
		defer v.leave()
		if err := f.enter(); err != nil {
			return err
		}
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		defer h.Close()
		return what(h)
	})
}

func (f *Fabric) enter() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.net.IsOpen() {
		return errFabricClosed
	}
	return kernelns.Set(f.net)
}

var errFabricClosed = errors.New("the fabric is closed")

// connect makes the eth0 of a network namespace, and the port behind it.
func (f *Fabric) connect(instance kernelns.NsHandle) (port *TAP, err error) {
	f.mu.Lock()
	device := f.next
	f.next += 2
	f.mu.Unlock()
	err = f.do(func(h *netlink.Handle) error {
		attrs := netlink.NewLinkAttrs()
		attrs.Name, attrs.Index, attrs.MTU = fmt.Sprintf("veth%d", device), device, maxMTU
		veth := &netlink.Veth{LinkAttrs: attrs, PeerName: eth0, PeerNamespace: netlink.NsFd(int(instance)), PeerTxQLen: -1}
		if err := h.LinkAdd(veth); err != nil {
			return fmt.Errorf("make a pair of veth devices: %w", err)
		}
		if port, err = openTAP(fmt.Sprintf("tap%d", device), false, device+1); err != nil {
			return err
		}
		if err := f.wire(h, device, f.eth0); err != nil {
			return err
		}
		f.mu.Lock()
		f.eth0s[device] = awaited
		f.mu.Unlock()
		return f.wire(h, device+1, f.tap)
	})
	return port, err
}

// maxMTU is more than any packet has: what may cross is the walk's to judge.
const maxMTU = 65521

// wire brings up a device, whose packets a program sends on.
func (f *Fabric) wire(h *netlink.Handle, device, program int) error {
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: device}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"MTU", func() error { return h.LinkSetMTU(link, maxMTU) }},
		{"queue length", func() error { return h.LinkSetTxQLen(link, txQueueLen) }},
		{"queueing discipline", func() error { return withoutQueue(h, link) }},
		{"hook", func() error { return h.QdiscAdd(hook(device)) }},
		{"program", func() error { return h.FilterAdd(filter(device, program)) }},
		{"state", func() error { return h.LinkSetUp(link) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("set the %s of the fabric's device %d: %w", step.what, device, err)
		}
	}
	return nil
}

// hook is where programs are attached to a device.
func hook(device int) netlink.Qdisc {
	return &netlink.GenericQdisc{QdiscType: "clsact", QdiscAttrs: netlink.QdiscAttrs{
		LinkIndex: device, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
	}}
}

// filter is a program for all that arrives at a device, which says itself what to do with it.
func filter(device, program int) netlink.Filter {
	return &netlink.BpfFilter{Fd: program, Name: "plsim", DirectAction: true, FilterAttrs: netlink.FilterAttrs{
		LinkIndex: device, Parent: netlink.HANDLE_MIN_INGRESS, Handle: 1, Priority: 1, Protocol: unix.ETH_P_ALL,
	}}
}

// disconnect removes a port's device, which stays else until the fabric goes, as it does
// with all its devices at the end of a lab.
func (f *Fabric) disconnect(port *TAP) error {
	if !f.forget(port.device) {
		return nil // it is gone already
	}
	err := f.remove(port.device + 1)
	if errors.Is(err, errFabricClosed) {
		return nil
	}
	return err
}
