package flowlogs

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/plsim/plsim/dataplane/drop"
	"github.com/plsim/plsim/dataplane/flow"
	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/dataplane/packet"
	"github.com/plsim/plsim/topology"
)

const account = "123456789010"

// logOf makes a flow log of all of a VPC.
func logOf(t testing.TB, change func(*topology.FlowLogSpec)) *topology.FlowLog {
	t.Helper()
	log := &topology.FlowLogSpec{ID: "fl-00000000000000001", VPCID: "v"}
	change(log)
	lab, err := topology.New("test", &topology.Spec{
		VPCs:     map[string]*topology.VPC{"v": {ID: "vpc-00000001", OwnerID: account, CIDRBlock: "10.0.0.0/16"}},
		FlowLogs: map[string]*topology.FlowLogSpec{"all": log},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lab.FlowLogs[0]
}

func addr(s string) packet.Addr { return packet.AddrFrom(netip.MustParseAddr(s)) }

// at is 2023-11-14 16:20:00 UTC and some seconds.
func at(s int64) int64 { return 1699978800 + s }

func record(end int64) flowlog.Record {
	return flowlog.Record{
		Interface: flowlog.Interface{
			AccountID: account, ID: "eni-1", VPCID: "vpc-00000001", Label: "v/web", Groups: []string{"v/web"},
		},
		Way: flow.Ingress, Src: addr("10.0.1.11"), Dst: addr("10.0.1.50"), SrcPort: 40000, DstPort: 443, Proto: packet.TCP,
		PktSrc: addr("10.0.1.11"), PktDst: addr("10.0.1.50"), Packets: 3, Bytes: 5_000_000_000, Start: at(0), End: end, Flags: packet.SYN,
	}
}

func refused(end int64) flowlog.Record {
	r := record(end)
	r.Action, r.Why = flowlog.Reject, drop.SecurityGroupIngress
	return r
}

// deliver writes records as one window would.
func deliver(t testing.TB, dir string, log *topology.FlowLog, complete bool, records ...flowlog.Record) {
	t.Helper()
	w, err := NewWriter(dir, "us-east-1", []*topology.FlowLog{log}, complete)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Deliver(flowlog.ShortWindow, records, at(0)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

func filesBelow(t testing.TB, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, name)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func read(t testing.TB, path string) (rows []Row) {
	t.Helper()
	if err := Read(path, func(r Row) error { rows = append(rows, r); return nil }); err != nil {
		t.Fatal(err)
	}
	return rows
}

// F4.22, F4.23: folders and names, and files that group records by their end.
func TestLayout(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*topology.FlowLogSpec)
		want   []string
	}{
		{"plain", func(*topology.FlowLogSpec) {}, []string{
			"AWSLogs/123456789010/vpcflowlogs/us-east-1/2023/11/14/123456789010_vpcflowlogs_us-east-1_fl-00000000000000001_20231114T1620Z_",
			"AWSLogs/123456789010/vpcflowlogs/us-east-1/2023/11/14/123456789010_vpcflowlogs_us-east-1_fl-00000000000000001_20231114T1625Z_",
		}},
		{"Hive, by the hour, Parquet", func(l *topology.FlowLogSpec) {
			l.DestinationOptions = &topology.DestinationOptions{FileFormat: "parquet", HivePartitions: true, PerHour: true}
		}, []string{
			"AWSLogs/aws-account-id=123456789010/aws-service=vpcflowlogs/aws-region=us-east-1/year=2023/month=11/day=14/hour=16/123456789010_vpcflowlogs_us-east-1_fl-00000000000000001_20231114T1620Z_",
			"AWSLogs/aws-account-id=123456789010/aws-service=vpcflowlogs/aws-region=us-east-1/year=2023/month=11/day=14/hour=16/123456789010_vpcflowlogs_us-east-1_fl-00000000000000001_20231114T1625Z_",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			deliver(t, dir, logOf(t, tt.change), false, record(at(0)), record(at(299)), record(at(300)))
			names := filesBelow(t, filepath.Join(dir, "AWSLogs"))
			rows := [2]int{2, 1}
			for i, name := range names {
				if got := len(read(t, filepath.Join(dir, "AWSLogs", name))); i < 2 && got != rows[i] {
					t.Errorf("%s has %d records, want %d", name, got, rows[i])
				}
				stem, hash, _ := strings.Cut(name, "Z_")
				if _, suffix, ok := strings.Cut(hash, "."); !ok || len(hash)-len(suffix) != 9 {
					t.Errorf("%s: the hash is %s", name, hash)
				}
				want, _, _ := strings.Cut(tt.want[i], "Z_")
				if got := "AWSLogs/" + stem; got != want {
					t.Errorf("got  %s\nwant %s", got, want)
				}
			}
			if len(names) != 2 {
				t.Errorf("%q", names)
			}
		})
	}
}

// A file appears when no record of its period can come any more, and not before.
func TestDelivery(t *testing.T) {
	dir := t.TempDir()
	w, err := NewWriter(dir, "us-east-1", []*topology.FlowLog{logOf(t, func(*topology.FlowLogSpec) {})}, false)
	if err != nil {
		t.Fatal(err)
	}
	finished := func() (n int) {
		for _, name := range filesBelow(t, dir) {
			if strings.HasSuffix(name, ".log.gz") {
				n++
			}
		}
		return n
	}
	for _, step := range []struct{ end, until, want int64 }{{10, 60, 0}, {299, 299, 0}, {301, 301, 1}, {305, 340, 1}} {
		if err := w.Deliver(flowlog.ShortWindow, []flowlog.Record{record(at(step.end))}, at(step.until)); err != nil {
			t.Fatal(err)
		}
		if got := finished(); got != int(step.want) {
			t.Errorf("until %d: %d files, want %d", step.until, got, step.want)
		}
		if got := len(read(t, dir)); got == 0 {
			t.Error("the readable file has nothing yet")
		}
	}
	if err := w.Close(); err != nil || finished() != 2 || len(read(t, dir)) != 4 {
		t.Errorf("%v, %d files, %d records", err, finished(), len(read(t, dir)))
	}
}

// Text and Parquet say the same of every field, and can be read back.
func TestForms(t *testing.T) {
	silent := flowlog.Record{Interface: record(0).Interface, Status: flowlog.NoData, Start: at(0), End: at(59)}
	all := flowlog.Fields().String()
	for _, form := range []string{"plain-text", "parquet"} {
		t.Run(form, func(t *testing.T) {
			dir := t.TempDir()
			log := logOf(t, func(l *topology.FlowLogSpec) {
				l.LogFormat, l.DestinationOptions = all, &topology.DestinationOptions{FileFormat: form}
			})
			deliver(t, dir, log, false, record(at(10)), refused(at(20)), silent)
			rows := read(t, filepath.Join(dir, "AWSLogs"))
			if len(rows) != 3 {
				t.Fatalf("%d records", len(rows))
			}
			for i, r := range []flowlog.Record{record(at(10)), refused(at(20)), silent} {
				if want := r.Values(flowlog.Fields()); !slices.Equal(rows[i].Fields, flowlog.Fields()) || !slices.Equal(rows[i].Values, want) {
					t.Errorf("got  %v %v\nwant %v", rows[i].Fields, rows[i].Values, want)
				}
			}
		})
	}
}

// F4.6: the columns of a Parquet file have Athena's names and AWS's types.
func TestParquetTypes(t *testing.T) {
	s := schemaOf(flowlog.Fields())
	want := map[string]string{
		"version": "INT32", "srcport": "INT32", "dstport": "INT32", "protocol": "INT32", "tcp_flags": "INT32", "traffic_path": "INT32",
		"encryption_status": "INT32", "packets": "INT64", "bytes": "INT64", "start": "INT64", "end": "INT64",
	}
	for i, f := range s.Fields() {
		if f.Name() != columnName(flowlog.Fields()[i]) {
			t.Errorf("column %d is %s", i, f.Name())
		}
		kind := want[f.Name()]
		if kind == "" {
			kind = "STRING"
		}
		if got := f.Type().String(); !f.Optional() || !strings.HasPrefix(got, kind) && got != strings.Replace(kind, "INT", "INT(", 1)+",true)" {
			t.Errorf("%s is %s, want %s", f.Name(), got, kind)
		}
	}
}

// F4.7, F4.8: lines of AWS's own, with a header and without.
func TestReadAWS(t *testing.T) {
	const accepted = "2 123456789010 eni-1235b8ca123456789 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1418530010 1418530070 ACCEPT OK\n"
	const silent = "2 123456789010 eni-1235b8ca123456789 - - - - - - - 1431280876 1431280934 - NODATA\n"
	const custom = "version vpc-id a-new-field\n5 vpc-abcdefab012345678 x\n"
	var gz bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, _ = z.Write([]byte(custom))
	_ = z.Close()
	dir := t.TempDir()
	for name, text := range map[string]string{"plain": accepted + "\n" + silent, "custom": custom, "packed": gz.String()} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	rows := read(t, filepath.Join(dir, "plain"))
	if len(rows) != 2 || rows[0].Get("dstport") != "22" || rows[1].Get("log-status") != "NODATA" || rows[0].Get("vpc-id") != "-" {
		t.Errorf("%v", rows)
	}
	for _, name := range []string{"custom", "packed"} {
		if rows := read(t, filepath.Join(dir, name)); len(rows) != 1 || rows[0].Get("a-new-field") != "x" {
			t.Errorf("%s: %v", name, rows)
		}
	}
	for text, want := range map[string]string{
		"version srcaddr\n2 10.0.0.1 x\n": "line 2: 3 fields, where there must be 2: version srcaddr",
		"hello\n":                         "line 1: 1 fields, where there must be 14",
		"PAR1 and no more":                "",
		"\x1f\x8b and no more":            "",
	} {
		name := filepath.Join(dir, "broken")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := Read(name, func(Row) error { return nil }); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
	if err := Read(t.TempDir(), nil); err == nil || !strings.Contains(err.Error(), "there is no flow log in") {
		t.Errorf("an empty directory: %v", err)
	}
}

func TestFilter(t *testing.T) {
	dir := t.TempDir()
	other := refused(at(5))
	other.Interface.Label, other.Interface.ID, other.Src, other.SrcPort = "v/db", "eni-2", addr("10.0.9.9"), 5432
	deliver(t, dir, logOf(t, func(*topology.FlowLogSpec) {}), false, record(at(1)), refused(at(2)), other)
	rows := read(t, dir)
	for _, tt := range []struct {
		f    Filter
		want int
	}{
		{Filter{}, 3},
		{Filter{Interface: "v/web"}, 2}, {Filter{Interface: "eni-2"}, 1}, {Filter{Interface: "x"}, 0},
		{Filter{Action: "REJECT"}, 2},
		{Filter{Peer: netip.MustParsePrefix("10.0.9.0/24")}, 1}, {Filter{Peer: netip.MustParsePrefix("10.0.1.11/32")}, 2},
		{Filter{Port: 443}, 3}, {Filter{Port: 5432}, 1}, {Filter{Port: 80}, 0},
		{Filter{Interface: "v/web", Action: "REJECT", Port: 443}, 1},
	} {
		n := 0
		for i := range rows {
			if tt.f.Takes(&rows[i]) {
				n++
			}
		}
		if n != tt.want {
			t.Errorf("%+v takes %d rows, want %d", tt.f, n, tt.want)
		}
	}
}

// Which rule was missing.
func TestWhy(t *testing.T) {
	for _, tt := range []struct {
		change func(*flowlog.Record)
		want   string
	}{
		{func(r *flowlog.Record) { r.Action, r.Why = flowlog.Accept, drop.None }, ""},
		{func(*flowlog.Record) {}, "no inbound rule of security group v/web allows tcp 443 from 10.0.1.11"},
		{func(r *flowlog.Record) { r.Interface.Groups = []string{"v/a", "v/b"}; r.Proto = packet.ICMP },
			"no inbound rule of security groups v/a, v/b allows icmp from 10.0.1.11"},
		{func(r *flowlog.Record) { r.Why = drop.SecurityGroupEgress; r.Proto = packet.UDP },
			"no outbound rule of security group v/web allows udp 443 to 10.0.1.50"},
		{func(r *flowlog.Record) { r.Why, r.Guard = drop.NetworkACLIngress, "v/private" },
			"network ACL v/private denies tcp 443 from 10.0.1.11 into the subnet"},
		{func(r *flowlog.Record) { r.Why, r.Guard = drop.NetworkACLEgress, "v/private" },
			"network ACL v/private denies tcp 443 to 10.0.1.50 out of the subnet"},
		{func(r *flowlog.Record) { r.Why = drop.TrackingTable },
			"An interface on the way tracks as many flows as it can; new ones are dropped"},
		{func(r *flowlog.Record) { r.Action, r.Why = flowlog.Accept, drop.NoListener },
			"The load balancer has no listener for this protocol and port"},
	} {
		r := refused(at(1))
		tt.change(&r)
		dir := t.TempDir()
		deliver(t, dir, logOf(t, func(*topology.FlowLogSpec) {}), false, r)
		if got := Why(&read(t, dir)[0]); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// F4.18: the complete log has every hop, flow by flow; the others do not.
func TestCompleteLog(t *testing.T) {
	dir := t.TempDir()
	var all []flowlog.Record
	for _, id := range []uint64{9, 3} {
		for hop := range uint8(2) {
			r := record(at(1))
			r.FlowID, r.Hop, r.Hidden = id, 1-hop, hop == 0
			all = append(all, r)
		}
	}
	deliver(t, dir, logOf(t, func(*topology.FlowLogSpec) {}), true, all...)
	var got []string
	for _, r := range read(t, filepath.Join(dir, CompleteName)) {
		got = append(got, r.Get("plsim-flow")+"."+r.Get("plsim-hop")+" "+r.Get("plsim-visible"))
	}
	if want := []string{"3.0 true", "3.1 false", "9.0 true", "9.1 false"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if n := len(read(t, dir)); n != 2 {
		t.Errorf("AWS's log has %d records", n)
	}
}

func TestPrint(t *testing.T) {
	dir := t.TempDir()
	silent := flowlog.Record{Interface: record(0).Interface, Status: flowlog.SkipData, Start: at(0), End: at(9)}
	deliver(t, dir, logOf(t, func(*topology.FlowLogSpec) {}), false, record(at(1)), refused(at(2)), silent)
	rows := read(t, dir)
	var b bytes.Buffer
	Print(&b, rows)
	want := `
START     INTERFACE  DIRECTION  ACTION    PROTO  SOURCE           DESTINATION    PACKETS  BYTES       FLAGS  WHY
16:20:00  v/web      ingress    ACCEPT    tcp    10.0.1.11:40000  10.0.1.50:443  3        5000000000  S
16:20:00  v/web      ingress    REJECT    tcp    10.0.1.11:40000  10.0.1.50:443  3        5000000000  S      no inbound rule of security group v/web allows tcp 443 from 10.0.1.11
16:20:00  v/web      -          SKIPDATA  -      -                -              -        -           -
`
	if b.String() != want[1:] {
		t.Errorf("got\n%swant%s", b.String(), want)
	}
	b.Reset()
	if err := JSON(&b, rows[1:]); err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(b.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if list[0]["bytes"] != 5e9 || list[0]["srcaddr"] != "10.0.1.11" || list[1]["srcaddr"] != nil || !strings.HasPrefix(list[0]["why"].(string), "no inbound rule") {
		t.Errorf("%v", list)
	}
}

func TestFollow(t *testing.T) {
	name := filepath.Join(t.TempDir(), TextName)
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	write := func(text string) {
		t.Helper()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	write("version srcaddr\n2 10.0.0.1\n2 10.0.")
	ctx, cancel := context.WithCancel(t.Context())
	seen, over := make(chan string), make(chan error, 1)
	go func() {
		over <- Follow(ctx, filepath.Dir(name), func(r Row) error { seen <- r.Get("srcaddr"); return nil })
	}()
	if got := <-seen; got != "10.0.0.1" {
		t.Errorf("the first row is of %s", got)
	}
	write("0.2\n2 10.0.0.3\n")
	if a, b := <-seen, <-seen; a != "10.0.0.2" || b != "10.0.0.3" {
		t.Errorf("then come rows of %s and %s", a, b)
	}
	cancel()
	if err := <-over; err != nil {
		t.Error(err)
	}
	write("2 10.0.0.4 more\n")
	if err := Follow(t.Context(), name, func(Row) error { return nil }); err == nil || !strings.Contains(err.Error(), "line 5: 3 fields") {
		t.Errorf("a broken line: %v", err)
	}
	var b bytes.Buffer
	lines := NewLines(&b)
	for range 2 {
		if err := lines.Print(&Row{[]string{"start", "interface-id", "srcaddr", "srcport", "protocol", "action"}, []string{"1699978800", "eni-1", "10.0.1.11", "40000", "6", "ACCEPT"}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Split(b.String(), "\n"); len(got) != 4 || got[1] != got[2] || strings.Index(got[0], "SOURCE") != strings.Index(got[1], "10.0.1.11:40000") {
		t.Errorf("printed\n%s", b.String())
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("version srcaddr\n2 10.0.0.1\n"))
	f.Add([]byte("PAR1\x00\x00\x00\x00PAR1"))
	f.Add([]byte{0x1f, 0x8b, 8, 0})
	dir := f.TempDir()
	deliver(f, dir, logOf(f, func(l *topology.FlowLogSpec) {
		l.DestinationOptions = &topology.DestinationOptions{FileFormat: "parquet"}
	}), false, record(at(1)))
	for _, name := range filesBelow(f, dir) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		name := filepath.Join(t.TempDir(), "log")
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
		var rows []Row
		_ = Read(name, func(r Row) error {
			if len(r.Fields) != len(r.Values) {
				t.Fatalf("%d fields and %d values", len(r.Fields), len(r.Values))
			}
			rows = append(rows, r)
			return nil
		})
		Sort(rows)
		Print(new(bytes.Buffer), rows)
	})
}
