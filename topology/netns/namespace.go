package netns

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"sync"

	"github.com/vishvananda/netlink"
	kernelns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/plsim/plsim/dataplane/engine"
	"github.com/plsim/plsim/dataplane/packet"
)

// Config says what a namespace is like.
type Config struct {
	// Name tells the namespace from the others of the sandbox, and names it in
	// errors: a relative path such as consumer/app.
	Name     string
	Lab      string // the lab that it belongs to, where a sandbox has several that may use one name
	Hostname string // default: the last element of Name
	// MAC is eth0's address. The zero MAC makes a plain namespace, which has
	// lo alone and uses nothing of what follows but Resolver, Search and Options.
	MAC      packet.MAC
	Addrs    []netip.Prefix // of eth0, each with the length of its subnet's prefix
	Gateways []netip.Addr   // default routers, at most one a family
	// Router is the MAC address of the Gateways, where eth0 need not ask for it. The host's
	// kernel remembers 1024 answers to such questions a family, in all namespaces together.
	Router packet.MAC
	// Routed sends everything to the Gateways, also what is for eth0's own subnets.
	Routed bool
	MTU    int // of eth0, in bytes of IP packet; default 9001 (F1.31)
	// Single says that each frame is one packet: the kernel makes no superframes.
	Single bool
	// Fabric makes eth0 a veth device whose far end stands there; nil: eth0 is a TAP.
	Fabric *Fabric

	// What sockets begin with; 0 means the system's default.
	TTL    int       // time to live of packets
	Ports  [2]uint16 // first and last port that a connection may come from
	Window int       // receive window of connections that Dial makes, in bytes

	Resolver netip.Addr // for /etc/resolv.conf
	Search   string     // the same file's search list
	Options  string     // the same file's options
}

const (
	defaultMTU = 9001
	// txQueueLen is how many frames, up to 64 KiB each, may wait for the fabric.
	// A shorter queue costs throughput with many connections.
	txQueueLen = 20000
)

// Namespace is an anonymous network namespace and, where its Config asks for it,
// the device that is its eth0. Its methods may be called from any goroutine.
type Namespace struct {
	cfg  Config
	dir  string // in the sandbox: home and etc
	port *TAP   // nil in a plain namespace

	mu  sync.RWMutex      // holds off Close while the descriptor is in use
	net kernelns.NsHandle // not open once closed

	starting sync.Mutex // held while a process is being started, and by Close
	view     *view      // what programs see; made by the first one
}

// New makes a namespace. It fails outside a sandbox, so that nothing can ever be
// left on the host. Namespaces may be made in parallel.
func New(cfg Config) (*Namespace, error) {
	if !Inside() {
		return nil, errors.New("network namespaces are made inside a sandbox only: call netns.Enter first")
	}
	if !filepath.IsLocal(cfg.Name) || path.Clean(cfg.Name) != cfg.Name || cfg.Name == "." {
		return nil, fmt.Errorf("network namespace: %q is no name", cfg.Name)
	}
	if cfg.Hostname == "" {
		cfg.Hostname = path.Base(cfg.Name)
	}
	if cfg.MTU == 0 {
		cfg.MTU = defaultMTU
	}
	n := &Namespace{cfg: cfg, net: kernelns.None(), dir: filepath.Join(stateDir, cfg.Lab, cfg.Name)}
	if err := n.makeHome(); err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.Name, err)
	}
	if err := onGoroutine(n.build); err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", cfg.Name, err), n.Close())
	}
	return n, nil
}

// NewPlain makes a namespace without eth0, for Veth.
func NewPlain(name string) (*Namespace, error) { return New(Config{Name: name}) }

// build makes the kernel's part on a thread of its own.
func (n *Namespace) build() error {
	runtime.LockOSThread()
	v := new(visit)
	defer v.leave()
	var err error
	if n.net, err = kernelns.New(); err != nil {
		return fmt.Errorf("make a network namespace: %w", err)
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring up lo: %w", err)
	}
	if err := n.setSysctls(); err != nil {
		return err
	}
	if n.cfg.MAC == (packet.MAC{}) {
		return nil
	}
	if f := n.cfg.Fabric; f != nil {
		n.port, err = f.connect(n.net)
	} else {
		n.port, err = openTAP(eth0, n.cfg.Single, 0)
	}
	if err != nil {
		return err
	}
	return n.configure()
}

const eth0 = "eth0"

// loopbackUp brings up lo in the calling thread's network namespace.
func loopbackUp() error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, ifr)
}

// configure gives eth0 its addresses and routes, in the calling thread's namespace.
func (n *Namespace) configure() error {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open netlink: %w", err)
	}
	defer h.Close()
	found, err := h.LinkByName(eth0)
	if err != nil {
		return fmt.Errorf("find eth0: %w", err)
	}
	link := &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: eth0, Index: found.Attrs().Index}}
	for _, step := range []struct {
		what string
		do   func() error
	}{
		{"MAC address", func() error { return h.LinkSetHardwareAddr(link, n.cfg.MAC[:]) }},
		{"MTU", func() error { return h.LinkSetMTU(link, n.cfg.MTU) }},
		{"queue length", func() error { return h.LinkSetTxQLen(link, txQueueLen) }},
		{"queueing discipline", func() error { return withoutQueue(h, link) }},
		{"state", func() error { return h.LinkSetUp(link) }},
	} {
		if err := step.do(); err != nil {
			return fmt.Errorf("set eth0's %s: %w", step.what, err)
		}
	}
	for _, p := range n.cfg.Addrs {
		if err := n.addAddr(h, link, p); err != nil {
			return err
		}
	}
	for _, gw := range n.cfg.Gateways {
		if err := n.addGateway(h, link, gw); err != nil {
			return err
		}
	}
	return nil
}

// withoutQueue takes away the queue that stands before a link. A TAP has one itself, and
// nothing would ever wait in this one, which has half a megabyte. A kernel without
// disciplines has no such queue.
func withoutQueue(h *netlink.Handle, link netlink.Link) error {
	err := h.QdiscReplace(&netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Parent: netlink.HANDLE_ROOT},
		QdiscType:  "noqueue",
	})
	if errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// addGateway gives eth0 a default router.
func (n *Namespace) addGateway(h *netlink.Handle, eth0 netlink.Link, gw netip.Addr) error {
	index := eth0.Attrs().Index
	if n.cfg.Router != (packet.MAC{}) {
		known := &netlink.Neigh{LinkIndex: index, State: netlink.NUD_PERMANENT, IP: gw.AsSlice(), HardwareAddr: n.cfg.Router[:]}
		if err := h.NeighSet(known); err != nil {
			return fmt.Errorf("make the router %s known: %w", gw, err)
		}
	}
	route := &netlink.Route{
		LinkIndex: index, Gw: gw.AsSlice(),
		Dst: &net.IPNet{IP: make(net.IP, gw.BitLen()/8), Mask: net.CIDRMask(0, gw.BitLen())},
	}
	if n.cfg.Routed { // no other route leads to the gateway
		route.Flags = int(netlink.FLAG_ONLINK)
	}
	if err := h.RouteAdd(route); err != nil {
		return fmt.Errorf("add the default route by %s: %w", gw, err)
	}
	return nil
}

// addAddr gives eth0 an address.
func (n *Namespace) addAddr(h *netlink.Handle, eth0 netlink.Link, p netip.Prefix) error {
	a := &netlink.Addr{IPNet: &net.IPNet{
		IP:   p.Addr().AsSlice(),
		Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen()),
	}}
	if p.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
	}
	if n.cfg.Routed {
		a.Flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if err := h.AddrAdd(eth0, a); err != nil {
		return fmt.Errorf("give eth0 the address %s: %w", p, err)
	}
	return nil
}

// AddAddr gives eth0 one more address, with the length of its subnet's prefix.
func (n *Namespace) AddAddr(p netip.Prefix) error {
	err := n.Do(func() error {
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return fmt.Errorf("open netlink: %w", err)
		}
		defer h.Close()
		link, err := h.LinkByName(eth0)
		if err != nil {
			return fmt.Errorf("find eth0: %w", err)
		}
		return n.addAddr(h, link, p)
	})
	if err != nil {
		return fmt.Errorf("%s: %w", n.cfg.Name, err)
	}
	return nil
}

// Name returns the name that the namespace was made with.
func (n *Namespace) Name() string { return n.cfg.Name }

// Port returns the fabric's end of eth0, or nil in a plain namespace. It is a
// *TAP, for the Poller of this package. Closing the namespace closes it.
func (n *Namespace) Port() engine.Port {
	if n.port == nil {
		return nil
	}
	return n.port
}

// Veth connects two namespaces by a pair of veth devices, which are down and
// without addresses.
func Veth(a *Namespace, aName string, b *Namespace, bName string) error {
	err := a.Do(func() error {
		b.mu.RLock()
		defer b.mu.RUnlock()
		h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
		if err != nil {
			return err
		}
		defer h.Close()
		attrs := netlink.NewLinkAttrs()
		attrs.Name = aName
		return h.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: bName, PeerNamespace: netlink.NsFd(int(b.net))})
	})
	if err != nil {
		return fmt.Errorf("connect %s of %s with %s of %s: %w", aName, a.cfg.Name, bName, b.cfg.Name, err)
	}
	return nil
}

// Close ends every program of the namespace, also those that left their process
// group, and gives back the port and the home directory. The kernel removes the
// namespace when the last socket in it is gone. The fabric must no longer use
// the port. A second Close does nothing.
func (n *Namespace) Close() error {
	n.starting.Lock()
	defer n.starting.Unlock()
	var errs []error
	if n.view != nil {
		errs = append(errs, n.killAll(), n.view.close())
		n.view = nil
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.port != nil {
		errs = append(errs, n.port.Close())
		if n.cfg.Fabric != nil {
			errs = append(errs, n.cfg.Fabric.disconnect(n.port))
		}
	}
	if n.net.IsOpen() {
		errs = append(errs, n.net.Close())
	}
	errs = append(errs, os.RemoveAll(n.dir))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", n.cfg.Name, err)
	}
	return nil
}
