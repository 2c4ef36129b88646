package flowlogs

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// looks is how often [Follow] looks for more.
const looks = 200 * time.Millisecond

// Follow hands every row of a readable file to each, and those that are written to it
// from then on, until ctx ends. path may be the directory that a run keeps it in.
func Follow(ctx context.Context, path string, each func(Row) error) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, TextName)
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if magic, _ := bufio.NewReader(f).Peek(4); isCompressed(magic) || isParquet(magic) {
		return fmt.Errorf("%s does not grow: only a readable file can be followed, such as %s", path, TextName)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	lines, line, parser := bufio.NewReader(f), "", textParser{}
	for {
		part, err := lines.ReadString('\n')
		if line += part; err == nil || len(line) > maxLine {
			row, err := parser.parse(line)
			if err == nil && row != nil {
				err = each(*row)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			line = ""
			continue
		}
		if !errors.Is(err, io.EOF) {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(looks):
		}
	}
}

// Lines prints rows as they come: the columns of [Print], each of a width that holds
// most of what it gets.
type Lines struct {
	w     io.Writer
	begun bool
}

// NewLines returns Lines that are printed on w.
func NewLines(w io.Writer) *Lines { return &Lines{w: w} }

// Print prints a row.
func (l *Lines) Print(r *Row) error {
	if !l.begun {
		l.begun = true
		if err := l.line(func(c *column) string { return c.title }); err != nil {
			return err
		}
	}
	return l.line(func(c *column) string { return c.text(r) })
}

func (l *Lines) line(text func(*column) string) error {
	var b strings.Builder
	for i := range columns {
		if c := &columns[i]; c.width > 0 {
			fmt.Fprintf(&b, "%-*s  ", c.width, text(c))
		}
	}
	_, err := fmt.Fprintln(l.w, strings.TrimRight(b.String(), " "))
	return err
}
