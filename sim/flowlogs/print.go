package flowlogs

import (
	"encoding/json"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/plsim/plsim/dataplane/flowlog"
)

// Print prints rows as a table for people.
func Print(w io.Writer, rows []Row) {
	var reasons, directions bool
	for i := range rows {
		reasons = reasons || Why(&rows[i]) != ""
		directions = directions || rows[i].Get("flow-direction") != none
	}
	t := newPrinter(w)
	header := table.Row{"START", "INTERFACE", "ACTION", "PROTO", "SOURCE", "DESTINATION", "PACKETS", "BYTES", "FLAGS"}
	if directions {
		header = append(header, "DIRECTION")
	}
	if reasons {
		header = append(header, "WHY")
	}
	t.AppendHeader(header)
	for i := range rows {
		r := &rows[i]
		line := table.Row{
			clock(r.Get("start")), name(r), verdict(r), protocol(r), side(r, "src"), side(r, "dst"),
			r.Get("packets"), r.Get("bytes"), flags(r.Get("tcp-flags")),
		}
		if directions {
			line = append(line, r.Get("flow-direction"))
		}
		if reasons {
			line = append(line, Why(r))
		}
		t.AppendRow(line)
	}
	t.Render()
}

// newPrinter returns a table without frames: columns that programs can cut, too.
func newPrinter(w io.Writer) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	style := table.StyleDefault
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

func clock(unix string) string {
	n, err := strconv.ParseInt(unix, 10, 64)
	if err != nil {
		return unix
	}
	return time.Unix(n, 0).UTC().Format("15:04:05")
}

// name is what users call the interface, if the file tells.
func name(r *Row) string {
	if label := r.Get("plsim-interface"); label != none {
		return label
	}
	return r.Get("interface-id")
}

// verdict is what became of the packets, or why there are none.
func verdict(r *Row) string {
	if a := r.Get("action"); a != none {
		return a
	}
	return r.Get("log-status")
}

func side(r *Row, end string) string {
	addr, port := r.Get(end+"addr"), r.Get(end+"port")
	if p := protocol(r); addr == none || port == none || p != "tcp" && p != "udp" {
		return addr
	}
	return net.JoinHostPort(addr, port)
}

// flags spells out a value of tcp-flags.
func flags(text string) string {
	n, err := strconv.Atoi(text)
	if err != nil {
		return text
	}
	s := ""
	for _, f := range []struct {
		bit  int
		name string
	}{{2, "S"}, {16, "A"}, {1, "F"}, {4, "R"}} {
		if n&f.bit != 0 {
			s += f.name
		}
	}
	if s == "" {
		return none
	}
	return s
}

// JSON prints rows as a list of objects with AWS's field names; what does not apply
// is null. A sentence under why says why packets went no further, if that is known.
func JSON(w io.Writer, rows []Row) error {
	list := make([]map[string]any, 0, len(rows))
	for i := range rows {
		r := &rows[i]
		object := map[string]any{}
		for j, field := range r.Fields {
			object[field] = value(field, r.Values[j])
		}
		if why := Why(r); why != "" {
			object["why"] = why
		}
		list = append(list, object)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

func value(field, text string) any {
	switch {
	case text == none:
		return nil
	case flowlog.TypeOf(field) == flowlog.String:
		return text
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	return text
}
