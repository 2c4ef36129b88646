package flowlogs

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/plsim/plsim/dataplane/flowlog"
	"github.com/plsim/plsim/topology"
)

// file is one of a flow log's files. As in S3 it appears when it is complete.
type file struct {
	name   string
	temp   *os.File
	format flowlog.Format
	rows   rows
}

// rows writes records in some form.
type rows interface {
	add(values []string) error
	close() error // what is buffered; the file stays open
}

func newFile(name string, l *topology.FlowLog) (*file, error) {
	temp, err := os.CreateTemp(filepath.Dir(name), ".incomplete-")
	if err != nil {
		return nil, err
	}
	f := &file{name: name, temp: temp, format: l.Format}
	if l.Parquet() {
		f.rows = newParquetRows(temp, l.Format)
	} else {
		f.rows = newTextRows(temp)
		err = f.rows.add(l.Format) // a line with the names
	}
	return f, errors.Join(err, temp.Chmod(0o644))
}

func (f *file) add(r *flowlog.Record) error { return f.rows.add(r.Values(f.format)) }

// close completes the file and gives it its name.
func (f *file) close() error {
	if err := errors.Join(f.rows.close(), f.temp.Close()); err != nil {
		return err
	}
	return os.Rename(f.temp.Name(), f.name)
}

// textRows are the lines of a compressed text file.
type textRows struct {
	buf *bufio.Writer
	gz  *gzip.Writer
}

func newTextRows(f *os.File) *textRows {
	gz, _ := gzip.NewWriterLevel(f, gzip.BestSpeed) // the level is one
	return &textRows{bufio.NewWriterSize(gz, 1<<16), gz}
}

func (t *textRows) add(values []string) error {
	for i, v := range values {
		if i > 0 {
			_ = t.buf.WriteByte(' ') // the error comes back with the next
		}
		_, _ = t.buf.WriteString(v)
	}
	return t.buf.WriteByte('\n')
}

func (t *textRows) close() error { return errors.Join(t.buf.Flush(), t.gz.Close()) }

// sheet is a file of lines for people, with columns one below the other.
type sheet struct {
	format flowlog.Format
	widths []int
	file   *os.File
	buf    *bufio.Writer
}

// newSheet begins a file with the names of its columns.
func newSheet(name string, format flowlog.Format) (*sheet, error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	t := &sheet{format: format, file: f, buf: bufio.NewWriterSize(f, 1<<16)}
	for _, field := range format {
		t.widths = append(t.widths, max(len(field), usual[field]))
	}
	t.line(format)
	return t, t.flush()
}

// usual is how wide a field's values mostly are.
var usual = map[string]int{
	"start": 10, "end": 10, "interface-id": 21, "plsim-interface": 32, "plsim-flow": 16, "srcaddr": 15, "dstaddr": 15,
	"bytes": 9, "plsim-reason": 22,
}

func (s *sheet) add(r *flowlog.Record) { s.line(r.Values(s.format)) }

func (s *sheet) line(values []string) {
	for i, v := range values {
		_, _ = s.buf.WriteString(v) // flush tells
		if i < len(values)-1 {
			_, _ = s.buf.WriteString(strings.Repeat(" ", max(s.widths[i]-len(v), 0)+1))
		}
	}
	_ = s.buf.WriteByte('\n')
}

func (s *sheet) flush() error { return s.buf.Flush() }

func (s *sheet) close() error { return errors.Join(s.flush(), s.file.Close()) }
