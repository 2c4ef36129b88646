package flowlogs

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/plsim/plsim/dataplane/flowlog"
)

const none = "-"

// Row is a record as a file has it.
type Row struct {
	Fields []string // AWS's names, and plsim's own
	Values []string
}

// Get returns a field's value, "-" where the row has none.
func (r *Row) Get(field string) string {
	if i := slices.Index(r.Fields, field); i >= 0 {
		return r.Values[i]
	}
	return none
}

// Sort orders rows by the time of their first packet; those of one second stay as
// they are.
func Sort(rows []Row) {
	start := func(r Row) int64 {
		n, _ := strconv.ParseInt(r.Get("start"), 10, 64) // what has none comes first
		return n
	}
	slices.SortStableFunc(rows, func(a, b Row) int { return cmp.Compare(start(a), start(b)) })
}

// Read hands every row of a file to each; of a directory, those of all flow log files
// below it. Where a run of plsim kept its readable file there, it has them all.
func Read(path string, each func(Row) error) error {
	files, err := filesOf(path)
	if err != nil {
		return err
	}
	for _, name := range files {
		if err := readFile(name, each); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func filesOf(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil || !info.IsDir() {
		return []string{path}, err
	}
	text := filepath.Join(path, TextName)
	if _, err := os.Stat(text); err == nil {
		return []string{text}, nil
	}
	var files []string
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && isLog(name) {
			files = append(files, name)
		}
		return err
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no flow log in %s: neither %s nor files *.log.gz or *.parquet", path, TextName)
	}
	return files, err
}

func isLog(name string) bool {
	base := filepath.Base(name)
	return base == TextName || strings.HasSuffix(base, ".log.gz") || strings.HasSuffix(base, ".parquet")
}

// readFile reads a file by what is in it: Parquet, or text, compressed or not.
func readFile(name string, each func(Row) error) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 4)
	n, err := f.ReadAt(magic, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch magic = magic[:n]; {
	case isParquet(magic):
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return readParquet(f, info.Size(), each)
	case isCompressed(magic):
		gz, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		return readText(gz, each)
	default:
		return readText(f, each)
	}
}

func isParquet(magic []byte) bool    { return bytes.HasPrefix(magic, []byte("PAR1")) }
func isCompressed(magic []byte) bool { return bytes.HasPrefix(magic, []byte{0x1f, 0x8b}) }

// maxLine is how long a line of a flow log can be, in bytes.
const maxLine = 1 << 16

func readText(r io.Reader, each func(Row) error) error {
	lines, parser := bufio.NewScanner(r), textParser{}
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		row, err := parser.parse(lines.Text())
		if err == nil && row != nil {
			err = each(*row)
		}
		if err != nil {
			return err
		}
	}
	return lines.Err()
}

// textParser reads the lines of a file. The first names the fields, or is a record of
// the default format.
type textParser struct {
	names []string
	n     int
}

// parse reads a line; nil: it is empty, or names the fields.
func (p *textParser) parse(line string) (*Row, error) {
	p.n++
	values := strings.Fields(line)
	switch {
	case len(values) == 0:
		return nil, nil
	case p.names == nil && isHeader(values):
		p.names = values
		return nil, nil
	case p.names == nil:
		p.names = flowlog.DefaultFormat
	}
	if len(values) != len(p.names) {
		return nil, fmt.Errorf("line %d: %d fields, where there must be %d: %s", p.n, len(values), len(p.names), strings.Join(p.names, " "))
	}
	return &Row{p.names, values}, nil
}

// isHeader reports whether a line names fields; AWS may have some that are not known
// here.
func isHeader(values []string) bool {
	return slices.ContainsFunc(values, flowlog.Known)
}
