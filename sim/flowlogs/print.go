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

// column is one of the table.
type column struct {
	title    string
	text     func(*Row) string
	optional bool // left out where no row has it
	width    int  // of lines that are printed one by one; 0: left out there
}

var columns = []column{
	{"START", func(r *Row) string { return timeOf(r.Get("start")) }, false, 8},
	{"INTERFACE", name, false, 28},
	{"FLOW", func(r *Row) string { return r.Get("plsim-flow") }, true, 0},
	{"HOP", func(r *Row) string { return r.Get("plsim-hop") }, true, 0},
	{"BY AWS", byAWS, true, 0},
	{"DIRECTION", func(r *Row) string { return r.Get("flow-direction") }, true, 9},
	{"ACTION", verdict, false, 6},
	{"PROTO", protocol, false, 5},
	{"SOURCE", func(r *Row) string { return side(r, "src") }, false, 21},
	{"DESTINATION", func(r *Row) string { return side(r, "dst") }, false, 21},
	{"PACKETS", func(r *Row) string { return r.Get("packets") }, false, 7},
	{"BYTES", func(r *Row) string { return r.Get("bytes") }, false, 9},
	{"FLAGS", func(r *Row) string { return flags(r.Get("tcp-flags")) }, true, 5},
	{"WHY", Why, true, 1},
}

// Print prints rows as a table for people.
func Print(w io.Writer, rows []Row) {
	t := newPrinter(w)
	lines := make([]table.Row, len(rows))
	var header table.Row
	for _, c := range columns {
		texts, any := make([]string, len(rows)), false
		for i := range rows {
			texts[i] = c.text(&rows[i])
			any = any || texts[i] != none && texts[i] != ""
		}
		if c.optional && !any {
			continue
		}
		header = append(header, c.title)
		for i, text := range texts {
			lines[i] = append(lines[i], text)
		}
	}
	t.AppendHeader(header)
	t.AppendRows(lines)
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

// byAWS says whether AWS has such a record.
func byAWS(r *Row) string {
	switch r.Get("plsim-visible") {
	case "true":
		return "yes"
	case "false":
		return "no"
	}
	return none
}

func timeOf(unix string) string {
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
		list = append(list, object(&rows[i]))
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(list)
}

// JSONLine prints one row as an object of [JSON], on a line of its own.
func JSONLine(w io.Writer, r *Row) error { return json.NewEncoder(w).Encode(object(r)) }

func object(r *Row) map[string]any {
	o := map[string]any{}
	for j, field := range r.Fields {
		o[field] = value(field, r.Values[j])
	}
	if why := Why(r); why != "" {
		o["why"] = why
	}
	return o
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
