package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/plsim/plsim/topology/netns"
)

// watching is something that is shown again and again: on a terminal in its place, and
// elsewhere one after the other.
type watching struct {
	every time.Duration
	times int  // 0: until q or ^C
	apart bool // an empty line goes between two that are printed
	// take returns what there is to show in so many lines, 0 for as many as it takes.
	take func(ctx context.Context, lines int) (string, error)
}

// plainSize is that of a terminal that does not tell its own.
const (
	plainLines   = 24
	plainColumns = 80
)

// show shows it on a terminal, or else prints it.
func (w *watching) show(cmd *cobra.Command) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	screen, err := openScreen(cmd.OutOrStdout(), stop)
	if err != nil {
		return &codeError{exitHost, err}
	}
	return w.on(ctx, screen, cmd.OutOrStdout())
}

// print prints it, on whatever it is.
func (w *watching) print(cmd *cobra.Command) error {
	ctx, stop := interruptible(cmd)
	defer stop()
	return w.on(ctx, nil, cmd.OutOrStdout())
}

// on shows it on a screen, or prints it where there is none, until it has been shown as
// often as it was to be, or somebody has seen enough.
func (w *watching) on(ctx context.Context, screen *screen, out io.Writer) error {
	defer screen.close()
	for n := 1; ; n++ {
		text, err := w.take(ctx, screen.lines())
		if err != nil {
			screen.close() // so that it can be read
			return labError(err)
		}
		if screen != nil {
			err = screen.draw(text)
		} else {
			if n > 1 && w.apart {
				text = "\n" + text
			}
			_, err = io.WriteString(out, text)
		}
		if err != nil {
			return &codeError{exitHost, err}
		}
		if n == w.times {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-screen.resized():
		case <-time.After(w.every):
		}
	}
}

// screen is a terminal that shows one text after another in its place. A nil screen is
// none.
type screen struct {
	out     *os.File
	shown   []string
	restore func() // the keyboard
	resizes chan os.Signal
}

// openScreen takes over the terminal that is written to, nil where it is none. What is
// typed calls quit, if it is q or ^C.
func openScreen(w io.Writer, quit context.CancelFunc) (*screen, error) {
	out, ok := w.(*os.File)
	if !ok || !isTerminal(w) || os.Getenv("TERM") == "dumb" {
		return nil, nil
	}
	s := &screen{out: out, restore: func() {}, resizes: make(chan os.Signal, 1)}
	if restore, err := netns.RawTerminal(os.Stdin); err == nil { // else nobody can type
		s.restore = restore
		go func() {
			key := make([]byte, 1)
			for {
				if _, err := os.Stdin.Read(key); err != nil || strings.ContainsAny(string(key), "qQ\x03\x04") {
					quit()
					return
				}
			}
		}()
	}
	signal.Notify(s.resizes, syscall.SIGWINCH)
	// Another page of the terminal, without a cursor.
	if _, err := io.WriteString(out, "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J"); err != nil {
		s.restore()
		return nil, err
	}
	return s, nil
}

// close gives the terminal back as it was. It may be called more than once.
func (s *screen) close() {
	if s == nil || s.restore == nil {
		return
	}
	signal.Stop(s.resizes)
	_, _ = io.WriteString(s.out, "\x1b[?25h\x1b[?1049l") // it may be gone
	s.restore()
	s.restore = nil
}

// resized tells when the terminal has got another size.
func (s *screen) resized() <-chan os.Signal {
	if s == nil {
		return nil
	}
	return s.resizes
}

func (s *screen) size() (lines, columns int) {
	lines, columns, err := netns.TerminalSize(s.out)
	if err != nil || lines == 0 || columns == 0 {
		return plainLines, plainColumns
	}
	return lines, columns
}

// lines returns how many lines there are, 0 where there is no screen.
func (s *screen) lines() int {
	if s == nil {
		return 0
	}
	lines, _ := s.size()
	return lines
}

// draw shows a text in the place of the one before. It writes only lines that have
// changed, all at once, since terminals may be slow.
func (s *screen) draw(text string) error {
	lines, columns := s.size()
	var b strings.Builder
	now := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	now = now[:min(len(now), lines)]
	for i := range now {
		now[i] = clip(now[i], columns)
		if i >= len(s.shown) || s.shown[i] != now[i] {
			fmt.Fprintf(&b, "\x1b[%d;1H%s\x1b[K", i+1, now[i])
		}
	}
	if len(now) < len(s.shown) {
		fmt.Fprintf(&b, "\x1b[%d;1H\x1b[J", len(now)+1)
	}
	s.shown = now
	_, err := io.WriteString(s.out, b.String())
	return err
}

// clip cuts a line to a width.
func clip(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width])
}
