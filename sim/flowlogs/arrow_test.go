package flowlogs

import (
	"path/filepath"
	"strconv"
	"testing"

	"github.com/apache/arrow-go/v18/parquet"
	arrow "github.com/apache/arrow-go/v18/parquet/file"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

// TestParquetByArrow has a reader of another family open a Parquet file, with every
// field of F4.6: columns by Athena's names, of AWS's types, hold what was written.
func TestParquetByArrow(t *testing.T) {
	dir := t.TempDir()
	log := logOf(t, func(l *topology.FlowLogSpec) {
		l.LogFormat, l.DestinationOptions = flowlog.Fields().String(), &topology.DestinationOptions{FileFormat: "parquet"}
	})
	records := []flowlog.Record{record(at(10)), refused(at(20))}
	deliver(t, dir, log, false, records...)
	names := filesBelow(t, filepath.Join(dir, "AWSLogs"))
	if len(names) != 1 {
		t.Fatalf("files %v", names)
	}
	r, err := arrow.OpenParquetFile(filepath.Join(dir, "AWSLogs", names[0]), false)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got := r.NumRows(); got != 2 || r.NumRowGroups() != 1 {
		t.Fatalf("%d rows in %d groups", got, r.NumRowGroups())
	}
	group := r.RowGroup(0)
	for i, field := range flowlog.Fields() {
		column := r.MetaData().Schema.Column(i)
		if column.Name() != columnName(field) {
			t.Errorf("column %d is %s, want %s", i, column.Name(), columnName(field))
		}
		chunk, err := group.Column(i)
		if err != nil {
			t.Fatal(err)
		}
		got := columnOf(t, chunk)
		for k, rec := range records {
			want := rec.Values(flowlog.Fields())[i]
			if want == none && flowlog.TypeOf(field) != flowlog.String {
				want = "null"
			}
			if got[k] != want {
				t.Errorf("%s of record %d is %q, want %q", field, k, got[k], want)
			}
		}
	}
}

// columnOf returns the values of a column with two rows.
func columnOf(t *testing.T, chunk arrow.ColumnChunkReader) []string {
	t.Helper()
	var text []string
	levels := make([]int16, 2)
	fill := func(values []string) {
		for _, defined := range levels {
			if defined == 0 {
				text = append(text, "null")
				continue
			}
			text, values = append(text, values[0]), values[1:]
		}
	}
	var n int
	var err error
	var values []string
	switch c := chunk.(type) {
	case *arrow.Int32ColumnChunkReader:
		b := make([]int32, 2)
		_, n, err = c.ReadBatch(2, b, levels, nil)
		for _, v := range b[:n] {
			values = append(values, strconv.FormatInt(int64(v), 10))
		}
	case *arrow.Int64ColumnChunkReader:
		b := make([]int64, 2)
		_, n, err = c.ReadBatch(2, b, levels, nil)
		for _, v := range b[:n] {
			values = append(values, strconv.FormatInt(v, 10))
		}
	case *arrow.ByteArrayColumnChunkReader:
		b := make([]parquet.ByteArray, 2)
		_, n, err = c.ReadBatch(2, b, levels, nil)
		for _, v := range b[:n] {
			values = append(values, string(v))
		}
	default:
		t.Fatalf("a column of %T", chunk)
	}
	if err != nil {
		t.Fatal(err)
	}
	fill(values)
	return text
}
