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
	case bytes.Equal(magic, []byte("PAR1")):
		info, err := f.Stat()
		if err != nil {
			return err
		}
		return readParquet(f, info.Size(), each)
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		gz, err := gzip.NewReader(f)
		if err != nil {
			return err
		}
		return readText(gz, each)
	default:
		return readText(f, each)
	}
}

// maxLine is how long a line of a flow log can be, in bytes.
const maxLine = 1 << 16

// readText reads lines. The first names the fields, or is a record of the default
// format.
func readText(r io.Reader, each func(Row) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	var names []string
	for n := 1; lines.Scan(); n++ {
		values := strings.Fields(lines.Text())
		switch {
		case len(values) == 0:
			continue
		case names == nil && isHeader(values):
			names = values
			continue
		case names == nil:
			names = flowlog.DefaultFormat
		}
		if len(values) != len(names) {
			return fmt.Errorf("line %d: %d fields, where there must be %d: %s", n, len(values), len(names), strings.Join(names, " "))
		}
		if err := each(Row{names, values}); err != nil {
			return err
		}
	}
	return lines.Err()
}

// isHeader reports whether a line names fields; AWS may have some that are not known
// here.
func isHeader(values []string) bool {
	return slices.ContainsFunc(values, flowlog.Known)
}
