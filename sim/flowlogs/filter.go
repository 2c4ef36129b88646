package flowlogs

import (
	"net/netip"
	"strconv"
	"strings"
)

// Filter chooses rows. The zero Filter takes all.
type Filter struct {
	Interface string       // part of the interface's ID, or of what users call it
	Action    string       // ACCEPT or REJECT
	Peer      netip.Prefix // has one of the row's addresses
	Port      uint16       // is one of the row's ports
	Flow      string       // ID of the row's flow, in a complete log
}

// Takes reports whether a row passes the filter.
func (f *Filter) Takes(r *Row) bool {
	named := strings.Contains(r.Get("interface-id"), f.Interface) || strings.Contains(r.Get("plsim-interface"), f.Interface)
	return named &&
		(f.Action == "" || r.Get("action") == f.Action) &&
		(!f.Peer.IsValid() || f.anyAddr(r)) &&
		(f.Port == 0 || f.anyPort(r)) &&
		(f.Flow == "" || r.Get("plsim-flow") == f.Flow)
}

func (f *Filter) anyAddr(r *Row) bool {
	for _, field := range []string{"srcaddr", "dstaddr", "pkt-srcaddr", "pkt-dstaddr"} {
		if a, err := netip.ParseAddr(r.Get(field)); err == nil && f.Peer.Contains(a) {
			return true
		}
	}
	return false
}

func (f *Filter) anyPort(r *Row) bool {
	port := strconv.Itoa(int(f.Port))
	return r.Get("srcport") == port || r.Get("dstport") == port
}
