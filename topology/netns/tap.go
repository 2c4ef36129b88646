package netns

import (
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
)

// TAP is the fabric's end of a namespace's eth0: it receives what the namespace
// sends. Frames carry a virtio-net header and may be superframes of up to 64 KiB
// with checksums yet to be filled in, both ways. Like every engine.Port it has
// one user at a time; Close and Rejected may be called from any goroutine, but
// Close not during Recv or Send.
type TAP struct {
	fd       atomic.Int32 // -1 once closed
	rejected atomic.Uint64
	device   int // number of the fabric's end of eth0; 0: this is eth0 itself
}

var _ engine.Port = (*TAP)(nil)

// The offloads that the kernel may leave to the fabric. The two for UDP came
// with Linux 6.2, and the kernel refuses one without the other.
const (
	offloads    = unix.TUN_F_CSUM | unix.TUN_F_TSO4 | unix.TUN_F_TSO6 | unix.TUN_F_TSO_ECN
	offloadsUDP = unix.TUN_F_USO4 | unix.TUN_F_USO6
)

// openTAP makes a TAP device in the network namespace of the calling thread. single says
// that it takes no superframes. number is the device's, or 0 for any.
func openTAP(name string, single bool, number int) (*TAP, error) {
	fd, err := unix.Open(tunPath, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", tunPath, err)
	}
	if number != 0 {
		err = unix.IoctlSetPointerInt(fd, unix.TUNSETIFINDEX, number)
	}
	if err == nil {
		err = setUpTAP(fd, name, single)
	}
	if err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	t := &TAP{device: max(0, number-1)}
	t.fd.Store(int32(fd))
	return t, nil
}

func setUpTAP(fd int, name string, single bool) error {
	ifr, err := unix.NewIfreq(name)
	if err != nil {
		return fmt.Errorf("interface name %q: %w", name, err)
	}
	ifr.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI | unix.IFF_VNET_HDR)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr); err != nil {
		return fmt.Errorf("make the TAP device %s: %w", name, err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TUNSETVNETHDRSZ, packet.VnetLen); err != nil {
		return fmt.Errorf("set the virtio-net header's length of %s: %w", name, err)
	}
	// Closing the descriptor of a device that is not persistent waits some 20 ms
	// for the kernel to let go of it. This one lives as long as its anonymous
	// namespace, and the kernel removes both in the background.
	if err := unix.IoctlSetInt(fd, unix.TUNSETPERSIST, 1); err != nil {
		return fmt.Errorf("make %s persistent: %w", name, err)
	}
	leave := offloads
	if single {
		leave = unix.TUN_F_CSUM
	} else if unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, offloads|offloadsUDP) == nil {
		return nil
	}
	if err := unix.IoctlSetInt(fd, unix.TUNSETOFFLOAD, leave); err != nil {
		return fmt.Errorf("set the offloads of %s: %w", name, err)
	}
	return nil
}

// Recv implements engine.Port. The raw system call spares the Go scheduler's
// bookkeeping, which a call that never blocks has no use for.
func (t *TAP) Recv(f *packet.Frame) (bool, error) {
	room := f.Room()
	n, _, errno := unix.RawSyscall(unix.SYS_READ, uintptr(t.fd.Load()), uintptr(unsafe.Pointer(&room[0])), uintptr(len(room)))
	if errno != 0 {
		f.SetLen(0)
		if errno == unix.EAGAIN || errno == unix.EINTR {
			return false, nil
		}
		return false, gone(errno)
	}
	f.SetLen(int(n))
	return true, nil
}

// Send implements engine.Port. A frame that the kernel does not want counts as
// sent and rejected, as one that a network card discards: its virtio-net header may make
// no sense.
func (t *TAP) Send(f *packet.Frame) (bool, error) {
	b := f.Bytes()
	_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(t.fd.Load()), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	switch errno {
	case 0:
		return true, nil
	case unix.EAGAIN, unix.EINTR:
		return false, nil
	case unix.EIO:
		return false, engine.ErrDown
	case unix.EBADF, unix.EBADFD:
		return false, gone(errno)
	}
	t.rejected.Add(1)
	return true, nil
}

// gone is the error of a device that is no more: its namespace was closed, or
// somebody in the namespace deleted eth0.
func gone(errno unix.Errno) error {
	return fmt.Errorf("TAP device: %w: %w", os.ErrClosed, errno)
}

// Device returns the number of the fabric's end of the eth0 beside which the TAP stands; 0
// where the TAP is eth0 itself.
func (t *TAP) Device() int { return t.device }

// Rejected returns how many frames the kernel refused.
func (t *TAP) Rejected() uint64 { return t.rejected.Load() }

// Close implements engine.Port: eth0 loses its carrier. A second Close does nothing.
func (t *TAP) Close() error {
	if fd := t.fd.Swap(-1); fd >= 0 {
		return unix.Close(int(fd))
	}
	return nil
}
