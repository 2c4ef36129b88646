package flowlogs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"

	"github.com/parquet-go/parquet-go"

	"github.com/plsim/plsim/dataplane/flowlog"
)

// columnName is what Athena calls a field: account_id.
func columnName(field string) string { return strings.ReplaceAll(field, "-", "_") }

// fieldName is the field of a column.
func fieldName(column string) string { return strings.ReplaceAll(column, "_", "-") }

// schemaOf is the schema of a format's Parquet files, with the types of F4.6.
func schemaOf(format flowlog.Format) *parquet.Schema {
	types := map[flowlog.Type]reflect.Type{
		flowlog.String: reflect.TypeFor[string](), flowlog.Int32: reflect.TypeFor[int32](), flowlog.Int64: reflect.TypeFor[int64](),
	}
	var columns []reflect.StructField
	for i, field := range format {
		columns = append(columns, reflect.StructField{
			Name: fmt.Sprintf("F%d", i), Type: types[flowlog.TypeOf(field)],
			Tag: reflect.StructTag(fmt.Sprintf(`parquet:"%s,optional"`, columnName(field))),
		})
	}
	return parquet.NewSchema("flow_log", parquet.SchemaOf(reflect.New(reflect.StructOf(columns)).Interface()))
}

// parquetRows are the rows of a Parquet file.
type parquetRows struct {
	types []flowlog.Type
	w     *parquet.GenericWriter[any]
	row   parquet.Row
}

func newParquetRows(f *os.File, format flowlog.Format) *parquetRows {
	p := &parquetRows{w: parquet.NewGenericWriter[any](f, schemaOf(format), parquet.Compression(&parquet.Gzip), parquet.CreatedBy("plsim", "1", ""))}
	for _, field := range format {
		p.types = append(p.types, flowlog.TypeOf(field))
	}
	return p
}

// add writes a row. A number that does not apply is null.
func (p *parquetRows) add(values []string) error {
	p.row = p.row[:0]
	for i, text := range values {
		v, err := parquetValue(p.types[i], text)
		if err != nil {
			return err
		}
		defined := 1
		if v.IsNull() {
			defined = 0
		}
		p.row = append(p.row, v.Level(0, defined, i))
	}
	_, err := p.w.WriteRows([]parquet.Row{p.row})
	return err
}

func parquetValue(t flowlog.Type, text string) (parquet.Value, error) {
	if t == flowlog.String {
		return parquet.ByteArrayValue([]byte(text)), nil
	}
	if text == none {
		return parquet.NullValue(), nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if t == flowlog.Int32 {
		return parquet.Int32Value(int32(n)), err
	}
	return parquet.Int64Value(n), err
}

func (p *parquetRows) close() error { return p.w.Close() }

// readParquet reads a Parquet file of whatever columns it has.
func readParquet(f io.ReaderAt, size int64, each func(Row) error) (err error) {
	defer func() {
		if p := recover(); p != nil { // the library's answer to some broken files
			err = fmt.Errorf("it is no Parquet file that can be read: %v", p)
		}
	}()
	pf, err := parquet.OpenFile(f, size)
	if err != nil {
		return err
	}
	var names []string
	for _, column := range pf.Schema().Columns() {
		if len(column) != 1 {
			return errors.New("it has nested columns, and so is no flow log")
		}
		names = append(names, fieldName(column[0]))
	}
	for _, group := range pf.RowGroups() {
		if err := readGroup(group, names, each); err != nil {
			return err
		}
	}
	return nil
}

func readGroup(group parquet.RowGroup, names []string, each func(Row) error) (err error) {
	rows := group.Rows()
	defer func() { err = errors.Join(err, rows.Close()) }()
	buf := make([]parquet.Row, 128)
	for {
		n, err := rows.ReadRows(buf)
		for _, r := range buf[:n] {
			row := Row{Fields: names, Values: make([]string, len(names))}
			for i := range row.Values {
				row.Values[i] = none
			}
			for _, v := range r {
				if c := v.Column(); c >= 0 && c < len(names) && !v.IsNull() {
					row.Values[c] = v.String()
				}
			}
			if err := each(row); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.ErrNoProgress
		}
	}
}
