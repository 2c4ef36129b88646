package netns

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What people do to an eth0, which would be the port itself without a fabric, its port
// learns of: the TAP goes down, comes up and goes away with the eth0 that it stands for. So
// packets for an eth0 that takes none fail where they are sent, and are counted there. The
// kernel tells of changes a moment after they were made.

// presence is what is known of an eth0.
type presence uint8

const (
	awaited presence = iota // it has not come up yet
	up
	down
)

// watchBuffer is how many bytes of news may wait: some for each device of a large lab that
// is built at once.
const watchBuffer = 8 << 20

// watch begins to follow the devices of the calling thread's network namespace.
func (f *Fabric) watch() error {
	s, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	_ = unix.SetsockoptInt(s, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, watchBuffer) // else some news may be missed, which is noticed
	if err := unix.Bind(s, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: unix.RTMGRP_LINK}); err != nil {
		_ = unix.Close(s)
		return fmt.Errorf("listen to netlink: %w", err)
	}
	f.news, f.heard = os.NewFile(uintptr(s), "netlink"), make(chan struct{})
	go f.listen()
	return nil
}

// listen follows what the kernel tells, until the fabric is closed.
func (f *Fabric) listen() {
	defer close(f.heard)
	b := make([]byte, 64<<10)
	for {
		n, err := f.news.Read(b)
		switch {
		case errors.Is(err, unix.ENOBUFS): // something was missed
			err = f.survey()
		case err == nil:
			err = f.hear(b[:n])
		}
		if errors.Is(err, os.ErrClosed) || errors.Is(err, errFabricClosed) {
			return
		} // what befell one device is no reason to let go of the others
	}
}

// hear takes in messages of rtnetlink (rtnetlink(7)): what changed of a device, or that it
// is no more.
func (f *Fabric) hear(b []byte) (err error) {
	for len(b) >= unix.SizeofNlMsghdr {
		length, kind := int(binary.NativeEndian.Uint32(b)), binary.NativeEndian.Uint16(b[4:])
		if length < unix.SizeofNlMsghdr || length > len(b) {
			break
		}
		if body := b[unix.SizeofNlMsghdr:length]; len(body) >= unix.SizeofIfInfomsg {
			device, flags := int(binary.NativeEndian.Uint32(body[4:])), binary.NativeEndian.Uint32(body[8:])
			switch kind {
			case unix.RTM_NEWLINK:
				err = errors.Join(err, f.follow(device, flags&unix.IFF_LOWER_UP != 0))
			case unix.RTM_DELLINK:
				err = errors.Join(err, f.lose(device))
			}
		}
		b = b[min(len(b), (length+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return err
}

// survey looks at all devices.
func (f *Fabric) survey() error {
	there := map[int]bool{}
	err := f.do(func(h *netlink.Handle) error {
		links, err := h.LinkList()
		for _, l := range links {
			there[l.Attrs().Index] = l.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
		}
		return err
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	var known []int
	for device := range f.eth0s {
		known = append(known, device)
	}
	f.mu.Unlock()
	for _, device := range known {
		if running, ok := there[device]; ok {
			err = errors.Join(err, f.follow(device, running))
		} else {
			err = errors.Join(err, f.lose(device))
		}
	}
	return err
}

// follow brings a device's TAP down or up with the eth0 at the other end of the device.
func (f *Fabric) follow(device int, running bool) error {
	f.mu.Lock()
	was, known := f.eth0s[device]
	is := was
	switch {
	case running:
		is = up
	case was == up:
		is = down
	}
	if known {
		f.eth0s[device] = is
	}
	f.mu.Unlock()
	tap := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: device + 1}}
	switch {
	case !known || is == was || was == awaited:
		return nil
	case is == down:
		f.changed(device, false)
		return f.do(func(h *netlink.Handle) error { return h.LinkSetDown(tap) })
	}
	err := f.do(func(h *netlink.Handle) error { return h.LinkSetUp(tap) })
	f.changed(device, true)
	return err
}

// lose removes a device's TAP, for the device is gone, and with it its eth0.
func (f *Fabric) lose(device int) error {
	if !f.forget(device) {
		return nil
	}
	f.changed(device, false)
	return f.remove(device + 1)
}

// forget lets go of a device, and reports whether it was known.
func (f *Fabric) forget(device int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, known := f.eth0s[device]
	delete(f.eth0s, device)
	return known
}

// remove removes a device, if it is there.
func (f *Fabric) remove(device int) error {
	err := f.do(func(h *netlink.Handle) error {
		return h.LinkDel(&netlink.Device{LinkAttrs: netlink.LinkAttrs{Index: device}})
	})
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	return err
}

// unwatch ends watch.
func (f *Fabric) unwatch() error {
	if f.news == nil {
		return nil
	}
	err := f.news.Close()
	<-f.heard
	return err
}
